/*
 * metrics: a page of numbers in the text format of OpenMetrics 1.0, family by family:
 *
 *     # HELP disk_reads Blocks that were read.
 *     # TYPE disk_reads counter
 *     disk_reads_total{disk="sda"} 17
 *
 * A page that memory is too short for is none: metrics_end() says so, and nothing has to be looked
 * at before.
 */
#ifndef PAMTUNNEL_BASE_METRICS_H
#define PAMTUNNEL_BASE_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define METRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

enum metrics_kind {
    METRICS_GAUGE,   /* goes up and down */
    METRICS_COUNTER, /* since the start; its samples are called NAME_total */
    METRICS_INFO,    /* always 1, for its labels; the sample is called NAME_info */
};

/* Zero-initialised is an empty page. */
struct metrics {
    char *text;
    size_t len, size;
    bool failed;
    /* The family that is being written. */
    const char *name;
    enum metrics_kind kind;
};

/*
 * Begins a family. name has neither _total nor _info, lives until the next one begins, and comes
 * once a page. help: a sentence.
 */
void metrics_family(struct metrics *metrics, enum metrics_kind kind, const char *name,
                    const char *help);
/* A sample of the family. Behind the value: labels, NAME and VALUE in turn, and NULL. */
void metrics_add(struct metrics *metrics, uint64_t value, ...) __attribute__((sentinel));
/* The same of seconds, which are given in microseconds. */
void metrics_add_us(struct metrics *metrics, uint64_t us, ...) __attribute__((sentinel));
/* A family with one sample and no labels. */
void metrics_one(struct metrics *metrics, enum metrics_kind kind, const char *name,
                 const char *help, uint64_t value);

/* The whole page with its end, to be given to free(); NULL when out of memory. */
char *metrics_end(struct metrics *metrics);

#endif
