/* texts_factor: what is said about codes of the second factor. */
#ifndef PAMTUNNEL_VPS_CHAT_TEXTS_FACTOR_H
#define PAMTUNNEL_VPS_CHAT_TEXTS_FACTOR_H

#include "base/text.h"
#include "vps/factor/factors.h"

/* How many tries are left, or how long none is taken. */
void texts_factor_wrong(struct text *html, const struct factor_view *view);
/* To administrators: somebody gave too many wrong ones. */
void texts_factor_locked(struct text *html, const struct factor_view *view);
void texts_factor_used(struct text *html);
/* Nothing waits for one. */
void texts_factor_not_asked(struct text *html);
void texts_factor_late(struct text *html);
/* It was right, or could not be looked at: the state file cannot be written. */
void texts_factor_not_kept(struct text *html);

#endif
