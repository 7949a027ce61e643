/*
 * target_mistakes: what people write in ALLOWED_TARGETS because other programs accept it: another
 * mark between two entries, a URL, a range of addresses. They are told what to write instead.
 */
#ifndef PAMTUNNEL_GATEWAY_TARGET_MISTAKES_H
#define PAMTUNNEL_GATEWAY_TARGET_MISTAKES_H

#include <stdbool.h>

#include "base/why.h"

/* -EINVAL with why if the text of one entry is several, or a URL; `whole` stands for it there. */
int target_mistakes_check(const char *text, const char *whole, struct why *why);
/* "192.168.1.1-20", "192.168.1.*": the first could be a name, but is not meant as one. */
bool target_mistakes_is_range(const char *host);

#endif
