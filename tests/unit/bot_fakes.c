#include "bot_fakes.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/timer.h"
#include "vps/telegram/telegram.h"

enum { CALLS_MAX = 512, TIMERS_MAX = 512, FAKES_UNIX = 1795000000 };

struct api_call {
    bool open;
    const char *method;
    json_t *params;
    char *file;
    uint32_t timeout_ms;
    api_fn fn;
    void *arg;
};

struct timer {
    bool used, set;
    uint64_t due_ms;
    timer_fn fn;
    void *arg;
};

static struct api_call calls[CALLS_MAX];
static unsigned call_count;
static struct timer timers[TIMERS_MAX];
static uint64_t now_ms = 1000000;
static int64_t clock_off;

struct api_call *__wrap_api_call(struct api *api, const char *method, const json_t *params,
                                 const struct api_file *file, uint32_t timeout_ms, api_fn fn,
                                 void *arg);
void __wrap_api_cancel(struct api_call *call);
int __wrap_api_new(uv_loop_t *loop, const char *api_url, const char *token, const char *proxy,
                   struct api **ret_api);
void __wrap_api_free(struct api *api);
struct timer *__wrap_timer_new(uv_loop_t *loop, timer_fn fn, void *arg);
void __wrap_timer_set(struct timer *timer, uint64_t ms);
void __wrap_timer_stop(struct timer *timer);
void __wrap_timer_free(struct timer *timer);
uint64_t __wrap_clock_ms(void);
int64_t __wrap_clock_unix(void);

struct api_call *__wrap_api_call(struct api *api, const char *method, const json_t *params,
                                 const struct api_file *file, uint32_t timeout_ms, api_fn fn,
                                 void *arg)
{
    (void)api;
    assert_true(timeout_ms > 0);
    assert_true(call_count < CALLS_MAX);
    struct api_call *call = &calls[call_count++];
    *call = (struct api_call){.open = true,
                              .method = method,
                              .params = json_deep_copy(params),
                              .fn = fn,
                              .arg = arg,
                              .timeout_ms = timeout_ms};
    if (file) {
        call->file = calloc(1, file->len + 1); /* not strndup(): the bytes have no NUL */
        assert_non_null(call->file);
        memcpy(call->file, file->data, file->len);
    }
    return call;
}

void __wrap_api_cancel(struct api_call *call)
{
    if (call) {
        assert_true(call->open);
        call->open = false;
    }
}

int __wrap_api_new(uv_loop_t *loop, const char *api_url, const char *token, const char *proxy,
                   struct api **ret_api)
{
    (void)loop;
    (void)api_url;
    (void)token;
    (void)proxy;
    *ret_api = NULL; /* nobody looks into it */
    return 0;
}

void __wrap_api_free(struct api *api)
{
    assert_null(api);
}

struct transport *fakes_telegram(void)
{
    static struct log quiet = {.level = LOG_ERROR};
    const struct telegram_options options = {.log = &quiet,
                                             .state_dir = "/nowhere",
                                             .api_url = "http://127.0.0.1",
                                             .token = "7:secret",
                                             .proxy = ""};
    struct transport *transport;
    quiet.stream = stderr;
    assert_int_equal(telegram_new(&options, &transport), 0);
    return transport;
}

struct timer *__wrap_timer_new(uv_loop_t *loop, timer_fn fn, void *arg)
{
    (void)loop;
    for (unsigned i = 0; i < TIMERS_MAX; i++) {
        if (!timers[i].used) {
            timers[i] = (struct timer){.used = true, .fn = fn, .arg = arg};
            return &timers[i];
        }
    }
    fail_msg("too many timers");
    return NULL;
}

void __wrap_timer_set(struct timer *timer, uint64_t ms)
{
    assert_true(timer->used);
    timer->set = true;
    timer->due_ms = now_ms + ms;
}

void __wrap_timer_stop(struct timer *timer)
{
    assert_true(timer->used);
    timer->set = false;
}

void __wrap_timer_free(struct timer *timer)
{
    if (timer) {
        assert_true(timer->used);
        *timer = (struct timer){0};
    }
}

uint64_t __wrap_clock_ms(void)
{
    return now_ms;
}

int64_t __wrap_clock_unix(void)
{
    return FAKES_UNIX + (int64_t)(now_ms / 1000) + clock_off;
}

void fakes_set_clock(int64_t off_s)
{
    clock_off = off_s;
}

int64_t fakes_true_unix(void)
{
    return FAKES_UNIX + (int64_t)(now_ms / 1000);
}

void fakes_start(void)
{
    for (unsigned i = 0; i < call_count; i++) {
        json_decref(calls[i].params);
        free(calls[i].file);
    }
    call_count = 0;
    clock_off = 0;
}

void fakes_end(void)
{
    for (unsigned i = 0; i < TIMERS_MAX; i++) {
        assert_false(timers[i].used);
    }
    for (unsigned i = 0; i < call_count; i++) {
        assert_false(calls[i].open);
    }
    fakes_start();
}

static struct timer *next_due(uint64_t until)
{
    struct timer *next = NULL;
    for (unsigned i = 0; i < TIMERS_MAX; i++) {
        if (timers[i].set && timers[i].due_ms <= until &&
            (!next || timers[i].due_ms < next->due_ms)) {
            next = &timers[i];
        }
    }
    return next;
}

void fakes_advance(uint64_t ms)
{
    uint64_t until = now_ms + ms;
    struct timer *timer;
    while ((timer = next_due(until))) {
        now_ms = timer->due_ms;
        timer->set = false;
        timer->fn(timer->arg);
    }
    now_ms = until;
}

unsigned fake_calls(void)
{
    return call_count;
}

static struct api_call *get(unsigned call)
{
    if (call >= call_count) {
        fail_msg("there was no call number %u", call);
    }
    return &calls[call];
}

const char *fake_method(unsigned call)
{
    return get(call)->method;
}

const json_t *fake_params(unsigned call)
{
    return calls[call].params;
}

const char *fake_string(unsigned call, const char *name)
{
    const char *value = json_string_value(json_object_get(get(call)->params, name));
    assert_non_null(value);
    return value;
}

int64_t fake_integer(unsigned call, const char *name)
{
    const json_t *value = json_object_get(get(call)->params, name);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

const char *fake_button(unsigned call, size_t n, const char *key)
{
    const json_t *markup = json_object_get(get(call)->params, "reply_markup");
    const json_t *row = json_array_get(json_object_get(markup, "inline_keyboard"), 0);
    return json_string_value(json_object_get(json_array_get(row, n), key));
}

const char *fake_file(unsigned call)
{
    return get(call)->file;
}

uint32_t fake_timeout_ms(unsigned call)
{
    return get(call)->timeout_ms;
}

bool fake_is_open(unsigned call)
{
    return get(call)->open;
}

void fake_reply(unsigned call, const struct api_reply *reply)
{
    struct api_call *c = get(call);
    assert_true(c->open);
    c->open = false;
    c->fn(c->arg, reply);
}

void fake_done(unsigned call, const char *result_json)
{
    json_t *result = json_loads(result_json, JSON_DECODE_ANY, NULL);
    assert_non_null(result);
    struct api_reply reply = {.outcome = API_DONE, .code = 200, .from_api = true, .result = result};
    fake_reply(call, &reply);
    json_decref(result);
}

void fake_message(unsigned call, int64_t message_id)
{
    json_t *result = json_pack("{s:I}", "message_id", (json_int_t)message_id);
    struct api_reply reply = {.outcome = API_DONE, .code = 200, .from_api = true, .result = result};
    fake_reply(call, &reply);
    json_decref(result);
}

void fake_later(unsigned call, int code, uint32_t retry_after_s)
{
    struct api_reply reply = {.outcome = API_LATER,
                              .code = code,
                              .from_api = code != 0,
                              .retry_after_s = retry_after_s,
                              .trouble = "later"};
    fake_reply(call, &reply);
}

void fake_refuse(unsigned call, int code, const char *description)
{
    struct api_reply reply = {
        .outcome = API_REFUSED, .code = code, .from_api = true, .trouble = description};
    fake_reply(call, &reply);
}
