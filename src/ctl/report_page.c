/*
 * The page of a report: HTML and CSS in one file, without a script and without anything from
 * elsewhere, so that it can be mailed, kept and printed. Bars without words are SVG, which may be
 * stretched; all words are text beside them, so that they keep their size on a phone. What comes
 * from the audit was written by people or peers: it goes through put().
 */
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/entity.h"
#include "base/text.h"
#include "ctl/report_sums.h"

enum {
    DAY_MS = 24 * 3600 * 1000,
    BARS_MOST = 100, /* of them fit on a phone */
    ROWS_MOST = 12,  /* of a list; the others are one row */
    AMOUNT_MAX = 64, /* also takes a time */
};

static const char STYLE[] =
    ":root{color-scheme:light dark;--ground:#fff;--card:#f6f7f9;--text:#1b1f24;--soft:#5b6470;"
    "--line:#dde1e6;--bar:#2f6fde;--warn:#b4501e}"
    "@media(prefers-color-scheme:dark){:root{--ground:#14171b;--card:#1d2126;--text:#e7eaee;"
    "--soft:#9aa4b0;--line:#333a42;--bar:#6ea2ff;--warn:#f0935a}}"
    "*{box-sizing:border-box}"
    "body{margin:0 auto;max-width:60rem;padding:1.5rem 1rem 3rem;background:var(--ground);"
    "color:var(--text);font:16px/1.45 system-ui,-apple-system,'Segoe UI',sans-serif}"
    "h1{font-size:1.6rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .6rem}"
    "p{margin:.3rem 0}.soft{color:var(--soft)}"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr));gap:.7rem;"
    "margin:1.3rem 0}"
    ".tile{background:var(--card);border:1px solid var(--line);border-radius:.6rem;"
    "padding:.7rem .9rem}.tile b{display:block;font-size:1.35rem}.tile span{color:var(--soft);"
    "font-size:.85rem}"
    "svg{display:block;width:100%;height:9rem;background:var(--card);"
    "border-bottom:1px solid var(--line)}svg rect{fill:var(--bar)}"
    ".axis{display:flex;justify-content:space-between;color:var(--soft);font-size:.85rem}"
    ".scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;padding:.35rem .6rem .35rem 0;border-bottom:1px solid var(--line);"
    "vertical-align:top}td:first-child{min-width:7.5rem;overflow-wrap:break-word}"
    "th{color:var(--soft);font-weight:500;font-size:.85rem}"
    "td.n,th.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}"
    "td.bar{width:60%}td.bar i{display:block;height:.4rem;margin:.2rem 0;border-radius:.2rem;"
    "background:var(--bar)}.warn td.bar i{background:var(--warn)}"
    ".two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));"
    "gap:0 2rem}"
    "footer{margin-top:2.5rem;color:var(--soft);font-size:.85rem}"
    "@media print{body{max-width:none;padding:0;font-size:11pt}section,tr{break-inside:avoid}"
    "svg,td.bar i,.tile{print-color-adjust:exact;-webkit-print-color-adjust:exact}}";

/* ---- words ---------------------------------------------------------------- */

/* As text, whatever is in it. */
static void put(FILE *page, const char *text)
{
    for (; *text; text++) {
        const char *entity = entity_of(*text);
        if (entity) {
            fputs(entity, page);
        } else {
            fputc(*text, page);
        }
    }
}

static const char *day_text(int64_t at_ms, char dst[REPORT_DAY_MAX])
{
    time_t at = (time_t)(at_ms / 1000);
    struct tm utc;
    strftime(dst, REPORT_DAY_MAX, "%Y-%m-%d", gmtime_r(&at, &utc));
    return dst;
}

static const char *span(uint64_t seconds, char dst[AMOUNT_MAX])
{
    struct text text = text_over(dst, AMOUNT_MAX);
    text_add_seconds(&text, seconds);
    return dst;
}

static const char *amount(uint64_t bytes, char dst[AMOUNT_MAX])
{
    struct text text = text_over(dst, AMOUNT_MAX);
    text_add_bytes(&text, bytes);
    return dst;
}

/* ---- the top -------------------------------------------------------------- */

static void put_tile(FILE *page, const char *value, const char *label)
{
    fputs("<div class=\"tile\"><b>", page);
    put(page, value);
    fprintf(page, "</b><span>%s</span></div>\n", label);
}

static void put_count_tile(FILE *page, uint64_t count, const char *label)
{
    char value[AMOUNT_MAX];
    snprintf(value, sizeof value, "%" PRIu64, count);
    put_tile(page, value, label);
}

static void put_tiles(FILE *page, const struct report_sums *sums)
{
    char value[AMOUNT_MAX];
    fputs("<div class=\"tiles\">\n", page);
    put_count_tile(page, sums->sessions, "sessions");
    put_count_tile(page, sums->sessions - sums->used, "never connected to");
    put_count_tile(page, sums->people.count, "people");
    put_count_tile(page, sums->targets.count, "machines");
    put_tile(page, span(sums->seconds, value), "connected");
    put_tile(page, amount(sums->bytes, value), "transferred");
    put_count_tile(page, sums->refusal_count, "requests refused");
    put_count_tile(page, sums->stranger_count, "strangers turned away");
    fputs("</div>\n", page);
}

/* ---- day by day ----------------------------------------------------------- */

struct bar {
    int64_t from_ms;
    uint64_t count, seconds;
};

/* Days are summed up by as many as it takes for the bars to fit. */
struct bars {
    struct bar bar[BARS_MOST];
    unsigned count;
    int64_t days_each;
    uint64_t most;
};

static void sum_days(const struct report_sums *sums, int64_t from_ms, int64_t until_ms,
                     struct bars *bars)
{
    int64_t first = from_ms / DAY_MS, last = until_ms / DAY_MS, days = last - first + 1;
    *bars = (struct bars){.days_each = days <= BARS_MOST ? 1 : (days + BARS_MOST - 1) / BARS_MOST};
    size_t at = 0; /* both go the same way: days are keys in their order */
    for (int64_t day = first; day <= last; day++) {
        char text[REPORT_DAY_MAX];
        struct bar *bar = &bars->bar[(day - first) / bars->days_each];
        if ((day - first) % bars->days_each == 0) {
            *bar = (struct bar){.from_ms = day * DAY_MS};
            bars->count++;
        }
        day_text(day * DAY_MS, text);
        for (; at < sums->days.count && strcmp(sums->days.entries[at].key, text) <= 0; at++) {
            bar->count += sums->days.entries[at].count;
            bar->seconds += sums->days.entries[at].seconds;
        }
        bars->most = bar->count > bars->most ? bar->count : bars->most;
    }
}

static void put_bar(FILE *page, const struct bars *bars, unsigned i)
{
    char day[REPORT_DAY_MAX], time[AMOUNT_MAX];
    const struct bar *bar = &bars->bar[i];
    double height = bars->most ? 96.0 * (double)bar->count / (double)bars->most : 0;
    fprintf(page,
            "<rect x=\"%u.1\" y=\"%.2f\" width=\".8\" height=\"%.2f\"><title>%s%s: %" PRIu64
            " sessions, %s</title></rect>\n",
            i, 100 - height, height, bars->days_each > 1 ? "from " : "",
            day_text(bar->from_ms, day), bar->count, span(bar->seconds, time));
}

static void put_days(FILE *page, const struct report_sums *sums, int64_t from_ms, int64_t until_ms)
{
    struct bars bars;
    char day[REPORT_DAY_MAX];
    sum_days(sums, from_ms, until_ms, &bars);
    fputs("<section><h2>Sessions ", page);
    if (bars.days_each == 1) {
        fputs("per day", page);
    } else {
        fprintf(page, "per %" PRId64 " days", bars.days_each);
    }
    fprintf(page, "</h2>\n<p class=\"soft\">at most %" PRIu64 "</p>\n", bars.most);
    fprintf(page,
            "<svg viewBox=\"0 0 %u 100\" preserveAspectRatio=\"none\" role=\"img\" "
            "aria-label=\"sessions over time\">\n",
            bars.count);
    for (unsigned i = 0; i < bars.count; i++) {
        put_bar(page, &bars, i);
    }
    fprintf(page, "</svg>\n<div class=\"axis\"><span>%s</span>", day_text(from_ms, day));
    fprintf(page, "<span>%s</span></div></section>\n", day_text(until_ms, day));
}

/* ---- lists ---------------------------------------------------------------- */

struct list {
    const char *title, *what, *unit; /* "People", "person", "sessions" */
    bool with_time;                  /* and bytes: of sessions */
    bool warns;                      /* of what should not be much */
};

static void put_row(FILE *page, const struct list *list, const struct tally_entry *entry,
                    uint64_t most)
{
    char value[AMOUNT_MAX];
    fputs("<tr><td class=\"bar\">", page);
    put(page, entry->key);
    fprintf(page, "<i style=\"width:%.1f%%\"></i></td><td class=\"n\">%" PRIu64 "</td>",
            most ? 100.0 * (double)entry->count / (double)most : 0, entry->count);
    if (list->with_time) {
        fprintf(page, "<td class=\"n\">%s</td>", span(entry->seconds, value));
        fprintf(page, "<td class=\"n\">%s</td>", amount(entry->bytes, value));
    }
    fputs("</tr>\n", page);
}

/* The first ones, and the others as one row. */
static void put_rows(FILE *page, const struct list *list, const struct tally *tally)
{
    char label[AMOUNT_MAX];
    struct tally_entry others = {.key = label};
    uint64_t most = tally->entries[0].count;
    for (size_t i = 0; i < tally->count; i++) {
        const struct tally_entry *entry = &tally->entries[i];
        if (i < ROWS_MOST) {
            put_row(page, list, entry, most);
        } else {
            others.count += entry->count;
            others.seconds += entry->seconds;
            others.bytes += entry->bytes;
        }
    }
    if (tally->count > ROWS_MOST) {
        snprintf(label, sizeof label, "%zu others", tally->count - ROWS_MOST);
        put_row(page, list, &others, others.count > most ? others.count : most);
    }
}

static void put_list(FILE *page, const struct list *list, const struct tally *tally)
{
    if (tally->count == 0) {
        return;
    }
    fprintf(page,
            "<section%s><h2>%s</h2><div class=\"scroll\"><table><tr><th>%s</th>"
            "<th class=\"n\">%s</th>%s</tr>\n",
            list->warns ? " class=\"warn\"" : "", list->title, list->what, list->unit,
            list->with_time ? "<th class=\"n\">connected</th><th class=\"n\">transferred</th>"
                            : "");
    put_rows(page, list, tally);
    fputs("</table></div></section>\n", page);
}

static void put_longest(FILE *page, const struct report_sums *sums)
{
    char value[AMOUNT_MAX];
    if (sums->longest_count == 0) {
        return;
    }
    fputs("<section><h2>The longest</h2><div class=\"scroll\"><table><tr><th>person</th>"
          "<th>machine</th><th>kind</th><th class=\"n\">ended</th><th class=\"n\">connected</th>"
          "<th class=\"n\">transferred</th></tr>\n",
          page);
    for (unsigned i = 0; i < sums->longest_count; i++) {
        const struct report_session *session = &sums->longest[i];
        fputs("<tr><td>", page);
        put(page, session->person);
        fputs("</td><td>", page);
        put(page, session->target);
        fputs("</td><td>", page);
        put(page, session->kind);
        fprintf(page, "</td><td class=\"n\">%s</td>", clock_text(session->ended_ms / 1000, value));
        fprintf(page, "<td class=\"n\">%s</td>", span(session->seconds, value));
        fprintf(page, "<td class=\"n\">%s</td></tr>\n", amount(session->bytes, value));
    }
    fputs("</table></div></section>\n", page);
}

/* ---- all of it ------------------------------------------------------------ */

static void put_head(FILE *page, const char *host, int64_t from_ms, int64_t until_ms)
{
    char from[REPORT_DAY_MAX], until[REPORT_DAY_MAX];
    fprintf(page,
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
            "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
            "<meta http-equiv=\"Content-Security-Policy\" "
            "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
            "<title>pamtunnel: sessions, %s to %s</title>\n<style>%s</style></head><body>\n"
            "<h1>Who was where</h1>\n<p class=\"soft\">Sessions of ",
            day_text(from_ms, from), day_text(until_ms, until), STYLE);
    put(page, host);
    fprintf(page, ", %s to %s (days of UTC)</p>\n", from, until);
}

void report_page(const struct report_sums *sums, const struct report_frame *frame, FILE *page)
{
    char made[CLOCK_TEXT_MAX];
    int64_t from_ms = frame->from_ms ? frame->from_ms : sums->first_ms;
    from_ms = from_ms && from_ms < frame->until_ms ? from_ms : frame->until_ms;
    put_head(page, frame->host, from_ms, frame->until_ms);
    put_tiles(page, sums);
    if (sums->sessions == 0) {
        fputs("<p>No session ended in this time.</p>\n", page);
    } else {
        put_days(page, sums, from_ms, frame->until_ms);
    }
    fputs("<div class=\"two\">\n", page);
    put_list(page, &(struct list){"People", "person", "sessions", true, false}, &sums->people);
    put_list(page, &(struct list){"Machines", "machine", "sessions", true, false}, &sums->targets);
    put_list(page, &(struct list){"Gateways", "gateway", "sessions", true, false}, &sums->gateways);
    put_list(page, &(struct list){"How they ended", "end", "sessions", false, false}, &sums->ends);
    fputs("</div>\n", page);
    put_longest(page, sums);
    fputs("<div class=\"two\">\n", page);
    put_list(page, &(struct list){"Refused: who", "person", "requests", false, true},
             &sums->refused);
    put_list(page, &(struct list){"Refused: why", "reason", "requests", false, true},
             &sums->refusals);
    put_list(page, &(struct list){"Strangers at the ports", "machine", "turned away", false, true},
             &sums->strangers);
    fputs("</div>\n", page);
    fprintf(page,
            "<footer>Made by pamctl report at %s from the audit of vps-agent. "
            "<code>pamctl audit verify</code> tells whether that is whole.</footer>\n"
            "</body></html>\n",
            clock_text(frame->made_ms / 1000, made));
}
