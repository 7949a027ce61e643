/*
 * The life of a session: its states, its clock, its birth and its end. It alone changes the
 * state. It has three parts, which know nothing of each other's business and report to it: the
 * front (the user's side), the rear (the gateway's side), and the connections, which take their
 * channels from the rear.
 *
 * The one timer of a session, by state:
 *   opening       the gateway has to have answered and docked
 *   waiting       the user has to have come: SESSION_TIMEOUT after the command
 *   connected     every now and then: idle or maximum time over? A moment after the
 *                 last connection: no more words about it from the gateway?
 *   reconnecting  RECONNECT_GRACE
 *
 * Each report of a part, and each watcher that is told of an event, may end the session: what
 * comes after such a call looks at the state anew. Ending closes the parts and frees none; all
 * of it is freed from the loop, when nobody is inside a session any more (sessions.c).
 */
#include "vps/session/session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/timer.h"
#include "vps/session/connections.h"
#include "vps/session/explain.h"
#include "vps/session/front.h"
#include "vps/session/lastwords.h"
#include "vps/session/news.h"
#include "vps/session/note.h"
#include "vps/session/rear.h"
#include "vps/session/session_run.h"

enum {
    OPENING_MS = 20000,
    CHECK_MIN_MS = 250,
    CHECK_MAX_MS = 60000,
    /* The reason of a failed connection to the target travels beside its RST. */
    LAST_WORDS_MS = 300,
    /* More than sshd's line before an exchange of keys, or a refusal of RDP. */
    WORKS_BYTES = 256,
};

/* There may be thousands, most of them idle: small fields stand together. */
struct session {
    struct session_links links; /* the table's */
    struct terms *terms;
    struct front *front;
    struct rear *rear;
    struct connections *connections;
    struct timer *deadline;
    uint64_t deadline_ms; /* when it fires; 0: a check that nobody needs to see */
    uint64_t ended_ms;
    uint64_t left_ms;                 /* when the last connection went, while none has come since */
    uint64_t active_ms, active_bytes; /* the last time that bytes had moved */
    struct note note;
    struct why *end_why; /* where the end has a reason of its own; NULL otherwise */
    enum session_state state;
    enum session_end end;
    bool was_ready;      /* its user could have connected */
    bool was_hung_up_on; /* by the target, in its last connection, without a word */
};

struct session_links *session_links(struct session *session)
{
    return &session->links;
}

const struct terms *session_terms(const struct session *session)
{
    return session->terms;
}

bool session_has_ended(const struct session *session)
{
    return session->state == SESSION_ENDED;
}

const char *session_secret(const struct session *session)
{
    return front_secret(session->front);
}

uint16_t session_public_port(const struct session *session)
{
    return front_port(session->front);
}

static uint64_t count_bytes(const struct session *session)
{
    uint64_t to_target, to_client;
    connections_count_bytes(session->connections, &to_target, &to_client);
    return to_target + to_client;
}

/* ---- what is told ---------------------------------------------------------- */

void session_tell(struct session *session, struct session_event event)
{
    const struct services *services = session->terms->services;
    struct session_view view;
    session_view(session, &view);
    event.session = session;
    event.view = &view;
    event.unix_ms = clock_unix_ms();
    services->notify(services->arg, &event);
}

/* Where a user reads what the session waits for. */
static void tell_of_gateway(struct session *session)
{
    const struct services *services = session->terms->services;
    if (session->state == SESSION_RECONNECTING) {
        services->noted(services->arg, session);
    }
}

/* Tells the log, and once the session's user, of what did not go well: see note.h. */
static void make_note(struct session *session, bool passes, const char *clause)
{
    const struct services *services = session->terms->services;
    char line[SESSION_NOTE_MAX + 32];
    snprintf(line, sizeof line, "session %s: %s", session->terms->id, clause);
    if (note_set(&session->note, passes, clause, connections_total(session->connections))) {
        log_warn(services->log, "%s", line);
        services->noted(services->arg, session);
    } else { /* a client that tries again and again must not fill the log */
        sieve_log(services->sieve, line, LOG_WARN, "%s", line);
    }
}

static void note_failure(struct session *session, const char *reason)
{
    char clause[SESSION_NOTE_MAX + 1];
    struct text text = text_over(clause, sizeof clause);
    text_add(&text, "a connection could not be opened: %s", reason);
    make_note(session, true, clause);
}

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
    uint64_t most = (uint64_t)session->terms->limits.time_s * 1000;
    uint64_t passed = clock_ms() - front_since_ms(session->front);
    return most == 0 ? UINT64_MAX : passed < most ? most - passed : 0;
}

/* A quarter of IDLE_TIMEOUT, so that a session ends when it is late by that at most. */
static uint64_t check_interval(const struct session *session)
{
    uint64_t quarter = (uint64_t)session->terms->limits.idle_s * 1000 / 4;
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
    uint64_t timeout = (uint64_t)session->terms->limits.timeout_s * 1000;
    uint64_t since = clock_ms() - session->terms->opened_ms;
    switch (session->state) {
    case SESSION_OPENING:
        set_deadline(session, timeout < OPENING_MS ? timeout : OPENING_MS);
        break;
    case SESSION_WAITING:
        set_deadline(session, since < timeout ? timeout - since : 0);
        break;
    case SESSION_CONNECTED:
        set_next_check(session, check_interval(session));
        if (front_is_unclaimed(session->front) && since < timeout &&
            timeout - since < check_interval(session)) {
            set_next_check(session, timeout - since);
        }
        break;
    case SESSION_RECONNECTING:
        set_deadline(session, (uint64_t)session->terms->limits.grace_s * 1000);
        break;
    case SESSION_ENDED:
        timer_stop(session->deadline);
        break;
    }
}

static void set_state(struct session *session, enum session_state state)
{
    enum session_state from = session->state;
    if (!(FOLLOWS[from] & 1u << state)) {
        log_error(log_of(session->terms), "session %s: %s -> %s is not a transition",
                  session->terms->id, session_state_name(from), session_state_name(state));
        return;
    }
    log_info(log_of(session->terms), "session %s: %s -> %s", session->terms->id,
             session_state_name(from), session_state_name(state));
    session->state = state;
    session->was_ready |= state == SESSION_WAITING;
    if (state == SESSION_RECONNECTING) {
        session->left_ms = clock_ms();
    } else if (state == SESSION_CONNECTED) {
        session->left_ms = 0;
    }
    start_deadline(session);
    session_tell(session,
                 (struct session_event){.kind = SESSION_CHANGED, .from = from, .to = state});
}

/* ---- the end -------------------------------------------------------------- */

/* From its first client until now, its end, or the end of its last connection. 0: none came. */
static uint64_t connected_ms(const struct session *session)
{
    uint64_t since = front_since_ms(session->front);
    uint64_t until = session->left_ms    ? session->left_ms
                     : session->ended_ms ? session->ended_ms
                                         : clock_ms();
    return since ? until - since : 0;
}

static void add_traffic(const struct session *session, struct text *text)
{
    char host[ADDR_HOST_MAX];
    unsigned connections = connections_total(session->connections);
    uint64_t to_target, to_client;
    connections_count_bytes(session->connections, &to_target, &to_client);
    text_add(text, ", from %s (", addr_host_text(front_client(session->front), host));
    front_add_way_in(session->front, text);
    text_add(text, "), ");
    text_add_seconds(text, connected_ms(session) / 1000);
    text_add(text, ", %u connection%s, ", connections, connections == 1 ? "" : "s");
    text_add_bytes(text, to_target);
    text_add(text, " to the target, ");
    text_add_bytes(text, to_client);
    text_add(text, " to the client");
}

/* One line with everything that somebody may look for later. */
static void log_end(const struct session *session)
{
    const struct terms *terms = session->terms;
    char buffer[1024], target[TARGET_TEXT_MAX], person[OWNER_TEXT_MAX];
    struct text text = text_over(buffer, sizeof buffer);
    session_end_text(session, &text);
    target_format(terms->host, terms->port, target);
    text_add(&text, "; %s to %s for %s through gateway %s", kind_name(terms->kind), target,
             owner_text(&terms->owner, person), terms->gateway);
    if (front_somebody_is_in(session->front)) {
        add_traffic(session, &text);
    }
    log_info(log_of(terms), "session %s: over: %s", terms->id, buffer);
}

void session_end(struct session *session, enum session_end end)
{
    if (session->state == SESSION_ENDED) {
        return;
    }
    session->end = end;
    session->ended_ms = clock_ms();
    front_sum_up(session->front);
    connections_cut_all(session->connections);
    front_close(session->front);
    rear_close(session->rear);
    rear_say_closed(session->rear);
    log_end(session);
    set_state(session, SESSION_ENDED);
}

static void end_because(struct session *session, enum session_end end, const struct why *why)
{
    if (session->state == SESSION_ENDED) {
        return;
    }
    session->end_why = malloc(sizeof *why); /* without memory the reason stays in the log */
    if (session->end_why) {
        *session->end_why = *why;
    }
    session_end(session, end);
}

void session_end_text(const struct session *session, struct text *text)
{
    explain_end(session->terms, session->end, session->end_why, text);
}

/* ---- connections come and go ---------------------------------------------- */

static void take_back(struct session *session)
{
    front_forget_client(session->front);
    log_info(log_of(session->terms), "session %s: who was in has gone without a login",
             session->terms->id);
    set_state(session, SESSION_WAITING);
}

/* The last connection is over: another one may follow. */
static void wait_for_return(struct session *session)
{
    if (front_is_unclaimed(session->front)) {
        take_back(session);
    } else if (session->terms->limits.grace_s > 0) {
        set_state(session, SESSION_RECONNECTING);
    } else {
        session_end(session, SESSION_END_DISCONNECTED);
    }
}

/* Call it when there may be no connection left. maybe_last_words: the reason may still come. */
static void on_nothing_carried(struct session *session, bool maybe_last_words)
{
    if (session->state != SESSION_CONNECTED || connections_count(session->connections) > 0) {
        return;
    }
    if (maybe_last_words) {
        set_next_check(session, LAST_WORDS_MS);
    } else {
        wait_for_return(session);
    }
}

/* The next client would fare no better, unless others run: the session ends. */
static void on_no_relay(struct session *session, const char *reason)
{
    struct why why;
    if (connections_count(session->connections) > 0) {
        note_failure(session, reason);
        return;
    }
    why_set(&why, 0, "the server could not take the connection over: %s", reason);
    end_because(session, SESSION_END_RELAY, &why);
}

static void on_failed(void *arg, enum connection_failure failure, int err)
{
    struct session *session = arg;
    const char *reason = err == -ENOTCONN    ? "the gateway is offline"
                         : err == -ETIMEDOUT ? "the gateway does not answer"
                                             : strerror(-err);
    if (failure == CONNECTION_NO_RELAY) {
        on_no_relay(session, strerror(-err));
    } else {
        note_failure(session, reason);
    }
}

static void on_fewer(void *arg)
{
    on_nothing_carried(arg, false);
}

/* What the target said, if it was a word about why there is no login. */
static void note_last_words(struct session *session, const struct connection_end *end)
{
    char clause[SESSION_NOTE_MAX];
    struct text text = text_over(clause, sizeof clause);
    if (lastwords_add(&text, session->terms->kind, end->said, end->said_len)) {
        make_note(session, true, clause);
    }
}

static void on_connection_ended(void *arg, const struct connection_end *end)
{
    struct session *session = arg;
    note_review(&session->note, end->bytes_to_client >= WORKS_BYTES ? end->number : 0);
    note_last_words(session, end);
    session->was_hung_up_on = end->bytes_to_client == 0 && end->target_left_first;
    on_nothing_carried(session, end->bytes_to_client == 0);
}

static const struct connections_events CONNECTIONS_EVENTS = {
    .failed = on_failed,
    .fewer = on_fewer,
    .ended = on_connection_ended,
};

/* ---- what the front asks and reports --------------------------------------- */

static uint64_t on_bytes_to_target(void *arg)
{
    const struct session *session = arg;
    uint64_t to_target, to_client;
    connections_count_bytes(session->connections, &to_target, &to_client);
    return to_target;
}

static bool on_is_full(void *arg)
{
    const struct session *session = arg;
    return connections_count(session->connections) >= session->terms->limits.connections;
}

static bool on_can_dial_target(void *arg)
{
    const struct session *session = arg;
    return rear_can_dial_target(session->rear);
}

static void on_displaced(void *arg)
{
    struct session *session = arg;
    connections_cut_all(session->connections);
}

static void on_admitted(void *arg, int client, bool is_first, const void *bytes, size_t len)
{
    struct session *session = arg;
    session->active_ms = clock_ms();
    if (is_first && session->state != SESSION_ENDED) {
        session_tell(session, (struct session_event){.kind = SESSION_ADMITTED,
                                                     .address = front_client(session->front),
                                                     .by = front_admitted_by(session->front)});
    }
    if (session->state == SESSION_ENDED) { /* by a watcher */
        net_reset(client);
        return;
    }
    if (!is_first && on_is_full(session)) {
        connections_cut_oldest(session->connections);
    }
    bool came = connections_add(session->connections, client, bytes, len) == 0;
    if ((came || session->state == SESSION_WAITING) && session->state != SESSION_CONNECTED &&
        session->state != SESSION_ENDED) {
        set_state(session, SESSION_CONNECTED);
    }
    on_nothing_carried(session, false);
}

static void tell_of_client(struct session *session, enum session_event_kind kind, unsigned number)
{
    if (session->state != SESSION_ENDED) {
        session_tell(session, (struct session_event){.kind = kind, .number = number});
    }
}

static void on_parked(void *arg, unsigned number)
{
    tell_of_client(arg, SESSION_PARKED, number);
}

static void on_left(void *arg, unsigned number)
{
    tell_of_client(arg, SESSION_UNPARKED, number);
}

static void on_knocking(void *arg)
{
    tell_of_client(arg, SESSION_KNOCKING, 0);
}

static void on_blocked(void *arg, unsigned number, const struct addr *from, const struct owner *by)
{
    session_tell(arg, (struct session_event){
                          .kind = SESSION_BLOCKED, .number = number, .address = from, .by = by});
}

static void on_noted(void *arg, bool passes, const char *clause)
{
    make_note(arg, passes, clause);
}

static const struct front_events FRONT_EVENTS = {
    .bytes_to_target = on_bytes_to_target,
    .is_full = on_is_full,
    .can_dial_target = on_can_dial_target,
    .displaced = on_displaced,
    .admitted = on_admitted,
    .parked = on_parked,
    .left = on_left,
    .knocking = on_knocking,
    .blocked = on_blocked,
    .noted = on_noted,
};

/* ---- what the rear reports, and the gateway says ---------------------------- */

static bool on_docked(void *arg, uint16_t channel, int fd)
{
    struct session *session = arg;
    return connections_take_channel(session->connections, channel, fd);
}

static void on_ready(void *arg)
{
    struct session *session = arg;
    if (session->state != SESSION_OPENING) {
        return;
    }
    if (front_open(session->front) < 0) {
        session_end(session, SESSION_END_GATEWAY);
        return;
    }
    set_state(session, SESSION_WAITING);
}

static void on_reserve_gone(void *arg, bool another_comes)
{
    struct session *session = arg;
    if (session->state == SESSION_OPENING) { /* the gateway's reason may still come */
        set_next_check(session, LAST_WORDS_MS);
    } else if (session->state == SESSION_WAITING && !another_comes) {
        session_end(session, SESSION_END_GATEWAY);
    }
}

static const struct rear_events REAR_EVENTS = {
    .docked = on_docked,
    .ready = on_ready,
    .reserve_gone = on_reserve_gone,
};

void session_on_tunnel_ready(struct session *session, const struct message_tunnel_ready *ready)
{
    rear_on_tunnel_ready(session->rear, ready);
}

/*
 * It ends the session if nothing else is left of that: while others run, and when the
 * gateway has just no room, it is one connection that failed, and is said.
 */
void session_on_tunnel_failed(struct session *session, const struct message_tunnel_failed *failed)
{
    struct why why;
    log_info(log_of(session->terms), "session %s: channel %u failed: %s", session->terms->id,
             failed->channel, failed->detail);
    bool is_latest = rear_give_up(session->rear, failed->channel);
    if (!is_latest && !connections_have_channel(session->connections, failed->channel)) {
        return; /* a newer one was asked for since, and will speak for itself */
    }
    bool others = connections_have_others(session->connections, failed->channel);
    bool passing = failed->reason == TUNNEL_BUSY && front_somebody_is_in(session->front);
    explain_failure(session->terms, failed, &why);
    connections_give_up_channel(session->connections, failed->channel);
    if (others || passing) {
        note_failure(session, why.text);
        on_nothing_carried(session, false);
    } else {
        end_because(session,
                    session->state == SESSION_OPENING ? SESSION_END_REFUSED : SESSION_END_TARGET,
                    &why);
    }
}

void session_on_gateway_lost(struct session *session)
{
    if (session->state == SESSION_OPENING) {
        session_end(session, SESSION_END_GATEWAY);
        return;
    }
    rear_give_up_all(session->rear); /* those that wait for a channel get it from the next login */
    tell_of_gateway(session);
}

/* The reserve may be dead without a word: the gateway may come from another address now. */
static void renew_reserve(struct session *session)
{
    uint16_t channel;
    if (rear_request(session->rear, &channel) < 0) {
        session_end(session, SESSION_END_GATEWAY);
    }
}

void session_on_gateway_online(struct session *session)
{
    if (session->state == SESSION_OPENING) {
        session_end(session, SESSION_END_GATEWAY);
        return;
    }
    rear_give_up_all(session->rear);
    if (session->state == SESSION_WAITING) {
        renew_reserve(session);
    } else {
        rear_drop_reserve(session->rear);
        connections_ask_anew(session->connections);
        tell_of_gateway(session);
    }
}

/* ---- what its user does ---------------------------------------------------- */

void session_close(struct session *session)
{
    front_forget_hasty_admit(session->front);
    session_end(session, SESSION_END_CLOSED);
}

int session_admit(struct session *session, unsigned number, const struct owner *by)
{
    int err = front_admit(session->front, number, by);
    if (err == 0) {
        on_left(session, number);
    }
    return err;
}

int session_block(struct session *session, unsigned number, const struct owner *by)
{
    return front_block(session->front, number, by);
}

unsigned session_ask_more(struct session *session, unsigned most)
{
    return front_ask_more(session->front, most);
}

/* ---- what there is to see -------------------------------------------------- */

unsigned session_parked(const struct session *session, struct parked_view ret_views[PARKED_MAX])
{
    return front_parked(session->front, ret_views);
}

static unsigned seconds_left(const struct session *session, uint64_t now)
{
    bool counts = session->state != SESSION_ENDED && session->deadline_ms > now;
    return counts ? (unsigned)((session->deadline_ms - now + 999) / 1000) : 0;
}

void session_view(const struct session *session, struct session_view *ret_view)
{
    uint64_t now = session->ended_ms ? session->ended_ms : clock_ms();
    unsigned working = connections_newest_working(session->connections, WORKS_BYTES);
    *ret_view = (struct session_view){
        .state = session->state,
        .seconds_open = (unsigned)((now - session->terms->opened_ms) / 1000),
        .seconds_left = seconds_left(session, now),
        .seconds_connected = (unsigned)(connected_ms(session) / 1000),
        .note = note_text(&session->note, working),
        .notes = session->note.count,
        .was_ready = session->was_ready,
        .end = session->end,
    };
    terms_view(session->terms, ret_view);
    front_view(session->front, ret_view);
    rear_view(session->rear, ret_view);
    connections_view(session->connections, ret_view);
}

/* ---- the clock ------------------------------------------------------------ */

static void check_limits(struct session *session)
{
    uint64_t idle_ms = (uint64_t)session->terms->limits.idle_s * 1000;
    uint64_t now = clock_ms(), bytes = count_bytes(session);
    if (bytes != session->active_bytes) {
        session->active_bytes = bytes;
        session->active_ms = now;
    }
    if (front_is_unclaimed(session->front) &&
        now - session->terms->opened_ms >= (uint64_t)session->terms->limits.timeout_s * 1000) {
        front_forget_client(
            session->front); /* strangers that come in turns must not keep it from ending */
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
    if (connections_count(session->connections) > 0) {
        check_limits(session);
        return;
    }
    if (session->was_hung_up_on) { /* and the gateway had no other explanation */
        char clause[SESSION_NOTE_MAX + 1];
        struct text text = text_over(clause, sizeof clause);
        text_add(&text,
                 "the machine hung up without a word; it may refuse gateway %s, or have too "
                 "many connections",
                 session->terms->gateway);
        make_note(session, true, clause);
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
        session_end(session, rear_has_gateway(session->rear) ? SESSION_END_DISCONNECTED
                                                             : SESSION_END_GATEWAY);
        break;
    case SESSION_ENDED:
        break;
    }
}

/* ---- birth ---------------------------------------------------------------- */

static int make_parts(struct session *session, struct why *why)
{
    int err = rear_new(session->terms, &REAR_EVENTS, session, &session->rear, why);
    if (err < 0) {
        return err;
    }
    session->connections = connections_new(session->terms, session->rear, &CONNECTIONS_EVENTS,
                                           session);
    if (!session->connections) {
        return why_set(why, -ENOMEM, "The server is out of memory or of random numbers.");
    }
    err = front_new(session->terms, &FRONT_EVENTS, session, &session->front, why);
    if (err == 0 && rear_request_first(session->rear) < 0) {
        err = why_set(why, -ENOTCONN, "The gateway went offline just now. Try again in a moment.");
    }
    return err;
}

/* Nobody has heard of it. */
static void give_up(struct session *session)
{
    if (session->rear) {
        rear_close(session->rear);
    }
    if (session->front) {
        front_close(session->front);
    }
    session_free(session);
}

static void log_birth(const struct session *session)
{
    const struct terms *terms = session->terms;
    char target[TARGET_TEXT_MAX], person[OWNER_TEXT_MAX];
    target_format(terms->host, terms->port, target);
    log_info(log_of(terms),
             "session %s: opening %s to %s for %s through gateway %s (tunnel %016" PRIx64
             "), ports %u and %u",
             terms->id, kind_name(terms->kind), target, owner_text(&terms->owner, person),
             terms->gateway, terms->number, front_port(session->front), rear_port(session->rear));
}

int session_new(struct services *services, const struct session_request *request,
                struct gateway *gateway, struct session **ret_session, struct why *why)
{
    struct session *session = calloc(1, sizeof *session);
    if (session) {
        session->terms = terms_new(services, request, gateway);
        session->deadline = timer_new(services->loop, on_deadline, session);
    }
    if (!session || !session->terms || !session->deadline) {
        session_free(session);
        return why_set(why, -ENOMEM, "The server is out of memory or of random numbers.");
    }
    int err = make_parts(session, why);
    if (err < 0) {
        give_up(session);
        return err;
    }
    log_birth(session);
    start_deadline(session);
    *ret_session = session;
    return 0;
}

void session_free(struct session *session)
{
    if (session) {
        timer_free(session->deadline);
        front_free(session->front);
        connections_free(session->connections);
        rear_free(session->rear);
        terms_free(session->terms);
        note_done(&session->note);
        free(session->end_why);
        free(session);
    }
}
