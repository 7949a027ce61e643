/*
 * judge: who is let in at the public port. One pure function decides, from
 * facts that others collected; design and reasons are in docs/threat-model.md,
 * "Admission".
 */
#ifndef PAMTUNNEL_VPS_ADMISSION_JUDGE_H
#define PAMTUNNEL_VPS_ADMISSION_JUDGE_H

#include <stdbool.h>

#include "shared/kind.h"
#include "vps/settings/settings.h"

enum verdict {
    VERDICT_ADMIT, /* it is the session's user */
    VERDICT_ASK,   /* somebody has to say */
    VERDICT_DROP,  /* it costs the session nothing */
};

struct visit {
    const struct kind_row *kind; /* of the session */
    enum admit admit;            /* the setting */
    bool has_secret;             /* the secret of its file, compared already */
    bool is_silent;              /* it has said nothing */
    bool known;                  /* its party was admitted for this user before */
    bool linked;                 /* its party pressed the button of the session's page */
    bool blocked;                /* its party was blocked in this session */
    bool somebody_is_in;         /* this session admitted a client already */
    bool from_that_party;        /* ... and this one comes from the same address (IPv6: /64) */
    bool that_had_no_secret;     /* ... which was admitted without the secret */
    bool is_full;                /* ... and as many are connected as may be at once */
    bool is_the_only_one;        /* whoever comes in first is the last: the port is closed */
};

/* About a client that has said what it is, or may be what it is without a word. */
enum verdict judge_visit(const struct visit *visit);
/*
 * About one that said nothing until its patience was over. It may be an SSH client that
 * waits for the server's first word: it is let in where one that spoke would be, and is
 * not worth a question. Never VERDICT_ASK.
 */
enum verdict judge_silent(const struct visit *visit);

#endif
