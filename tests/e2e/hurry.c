/*
 * A clock that leaps ahead, for a program that is started with LD_PRELOAD: the file HURRY_FILE
 * holds by how many seconds, as one 64-bit number that may change at any time. Only what measures
 * spans is moved, and for the loop alone: the time of day is not, nor what other threads wait for,
 * since the kernel knows of none of this.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *ahead;

__attribute__((constructor)) static void find_file(void)
{
    const char *path = getenv("HURRY_FILE");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) {
        return;
    }
    void *map = mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (map != MAP_FAILED) {
        ahead = map;
    }
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    bool measures = clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE;
    if (result == 0 && ahead && measures && syscall(SYS_gettid) == getpid()) {
        now->tv_sec += *ahead;
    }
    return result;
}
