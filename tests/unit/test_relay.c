/* How the relay carries bytes: all of them, in order, both ways, fairly, without hoarding. */
#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "data/flow.h"
#include "data/link_core.h"
#include "data/worker.h"
#include "relay_peers.h"

static void bytes_go_both_ways_at_once_and_two_fins_finish_the_link(void **state)
{
    struct fixture *f = *state;
    struct peer peers[2];
    struct link *link = join(f->relay, peers, 0, 0);
    for (int i = 0; i < 2; i++) {
        peers[i].to_send = 8 * MIB + random_below(MIB);
        peers[i].fin = true;
    }
    settle(peers, 2);
    for (int i = 0; i < 2; i++) {
        assert_true(peers[i].eof);
        assert_int_equal(peers[i].error, 0);
        assert_int_equal(peers[i].got, peers[1 - i].to_send);
    }
    struct link *ended = wait_for_end(f->relay);
    assert_ptr_equal(ended, link);
    assert_int_equal(link_end(link), LINK_FINISHED);
    assert_int_equal(link_error(link), 0);
    assert_ptr_equal(link_arg(link), peers);
    assert_int_equal(link_bytes_a_to_b(link), peers[0].to_send);
    assert_int_equal(link_bytes_b_to_a(link), peers[1].to_send);
    link_free(link);
    close_both(peers);
}

static void tiny_buffers_and_random_chunks_lose_nothing(void **state)
{
    struct fixture *f = *state;
    struct peer peers[2];
    struct link *link = join(f->relay, peers, 2048, RELAY_PREFIX_MAX);
    for (int i = 0; i < 2; i++) {
        peers[i].to_send += 300 * 1000 + random_below(100 * 1000);
        peers[i].fin = true;
    }
    settle(peers, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(peers[i].got, peers[1 - i].to_send);
    }
    expect_end(f->relay, link, LINK_FINISHED);
    close_both(peers);
}

static void the_prefix_comes_before_all_other_bytes(void **state)
{
    struct fixture *f = *state;
    for (size_t len = 1; len <= RELAY_PREFIX_MAX; len += len < 4 ? 1 : 1364) {
        struct peer peers[2];
        struct link *link = join(f->relay, peers, 0, len);
        peer_read_up_to(&peers[1], len); /* also if a says nothing more */
        ping(peers);
        assert_int_equal(link_bytes_a_to_b(link), len + 1);
        peers[0].fin = peers[1].fin = true;
        settle(peers, 2);
        expect_end(f->relay, link, LINK_FINISHED);
        close_both(peers);
    }
}

static void a_prefix_that_is_too_long_is_refused_and_the_sockets_stay(void **state)
{
    struct fixture *f = *state;
    int outer, inner;
    struct link *link = NULL;
    connection(0, &outer, &inner);
    int err = relay_join(f->relay, inner, inner, noise, RELAY_PREFIX_MAX + 1, NULL, &link);
    assert_int_equal(err, -EINVAL);
    assert_null(link);
    assert_int_equal(close(inner), 0);
    close(outer);
}

static void a_relay_needs_a_worker(void **state)
{
    (void)state;
    struct relay *relay = NULL;
    assert_int_equal(relay_new(0, &relay), -EINVAL);
    assert_null(relay);
    relay_free(NULL);
    link_free(NULL);
}

static void a_stalled_direction_does_not_stop_the_other(void **state)
{
    struct fixture *f = *state;
    struct peer peers[2];
    struct link *link = join(f->relay, peers, 0, 0);
    peers[1].deaf = true;
    peers[0].to_send = 512 * (size_t)MIB;
    assert_false(pump(peers, 2, QUIET_MS));
    peers[1].to_send = 4 * MIB;
    while (peers[0].got < peers[1].to_send) {
        pump(peers, 2, QUIET_MS);
    }
    peers[0].to_send = peers[0].sent;
    peers[1].deaf = false;
    peers[0].fin = peers[1].fin = true;
    settle(peers, 2);
    assert_int_equal(peers[1].got, peers[0].sent);
    expect_end(f->relay, link, LINK_FINISHED);
    close_both(peers);
}

static void what_a_link_hears_first_is_kept_as_long_as_it_is_all(void **state)
{
    static const size_t LENGTHS[] = {0, 1, LINK_HEAD_MAX, LINK_HEAD_MAX + 1, 3 * LINK_HEAD_MAX};
    struct fixture *f = *state;
    size_t len;
    for (size_t i = 0; i < sizeof LENGTHS / sizeof *LENGTHS; i++) {
        struct peer peers[2];
        bool all = LENGTHS[i] <= LINK_HEAD_MAX && LENGTHS[i] > 0;
        relay_keep_heads(f->relay);
        struct link *link = join(f->relay, peers, 0, 10);
        peers[0].to_send = 500; /* the other direction does not matter */
        peers[1].to_send = LENGTHS[i];
        peers[0].fin = peers[1].fin = true;
        settle(peers, 2);
        assert_ptr_equal(wait_for_end(f->relay), link);
        const void *head = link_head(link, &len);
        /* Spliced from the second chunk on, it is known only if it came in one. */
        if (all && (mode == USUAL || mode == COPIED)) {
            assert_int_equal(len, LENGTHS[i]);
        }
        assert_true(len == 0 || len == LENGTHS[i]);
        assert_memory_equal(head ? head : "", noise + peers[1].out_at, len);
        assert_true(all || len == 0);
        link_free(link);
        close_both(peers);
    }
}

static void a_head_that_is_outgrown_is_given_back(void **state)
{
    struct fixture *f = *state;
    struct peer peers[2];
    relay_keep_heads(f->relay);
    struct link *link = join(f->relay, peers, 0, 0);
    ping(peers);
    long before = blocks_in_use();
    peers[1].to_send = peers[1].sent + LINK_HEAD_MAX;
    while (peers[1].sent < peers[1].to_send) {
        peer_send(&peers[1]);
    }
    peer_read_up_to(&peers[0], peers[1].sent);
    if (mode == USUAL || mode == COPIED) { /* the others may have taken a pipe meanwhile */
        assert_int_equal(blocks_in_use(), before - 1);
    }
    peers[0].fin = peers[1].fin = true;
    settle(peers, 2);
    expect_end(f->relay, link, LINK_FINISHED);
    close_both(peers);
}

static void an_idle_link_holds_no_buffer(void **state)
{
    enum { SLUICES = 2 }; /* of a link that carried bulk, one for each direction */
    struct fixture *f = *state;
    struct peer peers[2];
    struct link *link = join(f->relay, peers, 2048, 10);
    ping(peers);
    ping(peers);
    long idle = blocks_in_use();
    for (int i = 0; i < 2; i++) {
        peers[i].deaf = true;
        peers[i].to_send = 64 * MIB;
    }
    assert_false(pump(peers, 2, QUIET_MS));
    for (int i = 0; i < 2; i++) {
        peers[i].deaf = false;
        peers[i].to_send = peers[i].sent;
    }
    peer_read_up_to(&peers[0], peers[1].sent);
    peer_read_up_to(&peers[1], peers[0].sent);
    ping(peers);
    ping(peers);
    long pipes = mode == COPIED ? 0 : 2; /* at most: those are back in the pool */
    assert_in_range(blocks_in_use(), idle + SLUICES, idle + SLUICES + pipes);
    peers[0].fin = peers[1].fin = true;
    settle(peers, 2);
    expect_end(f->relay, link, LINK_FINISHED);
    close_both(peers);
}

static void urgent_data_keeps_its_place_in_the_stream(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 50; round++) {
        struct peer peers[2];
        struct link *link = join(f->relay, peers, 0, 0);
        size_t at = peers[0].out_at % (NOISE_SIZE - 3000);
        peers[0].out_at = peers[1].in_at = at;
        assert_int_equal(send(peers[0].fd, noise + at, 1000, 0), 1000);
        assert_int_equal(send(peers[0].fd, noise + at + 1000, 500, MSG_OOB), 500);
        assert_int_equal(send(peers[0].fd, noise + at + 1500, 1500, 0), 1500);
        peers[0].sent = peers[0].to_send = 3000;
        peer_read_up_to(&peers[1], 3000);
        peers[0].fin = peers[1].fin = true;
        settle(peers, 2);
        expect_end(f->relay, link, LINK_FINISHED);
        close_both(peers);
    }
}

static void two_hundred_links_at_once_are_all_served(void **state)
{
    struct fixture *f = *state;
    enum { LINKS = 200 };
    static struct peer peers[LINKS][2];
    for (int i = 0; i < LINKS; i++) {
        join(f->relay, peers[i], i % 4 == 0 ? SMALL_BUFFER : 0, (size_t)i);
        for (int k = 0; k < 2; k++) {
            peers[i][k].to_send += random_below(100 * 1000);
            peers[i][k].fin = true;
        }
    }
    assert_int_equal(relay_running(f->relay), LINKS);
    settle(&peers[0][0], 2 * LINKS);
    for (int i = 0; i < LINKS; i++) {
        struct link *link = wait_for_end(f->relay);
        struct peer *pair = link_arg(link);
        assert_int_equal(link_end(link), LINK_FINISHED);
        for (int k = 0; k < 2; k++) {
            assert_true(pair[k].eof);
            assert_int_equal(pair[k].got, pair[1 - k].to_send);
        }
        assert_int_equal(link_bytes_a_to_b(link), pair[0].to_send);
        assert_int_equal(link_bytes_b_to_a(link), pair[1].to_send);
        link_free(link);
        close_both(pair);
    }
    assert_int_equal(relay_running(f->relay), 0);
}

/* Local sockets: they hold more than a turn's share, all of it readable at once. */
static void one_turn_of_a_flow_moves_its_share_and_no_more(void **state)
{
    (void)state;
    enum { QUEUED = 390 * 1000, BUFFER = 64 * 1024, SHARE = 256 * 1024 };
    static uint8_t buffer[BUFFER];
    int in[2], out[2], space = 2 * QUEUED;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, in), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, out), 0);
    setsockopt(in[0], SOL_SOCKET, SO_SNDBUF, &space, sizeof space);
    setsockopt(out[0], SOL_SOCKET, SO_SNDBUF, &space, sizeof space);
    assert_int_equal(send(in[0], noise, QUEUED, 0), QUEUED);

    struct side from = {.fd = in[1], .readable = true}, to = {.fd = out[0], .writable = true};
    struct flow_kit kit = {.bulk_step = SIZE_MAX, .buffer = buffer, .size = BUFFER};
    struct flow flow;
    flow_init(&flow, &from, &to);
    assert_int_equal(flow_run(&flow, &kit),
                     FLOW_MORE); /* the first one only shows that it is bulk */
    uint64_t first = flow.bytes;
    assert_in_range(first, 1, BUFFER);
    assert_int_equal(flow_run(&flow, &kit), FLOW_MORE);
    assert_in_range(flow.bytes - first, SHARE, SHARE + BUFFER - 1);
    assert_int_equal(flow_run(&flow, &kit), FLOW_WAITS);
    assert_int_equal(flow.bytes, QUEUED);
    assert_false(from.readable); /* it waits because it had all */
    flow_done(&flow);
    for (int i = 0; i < 2; i++) {
        close(in[i]);
        close(out[i]);
    }
}

static void bulk_links_do_not_starve_a_quiet_one(void **state)
{
    struct fixture *f = *state;
    struct relay *relay;
    struct peer bulk[8][2], quiet[2];
    (void)f;
    assert_int_equal(new_relay(1, &relay), 0);
    for (int i = 0; i < 8; i++) {
        join(relay, bulk[i], 0, 0);
        bulk[i][0].to_send = bulk[i][1].to_send = SIZE_MAX;
    }
    join(relay, quiet, 0, 0);
    size_t most_between = 0;
    for (int round = 0; round < 10; round++) {
        size_t before = 0, after = 0;
        quiet[0].to_send++;
        peer_send(&quiet[0]);
        for (int i = 0; i < 8; i++) {
            before += bulk[i][0].got + bulk[i][1].got;
        }
        while (quiet[1].got < quiet[0].sent) {
            for (int i = 0; i < 8; i++) {
                for (int k = 0; k < 2; k++) {
                    peer_send(&bulk[i][k]);
                    peer_recv(&bulk[i][k]);
                }
            }
            peer_recv(&quiet[1]);
            assert_int_equal(quiet[1].error, 0);
        }
        for (int i = 0; i < 8; i++) {
            after += bulk[i][0].got + bulk[i][1].got;
        }
        most_between = after - before > most_between ? after - before : most_between;
    }
    assert_true(most_between < 128 * MIB);
    relay_free(relay);
    for (int i = 0; i < 8; i++) {
        close_both(bulk[i]);
    }
    close_both(quiet);
}

static uint64_t cpu_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void nothing_spins_while_links_wait(void **state)
{
    struct fixture *f = *state;
    struct peer peers[BEFORE_COUNT][2];
    for (enum before before = QUIET; before < BEFORE_COUNT; before++) {
        join(f->relay, peers[before], before == STALLED ? 4096 : 0, 0);
        bring_about(before, &peers[before][0], &peers[before][1]);
    }
    uint64_t before_ms = cpu_ms();
    struct pollfd wait = {.fd = relay_events_fd(f->relay), .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 200), 0);
    assert_true(cpu_ms() - before_ms < 50);
    for (int i = 0; i < BEFORE_COUNT; i++) {
        close_both(peers[i]);
    }
}

static void the_events_descriptor_is_readable_exactly_while_ended_links_wait(void **state)
{
    struct fixture *f = *state;
    struct pollfd wait = {.fd = relay_events_fd(f->relay), .events = POLLIN};
    struct peer peers[5][2];
    assert_null(relay_take_ended(f->relay));
    for (int i = 0; i < 5; i++) {
        join(f->relay, peers[i], 0, 0);
    }
    assert_int_equal(relay_running(f->relay), 5);
    assert_int_equal(poll(&wait, 1, 0), 0);
    for (int i = 0; i < 5; i++) {
        close_both(peers[i]);
    }
    for (int i = 0; i < 5; i++) {
        link_free(wait_for_end(f->relay));
    }
    assert_int_equal(poll(&wait, 1, 0), 0);
    assert_null(relay_take_ended(f->relay));
    assert_int_equal(relay_running(f->relay), 0);
}

struct hang {
    sem_t begun, over;
};

static void hang_on_ended(void *arg, struct link *link)
{
    struct hang *hang = arg;
    link_free(link);
    sem_post(&hang->begun);
    sem_wait(&hang->over);
}

/* One that hangs in its callback stands for one that hangs. */
static void a_worker_that_hangs_is_told_from_one_that_is_idle(void **state)
{
    struct fixture *f = *state;
    const struct relay_tuning tuning = {.bulk_step = SIZE_MAX, .pipe_size = 65536, .pipes = 1};
    struct worker *worker;
    struct link *link;
    struct hang hang;
    int outer[2], inner[2];
    for (int calls = 0; calls < 3; calls += relay_is_alive(f->relay)) {
        usleep(1000);
    }
    sem_init(&hang.begun, 0, 0);
    sem_init(&hang.over, 0, 0);
    assert_int_equal(worker_new(&tuning, hang_on_ended, &hang, &worker), 0);
    for (int calls = 0; calls < 3; calls += worker_is_alive(worker)) {
        usleep(1000);
    }
    for (int i = 0; i < 2; i++) {
        connection(0, &outer[i], &inner[i]);
    }
    assert_int_equal(link_new(inner[0], inner[1], NULL, 0, NULL, &link), 0);
    worker_join(worker, link);
    worker_cut(worker, link);
    sem_wait(&hang.begun);
    worker_is_alive(worker); /* whatever it gave before that */
    assert_false(worker_is_alive(worker));
    usleep(QUIET_MS * 1000);
    assert_false(worker_is_alive(worker));
    sem_post(&hang.over);
    while (!worker_is_alive(worker)) {
        usleep(1000);
    }
    worker_free(worker);
    close(outer[0]);
    close(outer[1]);
}

/*
 * Anything at any time: each peer sends, goes deaf, hears again, says its FIN or
 * resets. Received bytes are always the beginning of what was sent (peer_recv()),
 * and a link that says it finished has delivered everything.
 */
static void random_lives_never_lose_a_byte_in_silence(void **state)
{
    struct fixture *f = *state;
    enum { LINKS = 60, ROUNDS = 12 };
    static struct peer peers[LINKS][2];
    for (int i = 0; i < LINKS; i++) {
        join(f->relay, peers[i], chance(50) ? SMALL_BUFFER : 0, random_below(200));
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < 2 * LINKS; i++) {
            struct peer *peer = &peers[i / 2][i % 2];
            if (peer->fd < 0) {
                continue;
            }
            peer->deaf = chance(30);
            size_t most = chance(50) ? 20 * 1000 : 400 * 1000; /* small talk, and bulk */
            peer->to_send += peer->fin ? 0 : random_below(most);
            peer->fin |= chance(15);
            if (chance(2)) {
                peer_reset(peer);
            }
        }
        pump(&peers[0][0], 2 * LINKS, 5);
    }
    for (int i = 0; i < 2 * LINKS; i++) {
        peers[i / 2][i % 2].deaf = false;
        peers[i / 2][i % 2].fin = true;
    }
    settle(&peers[0][0], 2 * LINKS);
    for (int i = 0; i < LINKS; i++) {
        struct link *link = wait_for_end(f->relay);
        struct peer *pair = link_arg(link);
        assert_true(link_end(link) == LINK_FINISHED || link_end(link) == LINK_RESET);
        for (int k = 0; k < 2 && link_end(link) == LINK_FINISHED; k++) {
            assert_true(pair[k].fd < 0 || (pair[k].eof && pair[k].got == pair[1 - k].sent));
        }
        for (int k = 0; k < 2 && link_end(link) == LINK_RESET; k++) {
            assert_true(pair[0].fd < 0 || pair[1].fd < 0); /* one of them has reset */
        }
        link_free(link);
        close_both(pair);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RELAY_TEST(bytes_go_both_ways_at_once_and_two_fins_finish_the_link),
        RELAY_TEST(tiny_buffers_and_random_chunks_lose_nothing),
        RELAY_TEST(the_prefix_comes_before_all_other_bytes),
        RELAY_TEST(a_prefix_that_is_too_long_is_refused_and_the_sockets_stay),
        RELAY_TEST(a_relay_needs_a_worker),
        RELAY_TEST(a_stalled_direction_does_not_stop_the_other),
        RELAY_TEST(what_a_link_hears_first_is_kept_as_long_as_it_is_all),
        RELAY_TEST(a_head_that_is_outgrown_is_given_back),
        RELAY_TEST(an_idle_link_holds_no_buffer),
        RELAY_TEST(urgent_data_keeps_its_place_in_the_stream),
        RELAY_TEST(two_hundred_links_at_once_are_all_served),
        RELAY_TEST(one_turn_of_a_flow_moves_its_share_and_no_more),
        RELAY_TEST(bulk_links_do_not_starve_a_quiet_one),
        RELAY_TEST(nothing_spins_while_links_wait),
        RELAY_TEST(the_events_descriptor_is_readable_exactly_while_ended_links_wait),
        RELAY_TEST(a_worker_that_hangs_is_told_from_one_that_is_idle),
        RELAY_TEST(random_lives_never_lose_a_byte_in_silence),
    };
    RUN_IN_EVERY_MODE(tests);
    return 0;
}
