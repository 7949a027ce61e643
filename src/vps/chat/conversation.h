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
#include "vps/waking/wakings.h"

struct audit;
struct cards;
struct factors;
struct gateway_questions;
struct history;
struct newcomers;
struct opening;
struct readers;
struct recents;
struct resolver;
struct session_lists;
struct sieve;

/* The bot's; all of it outlives whatever a handler does. */
struct conversation {
    uv_loop_t *loop;
    const struct log *log;
    const struct vps_settings *settings;
    const struct people *people;
    struct sessions *sessions;
    struct audit *audit; /* may be NULL */
    struct holds *holds;
    struct wakings *wakings;
    struct factors *factors; /* NULL: nobody has a second factor */
    struct transport *transport;
    struct opening *opening; /* opens sessions */
    struct cards *cards;     /* their messages */
    struct session_lists *lists;
    struct history *history;
    struct newcomers *newcomers;
    struct gateway_questions *gateway_questions;
    struct readers *readers; /* which language they read */
    struct recents *recents; /* where they were last */
    struct resolver *names;  /* of addresses */
    struct sieve *sieve;     /* log lines that users cause */
    uint64_t began_ms;       /* vps-agent did */
    const char *bot_name;    /* to tell commands to it from others; "" until it is online */
};

/* Of those whom the bot listens to at all. */
enum who {
    WHO_ALLOWED, /* everybody in ALLOWED_USERS */
    WHO_OWNER,   /* only the one whose session it is */
    WHO_OWNER_OR_ADMINISTRATOR,
    WHO_ADMINISTRATOR,
};

/* owner: of the session in question; NULL if there is none. */
bool conversation_may(const struct conversation *conversation, enum who who, int64_t person,
                      const struct owner *owner);
/* Somebody has locked the server (lockdown.h). */
bool conversation_is_locked(const struct conversation *conversation);
/*
 * As text_over(): what this person will read, in their language. Whatever is said to a person is
 * written into one of these, with text_add() of phrases that german.def has, too.
 */
struct text conversation_text(const struct conversation *conversation, int64_t person, char *buffer,
                              size_t size);
/* They may not, and tried: keeps that. what: the command, or the button as it was pressed. */
void conversation_refuse(const struct conversation *conversation, int64_t person, const char *what);

#endif
