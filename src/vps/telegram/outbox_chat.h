/*
 * outbox_chat: the outbox from the inside: the queue of one chat, what is sent from it next, and
 * what comes of that (outbox_reply.c). Everybody else uses outbox.h.
 */
#ifndef PAMTUNNEL_VPS_TELEGRAM_OUTBOX_CHAT_H
#define PAMTUNNEL_VPS_TELEGRAM_OUTBOX_CHAT_H

#include "base/backoff.h"
#include "base/sieve.h"
#include "base/timer.h"
#include "vps/telegram/outbox_post.h"
#include "vps/telegram/trouble.h"

enum {
    OUTBOX_FIRST_WAIT_MS = 500,
    OUTBOX_MAX_WAIT_MS = 30000,
    OUTBOX_LONG_SILENCE_MS = 60000, /* of one chat: worth a line in the log and in the status */
    OUTBOX_STRANGERS_MAX = 2,       /* requests at once, counted in http.c's CONNECTIONS_MAX */
};

struct outbox {
    uv_loop_t *loop;
    const struct log *log;
    struct api *api;
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
    void (*stuck)(void *arg, int64_t person, struct text *html, const char *file_name);
    void *stuck_arg;
    void (*shut)(void *arg, int64_t chat);
    void *shut_arg;
};

struct chat {
    struct outbox *outbox;
    struct chat *next;
    int64_t id;
    struct post *posts;     /* in the order in which they were made */
    struct post *busy;      /* whose request is under way */
    struct api_call *call;  /* that request */
    enum work doing;        /* and what it is for */
    unsigned *counted;      /* where that is counted: see post_counter() */
    struct timer *timer;    /* the wait before the next try */
    uint64_t not_before_ms; /* nothing of this chat before that */
    struct backoff backoff; /* after what concerns all of it */
};

/* The chat of this number, made if there is none. NULL when out of memory. */
struct chat *chat_get(struct outbox *outbox, int64_t id);
/* With its posts. What is under way is cancelled. */
void chat_free(struct chat *chat);
/* Sends what is next, if it may now; otherwise its timer looks again. */
void chat_pump(struct chat *chat);
/* The same, and forgets what is over: perhaps the chat itself. */
void chat_settle(struct chat *chat);
bool chat_has_work(const struct chat *chat);
/* The request is over: it counts no more. */
void chat_end_request(struct chat *chat);
/* Takes it out of its chat, and frees it. */
void post_remove(struct post *post);
/* Tells whoever waits for an empty outbox, if it is. */
void outbox_check_empty(struct outbox *outbox);
/* The answer to the request of a chat; an api_fn. arg: the chat. */
void outbox_on_reply(void *arg, const struct api_reply *reply);

#endif
