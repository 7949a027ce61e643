/*
 * getaddrinfo(3) blocks and cannot be stopped, so each look-up has a thread of its own, and libuv's
 * pool of four is left alone: a few dead name servers would block file work and each other.
 *
 *     started --answer--> told --> freed          (the thread ends first)
 *     started --time-out--> told ... thread ends --> freed
 *     started --cancel-->  ... thread ends --> freed
 *
 * While the thread runs, it alone writes err, count and addrs; the loop reads them after
 * uv_async_send(). A look-up that nobody waits for keeps its memory, its thread and its place
 * among resolver.most until it ends by itself. A resolver that is freed before that lives on,
 * ownerless, until the last of them is done.
 *
 * Re-entrancy: the callback runs once, with fn cleared before it, so it may start another
 * look-up or cancel any other one. It must not cancel its own: the header calls it gone.
 */
#include "base/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>

#include "base/host.h"
#include "base/text.h"
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
    resolve_fn fn;       /* NULL: nobody waits any more */
    void *arg;

    /* The look-up. Its thread writes the answer, and nobody reads that before `done`. */
    bool looking;
    uv_thread_t thread;
    uv_async_t done;
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

static void look_up(void *arg)
{
    struct resolve *resolve = arg;
    /* One entry per address; families that this machine cannot reach sort last anyway. */
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list = NULL;
    int status = getaddrinfo(resolve->host, NULL, &hints, &list);
    if (status == 0) {
        resolve->count = collect(list, resolve->port, resolve->addrs);
        resolve->err = resolve->count > 0 ? 0 : -ENOENT;
        freeaddrinfo(list);
    } else {
        resolve->err = resolver_error(status);
    }
    /* From here on the loop may join the thread and free all of this. */
    uv_async_send(&resolve->done);
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

/* Tells the one who asked, once. */
static void answer(struct resolve *resolve, int err, const struct addr *addrs, unsigned count)
{
    resolve_fn fn = resolve->fn;
    resolve->fn = NULL;
    timer_free(resolve->timer);
    resolve->timer = NULL;
    if (fn && err < 0) {
        fn(resolve->arg, err, NULL, 0);
    } else if (fn) {
        fn(resolve->arg, 0, addrs, count);
    }
}

static void on_done(uv_async_t *done)
{
    struct resolve *resolve = done->data;
    uv_thread_join(&resolve->thread); /* it has nothing left to do */
    count_down(resolve->resolver);
    answer(resolve, resolve->err, resolve->addrs, resolve->count);
    uv_close((uv_handle_t *)done, on_closed);
}

/* The look-up itself cannot be stopped; it goes on, but nobody waits for it. */
static void on_time_over(void *arg)
{
    answer(arg, -EAGAIN, NULL, 0);
}

static void on_known(void *arg)
{
    struct resolve *resolve = arg;
    struct resolve known = *resolve;
    resolve_cancel(resolve);
    known.timer = NULL;
    answer(&known, known.err, known.addrs, known.count);
}

/* ---- starting -------------------------------------------------------------- */

static int start_thread(struct resolve *resolve)
{
    struct resolver *resolver = resolve->resolver;
    uv_thread_options_t options = {.flags = UV_THREAD_HAS_STACK_SIZE, .stack_size = STACK_SIZE};
    if (uv_async_init(resolver->loop, &resolve->done, on_done) < 0) {
        return -ENOMEM;
    }
    resolve->done.data = resolve;
    resolver->running++;
    resolve->looking = true;
    if (uv_thread_create_ex(&resolve->thread, &options, look_up, resolve) < 0) {
        resolver->running--;
        resolve->fn = NULL;
        timer_free(resolve->timer);
        uv_close((uv_handle_t *)&resolve->done, on_closed);
        return -EAGAIN;
    }
    return 0;
}

static int start(struct resolve *resolve, uint64_t timeout_ms)
{
    struct resolver *resolver = resolve->resolver;
    bool literal = addr_parse(resolve->host, resolve->port, &resolve->addrs[0]) == 0;
    /* An address needs no thread, so it is answered even when all of them are busy. */
    bool busy = !literal && resolver->running >= resolver->most;
    resolve->count = literal ? 1 : 0;
    resolve->err = busy ? -EBUSY : 0;
    resolve->timer = timer_new(resolver->loop, literal || busy ? on_known : on_time_over, resolve);
    if (!resolve->timer) {
        free(resolve);
        return -ENOMEM;
    }
    timer_set(resolve->timer, literal || busy ? 0 : timeout_ms);
    return literal || busy ? 0 : start_thread(resolve);
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
    return start(resolve, timeout_ms) < 0 ? NULL : resolve;
}

void resolve_cancel(struct resolve *resolve)
{
    if (!resolve) {
        return;
    }
    resolve->fn = NULL;
    timer_free(resolve->timer);
    resolve->timer = NULL;
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
