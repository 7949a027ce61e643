/*
 * probe: a connection to the first of a target's addresses that answers, which is closed again at
 * once. If it is not known enough about who is there (demand.h), the same connection is used to
 * look (look/look.h); and where somebody in particular has to be there, nobody else is let through.
 */
#ifndef PAMTUNNEL_GATEWAY_PROBE_H
#define PAMTUNNEL_GATEWAY_PROBE_H

#include <stdint.h>
#include <uv.h>

#include "base/net.h"
#include "base/sieve.h"
#include "gateway/demand.h"
#include "gateway/failure.h"

struct probe;

struct probe_request {
    const struct addr *addrs; /* 1 to RESOLVE_MAX; copied */
    unsigned count;
    const char *host; /* as it was asked for: for words; copied */
    uint16_t port;
    struct demand demand;
    struct sieve *lines; /* the log's, about looks */
};

/*
 * failure: NULL, if somebody answered who may be there. addr: the address that answered, NULL: none
 * did. Called once, from the loop, never from inside probe_start(); the probe is gone by then.
 */
typedef void (*probe_fn)(void *arg, const struct failure *failure, const struct addr *addr);

/* NULL when out of memory. */
struct probe *probe_start(uv_loop_t *loop, const struct probe_request *request, probe_fn fn,
                          void *arg);
/* The callback will not run. Accepts NULL. */
void probe_cancel(struct probe *probe);

#endif
