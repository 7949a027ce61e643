/*
 * A waking moves in wakings_begin() and wakings_finish() alone. What comes of it is said by its
 * gateway, which reaches us as news of the sessions; then a session is asked for through the holds,
 * as anybody's command is, and whatever has changed meanwhile counts.
 *
 * Re-entrancy: everything happens on the loop's thread. Watchers call none of the verbs.
 * wakings_finish() frees the waking: nobody touches it afterwards. Opening a session tells the
 * sessions' watchers, wakings_on_session() among them, when all have heard of what is being told.
 */
#include "vps/waking/wakings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/text.h"
#include "vps/waking/wakings_core.h"

enum { BEAT_MS = 1000, GATEWAY_LATE_S = 15 /* with its last word */ };

/* ---- looking ------------------------------------------------------------------ */

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

void wakings_tell(struct wakings *wakings, struct waking *waking, struct waking_event event)
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

/* ---- states --------------------------------------------------------------------- */

void wakings_finish(struct wakings *wakings, struct waking *waking, enum waking_state state,
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
    wakings_tell(wakings, waking, event);
    free(waking);
}

void waking_give_reason(struct waking *waking, const char *reason)
{
    struct text text = text_over(waking->reason, sizeof waking->reason);
    text_add(&text, "%s", reason);
}

void wakings_end(struct wakings *wakings, struct waking *waking, const char *reason)
{
    if (waking->state == WAKING_ASLEEP) {
        wakings_send_close(wakings, waking);
    }
    waking_give_reason(waking, reason);
    wakings_finish(wakings, waking, WAKING_ENDED, (struct waking_event){0});
}

static int draw_number(uint64_t *ret_number)
{
    return crypto_random(ret_number, sizeof *ret_number);
}

int wakings_begin(struct wakings *wakings, struct waking *waking, struct why *why)
{
    char mac[MAC_TEXT_SIZE], person[OWNER_TEXT_MAX];
    const struct waking *same = wakings_find_same(wakings, waking);
    waking->began_ms = same ? same->began_ms : clock_ms();
    waking->number = same ? same->number : 0;
    int err = same ? 0 : draw_number(&waking->number);
    if (err == 0 && !same) {
        err = wakings_send(wakings, waking);
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
        waking_give_reason(waking, why.text);
    }
    wakings_finish(wakings, waking, WAKING_AWAKE, event);
}

void wakings_settle(struct wakings *wakings, struct waking *waking, unsigned failed)
{
    waking->failed = failed;
    if (failed != 0) {
        wakings_finish(wakings, waking, WAKING_SILENT, (struct waking_event){0});
    } else if (waking->opens) {
        open_session(wakings, waking);
    } else {
        wakings_finish(wakings, waking, WAKING_AWAKE, (struct waking_event){0});
    }
}

static void on_timer(void *arg)
{
    struct wakings *wakings = arg;
    uint64_t now_ms = clock_ms();
    list_each (struct waking, waking, &wakings->list, home) {
        uint64_t passed_s = waking->began_ms ? (now_ms - waking->began_ms) / 1000 : 0;
        if (waking->state == WAKING_OFFERED && now_ms >= waking->expires_ms) {
            wakings_finish(wakings, waking, WAKING_EXPIRED, (struct waking_event){0});
        } else if (passed_s >= WAKING_PATIENCE_S + GATEWAY_LATE_S) {
            wakings_settle(wakings, waking, TUNNEL_TIMED_OUT);
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

struct waking *wakings_add(struct wakings *wakings, const struct session_request *request,
                           const struct waking_means *means)
{
    struct waking *oldest = wakings->count < WAKINGS_MAX ? NULL : oldest_offer(wakings);
    if (oldest) {
        wakings_finish(wakings, oldest, WAKING_EXPIRED, (struct waking_event){0});
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

int wakings_wake(struct wakings *wakings, const struct session_request *request,
                 struct waking **ret_waking, struct why *why)
{
    struct session_request wanted = *request;
    struct waking_means means;
    int err = wakings_prepare(wakings, &wanted, &means, why);
    struct waking *waking = err < 0 ? NULL : wakings_add(wakings, &wanted, &means);
    if (err == 0 && !waking) {
        err = why_set(why, -EBUSY, "Too many machines are being woken. Try again in a moment.");
    }
    if (err == 0 && (err = wakings_begin(wakings, waking, why)) < 0) {
        take_back(wakings, waking);
    }
    if (err < 0) {
        wakings_record_refusal(wakings, &wanted, why->text);
        return err;
    }
    *ret_waking = waking;
    wakings_tell(wakings, waking, (struct waking_event){.is_new = true});
    return 0;
}

int wakings_take_offer(struct wakings *wakings, struct waking *waking, struct why *why)
{
    if (waking->state != WAKING_OFFERED) {
        return -EALREADY;
    }
    int err = wakings_check_offer(wakings, waking, why);
    err = err < 0 ? err : wakings_begin(wakings, waking, why);
    if (err < 0) {
        wakings_record_refusal(wakings, &waking->request, why->text);
        return err;
    }
    wakings_tell(wakings, waking, (struct waking_event){.from = WAKING_OFFERED});
    return 0;
}

void wakings_cancel(struct wakings *wakings, struct waking *waking)
{
    wakings_end(wakings, waking, "");
}

void wakings_end_each(struct wakings *wakings, const char *reason)
{
    list_each (struct waking, waking, &wakings->list, home) {
        wakings_end(wakings, waking, reason);
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
            wakings_end(wakings, waking, why.text);
        }
    }
}

void wakings_end_all(struct wakings *wakings)
{
    wakings_end_each(wakings,
                     "The server is being stopped. It can be asked for again in a moment.");
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
                  ? sessions_watch(
                        options->sessions,
                        (struct session_watcher){.event = wakings_on_session, .arg = wakings})
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
