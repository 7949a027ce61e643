/*
 * outbox: what the bot says. A post is one message in one chat: it is sent when it
 * is first set, edited when it is set to something else, and only its newest content
 * ever goes out. Each chat has at most one request under way, so that messages arrive
 * in the order in which their posts were made; new messages go before edits.
 *
 * What the network, the server or the rate limit refuse is repeated until it is
 * delivered, with backoff. A message whose answer was lost may appear twice that way: that
 * is better than a user who waits for an answer that never comes. What the Bot API
 * itself refuses (the message was deleted, the user blocked the bot) is given up. A post that
 * the server has trouble with lets the others of its chat go first; a chat that may not be
 * written to for a while holds up no other one.
 */
#ifndef PAMTUNNEL_VPS_TELEGRAM_OUTBOX_H
#define PAMTUNNEL_VPS_TELEGRAM_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/log.h"
#include "base/text.h"
#include "vps/telegram/api.h"
#include "vps/telegram/content.h"

struct outbox;
struct post;

/* NULL when out of memory. api outlives it. */
struct outbox *outbox_new(uv_loop_t *loop, const struct log *log, struct api *api);
/* Forgets everything that was not delivered. Accepts NULL. */
void outbox_free(struct outbox *outbox);

/* A post in a chat, not sent yet. NULL when out of memory; all functions below accept that. */
struct post *post_new(struct outbox *outbox, int64_t chat_id);
/*
 * The same, of a file with a caption (HTML), on its way at once. The bytes are copied,
 * and wiped when they are sent.
 */
struct post *post_new_file(struct outbox *outbox, int64_t chat_id,
                           const struct transport_file *file);
/* write() says, in HTML, what users are told of a file that the server does not take for now. */
void outbox_on_stuck(struct outbox *outbox,
                     void (*write)(void *arg, int64_t person, struct text *html,
                                   const char *file_name),
                     void *arg);
/* Whoever has this chat has never begun it, or has blocked the bot: nothing can be said there. */
void outbox_on_shut(struct outbox *outbox, void (*shut)(void *arg, int64_t chat), void *arg);
/* Says what the post shows from now on. Nothing happens if it shows that already. */
void post_set(struct post *post, const char *html, const struct button *buttons, unsigned count);
/* What was set is still delivered; the owner does not use the post any more. */
void post_release(struct post *post);
/* The same, but the message is taken out of the chat. */
void post_delete(struct post *post);

/*
 * The post must not stay as it is if this process ends without a word: tells the keeper
 * below when it is sent, and what it is to say then (HTML); NULL: it is to be deleted.
 */
void post_keep(struct post *post, const char *correction);
/* A message that an earlier process sent and its keeper kept. NULL when out of memory. */
struct post *post_adopt(struct outbox *outbox, int64_t chat_id, int64_t message_id);

/* A message by itself. */
void outbox_say(struct outbox *outbox, int64_t chat_id, const char *html);

/*
 * The same to somebody who is not a user: only a few at once, and each tried only once, so
 * that no number of strangers holds up what users are told. Dropped otherwise.
 */
void outbox_say_to_stranger(struct outbox *outbox, int64_t chat_id, const char *html);
/* Adds what holds messages up, as a clause for a person: nothing if all is well. */
void outbox_trouble(const struct outbox *outbox, struct text *text);

/* Told of posts of post_keep(): sent, and that they show their end, or cannot be changed. */
struct outbox_keeper {
    void (*sent)(void *arg, int64_t chat_id, int64_t message_id, const char *correction);
    void (*settled)(void *arg, int64_t chat_id, int64_t message_id);
    void *arg;
};
void outbox_on_kept(struct outbox *outbox, struct outbox_keeper keeper);

/* How many posts are to be sent, changed or deleted. */
unsigned outbox_length(const struct outbox *outbox);
/* True when everything was delivered or given up. */
bool outbox_is_empty(const struct outbox *outbox);
/* Calls fn, from the loop, whenever the outbox becomes empty. */
void outbox_on_empty(struct outbox *outbox, void (*fn)(void *arg), void *arg);

#endif
