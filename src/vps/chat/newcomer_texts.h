/*
 * newcomer_texts: what is said about somebody who wants in (newcomers.h), and to them. It is HTML,
 * as in texts.h.
 */
#ifndef PAMTUNNEL_VPS_CHAT_NEWCOMER_TEXTS_H
#define PAMTUNNEL_VPS_CHAT_NEWCOMER_TEXTS_H

#include <stdint.h>

#include "base/text.h"

enum newcomer_outcome {
    NEWCOMER_LET_IN,
    NEWCOMER_TURNED_AWAY,
    NEWCOMER_EXPIRED,       /* nobody answered in time */
    NEWCOMER_NOT_IN_POLICY, /* any more */
    NEWCOMER_LINK_IS_GONE,  /* somebody took it back, or made another one */
};

struct newcomer_who {
    int64_t person;
    const char *called; /* what they call themselves; "": nothing */
    const char *name;   /* that the link was made for */
    unsigned roles;     /* of that user in the policy, enum policy_role */
};

/* To an administrator: the question; what came of it, by whom ("": nobody); or that it is open. */
void newcomer_texts_question(struct text *html, const struct newcomer_who *who);
void newcomer_texts_outcome(struct text *html, const struct newcomer_who *who,
                            enum newcomer_outcome outcome, const char *by);
void newcomer_texts_restarted(struct text *html, const struct newcomer_who *who);
/* To themselves. */
void newcomer_texts_told(struct text *html, enum newcomer_outcome outcome);

#endif
