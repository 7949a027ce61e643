/* Who may have what woken, and how that is done. No state but the wakings'. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "vps/gateways/gateways.h"
#include "vps/waking/wakings_core.h"

/* ---- how ---------------------------------------------------------------------- */

static int check_gateway(const struct wakings *wakings, const char *name, struct why *why)
{
    const struct gateways *gateways = sessions_all_gateways(wakings->options.sessions);
    const struct gateway *gateway = gateways ? gateways_find(gateways, name) : NULL;
    struct gateway_view view;
    if (!gateway) {
        return why_set(why, -ENOTCONN, "Gateway %.64s is offline.", name);
    }
    gateway_view(gateway, &view);
    if (view.version < message_since(MESSAGE_WAKE)) {
        return why_set(why, -EPROTONOSUPPORT,
                       "Gateway %.64s cannot wake machines: it has to be upgraded first.", name);
    }
    return 0;
}

/* The policy's word counts more than what was seen. */
static bool know_mac(const struct policy_target *named, const struct mac_entry *learnt,
                     uint8_t ret_mac[MAC_SIZE])
{
    if (named && named->mac && mac_parse(named->mac, ret_mac) == 0) {
        return true;
    }
    if (learnt) {
        memcpy(ret_mac, learnt->mac, MAC_SIZE);
    }
    return learnt != NULL;
}

int wakings_find_means(const struct wakings *wakings, const struct target *target,
                       struct waking_means *ret_means, struct why *why)
{
    const struct policy *policy = people_policy(wakings->options.people);
    const struct policy_target *named = policy ? policy_target_of(policy, target->gateway,
                                                                  target->host)
                                               : NULL;
    const struct mac_entry *learnt = macs_find(wakings->macs, target->gateway, target->host);
    struct waking_means means = {.wake = named ? named->wake : POLICY_WAKE_ASK,
                                 .port = learnt ? learnt->port : 0};
    if (means.wake == POLICY_WAKE_OFF) {
        return why_set(why, -EACCES, "The policy says that %.64s is not woken.", named->name);
    }
    if (!know_mac(named, learnt, means.mac)) {
        return why_set(why, -ENODATA,
                       "I do not know the MAC address of %.64s. I learn it when it answers, if it "
                       "is in the gateway's own network; or it stands in the policy.",
                       target->host);
    }
    int err = check_gateway(wakings, target->gateway, why);
    if (err == 0) {
        *ret_means = means;
    }
    return err;
}

/* ---- who ------------------------------------------------------------------------ */

static int ask_kind(const struct wakings *wakings, const struct session_request *typed,
                    enum kind kind, struct session_request *ret_request, struct why *why)
{
    *ret_request = *typed;
    ret_request->kind = kind;
    if (typed->target.port == 0) {
        ret_request->target.port = kind_row(kind)->port;
    }
    int err = sessions_ask_reach(wakings->options.sessions, ret_request, why);
    if ((err == 0 || err == -ENOKEY) && ret_request->target.port == 0) {
        return why_set(why, -EINVAL, "Say at which port it answers, as in HOST:PORT.");
    }
    return err == -ENOKEY ? 0 : err; /* whoever reaches it with consents may wake it without */
}

int wakings_check_reach(const struct wakings *wakings, struct session_request *request,
                        struct why *why)
{
    struct session_request asked;
    struct why first = {""}, other;
    int err = -EACCES;
    for (unsigned i = 0; i < KIND_COUNT; i++) {
        int result = ask_kind(wakings, request, (enum kind)i, &asked, i == 0 ? &first : &other);
        if (result == 0) {
            *request = asked;
            return 0;
        }
        /* That a target is not for one kind says less than that it is for nobody. */
        if (i == 0) {
            err = result;
        } else if (err == -EINVAL && result != -EINVAL) {
            err = result;
            first = other;
        }
    }
    *why = first;
    return err;
}

int wakings_can_wake(const struct wakings *wakings, const struct session_request *request,
                     struct why *why)
{
    struct session_request wanted = *request;
    struct waking_means means;
    int err = wakings_check_reach(wakings, &wanted, why);
    return err < 0 ? err : wakings_find_means(wakings, &wanted.target, &means, why);
}

/* ---- and how often -------------------------------------------------------------- */

static int check_patience(struct wakings *wakings, const struct owner *owner, struct why *why)
{
    return patience_take(&wakings->patience, owner, clock_ms())
               ? 0
               : why_set(why, -EBUSY,
                         "You have had machines woken very often in a short time. Try again in %d "
                         "min.",
                         PATIENCE_EACH_MS / 60000);
}

int wakings_prepare(struct wakings *wakings, struct session_request *request,
                    struct waking_means *ret_means, struct why *why)
{
    bool has_port = request->target.port != 0;
    int err = wakings_check_reach(wakings, request, why);
    err = err < 0 ? err : wakings_find_means(wakings, &request->target, ret_means, why);
    err = err < 0 ? err : check_patience(wakings, &request->owner, why);
    if (err == 0 && !has_port && ret_means->port != 0) {
        request->target.port = ret_means->port;
    }
    return err;
}

int wakings_check_offer(struct wakings *wakings, const struct waking *waking, struct why *why)
{
    struct session_request request = waking->request;
    struct waking_means means;
    int err = sessions_ask(wakings->options.sessions, &request, why);
    err = err == -ENOKEY ? 0 : err;
    err = err < 0 ? err : wakings_find_means(wakings, &request.target, &means, why);
    return err < 0 ? err : check_patience(wakings, &request.owner, why);
}
