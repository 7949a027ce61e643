/*
 * record: a record of the audit, as people and other programs read it. What they come to, field by
 * field, is in docs/audit.md.
 */
#ifndef PAMTUNNEL_CTL_RECORD_H
#define PAMTUNNEL_CTL_RECORD_H

#include <jansson.h>
#include <stdio.h>

/*
 * Of one that vps-agent sent: what stood in its body, and the time for people, are fields beside
 * the others. A new reference. NULL: out of memory.
 */
json_t *record_flatten(const json_t *sent);

struct record_format {
    void (*begin)(FILE *out); /* the first line; NULL: there is none */
    /* The record is a flat one. */
    void (*write)(const json_t *record, FILE *out);
};

extern const struct record_format RECORD_TEXT; /* a line for people */
extern const struct record_format RECORD_JSON; /* JSON lines */
extern const struct record_format RECORD_CSV;  /* RFC 4180, and no formulas */
extern const struct record_format RECORD_CEF;  /* Common Event Format 0 */

#endif
