/* hold_run: how the table of them (holds.h) makes a request on hold, and moves it on. */
#ifndef PAMTUNNEL_VPS_CONSENT_HOLD_RUN_H
#define PAMTUNNEL_VPS_CONSENT_HOLD_RUN_H

#include "base/list.h"
#include "base/log.h"
#include "vps/consent/hold.h"
#include "vps/people/people.h"

/*
 * said: the request as it was typed; resolved: what that stands for now. Draws its id. It expires
 * at that time of clock_ms(). NULL when out of memory or of random numbers.
 */
struct hold *hold_new(const struct session_request *said, const struct session_request *resolved,
                      uint64_t expires_ms);
/* Accepts NULL. */
void hold_free(struct hold *hold);
/* Where it hangs in the table. */
struct list *hold_home(struct hold *hold);
struct hold *hold_of(struct list *home);

enum hold_state hold_state(const struct hold *hold);
const struct owner *hold_owner(const struct hold *hold);
uint64_t hold_expires_ms(const struct hold *hold);
/* All that its rule asked for when it was renewed last is there. */
bool hold_is_complete(const struct hold *hold);
/* It leads to the same machine, in the same way, for the same person. */
bool hold_is_for(const struct hold *hold, const struct session_request *resolved);

/* Into another state, with a line in the log. by and reason, a sentence, may be NULL. */
void hold_move(struct hold *hold, enum hold_state to, const struct owner *by, const char *reason,
               const struct log *log);
void hold_give_factor(struct hold *hold);
/* One more person agrees. -EALREADY if this one did before, with whatever account. */
int hold_approve(struct hold *hold, const struct owner *by, const struct people *people);
/* Forgets the word of those who may not give it any more. */
void hold_recount(struct hold *hold, const struct people *people);
/* Other rules may ask for other consents, and allow other terms. resolved: of hold_request(). */
void hold_renew(struct hold *hold, const struct session_request *resolved);
/* What to ask for now: as it was typed, through the gateway that it had, with its consents. */
struct session_request hold_request(const struct hold *hold);

#endif
