/*
 * refusal: says why a command opened nothing, with buttons for what the user can do about it:
 * choose a gateway, close a session.
 */
#ifndef PAMTUNNEL_VPS_CHAT_REFUSAL_H
#define PAMTUNNEL_VPS_CHAT_REFUSAL_H

#include <stdint.h>

#include "base/why.h"
#include "vps/session/sessions.h"
#include "vps/telegram/outbox.h"

struct refusal {
    struct outbox *outbox;
    struct sessions *sessions;
    const char *bot_name;
    int64_t chat_id;     /* the user's, and so the user */
    const char *command; /* as it was sent */
};

/* err and why: of sessions_open(). */
void refusal_say(const struct refusal *refusal, int err, const struct why *why);

#endif
