/*
 * A disk that takes its time, for a program that is started with LD_PRELOAD: each fsync()
 * and fdatasync() takes FAULTS_SYNC_MS longer.
 */
#define _GNU_SOURCE
#include <stdlib.h>
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
