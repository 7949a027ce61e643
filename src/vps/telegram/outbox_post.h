/*
 * outbox_post: a post from the inside, for the outbox: what the user sees of it, what it is to
 * show, and what has to be done about the difference. Everybody else uses outbox.h.
 */
#ifndef PAMTUNNEL_VPS_TELEGRAM_OUTBOX_POST_H
#define PAMTUNNEL_VPS_TELEGRAM_OUTBOX_POST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/backoff.h"
#include "vps/telegram/outbox.h"

enum work { WORK_NONE, WORK_SEND, WORK_EDIT, WORK_DELETE };

struct post_file {
    char *name;
    const char *type;
    uint8_t *data;
    size_t len;
};

struct chat; /* outbox_chat.h */

struct post {
    struct chat *chat;
    struct post *next;
    json_t *wanted;     /* text and buttons, or caption: what it is to show */
    json_t *sending;    /* what the request under way says */
    json_t *shown;      /* what the user sees, as far as is known */
    int64_t message_id; /* 0: not sent yet */
    char *correction;   /* of post_keep(); "": it is to be deleted. NULL: not kept */
    bool is_file;
    bool to_stranger; /* outbox_say_to_stranger(): tried once, in their own turn */
    bool released;    /* its owner is gone */
    bool deleting;
    bool lost;       /* given up, or gone from the chat: there is nothing to do any more */
    unsigned errors; /* of the server, about this content */
    uint64_t first_error_ms;
    uint64_t not_before_ms; /* until then others go first */
    struct backoff backoff;
    bool stuck_is_said;
    struct post_file file;
};

/* Wipes what it held. It must not be in a chat's list any more. */
void post_free(struct post *post);
/* What is to be done so that the user sees what is wanted. */
enum work post_work(const struct post *post);
/* The method of that request, of a post that is no file. */
const char *post_method(enum work work);
/* The parameters of that request. NULL when out of memory. */
json_t *post_params(const struct post *post, int64_t chat_id, enum work work);
/* The request was answered: the user sees what it said. result: of WORK_SEND. */
void post_delivered(struct post *post, enum work work, const json_t *result);
/* This content will never be delivered: on with the next, if there can be one. */
void post_give_up(struct post *post, enum work work);

#endif
