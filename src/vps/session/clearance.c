#include "vps/session/clearance.h"

#include <errno.h>

#include "vps/audit/audit.h"
#include "vps/session/explain.h"
#include "vps/session/permission.h"

/* "office/": a gateway, and no machine. Or a machine, and no port, where there is no usual one. */
static int check_target(const struct clearance *clearance, const struct target *target,
                        struct why *why)
{
    if (target->port == 0) {
        return why_set(why, -EINVAL, "Which port? Write it behind a colon, as in %.64s:5432.",
                       target->host);
    }
    const struct attendance *attendance = gateways_attendance(clearance->services->gateways);
    if (!target->slash || target->gateway[0] || !attendance_knows(attendance, target->host)) {
        return 0;
    }
    return why_set(why, -EINVAL,
                   "Which machine? %.64s is a gateway: write %.64s/HOST for a machine behind it, "
                   "or %.64s without the / for one of that name.",
                   target->host, target->host, target->host);
}

/* Whatever is opened now could not be recorded. */
static int check_audit(const struct clearance *clearance, struct why *why)
{
    int err = audit_trouble(clearance->services->audit);
    bool refuses = clearance->services->settings->audit_full == AUDIT_FULL_REFUSE;
    return err < 0 && refuses ? explain_no_audit(err, why) : 0;
}

static int check_limits(const struct clearance *clearance, const struct owner *owner,
                        struct why *why)
{
    const struct vps_settings *settings = clearance->services->settings;
    unsigned long most = (unsigned long)settings->max_sessions_per_user;
    if (clearance->table->live >= most && table_count_of(clearance->table, owner) >= most) {
        return why_set(why, -EDQUOT,
                       "You have too many sessions open: %ld is the limit. Close one first.",
                       settings->max_sessions_per_user);
    }
    if (clearance->table->live >= (unsigned long)settings->max_sessions) {
        return why_set(why, -ENFILE,
                       "Too many sessions are open on this server: %ld is the limit. Try again "
                       "later.",
                       settings->max_sessions);
    }
    return 0;
}

/* With the gateway that it is, a rule for another one does not fit any more. */
static int ask_again(const struct clearance *clearance, struct session_request *request,
                     const char *said, const struct gateway *gateway, struct why *why)
{
    struct gateway_view view;
    gateway_view(gateway, &view);
    struct text name = text_over(request->target.gateway, sizeof request->target.gateway);
    text_add(&name, "%s", view.name);
    return permission_ask(clearance->services->settings, clearance->services->people, request, said,
                          why);
}

static int check_right(const struct clearance *clearance, struct session_request *request,
                       const char *said, struct gateway **ret_gateway, struct why *why)
{
    const struct vps_settings *settings = clearance->services->settings;
    const struct people *people = clearance->services->people;
    int err = permission_resolve(settings, request, why);
    err = err < 0 ? err : check_target(clearance, &request->target, why);
    err = err < 0 ? err : permission_ask(settings, people, request, said, why);
    if (err == 0 || err == -ENOKEY) {
        err = gateways_pick(clearance->services->gateways, request->target.gateway, ret_gateway,
                            why);
    }
    return err < 0 ? err : ask_again(clearance, request, said, *ret_gateway, why);
}

int clearance_check_reach(const struct clearance *clearance, struct session_request *request,
                          const char *said, struct gateway **ret_gateway, struct why *why)
{
    if (!clearance->services->gateways) {
        return why_set(why, -ENOTCONN, "The server is being stopped. Try again in a moment.");
    }
    int err = lockdown_check(clearance->lockdown, clearance->services->people, why);
    err = err < 0 ? err : check_audit(clearance, why);
    return err < 0 ? err : check_right(clearance, request, said, ret_gateway, why);
}

int clearance_check(const struct clearance *clearance, struct session_request *request,
                    const char *said, struct gateway **ret_gateway, struct why *why)
{
    if (!clearance->services->gateways) {
        return why_set(why, -ENOTCONN, "The server is being stopped. Try again in a moment.");
    }
    int err = lockdown_check(clearance->lockdown, clearance->services->people, why);
    if (err < 0) {
        return err;
    }
    if (clearance->draining) {
        return why_set(why, -ESHUTDOWN,
                       "The server is about to be restarted and opens no new sessions. Try again "
                       "in a few minutes.");
    }
    err = check_limits(clearance, &request->owner, why);
    err = err < 0 ? err : check_audit(clearance, why);
    return err < 0 ? err : check_right(clearance, request, said, ret_gateway, why);
}
