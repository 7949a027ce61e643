/*
 * Records of the audit, as they stand in a file that somebody was at, a line each: pamctl shows them
 * in every format and makes a report of them. What is in them stays data: it is no markup of the
 * page, no line of CEF, no cell of a spreadsheet, no control character on a terminal.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/record.h"
#include "ctl/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const int64_t NOON = 1795694400000; /* 2026-11-26 12:00 UTC */

static void require(int holds)
{
    if (!holds) {
        abort();
    }
}

static char *written(const struct record_format *format, const json_t *record, size_t *ret_len)
{
    char *bytes = NULL;
    FILE *out = open_memstream(&bytes, ret_len);
    require(out != NULL);
    format->write(record, out);
    require(fclose(out) == 0 && *ret_len > 0 && bytes[*ret_len - 1] == '\n');
    return bytes;
}

/* A record is one line, and does nothing to whoever reads it. */
static void check_line(const struct record_format *format, const json_t *record)
{
    size_t len;
    char *line = written(format, record, &len);
    require(memchr(line, '\n', len) == line + len - 1);
    for (size_t i = 0; i + 1 < len; i++) {
        require(format != &RECORD_TEXT || ((uint8_t)line[i] >= ' ' && line[i] != 0x7f));
    }
    free(line);
}

/* Quotes are in pairs, and no cell begins as a formula does. */
static void check_csv(const json_t *record)
{
    size_t len;
    char *line = written(&RECORD_CSV, record, &len);
    int is_quoted = 0;
    for (size_t i = 0; i < len; i++) {
        is_quoted ^= line[i] == '"';
        int begins = is_quoted && line[i] == '"' && (i == 0 || line[i - 1] == ',');
        require(!begins || !line[i + 1] || !strchr("=+-@\t\r", line[i + 1]));
    }
    require(!is_quoted);
    free(line);
}

/* Nothing but what the page has by itself begins with a <. */
static void check_page(struct report *report)
{
    static const char *const TAGS[] = {"!DOCTYPE", "html", "head", "meta",    "title", "style",
                                       "body",     "h1",   "h2",   "p",       "div",   "b>",
                                       "span",     "svg",  "rect", "section", "table", "tr",
                                       "th",       "td",   "i ",   "i>",      "code",  "footer"};
    const struct report_frame frame = {
        .host = "vps.example.org", .until_ms = NOON, .made_ms = NOON};
    char *page = NULL;
    size_t size;
    FILE *out = open_memstream(&page, &size);
    require(out != NULL);
    report_write(report, &frame, out);
    require(fclose(out) == 0 && strlen(page) == size);
    for (const char *at = page; (at = strchr(at, '<')); at++) {
        const char *name = at + 1 + (at[1] == '/');
        unsigned known = 0;
        for (size_t i = 0; i < sizeof TAGS / sizeof *TAGS; i++) {
            known += strncmp(name, TAGS[i], strlen(TAGS[i])) == 0;
        }
        require(known > 0);
    }
    free(page);
}

static void take(struct report *report, const uint8_t *line, size_t len)
{
    json_t *sent = json_loadb((const char *)line, len, 0, NULL);
    if (json_is_object(sent)) {
        json_t *record = record_flatten(sent);
        require(record != NULL);
        check_line(&RECORD_TEXT, record);
        check_line(&RECORD_JSON, record);
        check_line(&RECORD_CEF, record);
        check_csv(record);
        require(report_add(report, record) == 0);
        json_decref(record);
    }
    json_decref(sent);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct report *report = report_new();
    require(report != NULL);
    while (size > 0) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t len = end ? (size_t)(end + 1 - data) : size;
        take(report, data, len);
        data += len;
        size -= len;
    }
    check_page(report);
    report_free(report);
    return 0;
}
