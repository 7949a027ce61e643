/* The life of sessions, from the command to the end, with a gateway that is played by hand. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/net.h"
#include "control/tls.h"
#include "vps/admission/greeting.h"
#include "vps/session/explain.h"
#include "vps_world.h"

static const struct owner ADMIN = {OWNER_LOCAL, 0};
static const char ANNA[] = "127.0.0.2", BERT[] = "127.0.0.3";

/* NULL: the kind's own. Another kind of client, whose server speaks first. */
static const struct greeting_reader *other_reader;

const struct greeting_reader *__real_greeting_reader(enum kind kind);
const struct greeting_reader *__wrap_greeting_reader(enum kind kind);

const struct greeting_reader *__wrap_greeting_reader(enum kind kind)
{
    return other_reader ? other_reader : __real_greeting_reader(kind);
}

static long nothing_is_missing(const uint8_t *data, size_t len)
{
    (void)data;
    (void)len;
    return 0;
}

static const struct greeting_reader SILENCE = {.missing = nothing_is_missing, .words = words_clean};

static struct world *new_world(void)
{
    static struct world world;
    world_init(&world);
    return &world;
}

static int try_to_open(struct world *world, const struct session_request *request, struct why *why)
{
    struct session *session;
    *why = (struct why){""};
    return sessions_open(world->sessions, request, &session, why);
}

static struct session_request request_of(int64_t user)
{
    struct session_request request = {.owner = {OWNER_TELEGRAM, user}, .kind = KIND_SSH};
    strcpy(request.target.host, "HOME-PC");
    request.target.port = 22;
    return request;
}

static void wait_until_ended(struct world *world)
{
    unsigned before = world->ended;
    WAIT_FOR(&world->stage, world->ended > before);
}

static void expect_end(struct world *world, const char *words)
{
    if (!strstr(world->end_text, words)) {
        fail_msg("no word of '%s' in: %s", words, world->end_text);
    }
}

/* A session with its client, its data channel, and bytes that flow in both directions. */
struct pair {
    struct session *session;
    int client, data;
};

static struct pair connect_user(struct world *world, enum kind kind)
{
    struct pair pair;
    pair.session = world_ask_until_waiting(world, kind, &pair.data);
    if (kind == KIND_SSH) {
        pair.client = come_with_ssh(pair.session, ANNA);
        world_hear(world, pair.data, SSH_ID, strlen(SSH_ID));
    } else {
        pair.client = come_with_rdp(pair.session, ANNA);
        world_hear(world, pair.data, RDP_REQUEST, sizeof RDP_REQUEST);
    }
    client_say(pair.data, "SSH-2", 5); /* five bytes that are no last words */
    world_hear(world, pair.client, "SSH-2", 5);
    return pair;
}

static void close_pair(struct pair *pair)
{
    close(pair->client);
    close(pair->data);
}

/* ---- the straight way ----------------------------------------------------- */

static void an_ssh_session_goes_from_the_command_to_its_end(void **state)
{
    struct world *world = new_world();
    char command[SESSION_LINE_MAX], expected[SESSION_LINE_MAX];
    struct text text = text_over(command, sizeof command);
    (void)state;
    world_start(world);
    struct session *session = world_ask(world, KIND_SSH);
    assert_int_equal(state_of(session), SESSION_OPENING);
    assert_string_equal(world->peers[0].last.host, "HOME-PC");
    assert_int_equal(world->peers[0].last.port, 22);
    assert_int_equal(world->peers[0].last.channel, 0);
    uint16_t public = public_port(session), data = data_port(session);
    assert_int_equal(world->peers[0].last.data_port, data);

    int target = peer_attach(world, &world->peers[0]);
    peer_say_ready(&world->peers[0]);
    WAIT_FOR(&world->stage, state_of(session) == SESSION_WAITING);
    session_line(session, &text);
    snprintf(expected, sizeof expected, "ssh -p %u -o HostKeyAlias=home-pc vps.example.com",
             public);
    assert_string_equal(command, expected);
    assert_true(port_is_closed(data)); /* no channel is expected */

    int client = come_with_ssh(session, ANNA);
    world_hear(world, target, SSH_ID, strlen(SSH_ID));
    client_say(target, "SSH-", 4); /* not "pong": those would be last words */
    world_hear(world, client, "SSH-", 4);
    assert_int_equal(state_of(session), SESSION_CONNECTED);

    shutdown(client, SHUT_WR);
    WAIT_FOR(&world->stage, client_was_sent_off(target));
    assert_int_equal(state_of(session), SESSION_CONNECTED); /* half of it is open */
    stage_hurry(50);
    close(target);
    wait_until_ended(world);
    world_expect(world, "waiting, connected, reconnecting, ended");
    expect_end(world, "disconnected");
    assert_true(port_is_closed(public));
    assert_int_equal(world->last.bytes_to_target, strlen(SSH_ID));
    assert_int_equal(world->last.bytes_to_client, 4);
    WAIT_FOR(&world->stage, world->peers[0].closes == 1);
    assert_int_equal(world->peers[0].closed, world->peers[0].last.session);
    assert_int_equal(sessions_count(world->sessions), 0);
    close(client);
    world_stop(world);
}

static void an_rdp_session_goes_from_the_command_to_its_end(void **state)
{
    struct world *world = new_world();
    (void)state;
    world_start(world);
    struct pair pair = connect_user(world, KIND_RDP); /* the target sees no secret */
    assert_int_equal(state_of(pair.session), SESSION_CONNECTED);
    client_say(pair.client, "TLS", 3);
    world_hear(world, pair.data, "TLS", 3);
    stage_hurry(50);
    close_pair(&pair);
    wait_until_ended(world);
    world_expect(world, "waiting, connected, reconnecting, ended");
    expect_end(world, "disconnected");
    assert_int_equal(world->last.bytes_to_target, sizeof RDP_REQUEST + 3);
    assert_int_equal(world->last.bytes_to_client, 5);
    world_stop(world);
}

static void the_answer_and_the_data_channel_may_come_in_either_order(void **state)
{
    (void)state;
    for (unsigned ready_first = 0; ready_first < 2; ready_first++) {
        struct world *world = new_world();
        world_start(world);
        struct session *session = world_ask(world, KIND_SSH);
        if (ready_first) {
            peer_say_ready(&world->peers[0]);
            assert_true(stage_is_quiet(&world->stage, 20));
        }
        int data = peer_attach(world, &world->peers[0]);
        if (!ready_first) {
            WAIT_FOR(&world->stage, world_logged(world, "data channel 0 is there"));
            assert_int_equal(state_of(session), SESSION_OPENING);
            peer_say_ready(&world->peers[0]);
        }
        WAIT_FOR(&world->stage, state_of(session) == SESSION_WAITING);
        close(data);
        world_stop(world);
    }
}

static void the_secrets_of_a_session_are_its_own(void **state)
{
    struct world *world = new_world();
    char files[2][SESSION_RDP_FILE_MAX];
    struct message_open_tunnel opens[2];
    (void)state;
    world_start(world);
    for (unsigned i = 0; i < 2; i++) {
        struct text text = text_over(files[i], sizeof files[i]);
        session_rdp_file(world_ask(world, KIND_RDP), &text);
        opens[i] = world->peers[0].last;
    }
    assert_memory_not_equal(opens[0].token, opens[1].token, sizeof opens[0].token);
    assert_true(opens[0].session != opens[1].session);
    const char *first = strstr(files[0], "mstshash="), *second = strstr(files[1], "mstshash=");
    assert_string_not_equal(first, second);
    world_stop(world);
}

static void the_log_holds_no_secret(void **state)
{
    struct world *world = new_world();
    char file[SESSION_RDP_FILE_MAX], token[2 * sizeof world->peers[0].last.token + 1];
    struct text text = text_over(file, sizeof file);
    (void)state;
    world_start(world);
    struct pair pair = connect_user(world, KIND_RDP);
    session_rdp_file(pair.session, &text);
    char *secret = strstr(file, "mstshash=") + strlen("mstshash=");
    secret[strcspn(secret, "\r\n")] = '\0';
    crypto_hex(world->peers[0].last.token, sizeof world->peers[0].last.token, token);
    session_close(pair.session);
    assert_true(strlen(secret) > 20 && strlen(token) == 64);
    assert_false(world_logged(world, secret) || world_logged(world, token));
    close_pair(&pair);
    world_stop(world);
}

/* ---- failures of the gateway ---------------------------------------------- */

static void what_the_gateway_says_is_put_into_words(void **state)
{
    static const struct {
        enum tunnel_failure reason;
        const char *words;
    } CASES[] = {
        {TUNNEL_UNKNOWN_NAME, "unknown name: gateway home cannot find HOME-PC"},
        {TUNNEL_REFUSED, "refused: HOME-PC is there, but nothing listens on port 22"},
        {TUNNEL_NO_ROUTE, "no route: gateway home cannot reach HOME-PC"},
        {TUNNEL_TIMED_OUT, "timed out: HOME-PC does not answer on port 22"},
        {TUNNEL_NOT_ALLOWED, "not allowed: gateway home does not serve HOME-PC port 22"},
        {TUNNEL_DATA_UNREACHABLE, "gateway home cannot reach the data port of this server"},
        {TUNNEL_BUSY, "gateway home has too many tunnels open"},
        {TUNNEL_ERROR, "gateway home could not open it: “because”"},
        {(enum tunnel_failure)99, "gateway home could not open it: “because”"},
    };
    (void)state;
    struct world *world = new_world();
    world_start(world);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct session *session = world_ask(world, KIND_SSH);
        uint16_t data = data_port(session), public = public_port(session);
        peer_say_failed(&world->peers[0], CASES[i].reason, "because");
        wait_until_ended(world);
        expect_end(world, CASES[i].words);
        assert_int_equal(world->last.end, SESSION_END_REFUSED);
        world_expect(world, "ended");
        assert_true(port_is_closed(data) && port_is_closed(public));
    }
    world_stop(world);
}

/* A Telegram message and a JSON answer have to be UTF-8, also where a long reason is cut. */
static void a_long_reason_is_cut_between_characters(void **state)
{
    (void)state;
    for (unsigned shift = 0; shift < 3; shift++) {
        struct world *world = new_world();
        char detail[201] = "", words[300];
        world_start(world);
        world_ask(world, KIND_SSH);
        strcpy(detail, &"abc"[shift]);
        while (strlen(detail) + 3 < sizeof detail) {
            strcat(detail, "\xe2\x82\xac");
        }
        peer_say_failed(&world->peers[0], TUNNEL_ERROR, detail);
        wait_until_ended(world);
        snprintf(words, sizeof words, "could not open it: “%s\xe2\x82\xac", &"abc"[shift]);
        expect_end(world, words);
        const char *euros = strstr(world->end_text, "\xe2\x82");
        assert_int_equal(strlen(euros) % 3, 0);
        assert_true(strlen(euros) > 100);
        world_stop(world);
    }
}

/* It proves itself first, and finds out about the target a moment later. */
static void a_reason_may_come_after_the_data_channel_was_closed(void **state)
{
    (void)state;
    for (unsigned says_why = 0; says_why < 2; says_why++) {
        struct world *world = new_world();
        world_start(world);
        world_ask(world, KIND_SSH);
        int data = peer_attach(world, &world->peers[0]);
        WAIT_FOR(&world->stage, world_logged(world, "data channel 0 is there"));
        close(data);
        assert_true(stage_is_quiet(&world->stage, 20));
        assert_int_equal(world->ended, 0);
        if (says_why) {
            peer_say_failed(&world->peers[0], TUNNEL_TIMED_OUT, "");
        }
        WAIT_FOR(&world->stage, world->ended == 1);
        expect_end(world, says_why ? "timed out: HOME-PC" : "went offline or did not answer");
        world_stop(world);
    }
}

static void a_target_that_cannot_be_dialled_any_more_is_explained(void **state)
{
    (void)state;
    /* The RST and the reason travel on different connections. */
    for (unsigned message_first = 0; message_first < 2; message_first++) {
        struct world *world = new_world();
        int data;
        world_start(world);
        struct session *session = world_ask_until_waiting(world, KIND_SSH, &data);
        int client = come_with_ssh(session, ANNA);
        world_hear(world, data, SSH_ID, strlen(SSH_ID));
        if (message_first) {
            peer_say_failed(&world->peers[0], TUNNEL_REFUSED, "");
            WAIT_FOR(&world->stage, world->ended == 1);
            net_reset(data);
        } else {
            net_reset(data);
            WAIT_FOR(&world->stage, client_was_sent_off(client));
            peer_say_failed(&world->peers[0], TUNNEL_REFUSED, "");
            WAIT_FOR(&world->stage, world->ended == 1);
        }
        expect_end(world, "refused: HOME-PC is there");
        assert_int_equal(world->last.end, SESSION_END_TARGET);
        world_lose(world, client);
        world_stop(world);
    }
}

static void without_last_words_it_ends_as_disconnected_soon(void **state)
{
    struct world *world = new_world();
    int data;
    (void)state;
    world->settings.reconnect_grace = 0;
    world_start(world);
    struct session *session = world_ask_until_waiting(world, KIND_SSH, &data);
    int client = come_with_ssh(session, ANNA);
    world_hear(world, data, SSH_ID, strlen(SSH_ID));
    net_reset(data);
    wait_until_ended(world);
    assert_int_equal(world->last.end, SESSION_END_DISCONNECTED);
    world_lose(world, client);
    world_stop(world);
}

static void messages_about_a_session_of_another_gateway_are_ignored(void **state)
{
    struct world *world = new_world();
    (void)state;
    world_start(world);
    peer_log_in(world, &world->peers[1], "office");
    struct session_request request = request_of(42);
    struct session *session;
    struct why why;
    strcpy(request.target.gateway, "home");
    assert_int_equal(sessions_open(world->sessions, &request, &session, &why), 0);
    WAIT_FOR(&world->stage, world->peers[0].opens == 1);
    /* It knows the number of the session, from wherever. */
    world->peers[1].last = world->peers[0].last;
    peer_say_failed(&world->peers[1], TUNNEL_REFUSED, "");
    peer_say_ready(&world->peers[1]);
    int data = peer_attach(world, &world->peers[0]);
    assert_true(stage_is_quiet(&world->stage, 30));
    assert_int_equal(state_of(session), SESSION_OPENING);
    peer_say_ready(&world->peers[0]);
    WAIT_FOR(&world->stage, state_of(session) == SESSION_WAITING);
    peer_say_failed(&world->peers[1], TUNNEL_REFUSED, "");
    peer_vanish(world, &world->peers[1]);
    assert_true(stage_is_quiet(&world->stage, 30));
    assert_int_equal(state_of(session), SESSION_WAITING);
    close(data);
    world_stop(world);
}

static void messages_about_no_session_are_ignored(void **state)
{
    struct world *world = new_world();
    int data;
    (void)state;
    world_start(world);
    struct session *session = world_ask_until_waiting(world, KIND_SSH, &data);
    world->peers[0].last.session++;
    peer_say_failed(&world->peers[0], TUNNEL_REFUSED, "");
    world->peers[0].last.session--;
    peer_say_ready(&world->peers[0]); /* once more */
    assert_true(stage_is_quiet(&world->stage, 30));
    assert_int_equal(state_of(session), SESSION_WAITING);
    world_expect(world, "waiting");
    close(data);
    world_stop(world);
}

/* ---- a gateway that goes -------------------------------------------------- */

static void a_gateway_that_is_lost_while_opening_ends_the_session(void **state)
{
    struct world *world = new_world();
    (void)state;
    world_start(world);
    world_ask(world, KIND_SSH);
    peer_vanish(world, &world->peers[0]);
    WAIT_FOR(&world->stage, world->ended == 1);
    expect_end(world, "gateway home went offline or did not answer");
    world_expect(world, "ended");
    world_stop(world);
}

static void a_gateway_that_logs_in_anew_while_opening_ends_the_session(void **state)
{
    static const char *const NAMES[] = {"home", "HOME"}; /* it is the same one in either case */
    (void)state;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        struct world *world = new_world();
        world_start(world);
        world_ask(world, KIND_SSH);
        peer_log_in(world, &world->peers[1], NAMES[i]);
        WAIT_FOR(&world->stage, world->ended == 1);
        expect_end(world, "went offline or did not answer");
        WAIT_FOR(&world->stage, world->peers[0].goodbye == GOODBYE_REPLACED);
        world_stop(world);
    }
}

static void a_lost_control_channel_does_not_touch_who_waits_or_works(void **state)
{
    struct world *world = new_world();
    int data;
    (void)state;
    world->settings.reconnect_grace = 0;
    world_start(world);
    struct session *waiting = world_ask_until_waiting(world, KIND_SSH, &data);
    struct pair pair = connect_user(world, KIND_SSH);
    peer_vanish(world, &world->peers[0]);
    assert_true(stage_is_quiet(&world->stage, 30));
    assert_int_equal(world->ended, 0);
    client_say(pair.client, "still", 5);
    world_hear(world, pair.data, "still", 5);
    int client = come_with_ssh(waiting, ANNA);
    world_hear(world, data, SSH_ID, strlen(SSH_ID));
    assert_int_equal(state_of(waiting), SESSION_CONNECTED);
    close(client);
    close(data);
    close_pair(&pair);
    WAIT_FOR(&world->stage, world->ended == 2);
    world_stop(world);
}

/* A firewall or a proxy on the way has ended what carried nothing for a while. */
static void a_data_channel_that_was_kept_and_breaks_is_replaced(void **state)
{
    struct world *world = new_world();
    int data;
    (void)state;
    world_start(world);
    struct session *session = world_ask_until_waiting(world, KIND_SSH, &data);
    for (unsigned i = 1; i <= 3; i++) {
        unsigned before = world->peers[0].opens;
        stage_hurry(100);
        assert_true(stage_is_quiet(&world->stage, 30)); /* three seconds */
        stage_hurry(1);
        close(data);
        WAIT_FOR(&world->stage, world->peers[0].opens > before);
        assert_int_equal(world->peers[0].last.channel, i);
        data = peer_attach(world, &world->peers[0]);
        assert_int_equal(state_of(session), SESSION_WAITING);
    }
    int client = come_with_ssh(session, ANNA);
    world_hear(world, data, SSH_ID, strlen(SSH_ID));
    world_expect(world, "waiting, connected");
    close(client);
    close(data);
    world_stop(world);
}

static void both_connections_of_a_gateway_that_stops_end_the_session(void **state)
{
    struct world *world = new_world();
    int data;
    (void)state;
    world_start(world);
    world_ask_until_waiting(world, KIND_SSH, &data);
    stage_hurry(100);
    assert_true(stage_is_quiet(&world->stage, 30));
    stage_hurry(1);
    close(data);
    peer_vanish(world, &world->peers[0]);
    WAIT_FOR(&world->stage, world->ended == 1);
    expect_end(world, "gateway home went offline or did not answer");
    world_stop(world);
}

static void a_data_channel_that_breaks_before_the_user_came_ends_the_session(void **state)
{
    struct world *world = new_world();
    int data;
    (void)state;
    world_start(world);
    world_ask_until_waiting(world, KIND_SSH, &data);
    close(data);
    wait_until_ended(world);
    assert_int_equal(world->last.end, SESSION_END_GATEWAY);
    world_stop(world);
}

/* ---- time ----------------------------------------------------------------- */

static void a_session_that_nobody_comes_to_ends(void **state)
{
    struct world *world = new_world();
    struct session_view view;
    int data;
    (void)state;
    world->settings.session_timeout = 60;
    world_start(world);
    stage_hurry(200);
    uint64_t since = stage_ms();
    struct session *session = world_ask_until_waiting(world, KIND_SSH, &data);
    session_view(session, &view);
    assert_in_range(view.seconds_left, 1, 60);
    uint16_t public = public_port(session);
    wait_until_ended(world);
    assert_in_range(stage_ms() - since, 280, 5000);
    expect_end(world, "nobody connected within 1 min");
    world_expect(world, "waiting, ended");
    assert_true(port_is_closed(public));
    world_lose(world, data);
    world_stop(world);
}

static void the_user_has_the_time_that_the_gateway_left(void **state)
{
    struct world *world = new_world();
    (void)state;
    world->settings.session_timeout = 10;
    world_start(world);
    struct session *session = world_ask(world, KIND_SSH);
    stage_hurry(20);
    for (uint64_t end = stage_ms() + 200; stage_ms() < end;) { /* 4 of the 10 s */
        stage_turn(&world->stage);
    }
    int data = peer_attach(world, &world->peers[0]);
    peer_say_ready(&world->peers[0]);
    WAIT_FOR(&world->stage, state_of(session) == SESSION_WAITING);
    struct session_view view;
    session_view(session, &view);
    assert_in_range(view.seconds_left, 1, 6);
    wait_until_ended(world);
    assert_int_equal(world->last.end, SESSION_END_NOBODY);
    close(data);
    world_stop(world);
}

static void a_gateway_that_says_nothing_is_not_waited_for_long(void **state)
{
    (void)state;
    for (unsigned docked = 0; docked < 2; docked++) {
        struct world *world = new_world();
        world_start(world);
        stage_hurry(50);
        uint64_t since = stage_ms();
        world_ask(world, KIND_SSH);
        int data = docked ? peer_attach(world, &world->peers[0]) : -1;
        wait_until_ended(world);
        assert_in_range(stage_ms() - since, 380, 2000); /* 20 s, not the user's 120 */
        assert_int_equal(world->last.end, SESSION_END_GATEWAY);
        world_expect(world, "ended");
        if (docked) {
            world_lose(world, data);
        }
        world_stop(world);
    }
}

static void a_session_ends_when_nothing_moved_for_too_long(void **state)
{
    struct world *world = new_world();
    (void)state;
    world->settings.idle_timeout = 20;
    world_start(world);
    stage_hurry(40);
    struct pair pair = connect_user(world, KIND_SSH);
    uint64_t since = stage_ms();
    for (unsigned i = 0; i < 4; i++) { /* every byte is a sign of life, in either direction */
        for (uint64_t end = stage_ms() + 250; stage_ms() < end;) { /* 10 s */
            stage_turn(&world->stage);
        }
        int from = i % 2 ? pair.client : pair.data, to = i % 2 ? pair.data : pair.client;
        client_say(from, "x", 1);
        world_hear(world, to, "x", 1);
    }
    assert_int_equal(world->ended, 0);
    wait_until_ended(world);
    assert_in_range(stage_ms() - since, 1400, 3000);
    expect_end(world, "nothing was sent or received for 20 s");
    world_lose(world, pair.client);
    world_lose(world, pair.data);
    world_stop(world);
}

static void a_session_ends_when_its_longest_time_is_over(void **state)
{
    struct world *world = new_world();
    (void)state;
    world->settings.max_session_time = 60;
    world_start(world);
    stage_hurry(100);
    struct pair pair = connect_user(world, KIND_SSH);
    uint64_t since = stage_ms();
    while (world->ended == 0) { /* busy to the end */
        send(pair.client, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        stage_turn(&world->stage);
        assert_true(stage_ms() - since < STAGE_PATIENCE_MS);
    }
    assert_in_range(stage_ms() - since, 500, 3000);
    expect_end(world, "it reached the time limit for a session: 1 min");
    world_lose(world, pair.client);
    close(pair.data);
    world_stop(world);
}

/* ---- closing -------------------------------------------------------------- */

static void it_can_be_closed_in_every_state(void **state)
{
    (void)state;
    for (enum session_state in = SESSION_OPENING; in < SESSION_ENDED; in++) {
        struct world *world = new_world();
        struct pair pair = {NULL, -1, -1};
        world_start(world);
        if (in == SESSION_OPENING) {
            pair.session = world_ask(world, KIND_RDP);
        } else if (in == SESSION_WAITING) {
            pair.session = world_ask_until_waiting(world, KIND_RDP, &pair.data);
        } else {
            pair = connect_user(world, KIND_RDP);
        }
        if (in == SESSION_RECONNECTING) {
            close_pair(&pair);
            pair.client = pair.data = -1;
            WAIT_FOR(&world->stage, state_of(pair.session) == in);
        }
        assert_int_equal(state_of(pair.session), in);
        uint16_t public = public_port(pair.session), data = data_port(pair.session);
        session_close(pair.session);
        session_close(pair.session); /* twice is not too often */
        assert_int_equal(world->ended, 1);
        assert_int_equal(sessions_count(world->sessions), 0);
        expect_end(world, "closed on request");
        assert_true(port_is_closed(public) && port_is_closed(data));
        WAIT_FOR(&world->stage, world->peers[0].closes == 1);
        if (pair.client >= 0) {
            world_lose(world, pair.client);
        }
        if (pair.data >= 0) {
            world_lose(world, pair.data);
        }
        world_stop(world);
    }
}

static void stopping_ends_all_sessions_and_gives_everything_back(void **state)
{
    struct world *world = new_world();
    struct pair pairs[6];
    int data;
    (void)state;
    world_start(world);
    for (unsigned i = 0; i < 6; i++) {
        pairs[i] = connect_user(world, i % 2 ? KIND_RDP : KIND_SSH);
    }
    world_ask_until_waiting(world, KIND_SSH, &data);
    world_ask(world, KIND_SSH);
    sessions_end_all(world->sessions);
    assert_int_equal(world->ended, 8);
    expect_end(world, "the server is being stopped");
    for (unsigned i = 0; i < 6; i++) {
        close_pair(&pairs[i]);
    }
    close(data);
    world_stop(world); /* while links are still on their way back */
}

/* ---- RDP clients come again ----------------------------------------------- */

/* Up to the gateway's hearing of it; *ret_data is the new data channel. */
static int reconnect(struct world *world, struct session *session, int *ret_data)
{
    unsigned before = world->peers[0].opens;
    uint16_t channel = world->peers[0].last.channel;
    int client = come_with_rdp(session, ANNA);
    WAIT_FOR(&world->stage, world->peers[0].opens == before + 1);
    assert_int_equal(world->peers[0].last.channel, channel + 1);
    *ret_data = peer_attach(world, &world->peers[0]);
    world_hear(world, *ret_data, RDP_REQUEST, sizeof RDP_REQUEST);
    return client;
}

static void an_rdp_client_may_come_back_within_the_grace(void **state)
{
    struct world *world = new_world();
    (void)state;
    world_start(world);
    struct pair pair = connect_user(world, KIND_RDP);
    close_pair(&pair);
    WAIT_FOR(&world->stage, state_of(pair.session) == SESSION_RECONNECTING);
    for (unsigned i = 0; i < 3; i++) {
        pair.client = reconnect(world, pair.session, &pair.data);
        client_say(pair.data, "welcome", 7);
        world_hear(world, pair.client, "welcome", 7);
        assert_int_equal(state_of(pair.session), SESSION_CONNECTED);
        close_pair(&pair);
        WAIT_FOR(&world->stage, state_of(pair.session) == SESSION_RECONNECTING);
    }
    world_expect(world, "waiting, connected, reconnecting, connected, reconnecting, connected, "
                        "reconnecting, connected, reconnecting");
    struct session_view view;
    session_view(pair.session, &view);
    assert_int_equal(view.bytes_to_target, 4 * sizeof RDP_REQUEST);
    assert_int_equal(view.bytes_to_client, 5 + 3 * 7);
    world_stop(world);
}

static void an_rdp_client_may_come_again_before_its_first_connection_is_gone(void **state)
{
    struct world *world = new_world();
    int data;
    (void)state;
    world_start(world);
    struct pair pair = connect_user(world, KIND_RDP);
    int client = reconnect(world, pair.session, &data);
    client_say(pair.client, "old", 3);
    world_hear(world, pair.data, "old", 3);
    client_say(client, "new", 3);
    world_hear(world, data, "new", 3);
    close_pair(&pair);
    assert_true(stage_is_quiet(&world->stage, 30));
    assert_int_equal(state_of(pair.session), SESSION_CONNECTED);
    close(client);
    close(data);
    WAIT_FOR(&world->stage, state_of(pair.session) == SESSION_RECONNECTING);
    world_stop(world);
}

static void nobody_else_comes_in_on_the_way_back(void **state)
{
    struct world *world = new_world();
    (void)state;
    world_start(world);
    for (unsigned gone = 0; gone < 2; gone++) {
        struct pair pair = connect_user(world, KIND_RDP);
        unsigned opens = world->peers[0].opens;
        if (gone) {
            close_pair(&pair);
            WAIT_FOR(&world->stage, state_of(pair.session) == SESSION_RECONNECTING);
        }
        world_lose(world, come_with_rdp(pair.session, BERT)); /* with the secret */
        int fd = client_connect(ANNA, public_port(pair.session));
        client_say(fd, RDP_REQUEST, sizeof RDP_REQUEST); /* without */
        world_lose(world, fd);
        assert_int_equal(world->peers[0].opens, opens);
        session_close(pair.session);
        if (!gone) {
            close_pair(&pair);
        }
    }
    world_stop(world);
}

static void who_does_not_come_back_in_time_does_not_come_back(void **state)
{
    struct world *world = new_world();
    (void)state;
    world_start(world);
    struct pair pair = connect_user(world, KIND_RDP);
    stage_hurry(100);
    uint64_t since = stage_ms();
    close_pair(&pair);
    WAIT_FOR(&world->stage, state_of(pair.session) == SESSION_RECONNECTING);
    uint16_t public = public_port(pair.session);
    wait_until_ended(world);
    assert_in_range(stage_ms() - since, 280, 5000);
    expect_end(world, "disconnected");
    assert_true(port_is_closed(public));
    world_stop(world);
}

static void without_a_grace_an_rdp_session_ends_like_others(void **state)
{
    struct world *world = new_world();
    (void)state;
    world->settings.reconnect_grace = 0;
    world_start(world);
    struct pair pair = connect_user(world, KIND_RDP);
    close_pair(&pair);
    wait_until_ended(world);
    world_expect(world, "waiting, connected, ended");
    world_stop(world);
}

static void a_client_that_comes_back_while_the_gateway_is_offline_can_try_again(void **state)
{
    struct world *world = new_world();
    (void)state;
    world_start(world);
    struct pair pair = connect_user(world, KIND_RDP);
    close_pair(&pair);
    WAIT_FOR(&world->stage, state_of(pair.session) == SESSION_RECONNECTING);
    peer_vanish(world, &world->peers[0]);
    world_lose(world, come_with_rdp(pair.session, ANNA));
    assert_int_equal(state_of(pair.session), SESSION_RECONNECTING);
    peer_log_in(world, &world->peers[0], "home");
    unsigned opens = world->peers[0].opens;
    pair.client = come_with_rdp(pair.session, ANNA);
    WAIT_FOR(&world->stage, world->peers[0].opens == opens + 1);
    pair.data = peer_attach(world, &world->peers[0]);
    world_hear(world, pair.data, RDP_REQUEST, sizeof RDP_REQUEST);
    close_pair(&pair);
    world_stop(world);
}

static void a_client_waits_some_seconds_for_a_gateway_that_was_lost_just_now(void **state)
{
    (void)state;
    for (unsigned returns = 0; returns < 2; returns++) {
        struct world *world = new_world();
        world_start(world);
        struct pair pair = connect_user(world, KIND_RDP);
        close_pair(&pair);
        WAIT_FOR(&world->stage, state_of(pair.session) == SESSION_RECONNECTING);
        stage_hurry(returns ? 1 : 50);
        int client = come_with_rdp(pair.session, ANNA);
        WAIT_FOR(&world->stage, world->peers[0].opens == 2);
        assert_int_equal(state_of(pair.session), SESSION_CONNECTED);
        peer_vanish(world, &world->peers[0]);
        if (returns) {
            peer_log_in(world, &world->peers[0], "home");
            WAIT_FOR(&world->stage, world->peers[0].opens == 3);
            int data = peer_attach(world, &world->peers[0]);
            world_hear(world, data, RDP_REQUEST, sizeof RDP_REQUEST);
            close(client);
            close(data);
        } else {
            world_lose(world, client);
        }
        WAIT_FOR(&world->stage, state_of(pair.session) == SESSION_RECONNECTING);
        world_stop(world);
    }
}

static void a_channel_that_never_comes_does_not_hold_a_client_for_ever(void **state)
{
    struct world *world = new_world();
    (void)state;
    world->settings.reconnect_grace = 3600;
    world_start(world);
    struct pair pair = connect_user(world, KIND_RDP);
    close_pair(&pair);
    WAIT_FOR(&world->stage, state_of(pair.session) == SESSION_RECONNECTING);
    stage_hurry(50);
    int client = come_with_rdp(pair.session, ANNA);
    WAIT_FOR(&world->stage, world->peers[0].opens == 2); /* and the gateway does nothing */
    world_lose(world, client);
    assert_int_equal(state_of(pair.session), SESSION_RECONNECTING);
    stage_hurry(1);
    pair.client = reconnect(world, pair.session, &pair.data); /* the next one is asked for anew */
    close_pair(&pair);
    world_stop(world);
}

static void a_second_connection_that_fails_leaves_the_first_alone(void **state)
{
    struct world *world = new_world();
    int data;
    (void)state;
    world_start(world);
    struct pair pair = connect_user(world, KIND_RDP);
    int client = come_with_rdp(pair.session, ANNA);
    WAIT_FOR(&world->stage, world->peers[0].opens == 2);
    peer_say_failed(&world->peers[0], TUNNEL_BUSY, "");
    world_lose(world, client);
    assert_int_equal(world->ended, 0);
    client_say(pair.client, "still", 5);
    world_hear(world, pair.data, "still", 5);
    client = reconnect(world, pair.session, &data); /* the next one has its own chance */
    close(client);
    close(data);
    close_pair(&pair);
    world_stop(world);
}

static void the_failure_of_a_channel_of_the_past_is_no_news(void **state)
{
    struct world *world = new_world();
    int data;
    (void)state;
    world_start(world);
    struct pair pair = connect_user(world, KIND_RDP);
    close_pair(&pair);
    WAIT_FOR(&world->stage, state_of(pair.session) == SESSION_RECONNECTING);
    int client = reconnect(world, pair.session, &data);
    world->peers[0].last.channel = 0;
    peer_say_failed(&world->peers[0], TUNNEL_REFUSED, "");
    assert_true(stage_is_quiet(&world->stage, 30));
    assert_int_equal(state_of(pair.session), SESSION_CONNECTED);
    world->peers[0].last.channel = 1;
    peer_say_failed(&world->peers[0], TUNNEL_REFUSED, "");
    WAIT_FOR(&world->stage, world->ended == 1);
    expect_end(world, "refused");
    world_lose(world, client);
    close(data);
    world_stop(world);
}

static void a_spare_channel_that_breaks_leaves_a_connected_client_alone(void **state)
{
    struct world *world = new_world();
    (void)state;
    world->settings.max_connections = 1;
    world_start(world);
    struct pair pair = connect_user(world, KIND_RDP);
    int second = come_with_rdp(pair.session, ANNA); /* waits for channel 1 */
    WAIT_FOR(&world->stage, world->peers[0].opens == 2);
    world_lose(world, pair.client);
    world_lose(world, pair.data);
    struct message_open_tunnel first = world->peers[0].last;
    int client = come_with_rdp(pair.session, ANNA); /* takes its place, waits for channel 2 */
    WAIT_FOR(&world->stage, world->peers[0].opens == 3);
    world_lose(world, second);
    pair.data = peer_attach(world, &world->peers[0]);
    world_hear(world, pair.data, RDP_REQUEST, sizeof RDP_REQUEST);
    world->peers[0].last = first;
    int data = peer_attach(world, &world->peers[0]); /* channel 1 after all: a spare one */
    WAIT_FOR(&world->stage, world_logged(world, "data channel 1 is there"));
    close(data);
    assert_true(stage_is_quiet(&world->stage, 30));
    assert_int_equal(world->ended, 0);
    client_say(client, "still", 5);
    world_hear(world, pair.data, "still", 5);
    close(client);
    close(pair.data);
    world_stop(world);
}

static void coming_back_counts_as_a_sign_of_life(void **state)
{
    struct world *world = new_world();
    (void)state;
    world->settings.idle_timeout = 20;
    world->settings.reconnect_grace = 120;
    world_start(world);
    stage_hurry(40);
    struct pair pair = connect_user(world, KIND_RDP);
    for (uint64_t end = stage_ms() + 175; stage_ms() < end;) { /* until what moved is noted */
        stage_turn(&world->stage);
    }
    close_pair(&pair);
    WAIT_FOR(&world->stage, state_of(pair.session) == SESSION_RECONNECTING);
    stage_hurry(200);
    for (uint64_t end = stage_ms() + 200; stage_ms() < end;) { /* 40 s */
        stage_turn(&world->stage);
    }
    stage_hurry(40);
    int client = come_with_rdp(pair.session, ANNA);
    WAIT_FOR(&world->stage, state_of(pair.session) == SESSION_CONNECTED);
    for (uint64_t end = stage_ms() + 200; stage_ms() < end;) { /* 8 s */
        stage_turn(&world->stage);
    }
    assert_int_equal(world->ended, 0);
    close(client);
    world_stop(world);
}

/* ---- limits --------------------------------------------------------------- */

static void a_user_has_a_limit(void **state)
{
    struct world *world = new_world();
    struct session_request anna = request_of(42), bert = request_of(43), local = request_of(42);
    struct session *first = NULL, *session;
    struct why why;
    (void)state;
    local.owner.kind = OWNER_LOCAL;
    world->settings.max_sessions_per_user = 3;
    world_start(world);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(sessions_open(world->sessions, &anna, &session, &why), 0);
        first = first ? first : session;
    }
    assert_int_equal(try_to_open(world, &anna, &why), -EDQUOT);
    assert_non_null(strstr(why.text, "3 is the limit"));
    assert_int_equal(try_to_open(world, &bert, &why), 0);
    assert_int_equal(try_to_open(world, &local, &why), 0);
    session_close(first);
    assert_int_equal(try_to_open(world, &anna, &why), 0);
    assert_int_equal(try_to_open(world, &anna, &why), -EDQUOT);
    world_stop(world);
}

static void all_together_have_a_limit(void **state)
{
    struct world *world = new_world();
    struct why why;
    (void)state;
    world->settings.max_sessions = 5;
    world_start(world);
    for (unsigned i = 0; i < 5; i++) {
        struct session_request request = request_of(i + 1);
        assert_int_equal(try_to_open(world, &request, &why), 0);
    }
    struct session_request request = request_of(77);
    assert_int_equal(try_to_open(world, &request, &why), -ENFILE);
    assert_non_null(strstr(why.text, "5 is the limit"));
    session_close(sessions_next(world->sessions, NULL));
    assert_int_equal(try_to_open(world, &request, &why), 0);
    world_stop(world);
}

static void ports_run_out_and_come_back_after_their_rest(void **state)
{
    struct world *world = new_world();
    struct session_request request = request_of(42);
    struct why why;
    (void)state;
    world->settings.port_range_end = (uint16_t)(world->settings.port_range_start + 1);
    world_start(world);
    assert_int_equal(try_to_open(world, &request, &why), 0);
    assert_int_equal(try_to_open(world, &request, &why), -EADDRINUSE);
    assert_non_null(strstr(why.text, "No port is free between"));
    assert_non_null(strstr(why.text, "PORT_RANGE_END"));
    session_close(sessions_next(world->sessions, NULL));
    assert_int_equal(try_to_open(world, &request, &why), -EADDRINUSE); /* they rest */
    stage_hurry(1000);
    for (uint64_t end = stage_ms() + 70; stage_ms() < end;) {
        stage_turn(&world->stage);
    }
    stage_hurry(1);
    assert_int_equal(try_to_open(world, &request, &why), 0);
    world_stop(world);
}

static void a_session_needs_a_gateway_and_one_that_is_meant(void **state)
{
    struct world *world = new_world();
    struct session_request request = request_of(42);
    struct why why;
    (void)state;
    world_start(world);
    strcpy(request.target.gateway, "away");
    assert_int_equal(try_to_open(world, &request, &why), -ENOENT);
    assert_non_null(strstr(why.text, "No gateway named away is online"));
    strcpy(request.target.gateway, "HOME");
    assert_int_equal(try_to_open(world, &request, &why), 0);
    request.target.gateway[0] = '\0';
    assert_int_equal(try_to_open(world, &request, &why), 0);
    peer_log_in(world, &world->peers[1], "office");
    assert_int_equal(try_to_open(world, &request, &why), -EDESTADDRREQ);
    assert_true(strstr(why.text, "home") && strstr(why.text, "office"));
    peer_vanish(world, &world->peers[1]);
    peer_vanish(world, &world->peers[0]);
    assert_int_equal(try_to_open(world, &request, &why), -ENOTCONN);
    assert_non_null(strstr(why.text, "No gateway is online"));
    world_stop(world);
}

/* ---- admission ------------------------------------------------------------ */

static void a_stranger_is_parked_until_somebody_decides(void **state)
{
    struct world *world = new_world();
    int data;
    (void)state;
    world->settings.admit = ADMIT_KNOWN;
    world->settings.reconnect_grace = 0;
    world_start(world);
    stage_hurry(10); /* who comes is asked about after a second */
    struct session *session = world_ask_until_waiting(world, KIND_SSH, &data);
    int blocked = come_with_ssh(session, BERT);
    WAIT_FOR(&world->stage, strstr(world->events, "parked 1"));
    assert_int_equal(session_admit(session, 7, &ADMIN), -ENOENT);
    assert_int_equal(session_block(session, 7, &ADMIN), -ENOENT);
    assert_int_equal(session_block(session, 1, &ADMIN), 0);
    world_lose(world, blocked);
    world_lose(world, come_with_ssh(session, BERT)); /* without another question */
    int client = come_with_ssh(session, ANNA);
    WAIT_FOR(&world->stage, strstr(world->events, "parked 2"));
    assert_int_equal(state_of(session), SESSION_WAITING);
    assert_int_equal(session_admit(session, 2, &ADMIN), 0);
    world_hear(world, data, SSH_ID, strlen(SSH_ID));
    world_expect(world, "waiting, parked 1, unparked 1, parked 2, connected, unparked 2");
    assert_int_equal(session_admit(session, 2, &ADMIN), -ENOENT); /* somebody is in */
    assert_int_equal(session_block(session, 2, &ADMIN), -ENOENT);
    close(client);
    close(data);
    WAIT_FOR(&world->stage, world->ended == 1);

    /* From there the same user comes in again without a question, another user not. */
    session = world_ask_until_waiting(world, KIND_SSH, &data);
    client = come_with_ssh(session, ANNA);
    world_hear(world, data, SSH_ID, strlen(SSH_ID));
    close(client);
    close(data);
    world_stop(world);
}

/* Where the server speaks first nobody has claimed the session for a while: the first stays in. */
static void a_silent_client_takes_nobodys_place(void **state)
{
    struct world *world = new_world();
    struct session_view view;
    int data;
    (void)state;
    world->settings.admit = ADMIT_AUTO;
    world_start(world);
    struct session *session = world_ask_until_waiting(world, KIND_SSH, &data);
    other_reader = &SILENCE;
    int anna = client_connect(ANNA, public_port(session));
    WAIT_FOR(&world->stage, state_of(session) == SESSION_CONNECTED);
    int bert = client_connect(BERT, public_port(session));
    WAIT_FOR(&world->stage, client_was_sent_off(bert));
    session_view(session, &view);
    assert_true(view.has_client);
    assert_int_equal(view.connections, 1);
    assert_int_equal(view.connections_total, 1);
    other_reader = NULL;
    close(anna);
    close(bert);
    session_close(session);
    close(data);
    world_stop(world);
}

/* The message about strangers is closed when the port is: with their numbers, not with none. */
static void the_last_that_is_said_of_strangers_has_their_numbers(void **state)
{
    struct world *world = new_world();
    enum { CROWD = 20 };
    struct session_view view;
    int crowd[CROWD], data;
    (void)state;
    world->settings.admit = ADMIT_ASK;
    world_start(world);
    stage_hurry(60);
    struct session *session = world_ask_until_waiting(world, KIND_SSH, &data);
    for (int i = 0; i < CROWD; i++) {
        char from[20];
        snprintf(from, sizeof from, "127.0.%d.2", i + 1);
        crowd[i] = come_with_ssh(session, from);
    }
    WAIT_FOR(&world->stage, (session_view(session, &view), view.knocking.worth_telling));
    session_close(session);
    assert_int_equal(world->last.state, SESSION_ENDED);
    assert_true(world->last.knocking.worth_telling);
    assert_int_equal(world->last.knocking.clients, CROWD);
    assert_int_equal(world->last.knocking.networks, CROWD);
    assert_int_equal(world->last.knocking.unasked, 0);
    for (int i = 0; i < CROWD; i++) {
        close(crowd[i]);
    }
    close(data);
    world_stop(world);
}

static void the_secret_comes_in_past_the_parked(void **state)
{
    struct world *world = new_world();
    int data;
    (void)state;
    world->settings.admit = ADMIT_KNOWN;
    world_start(world);
    stage_hurry(10); /* who comes is asked about after a second */
    struct session *session = world_ask_until_waiting(world, KIND_RDP, &data);
    int stranger = client_connect(BERT, public_port(session));
    client_say(stranger, RDP_REQUEST, sizeof RDP_REQUEST);
    WAIT_FOR(&world->stage, strstr(world->events, "parked 1"));
    int client = come_with_rdp(session, ANNA);
    world_hear(world, data, RDP_REQUEST, sizeof RDP_REQUEST);
    world_lose(world, stranger);
    world_expect(world, "waiting, parked 1, unparked 1, connected");
    close(client);
    close(data);
    world_stop(world);
}

static void scanners_change_nothing(void **state)
{
    struct world *world = new_world();
    int data, junk[60];
    (void)state;
    world->settings.admit = ADMIT_KNOWN;
    world_start(world);
    struct session *session = world_ask_until_waiting(world, KIND_RDP, &data);
    for (unsigned i = 0; i < 60; i++) {
        static const char *const WORDS[] = {"", "GET / HTTP/1.0\r\n\r\n", "\x16\x03\x01",
                                            "SSH-2.0-x\r\n"};
        junk[i] = client_connect(BERT, public_port(session));
        client_say(junk[i], WORDS[i % 4], strlen(WORDS[i % 4]));
        stage_turn(&world->stage);
    }
    int client = come_with_rdp(session, ANNA);
    world_hear(world, data, RDP_REQUEST, sizeof RDP_REQUEST);
    world_expect(world, "waiting, connected");
    for (unsigned i = 0; i < 60; i++) {
        close(junk[i]);
    }
    close(client);
    close(data);
    world_stop(world);
}

/* ---- watchers ------------------------------------------------------------- */

struct meddler {
    enum session_state close_in;
    bool close_when_unparked;
    unsigned calls;
};

static void meddle(void *arg, const struct session_event *event)
{
    struct meddler *meddler = arg;
    meddler->calls += event->kind == SESSION_CHANGED;
    if ((event->kind == SESSION_CHANGED && event->to == meddler->close_in) ||
        (event->kind == SESSION_UNPARKED && meddler->close_when_unparked)) {
        session_close(event->session);
    }
}

/* The meddler has to hear of everything first. */
static struct world *world_with(struct meddler *meddler)
{
    struct world *world = new_world();
    struct session_watcher first = {meddle, meddler};
    world->first_watcher = first;
    return world;
}

static void each_watcher_hears_of_an_end_once(void **state)
{
    struct meddler meddler = {.close_in = SESSION_WAITING};
    struct world *world = world_with(&meddler);
    (void)state;
    world_start(world);
    world_ask(world, KIND_SSH);
    int data = peer_attach(world, &world->peers[0]);
    peer_say_ready(&world->peers[0]);
    wait_until_ended(world);
    world_expect(world, "waiting, ended"); /* though the first watcher closed it meanwhile */
    assert_int_equal(meddler.calls, 2);
    world_lose(world, data);
    world_stop(world);
}

static void a_watcher_may_close_a_session_that_was_just_connected(void **state)
{
    struct meddler meddler = {.close_in = SESSION_CONNECTED};
    struct world *world = world_with(&meddler);
    int data;
    (void)state;
    world->settings.admit = ADMIT_ASK;
    world_start(world);
    stage_hurry(10); /* who comes is asked about after a second */
    struct session *session = world_ask_until_waiting(world, KIND_SSH, &data);
    int client = come_with_ssh(session, ANNA);
    WAIT_FOR(&world->stage, strstr(world->events, "parked 1"));
    session_admit(session, 1, &ADMIN);
    world_expect(world, "waiting, parked 1, connected, ended");
    world_lose(world, client);
    world_lose(world, data);
    world_stop(world);
}

static void a_watcher_may_close_a_session_whose_parked_are_sent_off(void **state)
{
    struct meddler meddler = {.close_in = SESSION_ENDED, .close_when_unparked = true};
    struct world *world = world_with(&meddler);
    int data;
    (void)state;
    world->settings.admit = ADMIT_KNOWN;
    world_start(world);
    stage_hurry(10); /* who comes is asked about after a second */
    struct session *session = world_ask_until_waiting(world, KIND_RDP, &data);
    int strangers[2];
    for (unsigned i = 0; i < 2; i++) {
        strangers[i] = client_connect(i ? BERT : "127.0.0.7", public_port(session));
        client_say(strangers[i], RDP_REQUEST, sizeof RDP_REQUEST);
        WAIT_FOR(&world->stage, strstr(world->events, i ? "parked 2" : "parked 1"));
    }
    int client = come_with_rdp(session, ANNA);
    wait_until_ended(world);
    world_expect(world, "waiting, parked 1, parked 2, unparked 1, ended");
    world_lose(world, client);
    world_lose(world, data);
    close(strangers[0]);
    close(strangers[1]);
    world_stop(world);
}

/* Writes down what it is told, and whether each event shows the session as it was then. */
struct scribe {
    char lines[2048];
    int64_t latest_ms;
};

static void add_client(struct text *text, const struct session_event *event)
{
    char host[ADDR_HOST_MAX], person[OWNER_TEXT_MAX];
    text_add(text, " %s by %s", addr_host_text(event->address, host),
             event->by ? owner_text(event->by, person) : "nobody");
}

static void add_change(struct text *text, const struct session_event *event)
{
    const struct session_view *view = event->view;
    text_add(text, "%s -> %s", session_state_name(event->from), session_state_name(event->to));
    assert_int_equal(view->state, event->to);
    if (event->to == SESSION_ENDED) {
        text_add(text, " (%s, %u, %u)", session_end_word(view->end),
                 (unsigned)view->bytes_to_target, (unsigned)view->bytes_to_client);
    }
}

static void write_down(void *arg, const struct session_event *event)
{
    struct scribe *scribe = arg;
    size_t len = strlen(scribe->lines);
    struct text text = text_over(scribe->lines + len, sizeof scribe->lines - len);
    assert_true(event->unix_ms >= scribe->latest_ms);
    assert_int_equal(event->session != NULL, event->view != NULL);
    scribe->latest_ms = event->unix_ms;
    switch (event->kind) {
    case SESSION_ASKED:
        text_add(&text, "asked %s", event->request->target.host);
        break;
    case SESSION_REFUSED:
        text_add(&text, "refused %s: %.18s", event->request->target.host, event->reason);
        break;
    case SESSION_GATEWAY_CAME:
    case SESSION_GATEWAY_WENT:
        text_add(&text, "%s %s", event->gateway,
                 event->kind == SESSION_GATEWAY_CAME ? "came" : "went");
        break;
    case SESSION_SERVER_LOCKED:
    case SESSION_SERVER_UNLOCKED:
        text_add(&text, "%s", event->kind == SESSION_SERVER_LOCKED ? "locked" : "unlocked");
        break;
    case SESSION_OPENED:
        text_add(&text, "opened %s", event->request->target.host);
        assert_int_equal(event->view->state, SESSION_OPENING);
        break;
    case SESSION_CHANGED:
        add_change(&text, event);
        break;
    case SESSION_PARKED:
    case SESSION_UNPARKED:
        text_add(&text, "%s %u", event->kind == SESSION_PARKED ? "parked" : "unparked",
                 event->number);
        break;
    case SESSION_GATEWAY_WOKE:
        text_add(&text, "woke");
        break;
    case SESSION_LINKED:
        text_add(&text, "linked");
        break;
    case SESSION_MAC_SEEN:
        text_add(&text, "mac");
        break;
    case SESSION_KEY_DOUBTED:
    case SESSION_KEY_DECIDED:
        text_add(&text, "key %s", event->word ? event->word : "doubted");
        break;
    case SESSION_ADMITTED:
        text_add(&text, "admitted");
        add_client(&text, event);
        break;
    case SESSION_BLOCKED:
        text_add(&text, "blocked %u", event->number);
        add_client(&text, event);
        break;
    case SESSION_NOTED:
        text_add(&text, "noted %s", event->view->note ? event->view->note : "nothing");
        break;
    case SESSION_ENDING:
        text_add(&text, "ending (%s) in %u", session_end_word(event->end), event->number);
        break;
    case SESSION_SPARED:
        text_add(&text, "spared%s", event->by ? " by its user" : "");
        break;
    case SESSION_KNOCKING:
        text_add(&text, "knocking");
        break;
    }
    text_add(&text, "\n");
    assert_false(text.cut);
}

static void a_watcher_hears_the_whole_story_in_order(void **state)
{
    struct scribe scribe = {.lines = ""};
    struct world *world = new_world();
    int data, clients[2];
    (void)state;
    world->first_watcher = (struct session_watcher){write_down, &scribe};
    world->settings.admit = ADMIT_ASK;
    world_start(world);
    stage_hurry(10); /* who comes is asked about after a second */
    struct session *session = world_ask_until_waiting(world, KIND_SSH, &data);
    for (unsigned i = 0; i < 2; i++) {
        clients[i] = come_with_ssh(session, i ? BERT : ANNA);
        WAIT_FOR(&world->stage, strstr(world->events, i ? "parked 2" : "parked 1"));
    }
    assert_int_equal(session_block(session, 2, &ADMIN), 0);
    assert_int_equal(session_admit(session, 1, &(struct owner){OWNER_TELEGRAM, 42}), 0);
    world_hear(world, data, SSH_ID, strlen(SSH_ID));
    client_say(data, "SSH-2", 5);
    world_hear(world, clients[0], "SSH-2", 5);
    client_say(clients[0], "keys", 4);
    world_hear(world, data, "keys", 4);
    close(clients[0]);
    close(data);
    WAIT_FOR(&world->stage, state_of(session) == SESSION_RECONNECTING);
    clients[0] = come_with_ssh(session, ANNA);
    WAIT_FOR(&world->stage, state_of(session) == SESSION_CONNECTED);
    session_close(session);
    struct session_request request = request_of(42);
    struct why why;
    strcpy(request.target.gateway, "paper");
    assert_int_equal(try_to_open(world, &request, &why), -ENOENT);
    peer_vanish(world, &world->peers[0]);
    assert_string_equal(scribe.lines, "home came\n"
                                      "asked HOME-PC\n"
                                      "opened HOME-PC\n"
                                      "opening -> waiting\n"
                                      "parked 1\n"
                                      "parked 2\n"
                                      "blocked 2 127.0.0.3 by uid:0\n"
                                      "unparked 2\n"
                                      "admitted 127.0.0.2 by telegram:42\n"
                                      "waiting -> connected\n"
                                      "unparked 1\n"
                                      "connected -> reconnecting\n"
                                      "reconnecting -> connected\n"
                                      "connected -> ended (closed, 4, 5)\n"
                                      "asked HOME-PC\n"
                                      "refused HOME-PC: No gateway named p\n"
                                      "home went\n");
    close(clients[0]);
    world_lose(world, clients[1]);
    world_stop(world);
}

/* Though one before it moves the session on meanwhile. */
static void each_event_shows_the_session_as_it_was(void **state)
{
    struct meddler meddler = {.close_in = SESSION_WAITING};
    struct scribe scribe = {.lines = ""};
    struct world *world = world_with(&meddler);
    (void)state;
    world_start(world);
    assert_int_equal(sessions_watch(world->sessions, (struct session_watcher){write_down, &scribe}),
                     0);
    world_ask(world, KIND_SSH);
    int data = peer_attach(world, &world->peers[0]);
    peer_say_ready(&world->peers[0]);
    wait_until_ended(world);
    assert_string_equal(scribe.lines, "asked HOME-PC\n"
                                      "opened HOME-PC\n"
                                      "opening -> waiting\n"
                                      "waiting -> ended (closed, 0, 0)\n");
    world_lose(world, data);
    sessions_unwatch(world->sessions, &scribe);
    world_stop(world);
}

static void a_locked_server_ends_all_and_opens_none(void **state)
{
    struct scribe scribe = {.lines = ""};
    struct world *world = new_world();
    struct session_request request = request_of(42);
    struct why why;
    unsigned ended = 0;
    int data;
    (void)state;
    world_start(world);
    world_ask_until_waiting(world, KIND_SSH, &data);
    world_ask(world, KIND_RDP);
    sessions_watch(world->sessions, (struct session_watcher){.event = write_down, .arg = &scribe});
    assert_true(sessions_lock(world->sessions, &ADMIN, &ended));
    assert_int_equal(ended, 2);
    assert_int_equal(sessions_count(world->sessions), 0);
    assert_string_equal(world->end_text, "an administrator locked the server");
    assert_non_null(strstr(scribe.lines, "waiting -> ended (locked, 0, 0)\n"));
    assert_non_null(strstr(scribe.lines, "opening -> ended (locked, 0, 0)\n"));
    assert_non_null(strstr(scribe.lines, "locked\n"));
    assert_int_equal(try_to_open(world, &request, &why), -EPERM);
    assert_non_null(
        strstr(why.text, "This server is locked: an administrator ended every session"));
    assert_false(sessions_lock(world->sessions, &ADMIN, &ended));
    assert_true(sessions_unlock(world->sessions, &ADMIN));
    assert_false(sessions_unlock(world->sessions, &ADMIN));
    world_ask(world, KIND_SSH);
    world_lose(world, data);
    sessions_unwatch(world->sessions, &scribe);
    world_stop(world);
}

static void who_closes_somebody_elses_is_named(void **state)
{
    const struct owner chief = {OWNER_TELEGRAM, 7}, user = {OWNER_TELEGRAM, 42};
    static const struct {
        int by; /* ADMIN, chief, or its user */
        const char *text;
        enum session_end end;
    } CASES[] = {{0, "closed on request", SESSION_END_CLOSED},
                 {1, "closed by an administrator", SESSION_END_CLOSED_BY},
                 {2, "closed on request", SESSION_END_CLOSED}};
    const struct owner *people[] = {&ADMIN, &chief, &user};
    struct world *world = new_world();
    (void)state;
    world_start(world);
    for (unsigned i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        session_close_by(world_ask(world, KIND_SSH), people[CASES[i].by]);
        assert_string_equal(world->end_text, CASES[i].text);
        assert_int_equal(world->last.end, CASES[i].end);
    }
    world_stop(world);
}

static void each_end_has_a_word_of_its_own(void **state)
{
    (void)state;
    for (int end = SESSION_END_REFUSED; end < SESSION_END_COUNT; end++) {
        const char *word = session_end_word((enum session_end)end);
        assert_int_equal(strspn(word, "abcdefghijklmnopqrstuvwxyz_"), strlen(word));
        assert_true(word[0] != '\0');
        for (int other = SESSION_END_REFUSED; other < end; other++) {
            assert_string_not_equal(word, session_end_word((enum session_end)other));
        }
    }
}

static void each_end_is_a_clause_without_gaps(void **state)
{
    const struct terms terms = {.gateway = (char[]){"home"}};
    const struct why why = {"the reason"};
    (void)state;
    for (int end = SESSION_END_REFUSED; end < SESSION_END_COUNT; end++) {
        char buffer[400];
        struct text text = text_over(buffer, sizeof buffer);
        explain_end(&terms, (enum session_end)end, &why, NULL, &text);
        assert_true(buffer[0]);
        assert_null(strpbrk(buffer, "{}"));
    }
}

static void sessions_are_found_by_their_names_and_in_their_order(void **state)
{
    struct world *world = new_world();
    (void)state;
    world_start(world);
    struct session *first = world_ask(world, KIND_SSH), *second = world_ask(world, KIND_RDP);
    struct session_view view;
    session_view(first, &view);
    char id[SESSION_ID_SIZE + 1];
    strcpy(id, view.id);
    assert_ptr_equal(sessions_find(world->sessions, id), first);
    assert_null(sessions_find(world->sessions, ""));
    assert_null(sessions_find(world->sessions, "nonsense"));
    assert_ptr_equal(sessions_next(world->sessions, NULL), first);
    assert_ptr_equal(sessions_next(world->sessions, first), second);
    assert_null(sessions_next(world->sessions, second));
    session_close(first);
    assert_null(sessions_find(world->sessions, id));
    assert_ptr_equal(sessions_next(world->sessions, NULL), second);
    assert_int_equal(sessions_count(world->sessions), 1);
    world_stop(world);
}

static void a_session_keeps_what_it_was_opened_with(void **state)
{
    struct world *world = new_world();
    int data;
    (void)state;
    world->settings.session_timeout = 20;
    world_start(world);
    stage_hurry(50);
    struct session *session = world_ask_until_waiting(world, KIND_SSH, &data);
    world->settings.session_timeout = 1;
    world->settings.reconnect_grace = 0;
    world->settings.max_connections = 1;
    sessions_settings_changed(world->sessions);
    for (uint64_t end = stage_ms() + 80; stage_ms() < end;) { /* 4 s */
        stage_turn(&world->stage);
    }
    assert_int_equal(state_of(session), SESSION_WAITING);
    wait_until_ended(world);
    assert_string_equal(world->end_text, "nobody connected within 20 s");
    close(data);
    world_stop(world);
}

static void who_may_not_any_more_is_out_at_once(void **state)
{
    (void)state;
    for (unsigned gateway = 0; gateway < 2; gateway++) {
        struct world *world = new_world();
        int data;
        world->settings.local = false;
        world->settings.allowed_users.count = 2;
        world->settings.allowed_users.ids[0] = 7;
        world->settings.allowed_users.ids[1] = 42;
        world_start(world);
        struct session *session = world_ask_until_waiting(world, KIND_SSH, &data);
        sessions_settings_changed(world->sessions);
        assert_int_equal(state_of(session), SESSION_WAITING);
        if (gateway) {
            strcpy(world->settings.tunnel_key.keys[0].name, "another");
        } else {
            world->settings.allowed_users.count = 1;
        }
        sessions_settings_changed(world->sessions);
        assert_int_equal(world->ended, 1);
        assert_int_equal(world->last.end,
                         gateway ? SESSION_END_GATEWAY_REMOVED : SESSION_END_USER_REMOVED);
        assert_string_equal(world->end_text, gateway
                                                 ? "gateway home no longer belongs to this server"
                                                 : "access was taken away");
        WAIT_FOR(&world->stage, world->peers[0].closes == 1);
        close(data);
        world_stop(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ssh_session_goes_from_the_command_to_its_end),
        cmocka_unit_test(an_rdp_session_goes_from_the_command_to_its_end),
        cmocka_unit_test(the_answer_and_the_data_channel_may_come_in_either_order),
        cmocka_unit_test(the_secrets_of_a_session_are_its_own),
        cmocka_unit_test(the_log_holds_no_secret),
        cmocka_unit_test(what_the_gateway_says_is_put_into_words),
        cmocka_unit_test(a_long_reason_is_cut_between_characters),
        cmocka_unit_test(a_reason_may_come_after_the_data_channel_was_closed),
        cmocka_unit_test(a_target_that_cannot_be_dialled_any_more_is_explained),
        cmocka_unit_test(without_last_words_it_ends_as_disconnected_soon),
        cmocka_unit_test(messages_about_a_session_of_another_gateway_are_ignored),
        cmocka_unit_test(messages_about_no_session_are_ignored),
        cmocka_unit_test(a_gateway_that_is_lost_while_opening_ends_the_session),
        cmocka_unit_test(a_gateway_that_logs_in_anew_while_opening_ends_the_session),
        cmocka_unit_test(a_lost_control_channel_does_not_touch_who_waits_or_works),
        cmocka_unit_test(a_data_channel_that_was_kept_and_breaks_is_replaced),
        cmocka_unit_test(both_connections_of_a_gateway_that_stops_end_the_session),
        cmocka_unit_test(a_data_channel_that_breaks_before_the_user_came_ends_the_session),
        cmocka_unit_test(a_session_that_nobody_comes_to_ends),
        cmocka_unit_test(the_user_has_the_time_that_the_gateway_left),
        cmocka_unit_test(a_gateway_that_says_nothing_is_not_waited_for_long),
        cmocka_unit_test(a_session_ends_when_nothing_moved_for_too_long),
        cmocka_unit_test(a_session_ends_when_its_longest_time_is_over),
        cmocka_unit_test(it_can_be_closed_in_every_state),
        cmocka_unit_test(stopping_ends_all_sessions_and_gives_everything_back),
        cmocka_unit_test(an_rdp_client_may_come_back_within_the_grace),
        cmocka_unit_test(an_rdp_client_may_come_again_before_its_first_connection_is_gone),
        cmocka_unit_test(nobody_else_comes_in_on_the_way_back),
        cmocka_unit_test(who_does_not_come_back_in_time_does_not_come_back),
        cmocka_unit_test(without_a_grace_an_rdp_session_ends_like_others),
        cmocka_unit_test(a_client_that_comes_back_while_the_gateway_is_offline_can_try_again),
        cmocka_unit_test(a_client_waits_some_seconds_for_a_gateway_that_was_lost_just_now),
        cmocka_unit_test(a_channel_that_never_comes_does_not_hold_a_client_for_ever),
        cmocka_unit_test(a_second_connection_that_fails_leaves_the_first_alone),
        cmocka_unit_test(the_failure_of_a_channel_of_the_past_is_no_news),
        cmocka_unit_test(a_spare_channel_that_breaks_leaves_a_connected_client_alone),
        cmocka_unit_test(coming_back_counts_as_a_sign_of_life),
        cmocka_unit_test(a_user_has_a_limit),
        cmocka_unit_test(all_together_have_a_limit),
        cmocka_unit_test(ports_run_out_and_come_back_after_their_rest),
        cmocka_unit_test(a_session_needs_a_gateway_and_one_that_is_meant),
        cmocka_unit_test(a_stranger_is_parked_until_somebody_decides),
        cmocka_unit_test(a_silent_client_takes_nobodys_place),
        cmocka_unit_test(the_last_that_is_said_of_strangers_has_their_numbers),
        cmocka_unit_test(the_secret_comes_in_past_the_parked),
        cmocka_unit_test(scanners_change_nothing),
        cmocka_unit_test(each_watcher_hears_of_an_end_once),
        cmocka_unit_test(a_watcher_may_close_a_session_that_was_just_connected),
        cmocka_unit_test(a_watcher_may_close_a_session_whose_parked_are_sent_off),
        cmocka_unit_test(a_watcher_hears_the_whole_story_in_order),
        cmocka_unit_test(each_event_shows_the_session_as_it_was),
        cmocka_unit_test(a_locked_server_ends_all_and_opens_none),
        cmocka_unit_test(who_closes_somebody_elses_is_named),
        cmocka_unit_test(each_end_has_a_word_of_its_own),
        cmocka_unit_test(each_end_is_a_clause_without_gaps),
        cmocka_unit_test(sessions_are_found_by_their_names_and_in_their_order),
        cmocka_unit_test(a_session_keeps_what_it_was_opened_with),
        cmocka_unit_test(who_may_not_any_more_is_out_at_once),
    };
    int failed = cmocka_run_group_tests_name("sessions", tests, NULL, NULL);
    tls_library_free();
    return failed;
}
