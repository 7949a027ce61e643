/* What is said about several sessions at once, and about closing one of them. */
#include "vps/chat/language.h"
#include "vps/chat/texts.h"
#include "vps/transport/html.h"

void texts_sessions_head(struct text *html, unsigned count, bool all)
{
    if (count == 0) {
        text_add(html, all ? "No session is open." : "You have no open session.");
    } else if (all) {
        text_add(html, count == 1 ? "One session is open:" : "%u sessions are open:", count);
    } else {
        text_add(html, count == 1 ? "Your open session:" : "Your open sessions:");
    }
}

void texts_sessions_tail(struct text *html, unsigned others, bool all)
{
    if (others > 0) {
        text_add(html, "\nand %u more.", others);
        if (all) {
            text_add(html, " <code>pamctl sessions</code> on the server lists them all.");
        }
    }
}

/* What somebody who may want to close it has to know: is it in use? */
static void add_state(struct text *html, const struct session_view *view)
{
    char span[TEXTS_PART_SIZE];
    switch (view->state) {
    case SESSION_OPENING:
        text_add(html, ", opening");
        break;
    case SESSION_WAITING:
        text_add(html, ", not used yet, time left to connect: %s",
                 texts_about(html, view->seconds_left, span));
        break;
    case SESSION_CONNECTED:
        text_add(html, ", connected for %s", texts_span(html, view->seconds_connected, span));
        break;
    case SESSION_RECONNECTING:
        text_add(html, ", disconnected, time left to come back: %s",
                 texts_about(html, view->seconds_left, span));
        break;
    case SESSION_ENDED:
        break;
    }
}

void texts_open_session(struct text *html, unsigned number, const char *owner,
                        const struct session_view *view)
{
    char title[TEXTS_PART_SIZE], id[TEXTS_PART_SIZE];
    text_add(html, "\n%u. ", number);
    if (owner) {
        html_add(html, owner);
        text_add(html, ": ");
    }
    text_add(html, "%s", texts_title(html, view, title));
    add_state(html, view);
    if (owner) { /* an administrator, who can name it */
        text_add(html, " (%s)", texts_in_tag(html, "code", view->id, id));
    }
}

void texts_closed(struct text *html, const char *owner, const struct session_view *view)
{
    char title[TEXTS_PART_SIZE], name[TEXTS_PART_SIZE];
    struct text text = text_over(name, sizeof name);
    texts_title(html, view, title);
    if (owner) {
        html_add(&text, owner);
        text_add(html, "Closed: %s of %s, who has been told.", title, name);
    } else {
        text_add(html, "Closed: %s.", title);
    }
}

void texts_no_such_session(struct text *html, const char *id)
{
    char tagged[TEXTS_PART_SIZE];
    text_add(html, "%s is not the ID of an open session that you may close. /sessions lists them.",
             texts_in_tag(html, "code", id, tagged));
}

void texts_status_sessions(struct text *html, unsigned count, unsigned connections, bool all)
{
    if (count == 0) {
        text_add(html, all ? "No session is open." : "You have no open session.");
        return;
    }
    if (all) {
        text_add(html, count == 1 ? "%u session is open" : "%u sessions are open", count);
    } else {
        text_add(html, count == 1 ? "You have %u open session" : "You have %u open sessions",
                 count);
    }
    text_add(html,
             connections == 1 ? ", with %u connection: /sessions"
                              : ", with %u connections: /sessions",
             connections);
}

/* ---- locking the server ------------------------------------------------------ */

void texts_panic(struct text *html, unsigned count)
{
    text_add(html, "⚠️ <b>Lock the server?</b>\n");
    if (count > 0) {
        text_add(html,
                 count == 1 ? "%u open session ends at once, whoever uses it. "
                            : "All %u open sessions end at once, whoever uses them. ",
                 count);
    }
    text_add(html, "Nobody can open anything until somebody on the server itself says "
                   "<code>pamctl unlock</code>. It cannot be undone from here.");
}

void texts_locked(struct text *html, const char *by, unsigned ended, const char *reason)
{
    text_add(html, "🔒 The server was locked by %s. ", by);
    if (ended == 0) {
        text_add(html,
                 "No session was open. Every public port is closed, and nothing can be opened "
                 "until somebody on the server itself says <code>pamctl unlock</code>.");
    } else {
        text_add(html,
                 ended == 1
                     ? "%u session was ended, every public port is closed, and nothing can be "
                       "opened until somebody on the server itself says "
                       "<code>pamctl unlock</code>."
                     : "%u sessions were ended, every public port is closed, and nothing can be "
                       "opened until somebody on the server itself says "
                       "<code>pamctl unlock</code>.",
                 ended);
    }
    if (reason) {
        char said[128];
        text_add(html,
                 "\n⚠️ This could not be written to the disk yet: until that works, a restart "
                 "unlocks the server. The reason: ");
        html_add_sentence(html, language_sentence(html, reason, said, sizeof said));
    }
}

void texts_lock_in_doubt(struct text *html, const char *since)
{
    text_add(html,
             "🔒 The server is locked since %s: its state file could not be read, so that nobody "
             "can tell whether somebody had locked it before. Nothing can be opened until somebody "
             "on the server itself says <code>pamctl unlock</code>. Gateways that were paired, "
             "people who were invited and second factors were in that file: see the log of the "
             "server, and restore a backup if there is one.",
             since);
}

void texts_unlocked(struct text *html, const char *by, const char *reason)
{
    text_add(html, "🔓 The server was unlocked by %s: sessions can be opened again.", by);
    if (reason) {
        char said[128];
        text_add(html,
                 "\n⚠️ This could not be written to the disk yet: until that works, a restart "
                 "locks the server again. The reason: ");
        html_add_sentence(html, language_sentence(html, reason, said, sizeof said));
    }
}
