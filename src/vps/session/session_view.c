/* What others see of a session: a snapshot, and texts. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "vps/session/session_core.h"

enum {
    WORKS_BYTES = 256
}; /* more than sshd's line before an exchange of keys, or a refusal of RDP */

const char *session_state_name(enum session_state state)
{
    static const char *const NAMES[] = {"opening", "waiting", "connected", "reconnecting", "ended"};
    return NAMES[state];
}

void session_count_bytes(const struct session *session, uint64_t *ret_to_target,
                         uint64_t *ret_to_client)
{
    uint64_t to_target = session->to_target, to_client = session->to_client;
    for (const struct connection *c = session->connections; c; c = c->next) {
        to_target += c->link ? link_bytes_a_to_b(c->link) : 0;
        to_client += c->link ? link_bytes_b_to_a(c->link) : 0;
    }
    *ret_to_target = to_target;
    *ret_to_client = to_client;
}

static unsigned seconds_left(const struct session *session, uint64_t now)
{
    return session->deadline_ms > now ? (unsigned)((session->deadline_ms - now + 999) / 1000) : 0;
}

/* ---- notes ------------------------------------------------------------------ */

void session_tell(struct session *session)
{
    if (!session->note_is_new) {
        session->note_is_new = true;
        session->services->noted(session->services->arg, session);
    }
}

static void note(struct session *session, bool passes, const char *format, va_list args)
{
    char buffer[SESSION_NOTE_MAX + 1];
    struct text text = text_over(buffer, sizeof buffer);
    text_add_v(&text, format, args);
    bool again = session->note && strcmp(session->note, buffer) == 0;
    char line[sizeof buffer + 32];
    snprintf(line, sizeof line, "session %s: %s", session->id, buffer);
    session->note_passes = passes;
    session->note_at = session->connections_total;
    /* A client that tries again and again must not fill the log. */
    if (again) {
        sieve_log(session->services->sieve, line, LOG_WARN, "%s", line);
        return;
    }
    log_warn(log_of(session), "%s", line);
    free(session->note);
    session->note = strdup(buffer);
    session->notes++;
    session_tell(session);
}

void session_note(struct session *session, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    note(session, true, format, args);
    va_end(args);
}

void session_note_for_good(struct session *session, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    note(session, false, format, args);
    va_end(args);
}

/* It came later, and its target has said more than a refusal in words. */
static bool proves_past(const struct session *session, const struct connection *connection)
{
    return session->note_passes && connection->number > session->note_at && connection->link &&
           link_bytes_b_to_a(connection->link) >= WORKS_BYTES;
}

void session_review_note(struct session *session, const struct connection *connection)
{
    if (session->note && proves_past(session, connection)) {
        free(session->note);
        session->note = NULL;
    }
}

static const char *note_of(const struct session *session)
{
    for (const struct connection *c = session->connections; c; c = c->next) {
        if (proves_past(session, c)) {
            return NULL;
        }
    }
    return session->note;
}

/* ---- a snapshot --------------------------------------------------------------- */

uint64_t session_connected_ms(const struct session *session)
{
    uint64_t until = session->left_ms    ? session->left_ms
                     : session->ended_ms ? session->ended_ms
                                         : clock_ms();
    return session->connected_ms ? until - session->connected_ms : 0;
}

void session_view(const struct session *session, struct session_view *ret_view)
{
    uint64_t now = session->ended_ms ? session->ended_ms : clock_ms();
    struct session_view view = {
        .id = session->id,
        .kind = session->kind,
        .state = session->state,
        .owner = session->owner,
        .host = session->host,
        .port = session->port,
        .gateway = session->gateway,
        .names_gateway = session->names_gateway,
        .public_port = session->public_port,
        .data_port = session->data_port,
        .has_client = session->somebody_is_in,
        .client = session->client,
        .opened_unix = session->opened_unix,
        .connected_unix = session->connected_unix,
        .seconds_open = (unsigned)((now - session->opened_ms) / 1000),
        .seconds_left = session->state == SESSION_ENDED ? 0 : seconds_left(session, now),
        .connections = session_count_connections(session),
        .connections_total = session->connections_total,
        .note = note_of(session),
        .notes = session->notes,
        .was_ready = session->was_ready,
        .gateway_is_away = !session_has_gateway(session),
        .seconds_connected = (unsigned)(session_connected_ms(session) / 1000),
        .end = session->end,
    };
    session_count_bytes(session, &view.bytes_to_target, &view.bytes_to_client);
    session_view_lobby(session, &view);
    *ret_view = view;
}

/* What a person is told; the first words are the contract's. */
void session_explain_failure(const struct session *session,
                             const struct message_tunnel_failed *failed, struct why *why)
{
    const char *host = session->host;
    unsigned port = session->port;
    char detail[sizeof failed->detail];
    const char *service = kind_row(session->kind)->service;
    const struct vps_settings *settings = session->services->settings;
    switch (failed->reason) {
    case TUNNEL_UNKNOWN_NAME:
        why_set(why, 0,
                "unknown name: gateway %s cannot find %s; check the spelling, or use its IP "
                "address",
                session->gateway, host);
        break;
    case TUNNEL_REFUSED:
        why_set(why, 0, "refused: %s is there, but nothing listens on port %u; is %s running?",
                host, port, service);
        break;
    case TUNNEL_NO_ROUTE:
        why_set(why, 0,
                "no route: gateway %s cannot reach %s; is it switched on, and in that gateway's "
                "network?",
                session->gateway, host);
        break;
    case TUNNEL_TIMED_OUT:
        why_set(why, 0,
                "timed out: %s does not answer on port %u; is it switched on, and does its "
                "firewall let gateway %s in?",
                host, port, session->gateway);
        break;
    case TUNNEL_NAME_SERVERS:
        why_set(why, 0,
                "no name server answers gateway %s, so it cannot look up %s; use the IP address, "
                "or check the gateway's DNS",
                session->gateway, host);
        break;
    case TUNNEL_NOT_ALLOWED:
        why_set(why, 0,
                "not allowed: gateway %s does not serve %s port %u; see its "
                "ALLOWED_TARGETS",
                session->gateway, host, port);
        break;
    case TUNNEL_DATA_UNREACHABLE:
        why_set(why, 0,
                "gateway %s cannot reach the data port of this server; let TCP ports %u to "
                "%u through its firewall",
                session->gateway, settings->port_range_start, settings->port_range_end);
        break;
    case TUNNEL_BUSY:
        why_set(why, 0, "gateway %s has too many tunnels open (%s); close a session first",
                session->gateway, failed->detail);
        break;
    default:
        snprintf(detail, sizeof detail, "%s", failed->detail);
        text_quote(detail);
        why_set(why, 0, "gateway %s could not open it: “%s”", session->gateway, detail);
    }
}

void session_way_in_text(const struct session *session, struct text *text)
{
    static const char *const WAYS[] = {[WAY_NONE] = "not yet",
                                       [WAY_SECRET] = "secret",
                                       [WAY_KNOWN] = "known address",
                                       [WAY_AUTO] = "ADMIT=auto"};
    char person[OWNER_TEXT_MAX];
    if (session->way_in == WAY_PERSON) {
        text_add(text, "admitted by %s", owner_text(&session->admitted_by, person));
    } else {
        text_add(text, "%s", WAYS[session->way_in]);
    }
}

/* ---- the end ---------------------------------------------------------------- */

void session_end_text(const struct session *session, struct text *text)
{
    switch (session->end) {
    case SESSION_END_REFUSED:
    case SESSION_END_TARGET:
        text_add(text, "%s",
                 session->end_why ? session->end_why->text : "the gateway could not open it");
        break;
    case SESSION_END_GATEWAY:
        text_add(text, "gateway %s went offline or did not answer", session->gateway);
        break;
    case SESSION_END_NOBODY:
        text_add(text, "nobody connected within ");
        text_add_seconds(text, session->limits.timeout_s);
        break;
    case SESSION_END_CLOSED:
        text_add(text, "closed on request");
        break;
    case SESSION_END_IDLE:
        text_add(text, "nothing was sent or received for ");
        text_add_seconds(text, session->limits.idle_s);
        break;
    case SESSION_END_MAX_TIME:
        text_add(text, "it reached the time limit for a session: ");
        text_add_seconds(text, session->limits.time_s);
        break;
    case SESSION_END_USER_REMOVED:
        text_add(text, "access was taken away");
        break;
    case SESSION_END_GATEWAY_REMOVED:
        text_add(text, "gateway %s does not belong to this server any more", session->gateway);
        break;
    case SESSION_END_SHUTDOWN:
        text_add(text, "the server is being stopped");
        break;
    case SESSION_END_DISCONNECTED:
    case SESSION_END_NONE:
        text_add(text, "disconnected");
        break;
    }
}
