/*
 * A waking moves in begin() and finish() alone. What comes of it is said by its gateway, which
 * reaches us as news of the sessions; then a session is asked for through the holds, as anybody's
 * command is, and whatever has changed meanwhile counts.
 *
 * Re-entrancy: everything happens on the loop's thread. Watchers call none of the verbs. finish()
 * frees the waking: nobody touches it afterwards, and loops that may end several begin at the front
 * again each time. Opening a session tells the sessions' watchers, this file's on_session() among
 * them, when all have heard of what is being told.
 */
#include "vps/waking/wakings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/text.h"
#include "vps/gateways/gateways.h"
#include "vps/waking/wakings_core.h"

enum { BEAT_MS = 1000, GATEWAY_LATE_S = 15 /* with its last word */ };

/* ---- looking ------------------------------------------------------------------ */

const char *waking_state_name(enum waking_state state)
{
    static const char *const NAMES[] = {"offered", "asleep", "awake", "silent", "ended", "expired"};
    return NAMES[state];
}

bool waking_state_is_end(enum waking_state state)
{
    return state > WAKING_ASLEEP;
}

static enum waking_silence silence_of(unsigned failed)
{
    return failed == TUNNEL_REFUSED       ? WAKING_REFUSES
           : failed == TUNNEL_NOT_ALLOWED ? WAKING_NOT_ALLOWED
           : failed == TUNNEL_BUSY        ? WAKING_BUSY
                                          : WAKING_NO_ANSWER;
}

void waking_view(const struct waking *waking, struct waking_view *ret_view)
{
    uint64_t since_ms = waking->began_ms ? waking->began_ms : clock_ms();
    *ret_view = (struct waking_view){.id = waking->request.id,
                                     .state = waking->state,
                                     .request = &waking->request,
                                     .opens = waking->opens,
                                     .seconds = (unsigned)((clock_ms() - since_ms) / 1000),
                                     .silence = silence_of(waking->failed),
                                     .reason = waking->reason};
    memcpy(ret_view->mac, waking->mac, MAC_SIZE);
}

struct waking *wakings_find(const struct wakings *wakings, const char *id)
{
    list_each (struct waking, waking, &wakings->list, home) {
        if (strcmp(waking->request.id, id) == 0) {
            return waking;
        }
    }
    return NULL;
}

struct waking *wakings_of_session(const struct wakings *wakings, const char *session_id)
{
    list_each (struct waking, waking, &wakings->list, home) {
        if (strcmp(waking->of_session, session_id) == 0) {
            return waking;
        }
    }
    return NULL;
}

const struct macs *wakings_macs(const struct wakings *wakings)
{
    return wakings->macs;
}

/* ---- telling ------------------------------------------------------------------ */

int wakings_watch(struct wakings *wakings, struct waking_watcher watcher)
{
    if (wakings->watcher_count == WAKING_WATCHERS_MAX) {
        return -ENOSPC;
    }
    wakings->watchers[wakings->watcher_count++] = watcher;
    return 0;
}

void wakings_unwatch(struct wakings *wakings, const void *arg)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < wakings->watcher_count; i++) {
        if (wakings->watchers[i].arg != arg) {
            wakings->watchers[kept++] = wakings->watchers[i];
        }
    }
    wakings->watcher_count = kept;
}

/* It is recorded first. */
static void tell(struct wakings *wakings, struct waking *waking, struct waking_event event)
{
    struct waking_view view;
    waking_view(waking, &view);
    event.waking = waking;
    event.view = &view;
    wakings_record(wakings, waking);
    for (unsigned i = 0; i < wakings->watcher_count; i++) {
        wakings->watchers[i].event(wakings->watchers[i].arg, &event);
    }
}

/* ---- on the wire ---------------------------------------------------------------- */

static bool is_of(const struct waking *waking, const char *gateway)
{
    return gateway_name_equal(waking->request.target.gateway, gateway);
}

static struct gateway *gateway_of(const struct wakings *wakings, const struct waking *waking)
{
    const struct gateways *gateways = sessions_all_gateways(wakings->options.sessions);
    return gateways ? gateways_find(gateways, waking->request.target.gateway) : NULL;
}

static int send_wake(const struct wakings *wakings, const struct waking *waking)
{
    struct gateway *gateway = gateway_of(wakings, waking);
    struct message message = {.type = MESSAGE_WAKE};
    uint64_t passed_s = (clock_ms() - waking->began_ms) / 1000;
    message.wake.session = waking->number;
    message.wake.port = waking->request.target.port;
    message.wake.patience_secs = (uint16_t)(passed_s < WAKING_PATIENCE_S
                                                ? WAKING_PATIENCE_S - passed_s
                                                : 1);
    memcpy(message.wake.mac, waking->mac, MAC_SIZE);
    strcpy(message.wake.host, waking->request.target.host); /* HOST_MAX at most */
    return gateway ? gateway_send(gateway, &message) : -ENOTCONN;
}

/* Another one that waits for the same machine. */
static const struct waking *find_same(const struct wakings *wakings, const struct waking *waking)
{
    const struct target *target = &waking->request.target;
    list_each (struct waking, other, &wakings->list, home) {
        if (other != waking && other->state == WAKING_ASLEEP && is_of(other, target->gateway) &&
            strcasecmp(other->request.target.host, target->host) == 0 &&
            other->request.target.port == target->port) {
            return other;
        }
    }
    return NULL;
}

/* Its gateway need not go on, unless somebody else waits for that. */
static void send_close(const struct wakings *wakings, const struct waking *waking)
{
    struct gateway *gateway = gateway_of(wakings, waking);
    const struct message message = {.type = MESSAGE_CLOSE_TUNNEL,
                                    .close_tunnel.session = waking->number};
    if (gateway && !find_same(wakings, waking)) {
        gateway_send(gateway, &message);
    }
}

/* ---- states --------------------------------------------------------------------- */

static void finish(struct wakings *wakings, struct waking *waking, enum waking_state state,
                   struct waking_event event)
{
    event.from = waking->state;
    list_remove(&waking->home); /* whoever looks meanwhile does not find it */
    wakings->count--;
    waking->state = state;
    if (event.from == WAKING_ASLEEP || state != WAKING_EXPIRED) {
        log_info(wakings->options.log, "waking %s of %s: %s%s%s", waking->request.id,
                 waking->request.target.host, waking_state_name(state),
                 waking->reason[0] ? ": " : "", waking->reason);
    }
    tell(wakings, waking, event);
    free(waking);
}

static void give_reason(struct waking *waking, const char *reason)
{
    struct text text = text_over(waking->reason, sizeof waking->reason);
    text_add(&text, "%s", reason);
}

/* Nobody waits for it any more. */
static void end(struct wakings *wakings, struct waking *waking, const char *reason)
{
    if (waking->state == WAKING_ASLEEP) {
        send_close(wakings, waking);
    }
    give_reason(waking, reason);
    finish(wakings, waking, WAKING_ENDED, (struct waking_event){0});
}

static int draw_number(uint64_t *ret_number)
{
    return crypto_random(ret_number, sizeof *ret_number);
}

/* From now on its gateway wakes it, or does so already. */
static int begin(struct wakings *wakings, struct waking *waking, struct why *why)
{
    char mac[MAC_TEXT_SIZE], person[OWNER_TEXT_MAX];
    const struct waking *same = find_same(wakings, waking);
    waking->began_ms = same ? same->began_ms : clock_ms();
    waking->number = same ? same->number : 0;
    int err = same ? 0 : draw_number(&waking->number);
    if (err == 0 && !same) {
        err = send_wake(wakings, waking);
    }
    if (err < 0) {
        waking->began_ms = 0;
        return why_set(why, -ENOTCONN, "Gateway %.64s went offline just now.",
                       waking->request.target.gateway);
    }
    waking->state = WAKING_ASLEEP;
    log_info(wakings->options.log, "waking %s: %s behind gateway %s, MAC address %s, for %s%s",
             waking->request.id, waking->request.target.host, waking->request.target.gateway,
             mac_text(waking->mac, mac), owner_text(&waking->request.owner, person),
             same ? ", with somebody else" : "");
    return 0;
}

/* ---- what comes of it ------------------------------------------------------------- */

static void remember_woken(struct wakings *wakings, const char *id)
{
    strcpy(wakings->woken[wakings->next_woken++ % WOKEN_MAX], id);
}

/* Decided about as anybody's command is, now. */
static void open_session(struct wakings *wakings, struct waking *waking)
{
    struct waking_event event = {.waking = waking};
    struct session_request request = waking->request;
    struct hold *hold = NULL;
    struct why why = {""};
    request.again = true;
    remember_woken(wakings, request.id);
    int err = holds_open(wakings->options.holds, &request, &event.session, &hold, &why);
    if (err == -EINPROGRESS) {
        event.hold = hold;
    } else if (err < 0) {
        give_reason(waking, why.text);
    }
    finish(wakings, waking, WAKING_AWAKE, event);
}

static void settle(struct wakings *wakings, struct waking *waking, unsigned failed)
{
    waking->failed = failed;
    if (failed != 0) {
        finish(wakings, waking, WAKING_SILENT, (struct waking_event){0});
    } else if (waking->opens) {
        open_session(wakings, waking);
    } else {
        finish(wakings, waking, WAKING_AWAKE, (struct waking_event){0});
    }
}

static struct waking *find_number(const struct wakings *wakings, const char *gateway,
                                  uint64_t number)
{
    list_each (struct waking, waking, &wakings->list, home) {
        if (waking->state == WAKING_ASLEEP && waking->number == number && is_of(waking, gateway)) {
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
        settle(wakings, waking, event->failed);
    }
}

static void on_timer(void *arg)
{
    struct wakings *wakings = arg;
    uint64_t now_ms = clock_ms();
    list_each (struct waking, waking, &wakings->list, home) {
        uint64_t passed_s = waking->began_ms ? (now_ms - waking->began_ms) / 1000 : 0;
        if (waking->state == WAKING_OFFERED && now_ms >= waking->expires_ms) {
            finish(wakings, waking, WAKING_EXPIRED, (struct waking_event){0});
        } else if (passed_s >= WAKING_PATIENCE_S + GATEWAY_LATE_S) {
            settle(wakings, waking, TUNNEL_TIMED_OUT);
        }
    }
    if (wakings->count > 0) {
        timer_set(wakings->timer, BEAT_MS);
    }
}

/* ---- wishes ------------------------------------------------------------------------ */

static struct waking *oldest_offer(const struct wakings *wakings)
{
    list_each (struct waking, waking, &wakings->list, home) {
        if (waking->state == WAKING_OFFERED) {
            return waking;
        }
    }
    return NULL;
}

/* NULL: there is no room, or no memory. */
static struct waking *add(struct wakings *wakings, const struct session_request *request,
                          const struct waking_means *means)
{
    struct waking *oldest = wakings->count < WAKINGS_MAX ? NULL : oldest_offer(wakings);
    if (oldest) {
        finish(wakings, oldest, WAKING_EXPIRED, (struct waking_event){0});
    }
    struct waking *waking = wakings->count < WAKINGS_MAX ? calloc(1, sizeof *waking) : NULL;
    if (!waking) {
        return NULL;
    }
    waking->request = *request;
    if (crypto_random_name(waking->request.id, SESSION_ID_SIZE) < 0) {
        free(waking);
        return NULL;
    }
    memcpy(waking->mac, means->mac, MAC_SIZE);
    waking->expires_ms = clock_ms() + WAKING_OFFER_S * 1000;
    if (wakings->count++ == 0) {
        timer_set(wakings->timer, BEAT_MS);
    }
    list_append(&wakings->list, &waking->home);
    return waking;
}

static void take_back(struct wakings *wakings, struct waking *waking)
{
    list_remove(&waking->home);
    wakings->count--;
    free(waking);
}

static int check_patience(struct wakings *wakings, const struct owner *owner, struct why *why)
{
    return patience_take(&wakings->patience, owner, clock_ms())
               ? 0
               : why_set(why, -EBUSY,
                         "You have had machines woken very often in a short time. Try again in %d "
                         "min.",
                         PATIENCE_EACH_MS / 60000);
}

/* Of the request, which is resolved then, as wakings_wake() has it. */
static int prepare(struct wakings *wakings, struct session_request *request,
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

int wakings_wake(struct wakings *wakings, const struct session_request *request,
                 struct waking **ret_waking, struct why *why)
{
    struct session_request wanted = *request;
    struct waking_means means;
    int err = prepare(wakings, &wanted, &means, why);
    struct waking *waking = err < 0 ? NULL : add(wakings, &wanted, &means);
    if (err == 0 && !waking) {
        err = why_set(why, -EBUSY, "Too many machines are being woken. Try again in a moment.");
    }
    if (err == 0 && (err = begin(wakings, waking, why)) < 0) {
        take_back(wakings, waking);
    }
    if (err < 0) {
        wakings_record_refusal(wakings, &wanted, why->text);
        return err;
    }
    *ret_waking = waking;
    tell(wakings, waking, (struct waking_event){.is_new = true});
    return 0;
}

/* Whether the session could be opened is asked now, so that nothing wakes in vain. */
static int check_offer(struct wakings *wakings, const struct waking *waking, struct why *why)
{
    struct session_request request = waking->request;
    struct waking_means means;
    int err = sessions_ask(wakings->options.sessions, &request, why);
    err = err == -ENOKEY ? 0 : err;
    err = err < 0 ? err : wakings_find_means(wakings, &request.target, &means, why);
    return err < 0 ? err : check_patience(wakings, &request.owner, why);
}

int wakings_take_offer(struct wakings *wakings, struct waking *waking, struct why *why)
{
    if (waking->state != WAKING_OFFERED) {
        return -EALREADY;
    }
    int err = check_offer(wakings, waking, why);
    err = err < 0 ? err : begin(wakings, waking, why);
    if (err < 0) {
        wakings_record_refusal(wakings, &waking->request, why->text);
        return err;
    }
    tell(wakings, waking, (struct waking_event){.from = WAKING_OFFERED});
    return 0;
}

void wakings_cancel(struct wakings *wakings, struct waking *waking)
{
    end(wakings, waking, "");
}

/* ---- what sessions tell -------------------------------------------------------------- */

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
                                : add(wakings, &request, &means);
    if (!waking) {
        return;
    }
    waking->opens = true;
    strcpy(waking->of_session, event->view->id);
    if (means.wake == POLICY_WAKE_AUTO && !was_woken(wakings, event->view->id) &&
        check_offer(wakings, waking, &why) == 0) {
        begin(wakings, waking, &why);
    }
    tell(wakings, waking, (struct waking_event){.is_new = true, .failed = event->session});
}

/* Offers stay: it may be back by the time that one is taken. */
static void on_gateway_went(struct wakings *wakings, const char *gateway)
{
    list_each (struct waking, waking, &wakings->list, home) {
        if (waking->state == WAKING_ASLEEP && is_of(waking, gateway)) {
            give_reason(waking, "Its gateway went offline meanwhile.");
            finish(wakings, waking, WAKING_ENDED, (struct waking_event){0});
        }
    }
}

/* A new login of one that was online knows nothing of what it was asked. */
static void on_gateway_came(struct wakings *wakings, const char *gateway)
{
    list_each (struct waking, waking, &wakings->list, home) {
        if (waking->state == WAKING_ASLEEP && is_of(waking, gateway)) {
            send_wake(wakings, waking);
        }
    }
}

static void end_all(struct wakings *wakings, const char *reason)
{
    list_each (struct waking, waking, &wakings->list, home) {
        end(wakings, waking, reason);
    }
}

static void on_session(void *arg, const struct session_event *event)
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
        on_gateway_came(wakings, event->gateway);
    } else if (event->kind == SESSION_SERVER_LOCKED) {
        end_all(wakings, "The server was locked by an administrator.");
    }
}

/* ---- other settings --------------------------------------------------------------------- */

/* Its gateway may be away, which is no right that was lost. */
static bool has_lost_right(const struct wakings *wakings, const struct waking *waking,
                           struct why *why)
{
    struct session_request request = waking->request;
    struct waking_means means;
    int err = waking->opens ? sessions_ask_reach(wakings->options.sessions, &request, why)
                            : wakings_check_reach(wakings, &request, why);
    err = err == 0 || err == -ENOKEY ? wakings_find_means(wakings, &request.target, &means, why)
                                     : err;
    return err == -EACCES || err == -EINVAL || err == -EPERM;
}

void wakings_settings_changed(struct wakings *wakings)
{
    list_each (struct waking, waking, &wakings->list, home) {
        struct why why = {""};
        if (has_lost_right(wakings, waking, &why)) {
            end(wakings, waking, why.text);
        }
    }
}

void wakings_end_all(struct wakings *wakings)
{
    end_all(wakings, "The server is being stopped. It can be asked for again in a moment.");
}

/* ---- life ------------------------------------------------------------------------------- */

int wakings_new(const struct wakings_options *options, struct wakings **ret_wakings)
{
    struct wakings *wakings = calloc(1, sizeof *wakings);
    if (!wakings) {
        return -ENOMEM;
    }
    wakings->options = *options;
    list_init(&wakings->list);
    wakings->macs = macs_new(options->store);
    wakings->timer = timer_new(options->loop, on_timer, wakings);
    int err = wakings->macs && wakings->timer
                  ? sessions_watch(options->sessions,
                                   (struct session_watcher){.event = on_session, .arg = wakings})
                  : -ENOMEM;
    if (err < 0) {
        wakings_free(wakings);
        return err;
    }
    *ret_wakings = wakings;
    return 0;
}

void wakings_free(struct wakings *wakings)
{
    if (wakings) {
        sessions_unwatch(wakings->options.sessions, wakings);
        list_each (struct waking, waking, &wakings->list, home) {
            free(waking);
        }
        timer_free(wakings->timer);
        macs_free(wakings->macs);
        free(wakings);
    }
}
