/* What the kernel says of routes and neighbours, and what is made of it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/neighbours.h"

#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

static const uint8_t MAC[MAC_SIZE] = {2, 0, 0, 0, 0, 0x22};

struct answer {
    uint8_t bytes[512];
    size_t len;
};

static struct answer begin(uint16_t type, const void *fixed, size_t len)
{
    struct answer answer = {.len = NLMSG_HDRLEN + NLMSG_ALIGN(len)};
    const struct nlmsghdr head = {.nlmsg_len = (uint32_t)answer.len, .nlmsg_type = type};
    memcpy(answer.bytes, &head, sizeof head);
    memcpy(answer.bytes + NLMSG_HDRLEN, fixed, len);
    return answer;
}

static void add(struct answer *answer, uint16_t type, const void *value, size_t len)
{
    const struct rtattr part = {.rta_len = (uint16_t)RTA_LENGTH(len), .rta_type = type};
    memcpy(answer->bytes + answer->len, &part, sizeof part);
    memcpy(answer->bytes + answer->len + RTA_LENGTH(0), value, len);
    answer->len += RTA_ALIGN(RTA_LENGTH(len));
    const uint32_t whole = (uint32_t)answer->len;
    memcpy(answer->bytes, &whole, sizeof whole); /* a message begins with its length */
}

static struct answer route(unsigned char type)
{
    const struct rtmsg fixed = {.rtm_family = AF_INET, .rtm_dst_len = 32, .rtm_type = type};
    struct answer answer = begin(RTM_NEWROUTE, &fixed, sizeof fixed);
    const uint32_t interface = 7;
    add(&answer, RTA_DST, "\xc0\xa8\x01\x16", 4);
    add(&answer, RTA_OIF, &interface, sizeof interface);
    return answer;
}

static struct answer neighbour(uint16_t state, const void *mac, size_t len)
{
    const struct ndmsg fixed = {.ndm_family = AF_INET, .ndm_ifindex = 7, .ndm_state = state};
    struct answer answer = begin(RTM_NEWNEIGH, &fixed, sizeof fixed);
    add(&answer, NDA_DST, "\xc0\xa8\x01\x16", 4);
    if (mac) {
        add(&answer, NDA_LLADDR, mac, len);
    }
    return answer;
}

static struct answer error(int code)
{
    struct nlmsgerr fixed = {.error = code};
    return begin(NLMSG_ERROR, &fixed, sizeof fixed);
}

static int read_route(const struct answer *answer)
{
    int interface = 0;
    int err = neighbours_read_route(answer->bytes, answer->len, &interface);
    return err < 0 ? err : interface;
}

static int read_mac(const struct answer *answer)
{
    uint8_t mac[MAC_SIZE] = {0};
    int err = neighbours_read_mac(answer->bytes, answer->len, mac);
    if (err == 0) {
        assert_memory_equal(mac, MAC, MAC_SIZE);
    }
    return err;
}

static void test_only_what_is_in_a_network_of_this_machine(void **state)
{
    (void)state;
    struct answer direct = route(RTN_UNICAST), own = route(RTN_LOCAL), behind = route(RTN_UNICAST),
                  via = route(RTN_UNICAST);
    add(&behind, RTA_GATEWAY, "\xc0\xa8\x01\x01", 4);
    add(&via, RTA_VIA, "\x0a\0\xfe\x80", 4);
    assert_int_equal(read_route(&direct), 7);
    assert_int_equal(read_route(&own), -EHOSTUNREACH);
    assert_int_equal(read_route(&behind), -EHOSTUNREACH);
    assert_int_equal(read_route(&via), -EHOSTUNREACH);
}

static void test_the_router_on_the_way(void **state)
{
    (void)state;
    struct answer direct = route(RTN_UNICAST), behind = route(RTN_UNICAST),
                  odd = route(RTN_UNICAST), six = route(RTN_UNICAST), none = error(-ENETUNREACH);
    struct addr router;
    int interface = 0;
    add(&behind, RTA_GATEWAY, "\xc0\xa8\x01\x01", 4);
    add(&odd, RTA_GATEWAY, "\xc0\xa8\x01\x01\x02", 5);
    add(&six, RTA_GATEWAY, "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
    assert_int_equal(neighbours_read_router(direct.bytes, direct.len, &interface, &router),
                     -EHOSTUNREACH);
    assert_int_equal(neighbours_read_router(odd.bytes, odd.len, &interface, &router),
                     -EHOSTUNREACH);
    assert_int_equal(neighbours_read_router(none.bytes, none.len, &interface, &router),
                     -ENETUNREACH);
    assert_int_equal(neighbours_read_router(behind.bytes, behind.len, &interface, &router), 0);
    char text[ADDR_HOST_MAX];
    assert_int_equal(interface, 7);
    assert_string_equal(addr_host_text(&router, text), "192.168.1.1");
    assert_int_equal(neighbours_read_router(six.bytes, six.len, &interface, &router), 0);
    assert_string_equal(addr_host_text(&router, text), "fe80::1");
}

static void test_what_the_kernel_refuses(void **state)
{
    (void)state;
    struct answer no_route = error(-ENETUNREACH), none = error(-ENOENT), nonsense = error(5);
    assert_int_equal(read_route(&no_route), -ENETUNREACH);
    assert_int_equal(read_mac(&none), -ENOENT);
    assert_int_equal(read_mac(&nonsense), -EBADMSG);
}

static void test_a_mac_that_was_confirmed(void **state)
{
    (void)state;
    static const uint16_t CONFIRMED[] = {NUD_REACHABLE, NUD_STALE, NUD_DELAY, NUD_PROBE,
                                         NUD_PERMANENT};
    static const uint16_t NOT[] = {0, NUD_INCOMPLETE, NUD_FAILED, NUD_NOARP};
    for (size_t i = 0; i < sizeof CONFIRMED / sizeof *CONFIRMED; i++) {
        struct answer answer = neighbour(CONFIRMED[i], MAC, MAC_SIZE);
        assert_int_equal(read_mac(&answer), 0);
    }
    for (size_t i = 0; i < sizeof NOT / sizeof *NOT; i++) {
        struct answer answer = neighbour(NOT[i], MAC, MAC_SIZE);
        assert_int_equal(read_mac(&answer), -ENOENT);
    }
}

static void test_what_is_no_mac(void **state)
{
    (void)state;
    struct answer none = neighbour(NUD_REACHABLE, NULL, 0);
    struct answer zero = neighbour(NUD_REACHABLE, "\0\0\0\0\0\0", MAC_SIZE);
    struct answer group = neighbour(NUD_REACHABLE, "\xff\xff\xff\xff\xff\xff", MAC_SIZE);
    struct answer tunnel = neighbour(NUD_REACHABLE, MAC,
                                     4); /* an IPv4 address, of a tunnel's end */
    assert_int_equal(read_mac(&none), -ENOENT);
    assert_int_equal(read_mac(&zero), -ENOENT);
    assert_int_equal(read_mac(&group), -ENOENT);
    assert_int_equal(read_mac(&tunnel), -ENOENT);
}

/* Whatever is cut off, nothing is read behind the end, and it is no answer. */
static void test_cut_short(void **state)
{
    (void)state;
    const struct answer whole[] = {route(RTN_UNICAST), neighbour(NUD_STALE, MAC, MAC_SIZE)};
    for (unsigned i = 0; i < 2; i++) {
        for (size_t len = 0; len < whole[i].len; len++) {
            struct answer cut = whole[i];
            cut.len = len;
            assert_int_equal(read_route(&cut), -EBADMSG);
            assert_int_equal(read_mac(&cut), -EBADMSG);
        }
    }
    struct answer other = route(RTN_UNICAST);
    assert_int_equal(read_mac(&other), -EBADMSG);
    struct rtattr none = {.rta_len = 0}; /* an attribute of no length would be read forever */
    memcpy(other.bytes + NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct rtmsg)), &none, sizeof none);
    assert_int_equal(read_route(&other), -EBADMSG);
}

/* The real kernel: this machine's own address has no neighbour. */
static void test_of_this_machine(void **state)
{
    (void)state;
    static const char *const OWN[] = {"127.0.0.1", "::1"};
    uint8_t mac[MAC_SIZE] = {9, 9, 9, 9, 9, 9};
    struct addr addr;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(addr_parse(OWN[i], 22, &addr), 0);
        int err = neighbours_mac(&addr, mac);
        assert_true(err == -EHOSTUNREACH || (i == 1 && err < 0)); /* there may be no IPv6 */
        assert_memory_equal(mac, "\0\0\0\0\0\0", MAC_SIZE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_what_is_in_a_network_of_this_machine),
        cmocka_unit_test(test_the_router_on_the_way),
        cmocka_unit_test(test_what_the_kernel_refuses),
        cmocka_unit_test(test_a_mac_that_was_confirmed),
        cmocka_unit_test(test_what_is_no_mac),
        cmocka_unit_test(test_cut_short),
        cmocka_unit_test(test_of_this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
