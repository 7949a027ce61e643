#include "vps/telegram/errands.h"

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
    ERRANDS_MAX = 36,
};

struct errands {
    uv_loop_t *loop;
    const struct log *log;
    struct telegram *telegram;
    struct errand *first; /* the newest */
    unsigned count, under_way;
};

struct errand {
    struct errands *errands;
    struct errand *next;
    const char *method;
    json_t *params;
    void (*fn)(void *arg, const json_t *result); /* NULL: nobody wants to know */
    void *arg;
    bool waits_its_turn;
    struct backoff backoff;
    struct timer *timer; /* until it is tried again */
    struct telegram_call *call;
};

struct errands *errands_new(uv_loop_t *loop, const struct log *log, struct telegram *telegram)
{
    struct errands *errands = malloc(sizeof *errands);
    if (errands) {
        *errands = (struct errands){.loop = loop, .log = log, .telegram = telegram};
    }
    return errands;
}

static void errand_free(struct errand *errand)
{
    struct errand **link = &errand->errands->first;
    while (*link != errand) {
        link = &(*link)->next;
    }
    *link = errand->next;
    errand->errands->count--;
    telegram_cancel(errand->call);
    timer_free(errand->timer);
    json_decref(errand->params);
    free(errand);
}

void errands_free(struct errands *errands)
{
    if (errands) {
        while (errands->first) {
            errand_free(errands->first);
        }
        free(errands);
    }
}

static void errand_retry(struct errand *errand, uint32_t retry_after_s)
{
    uint64_t wait = backoff_next(&errand->backoff);
    if (errand->backoff.failures >= TRIES) {
        errand_free(errand);
        return;
    }
    timer_set(errand->timer, retry_after_s > 0 ? (uint64_t)retry_after_s * 1000 : wait);
}

static void errand_try(void *arg);

/* The one that has waited longest. */
static void errands_next(struct errands *errands)
{
    struct errand *oldest = NULL;
    for (struct errand *errand = errands->first; errand; errand = errand->next) {
        oldest = errand->waits_its_turn ? errand : oldest;
    }
    if (oldest) {
        errand_try(oldest);
    }
}

static void errand_over(struct errand *errand, const struct telegram_reply *reply)
{
    if (reply->outcome == TELEGRAM_LATER) {
        errand_retry(errand, reply->retry_after_s);
        return;
    }
    if (reply->outcome == TELEGRAM_REFUSED) {
        log_debug(errand->errands->log, "telegram: %s: %.120s", errand->method, reply->trouble);
    } else if (errand->fn) {
        errand->fn(errand->arg, reply->result);
    }
    errand_free(errand);
}

static void on_reply(void *arg, const struct telegram_reply *reply)
{
    struct errand *errand = arg;
    struct errands *errands = errand->errands;
    errand->call = NULL;
    errands->under_way--;
    errand_over(errand, reply);
    errands_next(errands);
}

static void errand_try(void *arg)
{
    struct errand *errand = arg;
    errand->waits_its_turn = errand->errands->under_way >= AT_ONCE_MAX;
    if (errand->waits_its_turn) {
        return;
    }
    errand->call = telegram_call(errand->errands->telegram, errand->method, errand->params, NULL,
                                 TIMEOUT_MS, on_reply, errand);
    if (errand->call) {
        errand->errands->under_way++;
    } else {
        errand_retry(errand, 0);
    }
}

void errands_run(struct errands *errands, const char *method, json_t *params)
{
    errands_ask(errands, method, params, NULL, NULL);
}

void errands_ask(struct errands *errands, const char *method, json_t *params,
                 void (*fn)(void *arg, const json_t *result), void *arg)
{
    struct errand *errand = errands->count < ERRANDS_MAX ? malloc(sizeof *errand) : NULL;
    struct timer *timer = errand ? timer_new(errands->loop, errand_try, errand) : NULL;
    if (!errand || !timer || !params) {
        log_debug(errands->log, "telegram: no room for another %s", method);
        timer_free(timer);
        free(errand);
        json_decref(params);
        return;
    }
    *errand = (struct errand){.errands = errands,
                              .next = errands->first,
                              .method = method,
                              .params = params,
                              .fn = fn,
                              .arg = arg,
                              .backoff = {.first_ms = FIRST_WAIT_MS, .max_ms = MAX_WAIT_MS},
                              .timer = timer};
    errands->first = errand;
    errands->count++;
    errand_try(errand);
}

void errands_answer(struct errands *errands, const char *callback_id, const char *text,
                    bool is_alert)
{
    json_t *params = json_pack("{s:s,s:s}", "callback_query_id", callback_id, "text", text);
    if (is_alert) {
        json_object_set_new(params, "show_alert", json_true());
    }
    errands_run(errands, "answerCallbackQuery", params);
}

void errands_strip_buttons(struct errands *errands, int64_t chat_id, int64_t message_id)
{
    errands_run(errands, "editMessageReplyMarkup",
                json_pack("{s:I,s:I,s:{s:[]}}", "chat_id", (json_int_t)chat_id, "message_id",
                          (json_int_t)message_id, "reply_markup", "inline_keyboard"));
}
