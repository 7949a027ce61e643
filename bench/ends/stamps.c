#include "stamps.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "way.h"

/* A record begins with the time; a call takes several, as a program that copies files does. */
enum { RECORD = 2048, CALL = 16 * RECORD, LOOK_NS = 1000000, WAIT_MS = 100 };

struct ages *ages_at(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0 || ftruncate(fd, sizeof(struct ages)) < 0) {
        die(path);
    }
    void *memory = mmap(NULL, sizeof(struct ages), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        die(path);
    }
    close(fd);
    return memory;
}

/* What the kernel has not taken yet is as young as the call that it takes it with. */
static void stamp(char *buffer, size_t from)
{
    int64_t now = now_ns();
    for (size_t at = (from + RECORD - 1) / RECORD * RECORD; at < CALL; at += RECORD) {
        memcpy(buffer + at, &now, sizeof now);
    }
}

void stamps_send(int fd, int64_t until)
{
    static _Thread_local char buffer[CALL];
    size_t at = 0;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    while (now_ns() < until) {
        struct pollfd ready = {.fd = fd, .events = POLLOUT};
        poll(&ready, 1, WAIT_MS);
        stamp(buffer, at);
        ssize_t sent = send(fd, buffer + at, CALL - at, MSG_NOSIGNAL);
        if (sent > 0) {
            at = (at + (size_t)sent) % CALL;
        } else if (errno != EAGAIN && errno != EINTR) {
            return;
        }
    }
}

/* What of the stream has come, and the record that is coming. */
struct receiver {
    struct ages *ages;
    uint64_t bytes;
    int64_t looked;
    char time[sizeof(int64_t)];
};

static void note(struct receiver *r, int64_t now)
{
    int64_t written;
    uint32_t count = r->ages->count;
    if (now - r->looked < LOOK_NS || count == AGES_MAX) {
        return;
    }
    memcpy(&written, r->time, sizeof written);
    r->ages->of[count] = (struct age){now, now - written, r->bytes};
    r->ages->count = count + 1;
    r->looked = now;
}

/* The times in what came; one may have come in two parts. */
static void look(struct receiver *r, const char *data, size_t len)
{
    int64_t now = now_ns();
    for (size_t at = 0; at < len;) {
        size_t place = r->bytes % RECORD;
        size_t step = RECORD - place;
        if (place < sizeof r->time) {
            step = sizeof r->time - place < len - at ? sizeof r->time - place : len - at;
            memcpy(r->time + place, data + at, step);
            r->bytes += step;
            if (place + step == sizeof r->time) {
                note(r, now);
            }
        } else {
            step = step < len - at ? step : len - at;
            r->bytes += step;
        }
        at += step;
    }
}

static void sit_out(const struct pause *pause)
{
    int64_t left = pause && now_ns() >= pause->from ? pause->until - now_ns() : 0;
    if (left > 0) {
        nanosleep(&(struct timespec){left / 1000000000, left % 1000000000}, NULL);
    }
}

void stamps_receive(int fd, struct ages *ages, const struct pause *pause)
{
    static _Thread_local char buffer[2 * CALL];
    struct receiver receiver = {.ages = ages};
    for (;;) {
        sit_out(pause);
        ssize_t got = recv(fd, buffer, sizeof buffer, 0);
        if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) {
            return;
        }
        if (got > 0) {
            look(&receiver, buffer, (size_t)got);
        }
    }
}
