/*
 * Names to addresses. The test stands in for the system's resolver; once the
 * real one is asked, for a name that needs no network.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <netdb.h>
#include <uv.h>

#include "base/resolve.h"
#include "on_loop.h"

struct answer {
    uv_loop_t loop;
    unsigned called;
    int err;
    unsigned count;
    struct addr addrs[RESOLVE_MAX];
};

/* The look-up that is going on. */
static struct {
    bool ask_real;
    bool refuse;
    uv_getaddrinfo_t *request;
    uv_getaddrinfo_cb cb;
    char host[64];
    unsigned cancelled, freed;
} resolver;

int __real_uv_getaddrinfo(uv_loop_t *loop, uv_getaddrinfo_t *request, uv_getaddrinfo_cb cb,
                          const char *host, const char *service, const struct addrinfo *hints);
int __wrap_uv_getaddrinfo(uv_loop_t *loop, uv_getaddrinfo_t *request, uv_getaddrinfo_cb cb,
                          const char *host, const char *service, const struct addrinfo *hints);
void __real_uv_freeaddrinfo(struct addrinfo *list);
void __wrap_uv_freeaddrinfo(struct addrinfo *list);
int __wrap_uv_cancel(uv_req_t *request);

int __wrap_uv_getaddrinfo(uv_loop_t *loop, uv_getaddrinfo_t *request, uv_getaddrinfo_cb cb,
                          const char *host, const char *service, const struct addrinfo *hints)
{
    if (resolver.ask_real) {
        return __real_uv_getaddrinfo(loop, request, cb, host, service, hints);
    }
    resolver.request = request;
    resolver.cb = cb;
    snprintf(resolver.host, sizeof resolver.host, "%s", host);
    return resolver.refuse ? UV_ENOMEM : 0;
}

void __wrap_uv_freeaddrinfo(struct addrinfo *list)
{
    resolver.freed++;
    if (resolver.ask_real) {
        __real_uv_freeaddrinfo(list);
    }
}

int __wrap_uv_cancel(uv_req_t *request)
{
    assert_ptr_equal(request, resolver.request);
    resolver.cancelled++;
    return UV_EBUSY; /* too late, as when a thread is at it */
}

static void on_resolved(void *arg, int err, const struct addr *addrs, unsigned count)
{
    struct answer *answer = arg;
    answer->called++;
    answer->err = err;
    answer->count = count;
    assert_in_range(count, 0, RESOLVE_MAX);
    memcpy(answer->addrs, addrs ? addrs : answer->addrs, count * sizeof *addrs);
}

static int set_up(void **state)
{
    struct answer *answer = calloc(1, sizeof *answer);
    memset(&resolver, 0, sizeof resolver);
    *state = answer;
    return uv_loop_init(&answer->loop);
}

static int tear_down(void **state)
{
    struct answer *answer = *state;
    loop_end(&answer->loop);
    free(answer);
    return 0;
}

static struct resolve *ask(struct answer *answer, const char *host)
{
    struct resolve *resolve = resolve_start(&answer->loop, host, 22, on_resolved, answer);
    assert_int_equal(answer->called, 0); /* never from inside resolve_start() */
    return resolve;
}

/* A list as getaddrinfo(3) makes it: IPv4 addresses 10.0.0.1 and so on, one of another family. */
static void reply(int status, unsigned count)
{
    static struct addrinfo list[2 * RESOLVE_MAX];
    static struct sockaddr_in addrs[2 * RESOLVE_MAX];
    for (unsigned i = 0; i < count; i++) {
        addrs[i] = (struct sockaddr_in){.sin_family = i == 1 ? AF_UNIX : AF_INET};
        addrs[i].sin_addr.s_addr = htonl(0x0a000001 + i);
        list[i] = (struct addrinfo){.ai_addr = (struct sockaddr *)&addrs[i],
                                    .ai_next = i + 1 < count ? &list[i + 1] : NULL};
    }
    resolver.cb(resolver.request, status, count > 0 ? list : NULL);
}

static void an_address_needs_no_look_up_but_a_turn(void **state)
{
    static const char *const ADDRESSES[] = {"192.0.2.7", "2001:db8::7"};
    struct answer *answer = *state;
    for (size_t i = 0; i < 2; i++) {
        struct addr wanted;
        answer->called = 0;
        assert_non_null(ask(answer, ADDRESSES[i]));
        WAIT_FOR(&answer->loop, answer->called == 1);
        assert_int_equal(answer->err, 0);
        assert_int_equal(answer->count, 1);
        addr_parse(ADDRESSES[i], 22, &wanted);
        assert_true(addr_same_host(&answer->addrs[0], &wanted));
        assert_int_equal(addr_port(&answer->addrs[0]), 22);
    }
    assert_null(resolver.request);
}

static void a_name_is_looked_up_and_its_addresses_get_the_port(void **state)
{
    struct answer *answer = *state;
    assert_non_null(ask(answer, "HOME-PC"));
    assert_string_equal(resolver.host, "HOME-PC");
    reply(0, 3);
    assert_int_equal(answer->called, 1);
    assert_int_equal(answer->err, 0);
    assert_int_equal(answer->count, 2); /* what is no IP address is left out */
    char text[ADDR_TEXT_MAX];
    assert_string_equal(addr_text(&answer->addrs[0], text), "10.0.0.1:22");
    assert_string_equal(addr_text(&answer->addrs[1], text), "10.0.0.3:22");
    assert_int_equal(resolver.freed, 1);
}

static void too_many_addresses_are_cut(void **state)
{
    struct answer *answer = *state;
    assert_non_null(ask(answer, "HOME-PC"));
    reply(0, 2 * RESOLVE_MAX);
    assert_int_equal(answer->count, RESOLVE_MAX);
}

static void failures_are_told_apart(void **state)
{
    static const struct {
        int status, err;
    } ROWS[] = {
        {UV_EAI_NONAME, -ENOENT},
        {UV_EAI_NODATA, -ENOENT},
        {UV_EAI_AGAIN, -EAGAIN},
        {UV_EAI_FAIL, -EAGAIN},
        {UV_EAI_MEMORY, -ENOMEM},
        {UV_EAI_FAMILY, -EIO},
        {0, -ENOENT}, /* an answer without an address */
    };
    struct answer *answer = *state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        answer->called = 0;
        assert_non_null(ask(answer, "HOME-PC"));
        reply(ROWS[i].status, 0);
        assert_int_equal(answer->called, 1);
        assert_int_equal(answer->err, ROWS[i].err);
        assert_int_equal(answer->count, 0);
    }
}

static void a_cancelled_look_up_is_not_heard_of_whenever_it_comes_back(void **state)
{
    struct answer *answer = *state;
    struct resolve *resolve = ask(answer, "HOME-PC");
    resolve_cancel(resolve);
    assert_int_equal(resolver.cancelled, 1);
    reply(0, 3); /* it was past stopping */
    resolve = ask(answer, "HOME-PC");
    resolve_cancel(resolve);
    reply(UV_ECANCELED, 0);
    resolve_cancel(ask(answer, "192.0.2.7"));
    resolve_cancel(NULL);
    loop_run_for(&answer->loop, 5);
    assert_int_equal(answer->called, 0);
}

static void a_look_up_that_cannot_begin_is_none(void **state)
{
    struct answer *answer = *state;
    resolver.refuse = true;
    assert_null(ask(answer, "HOME-PC"));
}

static void the_systems_resolver_knows_localhost(void **state)
{
    struct answer *answer = *state;
    resolver.ask_real = true;
    assert_non_null(ask(answer, "localhost"));
    WAIT_FOR(&answer->loop, answer->called == 1);
    assert_int_equal(answer->err, 0);
    struct addr v4, v6;
    addr_parse("127.0.0.1", 0, &v4);
    addr_parse("::1", 0, &v6);
    for (unsigned i = 0; i < answer->count; i++) {
        assert_true(addr_same_host(&answer->addrs[i], &v4) ||
                    addr_same_host(&answer->addrs[i], &v6));
        assert_int_equal(addr_port(&answer->addrs[i]), 22);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_address_needs_no_look_up_but_a_turn),
        TEST(a_name_is_looked_up_and_its_addresses_get_the_port),
        TEST(too_many_addresses_are_cut),
        TEST(failures_are_told_apart),
        TEST(a_cancelled_look_up_is_not_heard_of_whenever_it_comes_back),
        TEST(a_look_up_that_cannot_begin_is_none),
        TEST(the_systems_resolver_knows_localhost),
    };
    return cmocka_run_group_tests_name("resolve", tests, NULL, NULL);
}
