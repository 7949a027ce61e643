#include "vps/telegram/outbox_post.h"

#include <stdlib.h>

#include "base/crypto.h"

static void file_done(struct post_file *file)
{
    if (file->data) {
        crypto_wipe(file->data, file->len);
    }
    free(file->data);
    free(file->name);
    *file = (struct post_file){0};
}

void post_free(struct post *post)
{
    json_decref(post->wanted);
    json_decref(post->sending);
    json_decref(post->shown);
    file_done(&post->file);
    free(post->correction);
    free(post);
}

/*
 * One that was never sent need not be deleted; a post that is to go is not edited before that. What
 * is said of a file is never changed: its message is deleted instead.
 */
enum work post_work(const struct post *post)
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

const char *post_method(enum work work)
{
    static const char *const METHODS[] = {
        [WORK_SEND] = "sendMessage",
        [WORK_EDIT] = "editMessageText",
        [WORK_DELETE] = "deleteMessage",
    };
    return METHODS[work];
}

json_t *post_params(const struct post *post, int64_t chat_id, enum work work)
{
    json_t *params = work == WORK_DELETE ? json_object() : json_copy(post->wanted);
    int err = json_object_set_new(params, "chat_id", json_integer(chat_id));
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

void post_delivered(struct post *post, enum work work, const json_t *result)
{
    json_decref(post->shown);
    post->shown = post->sending;
    post->sending = NULL;
    post->errors = 0;
    post->not_before_ms = 0;
    backoff_reset(&post->backoff);
    if (work == WORK_SEND) {
        file_done(&post->file); /* its secret is in the chat now, and need not be here */
        post->message_id = json_integer_value(json_object_get(result, "message_id"));
        post->lost = post->message_id == 0;
    } else if (work == WORK_DELETE) {
        post->lost = true;
    }
}

/* An edit that was refused leaves a message that can be edited again; otherwise there is none. */
void post_give_up(struct post *post, enum work work)
{
    post_delivered(post, work, NULL);
    post->lost = work != WORK_EDIT;
}
