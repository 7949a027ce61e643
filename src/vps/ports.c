#include "vps/ports.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "base/net.h"

enum { BACKLOG = 64, RANDOM_TRIES = 32 };

static const uint64_t IN_USE = UINT64_MAX;

struct ports {
    char bind_address[ADDR_HOST_MAX];
    uint16_t first;
    uint32_t count;
    uint64_t free_at[]; /* ms; IN_USE while a session has it */
};

int ports_new(const char *bind_address, uint16_t first, uint16_t last, struct ports **ret_ports)
{
    uint32_t count = (uint32_t)last - first + 1;
    struct ports *ports = calloc(1, sizeof *ports + count * sizeof ports->free_at[0]);
    if (!ports) {
        return -ENOMEM;
    }
    snprintf(ports->bind_address, sizeof ports->bind_address, "%s", bind_address);
    ports->first = first;
    ports->count = count;
    *ret_ports = ports;
    return 0;
}

void ports_free(struct ports *ports)
{
    free(ports);
}

static int try_port(struct ports *ports, uint64_t now_ms, uint32_t index, uint16_t *ret_port)
{
    if (ports->free_at[index] > now_ms) {
        return -EADDRINUSE;
    }
    uint16_t port = (uint16_t)(ports->first + index);
    int fd = net_listen(ports->bind_address, port, BACKLOG);
    if (fd >= 0) {
        ports->free_at[index] = IN_USE;
        *ret_port = port;
    }
    return fd;
}

int ports_listen(struct ports *ports, uint64_t now_ms, uint16_t *ret_port)
{
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
        int fd = try_port(ports, now_ms, index, ret_port);
        if (fd != -EADDRINUSE && fd != -EACCES) {
            return fd;
        }
    }
    return -EADDRINUSE;
}

void ports_release(struct ports *ports, uint64_t now_ms, uint16_t port)
{
    if (port >= ports->first && port - ports->first < (int)ports->count) {
        ports->free_at[port - ports->first] = now_ms + PORTS_QUARANTINE_MS;
    }
}
