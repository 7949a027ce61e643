#include "vps/session/ports.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "base/net.h"

enum { BACKLOG = 64, RANDOM_TRIES = 32 };

/* A port that was used, and must not be used again before `until`. */
struct resting {
    uint64_t until_ms;
    uint16_t port;
};

enum { ALL_PORTS = 65536 };

/* Sessions are few, and the range is wide: most of the ring is never touched. */
struct ports {
    char bind_address[ADDR_HOST_MAX];
    uint16_t first;
    uint32_t count;
    uint8_t taken[ALL_PORTS / 8];       /* a bit each: a session has it, or it rests */
    uint32_t oldest, resting, capacity; /* of the ring: where it begins, how many are in it */
    struct resting *ring;               /* in the order in which their rests end */
};

static bool is_taken(const struct ports *ports, uint16_t port)
{
    return ports->taken[port / 8] >> port % 8 & 1;
}

static void flip(struct ports *ports, uint16_t port)
{
    ports->taken[port / 8] ^= (uint8_t)(1u << port % 8);
}

int ports_new(const char *bind_address, uint16_t first, uint16_t last, struct ports **ret_ports)
{
    struct ports *ports = calloc(1, sizeof *ports);
    if (!ports || ports_use_range(ports, first, last) < 0) {
        free(ports);
        return -ENOMEM;
    }
    snprintf(ports->bind_address, sizeof ports->bind_address, "%s", bind_address);
    *ret_ports = ports;
    return 0;
}

void ports_free(struct ports *ports)
{
    if (ports) {
        free(ports->ring);
        free(ports);
    }
}

/* The ring takes whatever may have to rest: the range, and what is taken of an older one. */
int ports_use_range(struct ports *ports, uint16_t first, uint16_t last)
{
    uint32_t capacity = (uint32_t)last - first + 1;
    if (ports->ring && ports->first == first && ports->count == capacity) {
        return 0;
    }
    for (uint32_t port = 0; port < ALL_PORTS; port++) {
        capacity += (port < first || port > last) && is_taken(ports, (uint16_t)port);
    }
    struct resting *ring = calloc(capacity, sizeof *ring);
    if (!ring) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < ports->resting; i++) {
        ring[i] = ports->ring[(ports->oldest + i) % ports->capacity];
    }
    free(ports->ring);
    ports->ring = ring;
    ports->capacity = capacity;
    ports->oldest = 0;
    ports->first = first;
    ports->count = (uint32_t)last - first + 1;
    return 0;
}

static void end_rests(struct ports *ports, uint64_t now_ms)
{
    while (ports->resting > 0 && ports->ring[ports->oldest].until_ms <= now_ms) {
        flip(ports, ports->ring[ports->oldest].port);
        ports->oldest = (ports->oldest + 1) % ports->capacity;
        ports->resting--;
    }
}

static int listen_on(const struct ports *ports, uint16_t port, bool multipath)
{
    int fd = multipath ? net_listen_multipath(ports->bind_address, port, BACKLOG)
                       : net_listen(ports->bind_address, port, BACKLOG);
    if (fd >= 0) {
        net_narrow(fd); /* for uploads */
    }
    return fd;
}

/* -EADDRINUSE is also another program's port, which only listening on it finds out. */
static int try_port(struct ports *ports, uint32_t index, bool multipath, uint16_t *ret_port)
{
    uint16_t port = (uint16_t)(ports->first + index);
    if (is_taken(ports, port)) {
        return -EADDRINUSE;
    }
    int fd = listen_on(ports, port, multipath);
    if (fd >= 0) {
        flip(ports, port);
        *ret_port = port;
    }
    return fd;
}

int ports_listen(struct ports *ports, uint64_t now_ms, bool multipath, uint16_t *ret_port)
{
    end_rests(ports, now_ms);
    /* Random draws first; where the range is nearly full, a scan from a random place. */
    uint32_t index = 0;
    for (uint32_t i = 0; i < RANDOM_TRIES + ports->count; i++) {
        if (i <= RANDOM_TRIES) {
            int err = crypto_random_below(ports->count, &index);
            if (err < 0) {
                return err;
            }
        } else {
            index = (index + 1) % ports->count;
        }
        int fd = try_port(ports, index, multipath, ret_port);
        if (fd != -EADDRINUSE && fd != -EACCES) {
            return fd;
        }
    }
    return -EADDRINUSE;
}

/* A session keeps its port while it is closed (taken), so no other one can get it meanwhile. */
int ports_relisten(struct ports *ports, uint16_t port)
{
    return listen_on(ports, port, false);
}

void ports_release(struct ports *ports, uint64_t now_ms, uint16_t port)
{
    if (!is_taken(ports, port)) {
        return;
    }
    uint32_t newest = (ports->oldest + ports->resting++) % ports->capacity;
    ports->ring[newest] = (struct resting){now_ms + PORTS_QUARANTINE_MS, port};
}
