#include "vps/admission/reverse.h"

#include <netdb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/resolve.h"

enum { CONFIRM_MS = 3000 };

/* Lives as long as one of its look-ups does. */
struct reverse_desk {
    uv_loop_t *loop;
    struct resolver *resolver;
    unsigned running;
    bool freed;
};

/* libuv's part: a look-up that has begun runs to its end, wanted or not. */
struct look_up {
    uv_getnameinfo_t request;
    struct reverse_desk *desk;
    struct reverse *reverse; /* NULL: nobody wants to know any more */
};

struct reverse {
    struct resolver *resolver; /* the desk's; not used any more when that is gone */
    struct addr addr;
    struct look_up *look_up;
    struct resolve *resolve; /* the name's own addresses */
    reverse_fn fn;
    void *arg;
    char name[REVERSE_NAME_SIZE];
};

struct reverse_desk *reverse_desk_new(uv_loop_t *loop)
{
    struct reverse_desk *desk = calloc(1, sizeof *desk);
    if (!desk) {
        return NULL;
    }
    desk->loop = loop;
    desk->resolver = resolver_new(loop, REVERSE_AT_ONCE);
    if (!desk->resolver) {
        free(desk);
        return NULL;
    }
    return desk;
}

void reverse_desk_free(struct reverse_desk *desk)
{
    if (desk) {
        resolver_free(desk->resolver);
        desk->freed = true;
        if (desk->running == 0) {
            free(desk);
        }
    }
}

static void look_up_free(struct look_up *look_up)
{
    struct reverse_desk *desk = look_up->desk;
    free(look_up);
    if (--desk->running == 0 && desk->freed) {
        free(desk);
    }
}

static void on_addresses(void *arg, int err, const struct addr *addrs, unsigned count)
{
    struct reverse *reverse = arg;
    reverse->resolve = NULL;
    /* Whoever owns an address writes its reverse record: without this it could say "your-pc". */
    bool confirmed = false;
    for (unsigned i = 0; err == 0 && i < count; i++) {
        confirmed = confirmed || addr_same_host(&addrs[i], &reverse->addr);
    }
    if (confirmed) {
        reverse->fn(reverse->arg, reverse->name);
    }
}

static bool is_a_name(const char *name)
{
    static const char LETTERS[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789._-";
    /* It goes to a chat: no character that means anything there, and no address as a name. */
    size_t len = strlen(name);
    struct addr addr;
    return len > 0 && len < REVERSE_NAME_SIZE && strspn(name, LETTERS) == len &&
           addr_parse(name, 0, &addr) < 0;
}

static void on_name(uv_getnameinfo_t *request, int status, const char *name, const char *service)
{
    struct look_up *look_up = request->data;
    struct reverse *reverse = look_up->reverse;
    (void)service;
    if (reverse) {
        reverse->look_up = NULL;
        if (status == 0 && is_a_name(name)) {
            strcpy(reverse->name, name);
            reverse->resolve = resolve_start(reverse->resolver, name, 0, CONFIRM_MS, on_addresses,
                                             reverse);
        }
    }
    look_up_free(look_up);
}

struct reverse *reverse_start(struct reverse_desk *desk, const struct addr *addr, reverse_fn fn,
                              void *arg)
{
    /* A name is decoration: rather none than a crowd that fills libuv's pool. */
    if (desk->running >= REVERSE_AT_ONCE || !addr_is_public(addr)) {
        return NULL;
    }
    struct reverse *reverse = malloc(sizeof *reverse);
    struct look_up *look_up = malloc(sizeof *look_up);
    if (!reverse || !look_up) {
        free(reverse);
        free(look_up);
        return NULL;
    }
    *reverse = (struct reverse){
        .resolver = desk->resolver, .addr = *addr, .look_up = look_up, .fn = fn, .arg = arg};
    *look_up = (struct look_up){.desk = desk, .reverse = reverse, .request.data = look_up};
    desk->running++;
    if (uv_getnameinfo(desk->loop, &look_up->request, on_name, &addr->sa, NI_NAMEREQD) < 0) {
        look_up_free(look_up);
        free(reverse);
        return NULL;
    }
    return reverse;
}

void reverse_free(struct reverse *reverse)
{
    if (!reverse) {
        return;
    }
    /* libuv may have begun it: then it ends by itself, and finds nobody. */
    if (reverse->look_up) {
        reverse->look_up->reverse = NULL;
        uv_cancel((uv_req_t *)&reverse->look_up->request);
    }
    resolve_cancel(reverse->resolve);
    free(reverse);
}
