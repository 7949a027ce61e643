/* The range of ports: drawn at random, all of them, and not again too soon. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/net.h"
#include "free_ports.h"
#include "vps/session/ports.h"

enum { RANGE = 12 };

struct range {
    uint16_t first;
    struct ports *ports;
    int fds[RANGE];
    unsigned count;
};

static void range_open(struct range *range, const char *bind_address)
{
    *range = (struct range){.first = free_ports(RANGE)};
    assert_int_equal(
        ports_new(bind_address, range->first, (uint16_t)(range->first + RANGE - 1), &range->ports),
        0);
}

static void range_close(struct range *range)
{
    for (unsigned i = 0; i < range->count; i++) {
        close(range->fds[i]);
    }
    ports_free(range->ports);
}

/* Takes all that are left at this time; seen[i] counts how often port i was given out. */
static unsigned take_all(struct range *range, uint64_t now_ms, unsigned seen[RANGE])
{
    uint16_t port = 0;
    unsigned taken = 0;
    int fd;
    while ((fd = ports_listen(range->ports, now_ms, false, &port)) >= 0) {
        assert_in_range(port, range->first, range->first + RANGE - 1);
        assert_in_range(range->count, 0, RANGE - 1);
        range->fds[range->count++] = fd;
        seen[port - range->first]++;
        taken++;
    }
    assert_int_equal(fd, -EADDRINUSE);
    return taken;
}

static int someone_elses(const char *address, uint16_t port)
{
    int fd = net_listen(address, port, 1);
    assert_true(fd >= 0);
    return fd;
}

static void every_port_of_the_range_is_given_out_once(void **state)
{
    struct range range;
    unsigned seen[RANGE] = {0};
    (void)state;
    range_open(&range, "::");
    assert_int_equal(take_all(&range, 1000, seen), RANGE);
    for (unsigned i = 0; i < RANGE; i++) {
        assert_int_equal(seen[i], 1);
    }
    range_close(&range);
}

static void the_port_that_is_told_is_the_one_that_listens(void **state)
{
    struct range range;
    uint16_t port = 0;
    struct sockaddr_in6 at;
    socklen_t len = sizeof at;
    (void)state;
    range_open(&range, "::");
    int fd = ports_listen(range.ports, 1000, false, &port);
    assert_true(fd >= 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    assert_int_equal(ntohs(at.sin6_port), port);
    struct addr to;
    addr_parse("127.0.0.1", port, &to);
    int client = net_connect(&to, false);
    struct addr peer;
    int accepted = net_accept(fd, &peer);
    assert_true(client >= 0 && accepted >= 0);
    close(accepted);
    close(client);
    close(fd);
    range_close(&range);
}

static void ports_are_drawn_in_no_order(void **state)
{
    unsigned firsts[RANGE] = {0}, different = 0;
    (void)state;
    struct range range;
    range_open(&range, "127.0.0.1");
    for (unsigned i = 0; i < 50; i++) {
        uint16_t port = 0;
        int fd = ports_listen(range.ports, 1000 + (i + 1) * PORTS_QUARANTINE_MS, false, &port);
        assert_true(fd >= 0);
        close(fd);
        ports_release(range.ports, 1000 + i * PORTS_QUARANTINE_MS, port);
        firsts[port - range.first]++;
    }
    for (unsigned i = 0; i < RANGE; i++) {
        different += firsts[i] > 0;
    }
    assert_in_range(different, 3, RANGE); /* 2 or fewer of 12 in 50 draws: once in 10^37 */
    range_close(&range);
}

static void a_used_port_rests(void **state)
{
    struct range range;
    unsigned seen[RANGE] = {0};
    uint16_t port = 0;
    const uint64_t released = 5000, again = released + PORTS_QUARANTINE_MS;
    (void)state;
    range_open(&range, "::");
    assert_int_equal(take_all(&range, 1000, seen), RANGE);
    /* Close them all, so that only the rest can keep a port from being given out. */
    while (range.count > 0) {
        close(range.fds[--range.count]);
    }
    ports_release(range.ports, released, (uint16_t)(range.first + 7));
    assert_int_equal(ports_listen(range.ports, again - 1, false, &port), -EADDRINUSE);
    assert_int_equal(port, 0);
    int fd = ports_listen(range.ports, again, false, &port);
    assert_true(fd >= 0);
    assert_int_equal(port, range.first + 7);
    close(fd);
    range_close(&range);
}

static void the_whole_range_comes_back_time_and_again(void **state)
{
    struct range range;
    uint64_t now = 1000;
    (void)state;
    range_open(&range, "127.0.0.1");
    for (unsigned round = 0; round < 5; round++, now += PORTS_QUARANTINE_MS) {
        unsigned seen[RANGE] = {0};
        assert_int_equal(take_all(&range, now, seen), RANGE);
        for (unsigned i = 0; i < RANGE; i++) {
            assert_int_equal(seen[i], 1);
            close(range.fds[--range.count]);
            ports_release(range.ports, now, (uint16_t)(range.first + i));
        }
        ports_release(range.ports, now, 0);
    }
    range_close(&range);
}

static void a_port_outside_of_the_range_is_not_put_back(void **state)
{
    struct range range;
    unsigned seen[RANGE] = {0};
    uint16_t port = 0;
    (void)state;
    range_open(&range, "::");
    assert_int_equal(take_all(&range, 1000, seen), RANGE);
    ports_release(range.ports, 1000, 0);
    ports_release(range.ports, 1000, 65535);
    ports_release(range.ports, 1000, (uint16_t)(range.first - 1));
    ports_release(range.ports, 1000, (uint16_t)(range.first + RANGE));
    assert_int_equal(ports_listen(range.ports, 1000000, false, &port), -EADDRINUSE);
    range_close(&range);
}

static void ports_of_other_programs_are_passed_over(void **state)
{
    static const char *const HOLDERS[] = {"127.0.0.1", "0.0.0.0", "::1", "::"};
    (void)state;
    for (size_t i = 0; i < sizeof HOLDERS / sizeof *HOLDERS; i++) {
        struct range range;
        unsigned seen[RANGE] = {0};
        range_open(&range, "::");
        int first = someone_elses(HOLDERS[i], range.first);
        int other = someone_elses(HOLDERS[i], (uint16_t)(range.first + 5));
        assert_int_equal(take_all(&range, 1000, seen), RANGE - 2);
        assert_int_equal(seen[0], 0);
        assert_int_equal(seen[5], 0);
        close(other);
        assert_int_equal(take_all(&range, 1000, seen), 1); /* it is free now, without any rest */
        assert_int_equal(seen[5], 1);
        close(first);
        range_close(&range);
    }
}

static void when_others_hold_all_ports_there_is_none(void **state)
{
    struct range range;
    int fds[RANGE];
    uint16_t port = 0;
    (void)state;
    range_open(&range, "::");
    for (unsigned i = 0; i < RANGE; i++) {
        fds[i] = someone_elses(i % 2 ? "127.0.0.1" : "::1", (uint16_t)(range.first + i));
    }
    assert_int_equal(ports_listen(range.ports, 1000, false, &port), -EADDRINUSE);
    for (unsigned i = 0; i < RANGE; i++) {
        close(fds[i]);
    }
    range_close(&range);
}

static void an_address_that_this_machine_lacks_is_an_error_of_its_own(void **state)
{
    struct range range;
    uint16_t port = 0;
    (void)state;
    range_open(&range, "192.0.2.1");
    assert_int_equal(ports_listen(range.ports, 1000, false, &port), -EADDRNOTAVAIL);
    range_close(&range);
}

static void another_range_is_for_new_sessions(void **state)
{
    struct range range;
    unsigned seen[RANGE] = {0};
    uint16_t port = 0;
    const uint64_t released = 5000, again = released + PORTS_QUARANTINE_MS;
    (void)state;
    range_open(&range, "127.0.0.1");
    uint16_t first = range.first, half = RANGE / 2;
    assert_int_equal(take_all(&range, 1000, seen), RANGE);
    ports_release(range.ports, released, first);
    ports_release(range.ports, released, (uint16_t)(first + RANGE - 1));

    /* The upper half: what is taken and what rests there stays so. */
    assert_int_equal(
        ports_use_range(range.ports, (uint16_t)(first + half), (uint16_t)(first + RANGE - 1)), 0);
    assert_int_equal(ports_listen(range.ports, again - 1, false, &port), -EADDRINUSE);
    close(range.fds[--range.count]);
    while (range.count > 0) {
        close(range.fds[--range.count]);
    }
    int fd = ports_listen(range.ports, again, false, &port);
    assert_true(fd >= 0);
    assert_int_equal(port, first + RANGE - 1);
    close(fd);

    /* Those of the old range rest, too, and are there again when it is. */
    for (unsigned i = 1; i < RANGE; i++) {
        ports_release(range.ports, again, (uint16_t)(first + i));
    }
    assert_int_equal(ports_use_range(range.ports, first, (uint16_t)(first + RANGE - 1)), 0);
    memset(seen, 0, sizeof seen);
    assert_int_equal(take_all(&range, again, seen), 1);
    assert_int_equal(seen[0], 1);
    assert_int_equal(take_all(&range, again + PORTS_QUARANTINE_MS, seen), RANGE - 1);
    range_close(&range);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_port_of_the_range_is_given_out_once),
        cmocka_unit_test(the_port_that_is_told_is_the_one_that_listens),
        cmocka_unit_test(ports_are_drawn_in_no_order),
        cmocka_unit_test(a_used_port_rests),
        cmocka_unit_test(the_whole_range_comes_back_time_and_again),
        cmocka_unit_test(a_port_outside_of_the_range_is_not_put_back),
        cmocka_unit_test(ports_of_other_programs_are_passed_over),
        cmocka_unit_test(when_others_hold_all_ports_there_is_none),
        cmocka_unit_test(an_address_that_this_machine_lacks_is_an_error_of_its_own),
        cmocka_unit_test(another_range_is_for_new_sessions),
    };
    return cmocka_run_group_tests_name("ports", tests, NULL, NULL);
}
