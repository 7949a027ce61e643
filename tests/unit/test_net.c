/* Socket addresses and sockets. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/net.h"

enum { PATIENCE_MS = 5000 };

static struct addr addr_of(const char *host, uint16_t port)
{
    struct addr addr;
    assert_int_equal(addr_parse(host, port, &addr), 0);
    return addr;
}

static void addresses_are_read_and_written_in_one_form(void **state)
{
    static const struct {
        const char *read, *host, *whole;
    } ROWS[] = {
        {"203.0.113.7", "203.0.113.7", "203.0.113.7:22"},
        {"FD00::0:1", "fd00::1", "[fd00::1]:22"},
        {"::", "::", "[::]:22"},
        {"::ffff:203.0.113.7", "203.0.113.7", "203.0.113.7:22"}, /* never mapped */
        {"::203.0.113.7", "::203.0.113.7", "[::203.0.113.7]:22"},
        {"1111:2222:3333:4444:5555:6666:7777:8888", "1111:2222:3333:4444:5555:6666:7777:8888",
         "[1111:2222:3333:4444:5555:6666:7777:8888]:22"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        char host[ADDR_HOST_MAX], whole[ADDR_TEXT_MAX];
        struct addr addr = addr_of(ROWS[i].read, 22);
        assert_string_equal(addr_host_text(&addr, host), ROWS[i].host);
        assert_string_equal(addr_text(&addr, whole), ROWS[i].whole);
        assert_int_equal(addr_port(&addr), 22);
        addr_set_port(&addr, 65535);
        assert_int_equal(addr_port(&addr), 65535);
    }
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const ROWS[] = {"",      "a",          "1.2.3",    "127.1",      "1.2.3.4:5",
                                       "[::1]", "fe80::1%lo", "1.2.3.4 ", "0x7f.0.0.1", "01.2.3.4"};
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct addr addr = addr_of("192.0.2.1", 7);
        assert_int_equal(addr_parse(ROWS[i], 1, &addr), -EINVAL);
        assert_int_equal(addr_port(&addr), 7); /* untouched */
    }
}

static void a_kernels_address_is_taken_over_unmapped(void **state)
{
    struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = htons(99)};
    struct sockaddr local = {.sa_family = AF_UNIX};
    struct addr addr, v4 = addr_of("10.1.2.3", 99);
    (void)state;
    memcpy(mapped.sin6_addr.s6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\1\2\3", 16);
    assert_int_equal(addr_from((struct sockaddr *)&mapped, &addr), 0);
    assert_int_equal(addr.sa.sa_family, AF_INET);
    assert_int_equal(addr_len(&addr), sizeof(struct sockaddr_in));
    assert_int_equal(addr_port(&addr), 99);
    assert_true(addr_same_host(&addr, &v4));
    assert_int_equal(addr_from(&local, &addr), -EAFNOSUPPORT);
}

static void a_network_holds_what_agrees_in_its_bits(void **state)
{
    static const struct {
        const char *addr, *network;
        unsigned bits;
        bool inside;
    } ROWS[] = {
        {"10.255.255.255", "10.0.0.0", 8, true},
        {"11.0.0.0", "10.0.0.0", 8, false},
        {"172.31.255.255", "172.16.0.0", 12, true},
        {"172.32.0.0", "172.16.0.0", 12, false},
        {"192.168.1.127", "192.168.1.0", 25, true},
        {"192.168.1.128", "192.168.1.0", 25, false},
        {"1.2.3.4", "1.2.3.4", 32, true},
        {"1.2.3.5", "1.2.3.4", 32, false},
        {"1.2.3.5", "1.2.3.4", 31, true},
        {"1.2.3.4", "9.9.9.9", 0, true},
        {"1.2.3.4", "1.2.3.4", 33, false},
        {"fd00::1", "fc00::", 7, true},
        {"fe00::1", "fc00::", 7, false},
        {"fd00::1", "fd00::", 127, true},
        {"fd00::2", "fd00::", 127, false},
        {"fd00::2", "fd00::2", 128, true},
        {"fd00::2", "fd00::2", 129, false},
        {"fd00::2", "1.2.3.4", 0, false},
        {"1.2.3.4", "::", 0, false},
        {"::ffff:10.1.1.1", "10.0.0.0", 8, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct addr addr = addr_of(ROWS[i].addr, 1), network = addr_of(ROWS[i].network, 2);
        if (addr_in_network(&addr, &network, ROWS[i].bits) != ROWS[i].inside) {
            fail_msg("%s in %s/%u", ROWS[i].addr, ROWS[i].network, ROWS[i].bits);
        }
    }
}

static void a_party_is_an_ipv4_address_or_an_ipv6_network(void **state)
{
    struct addr a = addr_of("2001:db8:1:2::1", 1), b = addr_of("2001:db8:1:2:ffff::", 2),
                c = addr_of("2001:db8:1:3::1", 1), d = addr_of("10.0.0.1", 1),
                e = addr_of("10.0.0.1", 2), f = addr_of("10.0.0.2", 1);
    (void)state;
    assert_true(addr_same_party(&a, &b));
    assert_false(addr_same_host(&a, &b));
    assert_false(addr_same_party(&a, &c));
    assert_true(addr_same_party(&d, &e) && addr_same_host(&d, &e));
    assert_false(addr_same_party(&d, &f));
    assert_false(addr_same_party(&a, &d));
}

/* ---- sockets -------------------------------------------------------------- */

static uint16_t port_of(int fd)
{
    struct sockaddr_storage at;
    socklen_t len = sizeof at;
    struct addr addr;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    assert_int_equal(addr_from((struct sockaddr *)&at, &addr), 0);
    return addr_port(&addr);
}

static void await(int fd, short events)
{
    struct pollfd ready = {.fd = fd, .events = events};
    assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
}

static int tcp_option(int fd, int option)
{
    int value = -1;
    socklen_t len = sizeof value;
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, option, &value, &len), 0);
    return value;
}

static void assert_made_well(int fd)
{
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(tcp_option(fd, TCP_NODELAY), 1);
    int silence_ms = 1000 * (tcp_option(fd, TCP_KEEPIDLE) +
                             tcp_option(fd, TCP_KEEPINTVL) * tcp_option(fd, TCP_KEEPCNT));
    assert_in_range(silence_ms, 90000, 120000);
    assert_int_equal(tcp_option(fd, TCP_USER_TIMEOUT), 0); /* a suspended scp goes on */
    net_end_stalls(fd);
    assert_in_range(tcp_option(fd, TCP_USER_TIMEOUT), silence_ms - 15000, silence_ms);
}

static int connected_to(const char *host, uint16_t port)
{
    struct addr to = addr_of(host, port);
    int fd = net_connect(&to, false);
    assert_true(fd >= 0);
    await(fd, POLLOUT);
    assert_int_equal(net_error(fd), 0);
    return fd;
}

static void a_listener_of_both_families_accepts_ipv4_as_ipv4(void **state)
{
    struct addr peer, loopback = addr_of("127.0.0.1", 0);
    (void)state;
    int listener = net_listen("::", 0, 8);
    assert_true(listener >= 0);
    assert_true(fcntl(listener, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(listener, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(net_accept(listener, &peer), -EAGAIN);
    int client = connected_to("127.0.0.1", port_of(listener));
    await(listener, POLLIN);
    int server = net_accept(listener, &peer);
    assert_true(server >= 0);
    assert_true(addr_same_host(&peer, &loopback));
    assert_int_equal(addr_port(&peer), port_of(client));
    struct addr own;
    assert_int_equal(net_own_end(client, &own), 0);
    assert_true(addr_same_host(&own, &loopback));
    assert_int_equal(addr_port(&own), port_of(client));
    assert_int_equal(net_own_end(-1, &own), -EBADF);
    net_tune(client);
    assert_made_well(client);
    assert_made_well(server);
    close(client);
    close(server);
    close(listener);
}

static void a_port_taken_in_one_family_is_taken(void **state)
{
    (void)state;
    int v4 = net_listen("127.0.0.1", 0, 1);
    assert_true(v4 >= 0);
    assert_int_equal(net_listen("127.0.0.1", port_of(v4), 1), -EADDRINUSE);
    assert_int_equal(net_listen("0.0.0.0", port_of(v4), 1), -EADDRINUSE);
    assert_int_equal(net_listen("::", port_of(v4), 1), -EADDRINUSE);
    close(v4);
    int both = net_listen("::", 0, 1);
    assert_int_equal(net_listen("0.0.0.0", port_of(both), 1), -EADDRINUSE);
    close(both);
}

static void a_bad_address_to_listen_on_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(net_listen("localhost", 0, 1), -EINVAL);
    assert_int_equal(net_listen("192.0.2.1", 0, 1), -EADDRNOTAVAIL);
    assert_int_equal(net_listen("2001:db8::1", 0, 1) < 0, 1);
}

static void a_refused_connection_is_an_error_at_once_or_later(void **state)
{
    (void)state;
    int listener = net_listen("127.0.0.1", 0, 1);
    struct addr to = addr_of("127.0.0.1", port_of(listener));
    close(listener);
    int fd = net_connect(&to, false);
    if (fd >= 0) {
        await(fd, POLLOUT);
        int err = net_error(fd);
        close(fd);
        fd = err;
    }
    assert_int_equal(fd, -ECONNREFUSED);
    assert_int_equal(net_error(-1), -EBADF);
}

/* Whether the kernel has MPTCP or not, and whichever of the two knows it. */
static void several_paths_serve_who_knows_one(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        bool listens = i & 1, connects = i & 2;
        struct addr peer;
        char byte = 0;
        int listener = listens ? net_listen_multipath("127.0.0.1", 0, 1)
                               : net_listen("127.0.0.1", 0, 1);
        assert_true(listener >= 0);
        struct addr to = addr_of("127.0.0.1", port_of(listener));
        int client = connects ? net_connect_multipath(&to) : net_connect(&to, false);
        assert_true(client >= 0);
        await(listener, POLLIN);
        int server = net_accept(listener, &peer);
        await(client, POLLOUT);
        assert_int_equal(net_error(client), 0);
        assert_int_equal(send(client, "x", 1, 0), 1);
        await(server, POLLIN);
        assert_int_equal(recv(server, &byte, 1, 0), 1);
        assert_int_equal(byte, 'x');
        close(server);
        close(client);
        close(listener);
    }
}

static void a_reset_reaches_the_peer_as_one(void **state)
{
    struct addr peer;
    char byte;
    (void)state;
    int listener = net_listen("127.0.0.1", 0, 1);
    int client = connected_to("127.0.0.1", port_of(listener));
    await(listener, POLLIN);
    net_reset(net_accept(listener, &peer));
    await(client, POLLIN);
    assert_int_equal(recv(client, &byte, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    close(client);
    close(listener);
}

static void public_addresses_are_told_from_others(void **state)
{
    static const char *const PUBLIC[] = {"203.0.113.7", "8.8.8.8",     "172.32.0.1", "100.128.0.1",
                                         "2001:db8::1", "2a01:4f8::1", "11.0.0.1"};
    static const char *const OTHERS[] = {
        "10.1.2.3",   "172.16.0.1", "172.31.255.255", "192.168.1.1",     "127.0.0.1", "169.254.1.1",
        "100.64.0.1", "0.0.0.0",    "224.0.0.1",      "255.255.255.255", "::1",       "::",
        "fd00::1",    "fe80::1",    "ff02::1",        "::ffff:10.0.0.1"};
    struct addr addr;
    (void)state;
    for (size_t i = 0; i < sizeof PUBLIC / sizeof *PUBLIC; i++) {
        assert_int_equal(addr_parse(PUBLIC[i], 0, &addr), 0);
        assert_true(addr_is_public(&addr));
    }
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++) {
        assert_int_equal(addr_parse(OTHERS[i], 0, &addr), 0);
        if (addr_is_public(&addr)) {
            fail_msg("%s is taken for a public address", OTHERS[i]);
        }
    }
    static const char *const WORDS[][2] = {
        {"192.168.1.22", "private"},
        {"fd00::1", "private"},
        {"100.100.1.1", "NAT"},
        {"127.0.0.1", "itself"},
        {"::1", "itself"},
        {"fe80::1", "link-local"},
        {"10.0.0.1", "private"},
        {"169.254.9.9", "link-local"},
        {"224.0.0.1", "not an address"},
    };
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
        assert_int_equal(addr_parse(WORDS[i][0], 0, &addr), 0);
        assert_non_null(strstr(addr_not_public(&addr), WORDS[i][1]));
    }
}

/* In a process of its own, whose descriptors may go. Returns what ran wrong, 0: nothing. */
static int live_without_descriptors(void)
{
    char byte = 'x';
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        close(fd);
    }
    net_keep_standard_descriptors();
    int fd = net_listen("127.0.0.1", 0, 1);
    for (int held = STDIN_FILENO; held <= STDERR_FILENO; held++) {
        if (fcntl(held, F_GETFD) < 0 || write(held, &byte, 1) >= 0 || read(held, &byte, 1) >= 0) {
            return 1 + held;
        }
    }
    return fd > STDERR_FILENO ? 0 : 10;
}

static void no_socket_takes_the_place_of_stderr(void **state)
{
    int status;
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(live_without_descriptors());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    int before = dup(STDIN_FILENO), after;
    net_keep_standard_descriptors(); /* takes nothing where nothing is missing */
    after = dup(STDIN_FILENO);
    assert_int_equal(after, before + 1);
    close(before);
    close(after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_and_written_in_one_form),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(public_addresses_are_told_from_others),
        cmocka_unit_test(a_kernels_address_is_taken_over_unmapped),
        cmocka_unit_test(a_network_holds_what_agrees_in_its_bits),
        cmocka_unit_test(a_party_is_an_ipv4_address_or_an_ipv6_network),
        cmocka_unit_test(a_listener_of_both_families_accepts_ipv4_as_ipv4),
        cmocka_unit_test(a_port_taken_in_one_family_is_taken),
        cmocka_unit_test(a_bad_address_to_listen_on_is_an_error),
        cmocka_unit_test(a_refused_connection_is_an_error_at_once_or_later),
        cmocka_unit_test(several_paths_serve_who_knows_one),
        cmocka_unit_test(a_reset_reaches_the_peer_as_one),
        cmocka_unit_test(no_socket_takes_the_place_of_stderr),
    };
    return cmocka_run_group_tests_name("net", tests, NULL, NULL);
}
