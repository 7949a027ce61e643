/* How links end: FINs, resets, errors, cuts and silence, in every order. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay_peers.h"

static void after_a_fin_the_other_direction_goes_on(void **state)
{
    struct fixture *f = *state;
    for (int first = 0; first < 2; first++) {
        struct peer peers[2];
        struct link *link = join(f->relay, peers, 0, 0);
        struct peer *early = &peers[first], *late = &peers[1 - first];
        early->to_send = random_below(MIB);
        early->fin = true;
        early->deaf = true;
        settle(peers, 2); /* until late has come to the FIN */
        assert_int_equal(late->got, early->to_send);
        assert_null(relay_take_ended(f->relay));
        early->deaf = false;
        late->to_send = MIB + random_below(MIB);
        late->fin = true;
        settle(peers, 2);
        assert_int_equal(early->got, late->to_send);
        assert_true(early->eof);
        expect_end(f->relay, link, LINK_FINISHED);
        close_both(peers);
    }
}

static void a_fin_waits_for_the_bytes_that_a_stalled_reader_has_not_taken(void **state)
{
    struct fixture *f = *state;
    struct peer peers[2];
    struct link *link = join(f->relay, peers, 4096, 100);
    peers[1].deaf = true;
    peers[0].to_send = 64 * MIB;
    assert_false(pump(peers, 1, QUIET_MS)); /* backpressure: it came to a stop */
    assert_true(peers[0].sent < 8 * MIB);
    peers[0].to_send = peers[0].sent;
    peers[0].fin = true;
    peers[1].deaf = false;
    peers[1].fin = true;
    settle(peers, 2);
    assert_int_equal(peers[1].got, peers[0].sent);
    assert_true(peers[1].eof);
    expect_end(f->relay, link, LINK_FINISHED);
    close_both(peers);
}

static void a_reset_of_one_side_resets_the_other_whatever_came_before(void **state)
{
    struct fixture *f = *state;
    for (int killer = 0; killer < 2; killer++) {
        for (enum before before = QUIET; before < BEFORE_COUNT; before++) {
            struct peer peers[2];
            struct link *link = join(f->relay, peers, before == STALLED ? 4096 : 0, 0);
            bring_about(before, &peers[1 - killer], &peers[killer]);
            assert_null(relay_take_ended(f->relay));
            peer_reset(&peers[killer]);
            expect_reset(&peers[1 - killer]);
            expect_end(f->relay, link, LINK_RESET);
            close_both(peers);
        }
    }
}

static void last_words_before_a_reset_are_delivered(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 4; round++) {
        struct peer peers[2];
        struct link *link = join(f->relay, peers, 4096, 0);
        int killer = round % 2;
        struct peer *victim = &peers[1 - killer];
        peers[killer].deaf = true;
        victim->to_send = 512 * (size_t)MIB;
        assert_false(pump(victim, 1, QUIET_MS)); /* its words would meet a failing send() */
        peers[killer].to_send = 1000;
        peer_send(&peers[killer]);
        size_t said = peers[killer].sent;
        peer_reset(&peers[killer]);
        victim->to_send = victim->sent;
        settle(victim, 1);
        assert_int_equal(victim->got, said);
        assert_int_equal(victim->error, ECONNRESET);
        expect_end(f->relay, link, LINK_RESET);
        close_both(peers);
    }
}

static void a_peer_that_closes_while_it_is_sent_to_ends_the_link(void **state)
{
    struct fixture *f = *state;
    for (int closer = 0; closer < 2; closer++) {
        struct peer peers[2];
        struct link *link = join(f->relay, peers, 0, 0);
        peer_close(&peers[closer]); /* a FIN; an RST once bytes arrive */
        peers[1 - closer].to_send = 64 * MIB;
        settle(peers, 2);
        assert_true(peers[1 - closer].sent < 64 * MIB);
        expect_end(f->relay, link, LINK_RESET);
        close_both(peers);
    }
}

static void a_peer_that_does_not_answer_in_time_is_dead(void **state)
{
    struct fixture *f = *state;
    struct peer peers[2];
    int inner[2], timeout_ms = 200;
    for (int i = 0; i < 2; i++) {
        peers[i] = (struct peer){0};
        connection(4096, &peers[i].fd, &inner[i]);
    }
    /* On loopback nobody is unreachable; a window that stays shut runs out as well. */
    setsockopt(inner[1], IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
    struct link *link;
    assert_int_equal(relay_join(f->relay, inner[0], inner[1], NULL, 0, NULL, &link), 0);
    peers[0].to_send = 64 * MIB;
    settle(peers, 1);
    assert_int_equal(peers[0].error, ECONNRESET);
    struct link *ended = wait_for_end(f->relay);
    assert_int_equal(link_end(ended), LINK_DEAD);
    assert_int_equal(link_error(ended), ETIMEDOUT);
    link_free(ended);
    close_both(peers);
}

static void what_cannot_be_polled_fails_with_its_error(void **state)
{
    struct fixture *f = *state;
    struct peer peer = {0};
    int inner, file = memfd_create("no socket", MFD_CLOEXEC);
    connection(0, &peer.fd, &inner);
    struct link *link;
    assert_int_equal(relay_join(f->relay, inner, file, NULL, 0, NULL, &link), 0);
    struct link *ended = wait_for_end(f->relay);
    assert_ptr_equal(ended, link);
    assert_int_equal(link_end(ended), LINK_FAILED);
    assert_int_equal(link_error(ended), EPERM);
    link_free(ended);
    expect_reset(&peer);
    peer_close(&peer);
}

static void a_cut_resets_both_sides_and_comes_back_once(void **state)
{
    struct fixture *f = *state;
    for (enum before before = QUIET; before < BEFORE_COUNT; before++) {
        struct peer peers[2];
        struct link *link = join(f->relay, peers, before == STALLED ? 4096 : 0, 0);
        bring_about(before, &peers[0], &peers[1]);
        link_cut(link);
        link_cut(link);
        expect_reset(&peers[0]);
        expect_reset(&peers[1]);
        link_cut(link); /* it has ended, but has not been taken */
        expect_end(f->relay, link, LINK_CUT);
        close_both(peers);
    }
}

static void a_cut_right_after_the_join_or_beside_the_end_is_no_race(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 200; round++) {
        struct peer peers[2];
        struct link *link = join(f->relay, peers, 0, random_below(3));
        if (chance(50)) {
            chance(50) ? peer_reset(&peers[0]) : close_both(peers);
            for (size_t spin = random_below(20); spin > 0; spin--) {
                sched_yield(); /* until just before, during or after the worker's round */
            }
        }
        link_cut(link);
        struct link *ended = wait_for_end(f->relay);
        assert_ptr_equal(ended, link);
        link_free(ended);
        assert_null(relay_take_ended(f->relay));
        close_both(peers);
    }
}

static void freeing_a_running_relay_resets_its_links(void **state)
{
    struct fixture *f = *state;
    struct relay *relay;
    struct peer peers[60][2];
    (void)f;
    assert_int_equal(new_relay(3, &relay), 0);
    for (int i = 0; i < 60; i++) {
        join(relay, peers[i], 0, 5);
        peers[i][0].to_send = peers[i][1].to_send = MIB;
        bring_about(i % 3 == 0 ? OWN_FIN : QUIET, &peers[i][1], &peers[i][0]);
        for (int k = 0; k < 2; k++) {
            if (!(i % 3 == 0 && k == 0)) {
                peer_send(&peers[i][k]);
            }
        }
    }
    relay_free(relay);
    for (int i = 0; i < 60; i++) {
        expect_reset(&peers[i][0]);
        close_both(peers[i]);
    }
}

static void ended_links_that_nobody_took_are_freed_with_the_relay(void **state)
{
    struct fixture *f = *state;
    struct peer peers[2];
    join(f->relay, peers, 0, 0);
    close_both(peers);
    struct pollfd wait = {.fd = relay_events_fd(f->relay), .events = POLLIN};
    assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
}

enum { SWEEP_MS = 20 * 1000, DEAD_AFTER_MS = 120 * 1000 };

/* Whether the only link has ended, as dead, when both workers have looked at the clock. */
static bool ended_as_dead(struct relay *relay, struct link *watched)
{
    wait_for_sweeps();
    struct link *ended = relay_take_ended(relay);
    if (!ended) {
        return false;
    }
    assert_ptr_equal(ended, watched);
    assert_int_equal(link_end(ended), LINK_DEAD);
    assert_int_equal(link_error(ended), ETIMEDOUT);
    link_free(ended);
    return true;
}

static void a_link_to_a_peer_that_vanished_ends_as_dead(void **state)
{
    struct fixture *f = *state;
    /* It takes its time, and there are no bytes to be carried in one way or another. */
    for (int closes = mode == USUAL ? 0 : 2; closes < 2; closes++) {
        struct peer peers[2] = {0};
        int inner[2], on = 1;
        for (int i = 0; i < 2; i++) {
            connection(0, &peers[i].fd, &inner[i]);
        }
        if (!kernel_tells_of_tcp(inner[1]) || !may_go_dead()) {
            close_both(peers);
            close(inner[0]);
            close(inner[1]);
            print_message("skipped: no TCP_INFO or filters here\n"); /* skip() would take memory */
            return;
        }
        /* Retransmissions every 200 ms (with Reno), so that the test need not wait for long. */
        setsockopt(inner[1], IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
        setsockopt(inner[1], IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, &on, sizeof on);
        struct link *link;
        assert_int_equal(relay_join(f->relay, inner[0], inner[1], NULL, 0, NULL, &link), 0);
        ping(peers);
        skip_time(2 * DEAD_AFTER_MS); /* silence is not death as long as nothing is owed */
        assert_false(ended_as_dead(f->relay, link));

        go_dead(peers[1].fd);
        peers[0].to_send++;
        closes ? shutdown(peers[0].fd, SHUT_WR) : peer_send(&peers[0]);
        usleep(20 * 1000);
        skip_time(SWEEP_MS);
        assert_false(ended_as_dead(f->relay, link));
        usleep((closes ? 3000 : 1200) * 1000); /* until it was asked often enough */
        skip_time(DEAD_AFTER_MS);
        assert_true(ended_as_dead(f->relay, link));
        expect_reset(&peers[0]);
        close_both(peers);
    }
}

static void a_half_closed_link_that_is_forgotten_ends_as_dead(void **state)
{
    struct fixture *f = *state;
    struct peer peers[2];
    struct link *link = join(f->relay, peers, 0, 0);
    bring_about(OWN_FIN, &peers[1], &peers[0]);
    skip_time(SWEEP_MS);
    assert_false(ended_as_dead(f->relay, link));

    /* It moves in the first hour, so it has a second one. */
    skip_time(59 * 60 * 1000);
    peers[1].to_send = 1;
    peer_send(&peers[1]);
    peer_read_up_to(&peers[0], 1);
    skip_time(2 * 60 * 1000);
    assert_false(ended_as_dead(f->relay, link));
    assert_int_equal(relay_running(f->relay), 1);

    skip_time(61 * 60 * 1000);
    assert_true(ended_as_dead(f->relay, link));
    expect_reset(&peers[1]);
    close_both(peers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RELAY_TEST(after_a_fin_the_other_direction_goes_on),
        RELAY_TEST(a_fin_waits_for_the_bytes_that_a_stalled_reader_has_not_taken),
        RELAY_TEST(a_reset_of_one_side_resets_the_other_whatever_came_before),
        RELAY_TEST(last_words_before_a_reset_are_delivered),
        RELAY_TEST(a_peer_that_closes_while_it_is_sent_to_ends_the_link),
        RELAY_TEST(a_peer_that_does_not_answer_in_time_is_dead),
        RELAY_TEST(what_cannot_be_polled_fails_with_its_error),
        RELAY_TEST(a_cut_resets_both_sides_and_comes_back_once),
        RELAY_TEST(a_cut_right_after_the_join_or_beside_the_end_is_no_race),
        RELAY_TEST(freeing_a_running_relay_resets_its_links),
        RELAY_TEST(ended_links_that_nobody_took_are_freed_with_the_relay),
        RELAY_TEST(a_link_to_a_peer_that_vanished_ends_as_dead),
        RELAY_TEST(a_half_closed_link_that_is_forgotten_ends_as_dead),
    };
    RUN_IN_EVERY_MODE(tests);
    return 0;
}
