/* dialling --no proxy--> done, or --proxy--> the passage through it --> done */
#include "gateway/approach.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/dial.h"
#include "base/passage.h"

struct approach {
    uv_loop_t *loop;
    approach_fn fn;
    void *arg;
    struct dial *dial;
    struct passage *passage;
    struct addr reached;
    uint64_t timeout_ms;
    uint16_t port;
    char host[HOST_MAX + 1];
    struct proxy proxy; /* without a host: none */
};

static bool has_proxy(const struct approach_way *way)
{
    return way->proxy && way->proxy->host[0];
}

const char *approach_host(const struct approach_way *way)
{
    return has_proxy(way) ? way->proxy->host : way->host;
}

uint16_t approach_port(const struct approach_way *way, uint16_t port)
{
    return has_proxy(way) ? way->proxy->port : port;
}

static void approach_free(struct approach *approach)
{
    dial_cancel(approach->dial);
    passage_cancel(approach->passage);
    crypto_wipe(&approach->proxy, sizeof approach->proxy);
    free(approach);
}

/* It is gone before the callback, which may start another one. */
static void finish(struct approach *approach, int fd, const struct why *why)
{
    approach_fn fn = approach->fn;
    void *arg = approach->arg;
    struct addr reached = approach->reached;
    approach_free(approach);
    fn(arg, fd, fd < 0 ? NULL : &reached, why);
}

static void on_passed(void *arg, int fd, const struct why *why)
{
    struct approach *approach = arg;
    approach->passage = NULL;
    finish(approach, fd, why);
}

static void no_proxy_there(struct approach *approach, int err)
{
    char where[TARGET_TEXT_MAX];
    struct why why;
    target_format(approach->proxy.host, approach->proxy.port, where);
    why_set(&why, err, "the proxy %.100s (%s) cannot be reached: %s", where,
            approach->proxy.variable, strerror(-err));
    finish(approach, err, &why);
}

static void on_dialled(void *arg, int fd, const struct addr *addr)
{
    struct approach *approach = arg;
    struct why why = {""};
    approach->dial = NULL;
    if (fd >= 0) {
        approach->reached = *addr;
    }
    if (!approach->proxy.host[0]) {
        finish(approach, fd, &why);
        return;
    }
    if (fd < 0) {
        no_proxy_there(approach, fd);
        return;
    }
    approach->passage = passage_start(approach->loop, fd, &approach->proxy, approach->host,
                                      approach->port, approach->timeout_ms, on_passed, approach);
    if (!approach->passage) {
        close(fd);
        finish(approach, -ENOMEM, &why);
    }
}

struct approach *approach_start(uv_loop_t *loop, const struct approach_request *request,
                                approach_fn fn, void *arg)
{
    struct approach *approach = calloc(1, sizeof *approach);
    if (!approach) {
        return NULL;
    }
    *approach = (struct approach){
        .loop = loop,
        .fn = fn,
        .arg = arg,
        .timeout_ms = request->timeout_ms,
        .port = request->port,
    };
    if (has_proxy(&request->way)) {
        approach->proxy = *request->way.proxy;
        snprintf(approach->host, sizeof approach->host, "%s", request->way.host);
    }
    bool multipath = request->way.multipath && !has_proxy(&request->way);
    approach->dial = dial_start(loop, request->addrs, request->count, request->timeout_ms,
                                multipath ? DIAL_MULTIPATH : DIAL_PLAIN, on_dialled, approach);
    if (!approach->dial) {
        approach_free(approach);
        return NULL;
    }
    return approach;
}

void approach_cancel(struct approach *approach)
{
    if (approach) {
        approach_free(approach);
    }
}
