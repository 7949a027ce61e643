/*
 * why: one sentence for a person about why something failed.
 *
 * The project's error convention: a function that can fail returns 0 or a
 * negative errno value and leaves its ret_* outputs untouched on failure. Where
 * a person has to act on the failure, it also takes a `struct why *` (may be
 * NULL) and puts the sentence there. Libraries fill it in, agents print it.
 */
#ifndef PAMTUNNEL_BASE_WHY_H
#define PAMTUNNEL_BASE_WHY_H

struct why {
    char text[320];
};

/*
 * Formats the sentence and returns err, so that a failing path is one line:
 *     return why_set(why, -EINVAL, "port %u is out of range", port);
 */
int why_set(struct why *why, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
