/*
 * session_parts: what a session's own files (session.c and session_*.c) need of each other. The
 * struct is session.c's alone.
 */
#ifndef PAMTUNNEL_VPS_SESSION_SESSION_PARTS_H
#define PAMTUNNEL_VPS_SESSION_SESSION_PARTS_H

#include "vps/session/session_run.h"

struct front;
struct front_events;
struct rear;
struct rear_events;
struct connections;
struct life;
struct connection_end;
struct note;
struct record;
struct shown;

struct front *session_front(const struct session *session);
struct rear *session_rear(const struct session *session);
struct connections *session_connections(const struct session *session);
struct life *session_life(const struct session *session);
struct note *session_notes(struct session *session);
struct record *session_record(struct session *session);
struct shown *session_shown(struct session *session);
/* Zero if nothing is known. */
const struct identity *session_identity(const struct session *session);
/* What it hears of its front and its rear; arg is the session. */
extern const struct front_events SESSION_FRONT_EVENTS;
extern const struct rear_events SESSION_REAR_EVENTS;
enum session_state session_state(const struct session *session);

/* session_tell() about an unknown client, unless the session has ended. */
void session_tell_of_client(struct session *session, enum session_event_kind kind, unsigned number);
/* Tells the log, and once the session's user, of what did not go well: see note.h. */
void session_note(struct session *session, bool passes, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What the target said is a note, if it was a word about why there is no login. */
void session_note_last_words(struct session *session, const struct connection_end *end);
/* Call it when there may be no connection left. maybe_last_words: the reason may still come. */
void session_on_nothing_carried(struct session *session, bool maybe_last_words);
/*
 * Ends it, once; what it holds is closed when this returns. why is copied; NULL:
 * none of its own.
 */
void session_end_because(struct session *session, enum session_end end, const struct why *why);

/* The same, because the server has run out of something: errno. */
void session_end_short_of(struct session *session, int error);

/* The same, because its opening could not be recorded: -errno of the audit. */
void session_end_unrecorded(struct session *session, int err);

struct latch_page;
/* What the page at its port says of it: see front_events. */
void session_describe(const struct session *session, struct latch_page *page);

void session_log_birth(const struct session *session);
void session_log_end(const struct session *session);

#endif
