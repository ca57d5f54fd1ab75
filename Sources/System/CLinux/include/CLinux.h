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

// Block devices: size in bytes, logical sector size in bytes, flush of the buffer cache.
int nagaya_block_size(int fd, uint64_t *bytes);
int nagaya_block_sector_size(int fd);
int nagaya_block_flush_buffers(int fd);

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

// Files. fallocate's modes: 0 allocate, 1 allocate and keep the size, 2 punch a hole (the size stays).
int nagaya_fallocate(int fd, int mode, int64_t offset, int64_t length);
// renameat2's flags: 0 none, 1 do not replace, 2 exchange.
int nagaya_rename(const char *from, const char *to, int flags);

// Extended attributes of the file itself, a link not followed. Both answer the bytes written; -ERANGE: too small.
// Names are ended by a zero byte each.
long nagaya_list_attributes(const char *path, char *names, size_t size);
long nagaya_get_attribute(const char *path, const char *name, void *value, size_t size);

#endif
