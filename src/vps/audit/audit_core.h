/* audit_core: the audit from the inside, for its own files. */
#ifndef PAMTUNNEL_VPS_AUDIT_AUDIT_CORE_H
#define PAMTUNNEL_VPS_AUDIT_AUDIT_CORE_H

#include "base/list.h"
#include "base/timer.h"
#include "vps/audit/audit_question.h"

struct audit {
    struct audit_options options;
    struct list rows;     /* under way, the oldest first */
    struct list barriers; /* the oldest first */
    struct list asked;    /* questions that the store has yet to answer */
    struct timer *timer;  /* of the first barrier */
    struct timer *prune_timer;
    int64_t pruned_day; /* of Unix time, and */
    long pruned_days;   /* what AUDIT_DAYS was then */
    /* The clocks at the last look, and until when the one of Unix time is not trusted. */
    int64_t seen_unix_ms;
    uint64_t seen_ms, distrusted_until_ms;
    uint64_t recorded; /* rows so far */
};

struct row_under_way {
    struct list home;
    struct audit *audit;
    uint64_t number;
    audit_done_fn done; /* NULL: nobody wants to know */
    void *arg;
};

struct barrier {
    struct list home;
    uint64_t behind; /* the row of this number */
    uint64_t until_ms;
    audit_done_fn fn;
    void *arg;
};

struct asked {
    struct list home;
    struct audit_answer answer;
    void *arg;
};

/* Keeps to AUDIT_DAYS. 0 or -ENOMEM. */
int audit_prune_start(struct audit *audit);
/* Those of this arg are not answered any more; NULL: none of them. */
void audit_question_forget(struct audit *audit, const void *arg);

#endif
