/*
 * clearance: whether a request may become a session now: all that may stand in its way, and the
 * gateway that it is going to use.
 */
#ifndef PAMTUNNEL_VPS_SESSION_CLEARANCE_H
#define PAMTUNNEL_VPS_SESSION_CLEARANCE_H

#include <stdbool.h>

#include "base/why.h"
#include "vps/gateways/gateways.h"
#include "vps/session/lockdown.h"
#include "vps/session/request.h"
#include "vps/session/services.h"
#include "vps/session/table.h"

/* What it looks at; all of it outlives it. */
struct clearance {
    const struct services *services;
    const struct table *table;
    const struct lockdown *lockdown;
    bool draining; /* the server opens no new sessions */
};

/*
 * 0 or -ENOKEY, each with *ret_gateway, with the request's target resolved and the rule's terms
 * filled in; or another -errno of sessions_open(). why is a sentence for who asks, with which the
 * target is called what they have typed (said). Consents come last: nobody is asked for what
 * cannot be.
 */
int clearance_check(const struct clearance *clearance, struct session_request *request,
                    const char *said, struct gateway **ret_gateway, struct why *why);
/* The same of the right to reach it alone, whatever room there is for one more. */
int clearance_check_reach(const struct clearance *clearance, struct session_request *request,
                          const char *said, struct gateway **ret_gateway, struct why *why);

#endif
