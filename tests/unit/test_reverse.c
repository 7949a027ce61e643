/* Names of addresses: only what is confirmed, and never more look-ups than a few. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/resolve.h"
#include "vps/admission/reverse.h"

enum { LOOK_UPS_MAX = 8 };

/* The resolver, in the hands of the test. */
static struct {
    uv_getnameinfo_t *requests[LOOK_UPS_MAX];
    uv_getnameinfo_cb answers[LOOK_UPS_MAX];
    unsigned count, cancelled;
    resolve_fn resolved;
    void *resolve_arg;
    char resolving[100];
    bool resolve_cancelled;
} dns;

int __wrap_uv_getnameinfo(uv_loop_t *loop, uv_getnameinfo_t *req, uv_getnameinfo_cb cb,
                          const struct sockaddr *addr, int flags);
int __wrap_uv_cancel(uv_req_t *req);
struct resolve *__wrap_resolve_start(struct resolver *resolver, const char *host, uint16_t port,
                                     uint64_t timeout_ms, resolve_fn fn, void *arg);
void __wrap_resolve_cancel(struct resolve *resolve);

int __wrap_uv_getnameinfo(uv_loop_t *loop, uv_getnameinfo_t *req, uv_getnameinfo_cb cb,
                          const struct sockaddr *addr, int flags)
{
    (void)loop, (void)addr, (void)flags;
    dns.requests[dns.count] = req;
    dns.answers[dns.count++] = cb;
    return 0;
}

int __wrap_uv_cancel(uv_req_t *req)
{
    (void)req;
    dns.cancelled++;
    return UV_EBUSY; /* it runs already */
}

struct resolve *__wrap_resolve_start(struct resolver *resolver, const char *host, uint16_t port,
                                     uint64_t timeout_ms, resolve_fn fn, void *arg)
{
    (void)resolver, (void)port, (void)timeout_ms;
    snprintf(dns.resolving, sizeof dns.resolving, "%s", host);
    dns.resolved = fn;
    dns.resolve_arg = arg;
    return (struct resolve *)&dns;
}

void __wrap_resolve_cancel(struct resolve *resolve)
{
    dns.resolve_cancelled = dns.resolve_cancelled || resolve != NULL;
}

static char named[100];

static void on_name(void *arg, const char *name)
{
    (void)arg;
    strcpy(named, name);
}

static struct addr at(const char *host)
{
    struct addr addr;
    assert_int_equal(addr_parse(host, 1234, &addr), 0);
    return addr;
}

static struct reverse *ask(struct reverse_desk *desk, const char *host)
{
    struct addr addr = at(host);
    return reverse_start(desk, &addr, on_name, NULL);
}

static int set_up(void **state)
{
    memset(&dns, 0, sizeof dns);
    named[0] = '\0';
    *state = reverse_desk_new(NULL);
    return *state == NULL;
}

static int tear_down(void **state)
{
    reverse_desk_free(*state);
    return 0;
}

static void a_name_that_leads_back_is_told(void **state)
{
    struct reverse *reverse = ask(*state, "198.51.100.7");
    const struct addr back[] = {at("198.51.100.6"), at("198.51.100.7")};
    dns.answers[0](dns.requests[0], 0, "dsl-7.example.net", "");
    assert_string_equal(dns.resolving, "dsl-7.example.net");
    assert_string_equal(named, "");
    dns.resolved(dns.resolve_arg, 0, back, 2);
    assert_string_equal(named, "dsl-7.example.net");
    reverse_free(reverse);
    assert_false(dns.resolve_cancelled);
}

static void a_name_that_leads_elsewhere_is_not(void **state)
{
    struct reverse *reverse = ask(*state, "198.51.100.7");
    const struct addr elsewhere = at("203.0.113.1");
    dns.answers[0](dns.requests[0], 0, "your-own-laptop.example.com", "");
    dns.resolved(dns.resolve_arg, 0, &elsewhere, 1);
    assert_string_equal(named, "");
    reverse_free(reverse);

    reverse = ask(*state, "198.51.100.7");
    dns.answers[1](dns.requests[1], 0, "your-own-laptop.example.com", "");
    dns.resolved(dns.resolve_arg, -ENOENT, NULL, 0);
    assert_string_equal(named, "");
    reverse_free(reverse);
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
                                         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.net")};
    for (unsigned i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        dns.count = 0;
        struct reverse *reverse = ask(*state, "198.51.100.7");
        dns.answers[0](dns.requests[0], 0, NAMES[i], "");
        assert_null(dns.resolved);
        reverse_free(reverse);
    }
    struct reverse *reverse = ask(*state, "198.51.100.7");
    dns.answers[dns.count - 1](dns.requests[dns.count - 1], UV_EAI_NONAME, NULL, NULL);
    assert_null(dns.resolved);
    reverse_free(reverse);
}

static void private_addresses_have_no_names(void **state)
{
    assert_null(ask(*state, "127.0.0.1"));
    assert_null(ask(*state, "192.168.1.1"));
    assert_null(ask(*state, "fd00::1"));
    assert_int_equal(dns.count, 0);
}

static void a_few_at_a_time_also_if_nobody_waits_for_them(void **state)
{
    struct reverse *one = ask(*state, "198.51.100.1"), *other = ask(*state, "198.51.100.2");
    assert_non_null(one);
    assert_non_null(other);
    assert_null(ask(*state, "198.51.100.3"));
    reverse_free(one); /* ... which does not end the look-up */
    assert_int_equal(dns.cancelled, 1);
    assert_null(ask(*state, "198.51.100.3"));
    dns.answers[0](dns.requests[0], 0, "late.example.net", "");
    assert_null(dns.resolved);
    one = ask(*state, "198.51.100.3");
    assert_non_null(one);
    reverse_free(one);
    reverse_free(other);
    dns.answers[1](dns.requests[1], UV_ECANCELED, NULL, NULL);
    dns.answers[2](dns.requests[2], UV_ECANCELED, NULL, NULL);
}

static void who_goes_meanwhile_is_not_told(void **state)
{
    struct reverse *reverse = ask(*state, "198.51.100.7");
    dns.answers[0](dns.requests[0], 0, "dsl-7.example.net", "");
    reverse_free(reverse);
    assert_true(dns.resolve_cancelled);
}

static void the_desk_may_go_before_its_look_ups(void **state)
{
    struct reverse_desk *desk = reverse_desk_new(NULL);
    (void)state;
    struct reverse *reverse = ask(desk, "198.51.100.7");
    reverse_free(reverse);
    reverse_desk_free(desk);
    dns.answers[0](dns.requests[0], 0, "late.example.net", "");
    assert_string_equal(named, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_name_that_leads_back_is_told),
        TEST(a_name_that_leads_elsewhere_is_not),
        TEST(what_is_no_name_is_not_even_looked_up),
        TEST(private_addresses_have_no_names),
        TEST(a_few_at_a_time_also_if_nobody_waits_for_them),
        TEST(who_goes_meanwhile_is_not_told),
        TEST(the_desk_may_go_before_its_look_ups),
    };
    return cmocka_run_group_tests_name("reverse", tests, NULL, NULL);
}
