/*
 * reload: the settings are read again while the agent runs: read -> compare -> decide ->
 * apply. All or nothing: when something is wrong, everything stays as it was.
 *
 * Access that is taken away ends at once: sessions of a user who is not listed any more, and
 * of a gateway that has no key any more. A gateway with another key has to log in again, and
 * what it relays goes on. Everything else is for what begins from then on: see
 * struct session_limits.
 */
#ifndef PAMTUNNEL_VPS_RELOAD_H
#define PAMTUNNEL_VPS_RELOAD_H

#include "base/changes.h"
#include "base/log.h"
#include "vps/audit/audit.h"
#include "vps/consent/holds.h"
#include "vps/gateways/gateways.h"
#include "vps/session/sessions_run.h"
#include "vps/settings/settings.h"
#include "vps/waking/wakings.h"

struct reload {
    struct vps_settings *settings; /* what everybody reads; changed in place */
    const char *env_file;          /* where they come from; may be NULL */
    struct log *log;
    struct sessions *sessions;
    struct holds *holds;
    struct wakings *wakings;
    struct gateways *gateways;
};

/*
 * Does it, and logs nothing: what came of it is program_reload()'s to say. 0 with the changes; or
 * -errno with why.
 */
int reload_run(const struct reload *reload, struct changes *ret_changes, struct why *why);

/* The audit says what has changed, and which policy is in force, by the hash of its file. */
void reload_record(struct audit *audit, const struct vps_settings *settings,
                   const struct changes *changes);
/* Of the policy alone, as it is at the start. */
void reload_record_policy(struct audit *audit, const struct vps_settings *settings);

#endif
