#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
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

int nagaya_block_size(int fd, uint64_t *bytes) { return answer(ioctl(fd, BLKGETSIZE64, bytes)); }

int nagaya_block_sector_size(int fd) {
  int bytes = 0;
  int result = ioctl(fd, BLKSSZGET, &bytes);
  return result < 0 ? -errno : bytes;
}

int nagaya_block_flush_buffers(int fd) { return answer(ioctl(fd, BLKFLSBUF, 0)); }

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

int nagaya_rename(const char *from, const char *to, int flags) {
  return answer(renameat2(AT_FDCWD, from, AT_FDCWD, to, (unsigned)flags));
}

long nagaya_list_attributes(const char *path, char *names, size_t size) {
  ssize_t length = llistxattr(path, names, size);
  return length < 0 ? -errno : length;
}

long nagaya_get_attribute(const char *path, const char *name, void *value, size_t size) {
  ssize_t length = lgetxattr(path, name, value, size);
  return length < 0 ? -errno : length;
}
