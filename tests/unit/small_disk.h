/*
 * small_disk: a file system of a few MiB over a test's folder, to be filled and emptied. The test
 * runs in a process of its own there, since a mount is a process's and threads cannot get one: it
 * checks with DISK_CHECK(), cmocka's assertions belong to the parent.
 */
#ifndef PAMTUNNEL_TESTS_SMALL_DISK_H
#define PAMTUNNEL_TESTS_SMALL_DISK_H

#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#define DISK_CHECK(condition)                                                       \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            _exit(1);                                                               \
        }                                                                           \
    } while (0)

/* In the namespace of a user who is not root, that one is, or nothing can be made there. */
static inline bool small_disk_become_root(unsigned uid)
{
    char map[32];
    int fd = open("/proc/self/uid_map", O_WRONLY);
    int len = snprintf(map, sizeof map, "0 %u 1", uid);
    bool done = fd >= 0 && write(fd, map, (size_t)len) == len;
    close(fd);
    return done;
}

static inline bool small_disk_mount(const char *folder, unsigned mib)
{
    char options[32];
    unsigned uid = geteuid();
    bool alone = uid == 0
                     ? unshare(CLONE_NEWNS) == 0
                     : unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && small_disk_become_root(uid);
    snprintf(options, sizeof options, "size=%um", mib);
    return alone && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("disk", folder, "tmpfs", 0, options) == 0;
}

/* To the last byte. */
static inline void small_disk_fill(const char *folder)
{
    static const char BLOCK[4096];
    char path[128];
    snprintf(path, sizeof path, "%s/ballast", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    while (write(fd, BLOCK, sizeof BLOCK) == sizeof BLOCK) {
    }
    close(fd);
}

static inline void small_disk_make_room(const char *folder)
{
    char path[128];
    snprintf(path, sizeof path, "%s/ballast", folder);
    DISK_CHECK(unlink(path) == 0);
}

/* Skips the calling test where nothing can be mounted. */
static inline void small_disk_run(const char *folder, unsigned mib, uv_loop_t *loop,
                                  void (*test)(void *arg), void *arg)
{
    enum { CANNOT = 77 };
    int status;
    pid_t child = fork();
    if (child == 0) {
        if (!small_disk_mount(folder, mib)) {
            _exit(CANNOT);
        }
        uv_loop_fork(loop);
        test(arg);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT) {
        skip();
    }
    assert_int_equal(status, 0);
}

#endif
