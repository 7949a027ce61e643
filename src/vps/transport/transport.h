/*
 * transport: how the bot reaches people, and they the bot. It is the face between the
 * conversation (vps/chat), which knows no service that carries messages, and such a service
 * (vps/telegram), which knows nothing of what is said: neither includes the other.
 *
 * A service wears it by beginning its own struct with a struct transport, whose ops point to
 * what it does. People and messages are known by the numbers that the service has for them.
 * Texts are HTML of html.h's kind unless they are called plain. Everything happens on the
 * loop's thread; strings that are handed in are copied, those that come with an event live
 * as long as the call.
 */
#ifndef PAMTUNNEL_VPS_TRANSPORT_TRANSPORT_H
#define PAMTUNNEL_VPS_TRANSPORT_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/metrics.h"
#include "base/text.h"
#include "base/why.h"
#include "vps/grant/owner.h"

struct transport;
struct post; /* a message to one person, that can be changed; each service has its own */

/* ---- what comes in --------------------------------------------------------- */

struct incoming {
    enum incoming_kind {
        INCOMING_MESSAGE, /* somebody wrote something */
        INCOMING_PRESS,   /* somebody pressed a button */
        INCOMING_OTHER,   /* nothing for the bot: only for the log */
    } kind;
    const char *what;     /* in the service's own words, for the log: "message", "edited_message" */
    int64_t person;       /* who sent it; 0 or less: it does not say */
    const char *name;     /* what they call themselves; NULL: nothing */
    const char *language; /* of their app, as "de" or "pt-br"; NULL: it does not say */
    /*
     * Why it must not be taken for what this person says to the bot alone, as a few words for
     * the log ("from a bot"); NULL: it may be.
     */
    const char *unfit;
    bool forwarded; /* somebody else wrote it */
    /* Since it was sent, by the service's clock; of a press, since its message was. In seconds. */
    int64_t age_s;
    int64_t message_id; /* or that of the message whose button it is */
    /* Of a message. */
    const char *text;    /* plain; NULL: it has none */
    bool attached;       /* a photo, a place, … is */
    const char *caption; /* below that, plain; NULL: none */
    /* Of a press. */
    const char *data;  /* the button's; NULL: none */
    const char *press; /* for transport_answer(); NULL: it cannot be answered */
};

struct transport_events {
    /* The service answers; bot_name is the bot's own there, to tell commands to it from others. */
    void (*online)(void *arg, const char *bot_name);
    /* It will never let us in, says why. Once, and instead of `online`. */
    void (*refused)(void *arg, const struct why *why);
    /* Each once, in order; never again, even after a restart. */
    void (*incoming)(void *arg, const struct incoming *incoming);
    /* Everything was delivered or given up. The transport must not be freed from inside of it. */
    void (*idle)(void *arg);
    /* Adds what a person is told of a file that the service does not take for a while. */
    void (*file_stuck)(void *arg, int64_t person, struct text *html, const char *file_name);
    /*
     * Nothing can be said to this person before they have said something to the bot. May be NULL;
     * says nothing itself, since it is called from inside of what delivers.
     */
    void (*unreachable)(void *arg, int64_t person);
    void *arg;
};

/* ---- what goes out --------------------------------------------------------- */

enum { BUTTON_DATA_MAX = 64 }; /* bytes that any service takes */

/* One below a message: it sends back `data`, or copies `copy`. */
struct button {
    const char *label; /* plain */
    const char *data;  /* at most BUTTON_DATA_MAX bytes */
    const char *copy;  /* one that is too long for the service is left out */
    bool wide;         /* it has a row of its own; all others share one */
};

struct transport_file {
    const char *name;
    const char *type; /* MIME; a constant */
    const void *data; /* copied, and wiped when it is sent */
    size_t len;
    const char *caption;
};

/* What the service shows of the bot before it says anything; all of it plain. */
struct transport_profile {
    const char
        *language; /* for people of this one ("de"); "": for all who have none of their own */
    struct transport_command {
        const char *name, *help;
    } * commands;
    size_t command_count;
    const char *description, *short_description;
};

/* What a service does; the functions of the same names below say what is wanted of each. */
struct transport_ops {
    const char *name; /* as the log says it: "telegram" */
    enum owner_kind people;
    int (*start)(struct transport *transport, const struct transport_events *events);
    void (*stop)(struct transport *transport);
    void (*free)(struct transport *transport);
    bool (*is_online)(const struct transport *transport);
    bool (*is_idle)(const struct transport *transport);
    uint64_t (*trouble)(const struct transport *transport, struct text *text);
    void (*measure)(const struct transport *transport, struct metrics *metrics);
    void (*introduce)(struct transport *transport, const struct transport_profile *profile);
    struct post *(*post)(struct transport *transport, int64_t person);
    struct post *(*post_file)(struct transport *transport, int64_t person,
                              const struct transport_file *file);
    void (*set)(struct post *post, const char *html, const struct button *buttons, unsigned count);
    void (*keep)(struct post *post, const char *correction);
    void (*release)(struct post *post);
    void (*delete)(struct post *post);
    void (*say_to_stranger)(struct transport *transport, int64_t person, const char *html);
    void (*answer)(struct transport *transport, const char *press, const char *text, bool is_alert);
    void (*strip)(struct transport *transport, int64_t person, int64_t message_id);
    void (*remove)(struct transport *transport, int64_t person, int64_t message_id);
};

struct transport {
    const struct transport_ops *ops;
};

/* ---- life ------------------------------------------------------------------ */

/* Begins to listen. Events come from the loop, never from inside of this. 0 or -errno. */
int transport_start(struct transport *transport, const struct transport_events *events);
/* Nothing comes in any more; what was said is still delivered. */
void transport_stop(struct transport *transport);
/* Forgets what was not delivered. After all its posts were let go. Accepts NULL. */
void transport_free(struct transport *transport);

const char *transport_name(const struct transport *transport);
/* This person, as an owner of sessions. */
struct owner transport_owner(const struct transport *transport, int64_t person);
bool transport_is_online(const struct transport *transport);
/* Everything was delivered or given up. */
bool transport_is_idle(const struct transport *transport);
/*
 * Adds what is wrong with the service, as a clause for a person: nothing if all is well. Returns
 * for how many seconds nothing could be received.
 */
uint64_t transport_trouble(const struct transport *transport, struct text *text);
/* Adds the service's own families of numbers. */
void transport_measure(const struct transport *transport, struct metrics *metrics);
/*
 * Tells the service what it shows of the bot, once for each language: "" first. That it fails is
 * no trouble.
 */
void transport_introduce(struct transport *transport, const struct transport_profile *profile);

/* ---- messages -------------------------------------------------------------- */

/* A message by itself, with `count` buttons. */
void transport_say(struct transport *transport, int64_t person, const char *html);
void transport_say_with(struct transport *transport, int64_t person, const char *html,
                        const struct button *buttons, unsigned count);
/*
 * The same to somebody who is not a user: no number of strangers holds up what users are told.
 * Dropped when there are too many.
 */
void transport_say_to_stranger(struct transport *transport, int64_t person, const char *html);

/*
 * A message that will be changed; it is sent when it is first set. NULL when out of memory,
 * which all functions below accept. Its owner ends with transport_release() or _delete().
 */
struct post *transport_post(struct transport *transport, int64_t person);
/* The same of a file with a caption, on its way at once. */
struct post *transport_post_file(struct transport *transport, int64_t person,
                                 const struct transport_file *file);
/* What it shows from now on: only the newest is delivered, and nothing if it shows that already. */
void transport_set(struct transport *transport, struct post *post, const char *html,
                   const struct button *buttons, unsigned count);
/*
 * It must not stay as it is if this process ends without a word: what the next one makes of it
 * then. NULL: it is deleted.
 */
void transport_keep(struct transport *transport, struct post *post, const char *correction);
/* What was set is still delivered; the owner does not use the post any more. */
void transport_release(struct transport *transport, struct post *post);
/* The same, but the message is taken away. */
void transport_delete(struct transport *transport, struct post *post);

/* ---- pressed buttons ------------------------------------------------------- */

/* press: of the event. text: plain, at most 200 characters. is_alert: it has to be closed. */
void transport_answer(struct transport *transport, const char *press, const char *text,
                      bool is_alert);
/* Takes the buttons off a message whose post is gone. */
void transport_strip(struct transport *transport, int64_t person, int64_t message_id);

/* ---- what people wrote ------------------------------------------------------ */

/* Takes away a message that this person wrote to the bot, at once. */
void transport_remove(struct transport *transport, int64_t person, int64_t message_id);

#endif
