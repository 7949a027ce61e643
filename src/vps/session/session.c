/*
 * A session from its birth to its end, with what leads from one state to the next. It has parts,
 * which know nothing of its state and report to it: the front (the user's side), the rear (the
 * gateway's side), the connections, which take their channels from the rear, and its life (the
 * states with their clock), which nobody but the session moves on. What comes from its gateway is
 * in session_gateway.c, what comes from its public port in session_front.c, what its user does in
 * session_user.c.
 *
 * Each report of a part, and each watcher that is told of an event, may end the session: what
 * comes after such a call looks at the state anew. Ending closes the parts and frees none; all
 * of it is freed from the loop, when nobody is inside a session any more (sessions.c).
 */
#include "vps/session/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "vps/session/connections.h"
#include "vps/session/explain.h"
#include "vps/session/front.h"
#include "vps/session/life.h"
#include "vps/session/news.h"
#include "vps/session/note.h"
#include "vps/session/permission.h"
#include "vps/session/rear.h"
#include "vps/session/record.h"
#include "vps/session/session_parts.h"
#include "vps/session/shown.h"

/* More than sshd's line before an exchange of keys, or a refusal of RDP. */
enum { WORKS_BYTES = 256 };

/* There may be thousands, most of them idle. */
struct session {
    struct session_links links; /* the table's */
    struct terms *terms;
    struct front *front;
    struct rear *rear;
    struct connections *connections;
    struct life *life;
    struct note note;
    struct record record;
    struct shown shown;
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
    return session_state(session) == SESSION_ENDED;
}

struct front *session_front(const struct session *session)
{
    return session->front;
}

struct rear *session_rear(const struct session *session)
{
    return session->rear;
}

struct connections *session_connections(const struct session *session)
{
    return session->connections;
}

struct life *session_life(const struct session *session)
{
    return session->life;
}

struct note *session_notes(struct session *session)
{
    return &session->note;
}

struct record *session_record(struct session *session)
{
    return &session->record;
}

struct shown *session_shown(struct session *session)
{
    return &session->shown;
}

const struct identity *session_identity(const struct session *session)
{
    return &session->shown.identity;
}

enum session_state session_state(const struct session *session)
{
    return life_state(session->life);
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

/* ---- the end -------------------------------------------------------------- */

/*
 * The gateway is told last of all: what it would still send has no place to go by then. Each part
 * is closed in silence, so that the one event is the end itself, when everything is shut.
 */
void session_end_because(struct session *session, enum session_end end, const struct why *why)
{
    if (session_has_ended(session)) {
        return;
    }
    life_set_end(session->life, end, why);
    record_done(&session->record, session->terms, session);
    front_sum_up(session->front);
    connections_cut_all(session->connections);
    front_close(session->front);
    rear_close(session->rear);
    rear_say_closed(session->rear);
    session_log_end(session);
    life_set(session->life, SESSION_ENDED);
}

void session_end(struct session *session, enum session_end end)
{
    session_end_because(session, end, NULL);
}

void session_end_by(struct session *session, enum session_end end, const struct owner *by)
{
    if (by && !session_has_ended(session)) {
        life_set_ended_by(session->life, by);
    }
    session_end(session, end);
}

void session_end_short_of(struct session *session, int error)
{
    struct why why;
    why_set(&why, 0, "the server could not take the connection over: %s", strerror(error));
    session_end_because(session, SESSION_END_RELAY, &why);
}

int session_extend(struct session *session, const struct owner *by)
{
    const struct services *services = session->terms->services;
    if (!permission_is_now(services->settings, services->people, session->terms)) {
        return -EACCES;
    }
    if (!life_extend(session->life)) {
        return -ENODATA;
    }
    session_tell(session, (struct session_event){.kind = SESSION_SPARED, .by = by});
    return 0;
}

void session_end_text(const struct session *session, struct text *text)
{
    life_end_text(session->life, text);
}

/* ---- connections come and go ---------------------------------------------- */

static void take_back(struct session *session)
{
    front_forget_client(session->front);
    log_info(log_of(session->terms), "session %s: the client that was in has gone without a login",
             session->terms->id);
    life_set(session->life, SESSION_WAITING);
}

/* The last connection is over: another one may follow. */
static void wait_for_return(struct session *session)
{
    if (front_is_unclaimed(session->front)) {
        take_back(session);
    } else if (session->terms->limits.grace_s > 0) {
        life_set(session->life, SESSION_RECONNECTING);
    } else {
        session_end(session, SESSION_END_DISCONNECTED);
    }
}

void session_on_nothing_carried(struct session *session, bool maybe_last_words)
{
    if (session_state(session) != SESSION_CONNECTED ||
        connections_count(session->connections) > 0) {
        return;
    }
    if (maybe_last_words) {
        life_await_words(session->life);
    } else {
        wait_for_return(session);
    }
}

/* The next client would fare no better, unless others run: the session ends. */
static void on_no_relay(struct session *session, int error)
{
    if (connections_count(session->connections) > 0) {
        session_note(session, true, "a connection could not be opened: %s", strerror(error));
    } else {
        session_end_short_of(session, error);
    }
}

static void on_failed(void *arg, enum connection_failure failure, int err)
{
    struct session *session = arg;
    const char *reason = err == -ENOTCONN    ? "the gateway is offline"
                         : err == -ETIMEDOUT ? "the gateway does not answer"
                                             : strerror(-err);
    if (failure == CONNECTION_NO_RELAY) {
        on_no_relay(session, -err);
    } else {
        session_note(session, true, "a connection could not be opened: %s", reason);
    }
}

static void on_fewer(void *arg)
{
    session_on_nothing_carried(arg, false);
}

/*
 * A link that ends without a byte from the target is mostly a target that could not be dialled:
 * the gateway's reason comes on another connection, a moment later.
 */
static void on_connection_ended(void *arg, const struct connection_end *end)
{
    struct session *session = arg;
    note_review(&session->note, end->bytes_to_client >= WORKS_BYTES ? end->number : 0);
    session_note_last_words(session, end);
    session_on_nothing_carried(session, end->bytes_to_client == 0);
}

static const struct connections_events CONNECTIONS_EVENTS = {
    .failed = on_failed,
    .fewer = on_fewer,
    .ended = on_connection_ended,
};

/* ---- what there is to see -------------------------------------------------- */

void session_view(const struct session *session, struct session_view *ret_view)
{
    unsigned working = connections_newest_working(session->connections, WORKS_BYTES);
    *ret_view = (struct session_view){.note = note_text(&session->note, working),
                                      .notes = session->note.count};
    terms_view(session->terms, ret_view);
    life_view(session->life, ret_view);
    front_view(session->front, ret_view);
    rear_view(session->rear, ret_view);
    connections_view(session->connections, ret_view);
    shown_view(&session->shown, ret_view);
}

/* ---- its time is over ------------------------------------------------------ */

static void on_changed(void *arg, enum session_state from, enum session_state to)
{
    struct session *session = arg;
    session_tell(session, (struct session_event){.kind = SESSION_CHANGED,
                                                 .from = from,
                                                 .to = to,
                                                 .by = life_ended_by(session->life)});
}

static void on_due(void *arg, enum session_end end)
{
    struct session *session = arg;
    if (session->record.state == RECORD_UNDER_WAY && rear_has_reserve(session->rear)) {
        session_end_unrecorded(session, -ETIMEDOUT);
        return;
    }
    if (end == SESSION_END_NOBODY) {
        front_forget_client(session->front); /* who is in has said nothing */
    } else if (end == SESSION_END_DISCONNECTED && !rear_has_gateway(session->rear)) {
        end = SESSION_END_GATEWAY;
    }
    session_end(session, end);
}

static void on_ending(void *arg, enum session_end end, unsigned seconds)
{
    session_tell(arg,
                 (struct session_event){.kind = SESSION_ENDING, .end = end, .number = seconds});
}

static void on_spared(void *arg)
{
    session_tell(arg, (struct session_event){.kind = SESSION_SPARED});
}

static void on_silent(void *arg)
{
    struct session *session = arg;
    if (connections_were_hung_up_on(session->connections)) {
        session_note(
            session, true,
            "the machine hung up without a word; it may refuse gateway %s, or have too many "
            "connections",
            session->terms->gateway);
    }
    wait_for_return(session);
}

static const struct life_events LIFE_EVENTS = {
    .changed = on_changed,
    .due = on_due,
    .ending = on_ending,
    .spared = on_spared,
    .silent = on_silent,
};

/* ---- birth ---------------------------------------------------------------- */

static int make_parts(struct session *session, struct why *why)
{
    int err = front_new(session->terms, &SESSION_FRONT_EVENTS, session, &session->front, why);
    err = err < 0 ? err
                  : rear_new(session->terms, &SESSION_REAR_EVENTS, session, &session->rear, why);
    if (err < 0) {
        return err;
    }
    session->connections = connections_new(session->rear, &CONNECTIONS_EVENTS, session);
    if (!session->connections) {
        return explain_no_memory(why);
    }
    session->life = life_new(session->terms, session->front, session->connections, &LIFE_EVENTS,
                             session);
    if (!session->life) {
        return explain_no_memory(why);
    }
    if (rear_request_first(session->rear) < 0) {
        return why_set(why, -ENOTCONN, "The gateway went offline just now. Try again in a moment.");
    }
    return 0;
}

/* Nobody has heard of it, so that nothing is told and nothing logged. */
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

int session_new(struct services *services, const struct session_request *request,
                struct gateway *gateway, struct session **ret_session, struct why *why)
{
    struct session *session = calloc(1, sizeof *session);
    if (session) {
        session->terms = terms_new(services, request, gateway);
    }
    if (!session || !session->terms) {
        session_free(session);
        return explain_no_memory(why);
    }
    int err = make_parts(session, why);
    if (err < 0) {
        give_up(session);
        return err;
    }
    session_log_birth(session);
    life_start(session->life);
    *ret_session = session;
    return 0;
}

void session_free(struct session *session)
{
    if (session) {
        life_free(session->life);
        front_free(session->front);
        connections_free(session->connections);
        rear_free(session->rear);
        terms_free(session->terms);
        note_done(&session->note);
        shown_done(&session->shown);
        free(session);
    }
}
