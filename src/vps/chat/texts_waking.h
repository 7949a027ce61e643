/* texts_waking: what is said of machines that are to wake, to who wants that. */
#ifndef PAMTUNNEL_VPS_CHAT_TEXTS_WAKING_H
#define PAMTUNNEL_VPS_CHAT_TEXTS_WAKING_H

#include "base/text.h"
#include "vps/waking/waking.h"

struct texts_waking {
    const struct waking_view *view;
    bool names_gateway; /* there are several: it is shown with the target */
};

/* Below the end of the session that could not reach it. */
void texts_waking_offer(struct text *html);
/* While it is being woken. */
void texts_waking_asleep(struct text *html, const struct texts_waking *waking);
/* It is awake; a session that follows has words of its own. waits: for a consent. */
void texts_waking_awake(struct text *html, const struct texts_waking *waking, bool waits);
/* It does not answer: what may be wrong. */
void texts_waking_silent(struct text *html, const struct texts_waking *waking);
/* Nobody waits for it any more. */
void texts_waking_ended(struct text *html, const struct texts_waking *waking);
/* What these say if vps-agent was restarted in the meantime. */
void texts_waking_restarted(struct text *html, const struct texts_waking *waking);
/* It is not woken at all. why: a sentence. */
void texts_waking_refused(struct text *html, const struct why *why);

#endif
