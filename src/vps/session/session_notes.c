/* What its user is told of a session that does not go well, and goes on. */
#include <stdio.h>

#include "vps/session/connections.h"
#include "vps/session/lastwords.h"
#include "vps/session/note.h"
#include "vps/session/session_parts.h"

void session_note(struct session *session, bool passes, const char *format, ...)
{
    const struct services *services = session_terms(session)->services;
    char clause[SESSION_NOTE_MAX + 1], line[sizeof clause + 32];
    struct text text = text_over(clause, sizeof clause);
    va_list args;
    va_start(args, format);
    text_add_v(&text, format, args);
    va_end(args);
    snprintf(line, sizeof line, "session %s: %s", session_terms(session)->id, clause);
    if (note_set(session_notes(session), passes, clause,
                 connections_total(session_connections(session)))) {
        log_warn(services->log, "%s", line);
        services->touched(services->arg, session);
    } else { /* a client that tries again and again must not fill the log */
        sieve_log(services->sieve, line, LOG_WARN, "%s", line);
    }
}

void session_note_last_words(struct session *session, const struct connection_end *end)
{
    char clause[SESSION_NOTE_MAX];
    struct text text = text_over(clause, sizeof clause);
    if (lastwords_add(&text, session_terms(session)->kind, end->said, end->said_len)) {
        session_note(session, true, "%s", clause);
    }
}
