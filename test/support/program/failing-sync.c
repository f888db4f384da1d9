/* Preloaded before libc. Fails the first fsync or fdatasync (FAILING_SYNC) of a file of a megabyte or more with EIO, like
 * a disk that loses data, which Linux reports once. With FAILING_FOLDER_SYNC each fsync of a folder fails with that
 * errno. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fails(int fd, const char *call) {
  static atomic_int failed;
  struct stat file;
  const char *wanted = getenv("FAILING_SYNC");
  if (wanted == NULL || strcmp(wanted, call) != 0) return 0;
  if (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode) || file.st_size < 1 << 20) return 0;
  if (atomic_fetch_add(&failed, 1) > 0) return 0;
  errno = EIO;
  return 1;
}

static int folder_fails(int fd) {
  struct stat file;
  const char *number = getenv("FAILING_FOLDER_SYNC");
  if (number == NULL || fstat(fd, &file) != 0 || !S_ISDIR(file.st_mode)) return 0;
  errno = atoi(number);
  return 1;
}

int fsync(int fd) {
  if (folder_fails(fd)) return -1;
  if (fails(fd, "fsync")) return -1;
  return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}

int fdatasync(int fd) {
  if (fails(fd, "fdatasync")) return -1;
  return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}
