/*
 * shown: what a session's target has shown of itself, by which its user can tell it: from the
 * gateway's answer and from what is pinned. One that shows another key than it used to is no
 * session at all, until a person has decided (sessions_accept_key()).
 */
#ifndef PAMTUNNEL_VPS_SESSION_SHOWN_H
#define PAMTUNNEL_VPS_SESSION_SHOWN_H

#include "base/why.h"
#include "control/message.h"
#include "vps/pins/pins.h"
#include "vps/session/terms.h"

/* Zero-initialised: nothing was shown. */
struct shown {
    struct identity identity; /* of the target; without since: there is none */
    int64_t since;            /* it is known, Unix time */
    bool is_new;              /* this session was the first to see it */
    bool is_renewed;          /* a certificate in the place of one whose time was over */
};

/* Where the pin of a session's target is. */
struct pin_target shown_target(const struct terms *terms);
/* What the gateway is asked about the target, for this channel. */
void shown_ask(const struct terms *terms, uint16_t channel, struct message_open_tunnel *open);
/*
 * The gateway's answer to channel 0: judges it, and records what is new. -EKEYREJECTED if it is
 * another one, with a clause for the user in why; else 0.
 */
int shown_take(struct shown *shown, const struct terms *terms,
               const struct message_tunnel_ready *ready, struct why *why);
/* The gateway met another one, and dialled nothing: a clause for the user. */
void shown_refused(const struct terms *terms, const struct message_tunnel_failed *failed,
                   struct why *why);
void shown_view(const struct shown *shown, struct session_view *view);
/* Frees what it holds. */
void shown_done(struct shown *shown);

#endif
