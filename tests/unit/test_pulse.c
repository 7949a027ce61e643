/* Whether a peer is taken for gone: only one that owes an answer, for long, and was asked often. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/net.h"
#include "data/pulse.h"
#include "relay_peers.h"

enum {
    START_MS = 1000,
    LIMIT_MS = NET_DEAD_AFTER_S * 1000,
    ASKED_US = 4 * 1000 * 1000, /* by then, four questions were asked: 0.2 + 0.4 + 0.8 + 1.6 s */
};

/* The relay's socket, its peer, and what the relay knows. */
struct patient {
    int fd, peer;
    uint64_t sent;
    struct pulse pulse;
};

static struct patient admit(int buffer)
{
    struct patient patient = {0};
    connection(buffer, &patient.peer, &patient.fd);
    return patient;
}

static void discharge(struct patient *patient)
{
    close(patient->fd);
    close(patient->peer);
}

static bool is_gone(struct patient *patient, uint64_t now_ms)
{
    return pulse_is_gone(&patient->pulse, patient->fd, patient->sent, now_ms);
}

static void tell(struct patient *patient)
{
    assert_int_equal(send(patient->fd, "x", 1, MSG_NOSIGNAL), 1);
    patient->sent++;
}

/* Until the peer's window is closed and the socket is full. */
static void fill(struct patient *patient)
{
    struct pollfd wait = {.fd = patient->fd, .events = POLLOUT};
    while (poll(&wait, 1, QUIET_MS) > 0) {
        ssize_t sent = send(patient->fd, noise, sizeof noise, MSG_NOSIGNAL);
        patient->sent += sent > 0 ? (uint64_t)sent : 0;
    }
}

static void a_silent_peer_that_owes_nothing_lives(void **state)
{
    (void)state;
    if (!may_go_dead()) {
        skip();
    }
    struct patient patient = admit(0);
    go_dead(patient.peer);
    for (uint64_t now = START_MS; now < 10 * LIMIT_MS; now += LIMIT_MS / 2) {
        assert_false(is_gone(&patient, now));
    }
    discharge(&patient);
}

static void a_peer_that_acknowledges_lives_however_late_it_is_looked_at(void **state)
{
    (void)state;
    struct patient patient = admit(0);
    for (uint64_t now = START_MS; now < 10 * LIMIT_MS; now += 2 * LIMIT_MS) {
        tell(&patient);
        assert_false(is_gone(&patient, now));
        tell(&patient);
        struct tcp_info info = {.tcpi_unacked = 1};
        while (info.tcpi_unacked > 0) {
            socklen_t len = sizeof info;
            getsockopt(patient.fd, IPPROTO_TCP, TCP_INFO, &info, &len);
        }
        assert_false(is_gone(&patient, now + LIMIT_MS));
        assert_int_equal(patient.pulse.since_ms, 0);
    }
    discharge(&patient);
}

static void a_paused_peer_lives_and_one_that_vanished_is_gone(void **state)
{
    (void)state;
    if (!may_go_dead()) {
        skip();
    }
    struct patient paused = admit(4096), vanished = admit(0), vanished_in_pause = admit(4096);
    fill(&paused);
    fill(&vanished_in_pause);
    go_dead(vanished.peer);
    go_dead(vanished_in_pause.peer);
    tell(&vanished);
    assert_false(is_gone(&paused, START_MS));
    assert_false(is_gone(&vanished, START_MS));
    assert_false(is_gone(&vanished_in_pause, START_MS));
    usleep(ASKED_US);

    /* Early, the questions do not count, however many they were. */
    assert_false(is_gone(&vanished, START_MS + LIMIT_MS - 1));
    assert_false(is_gone(&vanished_in_pause, START_MS + LIMIT_MS - 1));
    assert_true(is_gone(&vanished, START_MS + LIMIT_MS));
    assert_true(is_gone(&vanished_in_pause, START_MS + LIMIT_MS));
    /* One that answers them is not gone, even if nobody looked at that for an hour. */
    assert_false(is_gone(&paused, START_MS + 3600 * 1000));
    assert_false(is_gone(&paused, START_MS + 2 * 3600 * 1000));

    discharge(&paused);
    discharge(&vanished);
    discharge(&vanished_in_pause);
}

static void what_is_no_tcp_socket_is_not_gone(void **state)
{
    (void)state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    struct patient patient = {.fd = pair[0], .peer = pair[1]};
    tell(&patient);
    assert_false(is_gone(&patient, START_MS));
    assert_false(is_gone(&patient, START_MS + 2 * LIMIT_MS));
    discharge(&patient);
}

static bool can_be_tested(void)
{
    struct patient patient = admit(0);
    bool can = kernel_tells_of_tcp(patient.fd);
    discharge(&patient);
    return can;
}

int main(void)
{
    enum { SKIPPED = 77 }; /* as Meson has it */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silent_peer_that_owes_nothing_lives),
        cmocka_unit_test(a_peer_that_acknowledges_lives_however_late_it_is_looked_at),
        cmocka_unit_test(a_paused_peer_lives_and_one_that_vanished_is_gone),
        cmocka_unit_test(what_is_no_tcp_socket_is_not_gone),
    };
    return can_be_tested() ? cmocka_run_group_tests(tests, start_randomness, NULL) : SKIPPED;
}
