#include "ctl/audit.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "ctl/ask.h"
#include "ctl/pages.h"
#include "ctl/record.h"
#include "ctl/when.h"

enum { WHILE_MS = 500 }; /* whoever may not ask is hung up on at once */

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
    json_object_set_new(request, key, json_integer(at_ms ? at_ms : -1)); /* 0 says: open */
    return true;
}

json_t *audit_question(const struct invocation *invocation, json_t **ret_failure)
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
    const json_t *since = json_object_get(request, "since_ms");
    const json_t *until = json_object_get(request, "until_ms");
    if (since && until && json_integer_value(since) >= json_integer_value(until)) {
        *ret_failure = ask_failure("invalid", "--since is not before --until: there is no time "
                                              "between them");
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

json_t *audit_pages(const char *socket_path, json_t *request, audit_record_fn fn, void *arg)
{
    struct pages *pages = pages_new(socket_path, json_deep_copy(request));
    json_t *last = NULL, *page, *sent;
    size_t index;
    while (pages && !ferror(stdout) && (page = pages_next(pages))) {
        json_decref(last);
        last = page;
        json_array_foreach(json_object_get(page, "records"), index, sent)
        {
            json_t *record = record_flatten(sent);
            fn(arg, record);
            json_decref(record);
        }
        fflush(stdout); /* of those who print */
    }
    pages_free(pages);
    return last;
}

struct printer {
    const struct record_format *format;
    json_int_t newest; /* of all that were shown, by which those are told that come later */
};

static void print(void *arg, const json_t *record)
{
    struct printer *printer = arg;
    json_int_t seq = json_integer_value(json_object_get(record, "seq"));
    printer->format->write(record, stdout);
    printer->newest = seq > printer->newest ? seq : printer->newest;
}

/* Of one that followed for a while, and was hung up on: nothing is wrong with what was read. */
static json_t *end_of_following(json_t *reply)
{
    const char *error = json_string_value(json_object_get(reply, "error"));
    char now[CLOCK_TEXT_MAX], sentence[200];
    if (!error || strcmp(error, "unreachable") != 0) {
        return reply;
    }
    json_decref(reply);
    clock_text(clock_unix(), now);
    snprintf(sentence, sizeof sentence,
             "vps-agent has stopped, or was restarted. When it is there again, go on with: pamctl "
             "audit --follow --since \"%.16s\"",
             now);
    return ask_failure("unreachable", sentence);
}

json_t *audit_print(const struct invocation *invocation, const char *socket_path)
{
    struct printer printer = {.format = format_of(invocation)};
    bool follows = has(invocation, OPTION_FOLLOW);
    json_t *reply = NULL, *request = audit_question(invocation, &reply);
    if (!request) {
        return reply;
    }
    if (printer.format->begin) {
        printer.format->begin(stdout);
    }
    if (!follows || invocation->since) {
        reply = audit_pages(socket_path, request, print, &printer);
        json_object_set_new(request, "after_seq", json_integer(printer.newest));
    }
    if (follows && (!reply || is_ok(reply))) {
        json_decref(reply);
        json_object_set_new(request, "follow", json_true());
        uint64_t since = clock_ms();
        reply = audit_pages(socket_path, request, print, &printer);
        reply = clock_ms() - since > WHILE_MS ? end_of_following(reply) : reply;
    }
    json_decref(request);
    return reply;
}
