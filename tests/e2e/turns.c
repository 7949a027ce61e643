/*
 * How long an event loop is stopped, for a program that is started with LD_PRELOAD: the longest
 * turn in which its thread had to wait for something, in microseconds, stands in the file
 * TURNS_FILE. A turn is what happens between two waits for events; one that only was preempted, on
 * a busy machine, does not count. Each fsync() and fdatasync() takes TURNS_SYNC_MS longer.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long longest_us;
static _Thread_local long began_us, waits;

static long now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static long count_waits(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nvcsw;
}

static void note(long us)
{
    const char *path = getenv("TURNS_FILE");
    int fd = path ? open(path, O_WRONLY | O_CREAT, 0600) : -1;
    longest_us = us;
    if (fd >= 0) {
        dprintf(fd, "%ld\n", us);
        close(fd);
    }
}

/* Of the main thread, which has the loop. */
static void end_turn(void)
{
    long us = now_us() - began_us;
    if (getpid() == gettid() && began_us && us > longest_us && count_waits() > waits) {
        note(us);
    }
}

int epoll_pwait(int fd, struct epoll_event *events, int most, int timeout, const sigset_t *mask)
{
    end_turn();
    int found = (int)syscall(SYS_epoll_pwait, fd, events, most, timeout, mask, 8);
    began_us = now_us();
    waits = count_waits();
    return found;
}

int epoll_wait(int fd, struct epoll_event *events, int most, int timeout)
{
    return epoll_pwait(fd, events, most, timeout, NULL);
}

static void dawdle(void)
{
    const char *ms = getenv("TURNS_SYNC_MS");
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
