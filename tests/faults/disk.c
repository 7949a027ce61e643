/*
 * A disk that is slow or broken, for a program that is started with LD_PRELOAD: each
 * fsync() and fdatasync() takes FAULTS_SYNC_MS longer, and while the file FAULTS_DISK is
 * not empty, what is written at a place in a file fails with EIO.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void dawdle(void)
{
    const char *ms = getenv("FAULTS_SYNC_MS");
    long wait = ms ? atol(ms) : 0;
    struct timespec time = {.tv_sec = wait / 1000, .tv_nsec = wait % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static bool is_broken(void)
{
    const char *path = getenv("FAULTS_DISK");
    struct stat file;
    return path && stat(path, &file) == 0 && file.st_size > 0;
}

int fsync(int fd)
{
    dawdle();
    return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    dawdle();
    return (int)syscall(SYS_fdatasync, fd);
}

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at)
{
    if (is_broken()) {
        errno = EIO;
        return -1;
    }
    return syscall(SYS_pwrite64, fd, data, len, at);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
    return pwrite64(fd, data, len, at);
}
