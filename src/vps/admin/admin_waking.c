#include "vps/admin/admin_waking.h"

#include <errno.h>

#include "base/text.h"
#include "vps/admin/admin_reply.h"

/* ---- wake ------------------------------------------------------------------ */

static json_t *not_woken(int err, const struct why *why)
{
    return err == -ENODATA           ? reply_error("no_mac", why->text)
           : err == -EPROTONOSUPPORT ? reply_error("old_gateway", why->text)
           : err == -EBUSY           ? reply_error("requests_limit", why->text)
                                     : reply_errno(err, why->text);
}

json_t *admin_wake(struct admin_call *call, const json_t *request)
{
    struct session_request wanted = {.owner = {OWNER_LOCAL, call->uid}};
    const char *typed = json_string_value(json_object_get(request, "target"));
    struct why why = {""};
    int err = target_parse(typed ? typed : "", 0, &wanted.target, &why);
    err = err < 0 ? err : wakings_wake(call->options->wakings, &wanted, &call->asked.waking, &why);
    call->asked.follows_waking = json_is_true(json_object_get(request, "follows_waking"));
    return err < 0 ? not_woken(err, &why) : NULL;
}

static json_t *describe(const struct waking_view *view)
{
    const struct session_request *request = view->request;
    char mac[MAC_TEXT_SIZE], target[TARGET_TEXT_MAX];
    target_format(request->target.host, request->target.port, target);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:i}", "id", view->id, "state",
                     waking_state_name(view->state), "target", target, "gateway",
                     request->target.gateway, "mac", mac_text(view->mac, mac), "seconds",
                     (int)view->seconds);
}

static void say_silent(const struct waking_view *view, struct text *text)
{
    const struct target *target = &view->request->target;
    switch (view->silence) {
    case WAKING_REFUSES:
        text_add(text, "%s is awake, but nothing listens on port %u.", target->host, target->port);
        break;
    case WAKING_NOT_ALLOWED:
        text_add(text, "Gateway %s does not serve %s port %u; see its ALLOWED_TARGETS.",
                 target->gateway, target->host, target->port);
        break;
    case WAKING_BUSY:
        text_add(text, "Gateway %s is waking too many machines. Try again in a moment.",
                 target->gateway);
        break;
    case WAKING_NO_ANSWER:
        text_add(text,
                 "%s is still silent after %u s. Windows that was shut down with Fast Startup on "
                 "does not wake (powercfg /h off), nor do most machines on Wi-Fi, without power, "
                 "with Wake on Magic Packet off, or behind another router than the gateway.",
                 target->host, view->seconds);
    }
}

json_t *admin_waking_begun(const struct waking_view *view)
{
    return json_pack("{s:b, s:o}", "ok", 1, "waking", describe(view));
}

json_t *admin_waking_became(const struct waking_event *event)
{
    const struct waking_view *view = event->view;
    char sentence[800] = "";
    struct text text = text_over(sentence, sizeof sentence);
    if (view->state == WAKING_SILENT) {
        say_silent(view, &text);
        return reply_error("silent", sentence);
    }
    if (view->state == WAKING_AWAKE && !view->opens) {
        return json_pack("{s:b, s:o}", "ok", 1, "waking", describe(view));
    }
    text_add(&text, "%s", view->reason[0] ? view->reason : "It was stopped.");
    return reply_error(view->state == WAKING_AWAKE ? "not_opened" : "ended", sentence);
}

json_t *admin_session_asleep(const struct session *session)
{
    char reason[800];
    struct text text = text_over(reason, sizeof reason);
    struct session_view view;
    session_view(session, &view);
    session_end_text(session, &text);
    text_add(&text, "; if it is asleep, pamctl wake %s/%s wakes it", view.gateway,
             view.name && view.name[0] ? view.name : view.host);
    return reply_error("not_opened", reason);
}

/* ---- list ----------------------------------------------------------------- */

static void add_of_policy(const struct policy *policy, json_t *machines)
{
    for (unsigned i = 0; policy && i < policy->target_count; i++) {
        const struct policy_target *target = &policy->targets[i];
        if (target->mac) {
            json_array_append_new(machines,
                                  json_pack("{s:s, s:s, s:s, s:s, s:s}", "from", "policy", "name",
                                            target->name, "host", target->address, "gateway",
                                            target->gateway, "mac", target->mac));
        }
    }
}

static json_t *of_learnt(const struct mac_entry *entry)
{
    char mac[MAC_TEXT_SIZE];
    return json_pack("{s:s, s:n, s:s, s:s, s:s, s:i, s:I, s:I}", "from", "learnt", "name", "host",
                     entry->host, "gateway", entry->gateway, "mac", mac_text(entry->mac, mac),
                     "port", (int)entry->port, "since", (json_int_t)entry->since, "seen",
                     (json_int_t)entry->seen);
}

json_t *admin_wake_list(struct admin_call *call, const json_t *request)
{
    const struct macs *macs = wakings_macs(call->options->wakings);
    const struct mac_entry *entry;
    json_t *machines = json_array();
    (void)request;
    add_of_policy(people_policy(call->options->people), machines);
    for (unsigned i = 0; (entry = macs_at(macs, i)); i++) {
        json_array_append_new(machines, of_learnt(entry));
    }
    return json_pack("{s:b, s:o}", "ok", 1, "machines", machines);
}
