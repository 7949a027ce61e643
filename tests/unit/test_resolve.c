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
#include "base/thread.h"
#include "on_loop.h"

enum { MOST = 3, TIMEOUT_MS = 60000 };

struct answer {
    uv_loop_t loop;
    struct resolver *resolver;
    unsigned called;
    int err;
    unsigned count;
    struct addr addrs[RESOLVE_MAX];
    char name[RESOLVE_NAME_SIZE];
};

/* Look-ups wait in their threads until the test replies. */
static struct {
    bool ask_real;
    bool refuse;
    uv_mutex_t lock;
    uv_cond_t changed;
    unsigned begun, to_answer, freed;
    int status;
    struct addrinfo *list;
    char host[64];
    const char *reverse;
} system_resolver;

int __real_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret_list);
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret_list);
void __real_freeaddrinfo(struct addrinfo *list);
void __wrap_freeaddrinfo(struct addrinfo *list);
int __wrap_getnameinfo(const struct sockaddr *addr, socklen_t len, char *host, socklen_t host_size,
                       char *service, socklen_t service_size, int flags);
int __real_thread_start(pthread_t *ret_thread, size_t stack_size, void *(*fn)(void *), void *arg);
int __wrap_thread_start(pthread_t *ret_thread, size_t stack_size, void *(*fn)(void *), void *arg);

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret_list)
{
    if (system_resolver.ask_real) {
        return __real_getaddrinfo(host, service, hints, ret_list);
    }
    uv_mutex_lock(&system_resolver.lock);
    snprintf(system_resolver.host, sizeof system_resolver.host, "%s", host);
    system_resolver.begun++;
    uv_cond_broadcast(&system_resolver.changed);
    while (system_resolver.to_answer == 0) {
        uv_cond_wait(&system_resolver.changed, &system_resolver.lock);
    }
    system_resolver.to_answer--;
    int status = system_resolver.status;
    *ret_list = system_resolver.list;
    uv_mutex_unlock(&system_resolver.lock);
    return status;
}

void __wrap_freeaddrinfo(struct addrinfo *list)
{
    if (system_resolver.ask_real) {
        __real_freeaddrinfo(list);
        return;
    }
    uv_mutex_lock(&system_resolver.lock);
    system_resolver.freed++;
    uv_mutex_unlock(&system_resolver.lock);
}

/* The reverse zone. Of one that is asked for addresses afterwards, the test gives these. */
int __wrap_getnameinfo(const struct sockaddr *addr, socklen_t len, char *host, socklen_t host_size,
                       char *service, socklen_t service_size, int flags)
{
    (void)addr, (void)len, (void)service, (void)service_size;
    assert_int_equal(flags, NI_NAMEREQD);
    if (!system_resolver.reverse) {
        return EAI_NONAME;
    }
    return (size_t)snprintf(host, host_size, "%s", system_resolver.reverse) < host_size
               ? 0
               : EAI_OVERFLOW;
}

int __wrap_thread_start(pthread_t *ret_thread, size_t stack_size, void *(*fn)(void *), void *arg)
{
    return system_resolver.refuse ? -EAGAIN : __real_thread_start(ret_thread, stack_size, fn, arg);
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
    memset(&system_resolver, 0, sizeof system_resolver);
    uv_mutex_init(&system_resolver.lock);
    uv_cond_init(&system_resolver.changed);
    *state = answer;
    int err = uv_loop_init(&answer->loop);
    answer->resolver = resolver_new(&answer->loop, MOST);
    return err;
}

static int tear_down(void **state)
{
    struct answer *answer = *state;
    resolver_free(answer->resolver);
    loop_end(&answer->loop);
    uv_cond_destroy(&system_resolver.changed);
    uv_mutex_destroy(&system_resolver.lock);
    free(answer);
    return 0;
}

static struct resolve *ask_within(struct answer *answer, const char *host, uint64_t timeout_ms)
{
    unsigned before = answer->called;
    struct resolve *resolve = resolve_start(answer->resolver, host, 22, timeout_ms, on_resolved,
                                            answer);
    assert_int_equal(answer->called, before); /* never from inside resolve_start() */
    return resolve;
}

static struct resolve *ask(struct answer *answer, const char *host)
{
    return ask_within(answer, host, TIMEOUT_MS);
}

/* Until so many threads have asked the system. */
static void wait_begun(unsigned count)
{
    uv_mutex_lock(&system_resolver.lock);
    while (system_resolver.begun < count) {
        uv_cond_wait(&system_resolver.changed, &system_resolver.lock);
    }
    uv_mutex_unlock(&system_resolver.lock);
}

/*
 * One of them gets a list as getaddrinfo(3) makes it: IPv4 addresses 10.0.0.1 and so on,
 * one of another family.
 */
static void reply(int status, unsigned count)
{
    static struct addrinfo list[2 * RESOLVE_MAX];
    static struct sockaddr_in addrs[2 * RESOLVE_MAX];
    uv_mutex_lock(&system_resolver.lock);
    for (unsigned i = 0; i < count; i++) {
        addrs[i] = (struct sockaddr_in){.sin_family = i == 1 ? AF_UNIX : AF_INET};
        addrs[i].sin_addr.s_addr = htonl(0x0a000001 + i);
        list[i] = (struct addrinfo){.ai_addr = (struct sockaddr *)&addrs[i],
                                    .ai_next = i + 1 < count ? &list[i + 1] : NULL};
    }
    system_resolver.status = status;
    system_resolver.list = count > 0 ? list : NULL;
    system_resolver.to_answer++;
    uv_cond_broadcast(&system_resolver.changed);
    uv_mutex_unlock(&system_resolver.lock);
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
    assert_int_equal(system_resolver.begun, 0);
}

static void a_name_is_looked_up_and_its_addresses_get_the_port(void **state)
{
    struct answer *answer = *state;
    assert_non_null(ask(answer, "HOME-PC"));
    wait_begun(1);
    assert_string_equal(system_resolver.host, "HOME-PC");
    reply(0, 3);
    WAIT_FOR(&answer->loop, answer->called == 1);
    assert_int_equal(answer->err, 0);
    assert_int_equal(answer->count, 2); /* what is no IP address is left out */
    char text[ADDR_TEXT_MAX];
    assert_string_equal(addr_text(&answer->addrs[0], text), "10.0.0.1:22");
    assert_string_equal(addr_text(&answer->addrs[1], text), "10.0.0.3:22");
    assert_int_equal(system_resolver.freed, 1);
}

static void too_many_addresses_are_cut(void **state)
{
    struct answer *answer = *state;
    assert_non_null(ask(answer, "HOME-PC"));
    reply(0, 2 * RESOLVE_MAX);
    WAIT_FOR(&answer->loop, answer->called == 1);
    assert_int_equal(answer->count, RESOLVE_MAX);
}

static void failures_are_told_apart(void **state)
{
    static const struct {
        int status, err;
    } ROWS
        [] =
            {
                {EAI_NONAME, -ENOENT}, {EAI_NODATA, -ENOENT}, {EAI_AGAIN, -EAGAIN},
                {EAI_FAIL, -EAGAIN},   {EAI_MEMORY, -ENOMEM}, {EAI_FAMILY, -EIO},
                {0, -ENOENT}, /* an answer without an address */
            };
    struct answer *answer = *state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        answer->called = 0;
        assert_non_null(ask(answer, "HOME-PC"));
        reply(ROWS[i].status, 0);
        WAIT_FOR(&answer->loop, answer->called == 1);
        assert_int_equal(answer->err, ROWS[i].err);
        assert_int_equal(answer->count, 0);
    }
}

static void a_cancelled_look_up_is_not_heard_of_whenever_it_comes_back(void **state)
{
    struct answer *answer = *state;
    resolve_cancel(ask(answer, "HOME-PC"));
    wait_begun(1);
    resolve_cancel(ask(answer, "192.0.2.7"));
    resolve_cancel(NULL);
    reply(0, 3);
    uv_run(&answer->loop, UV_RUN_DEFAULT); /* until its thread is done */
    assert_int_equal(answer->called, 0);
}

static void a_look_up_that_takes_too_long_is_no_answer_and_holds_up_no_other(void **state)
{
    struct answer *answer = *state;
    assert_non_null(ask_within(answer, "a.lan", 20));
    wait_begun(1);
    WAIT_FOR(&answer->loop, answer->called == 1);
    assert_int_equal(answer->err, -EAGAIN);
    assert_non_null(ask(answer, "b.lan"));
    wait_begun(2);
    reply(0, 3);
    reply(0, 3);
    WAIT_FOR(&answer->loop, answer->called == 2);
    assert_int_equal(answer->err, 0);
    uv_run(&answer->loop, UV_RUN_DEFAULT); /* the late one is not heard of */
    assert_int_equal(answer->called, 2);
}

/* As many as may wait, whether anybody still listens or not; an address is none of them. */
static void too_many_look_ups_are_refused_until_one_is_over(void **state)
{
    struct answer *answer = *state;
    for (unsigned i = 0; i < MOST; i++) {
        resolve_cancel(ask(answer, "a.lan"));
    }
    wait_begun(MOST);
    assert_non_null(ask(answer, "b.lan"));
    WAIT_FOR(&answer->loop, answer->called == 1);
    assert_int_equal(answer->err, -EBUSY);
    assert_non_null(ask(answer, "192.0.2.7"));
    WAIT_FOR(&answer->loop, answer->called == 2);
    assert_int_equal(answer->err, 0);

    for (unsigned i = 0; i < MOST; i++) {
        reply(0, 3);
    }
    uv_run(&answer->loop, UV_RUN_DEFAULT);
    assert_non_null(ask(answer, "b.lan"));
    reply(0, 3);
    WAIT_FOR(&answer->loop, answer->called == 3);
    assert_int_equal(answer->err, 0);
}

static void a_look_up_that_cannot_begin_is_none(void **state)
{
    struct answer *answer = *state;
    system_resolver.refuse = true;
    assert_null(ask(answer, "HOME-PC"));
}

static void who_lets_go_of_the_resolver_need_not_wait(void **state)
{
    struct answer *answer = *state;
    resolve_cancel(ask(answer, "HOME-PC"));
    resolver_free(answer->resolver);
    answer->resolver = NULL;
    reply(0, 3);
    uv_run(&answer->loop, UV_RUN_DEFAULT);
    assert_int_equal(answer->called, 0);
}

/* ---- names of addresses ---------------------------------------------------- */

static void on_name(void *arg, const char *name)
{
    struct answer *answer = arg;
    answer->called++;
    snprintf(answer->name, sizeof answer->name, "%s", name ? name : "");
}

static struct resolve *ask_name(struct answer *answer, const char *host, uint64_t timeout_ms)
{
    struct addr addr;
    unsigned before = answer->called;
    assert_int_equal(addr_parse(host, 1234, &addr), 0);
    struct resolve *resolve = resolve_name_start(answer->resolver, &addr, timeout_ms, on_name,
                                                 answer);
    assert_non_null(resolve);
    assert_int_equal(answer->called, before);
    return resolve;
}

/* As lists of reply() are. */
static void the_list_has(const char *host, unsigned count)
{
    static struct sockaddr_in addr;
    reply(0, count);
    uv_mutex_lock(&system_resolver.lock);
    addr = (struct sockaddr_in){.sin_family = AF_INET};
    inet_pton(AF_INET, host, &addr.sin_addr);
    system_resolver.list[count - 1].ai_addr = (struct sockaddr *)&addr;
    uv_mutex_unlock(&system_resolver.lock);
}

static void a_name_that_leads_back_is_told(void **state)
{
    struct answer *answer = *state;
    system_resolver.reverse = "dsl-7.example.net";
    the_list_has("198.51.100.7", 3);
    ask_name(answer, "198.51.100.7", TIMEOUT_MS);
    WAIT_FOR(&answer->loop, answer->called == 1);
    assert_string_equal(system_resolver.host, "dsl-7.example.net");
    assert_string_equal(answer->name, "dsl-7.example.net");
}

static void a_name_that_leads_elsewhere_or_nowhere_is_not(void **state)
{
    struct answer *answer = *state;
    system_resolver.reverse = "your-own-laptop.example.com";
    reply(0, 1);
    ask_name(answer, "198.51.100.7", TIMEOUT_MS);
    WAIT_FOR(&answer->loop, answer->called == 1);
    assert_string_equal(answer->name, "");
    reply(EAI_NONAME, 0);
    ask_name(answer, "198.51.100.7", TIMEOUT_MS);
    WAIT_FOR(&answer->loop, answer->called == 2);
    assert_string_equal(answer->name, "");
}

static void what_is_no_name_is_not_even_looked_up(void **state)
{
    static const char *const NAMES[] = {"",
                                        "1.2.3.4",
                                        "a b",
                                        "<b>x</b>",
                                        "\xe2\x80\xae.example",
                                        "a\nb",
                                        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
                                         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.net"),
                                        NULL};
    struct answer *answer = *state;
    for (unsigned i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        system_resolver.reverse = NAMES[i];
        answer->called = 0;
        ask_name(answer, "198.51.100.7", TIMEOUT_MS);
        WAIT_FOR(&answer->loop, answer->called == 1);
        assert_string_equal(answer->name, "");
    }
    assert_int_equal(system_resolver.begun, 0);
}

static void private_addresses_have_no_names(void **state)
{
    static const char *const ADDRESSES[] = {"127.0.0.1", "192.168.1.1", "fd00::1"};
    struct answer *answer = *state;
    system_resolver.reverse = "nas.example.net";
    for (unsigned i = 0; i < sizeof ADDRESSES / sizeof *ADDRESSES; i++) {
        answer->called = 0;
        ask_name(answer, ADDRESSES[i], TIMEOUT_MS);
        WAIT_FOR(&answer->loop, answer->called == 1);
        assert_string_equal(answer->name, "");
    }
    assert_int_equal(system_resolver.begun, 0);
}

static void a_name_that_takes_too_long_or_comes_to_nobody_is_not_told(void **state)
{
    struct answer *answer = *state;
    system_resolver.reverse = "late.example.net";
    ask_name(answer, "198.51.100.7", 20);
    WAIT_FOR(&answer->loop, answer->called == 1);
    assert_string_equal(answer->name, "");
    resolve_cancel(ask_name(answer, "198.51.100.7", TIMEOUT_MS));
    wait_begun(2);
    the_list_has("198.51.100.7", 1);
    the_list_has("198.51.100.7", 1);
    uv_run(&answer->loop, UV_RUN_DEFAULT);
    assert_int_equal(answer->called, 1);
    assert_string_equal(answer->name, "");
}

static void too_many_names_at_once_have_none(void **state)
{
    struct answer *answer = *state;
    system_resolver.reverse = "dsl-7.example.net";
    for (unsigned i = 0; i < MOST; i++) {
        resolve_cancel(ask_name(answer, "198.51.100.7", TIMEOUT_MS));
    }
    wait_begun(MOST);
    ask_name(answer, "198.51.100.7", TIMEOUT_MS);
    WAIT_FOR(&answer->loop, answer->called == 1);
    assert_string_equal(answer->name, "");
    assert_int_equal(system_resolver.begun, MOST);
    for (unsigned i = 0; i < MOST; i++) {
        the_list_has("198.51.100.7", 1);
    }
}

static void the_systems_resolver_knows_localhost(void **state)
{
    struct answer *answer = *state;
    system_resolver.ask_real = true;
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
        TEST(a_look_up_that_takes_too_long_is_no_answer_and_holds_up_no_other),
        TEST(too_many_look_ups_are_refused_until_one_is_over),
        TEST(a_look_up_that_cannot_begin_is_none),
        TEST(who_lets_go_of_the_resolver_need_not_wait),
        TEST(a_name_that_leads_back_is_told),
        TEST(a_name_that_leads_elsewhere_or_nowhere_is_not),
        TEST(what_is_no_name_is_not_even_looked_up),
        TEST(private_addresses_have_no_names),
        TEST(a_name_that_takes_too_long_or_comes_to_nobody_is_not_told),
        TEST(too_many_names_at_once_have_none),
        TEST(the_systems_resolver_knows_localhost),
    };
    return cmocka_run_group_tests_name("resolve", tests, NULL, NULL);
}
