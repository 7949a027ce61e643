/*
 * permission: where the policy decides about a session: before one is opened, whoever asked for
 * it, and again for those that run when there is another policy.
 */
#ifndef PAMTUNNEL_VPS_SESSION_PERMISSION_H
#define PAMTUNNEL_VPS_SESSION_PERMISSION_H

#include <stdbool.h>

#include "base/why.h"
#include "vps/people/people.h"
#include "vps/session/request.h"
#include "vps/session/terms.h"
#include "vps/settings/settings.h"

/* A name of the policy becomes what it stands for. 0, or -EINVAL with a sentence in why. */
int permission_resolve(const struct vps_settings *settings, struct session_request *request,
                       struct why *why);
/*
 * Decides, and puts the deciding rule's terms into the request. To be asked before a gateway is
 * picked, and again when request->target.gateway is the one it is going to be. said: the host as
 * it was typed, for the sentence: whoever may not reach a target does not hear its address. 0, or
 * with a sentence for who asked -EACCES, or -ENOKEY if the rule allows it with consents that were
 * not given (request->needed). Without a policy everything is allowed here.
 */
int permission_ask(const struct vps_settings *settings, const struct people *people,
                   struct session_request *request, const char *said, struct why *why);
/* Some rule still allows what was opened, at whatever hour. */
bool permission_holds(const struct vps_settings *settings, const struct people *people,
                      const struct terms *terms);
/* It could be opened now: its hours are not over, nor is its user's time. */
bool permission_is_now(const struct vps_settings *settings, const struct people *people,
                       const struct terms *terms);

enum { PERMISSION_AHEAD_S = 360 };

/* What the clock is about to end: of SESSION_END_HOURS, _EXPIRED, or _NONE within that time. */
struct permission_end {
    enum session_end end;
    unsigned seconds; /* until then; 0: it is so now */
};
struct permission_end permission_ends(const struct vps_settings *settings,
                                      const struct people *people, const struct terms *terms);

#endif
