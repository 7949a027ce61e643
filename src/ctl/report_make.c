#include "ctl/report_make.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/ask.h"
#include "ctl/audit.h"
#include "ctl/report.h"
#include "ctl/save.h"

enum { DAYS = 30, NAME_SIZE = 48 };
static const int64_t DAY_MS = INT64_C(24) * 3600 * 1000;

/* One that is being made. */
struct making {
    struct report *report;
    json_int_t records;
    int err;
};

static void take(void *arg, const json_t *record)
{
    struct making *making = arg;
    making->records++;
    making->err = making->err < 0 ? making->err : report_add(making->report, record);
}

static json_t *out_of_memory(void)
{
    return ask_failure("failed", "out of memory");
}

/* "pamtunnel-2026-11-26.html" */
static void name_of(int64_t now_ms, char name[NAME_SIZE])
{
    time_t now = (time_t)(now_ms / 1000);
    struct tm utc;
    strftime(name, NAME_SIZE, "pamtunnel-%Y-%m-%d.html", gmtime_r(&now, &utc));
}

/* Only what a report reads, of a time that is always said. */
static json_t *question_of(const struct invocation *invocation, int64_t now_ms,
                           json_t **ret_failure)
{
    json_t *request = audit_question(invocation, ret_failure), *events = json_array();
    if (!request || !events) {
        json_decref(events);
        return request;
    }
    for (unsigned i = 0; REPORT_EVENTS[i]; i++) {
        json_array_append_new(events, json_string(REPORT_EVENTS[i]));
    }
    json_object_set_new(request, "events", events);
    if (!json_object_get(request, "since_ms")) {
        json_object_set_new(request, "since_ms", json_integer(now_ms - DAYS * DAY_MS));
    }
    if (!json_object_get(request, "until_ms")) {
        json_object_set_new(request, "until_ms", json_integer(now_ms));
    }
    return request;
}

static char *page_of(struct report *report, const json_t *request, int64_t now_ms)
{
    char host[256] = "this server", *page = NULL;
    size_t size;
    FILE *stream = open_memstream(&page, &size);
    if (!stream) {
        return NULL;
    }
    gethostname(host, sizeof host - 1);
    const struct report_frame frame = {
        .host = host,
        .from_ms = json_integer_value(json_object_get(request, "since_ms")),
        .until_ms = json_integer_value(json_object_get(request, "until_ms")) - 1,
        .made_ms = now_ms};
    report_write(report, &frame, stream);
    if (fclose(stream) != 0) {
        free(page);
        return NULL;
    }
    return page;
}

/* The answer, of what was read: written to the file. */
static json_t *write_page(const struct making *making, const json_t *request,
                          const struct save_as *as, int64_t now_ms)
{
    struct why why;
    char *page = making->err < 0 ? NULL : page_of(making->report, request, now_ms);
    if (!page) {
        return out_of_memory();
    }
    int err = save(as, page, &why);
    free(page);
    return err < 0 ? ask_failure("not_written", why.text)
                   : json_pack("{s:b, s:s, s:I}", "ok", 1, "file", save_path(as), "records",
                               making->records);
}

json_t *report_make(const struct invocation *invocation, const char *socket_path)
{
    int64_t now_ms = clock_unix_ms();
    char name[NAME_SIZE];
    struct why why;
    name_of(now_ms, name);
    const struct save_as as = {
        .out = invocation->out, .name = name, .force = invocation->options & OPTION_FORCE};
    if (save_check(&as, &why) < 0) {
        return ask_failure("not_written", why.text);
    }
    json_t *reply = NULL, *request = question_of(invocation, now_ms, &reply);
    struct making making = {.report = report_new()};
    if (request && making.report) {
        reply = audit_pages(socket_path, request, take, &making);
    } else if (!reply) {
        reply = out_of_memory();
    }
    if (json_is_true(json_object_get(reply, "ok"))) {
        json_decref(reply);
        reply = write_page(&making, request, &as, now_ms);
    }
    report_free(making.report);
    json_decref(request);
    return reply;
}
