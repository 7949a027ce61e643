#include "ctl/audit.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/ask.h"
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

/* ---- pages ------------------------------------------------------------------ */

struct printing {
    const char *socket_path;
    const struct record_format *format;
    json_t *request;
    int fd; /* of the connection; -1: not yet */
};

static void print_page(const struct record_format *format, const json_t *reply)
{
    size_t index;
    json_t *sent;
    json_array_foreach(json_object_get(reply, "records"), index, sent)
    {
        json_t *record = record_flatten(sent);
        format->write(record, stdout);
        json_decref(record);
    }
    fflush(stdout);
}

static bool is_ok(const json_t *reply)
{
    return json_is_true(json_object_get(reply, "ok"));
}

/* The newest of all that were shown, by which those are told that come later. */
static json_int_t newest_of(const json_t *reply, json_int_t so_far)
{
    size_t index;
    json_t *sent;
    json_array_foreach(json_object_get(reply, "records"), index, sent)
    {
        json_int_t seq = json_integer_value(json_object_get(sent, "seq"));
        so_far = seq > so_far ? seq : so_far;
    }
    return so_far;
}

/* fd: -1 until vps-agent was asked. */
static json_t *ask_on(struct printing *printing)
{
    struct why why;
    json_t *reply = NULL;
    int err;
    if (printing->fd < 0) {
        printing->fd = err = ask_send(printing->socket_path, printing->request, &why);
        err = err < 0 ? err : ask_hear(printing->fd, &reply, &why);
    } else {
        err = ask_more(printing->fd, printing->request, &reply, &why);
    }
    return err < 0 ? ask_failure("unreachable", why.text) : reply;
}

/* One page, and the request asks for the next one then. */
static json_t *next_page(struct printing *printing)
{
    json_t *request = printing->request, *reply = ask_on(printing);
    if (is_ok(reply)) {
        print_page(printing->format, reply);
        json_object_set(request, "after_ms", json_object_get(reply, "after_ms"));
        json_object_set(request, "after_seq", json_object_get(reply, "after_seq"));
    }
    return reply;
}

static json_t *print_what_there_is(struct printing *printing, json_int_t *ret_newest)
{
    json_t *reply = NULL;
    do {
        json_decref(reply);
        reply = next_page(printing);
        *ret_newest = newest_of(reply, *ret_newest);
    } while (is_ok(reply) && json_is_true(json_object_get(reply, "more")) && !ferror(stdout));
    return reply;
}

static json_t *print_what_comes(struct printing *printing)
{
    json_t *reply = NULL;
    do {
        json_decref(reply);
        reply = next_page(printing);
    } while (is_ok(reply) && !ferror(stdout));
    return reply;
}

static json_t *print_all(struct printing *printing, const struct invocation *invocation)
{
    bool follows = has(invocation, OPTION_FOLLOW);
    json_int_t newest = 0;
    json_t *reply = NULL;
    if (!follows || invocation->since) {
        reply = print_what_there_is(printing, &newest);
        json_object_set_new(printing->request, "after_seq", json_integer(newest));
    }
    if (follows && (!reply || is_ok(reply))) {
        json_decref(reply);
        json_object_set_new(printing->request, "follow", json_true());
        json_object_del(printing->request, "after_ms");
        reply = print_what_comes(printing);
    }
    return reply;
}

json_t *audit_print(const struct invocation *invocation, const char *socket_path)
{
    json_t *reply = NULL;
    struct printing printing = {.socket_path = socket_path,
                                .format = format_of(invocation),
                                .request = question_of(invocation, &reply),
                                .fd = -1};
    if (!printing.request) {
        return reply;
    }
    if (printing.format->begin) {
        printing.format->begin(stdout);
    }
    reply = print_all(&printing, invocation);
    json_decref(printing.request);
    if (printing.fd >= 0) {
        close(printing.fd);
    }
    return reply;
}
