/*
 * The unknown clients at a session's public port, as its owner and the operator see
 * them: who waits, and what the log says about the rest.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/origin.h"
#include "base/text.h"
#include "vps/session/session_core.h"

enum { KNOCKING_LOG_MS = 600000 };

bool session_expects(void *arg, const struct addr *from)
{
    const struct session *session = arg;
    return (session->somebody_is_in && addr_same_party(from, &session->client)) ||
           known_has(session->services->known, &session->owner, from);
}

/* ---- the log -------------------------------------------------------------- */

char *session_cause(const struct session *session, const struct addr *from,
                    char dst[SESSION_CAUSE_MAX])
{
    char network[NETWORK_TEXT_MAX];
    snprintf(dst, SESSION_CAUSE_MAX, "session %s: clients of %s", session->id,
             origin_network_text(from, network));
    return dst;
}

static void add_busiest(struct text *text, const struct knocking *knocking)
{
    for (unsigned i = 0; i < knocking->busiest_count; i++) {
        text_add(text, "%s%s (%u)", i == 0 ? ", most from " : ", ", knocking->busiest[i].network,
                 knocking->busiest[i].clients);
    }
}

static void log_knocking(const struct session *session, const char *prefix)
{
    char buffer[400];
    struct text text = text_over(buffer, sizeof buffer);
    struct knocking knocking;
    door_knocking(session->door, &knocking);
    text_add(&text, "%u unknown client%s from %s%u network%s", knocking.clients,
             knocking.clients == 1 ? "" : "s", knocking.more_networks ? "more than " : "",
             knocking.networks, knocking.networks == 1 ? "" : "s");
    add_busiest(&text, &knocking);
    log_info(log_of(session), "session %s: %s%s; %u wait unasked", session->id, prefix, buffer,
             knocking.unasked);
}

void session_on_knocking(void *arg)
{
    struct session *session = arg;
    uint64_t now = clock_ms();
    if (session->state == SESSION_ENDED) {
        return;
    }
    if (session->knocking_log_ms == 0 || now - session->knocking_log_ms >= KNOCKING_LOG_MS) {
        session->knocking_log_ms = now;
        log_knocking(session, "strangers are knocking: ");
    }
    session->services->notify(session->services->arg, session, SESSION_KNOCKING, 0);
}

void session_log_knocks(const struct session *session)
{
    if (session->door && session->departed > 1) {
        log_knocking(session, "in all ");
    }
}

static const char *departure_text(enum departure departure)
{
    switch (departure) {
    case DEPARTURE_NO_PLACE:
        return "is turned away: too many are waiting already";
    case DEPARTURE_MADE_ROOM:
        return "is sent off to make room for another one";
    case DEPARTURE_SENT_OFF:
        return "is sent off, without a question";
    case DEPARTURE_UNASKED:
        break;
    }
    return "hung up before the user was asked about it";
}

void session_on_departed(void *arg, const struct addr *from, const char *words,
                         enum departure departure)
{
    struct session *session = arg;
    char line[400], host[ADDR_HOST_MAX], cause[SESSION_CAUSE_MAX];
    struct text text = text_over(line, sizeof line);
    text_add(&text, "session %s: %s%s%s%s %s", session->id, addr_host_text(from, host),
             words[0] ? " (" : "", words, words[0] ? ")" : "", departure_text(departure));
    /* The first one of a session is always worth a line; the rest go through the sieve. */
    if (session->departed++ == 0) {
        log_info(log_of(session), "%s", line);
    } else {
        sieve_log(session->services->sieve, session_cause(session, from, cause), LOG_INFO, "%s",
                  line);
    }
}

/* Strangers cause these lines; a client that the owner may miss is worth a note as well. */
void session_on_silent(struct session *session, const struct visit *visit, const struct addr *from)
{
    struct addr last;
    int64_t when;
    char host[ADDR_HOST_MAX], cause[SESSION_CAUSE_MAX];
    bool is_missed = !session->somebody_is_in && !visit->blocked &&
                     (visit->known ||
                      (lately_find(session->services->lately, &session->owner, &last, &when) &&
                       addr_same_party(&last, from)));
    addr_host_text(from, host);
    if (is_missed) {
        session_note(session,
                     "a client at %s said nothing and was dropped: one that waits for the "
                     "server's first word is let in only from an address that needs no Admit",
                     host);
    } else {
        sieve_log(session->services->sieve, session_cause(session, from, cause), LOG_INFO,
                  "session %s: %s has said nothing for %d s and is dropped", session->id, host,
                  DOOR_PATIENCE_MS / 1000);
    }
}

/* ---- who waits ------------------------------------------------------------- */

void session_view_lobby(const struct session *session, struct session_view *view)
{
    if (session->door) {
        view->parked_count = door_parked_count(session->door);
        door_knocking(session->door, &view->knocking);
    }
    view->has_last = lately_find(session->services->lately, &session->owner, &view->last_from,
                                 &view->last_unix);
}

unsigned session_parked(const struct session *session, struct parked_view ret_views[PARKED_MAX])
{
    unsigned count = session->door ? door_parked(session->door, ret_views) : 0;
    for (unsigned i = 0; i < count; i++) {
        ret_views[i].after_s = (unsigned)((ret_views[i].came_ms - session->opened_ms) / 1000);
    }
    return count;
}

unsigned session_ask_more(struct session *session, unsigned most)
{
    return session->door ? door_ask_more(session->door, most) : 0;
}
