#include "vps/bot/errands.h"

#include <stdlib.h>

#include "base/backoff.h"
#include "base/timer.h"

enum { TIMEOUT_MS = 20000, TRIES = 4, FIRST_WAIT_MS = 1000, MAX_WAIT_MS = 8000 };

struct errands {
    uv_loop_t *loop;
    const struct log *log;
    struct telegram *telegram;
    struct errand *first;
};

struct errand {
    struct errands *errands;
    struct errand *next;
    const char *method;
    json_t *params;
    struct backoff backoff;
    struct timer *timer;
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

static void on_reply(void *arg, const struct telegram_reply *reply)
{
    struct errand *errand = arg;
    errand->call = NULL;
    if (reply->outcome == TELEGRAM_LATER) {
        errand_retry(errand, reply->retry_after_s);
        return;
    }
    if (reply->outcome == TELEGRAM_REFUSED) {
        log_debug(errand->errands->log, "telegram: %s: %.120s", errand->method, reply->trouble);
    }
    errand_free(errand);
}

static void errand_try(void *arg)
{
    struct errand *errand = arg;
    errand->call = telegram_call(errand->errands->telegram, errand->method, errand->params, NULL,
                                 TIMEOUT_MS, on_reply, errand);
    if (!errand->call) {
        errand_retry(errand, 0);
    }
}

void errands_run(struct errands *errands, const char *method, json_t *params)
{
    struct errand *errand = malloc(sizeof *errand);
    struct timer *timer = timer_new(errands->loop, errand_try, errand);
    if (!errand || !timer || !params) {
        timer_free(timer);
        free(errand);
        json_decref(params);
        return;
    }
    *errand = (struct errand){.errands = errands,
                              .next = errands->first,
                              .method = method,
                              .params = params,
                              .backoff = {.first_ms = FIRST_WAIT_MS, .max_ms = MAX_WAIT_MS},
                              .timer = timer};
    errands->first = errand;
    errand_try(errand);
}

void errands_answer(struct errands *errands, const char *callback_id, const char *text)
{
    errands_run(errands, "answerCallbackQuery",
                json_pack("{s:s,s:s}", "callback_query_id", callback_id, "text", text));
}

void errands_strip_buttons(struct errands *errands, int64_t chat_id, int64_t message_id)
{
    errands_run(errands, "editMessageReplyMarkup",
                json_pack("{s:I,s:I,s:{s:[]}}", "chat_id", (json_int_t)chat_id, "message_id",
                          (json_int_t)message_id, "reply_markup", "inline_keyboard"));
}
