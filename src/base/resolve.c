#include "base/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>

#include "base/timer.h"

struct resolve {
    uv_getaddrinfo_t request;
    struct timer *literal_timer; /* an address needs no look-up, just the next turn of the loop */
    struct addr literal;
    uint16_t port;
    resolve_fn fn; /* NULL: cancelled */
    void *arg;
};

static int resolver_error(int status)
{
    switch (status) {
    case UV_EAI_NONAME:
    case UV_EAI_NODATA:
        return -ENOENT;
    case UV_EAI_AGAIN:
    case UV_EAI_FAIL:
        return -EAGAIN;
    case UV_EAI_MEMORY:
        return -ENOMEM;
    default:
        return -EIO;
    }
}

static unsigned collect(const struct addrinfo *list, uint16_t port, struct addr addrs[RESOLVE_MAX])
{
    unsigned count = 0;
    for (const struct addrinfo *info = list; info && count < RESOLVE_MAX; info = info->ai_next) {
        if (addr_from(info->ai_addr, &addrs[count]) == 0) {
            addr_set_port(&addrs[count++], port);
        }
    }
    return count;
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct resolve *resolve = request->data;
    struct addr addrs[RESOLVE_MAX];
    unsigned count = status == 0 ? collect(list, resolve->port, addrs) : 0;
    uv_freeaddrinfo(list);

    resolve_fn fn = resolve->fn;
    void *arg = resolve->arg;
    free(resolve);
    if (fn && count > 0) {
        fn(arg, 0, addrs, count);
    } else if (fn) {
        fn(arg, status == 0 ? -ENOENT : resolver_error(status), NULL, 0);
    }
}

static void on_literal(void *arg)
{
    struct resolve *resolve = arg;
    struct addr addr = resolve->literal;
    resolve_fn fn = resolve->fn;
    void *fn_arg = resolve->arg;
    resolve_cancel(resolve);
    fn(fn_arg, 0, &addr, 1);
}

static int start_literal(uv_loop_t *loop, struct resolve *resolve)
{
    resolve->literal_timer = timer_new(loop, on_literal, resolve);
    if (!resolve->literal_timer) {
        return -ENOMEM;
    }
    timer_set(resolve->literal_timer, 0);
    return 0;
}

static int start_look_up(uv_loop_t *loop, struct resolve *resolve, const char *host)
{
    resolve->request.data = resolve;
    /* One entry per address; families that this machine cannot reach sort last anyway. */
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    return uv_getaddrinfo(loop, &resolve->request, on_resolved, host, NULL, &hints);
}

struct resolve *resolve_start(uv_loop_t *loop, const char *host, uint16_t port, resolve_fn fn,
                              void *arg)
{
    struct resolve *resolve = malloc(sizeof *resolve);
    if (!resolve) {
        return NULL;
    }
    *resolve = (struct resolve){.port = port, .fn = fn, .arg = arg};
    bool literal = addr_parse(host, port, &resolve->literal) == 0;
    if ((literal ? start_literal(loop, resolve) : start_look_up(loop, resolve, host)) < 0) {
        free(resolve);
        return NULL;
    }
    return resolve;
}

void resolve_cancel(struct resolve *resolve)
{
    if (!resolve) {
        return;
    }
    if (resolve->literal_timer) {
        timer_free(resolve->literal_timer);
        free(resolve);
        return;
    }
    resolve->fn = NULL; /* the look-up itself may be past stopping; it frees itself */
    uv_cancel((uv_req_t *)&resolve->request);
}
