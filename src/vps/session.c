/*
 * The life of a session. Events come in from the gateway (messages, the dock),
 * from the public port (the door), from the relay and from people; each is a
 * function on_... here that decides what comes of it.
 *
 * The one timer of a session, by state:
 *   opening       the gateway has to have answered and docked
 *   waiting       the user has to have come: SESSION_TIMEOUT after the command
 *   connected     every now and then: idle or maximum time over?
 *   reconnecting  RECONNECT_GRACE
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "vps/session_core.h"

enum {
    OPENING_MS = 20000,
    CHECK_MIN_MS = 250,
    CHECK_MAX_MS = 15000,
    /* The reason of a failed connection to the target travels beside its RST. */
    LAST_WORDS_MS = 300,
};

static const struct log *log_of(const struct session *session)
{
    return session->services->log;
}

/* ---- states --------------------------------------------------------------- */

static const unsigned FOLLOWS[] = {
    [SESSION_OPENING] = 1u << SESSION_WAITING | 1u << SESSION_ENDED,
    [SESSION_WAITING] = 1u << SESSION_CONNECTED | 1u << SESSION_ENDED,
    [SESSION_CONNECTED] = 1u << SESSION_RECONNECTING | 1u << SESSION_ENDED,
    [SESSION_RECONNECTING] = 1u << SESSION_CONNECTED | 1u << SESSION_ENDED,
    [SESSION_ENDED] = 0,
};

static void set_deadline(struct session *session, uint64_t ms)
{
    session->deadline_ms = clock_ms() + ms;
    timer_set(session->deadline, ms);
}

/* How often to look at the clock of a session: a quarter of the shortest limit. */
static uint64_t check_interval(const struct vps_settings *settings)
{
    uint64_t interval = CHECK_MAX_MS;
    const long limits[] = {settings->idle_timeout, settings->max_session_time};
    for (unsigned i = 0; i < 2; i++) {
        uint64_t quarter = (uint64_t)limits[i] * 1000 / 4;
        if (limits[i] > 0 && quarter < interval) {
            interval = quarter;
        }
    }
    return interval > CHECK_MIN_MS ? interval : CHECK_MIN_MS;
}

static void set_next_check(struct session *session, uint64_t ms)
{
    session->deadline_ms = 0;
    timer_set(session->deadline, ms);
}

static void start_deadline(struct session *session)
{
    const struct vps_settings *settings = session->services->settings;
    uint64_t timeout = (uint64_t)settings->session_timeout * 1000;
    uint64_t since = clock_ms() - session->opened_ms;
    switch (session->state) {
    case SESSION_OPENING:
        set_deadline(session, timeout < OPENING_MS ? timeout : OPENING_MS);
        break;
    case SESSION_WAITING:
        set_deadline(session, since < timeout ? timeout - since : 0);
        break;
    case SESSION_CONNECTED:
        set_next_check(session, check_interval(settings));
        break;
    case SESSION_RECONNECTING:
        set_deadline(session, (uint64_t)settings->reconnect_grace * 1000);
        break;
    case SESSION_ENDED:
        timer_stop(session->deadline);
        break;
    }
}

static void set_state(struct session *session, enum session_state state)
{
    if (!(FOLLOWS[session->state] & 1u << state)) {
        log_error(log_of(session), "session %s: %s -> %s is not a transition", session->id,
                  session_state_name(session->state), session_state_name(state));
        return;
    }
    log_info(log_of(session), "session %s: %s -> %s", session->id,
             session_state_name(session->state), session_state_name(state));
    session->state = state;
    start_deadline(session);
    session->services->notify(session->services->arg, session, SESSION_CHANGED, 0);
}

/* ---- the end -------------------------------------------------------------- */

static void drop_pending(struct session *session)
{
    if (session->pending.fd >= 0) {
        net_reset(session->pending.fd);
        session->pending.fd = -1;
    }
    crypto_wipe(session->pending.bytes, sizeof session->pending.bytes);
}

static void drop_spare(struct session *session)
{
    watch_free(session->spare_watch);
    session->spare_watch = NULL;
    if (session->spare >= 0) {
        close(session->spare);
        session->spare = -1;
    }
}

static void cut_carries(struct session *session)
{
    session_count_bytes(session, &session->to_target, &session->to_client);
    while (session->carries) {
        struct carry *carry = session->carries;
        session->carries = carry->next;
        carry->session = NULL; /* freed when the relay gives its link back */
        link_cut(carry->link);
    }
}

static void close_ports(struct session *session)
{
    struct ports *ports = session->services->ports;
    door_free(session->door);
    dock_free(session->dock);
    session->door = NULL;
    session->dock = NULL;
    if (session->public_listener >= 0) {
        close(session->public_listener);
        session->public_listener = -1;
    }
    ports_release(ports, clock_ms(), session->public_port);
    ports_release(ports, clock_ms(), session->data_port);
}

static void tell_gateway(struct session *session)
{
    struct gateway *gateway = gateways_find(session->services->gateways, session->gateway);
    struct message message = {.type = MESSAGE_CLOSE_TUNNEL,
                              .close_tunnel.session = session->number};
    if (gateway) {
        gateway_send(gateway, &message);
    }
}

static void tear_down(struct session *session)
{
    cut_carries(session);
    drop_pending(session);
    drop_spare(session);
    close_ports(session);
    crypto_wipe(session->token, sizeof session->token);
    crypto_wipe(session->secret, sizeof session->secret);
}

static void log_end(const struct session *session)
{
    char buffer[512];
    struct text text = text_over(buffer, sizeof buffer);
    session_end_text(session, &text);
    if (session->somebody_is_in) {
        text_add(&text, "; ");
        text_add_seconds(&text, (session->ended_ms - session->connected_ms) / 1000);
        text_add(&text, ", ");
        text_add_bytes(&text, session->to_target);
        text_add(&text, " to the target, ");
        text_add_bytes(&text, session->to_client);
        text_add(&text, " to the client");
    }
    log_info(log_of(session), "session %s: over: %s", session->id, buffer);
}

void session_end(struct session *session, enum session_end end)
{
    if (session->state == SESSION_ENDED) {
        return;
    }
    session->end = end;
    session->ended_ms = clock_ms();
    tear_down(session);
    tell_gateway(session);

    log_end(session);
    set_state(session, SESSION_ENDED);
}

void session_close(struct session *session)
{
    session_end(session, SESSION_END_CLOSED);
}

/* ---- nobody is connected any more ------------------------------------------ */

static bool nothing_is_carried(const struct session *session)
{
    return !session->carries && session->pending.fd < 0;
}

static void notice_nothing_carried(struct session *session, bool maybe_last_words)
{
    if (session->state != SESSION_CONNECTED || !nothing_is_carried(session)) {
        return;
    }
    if (session->kind == SESSION_RDP && session->services->settings->reconnect_grace > 0) {
        set_state(session, SESSION_RECONNECTING);
    } else if (maybe_last_words) {
        set_next_check(session, LAST_WORDS_MS);
    } else {
        session_end(session, SESSION_END_DISCONNECTED);
    }
}

/* ---- the gateway's side --------------------------------------------------- */

/* Asks the gateway for a data channel. */
static int request_channel(struct session *session)
{
    struct gateway *gateway = gateways_find(session->services->gateways, session->gateway);
    if (!gateway) {
        return -ENOTCONN;
    }
    struct message message = {.type = MESSAGE_OPEN_TUNNEL};
    message.open_tunnel.session = session->number;
    message.open_tunnel.channel = session->channel;
    message.open_tunnel.port = session->target.port;
    message.open_tunnel.data_port = session->data_port;
    memcpy(message.open_tunnel.host, session->target.host, sizeof message.open_tunnel.host);
    memcpy(message.open_tunnel.token, session->token, sizeof message.open_tunnel.token);
    dock_expect(session->dock, session->channel);
    int err = gateway_send(gateway, &message);
    crypto_wipe(&message, sizeof message);
    session->channel_on_its_way = err == 0;
    return err;
}

/* Gives the relay a client and a data channel; both descriptors are taken over. */
static void join(struct session *session, int client, int data, const void *bytes, size_t len)
{
    struct carry *carry = calloc(1, sizeof *carry);
    int err = carry ? relay_join(session->services->relay, client, data, bytes, len, carry,
                                 &carry->link)
                    : -ENOMEM;
    if (err < 0) {
        log_error(log_of(session), "session %s: cannot relay: %s", session->id, strerror(-err));
        net_reset(client);
        net_reset(data);
        free(carry);
        return;
    }
    carry->session = session;
    carry->next = session->carries;
    session->carries = carry;
}

static void on_spare_gone(void *arg, int events)
{
    struct session *session = arg;
    (void)events;
    session_end(session, SESSION_END_GATEWAY);
}

static void keep_spare(struct session *session, int fd)
{
    drop_spare(session);
    session->spare = fd;
    session->spare_watch = watch_new(session->services->loop, fd, on_spare_gone, session);
    if (session->spare_watch) {
        watch_set(session->spare_watch, WATCH_HANGUP);
    }
}

static const struct door_events DOOR_EVENTS;

static int open_door(struct session *session)
{
    struct door_events events = DOOR_EVENTS;
    events.arg = session;
    session->door = door_new(session->services->loop, session->public_listener, session->kind,
                             session->secret, &session->services->door_total, &events);
    if (!session->door) {
        return -ENOMEM;
    }
    session->public_listener = -1;
    return 0;
}

/* The gateway says that the target answers, and its data channel is there. */
static void maybe_ready(struct session *session)
{
    if (session->state != SESSION_OPENING || !session->gateway_is_ready || session->spare < 0) {
        return;
    }
    if (open_door(session) < 0) {
        session_end(session, SESSION_END_GATEWAY);
        return;
    }
    if (session->kind == SESSION_SSH) {
        dock_free(session->dock); /* one connection, one data channel */
        session->dock = NULL;
    }
    set_state(session, SESSION_WAITING);
}

static void on_docked(void *arg, uint16_t channel, int fd)
{
    struct session *session = arg;
    log_debug(log_of(session), "session %s: data channel %u is there", session->id, channel);
    session->channel_on_its_way = false;
    if (session->pending.fd >= 0) {
        int client = session->pending.fd;
        session->pending.fd = -1;
        join(session, client, fd, session->pending.bytes, session->pending.len);
        drop_pending(session);
        return;
    }
    keep_spare(session, fd);
    maybe_ready(session);
}

static void on_tunnel_failed(struct session *session, const struct message_tunnel_failed *failed)
{
    log_info(log_of(session), "session %s: channel %u failed: %s", session->id, failed->channel,
             failed->detail);
    session_explain_failure(session, failed);
    session_end(session,
                session->state == SESSION_OPENING ? SESSION_END_REFUSED : SESSION_END_TARGET);
}

void session_on_message(struct session *session, const struct message *message)
{
    if (session->state == SESSION_ENDED) {
        return;
    }
    if (message->type == MESSAGE_TUNNEL_READY && message->tunnel_ready.channel == 0) {
        log_debug(log_of(session), "session %s: %s answers at %s", session->id,
                  session->target.host, message->tunnel_ready.address);
        session->gateway_is_ready = true;
        maybe_ready(session);
    } else if (message->type == MESSAGE_TUNNEL_FAILED) {
        on_tunnel_failed(session, &message->tunnel_failed);
    }
}

void session_on_gateway_lost(struct session *session)
{
    session->channel_on_its_way = false;
    if (session->state == SESSION_OPENING) {
        session_end(session, SESSION_END_GATEWAY);
    } else {
        drop_pending(session); /* its client will try again, and so do we */
        notice_nothing_carried(session, false);
    }
}

/* ---- the public side ------------------------------------------------------ */

static bool is_blocked(const struct session *session, const struct addr *from)
{
    unsigned i = 0;
    while (i < session->blocked_count && !addr_same_host(&session->blocked[i], from)) {
        i++;
    }
    return i < session->blocked_count;
}

static enum verdict on_judge(void *arg, const struct addr *from, bool has_secret)
{
    const struct session *session = arg;
    struct visit visit = {
        .kind = session->kind,
        .admit = session->services->settings->admit,
        .has_secret = has_secret,
        .known = known_has(session->services->known, &session->owner, from),
        .blocked = is_blocked(session, from),
        .somebody_is_in = session->somebody_is_in,
        .from_that_address = session->somebody_is_in && addr_same_host(from, &session->client),
        .that_had_no_secret = session->came_without_secret,
    };
    return judge_visit(&visit);
}

/* A reconnect: asks for one more data channel and keeps the client until it is there. */
static bool hold_for_channel(struct session *session, int fd, const void *bytes, size_t len)
{
    drop_pending(session); /* the newest connection is the one that the client uses */
    if (!session->channel_on_its_way && session->dock) {
        session->channel++;
        request_channel(session);
    }
    if (!session->channel_on_its_way || len > sizeof session->pending.bytes) {
        net_reset(fd);
        return false;
    }
    session->pending.fd = fd;
    session->pending.len = len;
    memcpy(session->pending.bytes, bytes, len);
    return true;
}

static void first_client(struct session *session, const struct addr *from, bool has_secret)
{
    session->somebody_is_in = true;
    session->came_without_secret = !has_secret;
    session->client = *from;
    session->connected_ms = session->active_ms = clock_ms();
    session->connected_unix = clock_unix();
    known_add(session->services->known, &session->owner, from);
}

static void on_admitted(void *arg, int fd, const struct addr *from, bool has_secret,
                        const void *bytes, size_t len)
{
    struct session *session = arg;
    char host[ADDR_HOST_MAX];
    log_info(log_of(session), "session %s: %s is in%s", session->id, addr_host_text(from, host),
             has_secret ? " (secret)" : "");
    if (!session->somebody_is_in) {
        first_client(session, from, has_secret);
    }
    if (session->spare >= 0) {
        int data = session->spare;
        session->spare = -1;
        drop_spare(session);
        join(session, fd, data, bytes, len);
    } else if (!hold_for_channel(session, fd, bytes, len)) {
        return;
    }
    if (session->kind == SESSION_SSH) {
        door_free(session->door); /* a single-use port */
        session->door = NULL;
    } else {
        door_send_off_parked(session->door);
    }
    if (session->state != SESSION_CONNECTED) {
        set_state(session, SESSION_CONNECTED);
    }
}

static void on_parked(void *arg, unsigned number)
{
    struct session *session = arg;
    if (session->state != SESSION_ENDED) {
        session->services->notify(session->services->arg, session, SESSION_PARKED, number);
    }
}

static void on_left(void *arg, unsigned number)
{
    struct session *session = arg;
    if (session->state != SESSION_ENDED) {
        session->services->notify(session->services->arg, session, SESSION_UNPARKED, number);
    }
}

static const struct door_events DOOR_EVENTS = {
    .judge = on_judge, .admitted = on_admitted, .parked = on_parked, .left = on_left};

int session_admit(struct session *session, unsigned number)
{
    int err = session->door ? door_admit(session->door, number) : -ENOENT;
    if (err == 0) {
        session->services->notify(session->services->arg, session, SESSION_UNPARKED, number);
    }
    return err;
}

static void remember_blocked(struct session *session, unsigned number)
{
    struct parked_view parked[SESSION_PARKED_MAX];
    unsigned count = door_parked(session->door, parked);
    for (unsigned i = 0; i < count; i++) {
        if (parked[i].number == number) {
            bool full = session->blocked_count == SESSION_BLOCKED_MAX;
            session->blocked[full ? SESSION_BLOCKED_MAX - 1 : session->blocked_count++] =
                parked[i].from;
        }
    }
}

int session_block(struct session *session, unsigned number)
{
    if (!session->door) {
        return -ENOENT;
    }
    remember_blocked(session, number);
    return door_block(session->door, number); /* on_left() tells the watchers */
}

/* ---- the relay and the clock ---------------------------------------------- */

void session_on_link_ended(struct session *session, struct carry *carry)
{
    struct carry **at = &session->carries;
    while (*at != carry) {
        at = &(*at)->next;
    }
    *at = carry->next;
    uint64_t to_client = link_bytes_b_to_a(carry->link);
    session->to_target += link_bytes_a_to_b(carry->link);
    session->to_client += to_client;
    log_debug(log_of(session), "session %s: a connection ended (%d, %s)", session->id,
              (int)link_end(carry->link), strerror(link_error(carry->link)));
    notice_nothing_carried(session, to_client == 0);
}

static void check_limits(struct session *session)
{
    const struct vps_settings *settings = session->services->settings;
    uint64_t now = clock_ms(), to_target, to_client;
    session_count_bytes(session, &to_target, &to_client);
    if (to_target + to_client != session->active_bytes) {
        session->active_bytes = to_target + to_client;
        session->active_ms = now;
    }
    uint64_t idle_ms = (uint64_t)settings->idle_timeout * 1000;
    uint64_t most_ms = (uint64_t)settings->max_session_time * 1000;
    if (most_ms > 0 && now - session->connected_ms >= most_ms) {
        session_end(session, SESSION_END_MAX_TIME);
    } else if (idle_ms > 0 && now - session->active_ms >= idle_ms) {
        session_end(session, SESSION_END_IDLE);
    } else {
        start_deadline(session);
    }
}

static void on_deadline(void *arg)
{
    struct session *session = arg;
    switch (session->state) {
    case SESSION_OPENING:
        session_end(session, SESSION_END_GATEWAY);
        break;
    case SESSION_WAITING:
        session_end(session, SESSION_END_NOBODY);
        break;
    case SESSION_CONNECTED:
        if (nothing_is_carried(session)) {
            session_end(session, SESSION_END_DISCONNECTED);
        } else {
            check_limits(session);
        }
        break;
    case SESSION_RECONNECTING:
        session_end(session, SESSION_END_DISCONNECTED);
        break;
    case SESSION_ENDED:
        break;
    }
}

/* ---- birth ---------------------------------------------------------------- */

static int make_secrets(struct session *session)
{
    int err = crypto_random_name(session->id, SESSION_ID_SIZE);
    err = err < 0 ? err : crypto_random(&session->number, sizeof session->number);
    err = err < 0 ? err : crypto_random(session->token, sizeof session->token);
    return err < 0 ? err : crypto_random_name(session->secret, RDPFILE_SECRET_LEN);
}

static int open_ports(struct session *session, struct why *why)
{
    struct session_services *services = session->services;
    uint64_t now = clock_ms();
    int fd = ports_listen(services->ports, now, &session->public_port);
    session->public_listener = fd;
    if (fd >= 0) {
        fd = ports_listen(services->ports, now, &session->data_port);
    }
    if (fd == -EADDRINUSE) {
        return why_set(why, fd,
                       "No port is free between %u and %u; a used one rests for %d s. Try again in "
                       "a moment, or widen PORT_RANGE_START and PORT_RANGE_END.",
                       services->settings->port_range_start, services->settings->port_range_end,
                       PORTS_QUARANTINE_MS / 1000);
    }
    if (fd < 0) {
        return why_set(why, fd, "No port could be opened: %s.", strerror(-fd));
    }
    session->dock = dock_new(services->loop, fd, session->number, session->token, on_docked,
                             session);
    if (!session->dock) {
        close(fd);
        return why_set(why, -ENOMEM, "The server is out of memory.");
    }
    return 0;
}

static struct session *blank(struct session_services *services,
                             const struct session_request *request, struct gateway *gateway)
{
    struct session *session = calloc(1, sizeof *session);
    if (!session) {
        return NULL;
    }
    struct gateway_view view;
    gateway_view(gateway, &view);
    session->services = services;
    session->kind = request->kind;
    session->owner = request->owner;
    session->target = request->target;
    strcpy(session->gateway, view.name);
    session->public_listener = -1;
    session->spare = -1;
    session->pending.fd = -1;
    session->opened_ms = clock_ms();
    session->opened_unix = clock_unix();
    session->deadline = timer_new(services->loop, on_deadline, session);
    return session;
}

int session_new(struct session_services *services, const struct session_request *request,
                struct gateway *gateway, struct session **ret_session, struct why *why)
{
    struct session *session = blank(services, request, gateway);
    if (!session || !session->deadline || make_secrets(session) < 0) {
        session_free(session);
        return why_set(why, -ENOMEM, "The server is out of memory or of random numbers.");
    }
    int err = open_ports(session, why);
    if (err == 0 && request_channel(session) < 0) {
        err = why_set(why, -ENOTCONN, "The gateway went offline just now. Try again in a moment.");
    }
    if (err < 0) {
        tear_down(session);
        session_free(session);
        return err;
    }
    char target[TARGET_TEXT_MAX];
    target_format(session->target.host, session->target.port, target);
    log_info(log_of(session),
             "session %s: opening %s to %s through gateway %s (tunnel %016" PRIx64
             "), ports %u and %u",
             session->id, session_kind_name(session->kind), target, session->gateway,
             session->number, session->public_port, session->data_port);
    start_deadline(session);
    *ret_session = session;
    return 0;
}

void session_free(struct session *session)
{
    if (session) {
        timer_free(session->deadline);
        free(session);
    }
}
