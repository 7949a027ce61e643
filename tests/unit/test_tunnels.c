/*
 * The tunnels of a gateway, on a real event loop and real sockets: the test is
 * the VPS on one side (commands, data port) and the target on the other.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <uv.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/net.h"
#include "base/resolve.h"
#include "data/proof.h"
#include "gateway/look/sights.h"
#include "gateway/tunnels.h"
#include "shared/kind.h"
#include "ssh_server.h"

enum { SESSION = 7001, PATIENCE_MS = 5000, ANSWERS_MAX = 8 };

static const uint8_t TOKEN[PROOF_TOKEN_SIZE] = "a token of thirty-two bytes, yes";
static const uint8_t OTHER_TOKEN[PROOF_TOKEN_SIZE] = "a token of thirty-two bytes, no.";

struct world {
    uv_loop_t loop;
    struct log log;
    struct targets *allowed;
    struct tunnels *tunnels;
    struct addr vps;
    int data_port; /* listening sockets */
    int target;
    struct congestion congestion; /* the system's */
    struct message answers[ANSWERS_MAX];
    unsigned answer_count;
};

/* ---- names ------------------------------------------------------------------ */

static unsigned look_ups; /* that were begun */

/* Hours may pass. */
static uint64_t later_ms;

uint64_t __real_clock_ms(void);
uint64_t __wrap_clock_ms(void);
uint64_t __wrap_clock_ms(void)
{
    return __real_clock_ms() + later_ms;
}

struct resolve *__real_resolve_start(struct resolver *resolver, const char *host, uint16_t port,
                                     uint64_t timeout_ms, resolve_fn fn, void *arg);
struct resolve *__wrap_resolve_start(struct resolver *resolver, const char *host, uint16_t port,
                                     uint64_t timeout_ms, resolve_fn fn, void *arg);

struct resolve *__wrap_resolve_start(struct resolver *resolver, const char *host, uint16_t port,
                                     uint64_t timeout_ms, resolve_fn fn, void *arg)
{
    look_ups++;
    return __real_resolve_start(resolver, host, port, timeout_ms, fn, arg);
}

/* ---- the world -------------------------------------------------------------- */

static void on_answer(void *arg, const struct message *message)
{
    struct world *world = arg;
    assert_true(world->answer_count < ANSWERS_MAX);
    world->answers[world->answer_count++] = *message;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_in name;
    socklen_t len = sizeof name;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &len), 0);
    return ntohs(name.sin_port);
}

static int listen_somewhere(void)
{
    int fd = net_listen("127.0.0.1", 0, 64);
    assert_true(fd >= 0);
    return fd;
}

enum { TUNNELS_MAX = 40 };

static void world_open(struct world *world, const char *allowed)
{
    *world = (struct world){.log = {.stream = stderr, .level = LOG_ERROR}};
    assert_int_equal(uv_loop_init(&world->loop), 0);
    assert_int_equal(targets_parse(allowed, &world->allowed, NULL), 0);
    assert_int_equal(addr_parse("127.0.0.1", 9000, &world->vps), 0);
    world->data_port = listen_somewhere();
    world->target = listen_somewhere();
    struct tunnels_options options = {
        .log = &world->log,
        .allowed = world->allowed,
        .congestion = &world->congestion,
        .workers = 1,
        .most = TUNNELS_MAX,
        .send = on_answer,
        .arg = world,
    };
    assert_int_equal(tunnels_new(&world->loop, &options, &world->tunnels), 0);
}

static void world_close(struct world *world)
{
    tunnels_free(world->tunnels);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    targets_free(world->allowed);
    close(world->data_port);
    if (world->target >= 0) {
        close(world->target);
    }
}

/* ---- time ------------------------------------------------------------------- */

static void turn(struct world *world)
{
    uv_run(&world->loop, UV_RUN_NOWAIT);
    usleep(200);
}

static void run_for(struct world *world, uint64_t ms)
{
    for (uint64_t end = clock_ms() + ms; clock_ms() < end;) {
        turn(world);
    }
}

#define WAIT_FOR(world, condition)                                  \
    for (uint64_t end_ = clock_ms() + PATIENCE_MS; !(condition);) { \
        if (clock_ms() > end_) {                                    \
            fail_msg("waited in vain for %s", #condition);          \
        }                                                           \
        turn(world);                                                \
    }

/* ---- the VPS and the target ------------------------------------------------- */

static int accept_one(struct world *world, int listener)
{
    struct addr peer;
    int fd = -1;
    WAIT_FOR(world, (fd = net_accept(listener, &peer)) >= 0);
    return fd;
}

static bool nobody_came(int listener)
{
    struct addr peer;
    return net_accept(listener, &peer) == -EAGAIN;
}

/* 0 at the end of the stream, -errno if it broke, else `len` bytes. */
static long read_from(struct world *world, int fd, void *dst, size_t len)
{
    size_t have = 0;
    while (have < len) {
        ssize_t n = -1;
        WAIT_FOR(world, (n = recv(fd, (char *)dst + have, len - have, 0)) >= 0 || errno != EAGAIN);
        if (n <= 0) {
            return n == 0 ? 0 : -errno;
        }
        have += (size_t)n;
    }
    return (long)have;
}

static void assert_reads(struct world *world, int fd, const char *text)
{
    char buf[64] = "";
    assert_int_equal(read_from(world, fd, buf, strlen(text)), (long)strlen(text));
    assert_string_equal(buf, text);
}

static void assert_is_over(struct world *world, int fd, long how)
{
    char byte;
    assert_int_equal(read_from(world, fd, &byte, 1), how);
    close(fd);
}

static void write_to(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (long)strlen(text));
}

static struct message command_to(const struct world *world, const char *host, uint16_t port,
                                 uint16_t channel)
{
    struct message command = {.type = MESSAGE_OPEN_TUNNEL};
    command.open_tunnel.session = SESSION;
    command.open_tunnel.channel = channel;
    command.open_tunnel.port = port;
    command.open_tunnel.data_port = port_of(world->data_port);
    strcpy(command.open_tunnel.host, host);
    memcpy(command.open_tunnel.token, TOKEN, sizeof TOKEN);
    return command;
}

static void open_to(struct world *world, const char *host, uint16_t port, uint16_t channel)
{
    struct message command = command_to(world, host, port, channel);
    tunnels_command(world->tunnels, &command, &world->vps);
}

static void close_session(struct world *world)
{
    struct message command = {.type = MESSAGE_CLOSE_TUNNEL, .close_tunnel.session = SESSION};
    tunnels_command(world->tunnels, &command, &world->vps);
}

/* The VPS's part of a data channel with this token, up to the final. Returns its socket. */
static int answer_hello(struct world *world, const uint8_t token[PROOF_TOKEN_SIZE],
                        struct proof *proof)
{
    uint8_t hello[PROOF_HELLO_SIZE], answer[PROOF_ANSWER_SIZE];
    int fd = accept_one(world, world->data_port);
    assert_int_equal(read_from(world, fd, hello, sizeof hello), (long)sizeof hello);
    assert_int_equal(proof_answer(proof, hello, token, answer), 0);
    /* In two pieces, since a stream has no edges. */
    assert_int_equal(send(fd, answer, 10, MSG_NOSIGNAL), 10);
    run_for(world, 5);
    assert_int_equal(send(fd, answer + 10, sizeof answer - 10, MSG_NOSIGNAL), sizeof answer - 10);
    return fd;
}

static int dock(struct world *world, uint16_t channel)
{
    struct proof proof;
    uint8_t final[PROOF_FINAL_SIZE];
    int fd = answer_hello(world, TOKEN, &proof);
    assert_int_equal(read_from(world, fd, final, sizeof final), (long)sizeof final);
    assert_int_equal(proof_check(&proof, final), 0);
    assert_int_equal(proof.session, SESSION);
    assert_int_equal(proof.channel, channel);
    return fd;
}

static void assert_failed(struct world *world, enum tunnel_failure reason, uint16_t channel)
{
    WAIT_FOR(world, world->answer_count > 0);
    assert_int_equal(world->answers[0].type, MESSAGE_TUNNEL_FAILED);
    assert_int_equal(world->answers[0].tunnel_failed.session, SESSION);
    assert_int_equal(world->answers[0].tunnel_failed.channel, channel);
    assert_int_equal(world->answers[0].tunnel_failed.reason, reason);
    assert_true(strlen(world->answers[0].tunnel_failed.detail) > 0);
    world->answer_count = 0;
}

static void assert_ready(struct world *world)
{
    WAIT_FOR(world, world->answer_count > 0);
    assert_int_equal(world->answers[0].type, MESSAGE_TUNNEL_READY);
    assert_int_equal(world->answers[0].tunnel_ready.session, SESSION);
    assert_int_equal(world->answers[0].tunnel_ready.channel, 0);
    world->answer_count = 0;
}

/* A tunnel that waits. Returns the VPS's end of its data channel. */
static int open_waiting(struct world *world)
{
    char byte;
    open_to(world, "127.0.0.1", port_of(world->target), 0);
    int probe = accept_one(world, world->target);
    int data = dock(world, 0);
    assert_ready(world);
    assert_int_equal(read_from(world, probe, &byte, 1), 0);
    close(probe);
    return data;
}

/* The same soon after: no probe comes. */
static int open_waiting_again(struct world *world)
{
    open_to(world, "127.0.0.1", port_of(world->target), 0);
    int data = dock(world, 0);
    assert_ready(world);
    return data;
}

static int start_relaying(struct world *world, int data)
{
    write_to(data, "first");
    int target = accept_one(world, world->target);
    assert_reads(world, target, "first");
    return target;
}

#define LOOPBACK "127.0.0.0/8:1-65535"

/* ---- tests ------------------------------------------------------------------ */

static void a_tunnel_carries_bytes_both_ways_and_each_end_of_them(void **state)
{
    struct world world;
    char address[64];
    (void)state;
    world_open(&world, LOOPBACK);
    open_to(&world, "127.0.0.1", port_of(world.target), 0);
    int probe = accept_one(&world, world.target);
    int data = dock(&world, 0);
    WAIT_FOR(&world, world.answer_count == 1);
    snprintf(address, sizeof address, "127.0.0.1:%u", port_of(world.target));
    assert_string_equal(world.answers[0].tunnel_ready.address, address);
    assert_is_over(&world, probe, 0); /* a FIN, not an RST */

    write_to(data, "SSH-2.0-client\r\n");
    int target = accept_one(&world, world.target);
    assert_reads(&world, target, "SSH-2.0-client\r\n");
    write_to(target, "SSH-2.0-server\r\n");
    assert_reads(&world, data, "SSH-2.0-server\r\n");
    shutdown(data, SHUT_WR);
    char byte;
    assert_int_equal(read_from(&world, target, &byte, 1), 0);
    write_to(target, "late");
    assert_reads(&world, data, "late");
    close(target);
    assert_is_over(&world, data, 0);
    WAIT_FOR(&world, tunnels_count(world.tunnels) == 0);
    assert_int_equal(world.answer_count, 1);
    world_close(&world);
}

static void the_target_is_left_alone_until_the_first_byte(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, LOOPBACK);
    int data = open_waiting(&world);
    run_for(&world, 100);
    assert_true(nobody_came(world.target));
    int target = start_relaying(&world, data);
    close(target);
    close(data);
    world_close(&world);
}

static void a_client_that_says_all_at_once_and_half_closes_is_served(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, LOOPBACK);
    int data = open_waiting(&world);
    write_to(data, "all");
    shutdown(data, SHUT_WR);
    int target = accept_one(&world, world.target);
    assert_reads(&world, target, "all");
    write_to(target, "answer");
    assert_reads(&world, data, "answer");
    assert_is_over(&world, target, 0);
    assert_is_over(&world, data, 0);
    world_close(&world);
}

static void a_target_that_is_not_listed_is_never_dialled(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, "127.0.0.0/8:1;10.0.0.0/8:1-65535");
    open_to(&world, "127.0.0.1", port_of(world.target), 0);
    assert_failed(&world, TUNNEL_NOT_ALLOWED, 0);
    assert_int_equal(tunnels_count(world.tunnels), 0);
    run_for(&world, 50);
    assert_true(nobody_came(world.target));
    world_close(&world);
}

/* Else a VPS in wrong hands could ask which names there are. */
static void a_name_that_nothing_listed_could_mean_is_not_looked_up(void **state)
{
    static const struct {
        const char *allowed;
        unsigned looked_up;
    } ROWS[] = {
        {"10.0.0.0/8:1;other:1-65535", 0},
        {"10.0.0.0/8:1-65535", 1},
        {"10.0.0.0/8:1;localhost:1-65535", 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct world world;
        world_open(&world, ROWS[i].allowed);
        look_ups = 0;
        open_to(&world, "localhost", port_of(world.target), 0);
        assert_int_equal(look_ups, ROWS[i].looked_up);
        if (!look_ups) {
            assert_failed(&world, TUNNEL_NOT_ALLOWED, 0);
        }
        world_close(&world);
    }
}

static void a_name_that_leads_to_an_address_that_is_not_listed_is_refused(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, "10.0.0.0/8:1-65535;other:1-65535");
    open_to(&world, "localhost", port_of(world.target), 0);
    assert_failed(&world, TUNNEL_NOT_ALLOWED, 0);
    run_for(&world, 50);
    assert_true(nobody_came(world.target));
    world_close(&world);
}

static void a_listed_name_is_allowed_wherever_it_leads(void **state)
{
    struct world world;
    char list[64];
    (void)state;
    world_open(&world, "10.0.0.0/8:22");
    targets_free(world.allowed);
    tunnels_free(world.tunnels);
    snprintf(list, sizeof list, "LOCALHOST:%u", port_of(world.target));
    assert_int_equal(targets_parse(list, &world.allowed, NULL), 0);
    struct tunnels_options options = {.log = &world.log,
                                      .allowed = world.allowed,
                                      .congestion = &world.congestion,
                                      .workers = 1,
                                      .most = TUNNELS_MAX,
                                      .send = on_answer,
                                      .arg = &world};
    assert_int_equal(tunnels_new(&world.loop, &options, &world.tunnels), 0);
    open_to(&world, "localhost", port_of(world.target), 0);
    close(accept_one(&world, world.target));
    int data = dock(&world, 0);
    assert_ready(&world);
    close(data);
    world_close(&world);
}

static void a_target_that_refuses_is_reported_and_its_data_channel_closed(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, LOOPBACK);
    uint16_t port = port_of(world.target);
    close(world.target);
    world.target = -1;
    open_to(&world, "127.0.0.1", port, 0);
    assert_failed(&world, TUNNEL_REFUSED, 0);
    assert_int_equal(tunnels_count(world.tunnels), 0);
    world_close(&world);
}

static void a_data_port_that_nobody_serves_is_reported(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, LOOPBACK);
    struct message command = command_to(&world, "127.0.0.1", port_of(world.target), 0);
    int gone = listen_somewhere();
    command.open_tunnel.data_port = port_of(gone);
    close(gone);
    tunnels_command(world.tunnels, &command, &world.vps);
    assert_failed(&world, TUNNEL_DATA_UNREACHABLE, 0);
    assert_int_equal(tunnels_count(world.tunnels), 0);
    world_close(&world);
}

static void a_vps_without_the_token_gets_no_proof(void **state)
{
    struct world world;
    struct proof proof;
    (void)state;
    world_open(&world, LOOPBACK);
    open_to(&world, "127.0.0.1", port_of(world.target), 0);
    int fd = answer_hello(&world, OTHER_TOKEN, &proof);
    assert_failed(&world, TUNNEL_DATA_UNREACHABLE, 0);
    assert_is_over(&world, fd, 0);
    world_close(&world);
}

static void a_data_port_that_hangs_up_is_reported(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, LOOPBACK);
    open_to(&world, "127.0.0.1", port_of(world.target), 0);
    close(accept_one(&world, world.data_port));
    assert_failed(&world, TUNNEL_DATA_UNREACHABLE, 0);
    world_close(&world);
}

static void a_target_that_went_away_resets_the_channel_and_says_why(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, LOOPBACK);
    int data = open_waiting(&world);
    close(world.target);
    world.target = -1;
    write_to(data, "first");
    assert_is_over(&world, data, -ECONNRESET);
    assert_failed(&world, TUNNEL_REFUSED, 0);
    assert_int_equal(tunnels_count(world.tunnels), 0);
    world_close(&world);
}

static void a_vps_that_gives_up_waiting_ends_it_without_a_word(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, LOOPBACK);
    int data = open_waiting(&world);
    close(data);
    WAIT_FOR(&world, tunnels_count(world.tunnels) == 0);
    assert_int_equal(world.answer_count, 0);
    assert_true(nobody_came(world.target));

    data = open_waiting_again(&world);
    net_reset(data);
    WAIT_FOR(&world, tunnels_count(world.tunnels) == 0);
    assert_int_equal(world.answer_count, 0);
    world_close(&world);
}

/* An sshd counts each probe against the gateway, as a visitor who did not log in. */
static void a_target_that_answered_a_moment_ago_is_not_probed(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, LOOPBACK);
    close(open_waiting(&world));
    for (unsigned i = 0; i < 10; i++) {
        WAIT_FOR(&world, tunnels_count(world.tunnels) == 0);
        close(open_waiting_again(&world));
    }
    WAIT_FOR(&world, tunnels_count(world.tunnels) == 0);
    assert_true(nobody_came(world.target));
    world_close(&world);
}

static void a_target_that_is_gone_since_its_last_answer_is_told_and_probed_again(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, LOOPBACK);
    close(open_waiting(&world));
    WAIT_FOR(&world, tunnels_count(world.tunnels) == 0);
    int data = open_waiting_again(&world);
    uint16_t port = port_of(world.target);
    close(world.target);
    write_to(data, "first");
    assert_is_over(&world, data, -ECONNRESET);
    assert_failed(&world, TUNNEL_REFUSED, 0);

    open_to(&world, "127.0.0.1", port, 0); /* at once, not when the user is there */
    assert_failed(&world, TUNNEL_REFUSED, 0);
    world.target = net_listen("127.0.0.1", port, 64);
    assert_true(world.target >= 0);
    open_to(&world, "127.0.0.1", port, 0);
    close(accept_one(&world, world.target)); /* a probe */
    close_session(&world);
    world_close(&world);
}

static void a_connection_that_was_made_spares_the_next_probe_too(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, LOOPBACK);
    open_to(&world, "127.0.0.1", port_of(world.target), 1); /* has none of its own */
    int data = dock(&world, 1);
    int target = start_relaying(&world, data);
    close(data);
    assert_is_over(&world, target, 0);
    WAIT_FOR(&world, tunnels_count(world.tunnels) == 0);
    close(open_waiting_again(&world));
    assert_true(nobody_came(world.target));
    world_close(&world);
}

static void dial_target(struct world *world, uint16_t channel)
{
    struct message command = {.type = MESSAGE_DIAL_TARGET, .dial_target = {SESSION, channel}};
    tunnels_command(world->tunnels, &command, &world->vps);
}

/* For a client that waits for the target's first word. */
static void a_target_is_dialled_without_a_first_byte_if_the_vps_says_so(void **state)
{
    (void)state;
    for (int early = 0; early < 2; early++) {
        struct world world;
        world_open(&world, LOOPBACK);
        open_to(&world, "127.0.0.1", port_of(world.target), 1);
        if (early) {
            dial_target(&world, 1);
        }
        int data = dock(&world, 1);
        if (!early) {
            run_for(&world, 20);
            assert_true(nobody_came(world.target));
            dial_target(&world, 1);
        }
        int target = accept_one(&world, world.target);
        dial_target(&world, 1); /* once more, and for one that is not there: nothing */
        dial_target(&world, 2);
        write_to(target, "SSH-2.0-server\r\n");
        assert_reads(&world, data, "SSH-2.0-server\r\n");
        write_to(data, "SSH-2.0-client\r\n");
        assert_reads(&world, target, "SSH-2.0-client\r\n");
        close(data);
        assert_is_over(&world, target, 0);
        assert_true(nobody_came(world.target));
        assert_int_equal(world.answer_count, 0);
        world_close(&world);
    }
}

/* ---- who the target is --------------------------------------------------------- */

static void open_with(struct world *world, uint16_t channel, uint8_t flags, const uint8_t *identity)
{
    struct message command = command_to(world, "127.0.0.1", port_of(world->target), channel);
    command.open_tunnel.kind = TUNNEL_KIND_FIRST + KIND_SSH;
    command.open_tunnel.flags = flags;
    memcpy(command.open_tunnel.identity, identity, sizeof command.open_tunnel.identity);
    tunnels_command(world->tunnels, &command, &world->vps);
}

static void show_key(struct world *world, uint8_t fill)
{
    struct said said = {0};
    int fd = accept_one(world, world->target);
    say_ed25519(&said, fill);
    assert_int_equal(send(fd, said.bytes, said.len, MSG_NOSIGNAL), (ssize_t)said.len);
    WAIT_FOR(world, recv(fd, said.bytes, sizeof said.bytes, 0) == 0 || errno == ECONNRESET);
    close(fd);
}

static void what_a_target_shows_is_told_to_who_asks(void **state)
{
    static const uint8_t ANY[32];
    struct world world;
    (void)state;
    world_open(&world, LOOPBACK);
    for (unsigned i = 0; i < 3; i++) { /* the last one does not ask */
        open_with(&world, 0, i < 2 ? TUNNEL_LOOK : 0, ANY);
        if (i == 0) {
            show_key(&world, 'k');
        }
        int data = dock(&world, 0);
        WAIT_FOR(&world, world.answer_count == 1);
        assert_string_equal(
            world.answers[0].tunnel_ready.host_key,
            i < 2 ? "ssh-ed25519 "
                    "AAAAC3NzaC1lZDI1NTE5AAAAIGtra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tr"
                  : "");
        assert_memory_equal(world.answers[0].tunnel_ready.certificate, ANY, sizeof ANY);
        world.answer_count = 0;
        close(data);
        WAIT_FOR(&world, tunnels_count(world.tunnels) == 0);
    }
    assert_true(nobody_came(world.target));
    world_close(&world);
}

static void a_tunnel_to_somebody_else_fails_on_every_channel(void **state)
{
    static const uint8_t ANOTHER[32] = "the SHA-256 of another host key";
    struct world world;
    (void)state;
    world_open(&world, LOOPBACK);
    open_with(&world, 0, 0, ANOTHER);
    int data = dock(&world, 0);
    show_key(&world, 'k');
    assert_failed(&world, TUNNEL_IDENTITY, 0);
    assert_is_over(&world, data, 0);
    open_with(&world, 1, 0, ANOTHER); /* it was looked at just now */
    assert_failed(&world, TUNNEL_IDENTITY, 1);
    assert_true(nobody_came(world.target));
    assert_int_equal(tunnels_tally(world.tunnels).failed[TUNNEL_IDENTITY], 2);
    assert_int_equal(tunnels_count(world.tunnels), 0);
    world_close(&world);
}

/* Hours may pass until the user comes. */
static void who_is_there_is_asked_again_if_the_answer_is_too_old(void **state)
{
    static const uint8_t ANY[32];
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct world world;
        world_open(&world, LOOPBACK);
        open_with(&world, 0, TUNNEL_LOOK, ANY);
        show_key(&world, 'k');
        int data = dock(&world, 0);
        WAIT_FOR(&world, world.answer_count == 1);
        world.answer_count = 0;
        later_ms += SIGHT_HOST_KEY_MS;
        write_to(data, "SSH-2.0-client\r\n");
        show_key(&world, i == 0 ? 'k' : 'l');
        if (i == 0) {
            int target = accept_one(&world, world.target);
            assert_reads(&world, target, "SSH-2.0-client\r\n");
            close(target);
        } else {
            assert_failed(&world, TUNNEL_IDENTITY, 0);
        }
        assert_is_over(&world, data, i == 0 ? 0 : -ECONNRESET);
        assert_true(nobody_came(world.target));
        world_close(&world);
    }
}

static void a_second_command_for_the_same_channel_is_refused(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, LOOPBACK);
    int data = open_waiting(&world);
    open_to(&world, "127.0.0.1", port_of(world.target), 0);
    assert_failed(&world, TUNNEL_ERROR, 0);
    assert_int_equal(tunnels_count(world.tunnels), 1);
    int target = start_relaying(&world, data); /* the first one is as it was */
    close(target);
    close(data);
    world_close(&world);
}

static void a_reconnect_is_a_channel_of_its_own_without_a_probe(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, LOOPBACK);
    int first = open_waiting(&world);
    open_to(&world, "127.0.0.1", port_of(world.target), 1);
    int second = dock(&world, 1);
    run_for(&world, 50);
    assert_int_equal(world.answer_count, 0); /* it says itself that it is there */
    assert_true(nobody_came(world.target));
    int target = start_relaying(&world, second);
    close(target);
    close(first);
    close(second);
    world_close(&world);
}

static void a_command_that_makes_no_sense_is_refused(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, LOOPBACK);
    open_to(&world, "0x7f.1", 22, 0);
    assert_failed(&world, TUNNEL_ERROR, 0);
    open_to(&world, "127.0.0.1\n", 22, 0);
    assert_failed(&world, TUNNEL_ERROR, 0);
    open_to(&world, "127.0.0.1", 0, 0);
    assert_failed(&world, TUNNEL_ERROR, 0);
    assert_int_equal(tunnels_count(world.tunnels), 0);
    world_close(&world);
}

static void too_many_tunnels_are_refused(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, LOOPBACK);
    for (unsigned i = 0; i < TUNNELS_MAX; i++) {
        open_to(&world, "127.0.0.1", port_of(world.target), (uint16_t)i);
    }
    assert_int_equal(world.answer_count, 0);
    open_to(&world, "127.0.0.1", port_of(world.target), TUNNELS_MAX);
    assert_failed(&world, TUNNEL_BUSY, TUNNELS_MAX);
    assert_int_equal(tunnels_count(world.tunnels), TUNNELS_MAX);
    close_session(&world);
    assert_int_equal(tunnels_count(world.tunnels), 0);
    world_close(&world);
}

static void a_session_that_is_over_takes_its_waiting_tunnels_along(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, LOOPBACK);
    int data = open_waiting(&world);
    close_session(&world);
    assert_int_equal(tunnels_count(world.tunnels), 0);
    assert_is_over(&world, data, 0);
    assert_int_equal(world.answer_count, 0);
    close_session(&world); /* of a session that is not there: nothing */
    world_close(&world);
}

static void the_last_bytes_reach_the_target_after_the_session_is_over(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, LOOPBACK);
    int data = open_waiting(&world);
    int target = start_relaying(&world, data);
    /* The command comes on another connection, and may overtake what is on this one. */
    close_session(&world);
    write_to(data, "last");
    assert_reads(&world, target, "last");
    close(data);
    assert_is_over(&world, target, 0);
    WAIT_FOR(&world, tunnels_count(world.tunnels) == 0);
    world_close(&world);
}

static void a_reset_by_the_vps_ends_a_session_at_once(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, LOOPBACK);
    int data = open_waiting(&world);
    int target = start_relaying(&world, data);
    net_reset(data);
    close_session(&world);
    assert_is_over(&world, target, -ECONNRESET);
    WAIT_FOR(&world, tunnels_count(world.tunnels) == 0);
    world_close(&world);
}

static void a_lost_control_channel_ends_only_what_is_opening(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, LOOPBACK);
    int data = open_waiting(&world);
    open_to(&world, "127.0.0.1", port_of(world.target), 1);
    assert_int_equal(tunnels_count(world.tunnels), 2);
    tunnels_control_lost(world.tunnels);
    assert_int_equal(tunnels_count(world.tunnels), 1);
    assert_int_equal(world.answer_count, 0);
    int target = start_relaying(&world, data);
    tunnels_control_lost(world.tunnels);
    write_to(target, "still here");
    assert_reads(&world, data, "still here");
    close(target);
    close(data);
    world_close(&world);
}

static void whatever_it_does_a_gateway_can_stop(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, LOOPBACK);
    int first = open_waiting(&world);
    int target = start_relaying(&world, first);
    open_to(&world, "127.0.0.1", port_of(world.target), 1);
    int second = dock(&world, 1);
    open_to(&world, "localhost", port_of(world.target), 2);
    turn(&world);
    world_close(&world);
    close(first);
    close(second);
    close(target);
}

/* ---- what a VPS in wrong hands can cause ------------------------------------ */

static unsigned lines_in(const char *text)
{
    unsigned count = 0;
    for (; (text = strchr(text, '\n')); text++) {
        count++;
    }
    return count;
}

static void any_number_of_commands_is_a_bounded_number_of_lines(void **state)
{
    enum { COMMANDS = 2000 };
    struct world world;
    char *text = NULL;
    size_t size;
    (void)state;
    world_open(&world, "10.0.0.0/8:1-65535");
    world.log = (struct log){.stream = open_memstream(&text, &size), .level = LOG_INFO};
    for (unsigned i = 0; i < COMMANDS; i++) {
        struct message bad = command_to(&world, "no host", 22, 0);
        tunnels_command(world.tunnels, &bad, &world.vps); /* refused at once */
        world.answer_count = 0;
        if (i < COMMANDS / 4) {
            open_to(&world, "127.0.0.1", port_of(world.target), 0); /* opened, refused, ended */
            close_session(&world);
        }
    }
    fclose(world.log.stream);
    assert_in_range(lines_in(text), 300, 330);
    free(text);
    world.log.stream = stderr;
    world.log.level = LOG_ERROR;
    world_close(&world);
}

/* ---- few descriptors --------------------------------------------------------- */

static void a_gateway_with_few_descriptors_left_says_so_and_keeps_the_rest(void **state)
{
    struct world world;
    struct rlimit before, few;
    int fill[100], count = 0;
    (void)state;
    world_open(&world, LOOPBACK);
    do {
        fill[count] = dup(world.target);
    } while (fill[count++] < 60);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = 70; /* more than three quarters are in use */
    open_to(&world, "127.0.0.1", port_of(world.target), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    int data = dock(&world, 0);
    assert_failed(&world, TUNNEL_BUSY, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    close(data);
    assert_int_equal(tunnels_count(world.tunnels), 0);
    while (count > 0) {
        close(fill[--count]);
    }
    world_close(&world);
}

static void use_list(struct world *world, const char *text)
{
    struct targets *list;
    assert_int_equal(targets_parse(text, &list, NULL), 0);
    targets_swap(world->allowed, list);
    targets_free(list);
    tunnels_targets_changed(world->tunnels);
}

static void another_list_ends_what_it_does_not_allow_and_nothing_else(void **state)
{
    struct world world;
    char only[64];
    (void)state;
    world_open(&world, LOOPBACK);
    int data = open_waiting(&world);
    int target = start_relaying(&world, data);
    snprintf(only, sizeof only, "127.0.0.1:%u", port_of(world.target));
    use_list(&world, only);
    write_to(target, "still here");
    assert_reads(&world, data, "still here");
    assert_int_equal(world.answer_count, 0);

    use_list(&world, "10.0.0.0/8:22");
    assert_failed(&world, TUNNEL_NOT_ALLOWED, 0);
    assert_is_over(&world, data, -ECONNRESET);
    assert_is_over(&world, target, -ECONNRESET);
    WAIT_FOR(&world, tunnels_count(world.tunnels) == 0);
    world_close(&world);
}

static void another_list_ends_what_waits_too(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, LOOPBACK);
    int data = open_waiting(&world);
    use_list(&world, "10.0.0.0/8:22");
    assert_failed(&world, TUNNEL_NOT_ALLOWED, 0);
    assert_int_equal(tunnels_count(world.tunnels), 0);
    assert_is_over(&world, data, -ECONNRESET);
    world_close(&world);
}

/* It is looked up when the list changes: the new one decides. */
static void what_is_opening_goes_by_the_new_list(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, LOOPBACK);
    open_to(&world, "127.0.0.1", port_of(world.target), 0);
    use_list(&world, "10.0.0.0/8:1-65535");
    assert_failed(&world, TUNNEL_NOT_ALLOWED, 0);
    assert_true(nobody_came(world.target));
    world_close(&world);
}

static bool is_being_probed(const struct world *world)
{
    struct pollfd waits = {.fd = world->target, .events = POLLIN};
    return poll(&waits, 1, 0) == 1;
}

static void what_is_being_probed_goes_by_the_new_list(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, LOOPBACK);
    open_to(&world, "127.0.0.1", port_of(world.target), 0);
    WAIT_FOR(&world, is_being_probed(&world));
    use_list(&world, "10.0.0.0/8:1-65535");
    assert_failed(&world, TUNNEL_NOT_ALLOWED, 0);
    assert_int_equal(tunnels_count(world.tunnels), 0);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tunnel_carries_bytes_both_ways_and_each_end_of_them),
        cmocka_unit_test(the_target_is_left_alone_until_the_first_byte),
        cmocka_unit_test(a_client_that_says_all_at_once_and_half_closes_is_served),
        cmocka_unit_test(a_target_that_is_not_listed_is_never_dialled),
        cmocka_unit_test(a_name_that_nothing_listed_could_mean_is_not_looked_up),
        cmocka_unit_test(a_name_that_leads_to_an_address_that_is_not_listed_is_refused),
        cmocka_unit_test(a_listed_name_is_allowed_wherever_it_leads),
        cmocka_unit_test(a_target_that_refuses_is_reported_and_its_data_channel_closed),
        cmocka_unit_test(a_data_port_that_nobody_serves_is_reported),
        cmocka_unit_test(a_vps_without_the_token_gets_no_proof),
        cmocka_unit_test(a_data_port_that_hangs_up_is_reported),
        cmocka_unit_test(a_target_that_went_away_resets_the_channel_and_says_why),
        cmocka_unit_test(a_vps_that_gives_up_waiting_ends_it_without_a_word),
        cmocka_unit_test(a_target_that_answered_a_moment_ago_is_not_probed),
        cmocka_unit_test(a_target_that_is_gone_since_its_last_answer_is_told_and_probed_again),
        cmocka_unit_test(a_connection_that_was_made_spares_the_next_probe_too),
        cmocka_unit_test(a_target_is_dialled_without_a_first_byte_if_the_vps_says_so),
        cmocka_unit_test(what_a_target_shows_is_told_to_who_asks),
        cmocka_unit_test(a_tunnel_to_somebody_else_fails_on_every_channel),
        cmocka_unit_test(who_is_there_is_asked_again_if_the_answer_is_too_old),
        cmocka_unit_test(a_second_command_for_the_same_channel_is_refused),
        cmocka_unit_test(a_reconnect_is_a_channel_of_its_own_without_a_probe),
        cmocka_unit_test(a_command_that_makes_no_sense_is_refused),
        cmocka_unit_test(too_many_tunnels_are_refused),
        cmocka_unit_test(a_session_that_is_over_takes_its_waiting_tunnels_along),
        cmocka_unit_test(the_last_bytes_reach_the_target_after_the_session_is_over),
        cmocka_unit_test(a_reset_by_the_vps_ends_a_session_at_once),
        cmocka_unit_test(a_lost_control_channel_ends_only_what_is_opening),
        cmocka_unit_test(whatever_it_does_a_gateway_can_stop),
        cmocka_unit_test(any_number_of_commands_is_a_bounded_number_of_lines),
        cmocka_unit_test(a_gateway_with_few_descriptors_left_says_so_and_keeps_the_rest),
        cmocka_unit_test(another_list_ends_what_it_does_not_allow_and_nothing_else),
        cmocka_unit_test(another_list_ends_what_waits_too),
        cmocka_unit_test(what_is_opening_goes_by_the_new_list),
        cmocka_unit_test(what_is_being_probed_goes_by_the_new_list),
    };
    return cmocka_run_group_tests_name("tunnels", tests, NULL, NULL);
}
