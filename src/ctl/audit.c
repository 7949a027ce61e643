#include "ctl/audit.h"

#include <stdio.h>

#include "base/clock.h"
#include "ctl/ask.h"
#include "ctl/pages.h"
#include "ctl/record.h"
#include "ctl/when.h"

static bool has(const struct invocation *invocation, enum option_bit bit)
{
    return invocation->options & bit;
}

static const struct record_format *format_of(const struct invocation *invocation)
{
    return has(invocation, OPTION_CSV)    ? &RECORD_CSV
           : has(invocation, OPTION_CEF)  ? &RECORD_CEF
           : has(invocation, OPTION_JSON) ? &RECORD_JSON
                                          : &RECORD_TEXT;
}

/* ---- the question ---------------------------------------------------------- */

static void set_text(json_t *request, const char *key, const char *text)
{
    if (text) {
        json_t *value = json_string(text); /* what is no UTF-8 is nobody's name */
        json_object_set_new(request, key, value ? value : json_string("?"));
    }
}

/* False with a failure in *ret_failure. */
static bool set_time(json_t *request, const char *key, const char *option, const char *text,
                     bool is_end, json_t **ret_failure)
{
    int64_t at_ms;
    char why[200];
    if (!text) {
        return true;
    }
    if (when_parse(text, clock_unix_ms(), is_end, &at_ms) < 0) {
        snprintf(why, sizeof why, "%s takes " WHEN_FORMS "; not %.40s", option, text);
        *ret_failure = ask_failure("invalid", why);
        return false;
    }
    json_object_set_new(request, key, json_integer(at_ms));
    return true;
}

/* NULL with a failure in *ret_failure. */
static json_t *question_of(const struct invocation *invocation, json_t **ret_failure)
{
    json_t *request = json_pack("{s:s}", "command", "audit");
    set_text(request, "user", invocation->user);
    set_text(request, "target", invocation->target);
    set_text(request, "gateway", invocation->gateway);
    if (!set_time(request, "since_ms", "--since", invocation->since, false, ret_failure) ||
        !set_time(request, "until_ms", "--until", invocation->until, true, ret_failure)) {
        json_decref(request);
        return NULL;
    }
    return request;
}

/* ---- records ---------------------------------------------------------------- */

static bool is_ok(const json_t *reply)
{
    return json_is_true(json_object_get(reply, "ok"));
}

/* *newest: the greatest number of all that were shown. */
static void print_page(const struct record_format *format, const json_t *page, json_int_t *newest)
{
    size_t index;
    json_t *sent;
    json_array_foreach(json_object_get(page, "records"), index, sent)
    {
        json_int_t seq = json_integer_value(json_object_get(sent, "seq"));
        json_t *record = record_flatten(sent);
        format->write(record, stdout);
        json_decref(record);
        *newest = seq > *newest ? seq : *newest;
    }
    fflush(stdout);
}

/* The last page, or what went wrong. */
static json_t *print_pages(const char *socket_path, json_t *request,
                           const struct record_format *format, json_int_t *newest)
{
    struct pages *pages = pages_new(socket_path, request);
    json_t *last = NULL, *page;
    while (pages && (page = pages_next(pages))) {
        json_decref(last);
        last = page;
        print_page(format, page, newest);
        if (ferror(stdout)) {
            break;
        }
    }
    pages_free(pages);
    return last;
}

json_t *audit_print(const struct invocation *invocation, const char *socket_path)
{
    const struct record_format *format = format_of(invocation);
    bool follows = has(invocation, OPTION_FOLLOW);
    json_int_t newest = 0;
    json_t *reply = NULL, *request = question_of(invocation, &reply);
    if (!request) {
        return reply;
    }
    if (format->begin) {
        format->begin(stdout);
    }
    if (!follows || invocation->since) {
        reply = print_pages(socket_path, json_deep_copy(request), format, &newest);
        json_object_set_new(request, "after_seq", json_integer(newest));
    }
    if (follows && (!reply || is_ok(reply))) {
        json_decref(reply);
        json_object_set_new(request, "follow", json_true());
        reply = print_pages(socket_path, json_deep_copy(request), format, &newest);
    }
    json_decref(request);
    return reply;
}
