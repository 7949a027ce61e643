/*
 * card: the live message of one session, the .rdp file that goes with it, and the
 * questions about its unknown clients. It follows the session's events; its timer
 * only keeps the numbers in it fresh.
 */
#ifndef PAMTUNNEL_VPS_CHAT_CARD_H
#define PAMTUNNEL_VPS_CHAT_CARD_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "vps/chat/answer.h"
#include "vps/chat/texts.h"
#include "vps/session/session.h"
#include "vps/settings/settings.h"
#include "vps/transport/transport.h"

struct card;
struct readers;
struct farewells;

struct card_options {
    struct audit *audit;         /* may be NULL */
    struct farewells *farewells; /* who has the last word, when that is recorded; NULL: the card */
    uv_loop_t *loop;
    struct transport *transport;
    const struct vps_settings *settings; /* outlive the card */
    const struct readers *readers;
    struct resolver *names; /* of clients' addresses; NULL: they are not looked up */
    int64_t person;
    struct post *post; /* a message that the card goes on with, and owns then; NULL: a new one */
};

/* For a session that was just opened. NULL when out of memory. */
struct card *card_new(const struct card_options *options, struct session *session);
const struct session *card_session(const struct card *card);
/*
 * The session changed. After its end the last texts are on their way, and the card
 * is to be freed before the session is gone.
 */
void card_update(struct card *card);
/* The session ends soon; or it does not any more. */
void card_warn(struct card *card, enum session_end end, unsigned seconds);
void card_calm(struct card *card);
/*
 * Its session has ended, and somebody else goes on with its message, which is theirs from now on:
 * with what it would say now, and the data of its button Again ("": there is none). The card says
 * nothing any more.
 */
struct post *card_hand_over(struct card *card, struct text *html, char ret_again[]);
/* A button below a question was pressed; the answer to the user. */
enum answer card_decide(struct card *card, unsigned number, bool admit);
/* The button "scp, config" was pressed: shows these lines, or hides them. The answer. */
enum answer card_show_more(struct card *card);
/* "Strict network?" was pressed: line or file are for ENTRANCE_PORT, or its own again. */
enum answer card_switch_port(struct card *card);
/* What was said stays in the chat. Accepts NULL. */
void card_free(struct card *card);

#endif
