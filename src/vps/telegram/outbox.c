/*
 * A post has three contents, and what is to be done follows from how they differ:
 *   wanted   what its owner set last; nobody needs what was set before that
 *   sending  what the request under way says: by the time of the answer, wanted may be another
 *   shown    what the user sees, as far as is known: what a request said that was answered
 * So an owner sets a post as often as it likes and waits for nothing; while a request is under
 * way any number of changes become one, and a post that comes back to what is shown costs none.
 * Telegram refuses an edit that changes nothing, and allows few edits in a minute.
 *
 * A post belongs to a chat, and a chat has one request under way at most: two at once could arrive
 * in either order, and a message must not stand above the one that it answers. A chat is gone with
 * its last post.
 *
 * Re-entrancy: the owner of a post is never called back. keeper, stuck, shut and on_empty are, from
 * the answer to a request or from a chat's timer: keeper, stuck and shut leave the outbox alone,
 * on_empty may make and set posts, and none may free it. post_release() and post_delete() may
 * free the post and its chat at once.
 */
#include "vps/telegram/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "vps/telegram/outbox_chat.h"

/* ---- for the owners of posts ------------------------------------------------ */

struct post *post_new(struct outbox *outbox, int64_t chat_id)
{
    struct chat *chat = chat_get(outbox, chat_id);
    struct post *post = calloc(1, sizeof *post);
    if (!chat || !post) {
        free(post);
        return NULL; /* a chat without posts is found again by the next one */
    }
    post->chat = chat;
    post->backoff = (struct backoff){.first_ms = OUTBOX_FIRST_WAIT_MS,
                                     .max_ms = OUTBOX_MAX_WAIT_MS};
    struct post **link = &chat->posts;
    while (*link) {
        link = &(*link)->next;
    }
    *link = post;
    return post;
}

void outbox_on_stuck(struct outbox *outbox,
                     void (*write)(void *arg, int64_t person, struct text *html,
                                   const char *file_name),
                     void *arg)
{
    outbox->stuck = write;
    outbox->stuck_arg = arg;
}

void outbox_on_shut(struct outbox *outbox, void (*shut)(void *arg, int64_t chat), void *arg)
{
    outbox->shut = shut;
    outbox->shut_arg = arg;
}

struct post *post_new_file(struct outbox *outbox, int64_t chat_id,
                           const struct transport_file *file)
{
    struct post *post = post_new(outbox, chat_id);
    if (!post) {
        return NULL;
    }
    post->is_file = true;
    post->file = (struct post_file){strdup(file->name), file->type, malloc(file->len), file->len};
    post->wanted = content_of_caption(file->caption);
    if (!post->file.name || !post->file.data || !post->wanted) {
        struct chat *chat = post->chat;
        post->file.len = 0;
        post_remove(post);
        chat_settle(chat);
        return NULL;
    }
    memcpy(post->file.data, file->data, file->len);
    chat_pump(post->chat);
    return post;
}

void post_keep(struct post *post, const char *correction)
{
    if (post) {
        free(post->correction);
        post->correction = strdup(correction ? correction : "");
    }
}

struct post *post_adopt(struct outbox *outbox, int64_t chat_id, int64_t message_id)
{
    struct post *post = post_new(outbox, chat_id);
    if (post) {
        post->message_id = message_id;
        post_keep(post, NULL);
    }
    return post;
}

void post_set(struct post *post, const char *html, const struct button *buttons, unsigned count)
{
    if (!post || post->lost) {
        return;
    }
    json_t *wanted = content_of_message(html, buttons, count);
    if (!wanted) {
        log_error(post->chat->outbox->log, "telegram: a message could not be made");
        return;
    }
    json_decref(post->wanted);
    post->wanted = wanted;
    chat_pump(post->chat);
}

void post_release(struct post *post)
{
    if (post) {
        post->released = true;
        chat_settle(post->chat);
    }
}

void post_delete(struct post *post)
{
    if (post) {
        post->deleting = true;
        chat_settle(post->chat);
    }
}

/* ---- life ------------------------------------------------------------------- */

struct outbox *outbox_new(uv_loop_t *loop, const struct log *log, struct api *api)
{
    struct outbox *outbox = calloc(1, sizeof *outbox);
    if (!outbox) {
        return NULL;
    }
    outbox->loop = loop;
    outbox->log = log;
    outbox->api = api;
    outbox->refused = sieve_new(loop, log, SIEVE_BURST, SIEVE_REFILL_MS);
    if (!outbox->refused || trouble_init(&outbox->trouble, loop, log, "sending") < 0) {
        outbox_free(outbox);
        return NULL;
    }
    return outbox;
}

void outbox_free(struct outbox *outbox)
{
    if (outbox) {
        while (outbox->chats) {
            chat_free(outbox->chats);
        }
        sieve_free(outbox->refused);
        trouble_done(&outbox->trouble);
        free(outbox);
    }
}

void outbox_say(struct outbox *outbox, int64_t chat_id, const char *html)
{
    struct post *post = post_new(outbox, chat_id);
    post_set(post, html, NULL, 0);
    post_release(post);
}

void outbox_say_to_stranger(struct outbox *outbox, int64_t chat_id, const char *html)
{
    if (outbox->strangers_under_way < OUTBOX_STRANGERS_MAX) {
        struct post *post = post_new(outbox, chat_id);
        if (post) {
            post->to_stranger = true;
        }
        post_set(post, html, NULL, 0);
        post_release(post);
    }
}

unsigned outbox_length(const struct outbox *outbox)
{
    unsigned count = 0;
    for (const struct chat *chat = outbox->chats; chat; chat = chat->next) {
        for (const struct post *post = chat->posts; post; post = post->next) {
            count += post_work(post) != WORK_NONE;
        }
    }
    return count;
}

bool outbox_is_empty(const struct outbox *outbox)
{
    for (const struct chat *chat = outbox->chats; chat; chat = chat->next) {
        if (chat->busy || chat_has_work(chat)) {
            return false;
        }
    }
    return true;
}

void outbox_on_kept(struct outbox *outbox, struct outbox_keeper keeper)
{
    outbox->keeper = keeper;
}

void outbox_trouble(const struct outbox *outbox, struct text *text)
{
    uint64_t now = clock_ms(), longest = 0;
    for (const struct chat *chat = outbox->chats; chat; chat = chat->next) {
        uint64_t silent = chat->not_before_ms > now ? chat->not_before_ms - now : 0;
        longest = silent > longest ? silent : longest;
    }
    if (longest >= OUTBOX_LONG_SILENCE_MS) {
        text_add(text, "messages to some users wait for ");
        text_add_seconds(text, longest / 1000);
        text_add(text, ", as Telegram demands");
    } else if (outbox->trouble.on) {
        text_add(text, "trouble with sending: %s", outbox->trouble.reason);
    }
}

void outbox_on_empty(struct outbox *outbox, void (*fn)(void *arg), void *arg)
{
    outbox->on_empty = fn;
    outbox->on_empty_arg = arg;
}
