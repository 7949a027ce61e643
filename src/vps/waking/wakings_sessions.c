/*
 * What sessions tell: which MAC address a machine has, that one is silent, and what gateways say of
 * those that they wake.
 */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "vps/waking/wakings_core.h"

/* ---- machines ------------------------------------------------------------------- */

static void learn(struct wakings *wakings, const struct session_event *event)
{
    const struct session_view *view = event->view;
    struct mac_entry entry = {.port = view->port, .seen = event->unix_ms / 1000};
    char mac[MAC_TEXT_SIZE];
    snprintf(entry.gateway, sizeof entry.gateway, "%s", view->gateway);
    snprintf(entry.host, sizeof entry.host, "%s", view->host);
    memcpy(entry.mac, event->mac, MAC_SIZE);
    if (macs_learn(wakings->macs, &entry)) {
        log_info(wakings->options.log, "%s behind gateway %s has the MAC address %s", entry.host,
                 entry.gateway, mac_text(entry.mac, mac));
    }
}

/* Whoever refuses a connection is awake. A name may be gone while its machine sleeps. */
static bool seems_asleep(const struct session_view *view)
{
    bool is_unreached = view->failed == TUNNEL_NO_ROUTE || view->failed == TUNNEL_TIMED_OUT ||
                        view->failed == TUNNEL_UNKNOWN_NAME;
    return is_unreached && (view->end == SESSION_END_REFUSED || view->end == SESSION_END_TARGET);
}

static void fill(char *dst, size_t size, const char *src)
{
    struct text text = text_over(dst, size);
    text_add(&text, "%s", src ? src : "");
}

/* What it was asked for with, of the machine that it came to. */
static struct session_request request_of(const struct session *session,
                                         const struct session_view *view)
{
    struct session_request request = {.owner = view->owner, .kind = view->kind};
    fill(request.target.gateway, sizeof request.target.gateway, view->gateway);
    fill(request.target.user, sizeof request.target.user, session_user(session));
    fill(request.target.host, sizeof request.target.host, view->host);
    fill(request.name, sizeof request.name, view->name);
    fill(request.reason, sizeof request.reason, view->reason);
    fill(request.language, sizeof request.language, view->language);
    request.target.port = view->port;
    request.at_entrance = view->at_entrance;
    request.given = (struct consents){view->approvals_given, view->factor_given};
    return request;
}

static bool was_woken(const struct wakings *wakings, const char *session_id)
{
    for (unsigned i = 0; i < WOKEN_MAX; i++) {
        if (strcmp(wakings->woken[i], session_id) == 0) {
            return true;
        }
    }
    return false;
}

/* One that was woken and is silent again is not woken by itself forever. */
static void consider(struct wakings *wakings, const struct session_event *event)
{
    struct session_request request = request_of(event->session, event->view);
    struct waking_means means;
    struct why why;
    struct waking *waking = wakings_find_means(wakings, &request.target, &means, &why) < 0
                                ? NULL
                                : wakings_add(wakings, &request, &means);
    if (!waking) {
        return;
    }
    waking->opens = true;
    strcpy(waking->of_session, event->view->id);
    if (means.wake == POLICY_WAKE_AUTO && !was_woken(wakings, event->view->id) &&
        wakings_check_offer(wakings, waking, &why) == 0) {
        wakings_begin(wakings, waking, &why);
    }
    wakings_tell(wakings, waking, (struct waking_event){.is_new = true, .failed = event->session});
}

static struct waking *find_number(const struct wakings *wakings, const char *gateway,
                                  uint64_t number)
{
    list_each (struct waking, waking, &wakings->list, home) {
        if (waking->state == WAKING_ASLEEP && waking->number == number &&
            wakings_is_of(waking, gateway)) {
            return waking;
        }
    }
    return NULL;
}

/* A gateway speaks for its own only. */
static void on_woke(struct wakings *wakings, const struct session_event *event)
{
    struct waking *waking;
    while ((waking = find_number(wakings, event->gateway, event->number_on_wire))) {
        wakings_settle(wakings, waking, event->failed);
    }
}

/* Offers stay: it may be back by the time that one is taken. */
static void on_gateway_went(struct wakings *wakings, const char *gateway)
{
    list_each (struct waking, waking, &wakings->list, home) {
        if (waking->state == WAKING_ASLEEP && wakings_is_of(waking, gateway)) {
            waking_give_reason(waking, "Its gateway went offline meanwhile.");
            wakings_finish(wakings, waking, WAKING_ENDED, (struct waking_event){0});
        }
    }
}

void wakings_on_session(void *arg, const struct session_event *event)
{
    struct wakings *wakings = arg;
    if (event->kind == SESSION_MAC_SEEN) {
        learn(wakings, event);
    } else if (event->kind == SESSION_CHANGED && event->to == SESSION_ENDED &&
               seems_asleep(event->view)) {
        consider(wakings, event);
    } else if (event->kind == SESSION_GATEWAY_WOKE) {
        on_woke(wakings, event);
    } else if (event->kind == SESSION_GATEWAY_WENT) {
        on_gateway_went(wakings, event->gateway);
    } else if (event->kind == SESSION_GATEWAY_CAME) {
        wakings_send_anew(wakings, event->gateway);
    } else if (event->kind == SESSION_SERVER_LOCKED) {
        wakings_end_each(wakings, "The server was locked by an administrator.");
    }
}
