/*
 * passage_refusal: what a proxy means that answers CONNECT with anything but "go on", in a sentence
 * for a person.
 */
#ifndef PAMTUNNEL_BASE_PASSAGE_REFUSAL_H
#define PAMTUNNEL_BASE_PASSAGE_REFUSAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/why.h"

struct passage_refusal {
    unsigned status;
    const char *head; /* the answer up to its empty line; need not end with a NUL */
    size_t len;
    bool had_login;    /* one was sent along */
    const char *where; /* HOST:PORT, which was asked for */
};

/* The -errno that passage_fn is called with, and the sentence. */
int passage_refusal_explain(const struct passage_refusal *refusal, struct why *why);
/* What came is no answer of HTTP: -EPROTO, and what may be the matter. */
int passage_refusal_no_http(const char *bytes, size_t len, struct why *why);

#endif
