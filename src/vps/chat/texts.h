/*
 * texts: what users read, as HTML of html.h's kind. What one command answers stands with its
 * handler, and what is said to whoever pressed a button in answer.def.
 */
#ifndef PAMTUNNEL_VPS_CHAT_TEXTS_H
#define PAMTUNNEL_VPS_CHAT_TEXTS_H

#include "base/net.h"
#include "base/text.h"
#include "vps/chat/command.h"
#include "vps/chat/suggest.h"
#include "vps/session/session.h"
#include "vps/settings/settings.h"

/* Takes every message here; nothing is cut off, since a cut tag would be refused. */
enum { TEXTS_SIZE = 8192 };

/* --- to those who write --- */

void texts_unknown(struct text *html);
/* The suggestions follow as buttons, or below. */
void texts_did_you_mean(struct text *html, const struct suggestions *suggestions);
/* several: more than one gateway is online. */
void texts_usage(struct text *html, const struct command_row *row, const struct why *why,
                 bool several);
/* Somebody sent a photo, a place, …; caption: what is below it, or NULL. */
void texts_only_text(struct text *html, const char *caption);
/* age_s: of the latest of `count` commands. */
void texts_expired(struct text *html, unsigned count, int64_t age_s);
/* To a stranger. */
void texts_private(struct text *html, int64_t user_id);
/* file_name cannot be sent at the moment. */
void texts_file_stuck(struct text *html, const char *file_name);
void texts_forwarded(struct text *html);
void texts_not_opened(struct text *html, const struct why *why);
/* To somebody who is no administrator. */
void texts_administrators_only(struct text *html);

/* --- locking the server --- */

/* The question. count: sessions that are open. */
void texts_panic(struct text *html, unsigned count);
/* by: a name, HTML. reason: why that is not in the state file yet; NULL: it is. */
void texts_locked(struct text *html, const char *by, unsigned ended, const char *reason);
void texts_unlocked(struct text *html, const char *by, const char *reason);
/* Since its state file could not be read; since: when that was. */
void texts_lock_in_doubt(struct text *html, const char *since);

/* --- lists of sessions --- */

/* Above and below the lines of a list. all: of everybody; others: how many have no line. */
void texts_sessions_head(struct text *html, unsigned count, bool all);
void texts_sessions_tail(struct text *html, unsigned others, bool all);
/* A line about a session that could be closed. owner: whose it is; NULL: the reader's. */
void texts_open_session(struct text *html, unsigned number, const char *owner,
                        const struct session_view *view);
/* /close has closed it. */
void texts_closed(struct text *html, const char *owner, const struct session_view *view);
void texts_no_such_session(struct text *html, const char *id);
/* How many there are, for /status. */
void texts_status_sessions(struct text *html, unsigned count, unsigned connections, bool all);

/* What everybody can read who opens the chat: plain text. */
#define TEXT_DESCRIPTION                                                                        \
    "A private bot: it only works for people its owner lets in. If you are one of them, press " \
    "Start; /help shows what it can do."
#define TEXT_SHORT_DESCRIPTION "A private bot: it only works for people its owner lets in."

/* --- a session's message --- */

/*
 * Parts of phrases, as HTML for the reader of `html`: each into a buffer of its own, which takes
 * TEXTS_PART_SIZE and is returned. A phrase is whole, since other languages have another order.
 */
enum { TEXTS_PART_SIZE = 1024 };
/*
 * "office-pc", as the policy calls it; else "HOME-PC", with its gateway if there are several, and
 * its port if that is not the usual one.
 */
char *texts_target(const struct text *html, const struct session_view *view, char *dst);
/* "RDP to HOME-PC"; and that in bold. */
char *texts_what(const struct text *html, const struct session_view *view, char *dst);
char *texts_title(const struct text *html, const struct session_view *view, char *dst);
char *texts_client(const struct text *html, const struct addr *client, char *dst);
/* plain, in a tag: "code", "b". */
char *texts_in_tag(const struct text *html, const char *tag, const char *plain, char *dst);
/* "2 min 5 s"; and in steps of 5 s, up, so that it is not "1 min 59 s" a moment later. */
char *texts_span(const struct text *html, uint64_t seconds, char *dst);
char *texts_about(const struct text *html, uint64_t seconds, char *dst);

void texts_opening(struct text *html, const struct session_view *view);
/* command: the line to paste, of session_line(). Below it what else to do with the address. */
void texts_waiting_line(struct text *html, const struct session_view *view, const char *command);
/* Below these: for how long, and who is let in. */
void texts_waiting_rules(struct text *html, const struct session_view *view, enum admit admit);
/* Below these: the machine's key, if that is known. */
void texts_host_key(struct text *html, const struct session_view *view);
void texts_waiting_file(struct text *html, const struct session_view *view, const char *file_name);
/* Below the .rdp file. */
struct texts_rdp {
    const char *address;                       /* "HOST:PORT" of the public port */
    const struct rdp_certificate_view *signer; /* NULL: it is not signed */
    bool clipboard;                            /* it is shared */
};
void texts_rdp_caption(struct text *html, const struct session_view *view,
                       const struct texts_rdp *rdp);
/* name: of the client's address; "": it has none, or it is not known. */
void texts_connected(struct text *html, const struct session_view *view, const char *name);
void texts_reconnecting(struct text *html, const struct session_view *view);
/* Below rules or file: the page that lets its visitor in. */
void texts_link(struct text *html, const struct session_view *view, const char *link);
/* Below these: what to do with the address in a client, and what to know before; NULL: nothing. */
void texts_hint(struct text *html, const char *what, const char *line);
void texts_kind_warning(struct text *html, const char *warning);
/* Below these: lines for copying and for ~/.ssh/config, and what other clients ask for. */
struct texts_more {
    const char *ssh; /* "" if it stands above */
    const char *scp;
    const char *config;
    const char *known_hosts; /* "": the host key is not known */
    const char *fingerprint; /* of it */
    const char *host;        /* VPS_HOST */
    uint16_t port;           /* the public one */
    const char *user;        /* "" if it was not said */
};
void texts_more(struct text *html, const struct texts_more *more);
/* how: the clause of session_end_text(). */
void texts_ended(struct text *html, const struct session_view *view, const char *how,
                 const char *name);

/* It ends in so many seconds; and the same later, when it goes on or has ended. */
void texts_ending(struct text *html, const struct session_view *view, enum session_end end,
                  unsigned seconds, bool can_extend);
void texts_warning_over(struct text *html, const struct session_view *view);

/* What it says if vps-agent was restarted in the meantime. */
/* Where the audit ends; "": nowhere. */
void texts_audit_head(struct text *html, const char *head);
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
enum texts_fate { TEXTS_ADMITTED, TEXTS_LINKED, TEXTS_BLOCKED, TEXTS_PUT_OFF, TEXTS_GONE };
void texts_answered(struct text *html, const struct session_view *view, const struct addr *from,
                    enum texts_fate fate);

/*
 * Labels of buttons that button.def does not have: one that copies, and "scp,
 * config" once pressed.
 */
#define LABEL_COPY     "Copy"
#define LABEL_LESS     "Less"
#define LABEL_ADDRESS  "Address"
#define LABEL_OWN_PORT "Own port"

#endif
