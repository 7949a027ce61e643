#include "pump.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "way.h"

/* 128 KiB a call is what iperf3 does too. */
enum { CALL_SIZE = 128 * 1024, FILE_SIZE = 1024 * 1024, EVENTS = 64 };

struct connection {
    int fd;
    enum pump_kind kind;
    bool zero_copy;
};

struct pump {
    int epoll;
    int file; /* what sendfile() sends */
    _Atomic uint64_t *received;
    char *buffer;
};

struct pump *pump_new(_Atomic uint64_t *received)
{
    struct pump *pump = calloc(1, sizeof *pump);
    if (!pump || !(pump->buffer = calloc(1, CALL_SIZE))) {
        die("pump");
    }
    pump->received = received;
    pump->epoll = epoll_create1(EPOLL_CLOEXEC);
    pump->file = memfd_create("bench", MFD_CLOEXEC);
    if (pump->epoll < 0 || pump->file < 0 || ftruncate(pump->file, FILE_SIZE) < 0) {
        die("pump");
    }
    return pump;
}

void pump_add(struct pump *pump, int fd, enum pump_kind kind, bool zero_copy)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection) {
        die("pump");
    }
    *connection = (struct connection){fd, kind, zero_copy};
    struct epoll_event event = {.events = kind == PUMP_SINK ? EPOLLIN : EPOLLOUT,
                                .data.ptr = connection};
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    if (epoll_ctl(pump->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
        die("epoll");
    }
}

static ssize_t move(struct pump *pump, const struct connection *c)
{
    ssize_t done;
    if (c->kind == PUMP_SINK) {
        done = c->zero_copy ? recv(c->fd, NULL, FILE_SIZE, MSG_TRUNC)
                            : recv(c->fd, pump->buffer, CALL_SIZE, 0);
        if (done > 0) {
            atomic_fetch_add_explicit(pump->received, (uint64_t)done, memory_order_relaxed);
        }
    } else if (c->zero_copy) {
        off_t from = 0;
        done = sendfile(c->fd, pump->file, &from, FILE_SIZE);
    } else {
        done = send(c->fd, pump->buffer, CALL_SIZE, MSG_NOSIGNAL);
    }
    return done;
}

void pump_turn(struct pump *pump, int timeout_ms)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(pump->epoll, events, EVENTS, timeout_ms);
    for (int i = 0; i < count; i++) {
        struct connection *connection = events[i].data.ptr;
        ssize_t done = move(pump, connection);
        if (done == 0 || (done < 0 && errno != EAGAIN && errno != EINTR)) {
            close(connection->fd);
            free(connection);
        }
    }
}

_Atomic uint64_t *counter_at(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0 || ftruncate(fd, sizeof(uint64_t)) < 0) {
        die(path);
    }
    void *memory = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        die(path);
    }
    close(fd);
    return memory;
}
