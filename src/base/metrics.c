#include "base/metrics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_SIZE = 8192, MICRO = 1000000 };

/* ---- the page ------------------------------------------------------------- */

static bool make_room(struct metrics *metrics, size_t more)
{
    if (!metrics->failed && metrics->size - metrics->len <= more) {
        size_t size = metrics->size ? metrics->size : FIRST_SIZE;
        while (size - metrics->len <= more) {
            size *= 2;
        }
        char *text = realloc(metrics->text, size);
        metrics->failed = !text;
        metrics->text = text ? text : metrics->text;
        metrics->size = text ? size : metrics->size;
    }
    return !metrics->failed;
}

static void put(struct metrics *metrics, const char *text, size_t len)
{
    if (make_room(metrics, len)) {
        memcpy(metrics->text + metrics->len, text, len);
        metrics->len += len;
    }
}

static void put_text(struct metrics *metrics, const char *text)
{
    put(metrics, text, strlen(text));
}

/* OpenMetrics escapes these three, in labels and in HELP alike. */
static void put_escaped(struct metrics *metrics, const char *text)
{
    while (*text) {
        size_t plain = strcspn(text, "\\\"\n");
        put(metrics, text, plain);
        text += plain;
        if (*text) {
            put_text(metrics, *text == '\n' ? "\\n" : *text == '"' ? "\\\"" : "\\\\");
            text++;
        }
    }
}

/* ---- families and samples ------------------------------------------------- */

void metrics_family(struct metrics *metrics, enum metrics_kind kind, const char *name,
                    const char *help)
{
    static const char *const KINDS[] = {"gauge", "counter", "info"};
    metrics->name = name;
    metrics->kind = kind;
    put_text(metrics, "# HELP ");
    put_text(metrics, name);
    put_text(metrics, " ");
    put_escaped(metrics, help);
    put_text(metrics, "\n# TYPE ");
    put_text(metrics, name);
    put_text(metrics, " ");
    put_text(metrics, KINDS[kind]);
    put_text(metrics, "\n");
}

static void add(struct metrics *metrics, const char *number, va_list labels)
{
    static const char *const SUFFIXES[] = {"", "_total", "_info"};
    const char *label, *before = "{";
    put_text(metrics, metrics->name);
    put_text(metrics, SUFFIXES[metrics->kind]);
    while ((label = va_arg(labels, const char *))) {
        put_text(metrics, before);
        put_text(metrics, label);
        put_text(metrics, "=\"");
        put_escaped(metrics, va_arg(labels, const char *));
        put_text(metrics, "\"");
        before = ",";
    }
    put_text(metrics, *before == ',' ? "} " : " ");
    put_text(metrics, number);
    put_text(metrics, "\n");
}

void metrics_add(struct metrics *metrics, uint64_t value, ...)
{
    char number[32];
    va_list labels;
    snprintf(number, sizeof number, "%" PRIu64, value);
    va_start(labels, value);
    add(metrics, number, labels);
    va_end(labels);
}

void metrics_add_us(struct metrics *metrics, uint64_t us, ...)
{
    char number[32];
    va_list labels;
    snprintf(number, sizeof number, "%" PRIu64 ".%06" PRIu64, us / MICRO, us % MICRO);
    va_start(labels, us);
    add(metrics, number, labels);
    va_end(labels);
}

void metrics_one(struct metrics *metrics, enum metrics_kind kind, const char *name,
                 const char *help, uint64_t value)
{
    metrics_family(metrics, kind, name, help);
    metrics_add(metrics, value, NULL);
}

char *metrics_end(struct metrics *metrics)
{
    put_text(metrics, "# EOF\n");
    put(metrics, "", 1);
    char *text = metrics->text;
    if (metrics->failed) {
        free(text);
        text = NULL;
    }
    *metrics = (struct metrics){0};
    return text;
}
