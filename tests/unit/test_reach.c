/*
 * Who is let through on the way to a target: by what it shows, at most one look a day, and nobody
 * else where somebody in particular has to answer. The target is the test's.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "base/log.h"
#include "base/timer.h"
#include "gateway/look/look.h"
#include "gateway/reach.h"
#include "on_loop.h"
#include "ssh_server.h"

enum { SSH = TUNNEL_KIND_FIRST + KIND_SSH };

/* Days may pass, also while a connection is made. */
static uint64_t later_ms;

uint64_t __real_clock_ms(void);
uint64_t __wrap_clock_ms(void);
uint64_t __wrap_clock_ms(void)
{
    return __real_clock_ms() + later_ms;
}

/* Who says nothing is not waited for as long. */
void __real_timer_set(struct timer *timer, uint64_t ms);
void __wrap_timer_set(struct timer *timer, uint64_t ms);
void __wrap_timer_set(struct timer *timer, uint64_t ms)
{
    __real_timer_set(timer, ms == LOOK_MS ? 200 : ms);
}

/* The machine that is there, as the kernel's neighbour table has it. */
static uint8_t machine;

int __wrap_neighbours_mac(const struct addr *addr, uint8_t ret_mac[MAC_SIZE]);
int __wrap_neighbours_mac(const struct addr *addr, uint8_t ret_mac[MAC_SIZE])
{
    (void)addr;
    memset(ret_mac, 0, MAC_SIZE);
    ret_mac[MAC_SIZE - 1] = machine;
    return 0;
}

struct world {
    uv_loop_t loop;
    struct log log;
    struct targets *allowed;
    struct resolver *resolver;
    struct reachable *reachable;
    struct sights *sights;
    struct sieve *lines;
    int target; /* a listening socket */
    /* what came of the last one */
    bool over, reached;
    struct failure failure;
    struct addr addr;
};

static void world_open(struct world *world)
{
    *world = (struct world){.log = {.stream = stderr, .level = LOG_ERROR}};
    assert_int_equal(uv_loop_init(&world->loop), 0);
    assert_int_equal(targets_parse("127.0.0.0/8:1-65535", &world->allowed, NULL), 0);
    world->resolver = resolver_new(&world->loop, 4);
    world->reachable = reachable_new();
    world->sights = sights_new();
    world->lines = sieve_new(&world->loop, &world->log, 100, 100);
    world->target = net_listen("127.0.0.1", 0, 8);
    assert_true(world->target >= 0);
}

static void world_close(struct world *world)
{
    struct addr peer;
    assert_int_equal(net_accept(world->target, &peer), -EAGAIN); /* no look too many */
    close(world->target);
    sieve_free(world->lines);
    sights_free(world->sights);
    reachable_free(world->reachable);
    resolver_free(world->resolver);
    loop_end(&world->loop);
    targets_free(world->allowed);
}

static void on_reached(void *arg, const struct failure *failure, const struct reach_result *result)
{
    struct world *world = arg;
    world->over = true;
    world->reached = !failure;
    if (failure) {
        world->failure = *failure;
    } else {
        assert_int_equal(result->count, 1);
        world->addr = result->addrs[0];
    }
}

struct wish {
    unsigned kind;
    bool probe, look;
    const uint8_t *identity;
};

static struct reach *start(struct world *world, struct wish wish)
{
    struct addr at = address_of(world->target);
    struct reach_request request = {
        .host = "127.0.0.1",
        .port = addr_port(&at),
        .allowed = world->allowed,
        .resolver = world->resolver,
        .reachable = world->reachable,
        .sights = world->sights,
        .lines = world->lines,
        .kind = wish.kind,
        .probe = wish.probe,
        .look = wish.look,
        .identity = wish.identity,
    };
    world->over = false;
    struct reach *reach = reach_start(&world->loop, &request, on_reached, world);
    assert_non_null(reach);
    return reach;
}

static int accept_one(struct world *world)
{
    struct addr peer;
    int fd = -1;
    WAIT_FOR(&world->loop, (fd = net_accept(world->target, &peer)) >= 0);
    return fd;
}

static void say(int fd, const struct said *said)
{
    assert_int_equal(send(fd, said->bytes, said->len, MSG_NOSIGNAL), (ssize_t)said->len);
}

/* Somebody comes and is shown a key of this `fill`. */
static void show(struct world *world, uint8_t fill)
{
    struct said said = {0};
    int fd = accept_one(world);
    say_ed25519(&said, fill);
    say(fd, &said);
    shutdown(fd, SHUT_WR);
    WAIT_FOR(&world->loop, world->over);
    close(fd);
}

static void identity_of(uint8_t fill, uint8_t identity[SIGHT_IDENTITY_SIZE])
{
    uint8_t blob[64];
    const struct crypto_piece piece = {blob, make_key(blob, sizeof blob, "ssh-ed25519", 32, fill)};
    assert_int_equal(crypto_hash(&piece, 1, identity), 0);
}

static const struct sight *seen(const struct world *world)
{
    return sights_find(world->sights, &world->addr, KIND_SSH, (const uint8_t[MAC_SIZE]){0});
}

/* ---- looking --------------------------------------------------------------- */

static void a_target_is_looked_at_once_a_day(void **state)
{
    struct world world;
    (void)state;
    world_open(&world);
    start(&world, (struct wish){.kind = SSH, .probe = true, .look = true});
    show(&world, 'a');
    assert_true(world.reached);
    assert_memory_equal(seen(&world)->host_key, "ssh-ed25519 AAAA", 16);
    later_ms += REACHABLE_MS; /* the next one is a plain probe */
    start(&world, (struct wish){.kind = SSH, .probe = true, .look = true});
    int fd = accept_one(&world);
    WAIT_FOR(&world.loop, world.over);
    char byte;
    assert_int_equal(recv(fd, &byte, 1, 0), 0); /* not a word was said */
    close(fd);
    assert_true(world.reached && seen(&world) != NULL);
    later_ms += SIGHT_HOST_KEY_MS;
    start(&world, (struct wish){.kind = SSH, .probe = true, .look = true});
    show(&world, 'b');
    assert_true(world.reached);
    world_close(&world);
}

static void one_that_took_a_connection_a_moment_ago_is_looked_at_all_the_same(void **state)
{
    struct world world;
    (void)state;
    world_open(&world);
    struct addr target = address_of(world.target);
    reachable_note(world.reachable, &target);
    start(&world, (struct wish){.kind = SSH, .probe = true, .look = true});
    show(&world, 'a');
    assert_non_null(seen(&world));
    world_close(&world);
}

static void nobody_looks_without_being_asked_or_with_nothing_to_see(void **state)
{
    static const struct wish ROWS[] = {
        {.kind = SSH, .probe = true},
        {.kind = TUNNEL_KIND_UNSAID, .probe = true, .look = true},
        {.kind = 255, .probe = true, .look = true},
    };
    struct world world;
    (void)state;
    world_open(&world);
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        later_ms += REACHABLE_MS;
        start(&world, ROWS[i]);
        close(accept_one(&world));
        WAIT_FOR(&world.loop, world.over);
        assert_true(world.reached);
        assert_null(seen(&world));
    }
    world_close(&world);
}

/* Some servers take one connection at a time. */
static void a_look_is_over_when_the_target_has_ended_it_too(void **state)
{
    struct world world;
    struct said said = {0};
    char heard[4096];
    (void)state;
    world_open(&world);
    start(&world, (struct wish){.kind = SSH, .probe = true, .look = true});
    int fd = accept_one(&world);
    say_ed25519(&said, 'a');
    say(fd, &said);
    ssize_t n = 1;
    WAIT_FOR(&world.loop,
             (n = recv(fd, heard, sizeof heard, 0)) == 0); /* it has said all there is */
    assert_false(world.over);
    say_text(&said, "and more");
    say(fd, &said);
    loop_run_for(&world.loop, 5);
    assert_false(world.over);
    close(fd);
    WAIT_FOR(&world.loop, world.over);
    assert_true(world.reached && seen(&world) != NULL);
    world_close(&world);
}

/* A machine that a look does not understand is as welcome as ever. */
static void a_target_that_shows_nothing_answers(void **state)
{
    struct world world;
    struct said said = {0};
    (void)state;
    world_open(&world);
    for (unsigned i = 0; i < 3; i++) {
        start(&world, (struct wish){.kind = SSH, .probe = true, .look = true});
        int fd = accept_one(&world);
        if (i == 0) {
            close(fd);
        } else if (i == 1) {
            net_reset(fd);
        } else {
            say_text(&said, "SSH-1.5-old\n");
            say(fd, &said);
        }
        WAIT_FOR(&world.loop, world.over);
        assert_true(world.reached);
        assert_null(seen(&world));
        assert_true(sights_blind(world.sights, &world.addr, KIND_SSH));
        if (i == 2) {
            close(fd);
        }
        later_ms += BLIND_MS;
    }
    start(&world, (struct wish){.kind = SSH, .probe = true, .look = true});
    int fd = accept_one(&world); /* and says nothing at all */
    WAIT_FOR(&world.loop, world.over);
    assert_true(world.reached && sights_blind(world.sights, &world.addr, KIND_SSH));
    close(fd);
    start(&world, (struct wish){.kind = SSH, .probe = true, .look = true});
    WAIT_FOR(&world.loop, world.over); /* no second look soon after */
    assert_true(world.reached);
    world_close(&world);
}

/* ---- somebody in particular -------------------------------------------------- */

static void who_was_seen_within_a_day_is_let_through_and_looked_at_after_it(void **state)
{
    struct world world;
    uint8_t a[SIGHT_IDENTITY_SIZE];
    (void)state;
    world_open(&world);
    identity_of('a', a);
    for (unsigned day = 0; day < 2; day++) {
        start(&world, (struct wish){.kind = SSH, .identity = a});
        show(&world, 'a');
        assert_true(world.reached);
        for (unsigned i = 0; i < 3; i++) {
            start(&world, (struct wish){.kind = SSH, .identity = a});
            WAIT_FOR(&world.loop, world.over);
            assert_true(world.reached);
        }
        later_ms += SIGHT_HOST_KEY_MS;
    }
    world_close(&world);
}

/* The address may have got another owner within the day. */
static void another_machine_at_the_same_address_is_looked_at(void **state)
{
    struct world world;
    uint8_t a[SIGHT_IDENTITY_SIZE];
    (void)state;
    world_open(&world);
    identity_of('a', a);
    for (machine = 1; machine < 3; machine++) {
        later_ms += REACHABLE_MS;
        start(&world, (struct wish){.kind = SSH, .probe = true, .identity = a});
        show(&world, machine == 1 ? 'a' : 'b');
        assert_int_equal(world.reached, machine == 1);
        start(&world, (struct wish){.kind = SSH, .probe = true, .look = true});
        WAIT_FOR(&world.loop, world.over);
        assert_true(world.reached);
    }
    machine = 0;
    world_close(&world);
}

static void another_one_is_refused_with_both_fingerprints(void **state)
{
    struct world world;
    uint8_t a[SIGHT_IDENTITY_SIZE], b[SIGHT_IDENTITY_SIZE];
    char first[SIGHT_TEXT_MAX], second[SIGHT_TEXT_MAX], detail[256];
    (void)state;
    world_open(&world);
    identity_of('a', a);
    identity_of('b', b);
    for (unsigned i = 0; i < 3; i++) { /* with the probe and without; it was looked at just now */
        later_ms += i < 2 ? SIGHT_FRESH_MS : 0;
        start(&world, (struct wish){.kind = SSH, .probe = i == 0, .identity = a});
        if (i < 2) {
            show(&world, 'b');
        }
        WAIT_FOR(&world.loop, world.over);
        assert_false(world.reached);
        assert_int_equal(world.failure.reason, TUNNEL_IDENTITY);
        snprintf(detail, sizeof detail, "127.0.0.1 shows %s, and has to show %s",
                 sight_text(b, first), sight_text(a, second));
        assert_string_equal(world.failure.detail, detail);
    }
    start(&world, (struct wish){.kind = SSH, .identity = b}); /* that one was seen there */
    WAIT_FOR(&world.loop, world.over);
    assert_true(world.reached);
    later_ms += SIGHT_FRESH_MS;
    start(&world, (struct wish){.kind = SSH, .identity = a}); /* it is back */
    show(&world, 'a');
    assert_true(world.reached);
    world_close(&world);
}

/* Whoever asks who it is judges; but there has to be somebody. */
static void another_one_is_told_to_who_asks_and_nobody_is_not(void **state)
{
    struct world world;
    uint8_t a[SIGHT_IDENTITY_SIZE], b[SIGHT_IDENTITY_SIZE];
    (void)state;
    world_open(&world);
    identity_of('a', a);
    identity_of('b', b);
    start(&world, (struct wish){.kind = SSH, .probe = true, .look = true, .identity = a});
    show(&world, 'b');
    assert_true(world.reached);
    assert_memory_equal(seen(&world)->identity, b, sizeof b);
    start(&world, (struct wish){.kind = SSH, .probe = true, .look = true, .identity = b});
    WAIT_FOR(&world.loop, world.over); /* it was seen there */
    assert_true(world.reached);
    later_ms += SIGHT_FRESH_MS;
    for (unsigned i = 0; i < 2; i++) {
        start(&world, (struct wish){.kind = SSH, .probe = true, .look = true, .identity = a});
        if (i == 0) {
            close(accept_one(&world));
        }
        WAIT_FOR(&world.loop, world.over);
        assert_false(world.reached);
        assert_int_equal(world.failure.reason, TUNNEL_IDENTITY);
    }
    assert_non_null(strstr(world.failure.detail, "but it ends the connection"));
    world_close(&world);
}

/* A server with two keys, which shows the one that is asked for first. */
static void show_one_of_two(struct world *world, const char *last)
{
    struct said said = {0};
    uint8_t heard[4096];
    size_t len = 0;
    int fd = accept_one(world);
    say_text(&said, "SSH-2.0-server\r\n");
    say(fd, &said);
    while (len < 1024) { /* ssh's KEXINIT is longer */
        ssize_t n = 0;
        WAIT_FOR(&world->loop, (n = recv(fd, heard + len, sizeof heard - 1 - len, 0)) > 0);
        len += (size_t)n;
    }
    heard[len] = '\0';
    const uint8_t *ed25519 = memmem(heard, len, "ssh-ed25519", 11);
    const uint8_t *rsa = memmem(heard, len, "rsa-sha2-512", 12);
    bool is_rsa = rsa && ed25519 && rsa < ed25519;
    said.len = 0;
    say_kexinit_of(&said, "curve25519-sha256", "rsa-sha2-512,rsa-sha2-256,ssh-ed25519");
    say_reply(&said, is_rsa ? "ssh-rsa" : "ssh-ed25519", 32, is_rsa ? 'r' : 'e');
    assert_string_equal(is_rsa ? "rsa" : "ed25519", last);
    say(fd, &said);
    shutdown(fd, SHUT_WR);
    close(fd);
}

/* ssh asks for the type that it knows, too. */
static void a_server_that_has_got_a_better_key_is_the_same(void **state)
{
    struct world world;
    uint8_t rsa[SIGHT_IDENTITY_SIZE], another[SIGHT_IDENTITY_SIZE], blob[64];
    const struct crypto_piece piece = {blob, make_key(blob, sizeof blob, "ssh-rsa", 32, 'r')};
    (void)state;
    world_open(&world);
    identity_of('x', another);
    assert_int_equal(crypto_hash(&piece, 1, rsa), 0);
    start(&world, (struct wish){.kind = SSH, .probe = true, .look = true, .identity = rsa});
    show_one_of_two(&world, "ed25519");
    show_one_of_two(&world, "rsa");
    WAIT_FOR(&world.loop, world.over);
    assert_true(world.reached);
    assert_memory_equal(seen(&world)->identity, rsa, sizeof rsa);
    later_ms += SIGHT_HOST_KEY_MS; /* one look is enough from now on */
    start(&world, (struct wish){.kind = SSH, .identity = rsa});
    show_one_of_two(&world, "rsa");
    WAIT_FOR(&world.loop, world.over);
    assert_true(world.reached);
    later_ms += SIGHT_FRESH_MS;
    start(&world, (struct wish){.kind = SSH, .identity = another}); /* it has neither */
    show_one_of_two(&world, "rsa");
    show_one_of_two(&world, "ed25519");
    WAIT_FOR(&world.loop, world.over);
    assert_false(world.reached);
    world_close(&world);
}

/* Else it would be enough to be silent while one is looked at. */
static void who_shows_nothing_is_not_who_it_has_to_be(void **state)
{
    struct world world;
    uint8_t a[SIGHT_IDENTITY_SIZE];
    (void)state;
    world_open(&world);
    identity_of('a', a);
    start(&world, (struct wish){.kind = SSH, .identity = a});
    close(accept_one(&world));
    WAIT_FOR(&world.loop, world.over);
    assert_false(world.reached);
    assert_int_equal(world.failure.reason, TUNNEL_IDENTITY);
    assert_non_null(strstr(world.failure.detail, ", but it ends the connection"));
    start(&world, (struct wish){.kind = TUNNEL_KIND_UNSAID, .identity = a});
    WAIT_FOR(&world.loop, world.over);
    assert_int_equal(world.failure.reason, TUNNEL_IDENTITY);
    world_close(&world);
}

static void one_that_does_not_answer_at_all_is_told_so(void **state)
{
    struct world world;
    uint8_t a[SIGHT_IDENTITY_SIZE];
    (void)state;
    world_open(&world);
    identity_of('a', a);
    struct addr at = address_of(world.target);
    close(world.target);
    world.target = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK,
                          0); /* has the port, does not listen */
    assert_int_equal(bind(world.target, &at.sa, addr_len(&at)), 0);
    start(&world, (struct wish){.kind = SSH, .identity = a});
    WAIT_FOR(&world.loop, world.over);
    assert_int_equal(world.failure.reason, TUNNEL_REFUSED);
    close(world.target);
    world.target = net_listen("127.0.0.1", 0, 8);
    world_close(&world);
}

static void a_look_can_be_given_up(void **state)
{
    struct world world;
    char byte;
    (void)state;
    world_open(&world);
    struct reach *reach = start(&world, (struct wish){.kind = SSH, .probe = true, .look = true});
    int fd = accept_one(&world);
    WAIT_FOR(&world.loop, recv(fd, &byte, 1, MSG_PEEK) == 1); /* it has begun */
    reach_cancel(reach);
    loop_run_for(&world.loop, 20);
    assert_false(world.over);
    close(fd);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_target_is_looked_at_once_a_day),
        cmocka_unit_test(one_that_took_a_connection_a_moment_ago_is_looked_at_all_the_same),
        cmocka_unit_test(nobody_looks_without_being_asked_or_with_nothing_to_see),
        cmocka_unit_test(a_look_is_over_when_the_target_has_ended_it_too),
        cmocka_unit_test(a_target_that_shows_nothing_answers),
        cmocka_unit_test(who_was_seen_within_a_day_is_let_through_and_looked_at_after_it),
        cmocka_unit_test(another_machine_at_the_same_address_is_looked_at),
        cmocka_unit_test(another_one_is_refused_with_both_fingerprints),
        cmocka_unit_test(another_one_is_told_to_who_asks_and_nobody_is_not),
        cmocka_unit_test(a_server_that_has_got_a_better_key_is_the_same),
        cmocka_unit_test(who_shows_nothing_is_not_who_it_has_to_be),
        cmocka_unit_test(one_that_does_not_answer_at_all_is_told_so),
        cmocka_unit_test(a_look_can_be_given_up),
    };
    return cmocka_run_group_tests_name("reach", tests, NULL, NULL);
}
