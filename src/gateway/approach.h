/*
 * approach: a TCP connection to the VPS, straight or through a proxy (VPS_PROXY). With a proxy
 * nothing else is tried: what it refuses has failed.
 */
#ifndef PAMTUNNEL_GATEWAY_APPROACH_H
#define PAMTUNNEL_GATEWAY_APPROACH_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/net.h"
#include "base/proxy.h"
#include "base/why.h"

struct approach;

/* Where it leads, and over what. */
struct approach_way {
    const char *host;          /* VPS_HOST */
    const struct proxy *proxy; /* NULL, or without a host: none */
    bool multipath;            /* MULTIPATH; a proxy has one path */
};

/* The host and the port whose addresses are to be dialled: the proxy's if there is one. */
const char *approach_host(const struct approach_way *way);
uint16_t approach_port(const struct approach_way *way, uint16_t port);

struct approach_request {
    struct approach_way way;
    uint16_t port;            /* of the VPS */
    const struct addr *addrs; /* of approach_host() and approach_port(); copied */
    unsigned count;
    uint64_t timeout_ms; /* for the dial, and once more for the proxy's answer */
};

/*
 * As dial_fn. If fd is -errno why has a sentence about the proxy, or is empty: the VPS itself was
 * dialled. addr is the one that has answered: the proxy's, if there is one.
 */
typedef void (*approach_fn)(void *arg, int fd, const struct addr *addr, const struct why *why);

/* NULL when out of memory. Called back once, from the loop; it is gone by then. */
struct approach *approach_start(uv_loop_t *loop, const struct approach_request *request,
                                approach_fn fn, void *arg);
/* The callback will not run. Accepts NULL. */
void approach_cancel(struct approach *approach);

#endif
