/*
 * monitor: what programs that watch an agent ask it over HTTP, on this machine (METRICS_LISTEN):
 *
 *     GET /metrics    numbers, as base/metrics.h writes them
 *     GET /healthz    200 and "ok", or 503 and what is wrong, a line each
 *
 * Anything else is 404. Callers are bounded as base/lines.h says; each is answered once and hung
 * up on. What is served holds neither a secret nor who uses it: anybody on the machine may ask at
 * a port.
 */
#ifndef PAMTUNNEL_SHARED_MONITOR_H
#define PAMTUNNEL_SHARED_MONITOR_H

#include <uv.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "base/usage.h"

struct monitor;

/* What is opened before the sandbox closes. */
struct monitor_place {
    int socket; /* -1: nobody is served */
    struct usage usage;
};

struct monitor_subject {
    const char *program; /* "vps-agent"; a constant */
    /* Adds the program's own families. */
    void (*measure)(void *arg, struct metrics *metrics);
    /* Adds what is wrong, each a line with a newline; nothing if all is well. */
    void (*complain)(void *arg, struct text *text);
    void *arg;
};

/*
 * address: as base/local_address.h takes it; "": nobody is to be served. What cannot be had is a
 * line in the log: an agent is not there to be watched.
 */
struct monitor_place monitor_open(const char *address, const struct log *log);
/* Serves there, and takes the place over. NULL when out of memory: it stays the caller's. */
struct monitor *monitor_new(uv_loop_t *loop, struct monitor_place *place,
                            const struct monitor_subject *subject);
/* Accepts NULL. */
void monitor_free(struct monitor *monitor);
/* Of a place that no monitor has taken over; otherwise nothing happens. */
void monitor_close(struct monitor_place *place);

#endif
