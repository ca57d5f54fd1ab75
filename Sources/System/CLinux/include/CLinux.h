#ifndef NAGAYA_CLINUX_H
#define NAGAYA_CLINUX_H

#include <stddef.h>
#include <stdint.h>

// Every function answers 0 or more on success and -errno on failure.

// The text of an errno value, always ended by a zero byte.
void nagaya_error_text(int error, char *text, size_t size);

// Loop devices (loop(4)).
int nagaya_loop_get_free(int control_fd);
int nagaya_loop_configure(int loop_fd, int backing_fd, const char *name, int direct_io, int read_only,
                          uint32_t block_size);
int nagaya_loop_set_capacity(int loop_fd);
int nagaya_loop_clear(int loop_fd);
// Which file a device shows: its file system's device and its inode, as stat(2) has them.
int nagaya_loop_backing(int loop_fd, uint64_t *device, uint64_t *inode);

// Block devices: size in bytes, logical sector size in bytes, flush of the buffer cache.
int nagaya_block_size(int fd, uint64_t *bytes);
int nagaya_block_sector_size(int fd);
int nagaya_block_flush_buffers(int fd);
// Opens a block device whose bytes travel around the page cache (O_DIRECT): memory, offsets and lengths are multiples of 4096.
int nagaya_open_direct(const char *path, int writes);

// File systems.
struct nagaya_usage {
  uint64_t block_bytes;
  uint64_t blocks;
  uint64_t blocks_free;
  uint64_t blocks_available;
  uint64_t inodes;
  uint64_t inodes_free;
  int64_t type;
};
int nagaya_statfs(const char *path, struct nagaya_usage *usage);
// Trims free extents of the mounted file system behind fd; sets the number of bytes.
int nagaya_trim(int fd, uint64_t minimum_extent_bytes, uint64_t *trimmed_bytes);
int nagaya_sync_file_system(int fd);
// Freezing a mounted file system (ioctl_fsfreeze): what was written is on its disk, and writers wait until it is thawed.
// It is frozen and thawed by a process of its own, which thaws when told to, when the caller lets go of control_fd (by its end,
// too), and after that many milliseconds. Answers its id; -errno, as of a file system that is frozen already, if it did not freeze.
int nagaya_freeze_begin(int fd, int milliseconds, int *control_fd);
// Ends it. 0: it was frozen all the time until now; -ETIMEDOUT: not to the end.
int nagaya_freeze_end(int pid, int control_fd);
// Thaws at once; -EINVAL: it is not frozen.
int nagaya_thaw(int fd);

// Files. fallocate's modes: 0 allocate, 1 allocate and keep the size, 2 punch a hole (the size stays).
int nagaya_fallocate(int fd, int mode, int64_t offset, int64_t length);
// Gives the file behind fd the content of another one on the same file system, blocks shared (FICLONE, ioctl_ficlone(2)).
// -EOPNOTSUPP, -EINVAL, -EXDEV: this file system can't.
int nagaya_clone_file(int fd, int source_fd);
// Sums the bytes of the file's blocks that other files share, too (FIEMAP), without writing anything out. Looks at most at
// that many extents; -E2BIG: there are more.
int nagaya_shared_bytes(int fd, uint32_t most_extents, uint64_t *shared);
// renameat2's flags: 0 none, 1 do not replace, 2 exchange.
int nagaya_rename(const char *from, const char *to, int flags);

// Opens a path below a directory and never outside of it (openat2(2), RESOLVE_BENEATH). flags are open(2)'s; O_CLOEXEC is
// added. resolve: NAGAYA_LINKS follows symbolic links that stay below, otherwise every one is refused; NAGAYA_ONE_MOUNT
// refuses to enter what is mounted on the way, bind mounts too.
#define NAGAYA_LINKS 1
#define NAGAYA_ONE_MOUNT 2
// O_PATH, which headers hide from Swift.
#define NAGAYA_PATH_ONLY 0x200000
int nagaya_open_beneath(int directory_fd, const char *path, int flags, int resolve);

// Extended attributes of the file itself, a link not followed. Both answer the bytes written; -ERANGE: too small.
// Names are ended by a zero byte each.
long nagaya_list_attributes(const char *path, char *names, size_t size);
long nagaya_get_attribute(const char *path, const char *name, void *value, size_t size);
int nagaya_set_attribute(const char *path, const char *name, const void *value, size_t size);

// Pre-content events (fanotify(7), FAN_PRE_ACCESS, Linux 6.14). The group is non-blocking and closed on exec.
int nagaya_fanotify_open(void);
// add: 1 adds the mark to the file behind fd, 0 removes it.
int nagaya_fanotify_mark(int group_fd, int fd, int add);
// deny: 0 allows, an errno value denies.
int nagaya_fanotify_respond(int group_fd, int number, int deny);

// The new mount calls (fsopen(2), fsconfig(2), fsmount(2), move_mount(2)). value NULL sets a flag.
int nagaya_fs_open(const char *type);
int nagaya_fs_set(int context_fd, const char *key, const char *value);
int nagaya_fs_create(int context_fd);
int nagaya_fs_mount(int context_fd);
int nagaya_move_mount(int mount_fd, const char *target);
// The same for a file system that holds nothing but data: no devices, no programs, no set-uid.
int nagaya_fs_mount_data(int context_fd);
// Makes a mount such a one (mount_setattr(2), Linux 5.12).
int nagaya_seal_mount(int mount_fd);
// All of the above for a read-only mount, in a process of its own that has no descriptor but kept_fd: it may wait for what
// this process has to answer, and must not keep this one from ending. keys and values are ended by a NULL key.
int nagaya_fs_mount_apart(const char *type, const char *const keys[], const char *const values[], const char *target,
                          int kept_fd);
// Reads the first bytes of a file into memory that is shared with children (MAP_SHARED), in a process of its own.
int nagaya_read_apart(const char *path, void *shared, size_t size);
// A copy of the mount at path that is attached nowhere (open_tree(2)).
int nagaya_clone_mount(const char *path);
// The same of what an open file or directory stands for.
int nagaya_clone_mount_of(int fd);
// Shows such a mount's files with the ids that a user namespace maps them to (mount_setattr(2), Linux 5.12).
int nagaya_map_mount(int mount_fd, int user_namespace_fd);
// Starts a process in a new user namespace that waits to be killed; answers its id. Its end raises no signal; wait for it
// with nagaya_user_namespace_end, which kills it.
int nagaya_user_namespace_begin(void);
void nagaya_user_namespace_end(int pid);

// A connection to FUSE (fuse(4)) that does not block, and one message from two places.
int nagaya_fuse_open(void);
long nagaya_write_two(int fd, const void *head, size_t head_size, const void *body, size_t body_size);

// Packets over a unix SOCK_SEQPACKET socket, with up to 4 descriptors.
int nagaya_packet_listen(const char *path);
int nagaya_packet_connect(const char *path, int timeout_seconds);
// The service manager's socket (sd_notify(3)): datagrams; a name that begins with @ is abstract.
int nagaya_notify_connect(const char *path, int timeout_seconds);
int nagaya_packet_accept(int fd);
// The user at the other end.
int nagaya_packet_peer(int fd, uint32_t *uid);
long nagaya_packet_send(int fd, const void *bytes, size_t size, const int *fds, int count);
long nagaya_packet_receive(int fd, void *bytes, size_t size, int *fds, int *count);

// Raises the limit of open files to the highest allowed.
int nagaya_raise_open_files(void);
int nagaya_event_counter(void);
// Bit maps in shared memory; answers the bit as it was.
int nagaya_bit_set(void *map, uint64_t bit);
int nagaya_bit_test(const void *map, uint64_t bit);
// The first clear bit of a range, or its end.
uint64_t nagaya_bit_first_clear(const void *map, uint64_t from, uint64_t end);

// Starts a program with /dev/null as its standard files and waits for it to end; sets its wait status.
int nagaya_start(char *const arguments[], int *status);
// The most descriptors that a child is given besides its own.
#define NAGAYA_MAX_INHERITED 8
// Starts a program as a child in a process group of its own, with output_fd as its output and errors, status_fd as its
// descriptor 3, the inherited ones as 4 and on, nothing else open, every signal at its default, and oom_score_adj (unless empty) written for it. The kernel
// kills it (SIGKILL) when the thread that called this ends. Answers its id; pid_fd becomes readable when it has ended.
int nagaya_start_child(const char *program, char *const arguments[], char *const environment[], int output_fd,
                       int status_fd, const int inherited[], int inherited_count, const char *oom_score_adj, int *pid_fd);
// A pipe, both ends closed on exec; the end that is read does not block.
int nagaya_pipe(int *read_fd, int *write_fd);
// From now on SIGTERM, SIGINT and SIGHUP add 1 to an eventfd(2), and SIGPIPE does nothing.
int nagaya_signals_to_counter(int counter_fd);
// Leaves the parent and its session: answers in the new process only.
int nagaya_become_background(void);
int nagaya_close_from(int first);

// The heap: settings for a process that shall stay small (mallopt(3)), and giving back what is free (malloc_trim(3)).
int nagaya_heap_keep_small(void);
int nagaya_heap_trim(void);

#endif
