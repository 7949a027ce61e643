/*
 * A call is one HTTP request, and its answer one of three outcomes, because that is all that those
 * who repeat calls need: it is done, it may work later, it never will. Which it is goes by the
 * Bot API's error_code; a proxy or a captive portal that answers in its place means `later`.
 *
 * Nobody is told what is not yet recorded: a call that changes what people see waits at the audit's
 * barrier. Those that only read, whose methods begin with "get", do not.
 *
 * The URL holds the token. It is wiped after use, and appears in no error.
 *
 * Re-entrancy: a call is freed before its callback runs, which may make and cancel others, but not
 * free the api.
 */
#include "vps/telegram/api.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "vps/audit/audit.h"
#include "vps/telegram/api_tally.h"
#include "vps/telegram/http.h"

/*
 * RETRY_AFTER_MAX_S: a longer wait is tried again after an hour, so that no number silences the
 * bot.
 */
enum { METHOD_MAX = 32, PARTS_MAX = 8, RETRY_AFTER_MAX_S = 3600 };

struct api {
    struct http *http;
    char *base; /* API_URL/botTOKEN/ */
    size_t base_len;
    struct api_tally tally;
    struct audit *audit; /* or NULL */
};

struct api_call {
    struct api *api;
    struct http_request *request; /* NULL: waits for the audit */
    const char *method;
    json_t *params;
    bool has_file;
    struct api_file file;
    uint32_t timeout_ms;
    api_fn fn;
    void *arg;
};

int api_new(uv_loop_t *loop, const char *api_url, const char *token, const char *proxy,
            struct api **ret_api)
{
    size_t url_len = strlen(api_url);
    while (url_len > 0 && api_url[url_len - 1] == '/') {
        url_len--;
    }
    if (url_len == 0 || url_len > INT_MAX) {
        return -EINVAL;
    }
    struct api *api = calloc(1, sizeof *api);
    if (!api) {
        return -ENOMEM;
    }
    int err = -ENOMEM;
    int len = asprintf(&api->base, "%.*s/bot%s/", (int)url_len, api_url, token);
    if (len < 0) {
        api->base = NULL;
        goto fail;
    }
    api->base_len = (size_t)len;
    err = http_new(loop, proxy, &api->http);
    if (err < 0) {
        goto fail;
    }
    *ret_api = api;
    return 0;
fail:
    api_free(api);
    return err;
}

void api_free(struct api *api)
{
    if (!api) {
        return;
    }
    http_free(api->http);
    if (api->base) {
        crypto_wipe(api->base, api->base_len);
        free(api->base);
    }
    free(api);
}

void api_use_audit(struct api *api, struct audit *audit)
{
    api->audit = audit;
}

const char *api_ca_file(const struct api *api)
{
    return http_ca_file(api->http);
}

void api_measure(const struct api *api, struct metrics *metrics)
{
    api_tally_measure(&api->tally, metrics);
}

/* --- answers --- */

static const char *http_trouble(long status)
{
    if (status >= 500) {
        return "the server has an error of its own";
    }
    return "the answer is not the Bot API's (TELEGRAM_API_URL, or a proxy on the way?)";
}

/* error_code and retry_after are the server's: any number is possible. */
static json_int_t bounded(const json_t *number, json_int_t fallback, json_int_t max)
{
    json_int_t value = json_is_integer(number) ? json_integer_value(number) : fallback;
    return value < 0 ? 0 : value > max ? max : value;
}

static enum api_outcome outcome_of(int code)
{
    switch (code) {
    case 401: /* a token that was revoked may come back; what to do about these is the poller's */
    case 404:
    case 409:
    case 429:
        return API_LATER;
    default:
        return code >= 400 && code < 500 ? API_REFUSED : API_LATER;
    }
}

void api_read_reply(long status, uint32_t retry_after_s, const char *body, size_t len,
                    struct api_reply *ret_reply, json_t **ret_root)
{
    json_t *root = json_loadb(body, len, JSON_ALLOW_NUL, NULL);
    const json_t *ok = json_object_get(root, "ok");
    struct api_reply reply = {.outcome = API_LATER, .code = (int)status};
    reply.from_api = json_is_boolean(ok);
    if (json_is_true(ok) && json_object_get(root, "result")) {
        reply.outcome = API_DONE;
        reply.result = json_object_get(root, "result");
    } else if (json_is_false(ok)) {
        const json_t *parameters = json_object_get(root, "parameters");
        const char *description = json_string_value(json_object_get(root, "description"));
        reply.code = (int)bounded(json_object_get(root, "error_code"), status, 999);
        reply.outcome = outcome_of(reply.code);
        reply.trouble = description ? description : "an error without a description";
        retry_after_s = (uint32_t)bounded(json_object_get(parameters, "retry_after"), retry_after_s,
                                          RETRY_AFTER_MAX_S);
    } else {
        reply.trouble = http_trouble(status);
        reply.unreadable = !root && status == 200 ? body : NULL;
        reply.unreadable_len = len;
    }
    reply.retry_after_s = retry_after_s < RETRY_AFTER_MAX_S ? retry_after_s : RETRY_AFTER_MAX_S;
    *ret_reply = reply;
    *ret_root = root;
}

static void call_free(struct api_call *call)
{
    json_decref(call->params);
    free(call);
}

/* The call is gone before its owner hears of it. */
static void call_over(struct api_call *call, const struct api_reply *reply)
{
    api_fn fn = call->fn;
    void *arg = call->arg;
    api_tally_add(&call->api->tally, call->method, reply->code);
    call_free(call);
    fn(arg, reply);
}

static void on_reply(void *arg, const struct http_reply *http_reply)
{
    json_t *root = NULL;
    struct api_reply reply = {.outcome = API_LATER, .trouble = http_reply->failure};
    if (!http_reply->failure) {
        api_read_reply(http_reply->status, http_reply->retry_after_s, http_reply->body,
                       http_reply->len, &reply, &root);
        reply.server_unix = http_reply->server_unix;
    }
    call_over(arg, &reply);
    json_decref(root);
}

/* --- calls --- */

static struct http_request *post_json(struct api_call *call, struct http *http, const char *url,
                                      const json_t *params, uint32_t timeout_ms)
{
    char *json = json_dumps(params, JSON_COMPACT);
    if (!json) {
        return NULL;
    }
    struct http_body body = {.json = json};
    struct http_request *request = http_post(http, url, &body, timeout_ms, on_reply, call);
    free(json);
    return request;
}

/*
 * JSON cannot carry a file. Parameters as form fields: strings as they are, everything else as
 * JSON.
 */
static struct http_request *post_form(struct api_call *call, struct http *http, const char *url,
                                      const json_t *params, const struct api_file *file,
                                      uint32_t timeout_ms)
{
    struct http_part parts[PARTS_MAX + 1];
    char *values[PARTS_MAX];
    unsigned count = 0;
    bool ok = json_object_size(params) <= PARTS_MAX;
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)params, name, value)
    {
        if (ok) {
            values[count] = json_is_string(value)
                                ? strdup(json_string_value(value))
                                : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
            ok = values[count] != NULL;
            if (ok) {
                parts[count] = (struct http_part){
                    .name = name, .data = values[count], .len = strlen(values[count])};
                count++;
            }
        }
    }
    struct http_request *request = NULL;
    if (ok) {
        parts[count] = (struct http_part){file->field, file->data, file->len, file->name,
                                          file->type};
        struct http_body body = {.parts = parts, .part_count = count + 1};
        request = http_post(http, url, &body, timeout_ms, on_reply, call);
    }
    while (count > 0) {
        free(values[--count]);
    }
    return request;
}

/* Sends it. False when out of memory. */
static bool call_start(struct api_call *call)
{
    const struct api *api = call->api;
    size_t size = api->base_len + METHOD_MAX + 1;
    char *url = malloc(size);
    if (!url) {
        return false;
    }
    snprintf(url, size, "%s%.*s", api->base, METHOD_MAX, call->method);
    call->request = call->has_file
                        ? post_form(call, api->http, url, call->params, &call->file,
                                    call->timeout_ms)
                        : post_json(call, api->http, url, call->params, call->timeout_ms);
    crypto_wipe(url, size);
    free(url);
    return call->request != NULL;
}

/* Whether it could be written is not asked: whoever waits for an answer gets one. */
static void on_recorded(void *arg, int err)
{
    static const struct api_reply NO_MEMORY = {.outcome = API_LATER, .trouble = "out of memory"};
    struct api_call *call = arg;
    (void)err;
    if (!call_start(call)) {
        call_over(call, &NO_MEMORY);
    }
}

static bool tells_people(const char *method)
{
    return strncmp(method, "get", 3) != 0;
}

struct api_call *api_call(struct api *api, const char *method, const json_t *params,
                          const struct api_file *file, uint32_t timeout_ms, api_fn fn, void *arg)
{
    struct api_call *call = malloc(sizeof *call);
    if (!call) {
        return NULL;
    }
    *call = (struct api_call){.api = api,
                              .method = method,
                              .params = json_incref((json_t *)params),
                              .has_file = file != NULL,
                              .timeout_ms = timeout_ms,
                              .fn = fn,
                              .arg = arg};
    if (file) {
        call->file = *file;
    }
    bool goes_now = !tells_people(method) || audit_barrier(api->audit, on_recorded, call);
    if (goes_now && !call_start(call)) {
        call_free(call);
        return NULL;
    }
    return call;
}

void api_cancel(struct api_call *call)
{
    if (call) {
        audit_detach(call->api->audit, call);
        http_cancel(call->request);
        call_free(call);
    }
}
