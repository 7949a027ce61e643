/*
 * The life of a session: its states, its clock, its birth and its end. What
 * comes from the gateway is in session_gateway.c, what comes from the user's
 * clients in session_client.c and session_connection.c; they decide what follows
 * and come back here to change the state.
 *
 * The one timer of a session, by state:
 *   opening       the gateway has to have answered and docked
 *   waiting       the user has to have come: SESSION_TIMEOUT after the command
 *   connected     every now and then: idle or maximum time over? A moment after the
 *                 last connection: no more words about it from the gateway?
 *   reconnecting  RECONNECT_GRACE
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "vps/session/lastwords.h"
#include "vps/session/session_core.h"

enum {
    OPENING_MS = 20000,
    CHECK_MIN_MS = 250,
    CHECK_MAX_MS = 60000,
    CLAIM_BYTES = 256, /* see session_is_unclaimed() */
    /* The reason of a failed connection to the target travels beside its RST. */
    LAST_WORDS_MS = 300,
};

/* ---- states --------------------------------------------------------------- */

static const unsigned FOLLOWS[] = {
    [SESSION_OPENING] = 1u << SESSION_WAITING | 1u << SESSION_ENDED,
    [SESSION_WAITING] = 1u << SESSION_CONNECTED | 1u << SESSION_ENDED,
    [SESSION_CONNECTED] = 1u << SESSION_WAITING | 1u << SESSION_RECONNECTING | 1u << SESSION_ENDED,
    [SESSION_RECONNECTING] = 1u << SESSION_CONNECTED | 1u << SESSION_ENDED,
    [SESSION_ENDED] = 0,
};

static void set_deadline(struct session *session, uint64_t ms)
{
    session->deadline_ms = clock_ms() + ms;
    timer_set(session->deadline, ms);
}

/* How long until MAX_SESSION_TIME is over. */
static uint64_t time_left(const struct session *session)
{
    uint64_t most = (uint64_t)session->limits.time_s * 1000;
    uint64_t passed = clock_ms() - session->connected_ms;
    return most == 0 ? UINT64_MAX : passed < most ? most - passed : 0;
}

/* A quarter of IDLE_TIMEOUT, so that a session ends when it is late by that at most. */
static uint64_t check_interval(const struct session *session)
{
    uint64_t quarter = (uint64_t)session->limits.idle_s * 1000 / 4;
    uint64_t interval = quarter > 0 && quarter < CHECK_MAX_MS ? quarter : CHECK_MAX_MS;
    uint64_t left = time_left(session);
    interval = interval > CHECK_MIN_MS ? interval : CHECK_MIN_MS;
    return left < interval ? left : interval;
}

static void set_next_check(struct session *session, uint64_t ms)
{
    session->deadline_ms = 0;
    timer_set(session->deadline, ms);
}

static void start_deadline(struct session *session)
{
    uint64_t timeout = (uint64_t)session->limits.timeout_s * 1000;
    uint64_t since = clock_ms() - session->opened_ms;
    switch (session->state) {
    case SESSION_OPENING:
        set_deadline(session, timeout < OPENING_MS ? timeout : OPENING_MS);
        break;
    case SESSION_WAITING:
        set_deadline(session, since < timeout ? timeout - since : 0);
        break;
    case SESSION_CONNECTED:
        set_next_check(session, check_interval(session));
        if (session_is_unclaimed(session) && since < timeout &&
            timeout - since < check_interval(session)) {
            set_next_check(session, timeout - since);
        }
        break;
    case SESSION_RECONNECTING:
        set_deadline(session, (uint64_t)session->limits.grace_s * 1000);
        break;
    case SESSION_ENDED:
        timer_stop(session->deadline);
        break;
    }
}

void session_set_state(struct session *session, enum session_state state)
{
    if (!(FOLLOWS[session->state] & 1u << state)) {
        log_error(log_of(session), "session %s: %s -> %s is not a transition", session->id,
                  session_state_name(session->state), session_state_name(state));
        return;
    }
    log_info(log_of(session), "session %s: %s -> %s", session->id,
             session_state_name(session->state), session_state_name(state));
    session->state = state;
    session->was_ready |= state == SESSION_WAITING;
    if (state == SESSION_RECONNECTING) {
        session->left_ms = clock_ms();
    } else if (state == SESSION_CONNECTED) {
        session->left_ms = 0;
    }
    start_deadline(session);
    session->services->notify(session->services->arg, session, SESSION_CHANGED, state);
}

/* ---- the end -------------------------------------------------------------- */

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

static void tear_down(struct session *session)
{
    session_cut_all(session);
    session_drop_spare(session);
    close_ports(session);
    crypto_wipe(session->secret, sizeof session->secret);
}

static void add_traffic(const struct session *session, struct text *text)
{
    char host[ADDR_HOST_MAX];
    text_add(text, ", from %s (", addr_host_text(&session->client, host));
    session_way_in_text(session, text);
    text_add(text, "), ");
    text_add_seconds(text, session_connected_ms(session) / 1000);
    text_add(text, ", %u connection%s, ", session->connections_total,
             session->connections_total == 1 ? "" : "s");
    text_add_bytes(text, session->to_target);
    text_add(text, " to the target, ");
    text_add_bytes(text, session->to_client);
    text_add(text, " to the client");
}

/* One line with everything that somebody may look for later. */
static void log_end(const struct session *session)
{
    char buffer[1024], target[TARGET_TEXT_MAX], person[OWNER_TEXT_MAX];
    struct text text = text_over(buffer, sizeof buffer);
    session_end_text(session, &text);
    target_format(session->host, session->port, target);
    text_add(&text, "; %s to %s for %s through gateway %s", kind_name(session->kind), target,
             owner_text(&session->owner, person), session->gateway);
    if (session->somebody_is_in) {
        add_traffic(session, &text);
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
    session_log_knocks(session);
    tear_down(session);
    session_tell_gateway(session);

    log_end(session);
    session_set_state(session, SESSION_ENDED);
}

void session_close(struct session *session)
{
    session_forget_hasty_admit(session);
    session_end(session, SESSION_END_CLOSED);
}

/* ---- connections come and go ---------------------------------------------- */

unsigned session_most_connections(const struct session *session)
{
    return session->limits.connections;
}

bool session_is_strict(const struct session *session)
{
    return session->limits.grace_s == 0 && session->limits.connections == 1;
}

bool session_is_unclaimed(const struct session *session)
{
    uint64_t to_target, to_client;
    session_count_bytes(session, &to_target, &to_client);
    return session->silent_is_in && to_target - session->silent_from < CLAIM_BYTES;
}

/* Who was in has said nothing: its user is still to come. */
static void forget_silent(struct session *session)
{
    session->somebody_is_in = session->silent_is_in = false;
    session->way_in = WAY_NONE;
    session->connected_ms = 0;
    session->connected_unix = 0;
}

static void take_back(struct session *session)
{
    forget_silent(session);
    log_info(log_of(session), "session %s: who was in has gone without a login", session->id);
    session_set_state(session, SESSION_WAITING);
}

/* The last connection is over: another one may follow. */
static void wait_for_return(struct session *session)
{
    if (session_is_unclaimed(session)) {
        take_back(session);
    } else if (session->limits.grace_s > 0) {
        session_set_state(session, SESSION_RECONNECTING);
    } else {
        session_end(session, SESSION_END_DISCONNECTED);
    }
}

void session_on_nothing_carried(struct session *session, bool maybe_last_words)
{
    if (session->state != SESSION_CONNECTED || session->connections) {
        return;
    }
    if (maybe_last_words) {
        session_wait_for_last_words(session);
    } else {
        wait_for_return(session);
    }
}

void session_wait_for_last_words(struct session *session)
{
    set_next_check(session, LAST_WORDS_MS);
}

/* What the target said, if it was a word about why there is no login. */
static void note_last_words(struct session *session, const struct link *link)
{
    char clause[SESSION_NOTE_MAX];
    struct text text = text_over(clause, sizeof clause);
    size_t len;
    const void *said = link_head(link, &len);
    if (lastwords_add(&text, session->kind, said, len)) {
        session_note(session, "%s", clause);
    }
}

void session_on_link_ended(struct session *session, struct connection *connection)
{
    struct connection **at = &session->connections;
    while (*at != connection) {
        at = &(*at)->next;
    }
    *at = connection->next;
    uint64_t to_client = link_bytes_b_to_a(connection->link);
    session->to_target += link_bytes_a_to_b(connection->link);
    session->to_client += to_client;
    log_debug(log_of(session), "session %s: connection %u ended (%d, %s)", session->id,
              connection->channel, (int)link_end(connection->link),
              strerror(link_error(connection->link)));
    session_review_note(session, connection);
    note_last_words(session, connection->link);
    session->was_hung_up_on = to_client == 0 && link_b_left_first(connection->link);
    session_on_nothing_carried(session, to_client == 0);
}

/* ---- the clock ------------------------------------------------------------ */

static void check_limits(struct session *session)
{
    uint64_t idle_ms = (uint64_t)session->limits.idle_s * 1000;
    uint64_t now = clock_ms(), to_target, to_client;
    session_count_bytes(session, &to_target, &to_client);
    if (to_target + to_client != session->active_bytes) {
        session->active_bytes = to_target + to_client;
        session->active_ms = now;
    }
    if (session_is_unclaimed(session) &&
        now - session->opened_ms >= (uint64_t)session->limits.timeout_s * 1000) {
        forget_silent(session); /* strangers that come in turns must not keep it from ending */
        session_end(session, SESSION_END_NOBODY);
    } else if (time_left(session) == 0) {
        session_end(session, SESSION_END_MAX_TIME);
    } else if (idle_ms > 0 && now - session->active_ms >= idle_ms) {
        session_end(session, SESSION_END_IDLE);
    } else {
        start_deadline(session);
    }
}

static void check_connected(struct session *session)
{
    if (session->connections) {
        check_limits(session);
        return;
    }
    if (session->was_hung_up_on) { /* and the gateway had no other explanation */
        session_note(session,
                     "the machine hung up without a word; it may refuse gateway %s, or have too "
                     "many connections",
                     session->gateway);
    }
    wait_for_return(session);
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
        check_connected(session);
        break;
    case SESSION_RECONNECTING:
        session_end(session,
                    session_has_gateway(session) ? SESSION_END_DISCONNECTED : SESSION_END_GATEWAY);
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
    if (err < 0 || !kind_row(session->kind)->has_secret) {
        return err;
    }
    return crypto_random_name(session->secret, RDPFILE_SECRET_LEN);
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
    session->dock = dock_new(services->loop, fd, session->number, session_on_docked, session);
    if (!session->dock) {
        close(fd);
        return why_set(why, -ENOMEM, "The server is out of memory or of random numbers.");
    }
    /*
     * What is left belongs to the sessions there are: one that waits has its public port
     * and a data channel, and takes a third descriptor when its user comes.
     */
    if (net_descriptors_are_short(fd)) {
        return why_set(why, -ENFILE,
                       "This server has most of its file descriptors in use. Try again later, or "
                       "give vps-agent more (LimitNOFILE=, ulimit -n).");
    }
    return 0;
}

/* Copies a name to where the names end, and returns where that is then. */
static char *add_name(char **name, char *end, const char *text)
{
    *name = end;
    return stpcpy(end, text) + 1;
}

static struct session_limits limits_for(const struct vps_settings *settings, enum kind kind)
{
    long most = settings->max_connections;
    return (struct session_limits){
        .timeout_s = (uint32_t)settings->session_timeout,
        .grace_s = (uint32_t)settings->reconnect_grace,
        .idle_s = (uint32_t)settings->idle_timeout,
        .time_s = (uint32_t)settings->max_session_time,
        .connections = most > 0 ? (uint16_t)most : kind_row(kind)->most_connections,
    };
}

static struct session *blank(struct session_services *services,
                             const struct session_request *request, struct gateway *gateway)
{
    const struct target *target = &request->target;
    struct gateway_view view;
    gateway_view(gateway, &view);
    size_t names = strlen(target->host) + strlen(target->user) + strlen(view.name) + 3;
    struct session *session = calloc(1, sizeof *session + names);
    if (!session) {
        return NULL;
    }
    char *end = add_name(&session->host, session->names, target->host);
    end = add_name(&session->user, end, target->user);
    add_name(&session->gateway, end, view.name);
    session->services = services;
    session->kind = request->kind;
    session->limits = limits_for(services->settings, request->kind);
    session->owner = request->owner;
    session->port = target->port;
    session->names_gateway = gateways_are_several(services->gateways);
    session->public_listener = -1;
    session->spare = -1;
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
    if (err == 0 && session_request_first_channel(session) < 0) {
        err = why_set(why, -ENOTCONN, "The gateway went offline just now. Try again in a moment.");
    }
    if (err < 0) {
        tear_down(session);
        session_free(session);
        return err;
    }
    char target[TARGET_TEXT_MAX], person[OWNER_TEXT_MAX];
    target_format(session->host, session->port, target);
    log_info(log_of(session),
             "session %s: opening %s to %s for %s through gateway %s (tunnel %016" PRIx64
             "), ports %u and %u",
             session->id, kind_name(session->kind), target, owner_text(&session->owner, person),
             session->gateway, session->number, session->public_port, session->data_port);
    start_deadline(session);
    *ret_session = session;
    return 0;
}

void session_free(struct session *session)
{
    if (session) {
        timer_free(session->deadline);
        free(session->blocked);
        free(session->end_why);
        free(session->note);
        free(session);
    }
}
