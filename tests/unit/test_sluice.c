/* What a flow's two sockets are told, by what the kernel says of them. */
#include <errno.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/clock.h"
#include "data/sluice.h"

#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72
#endif

/* ---- the kernel ------------------------------------------------------------- */

enum { FROM = 100, TO = 101, KIB = 1024, MIB = 1024 * 1024, NOT_SET = -1 };
enum { NEAR_US = 100, FAR_US = 100 * 1000, CLAMP_OFF = 1 << 30 };

static struct kernel {
    uint64_t now_us;
    struct tcp_info from, to;
    uint32_t held, size;     /* of the receive buffer of FROM */
    uint32_t queued, sndbuf; /* of the send buffer of TO */
    bool old;                /* knows no SO_BUF_LOCK */
    bool curt;               /* answers TCP_INFO with an int, as emulators do */
    long clamp, room, locked, unsent;
    unsigned calls;
} kernel;

uint64_t __wrap_clock_us(void);
int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t len);
int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *len);

uint64_t __wrap_clock_us(void)
{
    return kernel.now_us;
}

int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
    uint32_t number;
    kernel.calls++;
    assert_int_equal(len, sizeof number);
    memcpy(&number, value, sizeof number);
    if (level == IPPROTO_TCP && option == TCP_WINDOW_CLAMP && fd == FROM) {
        kernel.clamp = number;
    } else if (level == IPPROTO_TCP && option == TCP_NOTSENT_LOWAT && fd == TO) {
        kernel.unsent = number;
    } else if (level == SOL_SOCKET && option == SO_RCVBUF && fd == FROM) {
        kernel.room = number;
        kernel.size = 2 * number;
        kernel.locked = 2;
    } else if (level == SOL_SOCKET && option == SO_BUF_LOCK && fd == FROM) {
        if (kernel.old) {
            errno = ENOPROTOOPT;
            return -1;
        }
        kernel.locked = number;
    } else {
        fail_msg("an option that nobody expects: %d, %d of %d", level, option, fd);
    }
    return 0;
}

int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *len)
{
    uint32_t memory[SK_MEMINFO_VARS] = {
        [SK_MEMINFO_RMEM_ALLOC] = kernel.held,
        [SK_MEMINFO_RCVBUF] = kernel.size,
        [SK_MEMINFO_WMEM_QUEUED] = kernel.queued,
        [SK_MEMINFO_SNDBUF] = kernel.sndbuf,
    };
    kernel.calls++;
    if (level == IPPROTO_TCP && option == TCP_INFO && kernel.curt) {
        memset(value, 1, sizeof(int));
        *len = sizeof(int);
        return 0;
    }
    if (level == IPPROTO_TCP && option == TCP_INFO) {
        memcpy(value, fd == FROM ? &kernel.from : &kernel.to, *len);
        return 0;
    }
    assert_int_equal(level, SOL_SOCKET);
    assert_int_equal(option, SO_MEMINFO);
    memcpy(value, memory, *len);
    return 0;
}

/* ---- a flow ----------------------------------------------------------------- */

struct fixture {
    struct sluice *sluice;
    struct sluice_view view;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){.view = {FROM, TO, 0}};
    kernel = (struct kernel){.now_us = 1000000, .size = 128 * KIB, .sndbuf = 1 * MIB};
    kernel.clamp = kernel.room = kernel.locked = kernel.unsent = NOT_SET;
    kernel.from.tcpi_min_rtt = kernel.to.tcpi_min_rtt = NEAR_US;
    kernel.from.tcpi_advmss = 1460;
    kernel.to.tcpi_snd_cwnd = 100;
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    sluice_free(f->sluice);
    return 0;
}

/* The flow has shown that it is bulk. */
static void begin(struct fixture *f)
{
    f->view.bytes = SLUICE_FROM_BYTES;
    f->sluice = sluice_new(&f->view);
    assert_non_null(f->sluice);
}

/* A turn after so long, in which so much went on. */
static void turn(struct fixture *f, uint64_t after_us, uint64_t bytes, bool full)
{
    kernel.now_us += after_us;
    f->view.bytes += bytes;
    sluice_before(f->sluice, &f->view);
    sluice_after(f->sluice, &f->view, full);
}

enum { MBIT = 1000 * 1000 / 8, LOOK_US = 25 * 1000 };

/* So many looks in which the writing side was full and sent at that rate. */
static void run(struct fixture *f, unsigned looks, uint64_t rate, uint64_t look_us)
{
    for (unsigned i = 0; i < looks; i++) {
        turn(f, look_us, rate * look_us / 1000000, true);
    }
}

/* Left to itself it had nothing more to send, though there was room. */
static void starve(struct fixture *f, uint64_t rate, uint64_t look_us)
{
    turn(f, look_us / 2, rate * look_us / 2000000, false);
    turn(f, look_us, rate * look_us / 1000000, true);
}

/* ---- tests ------------------------------------------------------------------ */

static void a_flow_that_never_fills_its_side_costs_no_call(void **state)
{
    struct fixture *f = *state;
    kernel.from.tcpi_min_rtt = FAR_US;
    begin(f);
    unsigned calls = kernel.calls;
    for (int i = 0; i < 1000; i++) {
        turn(f, 50 * 1000, 100, false);
    }
    assert_int_equal(kernel.calls, calls);
    assert_int_equal(kernel.clamp, NOT_SET);
    assert_int_equal(kernel.locked, NOT_SET);
    assert_int_equal(sluice_step(f->sluice, MIB), MIB);
}

static void a_sender_that_is_near_is_held_from_the_start(void **state)
{
    begin(*state);
    assert_int_equal(kernel.clamp, 8 * KIB);
    assert_int_equal(kernel.locked, 2);
    assert_int_equal(kernel.room, NOT_SET); /* what is on its way would be dropped */
}

static void two_segments_fit_whatever_their_size(void **state)
{
    kernel.from.tcpi_advmss = 65483; /* loopback */
    begin(*state);
    assert_int_equal(kernel.clamp, 2 * 65483);
}

static void what_a_kernel_does_not_say_holds_nobody_back(void **state)
{
    kernel.curt = true;
    begin(*state);
    run(*state, 10, 100 * MBIT, LOOK_US);
    assert_int_equal(kernel.clamp, NOT_SET);
    assert_int_equal(kernel.locked, NOT_SET);
    assert_int_equal(kernel.unsent, NOT_SET);
}

static void a_slow_side_gets_a_margin_of_what_it_sends(void **state)
{
    struct fixture *f = *state;
    begin(f);
    run(f, 10, 100 * MBIT, LOOK_US);
    /* 5 ms of it, and as a window half of that with the round trip. */
    assert_in_range(kernel.unsent, 60 * KIB, 63 * KIB);
    assert_in_range(kernel.clamp, 30 * KIB, 33 * KIB);
    assert_int_equal(sluice_step(f->sluice, MIB), kernel.unsent);
    run(f, 10, 1 * MBIT, LOOK_US);
    assert_int_equal(kernel.unsent, 8 * KIB);
    assert_int_equal(kernel.clamp, 8 * KIB);
    assert_int_equal(sluice_send_flags(f->sluice), MSG_EOR);
}

static void what_only_filled_the_socket_is_no_rate(void **state)
{
    struct fixture *f = *state;
    begin(f);
    turn(f, 0, 0, true);
    for (int i = 0; i < 10; i++) { /* takes in 100 KiB a look, sends nothing of it */
        kernel.to.tcpi_notsent_bytes += 100 * KIB;
        turn(f, LOOK_US, 100 * KIB, true);
    }
    assert_int_equal(kernel.clamp, 8 * KIB);
    assert_true(kernel.unsent <= 32 * KIB);
}

static void a_full_buffer_is_made_smaller_only_when_nothing_is_on_its_way(void **state)
{
    struct fixture *f = *state;
    begin(f);
    kernel.held = kernel.size;
    turn(f, LOOK_US - 50, 10 * KIB, true);
    turn(f, 50, 0, true); /* 50 us after the last turn read something */
    turn(f, LOOK_US - 50, 10 * KIB, true);
    kernel.room = NOT_SET;
    turn(f, 50, 10 * KIB, true);
    assert_int_equal(kernel.room, NOT_SET);
    kernel.size = kernel.held = 128 * KIB;
    run(f, 2, 1 * MBIT, LOOK_US);
    assert_int_equal(kernel.room, 8 * KIB);
    assert_int_equal(kernel.locked, 2);
}

static void a_far_sender_has_a_round_trip_under_way_and_its_buffer_stays(void **state)
{
    struct fixture *f = *state;
    kernel.from.tcpi_min_rtt = FAR_US;
    kernel.size = kernel.held = 0;
    begin(f);
    run(f, 10, 100 * MBIT, FAR_US + 1);
    uint32_t under_way = 100 * MBIT / 10, margin = 100 * MBIT / 200;
    assert_in_range(kernel.clamp, under_way + margin - 200, under_way + margin);
    kernel.held = 6 * MIB; /* grew while it was open */
    run(f, 1, 100 * MBIT, FAR_US + 1);
    assert_in_range(kernel.clamp, under_way / 2 - 200, under_way / 2); /* it drains */
    assert_int_equal(kernel.room, NOT_SET);
}

static void a_fast_side_is_let_go(void **state)
{
    struct fixture *f = *state;
    begin(f);
    run(f, 12, 10000 * (uint64_t)MBIT, LOOK_US);
    assert_int_equal(kernel.clamp, CLAMP_OFF);
    assert_int_equal(kernel.locked, 0);
    assert_true(kernel.unsent == NOT_SET || kernel.unsent == 0);
    assert_int_equal(sluice_send_flags(f->sluice), 0);
    assert_int_equal(sluice_step(f->sluice, MIB), MIB);
    unsigned calls = kernel.calls;
    for (int i = 0; i < 1000; i++) {
        turn(f, 20, 64 * KIB, true);
    }
    assert_in_range(kernel.calls - calls, 0, 6); /* a look, after 20 ms */
}

static void a_side_that_starves_gets_more(void **state)
{
    struct fixture *f = *state;
    begin(f);
    run(f, 5, 20 * MBIT, LOOK_US);
    long clamp = kernel.clamp, unsent = kernel.unsent;
    starve(f, 20 * MBIT, LOOK_US);
    starve(f, 20 * MBIT, LOOK_US);
    assert_true(kernel.clamp >= 2 * clamp);
    assert_true(kernel.unsent >= 2 * unsent);
    for (int i = 0; i < 50; i++) { /* a slow sender: that the window is small is not why */
        starve(f, 20 * MBIT, LOOK_US);
    }
    assert_true(kernel.clamp <= 8 * 64 * KIB);
}

static void a_far_side_that_starves_is_opened(void **state)
{
    struct fixture *f = *state;
    kernel.from.tcpi_min_rtt = FAR_US;
    begin(f);
    run(f, 5, 20 * MBIT, FAR_US + 1);
    assert_int_equal(kernel.locked, 2);
    starve(f, 20 * MBIT, FAR_US + 1);
    assert_int_equal(kernel.locked, 0);
    assert_int_equal(kernel.clamp, CLAMP_OFF);
}

/* wmem_max: all of a buffer is under way, and nothing can be unsent. */
static void a_side_with_a_full_buffer_does_not_starve(void **state)
{
    struct fixture *f = *state;
    kernel.from.tcpi_min_rtt = FAR_US;
    begin(f);
    run(f, 5, 200 * MBIT, FAR_US + 1);
    kernel.queued = kernel.sndbuf * 2 / 3;
    starve(f, 200 * MBIT, FAR_US + 1);
    assert_int_equal(kernel.locked, 2);
}

static void who_takes_nothing_for_a_while_keeps_what_it_had(void **state)
{
    struct fixture *f = *state;
    begin(f);
    run(f, 10, 50 * MBIT, LOOK_US);
    long clamp = kernel.clamp, unsent = kernel.unsent;
    for (int i = 0; i < 60; i++) {
        turn(f, 1000 * 1000, 0, true);
    }
    assert_int_equal(kernel.clamp, clamp);
    assert_int_equal(kernel.unsent, unsent);
}

static void a_growing_congestion_window_is_fed_ahead(void **state)
{
    struct fixture *f = *state;
    begin(f);
    run(f, 10, 50 * MBIT, LOOK_US);
    long unsent = kernel.unsent;
    kernel.to.tcpi_snd_cwnd *= 2;
    run(f, 1, 50 * MBIT, LOOK_US);
    assert_in_range(kernel.unsent, 2 * unsent - 100, 2 * unsent + 100);
}

static void before_linux_5_14_the_clamp_alone_is_set(void **state)
{
    struct fixture *f = *state;
    kernel.old = true;
    kernel.held = kernel.size = 6 * MIB;
    begin(f);
    run(f, 10, 10 * MBIT, LOOK_US);
    assert_int_equal(kernel.clamp, 8 * KIB);
    assert_int_equal(kernel.unsent, 8 * KIB);
    assert_int_equal(kernel.room, NOT_SET); /* it could never grow again */
}

#define SLUICE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SLUICE_TEST(a_flow_that_never_fills_its_side_costs_no_call),
        SLUICE_TEST(a_sender_that_is_near_is_held_from_the_start),
        SLUICE_TEST(two_segments_fit_whatever_their_size),
        SLUICE_TEST(what_a_kernel_does_not_say_holds_nobody_back),
        SLUICE_TEST(a_slow_side_gets_a_margin_of_what_it_sends),
        SLUICE_TEST(what_only_filled_the_socket_is_no_rate),
        SLUICE_TEST(a_full_buffer_is_made_smaller_only_when_nothing_is_on_its_way),
        SLUICE_TEST(a_far_sender_has_a_round_trip_under_way_and_its_buffer_stays),
        SLUICE_TEST(a_fast_side_is_let_go),
        SLUICE_TEST(a_side_that_starves_gets_more),
        SLUICE_TEST(a_far_side_that_starves_is_opened),
        SLUICE_TEST(a_side_with_a_full_buffer_does_not_starve),
        SLUICE_TEST(who_takes_nothing_for_a_while_keeps_what_it_had),
        SLUICE_TEST(a_growing_congestion_window_is_fed_ahead),
        SLUICE_TEST(before_linux_5_14_the_clamp_alone_is_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
