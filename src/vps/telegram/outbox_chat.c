/*
 * A chat is pumped whenever something may have changed: a post was set, an answer came, a wait is
 * over. Each time it looks anew at what all of its posts need, so that nothing has to be remembered
 * about what was going to be done.
 *
 * There are two reasons to wait: one of the chat (the way there, the rate: not_before_ms of the
 * chat, or of all chats), and one of a single post that the server has trouble with, which lets
 * the others pass.
 *
 * Re-entrancy: chat_settle() frees the chat with its last post; who calls it does not touch the
 * chat afterwards.
 */
#include "vps/telegram/outbox_chat.h"

#include <stdlib.h>

#include "base/clock.h"

enum {
    SEND_TIMEOUT_MS = 20000,
    FILE_TIMEOUT_MS = 60000,
    USERS_AT_ONCE_MAX = 8, /* requests, counted in http.c's CONNECTIONS_MAX */
};

/* ---- posts ----------------------------------------------------------------- */

void post_remove(struct post *post)
{
    struct post **link = &post->chat->posts;
    while (*link != post) {
        link = &(*link)->next;
    }
    *link = post->next;
    post_free(post);
}

static bool post_is_over(const struct post *post)
{
    return (post->released || post->deleting) && post != post->chat->busy &&
           post_work(post) == WORK_NONE;
}

/* Requests of its kind that are under way. A person may become a user, or cease to be one. */
static unsigned *post_counter(const struct post *post)
{
    struct outbox *outbox = post->chat->outbox;
    return post->to_stranger ? &outbox->strangers_under_way : &outbox->users_under_way;
}

static bool post_has_turn(const struct post *post)
{
    unsigned most = post->to_stranger ? OUTBOX_STRANGERS_MAX : USERS_AT_ONCE_MAX;
    return *post_counter(post) < most;
}

void chat_end_request(struct chat *chat)
{
    --*chat->counted;
    chat->counted = NULL;
    chat->call = NULL;
    chat->busy = NULL;
}

/* Sends the post's request. False when out of memory. */
static bool post_start(struct post *post, enum work work)
{
    struct chat *chat = post->chat;
    json_t *params = post_params(post, chat->id, work);
    if (!params) {
        return false;
    }
    if (post->is_file && work == WORK_SEND) {
        struct api_file file = {"document", post->file.name, post->file.type, post->file.data,
                                post->file.len};
        chat->call = api_call(chat->outbox->api, "sendDocument", params, &file, FILE_TIMEOUT_MS,
                              outbox_on_reply, chat);
    } else {
        chat->call = api_call(chat->outbox->api, post_method(work), params, NULL, SEND_TIMEOUT_MS,
                              outbox_on_reply, chat);
    }
    json_decref(params);
    if (!chat->call) {
        return false;
    }
    json_decref(post->sending);
    post->sending = json_incref(post->wanted);
    chat->busy = post;
    chat->doing = work;
    chat->counted = post_counter(post);
    ++*chat->counted;
    return true;
}

/* ---- the queue ------------------------------------------------------------- */

bool chat_has_work(const struct chat *chat)
{
    for (const struct post *post = chat->posts; post; post = post->next) {
        if (post_work(post) != WORK_NONE) {
            return true;
        }
    }
    return false;
}

/*
 * New messages first: an edit can wait, a person who asked cannot. NULL if there is none for
 * now; *ret_at_ms is then when to look again, or UINT64_MAX.
 */
static struct post *chat_next_post(const struct chat *chat, uint64_t now, uint64_t *ret_at_ms)
{
    struct post *next = NULL;
    *ret_at_ms = UINT64_MAX;
    for (struct post *post = chat->posts; post; post = post->next) {
        enum work work = post_work(post);
        if (work == WORK_NONE) {
            continue;
        }
        if (post->not_before_ms > now) {
            *ret_at_ms = post->not_before_ms < *ret_at_ms ? post->not_before_ms : *ret_at_ms;
        } else if (work == WORK_SEND) {
            return post;
        } else if (!next) {
            next = post;
        }
    }
    return next;
}

static uint64_t chat_not_before(const struct chat *chat)
{
    uint64_t quiet = chat->outbox->quiet_until_ms;
    return quiet > chat->not_before_ms ? quiet : chat->not_before_ms;
}

void chat_pump(struct chat *chat)
{
    if (chat->busy || !chat_has_work(chat)) {
        return;
    }
    uint64_t now = clock_ms(), at = chat_not_before(chat);
    struct post *post = at > now ? NULL : chat_next_post(chat, now, &at);
    if (post && !post_has_turn(post)) {
        return; /* what ends makes room for the next */
    }
    if (post && !post_start(post, post_work(post))) {
        chat->not_before_ms = at = now + backoff_next(&chat->backoff);
    }
    if (!chat->busy && at != UINT64_MAX) {
        timer_set(chat->timer, at - now);
    }
}

void chat_free(struct chat *chat)
{
    struct chat **link = &chat->outbox->chats;
    while (*link != chat) {
        link = &(*link)->next;
    }
    *link = chat->next;
    if (chat->call) {
        api_cancel(chat->call);
        chat_end_request(chat);
    }
    while (chat->posts) {
        post_remove(chat->posts);
    }
    timer_free(chat->timer);
    free(chat);
}

/* It shows its end, or nobody can make it. */
static void post_settled(const struct post *post)
{
    const struct outbox_keeper *keeper = &post->chat->outbox->keeper;
    if (post->correction && post->message_id && keeper->settled) {
        keeper->settled(keeper->arg, post->chat->id, post->message_id);
    }
}

void chat_settle(struct chat *chat)
{
    struct post *next;
    for (struct post *post = chat->posts; post; post = next) {
        next = post->next;
        if (post_is_over(post)) {
            post_settled(post);
            post_remove(post);
        }
    }
    chat_pump(chat);
    if (!chat->posts) {
        chat_free(chat);
    }
}

void outbox_check_empty(struct outbox *outbox)
{
    if (outbox->on_empty && outbox_is_empty(outbox)) {
        outbox->on_empty(outbox->on_empty_arg);
    }
}

static void on_wait_over(void *arg)
{
    struct chat *chat = arg;
    struct outbox *outbox = chat->outbox;
    chat_settle(chat);
    outbox_check_empty(outbox);
}

struct chat *chat_get(struct outbox *outbox, int64_t id)
{
    for (struct chat *chat = outbox->chats; chat; chat = chat->next) {
        if (chat->id == id) {
            return chat;
        }
    }
    struct chat *chat = malloc(sizeof *chat);
    if (!chat) {
        return NULL;
    }
    *chat = (struct chat){
        .outbox = outbox,
        .next = outbox->chats,
        .id = id,
        .timer = timer_new(outbox->loop, on_wait_over, chat),
        .backoff = {.first_ms = OUTBOX_FIRST_WAIT_MS, .max_ms = OUTBOX_MAX_WAIT_MS}};
    if (!chat->timer) {
        free(chat);
        return NULL;
    }
    outbox->chats = chat;
    return chat;
}
