/*
 * texts: every text the users read. Messages are HTML of Telegram's kind; whatever
 * comes from elsewhere is escaped by html_add().
 */
#ifndef PAMTUNNEL_VPS_BOT_TEXTS_H
#define PAMTUNNEL_VPS_BOT_TEXTS_H

#include "base/net.h"
#include "base/text.h"
#include "vps/bot/command.h"
#include "vps/session/session.h"

/* Takes every message here; nothing is cut off, since a cut tag would be refused. */
enum { TEXTS_SIZE = 8192 };

/* Appends plain text. */
void html_add(struct text *html, const char *plain);

/* --- to those who write --- */

void texts_help(struct text *html);
void texts_unknown(struct text *html);
void texts_usage(struct text *html, const struct command_row *row, const struct why *why);
/* age_s: of the latest of `count` commands. */
void texts_expired(struct text *html, unsigned count, int64_t age_s);
void texts_private(struct text *html);
/* file_name cannot be sent at the moment. */
void texts_file_stuck(struct text *html, const char *file_name);
void texts_forwarded(struct text *html);
void texts_not_opened(struct text *html, const struct why *why);

/* --- a session's message --- */

void texts_opening(struct text *html, const struct session_view *view);
/* command: the ssh command line. */
void texts_waiting_ssh(struct text *html, const struct session_view *view, const char *command);
void texts_waiting_rdp(struct text *html, const struct session_view *view, const char *file_name);
/* Below the .rdp file; address: "HOST:PORT" of the public port. clipboard: it is shared. */
void texts_rdp_caption(struct text *html, const struct session_view *view, const char *address,
                       bool clipboard);
void texts_connected(struct text *html, const struct session_view *view);
void texts_reconnecting(struct text *html, const struct session_view *view);
/* Below these: lines for copying and for ~/.ssh/config, and what other clients ask for. */
struct texts_more {
    const char *ssh; /* "" if it stands above */
    const char *scp;
    const char *config;
    const char *host; /* VPS_HOST */
    uint16_t port;    /* the public one */
    const char *user; /* "" if it was not said */
};
void texts_more(struct text *html, const struct texts_more *more);
/* how: the clause of session_end_text(). */
void texts_ended(struct text *html, const struct session_view *view, const char *how);

/* What it says if vps-agent was restarted in the meantime. */
void texts_restarted(struct text *html, const struct session_view *view);

/* --- about an unknown client --- */

/*
 * About clients of one party, in the order in which they came. asks_always: even about
 * addresses from which the user came before.
 */
enum { TEXTS_CLIENTS_MAX = 4 };
void texts_question(struct text *html, const struct session_view *view,
                    const struct parked_view *const clients[], unsigned count, bool asks_always);
/* There are many strangers. is_open: the user could be among those who wait. */
void texts_knocking(struct text *html, const struct session_view *view, bool is_open);
/* PUT_OFF: others are asked about first. */
enum texts_fate { TEXTS_ADMITTED, TEXTS_BLOCKED, TEXTS_PUT_OFF, TEXTS_GONE };
void texts_answered(struct text *html, const struct session_view *view, const struct addr *from,
                    enum texts_fate fate);

/* --- answers to pressed buttons: plain text --- */

#define TEXT_CLOSED       "Closed."
#define TEXT_ADMITTED     "Admitted."
#define TEXT_BLOCKED      "Blocked."
#define TEXT_MORE         "The lines are in the message now."
#define TEXT_LESS         "The lines are hidden again."
#define TEXT_CLIENT_GONE  "This client is not waiting any more."
#define TEXT_ASKED        "Here they are."
#define TEXT_ALL_ASKED    "I have already asked you about everybody who is waiting."
#define TEXT_SESSION_GONE "This session has already ended."
#define TEXT_NOT_YOURS    "This button is not for you."
#define TEXT_NO_BUTTON    "This button no longer does anything."

/* Labels of buttons. */
#define LABEL_COPY        "Copy"
#define LABEL_MORE        "scp, config"
#define LABEL_LESS        "Less"
#define LABEL_CLOSE       "Close"
#define LABEL_ADMIT       "Admit"
#define LABEL_BLOCK       "Block"
#define LABEL_WHO_WAITS   "Who waits?"

#endif
