/* texts_consent: what is said about a request that waits for others. */
#ifndef PAMTUNNEL_VPS_CHAT_TEXTS_CONSENT_H
#define PAMTUNNEL_VPS_CHAT_TEXTS_CONSENT_H

#include "base/text.h"
#include "vps/consent/hold.h"
#include "vps/people/people.h"

/* What all of them go by. */
struct texts_hold {
    const struct hold_view *view;
    const struct people *people; /* their names */
    long longest_s;              /* of a session that no rule makes shorter; 0: for ever */
    const char *missed; /* those who may approve it and cannot be asked, as HTML; NULL, "" */
};

/* To whoever asks: while it waits, and how it ended, but for HOLD_GRANTED. */
void texts_hold_asker(struct text *html, const struct texts_hold *hold);
/* To whoever asked, when it is granted; the session has a message of its own. */
void texts_hold_granted(struct text *html, const struct texts_hold *hold);
/* To those who may approve it: while it waits, and how it ended. */
void texts_hold_approver(struct text *html, const struct texts_hold *hold);
/* To one of them who may not any more. */
void texts_hold_not_asked(struct text *html, const struct texts_hold *hold);
/* What these say if vps-agent was restarted in the meantime. */
void texts_hold_asker_restarted(struct text *html, const struct texts_hold *hold);
void texts_hold_approver_restarted(struct text *html, const struct texts_hold *hold);

#endif
