/* conversation: what the handlers of commands and buttons work with, and who may have them work. */
#ifndef PAMTUNNEL_VPS_CHAT_CONVERSATION_H
#define PAMTUNNEL_VPS_CHAT_CONVERSATION_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/log.h"
#include "vps/consent/holds.h"
#include "vps/people/people.h"
#include "vps/session/sessions.h"
#include "vps/settings/settings.h"
#include "vps/transport/transport.h"

struct cards;
struct opening;

/* The bot's; all of it outlives whatever a handler does. */
struct conversation {
    uv_loop_t *loop;
    const struct log *log;
    const struct vps_settings *settings;
    const struct people *people;
    struct sessions *sessions;
    struct holds *holds;
    struct transport *transport;
    struct opening *opening; /* opens sessions */
    struct cards *cards;     /* their messages */
    const char *bot_name;    /* to tell commands to it from others; "" until it is online */
};

/* Of those whom the bot listens to at all. */
enum who {
    WHO_ALLOWED, /* everybody in ALLOWED_USERS */
    WHO_OWNER,   /* only the one whose session it is */
};

/* owner: of the session in question; NULL if there is none. */
bool conversation_may(const struct conversation *conversation, enum who who, int64_t person,
                      const struct owner *owner);

#endif
