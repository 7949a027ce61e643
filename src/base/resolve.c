/*
 * A look-up goes on in its thread until the C library gives up: getaddrinfo(3) cannot be stopped.
 * So a resolve whose owner cancelled it, or was told that the time is over, stays behind the scene,
 * counts as running, and frees itself on the loop when its thread is done. Its owner may start and
 * cancel others, and free the resolver, from inside the callback.
 *
 * Threads of its own, since libuv lets slow work have half of its four: a few names whose servers
 * do not answer would hold up all others.
 */
#include "base/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/host.h"
#include "base/text.h"
#include "base/thread.h"
#include "base/timer.h"

/* More than the C libraries' resolvers and their plugins take; the default may be 8 MiB. */
enum { STACK_SIZE = 512 * 1024 };

struct resolver {
    uv_loop_t *loop;
    unsigned most, running;
    bool ownerless;
};

struct resolve {
    struct resolver *resolver;
    struct timer *timer; /* of the time-out; without a look-up, of the answer */
    /* One of them is set; both NULL: nobody waits any more. */
    resolve_fn fn;
    resolve_name_fn name_fn;
    void *arg;

    /* The look-up. Its thread writes the answer, and nobody reads that before `done`. */
    bool looking;
    pthread_t thread;
    uv_async_t done;
    bool backwards; /* from `of` to `host`, and from there to the addresses, to confirm it */
    struct addr of;
    char host[HOST_MAX + 1];
    uint16_t port;
    int err;
    unsigned count;
    struct addr addrs[RESOLVE_MAX];
};

/* ---- the thread ------------------------------------------------------------ */

static int resolver_error(int status)
{
    switch (status) {
    case EAI_NONAME:
#ifdef EAI_NODATA
    case EAI_NODATA:
#endif
        return -ENOENT;
    case EAI_AGAIN:
    case EAI_FAIL:
        return -EAGAIN;
    case EAI_MEMORY:
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

static int look_addresses_up(struct resolve *resolve)
{
    /* One entry per address; families that this machine cannot reach sort last anyway. */
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list = NULL;
    int status = getaddrinfo(resolve->host, NULL, &hints, &list);
    if (status != 0) {
        return resolver_error(status);
    }
    resolve->count = collect(list, resolve->port, resolve->addrs);
    freeaddrinfo(list);
    return resolve->count > 0 ? 0 : -ENOENT;
}

/* Any text may stand in a reverse zone. */
static int look_name_up(struct resolve *resolve)
{
    int status = getnameinfo(&resolve->of.sa, addr_len(&resolve->of), resolve->host,
                             RESOLVE_NAME_SIZE, NULL, 0, NI_NAMEREQD);
    return status != 0                             ? resolver_error(status)
           : host_kind(resolve->host) == HOST_NAME ? 0
                                                   : -ENOENT;
}

static void *look_up(void *arg)
{
    struct resolve *resolve = arg;
    int err = resolve->backwards ? look_name_up(resolve) : 0;
    resolve->err = err < 0 ? err : look_addresses_up(resolve);
    uv_async_send(&resolve->done);
    return NULL;
}

/* ---- the loop -------------------------------------------------------------- */

static void count_down(struct resolver *resolver)
{
    resolver->running--;
    if (resolver->ownerless && resolver->running == 0) {
        free(resolver);
    }
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static bool leads_back(const struct resolve *resolve)
{
    unsigned i = 0;
    while (i < resolve->count && !addr_same_host(&resolve->addrs[i], &resolve->of)) {
        i++;
    }
    return i < resolve->count;
}

/* From now on nobody waits for it. */
static void let_go(struct resolve *resolve)
{
    resolve->fn = NULL;
    resolve->name_fn = NULL;
    timer_free(resolve->timer);
    resolve->timer = NULL;
}

/* Tells the one who asked, once. */
static void answer(struct resolve *resolve, int err)
{
    resolve_fn fn = resolve->fn;
    resolve_name_fn name_fn = resolve->name_fn;
    let_go(resolve);
    if (fn) {
        fn(resolve->arg, err, err < 0 ? NULL : resolve->addrs, err < 0 ? 0 : resolve->count);
    } else if (name_fn) {
        name_fn(resolve->arg, err == 0 && leads_back(resolve) ? resolve->host : NULL);
    }
}

static void on_done(uv_async_t *done)
{
    struct resolve *resolve = done->data;
    pthread_join(resolve->thread, NULL); /* it has nothing left to do */
    count_down(resolve->resolver);
    answer(resolve, resolve->err);
    uv_close((uv_handle_t *)done, on_closed);
}

/* The look-up itself cannot be stopped; it goes on, but nobody waits for it. */
static void on_time_over(void *arg)
{
    answer(arg, -EAGAIN);
}

static void on_known(void *arg)
{
    struct resolve *resolve = arg;
    answer(resolve, resolve->err);
    free(resolve);
}

/* ---- starting -------------------------------------------------------------- */

static int start_thread(struct resolve *resolve)
{
    struct resolver *resolver = resolve->resolver;
    if (uv_async_init(resolver->loop, &resolve->done, on_done) < 0) {
        let_go(resolve);
        free(resolve);
        return -ENOMEM;
    }
    resolve->done.data = resolve;
    resolver->running++;
    resolve->looking = true;
    if (thread_start(&resolve->thread, STACK_SIZE, look_up, resolve) < 0) {
        resolver->running--;
        let_go(resolve);
        uv_close((uv_handle_t *)&resolve->done, on_closed);
        return -EAGAIN;
    }
    return 0;
}

/* known: what is asked for needs no look-up. */
static struct resolve *start(struct resolve *resolve, bool known, uint64_t timeout_ms)
{
    struct resolver *resolver = resolve->resolver;
    if (!known && resolver->running >= resolver->most) {
        resolve->err = -EBUSY;
        known = true;
    }
    resolve->timer = timer_new(resolver->loop, known ? on_known : on_time_over, resolve);
    if (!resolve->timer) {
        free(resolve);
        return NULL;
    }
    timer_set(resolve->timer, known ? 0 : timeout_ms);
    return known || start_thread(resolve) == 0 ? resolve : NULL;
}

struct resolve *resolve_start(struct resolver *resolver, const char *host, uint16_t port,
                              uint64_t timeout_ms, resolve_fn fn, void *arg)
{
    struct resolve *resolve = calloc(1, sizeof *resolve);
    if (!resolve) {
        return NULL;
    }
    resolve->resolver = resolver;
    resolve->port = port;
    resolve->fn = fn;
    resolve->arg = arg;
    struct text text = text_over(resolve->host, sizeof resolve->host);
    text_add(&text, "%s", host);
    resolve->count = addr_parse(resolve->host, port, &resolve->addrs[0]) == 0;
    return start(resolve, resolve->count > 0, timeout_ms);
}

struct resolve *resolve_name_start(struct resolver *resolver, const struct addr *addr,
                                   uint64_t timeout_ms, resolve_name_fn fn, void *arg)
{
    struct resolve *resolve = calloc(1, sizeof *resolve);
    if (!resolve) {
        return NULL;
    }
    resolve->resolver = resolver;
    resolve->backwards = true;
    resolve->of = *addr;
    resolve->name_fn = fn;
    resolve->arg = arg;
    return start(resolve, !addr_is_public(addr), timeout_ms);
}

void resolve_cancel(struct resolve *resolve)
{
    if (!resolve) {
        return;
    }
    let_go(resolve);
    if (!resolve->looking) {
        free(resolve); /* else it frees itself when the thread is done */
    }
}

struct resolver *resolver_new(uv_loop_t *loop, unsigned most)
{
    struct resolver *resolver = calloc(1, sizeof *resolver);
    if (resolver) {
        *resolver = (struct resolver){.loop = loop, .most = most};
    }
    return resolver;
}

void resolver_free(struct resolver *resolver)
{
    if (!resolver) {
        return;
    }
    resolver->ownerless = true;
    if (resolver->running == 0) {
        free(resolver);
    }
}
