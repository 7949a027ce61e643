#include "vps/waking/wakings_core.h"

static const char *name_of(const struct wakings *wakings, const struct owner *owner)
{
    const struct policy_user *user = people_user(wakings->options.people, owner);
    return user ? user->name : NULL;
}

static struct audit_entry entry_of(const struct wakings *wakings, enum audit_event what,
                                   const struct session_request *request)
{
    return (struct audit_entry){.what = what,
                                .owner = &request->owner,
                                .name = name_of(wakings, &request->owner),
                                .session = request->id,
                                .gateway = request->target.gateway,
                                .host = request->target.host,
                                .port = request->target.port,
                                .target_name = request->name};
}

void wakings_record(const struct wakings *wakings, const struct waking *waking)
{
    static const enum audit_event EVENTS[] = {
        [WAKING_ASLEEP] = AUDIT_TARGET_WAKE_ASKED, [WAKING_AWAKE] = AUDIT_TARGET_WOKE,
        [WAKING_SILENT] = AUDIT_TARGET_SILENT,     [WAKING_ENDED] = AUDIT_TARGET_WAKE_ENDED,
        [WAKING_EXPIRED] = AUDIT_EVENT_COUNT,
    };
    struct waking_view view;
    char mac[MAC_TEXT_SIZE];
    waking_view(waking, &view);
    if (waking->state == WAKING_OFFERED || waking->began_ms == 0) {
        return; /* nothing was sent yet */
    }
    struct audit_entry entry = entry_of(wakings, EVENTS[waking->state], &waking->request);
    entry.kind = waking->opens ? kind_name(waking->request.kind) : NULL;
    entry.text = mac_text(waking->mac, mac);
    entry.why = waking->reason;
    entry.count = view.seconds;
    audit_record(wakings->options.audit, &entry, NULL, NULL);
}

void wakings_record_refusal(const struct wakings *wakings, const struct session_request *request,
                            const char *reason)
{
    struct audit_entry entry = entry_of(wakings, AUDIT_TARGET_WAKE_REFUSED, request);
    entry.why = reason;
    audit_record(wakings->options.audit, &entry, NULL, NULL);
}
