#include "vps/bot/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/timer.h"
#include "vps/bot/trouble.h"

enum {
    SEND_TIMEOUT_MS = 20000,
    FILE_TIMEOUT_MS = 60000,
    FIRST_WAIT_MS = 500,
    MAX_WAIT_MS = 30000,
    ERRORS_MAX =
        30, /* answers that were server errors, until a content is given up: about 13 min */
};

enum work { WORK_NONE, WORK_SEND, WORK_EDIT, WORK_DELETE };

static const char *const METHODS[] = {
    [WORK_SEND] = "sendMessage",
    [WORK_EDIT] = "editMessageText",
    [WORK_DELETE] = "deleteMessage",
};

struct outbox {
    uv_loop_t *loop;
    const struct log *log;
    struct telegram *telegram;
    struct chat *chats;
    uint64_t quiet_until_ms; /* the server said: too many requests */
    struct trouble trouble;
    struct log_sieve refused_sieve;
    struct outbox_keeper keeper;
    void (*on_empty)(void *arg);
    void *on_empty_arg;
};

struct chat {
    struct outbox *outbox;
    struct chat *next;
    int64_t id;
    struct post *posts;         /* in the order in which they were made */
    struct post *busy;          /* whose request is under way */
    struct telegram_call *call; /* that request */
    enum work doing;            /* and what it is for */
    struct timer *timer;        /* the wait before the next try */
    bool waiting;
    struct backoff backoff;
};

struct file {
    char *name;
    const char *type;
    uint8_t *data;
    size_t len;
};

struct post {
    struct chat *chat;
    struct post *next;
    json_t *wanted;     /* text and buttons, or caption: what it is to show */
    json_t *sending;    /* what the request under way says */
    json_t *shown;      /* what the user sees, as far as is known */
    int64_t message_id; /* 0: not sent yet */
    char *correction;   /* of post_keep(); "": it is to be deleted. NULL: not kept */
    bool is_file;
    bool released; /* its owner is gone */
    bool deleting;
    bool lost; /* given up, or gone from the chat: there is nothing to do any more */
    unsigned errors;
    struct file file;
};

/* --- posts --- */

static void file_done(struct file *file)
{
    if (file->data) {
        crypto_wipe(file->data, file->len);
    }
    free(file->data);
    free(file->name);
    *file = (struct file){0};
}

static void post_free(struct post *post)
{
    struct post **link = &post->chat->posts;
    while (*link && *link != post) {
        link = &(*link)->next;
    }
    if (*link) {
        *link = post->next;
    }
    json_decref(post->wanted);
    json_decref(post->sending);
    json_decref(post->shown);
    file_done(&post->file);
    free(post->correction);
    free(post);
}

/* What is to be done so that the user sees what is wanted. */
static enum work post_work(const struct post *post)
{
    if (post->lost || (!post->wanted && !post->deleting)) {
        return WORK_NONE;
    }
    if (post->deleting) {
        return post->message_id ? WORK_DELETE : WORK_NONE;
    }
    if (!post->message_id) {
        return WORK_SEND;
    }
    return post->is_file || json_equal(post->wanted, post->shown) ? WORK_NONE : WORK_EDIT;
}

static bool post_is_over(const struct post *post)
{
    return (post->released || post->deleting) && post != post->chat->busy &&
           post_work(post) == WORK_NONE;
}

static json_t *post_params(struct post *post, enum work work)
{
    json_t *params = work == WORK_DELETE ? json_object() : json_copy(post->wanted);
    int err = json_object_set_new(params, "chat_id", json_integer(post->chat->id));
    if (work != WORK_SEND) {
        err |= json_object_set_new(params, "message_id", json_integer(post->message_id));
    }
    if (work == WORK_EDIT && !json_object_get(params, "reply_markup")) {
        /* Takes off the buttons that were there. */
        err |= json_object_set_new(params, "reply_markup", json_pack("{s:[]}", "inline_keyboard"));
    }
    if (err) {
        json_decref(params);
        return NULL;
    }
    return params;
}

static void on_reply(void *arg, const struct telegram_reply *reply);

/* Sends the post's request. False when out of memory. */
static bool post_start(struct post *post, enum work work)
{
    struct chat *chat = post->chat;
    json_t *params = post_params(post, work);
    if (!params) {
        return false;
    }
    if (post->is_file && work == WORK_SEND) {
        struct telegram_file file = {"document", post->file.name, post->file.type, post->file.data,
                                     post->file.len};
        chat->call = telegram_call(chat->outbox->telegram, "sendDocument", params, &file,
                                   FILE_TIMEOUT_MS, on_reply, chat);
    } else {
        chat->call = telegram_call(chat->outbox->telegram, METHODS[work], params, NULL,
                                   SEND_TIMEOUT_MS, on_reply, chat);
    }
    json_decref(params);
    if (!chat->call) {
        return false;
    }
    json_decref(post->sending);
    post->sending = json_incref(post->wanted);
    chat->busy = post;
    chat->doing = work;
    return true;
}

/* --- chats --- */

static void chat_wait(struct chat *chat, uint64_t ms)
{
    chat->waiting = true;
    timer_set(chat->timer, ms);
}

/* New messages first: an edit can wait, a person who asked cannot. */
static struct post *chat_next_post(const struct chat *chat)
{
    struct post *next = NULL;
    for (struct post *post = chat->posts; post; post = post->next) {
        enum work work = post_work(post);
        if (work == WORK_SEND) {
            return post;
        }
        if (work != WORK_NONE && !next) {
            next = post;
        }
    }
    return next;
}

static void chat_pump(struct chat *chat)
{
    if (chat->busy || chat->waiting) {
        return;
    }
    struct post *post = chat_next_post(chat);
    if (!post) {
        return;
    }
    uint64_t now = clock_ms();
    if (chat->outbox->quiet_until_ms > now) {
        chat_wait(chat, chat->outbox->quiet_until_ms - now);
    } else if (!post_start(post, post_work(post))) {
        chat_wait(chat, backoff_next(&chat->backoff));
    }
}

static void chat_free(struct chat *chat)
{
    struct chat **link = &chat->outbox->chats;
    while (*link != chat) {
        link = &(*link)->next;
    }
    *link = chat->next;
    telegram_cancel(chat->call);
    while (chat->posts) {
        post_free(chat->posts);
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

/* Does what there is to do, and forgets what is over: perhaps the chat itself. */
static void chat_settle(struct chat *chat)
{
    struct post *next;
    for (struct post *post = chat->posts; post; post = next) {
        next = post->next;
        if (post_is_over(post)) {
            post_settled(post);
            post_free(post);
        }
    }
    chat_pump(chat);
    if (!chat->posts) {
        chat_free(chat);
    }
}

static void outbox_check_empty(struct outbox *outbox)
{
    if (outbox->on_empty && outbox_is_empty(outbox)) {
        outbox->on_empty(outbox->on_empty_arg);
    }
}

static void on_wait_over(void *arg)
{
    struct chat *chat = arg;
    struct outbox *outbox = chat->outbox;
    chat->waiting = false;
    chat_settle(chat);
    outbox_check_empty(outbox);
}

static struct chat *chat_get(struct outbox *outbox, int64_t id)
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
    *chat = (struct chat){.outbox = outbox,
                          .next = outbox->chats,
                          .id = id,
                          .timer = timer_new(outbox->loop, on_wait_over, chat),
                          .backoff = {.first_ms = FIRST_WAIT_MS, .max_ms = MAX_WAIT_MS}};
    if (!chat->timer) {
        free(chat);
        return NULL;
    }
    outbox->chats = chat;
    return chat;
}

/* --- what came of a request --- */

static void post_sent(const struct post *post)
{
    const struct outbox_keeper *keeper = &post->chat->outbox->keeper;
    if (post->correction && post->message_id && keeper->sent) {
        keeper->sent(keeper->arg, post->chat->id, post->message_id, post->correction);
    }
}

static void post_delivered(struct post *post, enum work work, const json_t *result)
{
    json_decref(post->shown);
    post->shown = post->sending;
    post->sending = NULL;
    post->errors = 0;
    if (work == WORK_SEND) {
        file_done(&post->file);
        post->message_id = json_integer_value(json_object_get(result, "message_id"));
        post->lost = post->message_id == 0;
        post_sent(post);
    } else if (work == WORK_DELETE) {
        post->lost = true;
    }
}

/* This content will never be delivered: on with the next, if there can be one. */
static void post_give_up(struct post *post, enum work work)
{
    post_delivered(post, work, NULL);
    post->lost = work != WORK_EDIT;
}

static bool says(const struct telegram_reply *reply, const char *words)
{
    return strstr(reply->trouble, words) != NULL;
}

/* The user deleted the message, or it is too old to be changed. */
static bool message_is_out_of_reach(const struct telegram_reply *reply)
{
    return says(reply, "message to edit not found") || says(reply, "message to delete not found") ||
           says(reply, "message can't be");
}

static void post_refused(struct post *post, enum work work, const struct telegram_reply *reply)
{
    struct outbox *outbox = post->chat->outbox;
    if (work == WORK_EDIT && says(reply, "message is not modified")) {
        post_delivered(post, work, NULL);
        return;
    }
    post_give_up(post, work);
    bool out_of_reach = message_is_out_of_reach(reply);
    post->lost = post->lost || out_of_reach || reply->code == 403;
    unsigned held_back;
    if (out_of_reach || reply->code == 403) {
        log_debug(outbox->log, "telegram: %s: %.120s", METHODS[work], reply->trouble);
    } else if (log_sieve_pass(&outbox->refused_sieve, clock_ms(), &held_back)) {
        log_warn(outbox->log, "telegram: %s was refused: %.120s", METHODS[work], reply->trouble);
    }
}

static void post_later(struct post *post, enum work work, const struct telegram_reply *reply)
{
    struct chat *chat = post->chat;
    trouble_begin(&chat->outbox->trouble, reply->trouble);
    if (reply->code >= 500 && ++post->errors >= ERRORS_MAX) {
        post_give_up(post, work);
    }
    uint64_t wait = backoff_next(&chat->backoff);
    if (reply->retry_after_s > 0) {
        wait = (uint64_t)reply->retry_after_s * 1000;
    }
    if (reply->code == 429) {
        chat->outbox->quiet_until_ms = clock_ms() + wait;
    }
    chat_wait(chat, wait);
}

static void on_reply(void *arg, const struct telegram_reply *reply)
{
    struct chat *chat = arg;
    struct outbox *outbox = chat->outbox;
    struct post *post = chat->busy;
    chat->busy = NULL;
    chat->call = NULL;
    if (reply->outcome == TELEGRAM_LATER) {
        post_later(post, chat->doing, reply);
    } else {
        trouble_end(&outbox->trouble);
        backoff_reset(&chat->backoff);
        if (reply->outcome == TELEGRAM_DONE) {
            post_delivered(post, chat->doing, reply->result);
        } else {
            post_refused(post, chat->doing, reply);
        }
    }
    chat_settle(chat);
    outbox_check_empty(outbox);
}

/* --- for the owners of posts --- */

struct post *post_new(struct outbox *outbox, int64_t chat_id)
{
    struct chat *chat = chat_get(outbox, chat_id);
    struct post *post = calloc(1, sizeof *post);
    if (!chat || !post) {
        free(post);
        return NULL; /* a chat without posts is found again by the next one */
    }
    post->chat = chat;
    struct post **link = &chat->posts;
    while (*link) {
        link = &(*link)->next;
    }
    *link = post;
    return post;
}

struct post *post_new_file(struct outbox *outbox, int64_t chat_id, const char *name,
                           const char *type, const void *data, size_t len, const char *caption)
{
    struct post *post = post_new(outbox, chat_id);
    if (!post) {
        return NULL;
    }
    post->is_file = true;
    post->file = (struct file){strdup(name), type, malloc(len), len};
    post->wanted = content_of_caption(caption);
    if (!post->file.name || !post->file.data || !post->wanted) {
        struct chat *chat = post->chat;
        post->file.len = 0;
        post_free(post);
        chat_settle(chat);
        return NULL;
    }
    memcpy(post->file.data, data, len);
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

/* --- life --- */

struct outbox *outbox_new(uv_loop_t *loop, const struct log *log, struct telegram *telegram)
{
    struct outbox *outbox = calloc(1, sizeof *outbox);
    if (outbox) {
        outbox->loop = loop;
        outbox->log = log;
        outbox->telegram = telegram;
        trouble_init(&outbox->trouble, log, "sending");
    }
    return outbox;
}

void outbox_free(struct outbox *outbox)
{
    if (outbox) {
        while (outbox->chats) {
            chat_free(outbox->chats);
        }
        free(outbox);
    }
}

void outbox_say(struct outbox *outbox, int64_t chat_id, const char *html)
{
    struct post *post = post_new(outbox, chat_id);
    post_set(post, html, NULL, 0);
    post_release(post);
}

bool outbox_is_empty(const struct outbox *outbox)
{
    for (const struct chat *chat = outbox->chats; chat; chat = chat->next) {
        if (chat->busy || chat_next_post(chat)) {
            return false;
        }
    }
    return true;
}

void outbox_on_kept(struct outbox *outbox, struct outbox_keeper keeper)
{
    outbox->keeper = keeper;
}

void outbox_on_empty(struct outbox *outbox, void (*fn)(void *arg), void *arg)
{
    outbox->on_empty = fn;
    outbox->on_empty_arg = arg;
}
