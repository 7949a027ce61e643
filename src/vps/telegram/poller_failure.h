/* poller_failure: why the poller got no answer that it can use, and how long to wait then, for
 * poller.c. */
#ifndef PAMTUNNEL_VPS_TELEGRAM_POLLER_FAILURE_H
#define PAMTUNNEL_VPS_TELEGRAM_POLLER_FAILURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/backoff.h"
#include "base/text.h"
#include "vps/telegram/api.h"

/* The Bot API does not know the token: it is mistyped, or was revoked. */
bool poller_token_is_wrong(const struct api_reply *reply);
/* Another program receives this bot's updates. */
bool poller_is_conflict(const struct api_reply *reply);
/* Adds what is wrong, as a clause for a person. */
void poller_failure_text(const struct api_reply *reply, struct text *text);
/* How long to wait before the next try. backoff is told of the failure. */
uint64_t poller_failure_wait_ms(const struct api_reply *reply, struct backoff *backoff);

#endif
