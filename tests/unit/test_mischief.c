/*
 * Sessions whose users, strangers, gateways and operators do anything at any moment, also
 * while watchers are being told: nothing falls over, nothing is left. The dice's seed is
 * printed; TEST_SEED repeats a run, TEST_STEPS makes it longer.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/net.h"
#include "control/tls.h"
#include "data/proof.h"
#include "dice.h"
#include "vps_world.h"

enum { CLIENTS = 40, SHIPS = 8, ASKED = 16, STEPS = 1500, SESSIONS_MOST = 6 };

/* A data channel on its way, or there. */
struct ship {
    int fd;
    bool proven;
    struct proof proof;
    size_t have;
    uint8_t answer[PROOF_ANSWER_SIZE];
};

struct mischief {
    struct world world;
    struct dice dice;
    int clients[CLIENTS];
    struct ship ships[SHIPS];
    struct message_open_tunnel asked[ASKED]; /* what the gateway was asked */
    unsigned asked_count, opens_seen;
};

static size_t roll(struct mischief *m, size_t limit)
{
    return dice_below(&m->dice, limit);
}

static struct session *any_session(struct mischief *m)
{
    struct session *session = NULL;
    for (size_t i = roll(m, SESSIONS_MOST) + 1; i > 0; i--) {
        session = sessions_next(m->world.sessions, session);
        session = session ? session : sessions_next(m->world.sessions, NULL);
    }
    return session;
}

/* ---- what a user may do at any moment ---------------------------------------- */

static void decide(struct mischief *m, struct session *session)
{
    static const struct owner HANDS[] = {{OWNER_TELEGRAM, 42}, {OWNER_LOCAL, 0}};
    struct parked_view parked[PARKED_MAX];
    unsigned count = session_parked(session, parked);
    unsigned number = count > 0 ? parked[roll(m, count)].number : (unsigned)roll(m, 5);
    switch (roll(m, 6)) {
    case 0:
    case 1:
        session_admit(session, number, &HANDS[roll(m, 2)]);
        break;
    case 2:
        session_block(session, number, &HANDS[roll(m, 2)]);
        break;
    case 3:
        session_ask_more(session, (unsigned)roll(m, 5));
        break;
    case 4:
        session_parked(session, parked);
        break;
    case 5:
        if (roll(m, 4) == 0) {
            session_close(session);
        }
        break;
    }
}

static void on_event(void *arg, const struct session_event *event)
{
    struct mischief *m = arg;
    if (roll(m, 12) == 0 && event->session && event->kind != SESSION_NOTED) {
        struct session *other = any_session(m);
        decide(m, roll(m, 2) || !other ? event->session : other);
    }
}

static void open_one(struct mischief *m)
{
    struct session_request request = {.owner = {OWNER_TELEGRAM, 42 + (int64_t)roll(m, 2)},
                                      .kind = roll(m, 2) ? KIND_SSH : KIND_RDP};
    struct session *session;
    struct why why;
    strcpy(request.target.host, "HOME-PC");
    request.target.port = 22;
    if (sessions_count(m->world.sessions) < SESSIONS_MOST) {
        sessions_open(m->world.sessions, &request, &session, &why);
    }
}

/* ---- clients ------------------------------------------------------------------ */

static int dial(const char *from, uint16_t port)
{
    struct addr here, there;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(addr_parse(from, 0, &here), 0);
    assert_int_equal(addr_parse("127.0.0.1", port, &there), 0);
    assert_int_equal(bind(fd, &here.sa, addr_len(&here)), 0);
    if (connect(fd, &there.sa, addr_len(&there)) < 0) {
        close(fd);
        return -1;
    }
    net_tune(fd);
    return fd;
}

static void a_client_comes(struct mischief *m)
{
    struct session *session = any_session(m);
    size_t at = roll(m, CLIENTS);
    if (!session || m->clients[at] >= 0) {
        return;
    }
    struct session_view view;
    session_view(session, &view);
    char from[32];
    snprintf(from, sizeof from, "127.%zu.0.%zu", roll(m, 3), 2 + roll(m, 3));
    if (view.kind == KIND_RDP && roll(m, 2) && !port_is_closed(view.public_port)) {
        m->clients[at] = come_with_rdp(session, from);
        return;
    }
    int fd = m->clients[at] = dial(from, roll(m, 8) ? view.public_port : view.data_port);
    if (fd >= 0 && roll(m, 10)) {
        bool ssh = view.kind == KIND_SSH;
        send(fd, ssh ? (const void *)SSH_ID : RDP_REQUEST,
             ssh ? strlen(SSH_ID) : sizeof RDP_REQUEST - (roll(m, 10) == 0), MSG_NOSIGNAL);
    }
}

static void a_client_acts(struct mischief *m)
{
    size_t at = roll(m, CLIENTS);
    int fd = m->clients[at];
    char bytes[600];
    if (fd < 0) {
        return;
    }
    switch (roll(m, 4)) {
    case 0:
        send(fd, "hello", 5, MSG_NOSIGNAL | MSG_DONTWAIT);
        return;
    case 1:
        client_hear(fd, bytes, sizeof bytes);
        return;
    case 2:
        close(fd);
        break;
    case 3:
        net_reset(fd);
        break;
    }
    m->clients[at] = -1;
}

/* ---- the gateway --------------------------------------------------------------- */

static void hear_orders(struct mischief *m)
{
    const struct peer *peer = &m->world.peers[0];
    if (peer->opens != m->opens_seen) {
        m->opens_seen = peer->opens;
        m->asked[m->asked_count++ % ASKED] = peer->last;
    }
}

static const struct message_open_tunnel *any_order(struct mischief *m)
{
    unsigned kept = m->asked_count < ASKED ? m->asked_count : ASKED;
    return kept == 0        ? NULL
           : roll(m, 3) > 0 ? &m->asked[(m->asked_count - 1) % ASKED]
                            : &m->asked[roll(m, kept)];
}

static void the_gateway_speaks(struct mischief *m)
{
    const struct message_open_tunnel *order = any_order(m);
    struct message message = {.type = roll(m, 8) ? MESSAGE_TUNNEL_READY : MESSAGE_TUNNEL_FAILED};
    if (!order || !m->world.peers[0].channel) {
        return;
    }
    uint16_t channel = roll(m, 6) ? order->channel : (uint16_t)roll(m, 4);
    if (message.type == MESSAGE_TUNNEL_READY) {
        message.tunnel_ready.session = order->session;
        message.tunnel_ready.channel = channel;
        strcpy(message.tunnel_ready.address, "10.0.0.1:22");
    } else {
        message.tunnel_failed.session = order->session;
        message.tunnel_failed.channel = channel;
        message.tunnel_failed.reason = (uint8_t)(roll(m, 3) ? TUNNEL_BUSY : 1 + roll(m, 12));
        strcpy(message.tunnel_failed.detail, "no");
    }
    channel_send(m->world.peers[0].channel, &message);
}

static void a_ship_sails(struct mischief *m)
{
    const struct message_open_tunnel *order = any_order(m);
    struct ship *ship = &m->ships[roll(m, SHIPS)];
    uint8_t hello[PROOF_HELLO_SIZE];
    if (!order || ship->fd >= 0) {
        return;
    }
    *ship = (struct ship){.fd = dial(roll(m, 2) ? "127.0.0.9" : "127.0.0.1", order->data_port)};
    if (ship->fd >= 0) {
        assert_int_equal(
            proof_hello(&ship->proof, order->session, order->channel, order->token, hello), 0);
        send(ship->fd, hello, sizeof hello, MSG_NOSIGNAL);
    }
}

static void the_ships_go_on(struct mischief *m)
{
    uint8_t final[PROOF_FINAL_SIZE];
    for (unsigned i = 0; i < SHIPS; i++) {
        struct ship *ship = &m->ships[i];
        if (ship->fd >= 0 && !ship->proven) {
            ship->have += client_hear(ship->fd, ship->answer + ship->have,
                                      sizeof ship->answer - ship->have);
            if (ship->have == sizeof ship->answer) {
                ship->proven = true;
                assert_int_equal(proof_final(&ship->proof, ship->answer, final), 0);
                send(ship->fd, final, sizeof final, MSG_NOSIGNAL);
            }
        }
    }
}

static void a_ship_acts(struct mischief *m)
{
    struct ship *ship = &m->ships[roll(m, SHIPS)];
    char bytes[600];
    if (ship->fd < 0) {
        return;
    }
    switch (roll(m, 4)) {
    case 0:
        if (ship->proven) {
            send(ship->fd, "welcome", 7, MSG_NOSIGNAL | MSG_DONTWAIT);
        }
        return;
    case 1:
        client_hear(ship->fd, bytes, ship->proven ? sizeof bytes : 0);
        return;
    case 2:
        close(ship->fd);
        break;
    case 3:
        net_reset(ship->fd);
        break;
    }
    ship->fd = -1;
}

static void the_line_breaks(struct mischief *m)
{
    struct world *world = &m->world;
    stage_hurry(1); /* a login has ten seconds */
    if (world->peers[0].channel && roll(m, 12) == 0) {
        peer_vanish(world, &world->peers[0]);
        if (roll(m, 2)) {
            return;
        }
    }
    if (!world->peers[0].channel) {
        peer_log_in(world, &world->peers[0], "home");
    }
}

/* ---- the world ------------------------------------------------------------------ */

static void settings_change(struct mischief *m)
{
    struct vps_settings *settings = &m->world.settings;
    settings->reconnect_grace = (long)roll(m, 3) * 10;
    settings->max_connections = (long)roll(m, 4);
    settings->idle_timeout = (long)roll(m, 3) * 60;
    settings->max_session_time = (long)roll(m, 3) * 120;
    settings->admit = (enum admit)roll(m, 3);
    sessions_drain(m->world.sessions, roll(m, 10) == 0);
}

static void time_passes(struct mischief *m)
{
    static const unsigned FACTORS[] = {1, 1, 20, 300};
    stage_hurry(FACTORS[roll(m, 4)]);
    for (size_t turns = roll(m, 6); turns > 0; turns--) {
        stage_turn(&m->world.stage);
        hear_orders(m);
    }
}

static void step(struct mischief *m)
{
    static void (*const STEPS_OF[])(struct mischief * m) = {
        open_one,      a_client_comes,  a_client_comes,     a_client_comes,
        a_client_acts, a_ship_sails,    the_gateway_speaks, a_ship_sails,
        a_ship_acts,   the_line_breaks, time_passes,        the_gateway_speaks,
    };
    struct session *session = any_session(m);
    size_t which = roll(m, sizeof STEPS_OF / sizeof *STEPS_OF + 2);
    if (which < sizeof STEPS_OF / sizeof *STEPS_OF) {
        STEPS_OF[which](m);
    } else if (session) {
        decide(m, session);
    }
    if (roll(m, 100) == 0) {
        settings_change(m);
    }
    stage_turn(&m->world.stage);
    hear_orders(m);
    the_ships_go_on(m);
}

static void anything_may_happen_at_any_moment(void **state)
{
    static struct mischief mischief;
    struct mischief *m = &mischief;
    const char *steps = getenv("TEST_STEPS");
    (void)state;
    m->dice = dice_new();
    memset(m->clients, 0xff, sizeof m->clients);
    for (unsigned i = 0; i < SHIPS; i++) {
        m->ships[i].fd = -1;
    }
    world_init(&m->world);
    m->world.settings.admit = ADMIT_KNOWN;
    m->world.first_watcher = (struct session_watcher){on_event, m};
    world_start(&m->world);
    for (long left = steps ? atol(steps) : STEPS; left > 0; left--) {
        m->world.events[0] = '\0';
        step(m);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (m->clients[i] >= 0) {
            close(m->clients[i]);
        }
    }
    for (unsigned i = 0; i < SHIPS; i++) {
        if (m->ships[i].fd >= 0) {
            close(m->ships[i].fd);
        }
    }
    print_message("%u sessions ended\n", m->world.ended);
    world_stop(&m->world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(anything_may_happen_at_any_moment),
    };
    return cmocka_run_group_tests_name("mischief", tests, NULL, NULL);
}
