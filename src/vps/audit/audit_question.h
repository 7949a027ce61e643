/*
 * audit_question: what somebody wants to know of the audit: a page of its records, by who, where,
 * what and when. Whoever wants more asks again, behind the last record of this page.
 */
#ifndef PAMTUNNEL_VPS_AUDIT_AUDIT_QUESTION_H
#define PAMTUNNEL_VPS_AUDIT_AUDIT_QUESTION_H

#include "vps/audit/audit.h"

enum { AUDIT_PAGE_MAX = 64, AUDIT_ACCOUNTS_MAX = 8, AUDIT_EVENTS_MAX = 16 };

/* Zero-initialised is everything from the beginning. What it points to is read in the call. */
struct audit_question {
    const struct owner *accounts;         /* whose records; none: everybody's */
    unsigned account_count;               /* AUDIT_ACCOUNTS_MAX at most */
    const char *name;                     /* and those recorded under this name; or NULL */
    const char *targets[2];               /* "HOME-PC:22", or "HOME-PC" for all ports; NULL: all */
    const char *gateway;                  /* NULL: all */
    const char *events[AUDIT_EVENTS_MAX]; /* words; none: all */
    int64_t since_ms, until_ms; /* of Unix time: from the one on, before the other; 0: open */
    /* Behind this record: by its time and number, or with newer by its number alone. */
    int64_t after_ms, after_seq;
    bool newer;  /* those that were recorded later, in that order; else in the order of time */
    bool latest; /* backwards, the latest first; there is no page behind this one */
};

/* Valid during the call. */
struct audit_record_view {
    int64_t seq, at_ms;
    const char *what, *person, *target, *gateway, *session, *body; /* "" where there is none */
    const uint8_t *hash; /* CRYPTO_HASH_SIZE bytes; NULL if somebody was at the file */
};

struct audit_answer {
    void (*record)(void *arg, const struct audit_record_view *view);
    /* After the last one of this page: 0, or -errno. more: there are others behind it. */
    void (*done)(void *arg, int err, bool more);
};

/*
 * The answer comes from the loop, unless audit_detach() with this arg comes before. 0; or -errno,
 * and nothing is called: -ENODEV without an audit, -EBUSY if too many ask.
 */
int audit_ask(struct audit *audit, const struct audit_question *question,
              const struct audit_answer *answer, void *arg);

#endif
