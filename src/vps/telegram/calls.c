/*
 * Apart from the outbox, because an answer to a press is worth something for some seconds only: it
 * must not queue behind messages, nor need an order. A call that is to be tried again waits by
 * itself and gives up its place, so that one with a long wait holds up no other.
 *
 * Re-entrancy: fn may make other calls, but not free the calls; its own call is still counted.
 */
#include "vps/telegram/calls.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/backoff.h"
#include "base/timer.h"

enum {
    TIMEOUT_MS = 10000, /* a pressed button cannot be answered later than about that */
    TRIES = 4,
    FIRST_WAIT_MS = 1000,
    MAX_WAIT_MS = 8000,
    AT_ONCE_MAX = 4, /* counted in http.c's CONNECTIONS_MAX */
    CALLS_MAX = 36,
};

struct calls {
    uv_loop_t *loop;
    const struct log *log;
    struct api *api;
    struct call *first; /* the newest */
    unsigned count, under_way;
};

struct call {
    struct calls *calls;
    struct call *next;
    const char *method;
    json_t *params;
    void (*fn)(void *arg, const json_t *result); /* NULL: nobody wants to know */
    void *arg;
    bool waits_its_turn;
    struct backoff backoff;
    struct timer *timer; /* until it is tried again */
    struct api_call *request;
};

struct calls *calls_new(uv_loop_t *loop, const struct log *log, struct api *api)
{
    struct calls *calls = malloc(sizeof *calls);
    if (calls) {
        *calls = (struct calls){.loop = loop, .log = log, .api = api};
    }
    return calls;
}

static void call_free(struct call *call)
{
    struct call **link = &call->calls->first;
    while (*link != call) {
        link = &(*link)->next;
    }
    *link = call->next;
    call->calls->count--;
    api_cancel(call->request);
    timer_free(call->timer);
    json_decref(call->params);
    free(call);
}

void calls_free(struct calls *calls)
{
    if (calls) {
        while (calls->first) {
            call_free(calls->first);
        }
        free(calls);
    }
}

/* A few times only: nobody looks at the result any more, and the next start asks again. */
static void call_retry(struct call *call, uint32_t retry_after_s)
{
    uint64_t wait = backoff_next(&call->backoff);
    if (call->backoff.failures >= TRIES) {
        call_free(call);
        return;
    }
    timer_set(call->timer, retry_after_s > 0 ? (uint64_t)retry_after_s * 1000 : wait);
}

static void call_try(void *arg);

/* The one that has waited longest. */
static void calls_next(struct calls *calls)
{
    struct call *oldest = NULL;
    for (struct call *call = calls->first; call; call = call->next) {
        oldest = call->waits_its_turn ? call : oldest;
    }
    if (oldest) {
        call_try(oldest);
    }
}

static void call_over(struct call *call, const struct api_reply *reply)
{
    if (reply->outcome == API_LATER) {
        call_retry(call, reply->retry_after_s);
        return;
    }
    if (reply->outcome == API_REFUSED) {
        log_debug(call->calls->log, "telegram: %s: %.120s", call->method, reply->trouble);
    } else if (call->fn) {
        call->fn(call->arg, reply->result);
    }
    call_free(call);
}

static void on_reply(void *arg, const struct api_reply *reply)
{
    struct call *call = arg;
    struct calls *calls = call->calls;
    call->request = NULL;
    calls->under_way--;
    call_over(call, reply);
    calls_next(calls);
}

static void call_try(void *arg)
{
    struct call *call = arg;
    call->waits_its_turn = call->calls->under_way >= AT_ONCE_MAX;
    if (call->waits_its_turn) {
        return;
    }
    call->request = api_call(call->calls->api, call->method, call->params, NULL, TIMEOUT_MS,
                             on_reply, call);
    if (call->request) {
        call->calls->under_way++;
    } else {
        call_retry(call, 0);
    }
}

void calls_run(struct calls *calls, const char *method, json_t *params)
{
    calls_ask(calls, method, params, NULL, NULL);
}

void calls_ask(struct calls *calls, const char *method, json_t *params,
               void (*fn)(void *arg, const json_t *result), void *arg)
{
    struct call *call = calls->count < CALLS_MAX ? malloc(sizeof *call) : NULL;
    struct timer *timer = call ? timer_new(calls->loop, call_try, call) : NULL;
    if (!call || !timer || !params) {
        log_debug(calls->log, "telegram: no room for another %s", method);
        timer_free(timer);
        free(call);
        json_decref(params);
        return;
    }
    *call = (struct call){.calls = calls,
                          .next = calls->first,
                          .method = method,
                          .params = params,
                          .fn = fn,
                          .arg = arg,
                          .backoff = {.first_ms = FIRST_WAIT_MS, .max_ms = MAX_WAIT_MS},
                          .timer = timer};
    calls->first = call;
    calls->count++;
    call_try(call);
}

void calls_answer(struct calls *calls, const char *callback_id, const char *text, bool is_alert)
{
    json_t *params = json_pack("{s:s,s:s}", "callback_query_id", callback_id, "text", text);
    if (is_alert) {
        json_object_set_new(params, "show_alert", json_true());
    }
    calls_run(calls, "answerCallbackQuery", params);
}

void calls_strip_buttons(struct calls *calls, int64_t chat_id, int64_t message_id)
{
    calls_run(calls, "editMessageReplyMarkup",
              json_pack("{s:I,s:I,s:{s:[]}}", "chat_id", (json_int_t)chat_id, "message_id",
                        (json_int_t)message_id, "reply_markup", "inline_keyboard"));
}

void calls_delete_message(struct calls *calls, int64_t chat_id, int64_t message_id)
{
    calls_run(calls, "deleteMessage",
              json_pack("{s:I,s:I}", "chat_id", (json_int_t)chat_id, "message_id",
                        (json_int_t)message_id));
}
