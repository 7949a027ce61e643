/*
 * expired: tells users that commands came too late to be run. After an outage that may be
 * many at once: there is one notice per chat, and answers to fresh commands go first.
 */
#ifndef PAMTUNNEL_VPS_CHAT_EXPIRED_H
#define PAMTUNNEL_VPS_CHAT_EXPIRED_H

#include <stdint.h>
#include <uv.h>

#include "base/log.h"
#include "vps/chat/readers.h"
#include "vps/transport/transport.h"

struct expired;

/* NULL when out of memory. The rest outlives it. */
struct expired *expired_new(uv_loop_t *loop, const struct log *log, struct transport *transport,
                            const struct readers *readers);
/* Drops the notices that are not sent yet. Accepts NULL. */
void expired_free(struct expired *expired);
/* Another command of the user, so old, was not run. */
void expired_add(struct expired *expired, int64_t person, int64_t age_s);

#endif
