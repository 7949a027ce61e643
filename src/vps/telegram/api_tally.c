#include "vps/telegram/api_tally.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static struct api_tally_row *row_of(struct api_tally *tally, const char *method, int code)
{
    for (unsigned i = 0; i < tally->row_count; i++) {
        struct api_tally_row *row = &tally->rows[i];
        if (row->code == code && strcmp(row->method, method) == 0) {
            return row;
        }
    }
    if (tally->row_count == API_TALLY_MAX) {
        return NULL;
    }
    struct api_tally_row *row = &tally->rows[tally->row_count++];
    *row = (struct api_tally_row){.method = method, .code = code};
    return row;
}

void api_tally_add(struct api_tally *tally, const char *method, int code)
{
    struct api_tally_row *row = row_of(tally, method, code);
    if (row) {
        row->count++;
    } else {
        tally->others++;
    }
}

void api_tally_measure(const struct api_tally *tally, struct metrics *metrics)
{
    metrics_family(metrics, METRICS_COUNTER, "pamtunnel_telegram_answers",
                   "Answers of the Bot API by method and code; the code 0 is none at all.");
    for (unsigned i = 0; i < tally->row_count; i++) {
        const struct api_tally_row *row = &tally->rows[i];
        char code[16];
        snprintf(code, sizeof code, "%d", row->code);
        metrics_add(metrics, row->count, "method", row->method, "code", code, NULL);
    }
    if (tally->others > 0) {
        metrics_add(metrics, tally->others, "method", "other", "code", "other", NULL);
    }
}
