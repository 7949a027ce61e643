#include "vps_world.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "data/proof.h"
#include "free_ports.h"

static const uint8_t KEY[CRYPTO_KEY_SIZE] = "a key of thirty-two bytes, yes..";
const char SSH_ID[] = "SSH-2.0-OpenSSH_9.2p1\r\n";
const uint8_t RDP_REQUEST[19] = {3, 0, 0, 19, 14, 0xe0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 3};

/* ---- watching ------------------------------------------------------------- */

static void on_event(void *arg, const struct session_event *event)
{
    struct world *world = arg;
    size_t len = strlen(world->events);
    struct text text = text_over(world->events + len, sizeof world->events - len);
    const char *comma = len ? ", " : "";
    if (event->view) {
        world->last = *event->view;
    }
    if (event->kind == SESSION_CHANGED) {
        text_add(&text, "%s%s", comma, session_state_name(event->to));
    } else if (event->kind == SESSION_NOTED) {
        text_add(&text, "%snoted", comma);
    } else if (event->kind == SESSION_PARKED || event->kind == SESSION_UNPARKED) {
        text_add(&text, "%s%s %u", comma, event->kind == SESSION_PARKED ? "parked" : "unparked",
                 event->number);
    }
    if (event->kind == SESSION_CHANGED && event->to == SESSION_ENDED) {
        struct text end = text_over(world->end_text, sizeof world->end_text);
        session_end_text(event->session, &end);
        world->ended++;
    }
}

void world_expect(struct world *world, const char *events)
{
    assert_string_equal(world->events, events);
    world->events[0] = '\0';
}

bool world_logged(struct world *world, const char *text)
{
    fflush(world->log.stream);
    return strstr(world->log_text, text) != NULL;
}

/* ---- life ----------------------------------------------------------------- */

void world_init(struct world *world)
{
    memset(world, 0, sizeof *world);
    struct vps_settings *settings = &world->settings;
    settings->local = true;
    settings->known_days = 30;
    strcpy(settings->vps_host, "vps.example.com");
    settings->tunnel_key.count = 1;
    memcpy(settings->tunnel_key.keys[0].key, KEY, sizeof KEY);
    settings->port_range_start = free_ports(WORLD_PORTS);
    settings->port_range_end = (uint16_t)(settings->port_range_start + WORLD_PORTS - 2);
    settings->control_port = (uint16_t)(settings->port_range_start + WORLD_PORTS - 1);
    strcpy(settings->bind_address, "127.0.0.1");
    settings->session_timeout = 120;
    settings->reconnect_grace = 30;
    settings->max_sessions_per_user = 8;
    settings->max_sessions = 256;
    settings->common.relay_workers = 2;
    settings->admit = ADMIT_AUTO;
}

void world_start(struct world *world)
{
    struct why why = {""};
    stage_open(&world->stage);
    world->log.stream = open_memstream(&world->log_text, &world->log_size);
    world->log.level = LOG_DEBUG;
    world->people = people_new(&world->settings);
    assert_non_null(world->people);
    const struct sessions_options sessions = {.loop = &world->stage.loop,
                                              .log = &world->log,
                                              .settings = &world->settings,
                                              .people = world->people};
    assert_int_equal(sessions_new(&sessions, &world->sessions, &why), 0);
    if (world->first_watcher.event) {
        assert_int_equal(sessions_watch(world->sessions, world->first_watcher), 0);
    }
    struct session_watcher watcher = {on_event, world};
    assert_int_equal(sessions_watch(world->sessions, watcher), 0);
    struct gateways_options options = {.loop = &world->stage.loop,
                                       .log = &world->log,
                                       .settings = &world->settings,
                                       .events = sessions_gateway_events(world->sessions)};
    assert_int_equal(gateways_new(&options, &world->gateways, &why), 0);
    sessions_use_gateways(world->sessions, world->gateways);
    peer_log_in(world, &world->peers[0], "home");
}

void world_stop(struct world *world)
{
    sessions_end_all(world->sessions);
    assert_int_equal(sessions_count(world->sessions), 0);
    sessions_use_gateways(world->sessions, NULL);
    gateways_free(world->gateways);
    sessions_free(world->sessions);
    people_free(world->people);
    for (unsigned i = 0; i < WORLD_GATEWAYS; i++) {
        channel_free(world->peers[i].channel);
    }
    stage_close(&world->stage);
    for (unsigned i = 0; i < WORLD_GATEWAYS; i++) {
        tls_config_free(world->peers[i].tls);
    }
    assert_false(world_logged(world, "is not a transition"));
    fclose(world->log.stream);
    free(world->log_text);
}

/* ---- the gateway ---------------------------------------------------------- */

static void peer_on_opened(void *arg)
{
    struct peer *peer = arg;
    peer->open = true;
}

static void peer_on_received(void *arg, const struct message *message)
{
    struct peer *peer = arg;
    if (message->type == MESSAGE_OPEN_TUNNEL) {
        peer->opens++;
        peer->last = message->open_tunnel;
    } else if (message->type == MESSAGE_CLOSE_TUNNEL) {
        peer->closes++;
        peer->closed = message->close_tunnel.session;
    } else if (message->type == MESSAGE_DIAL_TARGET) {
        peer->dials++;
        peer->dialled = message->dial_target;
    } else if (message->type == MESSAGE_WAKE) {
        peer->wakes++;
        peer->woken = message->wake;
    }
}

static void peer_on_closed(void *arg, enum channel_end end, const struct why *why)
{
    struct peer *peer = arg;
    (void)end;
    (void)why;
    peer->goodbye = channel_peer_goodbye(peer->channel);
    channel_free(peer->channel);
    peer->channel = NULL;
    peer->open = false;
}

static const struct channel_events PEER_EVENTS = {
    .opened = peer_on_opened, .received = peer_on_received, .closed = peer_on_closed};

void peer_log_in(struct world *world, struct peer *peer, const char *name)
{
    assert_null(peer->channel);
    tls_config_free(peer->tls);
    assert_int_equal(tls_config_client(name, KEY, &peer->tls), 0);
    int fd = client_connect("127.0.0.1", world->settings.control_port);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    struct channel_options options = {.self = SENDER_GATEWAY,
                                      .keepalive_secs = 3600,
                                      .program = "gateway-agent test",
                                      .events = &PEER_EVENTS,
                                      .arg = peer};
    assert_int_equal(channel_new(&world->stage.loop, peer->tls, fd, &options, &peer->channel), 0);
    WAIT_FOR(&world->stage, peer->open && gateways_find(world->gateways, name));
}

void peer_vanish(struct world *world, struct peer *peer)
{
    unsigned before = 0, after = 0;
    for (struct gateway *g = NULL; (g = gateways_next(world->gateways, g));) {
        before++;
    }
    channel_free(peer->channel);
    peer->channel = NULL;
    peer->open = false;
    do {
        after = 0;
        stage_turn(&world->stage);
        for (struct gateway *g = NULL; (g = gateways_next(world->gateways, g));) {
            after++;
        }
    } while (after >= before);
}

void peer_send(struct peer *peer, const struct message *message)
{
    assert_int_equal(channel_send(peer->channel, message), 0);
}

void peer_say_ready(struct peer *peer)
{
    struct message message = {.type = MESSAGE_TUNNEL_READY};
    message.tunnel_ready.session = peer->last.session;
    message.tunnel_ready.channel = peer->last.channel;
    strcpy(message.tunnel_ready.address, "10.0.0.1:22");
    peer_send(peer, &message);
}

void peer_say_failed(struct peer *peer, enum tunnel_failure reason, const char *detail)
{
    struct message message = {.type = MESSAGE_TUNNEL_FAILED};
    message.tunnel_failed.session = peer->last.session;
    message.tunnel_failed.channel = peer->last.channel;
    message.tunnel_failed.reason = (uint8_t)reason;
    snprintf(message.tunnel_failed.detail, sizeof message.tunnel_failed.detail, "%s", detail);
    peer_send(peer, &message);
}

int peer_attach(struct world *world, struct peer *peer)
{
    struct proof proof;
    uint8_t hello[PROOF_HELLO_SIZE], answer[PROOF_ANSWER_SIZE], final[PROOF_FINAL_SIZE];
    assert_int_equal(
        proof_hello(&proof, peer->last.session, peer->last.channel, peer->last.token, hello), 0);
    int fd = client_connect("127.0.0.9", peer->last.data_port);
    client_say(fd, hello, sizeof hello);
    size_t have = 0;
    WAIT_FOR(&world->stage,
             (have += client_hear(fd, answer + have, sizeof answer - have)) == sizeof answer);
    assert_int_equal(proof_final(&proof, answer, final), 0);
    client_say(fd, final, sizeof final);
    return fd;
}

/* ---- sessions and their users --------------------------------------------- */

struct session *world_ask(struct world *world, enum kind kind)
{
    struct session_request request = {.owner = {OWNER_TELEGRAM, 42}, .kind = kind};
    struct session *session = NULL;
    struct why why = {""};
    unsigned before = world->peers[0].opens;
    strcpy(request.target.host, "HOME-PC");
    request.target.port = kind == KIND_SSH ? 22 : 3389;
    if (sessions_open(world->sessions, &request, &session, &why) < 0) {
        fail_msg("not opened: %s", why.text);
    }
    WAIT_FOR(&world->stage, world->peers[0].opens == before + 1);
    return session;
}

struct session *world_ask_until_waiting(struct world *world, enum kind kind, int *ret_data)
{
    struct session *session = world_ask(world, kind);
    *ret_data = peer_attach(world, &world->peers[0]);
    peer_say_ready(&world->peers[0]);
    WAIT_FOR(&world->stage, state_of(session) == SESSION_WAITING);
    return session;
}

void world_hear(struct world *world, int fd, const void *bytes, size_t len)
{
    uint8_t got[4096];
    size_t have = 0;
    assert_in_range(len, 1, sizeof got - 1);
    WAIT_FOR(&world->stage, (have += client_hear(fd, got + have, len - have)) == len);
    assert_memory_equal(got, bytes, len);
    assert_int_equal(client_hear(fd, got, 1), 0);
}

void world_lose(struct world *world, int fd)
{
    char rest[4096];
    WAIT_FOR(&world->stage, client_hear(fd, rest, sizeof rest) == 0 && client_was_sent_off(fd));
    close(fd);
}

uint16_t public_port(const struct session *session)
{
    struct session_view view;
    session_view(session, &view);
    return view.public_port;
}

uint16_t data_port(const struct session *session)
{
    struct session_view view;
    session_view(session, &view);
    return view.data_port;
}

enum session_state state_of(const struct session *session)
{
    struct session_view view;
    session_view(session, &view);
    return view.state;
}

int come_with_ssh(const struct session *session, const char *from)
{
    int fd = client_connect(from, public_port(session));
    client_say(fd, SSH_ID, strlen(SSH_ID));
    return fd;
}

int come_with_rdp(const struct session *session, const char *from)
{
    char file[SESSION_RDP_FILE_MAX];
    uint8_t packet[100] = {0};
    struct text text = text_over(file, sizeof file);
    session_rdp_file(session, &text);
    const char *line = strstr(file, "loadbalanceinfo:s:");
    assert_non_null(line);
    line += strlen("loadbalanceinfo:s:");
    size_t len = strlen(line); /* with its CR LF */
    assert_in_range(len, 10, sizeof packet - sizeof RDP_REQUEST);
    memcpy(packet, RDP_REQUEST, 11);
    memcpy(packet + 11, line, len);
    memcpy(packet + 11 + len, RDP_REQUEST + 11, 8);
    packet[3] = (uint8_t)(packet[3] + len);
    packet[4] = (uint8_t)(packet[4] + len);
    int fd = client_connect(from, public_port(session));
    client_say(fd, packet, sizeof RDP_REQUEST + len);
    return fd;
}
