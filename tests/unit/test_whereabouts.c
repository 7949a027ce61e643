/*
 * Where a name is: name servers and the LAN, played by the test, in every order in which they may
 * answer, and what the list of targets says to it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/timer.h"
#include "gateway/whereabouts.h"
#include "on_loop.h"

/* Either stands for a running one, with what it calls back. */
static struct stage {
    uv_loop_t loop;
    struct targets *allowed;
    struct whereabouts *whereabouts;
    bool resolves, searches;
    unsigned searched; /* how often */
    resolve_fn resolve_fn;
    lan_search_fn search_fn;
    void *resolve_arg, *search_arg;
    /* what came of it */
    bool over;
    struct failure failure; /* no detail: none */
    char found[ADDR_TEXT_MAX];
    enum tunnel_found_by found_by;
} stage;

struct resolve *__wrap_resolve_start(struct resolver *resolver, const char *host, uint16_t port,
                                     uint64_t timeout_ms, resolve_fn fn, void *arg);
void __wrap_resolve_cancel(struct resolve *resolve);
struct lan_search *__wrap_lan_search_start(struct lan_searches *searches, const char *name,
                                           uint16_t port, lan_search_fn fn, void *arg);
void __wrap_lan_search_cancel(struct lan_search *search);
void __real_timer_set(struct timer *timer, uint64_t ms);
void __wrap_timer_set(struct timer *timer, uint64_t ms);

struct resolve *__wrap_resolve_start(struct resolver *resolver, const char *host, uint16_t port,
                                     uint64_t timeout_ms, resolve_fn fn, void *arg)
{
    (void)resolver, (void)host, (void)port, (void)timeout_ms;
    stage.resolves = true;
    stage.resolve_fn = fn;
    stage.resolve_arg = arg;
    return (struct resolve *)&stage.resolves;
}

void __wrap_resolve_cancel(struct resolve *resolve)
{
    stage.resolves = stage.resolves && !resolve;
}

struct lan_search *__wrap_lan_search_start(struct lan_searches *searches, const char *name,
                                           uint16_t port, lan_search_fn fn, void *arg)
{
    (void)searches, (void)name, (void)port;
    stage.searches = true;
    stage.searched++;
    stage.search_fn = fn;
    stage.search_arg = arg;
    return (struct lan_search *)&stage.searches;
}

void __wrap_lan_search_cancel(struct lan_search *search)
{
    stage.searches = stage.searches && !search;
}

void __wrap_timer_set(struct timer *timer, uint64_t ms)
{
    __real_timer_set(timer, ms / 100);
}

static void on_found(void *arg, const struct failure *failure,
                     const struct whereabouts_found *found)
{
    (void)arg;
    assert_true(!failure != !found && !stage.over);
    stage.over = true;
    stage.whereabouts = NULL;
    if (failure) {
        stage.failure = *failure;
    } else {
        addr_text(&found->addrs[0], stage.found);
        stage.found_by = found->found_by;
    }
}

static void seek(const char *allowed, const char *host)
{
    const struct whereabouts_request request = {.host = host, .port = 22};
    struct whereabouts_request made = request;
    stage = (struct stage){.over = false};
    assert_int_equal(uv_loop_init(&stage.loop), 0);
    assert_int_equal(targets_parse(allowed, &stage.allowed, NULL), 0);
    made.allowed = stage.allowed;
    stage.whereabouts = whereabouts_start(&stage.loop, &made, on_found, NULL);
    assert_non_null(stage.whereabouts);
    assert_false(stage.over);
}

static void resolved(int err, const char *address)
{
    struct addr addr;
    assert_true(stage.resolves);
    stage.resolves = false;
    if (err == 0) {
        assert_int_equal(addr_parse(address, 22, &addr), 0);
    }
    stage.resolve_fn(stage.resolve_arg, err, err < 0 ? NULL : &addr, err == 0);
}

static void searched(int err, const char *address)
{
    struct lan_found found = {.by = LAN_LLMNR, .count = 1};
    assert_true(stage.searches);
    stage.searches = false;
    if (err == 0) {
        assert_int_equal(addr_parse(address, 22, &found.addrs[0]), 0);
    }
    stage.search_fn(stage.search_arg, err, err < 0 ? NULL : &found);
}

static void found(const char *address, enum tunnel_found_by by)
{
    assert_true(stage.over);
    assert_string_equal(stage.failure.detail, "");
    assert_string_equal(stage.found, address);
    assert_int_equal(stage.found_by, by);
}

static void failed(enum tunnel_failure reason, const char *part)
{
    assert_true(stage.over);
    assert_int_equal(stage.failure.reason, reason);
    assert_non_null(strstr(stage.failure.detail, part));
}

static void leave(void)
{
    whereabouts_cancel(stage.whereabouts);
    assert_false(stage.resolves || stage.searches);
    targets_free(stage.allowed);
    loop_end(&stage.loop);
}

#define LAN "192.168.1.0/24:22"

static void test_name_servers_come_first(void **state)
{
    (void)state;
    seek(LAN, "nas");
    resolved(0, "192.168.1.7");
    found("192.168.1.7:22", TUNNEL_FOUND_BY_DNS);
    assert_int_equal(stage.searched, 0);
    leave();
}

static void test_the_lan_is_asked_for_what_they_do_not_know(void **state)
{
    static const int ERRORS[] = {-ENOENT, -EAGAIN, -EBUSY};
    (void)state;
    for (size_t i = 0; i < sizeof ERRORS / sizeof *ERRORS; i++) {
        seek(LAN, "nas");
        resolved(ERRORS[i], NULL);
        searched(0, "192.168.1.8");
        found("192.168.1.8:22", TUNNEL_FOUND_BY_LLMNR);
        leave();
    }
    seek(LAN, "nas");
    resolved(-ENOENT, NULL);
    searched(-ENOENT, NULL);
    failed(TUNNEL_UNKNOWN_NAME, "no machine in its network answers to it");
    leave();
    seek(LAN, "nas");
    resolved(-EAGAIN, NULL);
    searched(-ENOENT, NULL);
    failed(TUNNEL_NAME_SERVERS, "name servers do not answer");
    leave();
    seek(LAN, "nas");
    resolved(-ENOENT, NULL);
    searched(-EBUSY, NULL);
    failed(TUNNEL_ERROR, "too many other names");
    leave();
    seek(LAN, "nas");
    resolved(-ENOMEM, NULL);
    failed(TUNNEL_BUSY, "out of memory");
    leave();
}

/* Whoever has no name servers that answer does not wait for their time-out. */
static void test_slow_name_servers_have_a_head_start_only(void **state)
{
    (void)state;
    seek(LAN, "nas");
    WAIT_FOR(&stage.loop, stage.searches);
    assert_true(stage.resolves);
    searched(0, "192.168.1.8");
    found("192.168.1.8:22", TUNNEL_FOUND_BY_LLMNR);
    leave();
    seek(LAN, "nas");
    WAIT_FOR(&stage.loop, stage.searches);
    resolved(0, "192.168.1.7");
    found("192.168.1.7:22", TUNNEL_FOUND_BY_DNS);
    leave();
    /* Each may be the last one, and the LAN is asked once. */
    seek(LAN, "nas");
    WAIT_FOR(&stage.loop, stage.searches);
    searched(-ENOENT, NULL);
    assert_false(stage.over);
    resolved(-EAGAIN, NULL);
    failed(TUNNEL_NAME_SERVERS, "name servers do not answer");
    assert_int_equal(stage.searched, 1);
    leave();
    seek(LAN, "nas");
    WAIT_FOR(&stage.loop, stage.searches);
    resolved(-ENOENT, NULL);
    assert_false(stage.over);
    searched(-ENOENT, NULL);
    failed(TUNNEL_UNKNOWN_NAME, "no machine in its network answers to it");
    leave();
    seek(LAN, "nas");
    WAIT_FOR(&stage.loop, stage.searches);
    leave(); /* cancelled: both are */
}

/* There are name servers that send whoever mistypes a name to a page of advertisements. */
static void test_name_servers_that_know_every_name(void **state)
{
    (void)state;
    seek(LAN, "nas");
    resolved(0, "203.0.113.9");
    searched(0, "192.168.1.8");
    found("192.168.1.8:22", TUNNEL_FOUND_BY_LLMNR);
    leave();
    seek(LAN, "nas");
    resolved(0, "203.0.113.9");
    searched(-ENOENT, NULL);
    failed(TUNNEL_NOT_ALLOWED, "nas:22 is not among the ALLOWED_TARGETS");
    assert_string_equal(stage.failure.note,
                        "ALLOWED_TARGETS has neither the name nor 203.0.113.9:22");
    leave();
    seek(LAN, "nas.example.org");
    resolved(0, "203.0.113.9");
    failed(TUNNEL_NOT_ALLOWED, "nas.example.org:22 is not");
    leave();
}

static void test_the_lan_is_not_asked_for_every_name(void **state)
{
    static const char *const NAMES[] = {"nas.example.org", "192.168.1.9", "localhost", "LocalHost"};
    (void)state;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        seek(LAN, NAMES[i]);
        loop_run_for(&stage.loop, 30);
        resolved(-ENOENT, NULL);
        failed(TUNNEL_UNKNOWN_NAME, "is not known to the gateway's name servers");
        assert_int_equal(stage.searched, 0);
        leave();
    }
}

static void test_what_is_found_has_to_be_on_the_list(void **state)
{
    (void)state;
    seek("192.168.1.8:22;pc:22", "nas");
    resolved(-ENOENT, NULL);
    searched(0, "192.168.1.9");
    failed(TUNNEL_NOT_ALLOWED, "nas:22");
    leave();
    seek("192.168.1.8:22;pc:22", "PC");
    resolved(-ENOENT, NULL);
    searched(0, "192.168.1.9");
    found("192.168.1.9:22", TUNNEL_FOUND_BY_LLMNR);
    leave();
    seek("pc:22", "nas"); /* nothing on it could be that: nobody is asked */
    assert_false(stage.resolves);
    WAIT_FOR(&stage.loop, stage.over);
    failed(TUNNEL_NOT_ALLOWED, "nas:22");
    assert_int_equal(stage.searched, 0);
    leave();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_name_servers_come_first),
        cmocka_unit_test(test_the_lan_is_asked_for_what_they_do_not_know),
        cmocka_unit_test(test_slow_name_servers_have_a_head_start_only),
        cmocka_unit_test(test_name_servers_that_know_every_name),
        cmocka_unit_test(test_the_lan_is_not_asked_for_every_name),
        cmocka_unit_test(test_what_is_found_has_to_be_on_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
