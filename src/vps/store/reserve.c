#include "vps/store/reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_whole(int fd)
{
    struct stat file;
    return fstat(fd, &file) == 0 && file.st_size == RESERVE_SIZE &&
           file.st_blocks * 512 >= RESERVE_SIZE;
}

/* For a file system that gives room only to what is written. */
static int write_zeros(int fd, off_t size)
{
    static const char ZEROS[16 * 1024];
    for (off_t at = 0; at < size; at += (off_t)sizeof ZEROS) {
        ssize_t len = pwrite(fd, ZEROS, sizeof ZEROS, at);
        if (len != (ssize_t)sizeof ZEROS) {
            return len < 0 ? -errno : -ENOSPC;
        }
    }
    return 0;
}

static int fill(int fd)
{
    const off_t enough = 2 * RESERVE_SIZE;
    int err = fallocate(fd, 0, 0, enough) < 0 ? -errno : 0;
    if (err == -EOPNOTSUPP || err == -ENOSYS) {
        err = write_zeros(fd, enough);
    }
    return err < 0 ? err : ftruncate(fd, RESERVE_SIZE) < 0 ? -errno : 0;
}

int reserve_make(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -errno;
    }
    int err = is_whole(fd) ? 0 : fill(fd);
    close(fd);
    if (err < 0) {
        unlink(path);
    }
    return err;
}

bool reserve_give(const char *path)
{
    return unlink(path) == 0;
}
