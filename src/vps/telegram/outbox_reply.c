/*
 * What comes of a request of the outbox: delivered, given up, or to be tried again.
 *
 * Whose fault a failure is decides who waits: the server's answers about one content (5xx, or
 * an answer that makes no sense) hold up that post alone; no answer at all, the token and the rate
 * concern the chat. Of the rate it is not known whether it is meant for one chat or for the bot: it
 * is taken for the bot's when two chats in a row hear it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "vps/telegram/outbox_chat.h"

enum {
    MAX_UNREACHABLE_WAIT_MS = 5000, /* without a way there: a try costs nobody anything */
    /* Answers that were server errors, until a content is given up: about 13 min. */
    ERRORS_MAX = 30,
    STUCK_MS = 3000,      /* a file that does not get through for that long is worth a message */
    QUIET_MAX_MS = 60000, /* for all chats: then one tries whether it is over */
};

static void post_sent(const struct post *post)
{
    const struct outbox_keeper *keeper = &post->chat->outbox->keeper;
    if (post->correction && post->message_id && keeper->sent) {
        keeper->sent(keeper->arg, post->chat->id, post->message_id, post->correction);
    }
}

static bool says(const struct api_reply *reply, const char *words)
{
    return strstr(reply->trouble, words) != NULL;
}

/* The user deleted the message, or it is too old to be changed. */
static bool message_is_out_of_reach(const struct api_reply *reply)
{
    return says(reply, "message to edit not found") || says(reply, "message to delete not found") ||
           says(reply, "message can't be");
}

/* 403: the user blocked the bot, or never pressed Start. Whether that matters, others know. */
static void post_refused(struct post *post, enum work work, const struct api_reply *reply)
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
    if (reply->code == 403 && !post->to_stranger && outbox->shut) {
        outbox->shut(outbox->shut_arg, post->chat->id);
    }
    if (out_of_reach || reply->code == 403) {
        log_debug(outbox->log, "telegram: %s: %.120s", post_method(work), reply->trouble);
    } else {
        sieve_log(outbox->refused, cause, LOG_WARN, "telegram: %s was refused: %.120s",
                  post_method(work), reply->trouble);
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
    if (wait >= OUTBOX_LONG_SILENCE_MS) {
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
static void chat_later(struct chat *chat, const struct api_reply *reply)
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
    char buffer[CONTENT_MESSAGE_MAX + 1];
    struct text html = text_over(buffer, sizeof buffer);
    post->stuck_is_said = true;
    if (outbox->stuck) {
        outbox->stuck(outbox->stuck_arg, post->chat->id, &html, post->file.name);
        outbox_say(outbox, post->chat->id, buffer);
    }
}

/* The server has trouble with just this: others go first. */
static void post_failed(struct post *post, enum work work, const struct api_reply *reply)
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

static void post_later(struct post *post, enum work work, const struct api_reply *reply)
{
    trouble_begin(&post->chat->outbox->trouble, reply->trouble);
    if (post->to_stranger) {
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

void outbox_on_reply(void *arg, const struct api_reply *reply)
{
    struct chat *chat = arg;
    struct outbox *outbox = chat->outbox;
    struct post *post = chat->busy;
    chat_end_request(chat);
    if (reply->outcome == API_LATER) {
        post_later(post, chat->doing, reply);
    } else {
        trouble_end(&outbox->trouble);
        backoff_reset(&chat->backoff);
        outbox->limited_chat = 0;
        if (reply->outcome == API_DONE) {
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
