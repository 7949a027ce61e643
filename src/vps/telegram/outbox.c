#include "vps/telegram/outbox.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/sieve.h"
#include "base/timer.h"
#include "vps/telegram/outbox_post.h"
#include "vps/telegram/trouble.h"

enum {
    SEND_TIMEOUT_MS = 20000,
    FILE_TIMEOUT_MS = 60000,
    FIRST_WAIT_MS = 500,
    MAX_WAIT_MS = 30000,
    MAX_UNREACHABLE_WAIT_MS = 5000, /* without a way there: a try costs nobody anything */
    /* Answers that were server errors, until a content is given up: about 13 min. */
    ERRORS_MAX = 30,
    STUCK_MS = 3000,         /* a file that does not get through for that long is worth a message */
    QUIET_MAX_MS = 60000,    /* for all chats: then one tries whether it is over */
    LONG_SILENCE_MS = 60000, /* of one chat: worth a line in the log and in the status */
    USERS_AT_ONCE_MAX = 8,   /* requests; both are counted in http.c's CONNECTIONS_MAX */
    STRANGERS_AT_ONCE_MAX = 2,
};

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
    unsigned users_under_way, strangers_under_way;
    /* The server said "too many requests": to this chat last, and, if to several, to all. */
    int64_t limited_chat;
    uint64_t quiet_until_ms;
    struct trouble trouble;
    struct sieve *refused; /* log lines, by chat */
    struct outbox_keeper keeper;
    void (*on_empty)(void *arg);
    void *on_empty_arg;
    void (*stuck)(struct text *html, const char *file_name);
};

struct chat {
    struct outbox *outbox;
    struct chat *next;
    int64_t id;
    struct post *posts;         /* in the order in which they were made */
    struct post *busy;          /* whose request is under way */
    struct telegram_call *call; /* that request */
    enum work doing;            /* and what it is for */
    bool is_strangers;
    struct timer *timer;    /* the wait before the next try */
    uint64_t not_before_ms; /* nothing of this chat before that */
    struct backoff backoff; /* after what concerns all of it */
};

/* --- posts --- */

/* Takes it out of its chat, too. */
static void post_remove(struct post *post)
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

static void on_reply(void *arg, const struct telegram_reply *reply);

static unsigned *chat_requests(struct chat *chat)
{
    return chat->is_strangers ? &chat->outbox->strangers_under_way : &chat->outbox->users_under_way;
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
    ++*chat_requests(chat);
    return true;
}

/* --- chats --- */

static bool chat_has_work(const struct chat *chat)
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

static void chat_pump(struct chat *chat)
{
    unsigned max = chat->is_strangers ? STRANGERS_AT_ONCE_MAX : USERS_AT_ONCE_MAX;
    if (chat->busy || !chat_has_work(chat) || *chat_requests(chat) >= max) {
        return; /* what ends makes room for the next */
    }
    uint64_t now = clock_ms(), at = chat_not_before(chat);
    struct post *post = at > now ? NULL : chat_next_post(chat, now, &at);
    if (post && !post_start(post, post_work(post))) {
        chat->not_before_ms = at = now + backoff_next(&chat->backoff);
    }
    if (!chat->busy && at != UINT64_MAX) {
        timer_set(chat->timer, at - now);
    }
}

static void chat_free(struct chat *chat)
{
    struct chat **link = &chat->outbox->chats;
    while (*link != chat) {
        link = &(*link)->next;
    }
    *link = chat->next;
    if (chat->call) {
        --*chat_requests(chat);
        telegram_cancel(chat->call);
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

/* Does what there is to do, and forgets what is over: perhaps the chat itself. */
static void chat_settle(struct chat *chat)
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
    char cause[64];
    snprintf(cause, sizeof cause, "telegram: refused in chat %" PRId64, post->chat->id);
    if (out_of_reach || reply->code == 403) {
        log_debug(outbox->log, "telegram: %s: %.120s", METHODS[work], reply->trouble);
    } else {
        sieve_log(outbox->refused, cause, LOG_WARN, "telegram: %s was refused: %.120s",
                  METHODS[work], reply->trouble);
    }
}

/* Some chats in a row may not be written to: then it is not about the chats. */
static void outbox_limited(struct chat *chat, uint64_t wait)
{
    struct outbox *outbox = chat->outbox;
    if (outbox->limited_chat && outbox->limited_chat != chat->id) {
        outbox->quiet_until_ms = clock_ms() + (wait < QUIET_MAX_MS ? wait : QUIET_MAX_MS);
    }
    outbox->limited_chat = chat->id;
    if (wait >= LONG_SILENCE_MS) {
        char span[32];
        struct text text = text_over(span, sizeof span);
        text_add_seconds(&text, wait / 1000);
        log_warn(outbox->log,
                 "telegram: nothing can be sent to user %" PRId64 " for %s: too many messages, "
                 "says Telegram",
                 chat->id, span);
    }
}

/* It concerns more than this post: the way there, the token, the rate. */
static void chat_later(struct chat *chat, const struct telegram_reply *reply)
{
    uint64_t wait = backoff_next(&chat->backoff);
    if (reply->retry_after_s > 0) {
        wait = (uint64_t)reply->retry_after_s * 1000;
    } else if (reply->code == 0 && wait > MAX_UNREACHABLE_WAIT_MS) {
        wait = MAX_UNREACHABLE_WAIT_MS;
    }
    chat->not_before_ms = clock_ms() + wait;
    if (reply->code == 429) {
        outbox_limited(chat, wait);
    }
}

static void say_stuck(struct post *post)
{
    struct outbox *outbox = post->chat->outbox;
    char buffer[MESSAGE_MAX + 1];
    struct text html = text_over(buffer, sizeof buffer);
    post->stuck_is_said = true;
    if (outbox->stuck) {
        outbox->stuck(&html, post->file.name);
        outbox_say(outbox, post->chat->id, buffer);
    }
}

/* The server has trouble with just this: others go first. */
static void post_failed(struct post *post, enum work work, const struct telegram_reply *reply)
{
    uint64_t now = clock_ms(), wait = backoff_next(&post->backoff);
    if (reply->retry_after_s > 0) {
        wait = (uint64_t)reply->retry_after_s * 1000;
    }
    post->not_before_ms = now + wait;
    post->first_error_ms = post->errors ? post->first_error_ms : now;
    post->errors++;
    if (post->errors >= ERRORS_MAX && reply->code >= 500) {
        post_give_up(post, work);
    } else if (post->is_file && work == WORK_SEND && !post->deleting && !post->stuck_is_said &&
               now - post->first_error_ms >= STUCK_MS) {
        say_stuck(post);
    }
}

static void post_later(struct post *post, enum work work, const struct telegram_reply *reply)
{
    trouble_begin(&post->chat->outbox->trouble, reply->trouble);
    if (post->chat->is_strangers) {
        post->lost = true; /* not worth a second try */
    } else if (reply->code >= 500 || reply->code == 200) {
        post_failed(post, work, reply);
    } else {
        chat_later(post->chat, reply);
    }
}

static void outbox_pump(struct outbox *outbox)
{
    for (struct chat *chat = outbox->chats; chat; chat = chat->next) {
        chat_pump(chat);
    }
}

static void on_reply(void *arg, const struct telegram_reply *reply)
{
    struct chat *chat = arg;
    struct outbox *outbox = chat->outbox;
    struct post *post = chat->busy;
    chat->busy = NULL;
    chat->call = NULL;
    --*chat_requests(chat);
    if (reply->outcome == TELEGRAM_LATER) {
        post_later(post, chat->doing, reply);
    } else {
        trouble_end(&outbox->trouble);
        backoff_reset(&chat->backoff);
        outbox->limited_chat = 0;
        if (reply->outcome == TELEGRAM_DONE) {
            post_delivered(post, chat->doing, reply->result);
            if (chat->doing == WORK_SEND) {
                post_sent(post);
            }
        } else {
            post_refused(post, chat->doing, reply);
        }
    }
    chat_settle(chat);
    outbox_pump(outbox);
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
    post->backoff = (struct backoff){.first_ms = FIRST_WAIT_MS, .max_ms = MAX_WAIT_MS};
    struct post **link = &chat->posts;
    while (*link) {
        link = &(*link)->next;
    }
    *link = post;
    return post;
}

void outbox_on_stuck(struct outbox *outbox, void (*write)(struct text *html, const char *file_name))
{
    outbox->stuck = write;
}

struct post *post_new_file(struct outbox *outbox, int64_t chat_id, const char *name,
                           const char *type, const void *data, size_t len, const char *caption)
{
    struct post *post = post_new(outbox, chat_id);
    if (!post) {
        return NULL;
    }
    post->is_file = true;
    post->file = (struct post_file){strdup(name), type, malloc(len), len};
    post->wanted = content_of_caption(caption);
    if (!post->file.name || !post->file.data || !post->wanted) {
        struct chat *chat = post->chat;
        post->file.len = 0;
        post_remove(post);
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
    if (!outbox) {
        return NULL;
    }
    outbox->loop = loop;
    outbox->log = log;
    outbox->telegram = telegram;
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

void outbox_say_with(struct outbox *outbox, int64_t chat_id, const char *html,
                     const struct button *buttons, unsigned count)
{
    struct post *post = post_new(outbox, chat_id);
    post_set(post, html, buttons, count);
    post_release(post);
}

void outbox_say(struct outbox *outbox, int64_t chat_id, const char *html)
{
    outbox_say_with(outbox, chat_id, html, NULL, 0);
}

void outbox_say_to_stranger(struct outbox *outbox, int64_t chat_id, const char *html)
{
    if (outbox->strangers_under_way < STRANGERS_AT_ONCE_MAX) {
        struct post *post = post_new(outbox, chat_id);
        if (post) {
            post->chat->is_strangers = true;
        }
        post_set(post, html, NULL, 0);
        post_release(post);
    }
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
    if (longest >= LONG_SILENCE_MS) {
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
