/*
 * What is in a record was written by people and peers, and is read by spreadsheets, terminals and
 * log servers: each format says what it does about that. vps-agent keeps control characters and
 * what is no UTF-8 out, but the file may have been changed since.
 */
#include "ctl/record.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "base/utf8.h"
#include "ctl/field.h"

static bool has(const json_t *record, const char *key)
{
    return json_object_get(record, key) != NULL;
}

/* ---- flat ------------------------------------------------------------------ */

/* "2026-11-26T14:00:00.123Z" */
static json_t *time_of(int64_t at_ms)
{
    char day[32], whole[48];
    time_t at = (time_t)(at_ms / 1000);
    struct tm utc;
    if (!gmtime_r(&at, &utc) || !strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &utc)) {
        return json_string("?");
    }
    snprintf(whole, sizeof whole, "%s.%03dZ", day, (int)(at_ms % 1000));
    return json_string(whole);
}

json_t *record_flatten(const json_t *sent)
{
    json_t *record = json_object(), *value;
    json_t *body = json_loads(field_text(sent, "body"), 0, NULL);
    const char *key;
    json_object_set(record, "seq", json_object_get(sent, "seq"));
    json_object_set_new(record, "time", time_of(field_number(sent, "at_ms")));
    json_object_foreach((json_t *)sent, key, value)
    {
        if (strcmp(key, "body") != 0 && strcmp(key, "hash") != 0) {
            json_object_set(record, key, value);
        }
    }
    if (!json_is_object(body)) { /* somebody was at the file: it is shown as it is */
        json_object_set(record, "body", json_object_get(sent, "body"));
    }
    json_object_foreach(body, key, value)
    {
        if (!has(record, key) && strcmp(key, "hash") != 0) {
            json_object_set(record, key, value);
        }
    }
    json_object_set(record, "hash", json_object_get(sent, "hash"));
    json_decref(body);
    return record;
}

/* ---- what nobody sees -------------------------------------------------------- */

static size_t hidden_len(const char *at)
{
    uint32_t character;
    size_t len = utf8_decode(at, strlen(at), &character);
    return len == 0 ? 1 : utf8_is_hidden(character) ? len : 0;
}

/* One character that shows, or "?" for one that would end a line or do something to a terminal. */
static size_t put_visible(const char *at, const char *before, FILE *out)
{
    uint32_t character;
    size_t hidden = hidden_len(at), len = hidden ? hidden : utf8_decode(at, strlen(at), &character);
    fputs(before, out);
    if (hidden) {
        putc('?', out);
    } else {
        fwrite(at, 1, len, out);
    }
    return len;
}

/* ---- JSON lines ------------------------------------------------------------- */

static bool has_hidden(const json_t *record)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)record, key, value)
    {
        for (const char *at = json_string_value(value); at && *at; at++) {
            if (((*at & 0xc0) != 0x80) && hidden_len(at)) {
                return true;
            }
        }
    }
    return false;
}

/* Exactly what was recorded; where nobody sees some of it, as \uXXXX. */
static void write_json(const json_t *record, FILE *out)
{
    size_t flags = JSON_COMPACT | JSON_PRESERVE_ORDER;
    json_dumpf(record, out, has_hidden(record) ? flags | JSON_ENSURE_ASCII : flags);
    putc('\n', out);
}

const struct record_format RECORD_JSON = {.write = write_json};

/* ---- CSV --------------------------------------------------------------------- */

static const char *const CSV_NAMES[] = {
    "seq",         "time",        "what",      "severity", "person",  "name",      "by",
    "by_name",     "session",     "kind",      "gateway",  "user",    "target",    "target_name",
    "resolved",    "public_port", "data_port", "address",  "client",  "number",    "rule",
    "word",        "why",         "text",      "count",    "seconds", "to_target", "to_client",
    "connections", "hash",        "found_by",
};

enum { CSV_COUNT = sizeof CSV_NAMES / sizeof *CSV_NAMES };

static void begin_csv(FILE *out)
{
    for (size_t i = 0; i < CSV_COUNT; i++) {
        fprintf(out, "%s%s", i > 0 ? "," : "", CSV_NAMES[i]);
    }
    fputs("\r\n", out);
}

/*
 * A spreadsheet takes what begins like this for a formula, which may fetch and run things; with an
 * apostrophe in front it is a text. Some of them do not mind blanks in front of it, nor the wide
 * forms of East Asia.
 */
static bool is_formula(const char *text)
{
    static const char *const WIDE[] = {"＝", "＋", "－", "＠"};
    text += strspn(text, " \t\r\n\v\f");
    for (size_t i = 0; i < sizeof WIDE / sizeof *WIDE; i++) {
        if (strncmp(text, WIDE[i], strlen(WIDE[i])) == 0) {
            return true;
        }
    }
    return text[0] && strchr("=+-@", text[0]);
}

static void write_csv_text(const char *text, FILE *out)
{
    fputs(is_formula(text) ? "\"'" : "\"", out);
    while (*text) {
        text += put_visible(text, *text == '"' ? "\"" : "", out);
    }
    putc('"', out);
}

static void write_csv(const json_t *record, FILE *out)
{
    for (size_t i = 0; i < CSV_COUNT; i++) {
        const json_t *value = json_object_get(record, CSV_NAMES[i]);
        fputs(i > 0 ? "," : "", out);
        if (json_is_integer(value)) {
            fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        } else if (json_is_string(value)) {
            write_csv_text(json_string_value(value), out);
        }
    }
    fputs("\r\n", out);
}

const struct record_format RECORD_CSV = {.begin = begin_csv, .write = write_csv};

/* ---- CEF --------------------------------------------------------------------- */

/* A line is a record: what would end it is written as \n, and `special` gets a backslash. */
static void write_cef_text(const char *text, const char *special, FILE *out)
{
    while (*text) {
        if (*text == '\n' || *text == '\r') {
            fputs(*text == '\n' ? "\\n" : "\\r", out);
            text++;
        } else {
            text += put_visible(text, *text == '\\' || strchr(special, *text) ? "\\" : "", out);
        }
    }
}

static void write_cef_header(const json_t *record, FILE *out)
{
    fputs("CEF:0|pamtunnel|vps-agent|" PAMTUNNEL_VERSION "|", out);
    write_cef_text(field_text(record, "what"), "|", out);
    putc('|', out);
    write_cef_text(field_text(record, "message"), "|", out);
    fprintf(out, "|%" PRId64 "|rt=%" PRId64,
            has(record, "severity") ? field_number(record, "severity") : 5,
            field_number(record, "at_ms"));
}

static void write_cef_field(const char *name, const char *label, const json_t *value, FILE *out)
{
    if (!value) {
        return;
    }
    fprintf(out, " %s=", name);
    if (json_is_integer(value)) {
        fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    } else {
        const char *text = json_string_value(value);
        write_cef_text(text ? text : "", "=", out);
    }
    if (label) {
        fprintf(out, " %sLabel=%s", name, label);
    }
}

/* The names are the standard's; for what it has none, there are six strings and three numbers. */
static const struct {
    const char *key, *name, *label;
} CEF_FIELDS[] = {
    {"seq", "externalId", NULL},
    {"person", "suser", NULL},
    {"address", "src", NULL},
    {"kind", "app", NULL},
    {"user", "duser", NULL},
    {"public_port", "destinationTranslatedPort", NULL},
    {"to_target", "in", NULL},
    {"to_client", "out", NULL},
    {"count", "cnt", NULL},
    {"client", "requestClientApplication", NULL},
    {"word", "outcome", NULL},
    {"why", "reason", NULL},
    {"text", "msg", NULL},
    {"session", "cs1", "session"},
    {"gateway", "cs2", "gateway"},
    {"by", "cs3", "by"},
    {"hash", "cs4", "hash"},
    {"name", "cs5", "name"},
    {"target_name", "cs6", "target_name"},
    {"rule", "cn1", "rule"},
    {"seconds", "cn2", "seconds"},
    {"connections", "cn3", "connections"},
};

/* "HOME-PC:22" is two fields of CEF, "[fd00::1]:22" without its brackets. */
static void write_cef_endpoint(const char *host_name, const char *port_name, const char *text,
                               FILE *out)
{
    const char *colon = strrchr(text, ':');
    char host[300];
    if (!colon) {
        return;
    }
    bool has_brackets = text[0] == '[' && colon > text + 1 && colon[-1] == ']';
    snprintf(host, sizeof host, "%.*s", (int)(colon - text) - 2 * has_brackets,
             text + has_brackets);
    fprintf(out, " %s=", host_name);
    write_cef_text(host, "=", out);
    if (port_name) {
        fprintf(out, " %s=", port_name);
        write_cef_text(colon + 1, "=", out);
    }
}

static void write_cef(const json_t *record, FILE *out)
{
    write_cef_header(record, out);
    for (size_t i = 0; i < sizeof CEF_FIELDS / sizeof *CEF_FIELDS; i++) {
        write_cef_field(CEF_FIELDS[i].name, CEF_FIELDS[i].label,
                        json_object_get(record, CEF_FIELDS[i].key), out);
    }
    write_cef_endpoint("dhost", "dpt", field_text(record, "target"), out);
    write_cef_endpoint("dst", NULL, field_text(record, "resolved"), out);
    putc('\n', out);
}

const struct record_format RECORD_CEF = {.write = write_cef};

/* ---- for people --------------------------------------------------------------- */

/* What is read on a terminal does nothing to it. */
static void add(struct text *line, const char *before, const char *words, const char *after)
{
    char visible[512];
    struct text copy = text_over(visible, sizeof visible);
    if (words[0]) {
        text_add(&copy, "%s", words);
        text_make_visible(visible);
        text_add(line, "%s%s%s", before, visible, after);
    }
}

static void add_person(struct text *line, const json_t *record, const char *key,
                       const char *name_key, const char *before)
{
    bool has_name = field_text(record, name_key)[0];
    add(line, before, field_text(record, has_name ? name_key : key), "");
}

static void add_sums(struct text *line, const json_t *record)
{
    if (has(record, "seconds")) {
        text_add(line, "; ");
        text_add_seconds(line, (uint64_t)field_number(record, "seconds"));
        text_add(line, ", ");
        text_add_bytes(line, (uint64_t)field_number(record, "to_client"));
        text_add(line, " received, ");
        text_add_bytes(line, (uint64_t)field_number(record, "to_target"));
        text_add(line, " sent");
    }
}

/* "2026-11-26 14:00:01  session.ended  anna  ssh office/HOME-PC:22  k3f9q2wx  from …: closed" */
static void write_text(const json_t *record, FILE *out)
{
    char buffer[2048];
    struct text line = text_over(buffer, sizeof buffer);
    const char *time = field_text(record, "time"), *why = field_text(record, "why");
    text_add(&line, "%.10s %.8s  ", time, strlen(time) > 11 ? time + 11 : "");
    add(&line, "", field_text(record, "what"), "");
    add_person(&line, record, "person", "name", "  ");
    add(&line, "  ", field_text(record, "kind"), "");
    add(&line, field_text(record, "kind")[0] ? " " : "  ", field_text(record, "gateway"),
        field_text(record, "target")[0] ? "/" : "");
    add(&line, field_text(record, "gateway")[0] ? "" : " ", field_text(record, "target"), "");
    add(&line, " (", field_text(record, "target_name"), ")");
    add(&line, "  found by ", field_text(record, "found_by"), "");
    add(&line, "  ", field_text(record, "session"), "");
    add(&line, "  from ", field_text(record, "address"), "");
    add(&line, " (", field_text(record, "client"), ")");
    add_person(&line, record, "by", "by_name", "  by ");
    if (field_number(record, "count") > 1) { /* of strangers, of approvals, of sessions */
        text_add(&line, "  ×%" PRId64, field_number(record, "count"));
    }
    add(&line, "  ", why[0] ? why : field_text(record, "word"), "");
    add(&line, "  ", field_text(record, "text"), "");
    add_sums(&line, record);
    fprintf(out, "%s\n", buffer);
}

const struct record_format RECORD_TEXT = {.write = write_text};
