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

/* What nobody uses takes no memory: sessions are few, and the range is wide. */
struct ports {
    char bind_address[ADDR_HOST_MAX];
    uint16_t first;
    uint32_t count;
    uint8_t *taken;           /* a bit each: a session has it, or it rests */
    uint32_t oldest, resting; /* of the ring below: where it begins, and how many there are */
    struct resting ring[];    /* in the order in which their rests end */
};

int ports_new(const char *bind_address, uint16_t first, uint16_t last, struct ports **ret_ports)
{
    uint32_t count = (uint32_t)last - first + 1;
    struct ports *ports = calloc(1, sizeof *ports + count * sizeof ports->ring[0]);
    uint8_t *taken = calloc(1, count / 8 + 1);
    if (!ports || !taken) {
        free(ports);
        free(taken);
        return -ENOMEM;
    }
    ports->taken = taken;
    snprintf(ports->bind_address, sizeof ports->bind_address, "%s", bind_address);
    ports->first = first;
    ports->count = count;
    *ret_ports = ports;
    return 0;
}

void ports_free(struct ports *ports)
{
    if (ports) {
        free(ports->taken);
        free(ports);
    }
}

static bool is_taken(const struct ports *ports, uint32_t index)
{
    return ports->taken[index / 8] >> index % 8 & 1;
}

static void flip(struct ports *ports, uint32_t index)
{
    ports->taken[index / 8] ^= (uint8_t)(1u << index % 8);
}

static void end_rests(struct ports *ports, uint64_t now_ms)
{
    while (ports->resting > 0 && ports->ring[ports->oldest].until_ms <= now_ms) {
        flip(ports, (uint32_t)(ports->ring[ports->oldest].port - ports->first));
        ports->oldest = (ports->oldest + 1) % ports->count;
        ports->resting--;
    }
}

static int try_port(struct ports *ports, uint32_t index, uint16_t *ret_port)
{
    if (is_taken(ports, index)) {
        return -EADDRINUSE;
    }
    uint16_t port = (uint16_t)(ports->first + index);
    int fd = net_listen(ports->bind_address, port, BACKLOG);
    if (fd >= 0) {
        flip(ports, index);
        *ret_port = port;
    }
    return fd;
}

int ports_listen(struct ports *ports, uint64_t now_ms, uint16_t *ret_port)
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
        int fd = try_port(ports, index, ret_port);
        if (fd != -EADDRINUSE && fd != -EACCES) {
            return fd;
        }
    }
    return -EADDRINUSE;
}

int ports_relisten(struct ports *ports, uint16_t port)
{
    return net_listen(ports->bind_address, port, BACKLOG);
}

void ports_release(struct ports *ports, uint64_t now_ms, uint16_t port)
{
    if (port < ports->first || port - ports->first >= (int)ports->count ||
        !is_taken(ports, (uint32_t)(port - ports->first))) {
        return;
    }
    uint32_t newest = (ports->oldest + ports->resting++) % ports->count;
    ports->ring[newest] = (struct resting){now_ms + PORTS_QUARANTINE_MS, port};
}
