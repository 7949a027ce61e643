/* when: a moment as people write it. In UTC, as the log and the audit are. */
#ifndef PAMTUNNEL_CTL_WHEN_H
#define PAMTUNNEL_CTL_WHEN_H

#include <stdbool.h>
#include <stdint.h>

/* For help and for mistakes. */
#define WHEN_FORMS "2026-11-26, \"2026-11-26 14:00\" (UTC), or how long ago: 12h, 7d"

/*
 * Milliseconds of Unix time. is_end: the moment is the end of a span, so that a day, a minute or a
 * second is in it. -EINVAL.
 */
int when_parse(const char *text, int64_t now_ms, bool is_end, int64_t *ret_ms);

#endif
