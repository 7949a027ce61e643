/*
 * look-up -> approach -> channel, each of which begins in the callback of the one before it.
 *
 * vps_call_end() only notes the end. What is still under way then is freed, and the loop run dry,
 * by vps_call_free(): so no callback frees what has called it.
 */
#include "gateway/setup/vps_call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/host.h"
#include "base/resolve.h"
#include "gateway/approach.h"

enum { RESOLVE_MS = 10000, DIAL_MS = 8000 };

struct vps_call {
    struct vps_call_request request;
    uv_loop_t loop;
    struct tls_config *tls;
    struct resolver *resolver;
    struct resolve *resolve;
    struct approach *approach;
    struct channel *channel;
    struct addr address;
    char where[TARGET_TEXT_MAX];
    bool done;
    int err;
};

void vps_call_end(struct vps_call *call, int err)
{
    call->err = err;
    call->done = true;
}

static struct approach_way way_of(const struct vps_call *call)
{
    return (struct approach_way){.host = call->request.host, .proxy = call->request.proxy};
}

/* ---- what goes wrong on the way ------------------------------------------- */

static void no_name(struct vps_call *call, int err)
{
    const char *clause = err == -ENOENT   ? "no such name; is it spelled right?"
                         : err == -EAGAIN ? "no name server answers; is this machine online?"
                                          : strerror(-err);
    const struct approach_way way = way_of(call);
    vps_call_end(call, why_set(call->request.why, -ENOENT, "cannot look up %s: %s",
                               approach_host(&way), clause));
}

static void no_connection(struct vps_call *call, int err, const struct why *why)
{
    if (why->text[0]) {
        vps_call_end(call, why_set(call->request.why, -EHOSTUNREACH, "cannot reach %.80s: %s",
                                   call->where, why->text));
        return;
    }
    const char *advice = err == -ECONNREFUSED
                             ? "the server is there, but no vps-agent is listening on that port: "
                               "is it running, and is the port right?"
                         : err == -ETIMEDOUT ? "no answer: allow that TCP port in through the "
                                               "server's firewall, and out through this network's"
                                             : "is this machine online, and is the address right?";
    vps_call_end(call, why_set(call->request.why, -EHOSTUNREACH, "cannot reach %s (%s); %s",
                               call->where, strerror(-err), advice));
}

/* ---- the way -------------------------------------------------------------- */

static void on_approached(void *arg, int fd, const struct addr *addr, const struct why *why)
{
    struct vps_call *call = arg;
    const struct vps_call_request *request = &call->request;
    const struct channel_options options = {.self = SENDER_GATEWAY,
                                            .keepalive_secs = request->keepalive_secs,
                                            .program = "gateway-agent " PAMTUNNEL_VERSION,
                                            .look = request->look,
                                            .pair = !request->key,
                                            .events = request->events,
                                            .arg = request->arg};
    call->approach = NULL;
    if (fd < 0) {
        no_connection(call, fd, why);
        return;
    }
    call->address = *addr;
    int err = channel_new(&call->loop, call->tls, fd, &options, &call->channel);
    if (err < 0) {
        close(fd);
        vps_call_end(call, why_set(request->why, err, "%s", strerror(-err)));
    }
}

/*
 * --doctor tries each family by itself: otherwise the one that works would hide that the other does
 * not.
 */
static unsigned choose(int family, const struct addr *addrs, unsigned count,
                       struct addr *ret_chosen)
{
    unsigned n = 0;
    for (unsigned i = 0; i < count; i++) {
        if (family == AF_UNSPEC || addrs[i].sa.sa_family == family) {
            ret_chosen[n++] = addrs[i];
        }
    }
    return n;
}

static void on_resolved(void *arg, int err, const struct addr *addrs, unsigned count)
{
    struct vps_call *call = arg;
    struct addr chosen[RESOLVE_MAX];
    call->resolve = NULL;
    unsigned n = err < 0 ? 0 : choose(call->request.family, addrs, count, chosen);
    if (n == 0) {
        no_name(call, err < 0 ? err : -ENOENT);
        return;
    }
    const struct approach_request approach = {.way = way_of(call),
                                              .port = call->request.port,
                                              .addrs = chosen,
                                              .count = n,
                                              .timeout_ms = DIAL_MS};
    call->approach = approach_start(&call->loop, &approach, on_approached, call);
    if (!call->approach) {
        vps_call_end(call, why_set(call->request.why, -ENOMEM, "out of memory"));
    }
}

/* ---- life ----------------------------------------------------------------- */

static int begin(struct vps_call *call)
{
    const struct vps_call_request *request = &call->request;
    int err = tls_config_client(request->key ? request->gateway : TLS_STRANGER,
                                request->key ? request->key : TLS_STRANGER_KEY, &call->tls);
    if (err < 0) {
        return err;
    }
    call->resolver = resolver_new(&call->loop, 1);
    const struct approach_way way = way_of(call);
    call->resolve = call->resolver ? resolve_start(call->resolver, approach_host(&way),
                                                   approach_port(&way, request->port), RESOLVE_MS,
                                                   on_resolved, call)
                                   : NULL;
    return call->resolve ? 0 : -ENOMEM;
}

int vps_call_new(const struct vps_call_request *request, struct vps_call **ret_call)
{
    struct vps_call *call = calloc(1, sizeof *call);
    int err = call ? uv_loop_init(&call->loop) : -ENOMEM;
    if (err < 0) {
        free(call);
        return err;
    }
    call->request = *request;
    target_format(request->host, request->port, call->where);
    err = begin(call);
    if (err < 0) {
        vps_call_free(call);
        return err;
    }
    *ret_call = call;
    return 0;
}

int vps_call_wait(struct vps_call *call)
{
    while (!call->done) {
        uv_run(&call->loop, UV_RUN_ONCE);
    }
    return call->err;
}

void vps_call_free(struct vps_call *call)
{
    if (!call) {
        return;
    }
    channel_free(call->channel);
    approach_cancel(call->approach);
    resolve_cancel(call->resolve);
    resolver_free(call->resolver);
    uv_run(&call->loop, UV_RUN_DEFAULT);
    tls_config_free(call->tls);
    uv_loop_close(&call->loop);
    free(call);
}

uv_loop_t *vps_call_loop(struct vps_call *call)
{
    return &call->loop;
}

struct channel *vps_call_channel(const struct vps_call *call)
{
    return call->channel;
}

const char *vps_call_where(const struct vps_call *call)
{
    return call->where;
}

const struct addr *vps_call_address(const struct vps_call *call)
{
    return &call->address;
}
