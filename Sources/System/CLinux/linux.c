#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static int answer(int result) { return result < 0 ? -errno : result; }

void nagaya_error_text(int error, char *text, size_t size) {
  char buffer[128];
  snprintf(text, size, "%s", strerror_r(error, buffer, sizeof buffer));  // the GNU form, by _GNU_SOURCE
}

int nagaya_loop_get_free(int control_fd) { return answer(ioctl(control_fd, LOOP_CTL_GET_FREE)); }

int nagaya_loop_configure(int loop_fd, int backing_fd, const char *name, int direct_io, int read_only,
                          uint32_t block_size) {
  struct loop_config config;
  memset(&config, 0, sizeof config);
  config.fd = (uint32_t)backing_fd;
  config.block_size = block_size;
  if (direct_io) config.info.lo_flags |= LO_FLAGS_DIRECT_IO;
  if (read_only) config.info.lo_flags |= LO_FLAGS_READ_ONLY;
  strncpy((char *)config.info.lo_file_name, name, LO_NAME_SIZE - 1);
  return answer(ioctl(loop_fd, LOOP_CONFIGURE, &config));
}

int nagaya_loop_set_capacity(int loop_fd) { return answer(ioctl(loop_fd, LOOP_SET_CAPACITY, 0)); }

int nagaya_loop_clear(int loop_fd) { return answer(ioctl(loop_fd, LOOP_CLR_FD, 0)); }

int nagaya_loop_backing(int loop_fd, uint64_t *device, uint64_t *inode) {
  struct loop_info64 info;
  if (ioctl(loop_fd, LOOP_GET_STATUS64, &info) < 0) return -errno;
  // The kernel's form of a device's number (huge_encode_dev); stat(2) shows the C library's.
  uint64_t code = info.lo_device;
  *device = makedev((code >> 8) & 0xfff, (code & 0xff) | ((code >> 12) & 0xfff00));
  *inode = info.lo_inode;
  return 0;
}

int nagaya_block_size(int fd, uint64_t *bytes) { return answer(ioctl(fd, BLKGETSIZE64, bytes)); }

int nagaya_block_sector_size(int fd) {
  int bytes = 0;
  int result = ioctl(fd, BLKSSZGET, &bytes);
  return result < 0 ? -errno : bytes;
}

int nagaya_block_flush_buffers(int fd) { return answer(ioctl(fd, BLKFLSBUF, 0)); }

int nagaya_open_direct(const char *path, int writes) {
  return answer(open(path, (writes ? O_RDWR : O_RDONLY) | O_DIRECT | O_CLOEXEC));
}

int nagaya_statfs(const char *path, struct nagaya_usage *usage) {
  struct statfs s;
  if (statfs(path, &s) < 0) return -errno;
  usage->block_bytes = (uint64_t)(s.f_frsize ? s.f_frsize : s.f_bsize);
  usage->blocks = s.f_blocks;
  usage->blocks_free = s.f_bfree;
  usage->blocks_available = s.f_bavail;
  usage->inodes = s.f_files;
  usage->inodes_free = s.f_ffree;
  usage->type = (int64_t)s.f_type;
  return 0;
}

int nagaya_trim(int fd, uint64_t minimum_extent_bytes, uint64_t *trimmed_bytes) {
  struct fstrim_range range = {.start = 0, .len = UINT64_MAX, .minlen = minimum_extent_bytes};
  int result = ioctl(fd, FITRIM, &range);
  if (result < 0) return -errno;
  *trimmed_bytes = range.len;
  return 0;
}

int nagaya_sync_file_system(int fd) { return answer(syncfs(fd)); }

int nagaya_fallocate(int fd, int mode, int64_t offset, int64_t length) {
  static const int modes[] = {0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE};
  if (mode < 0 || mode > 2) return -EINVAL;
  return answer(fallocate(fd, modes[mode], offset, length));
}

int nagaya_clone_file(int fd, int source_fd) { return answer(ioctl(fd, FICLONE, source_fd)); }

int nagaya_shared_bytes(int fd, uint32_t most_extents, uint64_t *shared) {
  enum { at_once = 256 };
  union {
    struct fiemap map;
    char bytes[sizeof(struct fiemap) + at_once * sizeof(struct fiemap_extent)];
  } buffer;
  uint64_t start = 0;
  *shared = 0;
  for (uint32_t seen = 0; seen < most_extents;) {
    memset(&buffer.map, 0, sizeof buffer.map);
    buffer.map.fm_start = start;
    buffer.map.fm_length = FIEMAP_MAX_OFFSET - start;
    buffer.map.fm_extent_count = at_once;
    if (ioctl(fd, FS_IOC_FIEMAP, &buffer.map) < 0) return -errno;
    uint32_t count = buffer.map.fm_mapped_extents;
    if (count == 0) return 0;
    for (uint32_t i = 0; i < count; i++) {
      const struct fiemap_extent *extent = &buffer.map.fm_extents[i];
      if (extent->fe_flags & FIEMAP_EXTENT_SHARED) *shared += extent->fe_length;
      if (extent->fe_flags & FIEMAP_EXTENT_LAST) return 0;
      uint64_t end = extent->fe_logical + extent->fe_length;
      if (end <= start && i + 1 == count) return 0;
      start = end;
    }
    seen += count;
  }
  return -E2BIG;
}

int nagaya_rename(const char *from, const char *to, int flags) {
  return answer(renameat2(AT_FDCWD, from, AT_FDCWD, to, (unsigned)flags));
}

int nagaya_open_beneath(int directory_fd, const char *path, int flags, int resolve) {
  struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC),
                         .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
  if (!(resolve & NAGAYA_LINKS)) how.resolve |= RESOLVE_NO_SYMLINKS;
  if (resolve & NAGAYA_ONE_MOUNT) how.resolve |= RESOLVE_NO_XDEV;
  long fd;
  do fd = syscall(SYS_openat2, directory_fd, path, &how, sizeof how);
  while (fd < 0 && (errno == EINTR || errno == EAGAIN));  // EAGAIN: something was renamed while ".." was looked up
  return answer((int)fd);
}

long nagaya_list_attributes(const char *path, char *names, size_t size) {
  ssize_t length = llistxattr(path, names, size);
  return length < 0 ? -errno : length;
}

long nagaya_get_attribute(const char *path, const char *name, void *value, size_t size) {
  ssize_t length = lgetxattr(path, name, value, size);
  return length < 0 ? -errno : length;
}

int nagaya_set_attribute(const char *path, const char *name, const void *value, size_t size) {
  return answer(lsetxattr(path, name, value, size, 0));
}

// Newer than the headers of most distributions.
#define NAGAYA_FAN_PRE_ACCESS 0x00100000

int nagaya_fanotify_open(void) {
  return answer(fanotify_init(FAN_CLASS_PRE_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK | FAN_UNLIMITED_QUEUE | FAN_UNLIMITED_MARKS,
                              O_RDWR | O_LARGEFILE | O_CLOEXEC));
}

int nagaya_fanotify_mark(int group_fd, int fd, int add) {
  return answer(fanotify_mark(group_fd, add ? FAN_MARK_ADD : FAN_MARK_REMOVE, NAGAYA_FAN_PRE_ACCESS, fd, NULL));
}

int nagaya_fanotify_respond(int group_fd, int number, int deny) {
  struct fanotify_response response = {.fd = number, .response = deny ? FAN_DENY | ((uint32_t)deny << 24) : FAN_ALLOW};
  ssize_t written = write(group_fd, &response, sizeof response);
  return written < 0 ? -errno : 0;
}

int nagaya_fs_open(const char *type) { return answer((int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC)); }

int nagaya_fs_set(int context_fd, const char *key, const char *value) {
  return answer((int)syscall(SYS_fsconfig, context_fd, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value, 0));
}

int nagaya_fs_create(int context_fd) {
  return answer((int)syscall(SYS_fsconfig, context_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
}

int nagaya_fs_mount(int context_fd) {
  return answer((int)syscall(SYS_fsmount, context_fd, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY));
}

int nagaya_fs_mount_data(int context_fd) {
  return answer((int)syscall(SYS_fsmount, context_fd, FSMOUNT_CLOEXEC,
                             MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
}

int nagaya_seal_mount(int mount_fd) {
  struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                                              MOUNT_ATTR_NOEXEC};
  return answer((int)syscall(SYS_mount_setattr, mount_fd, "", AT_EMPTY_PATH, &attributes, sizeof attributes));
}

// Has a copy of a process end with the thread that made it, also if that ended before it could be said.
static void die_with(long parent) {
  syscall(SYS_prctl, 1 /* PR_SET_PDEATHSIG */, SIGKILL, 0, 0, 0);
  if (syscall(SYS_getppid) != parent) syscall(SYS_exit_group, 127);
}

// Begins a copy of this process in which only this thread runs: nothing but system calls may be made in it. It dies with
// this one, and has no descriptor but one.
static long begin_apart(int kept_fd) {
  long parent = syscall(SYS_getpid);
  long pid = syscall(SYS_clone, 0, 0, 0, 0, 0);
  if (pid != 0) return pid < 0 ? -errno : pid;
  die_with(parent);
  if (kept_fd > 0) syscall(SYS_close_range, 0u, (unsigned)kept_fd - 1, 0u);
  syscall(SYS_close_range, kept_fd < 0 ? 0u : (unsigned)kept_fd + 1, ~0u, 0u);
  return 0;
}

// The errno value that it ended with, negative.
static int end_apart(long pid) {
  int status = 0;
  while (waitpid((pid_t)pid, &status, __WALL) < 0)
    if (errno != EINTR) return -errno;
  return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

int nagaya_fs_mount_apart(const char *type, const char *const keys[], const char *const values[], const char *target,
                          int kept_fd) {
  long pid = begin_apart(kept_fd);
  if (pid < 0) return (int)pid;
  if (pid > 0) return end_apart(pid);
  int context = nagaya_fs_open(type);
  int result = context < 0 ? context : 0;
  for (int i = 0; result >= 0 && keys[i]; i++) result = nagaya_fs_set(context, keys[i], values[i]);
  if (result >= 0) result = nagaya_fs_create(context);
  if (result >= 0) result = nagaya_fs_mount(context);
  if (result >= 0) result = nagaya_move_mount(result, target);
  for (;;) syscall(SYS_exit_group, result < 0 ? -result : 0);
}

int nagaya_read_apart(const char *path, void *shared, size_t size) {
  long pid = begin_apart(-1);
  if (pid < 0) return (int)pid;
  if (pid > 0) return end_apart(pid);
  int result = 0;
  long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) result = errno;
  for (size_t filled = 0; !result && filled < size;) {
    long count = syscall(SYS_read, (int)fd, (char *)shared + filled, size - filled);
    if (count <= 0) result = count < 0 ? errno : ENODATA;
    filled += count > 0 ? (size_t)count : 0;
  }
  for (;;) syscall(SYS_exit_group, result);
}

int nagaya_thaw(int fd) { return answer(ioctl(fd, FITHAW, 0)); }

int nagaya_freeze_begin(int fd, int milliseconds, int *control_fd) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) return -errno;
  long pid = syscall(SYS_clone, 0, 0, 0, 0, 0);
  if (pid == 0) {
    // A copy of this process in which only this thread runs: nothing but system calls may be made in it. It shall outlive the
    // other, and hold nothing of it: what ends a group of processes shall not end it.
    syscall(SYS_setsid);
    int low = fd < ends[1] ? fd : ends[1], high = fd < ends[1] ? ends[1] : fd;
    if (low > 0) syscall(SYS_close_range, 0u, (unsigned)low - 1, 0u);
    if (low + 1 < high) syscall(SYS_close_range, (unsigned)low + 1, (unsigned)high - 1, 0u);
    syscall(SYS_close_range, (unsigned)high + 1, ~0u, 0u);
    uint64_t all = ~0ull;
    syscall(SYS_rt_sigprocmask, 0 /* SIG_BLOCK */, &all, NULL, 8);
    int32_t word = syscall(SYS_ioctl, fd, FIFREEZE, 0) < 0 ? errno : 0;
    int frozen = word == 0;
    syscall(SYS_sendto, ends[1], &word, sizeof word, MSG_NOSIGNAL, NULL, 0);
    if (frozen) {
      struct timespec left = {milliseconds / 1000, (milliseconds % 1000) * 1000000L};
      struct pollfd control = {.fd = ends[1], .events = POLLIN};
      // Readable: the other end is closed, or says that it is done. With every signal blocked nothing interrupts this.
      long ready = syscall(SYS_ppoll, &control, 1, &left, NULL, 8);
      word = ready == 1 ? 0 : ETIMEDOUT;
      syscall(SYS_ioctl, fd, FITHAW, 0);
      syscall(SYS_sendto, ends[1], &word, sizeof word, MSG_NOSIGNAL, NULL, 0);
    }
    for (;;) syscall(SYS_exit_group, 0);
  }
  int failure = pid < 0 ? errno : 0;
  close(ends[1]);
  if (pid > 0) {
    // Freezing waits for writers: no longer than it is to last.
    struct timeval patience = {milliseconds / 1000 + 1, 0};
    setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    int32_t word = 0;
    ssize_t count;
    do count = recv(ends[0], &word, sizeof word, 0);
    while (count < 0 && errno == EINTR);
    failure = count == sizeof word ? word : count < 0 ? ETIMEDOUT : ECHILD;
    if (failure == 0) {
      *control_fd = ends[0];
      return (int)pid;
    }
  }
  close(ends[0]);
  // One that is still freezing thaws when it has, since nobody listens.
  if (pid > 0 && failure != ETIMEDOUT) waitpid((pid_t)pid, NULL, __WALL);
  return -failure;
}

int nagaya_freeze_end(int pid, int control_fd) {
  char done = 1;
  send(control_fd, &done, 1, MSG_NOSIGNAL);
  int32_t word = 0;
  ssize_t count;
  do count = recv(control_fd, &word, sizeof word, MSG_WAITALL);
  while (count < 0 && errno == EINTR);
  int result = count == sizeof word ? -word : -ECHILD;
  close(control_fd);
  if (result == -ECHILD) kill(pid, SIGKILL);
  while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR) {}
  return result;
}

int nagaya_fuse_open(void) { return answer(open("/dev/fuse", O_RDWR | O_NONBLOCK | O_CLOEXEC)); }

long nagaya_write_two(int fd, const void *head, size_t head_size, const void *body, size_t body_size) {
  struct iovec parts[2] = {{.iov_base = (void *)head, .iov_len = head_size}, {.iov_base = (void *)body, .iov_len = body_size}};
  ssize_t written = writev(fd, parts, body_size ? 2 : 1);
  return written < 0 ? -errno : written;
}

int nagaya_move_mount(int mount_fd, const char *target) {
  return answer((int)syscall(SYS_move_mount, mount_fd, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH));
}

int nagaya_clone_mount(const char *path) {
  return answer((int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
}

int nagaya_clone_mount_of(int fd) {
  return answer((int)syscall(SYS_open_tree, fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH));
}

int nagaya_map_mount(int mount_fd, int user_namespace_fd) {
  struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)user_namespace_fd};
  return answer((int)syscall(SYS_mount_setattr, mount_fd, "", AT_EMPTY_PATH, &attributes, sizeof attributes));
}

int nagaya_user_namespace_begin(void) {
  // A copy of this process in which only this thread runs: nothing but system calls may be made in it.
  long parent = syscall(SYS_getpid);
  long pid = syscall(SYS_clone, CLONE_NEWUSER, 0, 0, 0, 0);
  if (pid == 0) {
    die_with(parent);
    for (;;) syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
  }
  return answer((int)pid);
}

void nagaya_user_namespace_end(int pid) {
  kill(pid, SIGKILL);
  while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR) {}
}

static int packet_address(const char *path, struct sockaddr_un *address) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  if (strlen(path) >= sizeof address->sun_path) return -ENAMETOOLONG;
  strcpy(address->sun_path, path);
  return 0;
}

int nagaya_packet_listen(const char *path) {
  struct sockaddr_un address;
  int bad = packet_address(path, &address);
  if (bad) return bad;
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  unlink(path);
  // Nobody can connect before listen, so the mode is right before anybody can.
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || chmod(path, 0600) < 0 || listen(fd, 16) < 0) {
    int error = errno;
    close(fd);
    return -error;
  }
  return fd;
}

int nagaya_packet_connect(const char *path, int timeout_seconds) {
  struct sockaddr_un address;
  int bad = packet_address(path, &address);
  if (bad) return bad;
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  struct timeval timeout = {.tv_sec = timeout_seconds};
  if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) < 0 ||
      setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) < 0 ||
      connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
    int error = errno;
    close(fd);
    return -error;
  }
  return fd;
}

int nagaya_notify_connect(const char *path, int timeout_seconds) {
  struct sockaddr_un address;
  int bad = packet_address(path, &address);
  if (bad) return bad;
  // "@" stands for the zero byte with which abstract names begin; they have no zero at their end.
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + (path[0] != '@'));
  if (path[0] == '@') address.sun_path[0] = 0;
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  struct timeval timeout = {.tv_sec = timeout_seconds};
  if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) < 0 ||
      connect(fd, (struct sockaddr *)&address, size) < 0) {
    int error = errno;
    close(fd);
    return -error;
  }
  return fd;
}

int nagaya_packet_accept(int fd) { return answer(accept4(fd, NULL, NULL, SOCK_CLOEXEC)); }

int nagaya_packet_peer(int fd, uint32_t *uid) {
  struct ucred credentials;
  socklen_t size = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0) return -errno;
  *uid = credentials.uid;
  return 0;
}

#define NAGAYA_PACKET_FDS 4

long nagaya_packet_send(int fd, const void *bytes, size_t size, const int *fds, int count) {
  if (count < 0 || count > NAGAYA_PACKET_FDS) return -EINVAL;
  struct iovec vector = {.iov_base = (void *)bytes, .iov_len = size};
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int) * NAGAYA_PACKET_FDS)];
  } control;
  memset(&control, 0, sizeof control);
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
  if (count > 0) {
    message.msg_control = control.space;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
    memcpy(CMSG_DATA(header), fds, sizeof(int) * (size_t)count);
  }
  ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
  return sent < 0 ? -errno : sent;
}

long nagaya_packet_receive(int fd, void *bytes, size_t size, int *fds, int *count) {
  struct iovec vector = {.iov_base = bytes, .iov_len = size};
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int) * NAGAYA_PACKET_FDS)];
  } control;
  struct msghdr message = {
      .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
  *count = 0;
  ssize_t received = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
  if (received < 0) return -errno;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    int found = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    for (int i = 0; i < found; i++) {
      int passed;
      memcpy(&passed, CMSG_DATA(header) + (size_t)i * sizeof(int), sizeof passed);
      if (*count < NAGAYA_PACKET_FDS) fds[(*count)++] = passed; else close(passed);
    }
  }
  return received;
}

int nagaya_raise_open_files(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
  limit.rlim_cur = limit.rlim_max;
  return answer(setrlimit(RLIMIT_NOFILE, &limit));
}

int nagaya_event_counter(void) { return answer(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

int nagaya_bit_set(void *map, uint64_t bit) {
  unsigned char mask = (unsigned char)(1u << (bit & 7));
  return (__atomic_fetch_or((unsigned char *)map + (bit >> 3), mask, __ATOMIC_SEQ_CST) & mask) != 0;
}

int nagaya_bit_test(const void *map, uint64_t bit) {
  return (__atomic_load_n((const unsigned char *)map + (bit >> 3), __ATOMIC_SEQ_CST) >> (bit & 7)) & 1;
}

uint64_t nagaya_bit_first_clear(const void *map, uint64_t from, uint64_t end) {
  const unsigned char *bytes = map;
  while (from < end) {
    unsigned char byte = __atomic_load_n(bytes + (from >> 3), __ATOMIC_SEQ_CST);
    if (byte == 0xFF) {
      from = (from | 7) + 1;
      continue;
    }
    if (!((byte >> (from & 7)) & 1)) return from;
    from++;
  }
  return end;
}

int nagaya_start(char *const arguments[], int *status) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t process = 0;
  int failure = posix_spawnp(&process, arguments[0], &actions, NULL, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failure) return -failure;
  while (waitpid(process, status, 0) < 0)
    if (errno != EINTR) return -errno;
  return 0;
}

int nagaya_start_child(const char *program, char *const arguments[], char *const environment[], int output_fd,
                       int status_fd, const int inherited[], int inherited_count, const char *oom_score_adj, int *pid_fd) {
  if (inherited_count < 0 || inherited_count > NAGAYA_MAX_INHERITED) return -EINVAL;
  // No handler of this process may run in the child, where the other threads that it may rely on do not exist.
  sigset_t every, before;
  sigfillset(&every);
  int failure = pthread_sigmask(SIG_BLOCK, &every, &before);
  if (failure) return -failure;
  pid_t parent = getpid();
  // By this the child says that it dies with this thread: until then it may outlive it.
  int bound[2];
  if (pipe2(bound, O_CLOEXEC) < 0) {
    failure = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -failure;
  }
  pid_t child = fork();
  if (child == 0) {
    // Only what is safe after a fork of a process with threads (signal-safety(7)).
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent || write(bound[1], "", 1) != 1) _exit(127);
    setpgid(0, 0);
    for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
    int output = fcntl(output_fd, F_DUPFD, 16), status = fcntl(status_fd, F_DUPFD, 16);
    int nothing = open("/dev/null", O_RDONLY);
    // Out of the way first: one may have the number that another is to get.
    int given[NAGAYA_MAX_INHERITED];
    for (int index = 0; index < inherited_count; index++) {
      given[index] = fcntl(inherited[index], F_DUPFD, 16);
      if (given[index] < 0) _exit(127);
    }
    if (output < 0 || status < 0 || nothing < 0 || dup2(nothing, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0 ||
        dup2(status, 3) < 0)
      _exit(127);
    for (int index = 0; index < inherited_count; index++)
      if (dup2(given[index], 4 + index) < 0) _exit(127);
    if (syscall(SYS_close_range, 4 + inherited_count, ~0u, 0u) < 0) _exit(127);
    if (oom_score_adj[0]) {
      int score = open("/proc/self/oom_score_adj", O_WRONLY);
      // To lower it needs a right that not every root has.
      if (score >= 0 && write(score, oom_score_adj, strlen(oom_score_adj)) >= 0) close(score);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(program, arguments, environment);
    static const char words[] = "the program cannot be run\n";
    if (write(2, words, sizeof words - 1) < 0) _exit(126);
    _exit(127);
  }
  int error = errno;
  close(bound[1]);
  char byte;
  // Of a child that ended before, there is the end of the pipe.
  while (child > 0 && read(bound[0], &byte, 1) < 0 && errno == EINTR) {}
  close(bound[0]);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (child < 0) return -error;
  int handle = (int)syscall(SYS_pidfd_open, child, 0);
  if (handle < 0) {
    error = errno;
    kill(child, SIGKILL);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
    return -error;
  }
  *pid_fd = handle;
  return child;
}

int nagaya_pipe(int *read_fd, int *write_fd) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return -errno;
  if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) {
    int error = errno;
    close(ends[0]);
    close(ends[1]);
    return -error;
  }
  *read_fd = ends[0];
  *write_fd = ends[1];
  return 0;
}

static volatile sig_atomic_t signal_counter = -1;

static void count_signal(int number) {
  (void)number;
  int error = errno;
  uint64_t one = 1;
  ssize_t written = write(signal_counter, &one, sizeof one);
  (void)written;
  errno = error;
}

int nagaya_signals_to_counter(int counter_fd) {
  signal_counter = counter_fd;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = count_signal;
  action.sa_flags = SA_RESTART;
  sigfillset(&action.sa_mask);
  const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
    if (sigaction(numbers[i], &action, NULL) < 0) return -errno;
  return signal(SIGPIPE, SIG_IGN) == SIG_ERR ? -errno : 0;
}

int nagaya_become_background(void) {
  pid_t child = fork();
  if (child < 0) return -errno;
  if (child > 0) _exit(0);
  if (setsid() < 0) return -errno;
  if (chdir("/") < 0) return -errno;
  return 0;
}

int nagaya_close_from(int first) { return answer((int)syscall(SYS_close_range, (unsigned)first, ~0u, 0u)); }

int nagaya_heap_keep_small(void) {
  // Every thread would get a heap of its own, each as large as the most it ever needed. And buffers of this size and more
  // come from the kernel and go back to it; by itself the limit grows to 32 MiB with what is freed.
  int ok = mallopt(M_ARENA_MAX, 2) && mallopt(M_MMAP_THRESHOLD, 256 << 10) && mallopt(M_TRIM_THRESHOLD, 1 << 20);
  return ok ? 0 : -EINVAL;
}

int nagaya_heap_trim(void) { return malloc_trim(0); }
