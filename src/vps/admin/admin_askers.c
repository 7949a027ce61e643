/*
 *     waiting (hold) --granted--> opening (session) --ready or over--> answered
 *            ^                           |   ^
 *            |              it is asleep v   | it is awake
 *            +-- a consent has gone -- waking
 *
 * and from each to answered if nothing comes of it. What there is to say is kept as `news` until
 * the client asks for it: the newest alone, and the last one ends it.
 *
 * Re-entrancy: events come from inside the holds' verbs, and saying something to a client may have
 * it leave. No verb may be called there, so that askers_gone() only notes it, and the request is
 * withdrawn from a timer. Askers are freed when they have ended, before the last word is said: so
 * nothing here touches one after it was spoken to.
 */
#include "vps/admin/admin_askers.h"

#include <errno.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/timer.h"
#include "vps/admin/admin_holds.h"
#include "vps/admin/admin_reply.h"
#include "vps/admin/admin_waking.h"

struct asker {
    struct list home;
    struct askers *askers;
    struct lines_client *client; /* NULL: it has left */
    struct hold *hold;           /* NULL: it has ended */
    struct session *session;     /* that it has become, until that is ready */
    struct waking *waking;       /* its machine's, until that is over */
    struct owner owner;
    json_t *news;                 /* not said yet; NULL: none */
    bool is_owed;                 /* the client waits for it */
    bool follows, follows_waking; /* it wants more than the end */
};

struct askers {
    struct askers_options options;
    struct list list;
    struct timer *timer; /* withdraws what those asked for who have left */
};

static void drop(struct asker *asker)
{
    factors_detach(asker->askers->options.factors, asker);
    list_remove(&asker->home);
    json_decref(asker->news);
    free(asker);
}

/* Says what is new, if somebody waits for that. It may be gone afterwards. */
static void speak(struct askers *askers, struct asker *asker)
{
    struct lines_client *client = asker->client;
    json_t *news = asker->news;
    bool is_over = !asker->hold && !asker->session && !asker->waking;
    if (!asker->is_owed || !news) {
        return;
    }
    asker->news = NULL;
    asker->is_owed = false;
    if (is_over) {
        drop(asker);
    }
    askers->options.say(askers->options.arg, client, news);
}

static void tell(struct askers *askers, struct asker *asker, json_t *news)
{
    json_decref(asker->news);
    asker->news = news ? news : reply_error("failed", "The server is out of memory.");
    speak(askers, asker);
}

/* ---- what happens ------------------------------------------------------------- */

static struct asker *find(const struct askers *askers, const struct hold *hold,
                          const struct session *session, const struct waking *waking)
{
    list_each (struct asker, asker, &askers->list, home) {
        if ((hold && asker->hold == hold) || (session && asker->session == session) ||
            (waking && asker->waking == waking)) {
            return asker;
        }
    }
    return NULL;
}

/* From now on it waits for that. */
static void take_hold(struct asker *asker, struct hold *hold)
{
    struct askers *askers = asker->askers;
    struct hold_view view;
    hold_view(hold, &view);
    asker->hold = hold;
    asker->owner = view.request->owner;
    /* Of whom a second factor is asked, which a phone has that may lie elsewhere. */
    if (view.state == HOLD_ASKING_FACTOR && asker->client) {
        lines_bear_with(asker->client, (uint64_t)view.seconds_left * 1000);
    }
    if (asker->follows) {
        tell(askers, asker, reply_hold(&view, askers->options.people));
    }
}

static void take_waking(struct asker *asker, struct waking *waking)
{
    struct waking_view view;
    asker->waking = waking;
    if (asker->follows_waking) {
        waking_view(waking, &view);
        tell(asker->askers, asker, admin_waking_begun(&view));
    }
}

/* The second factor was given: what comes of it is told in a moment. */
static bool is_on_its_way(const struct hold_event *event)
{
    return event->kind == HOLD_GIVEN && event->view->state == HOLD_ASKING_FACTOR;
}

static void on_hold(void *arg, const struct hold_event *event)
{
    struct askers *askers = arg;
    struct asker *asker = find(askers, event->hold, NULL, NULL);
    if (!asker) {
        return;
    }
    if (hold_state_is_end(event->view->state)) {
        asker->hold = NULL;
        asker->session = event->session;
        if (!asker->session) { /* of which we hear soon */
            tell(askers, asker, reply_hold_ended(event->view, askers->options.people));
        }
    } else if (asker->follows && !is_on_its_way(event)) {
        tell(askers, asker, reply_hold(event->view, askers->options.people));
    }
}

/* It is ready, or over: unless its machine sleeps, and the policy has it woken. */
static void take_outcome(struct asker *asker, const struct session *session)
{
    struct askers *askers = asker->askers;
    struct session_view view;
    struct waking_view asleep;
    session_view(session, &view);
    struct waking *waking = view.state == SESSION_ENDED
                                ? wakings_of_session(askers->options.wakings, view.id)
                                : NULL;
    asker->session = NULL;
    if (!waking) {
        tell(askers, asker, reply_became(session));
        return;
    }
    waking_view(waking, &asleep);
    if (asleep.state == WAKING_ASLEEP) {
        take_waking(asker, waking);
    } else {
        tell(askers, asker, admin_session_asleep(session));
    }
}

static void on_session(void *arg, const struct session_event *event)
{
    struct asker *asker = event->kind == SESSION_CHANGED ? find(arg, NULL, event->session, NULL)
                                                         : NULL;
    if (asker) { /* as it is now, when another watcher may have closed it */
        take_outcome(asker, event->session);
    }
}

static void on_waking(void *arg, const struct waking_event *event)
{
    struct asker *asker = waking_state_is_end(event->view->state)
                              ? find(arg, NULL, NULL, event->waking)
                              : NULL;
    if (!asker) {
        return;
    }
    asker->waking = NULL;
    asker->session = event->session;
    if (event->hold) {
        take_hold(asker, event->hold);
    } else if (!event->session) {
        tell(arg, asker, admin_waking_became(event));
    }
}

/* ---- clients -------------------------------------------------------------------- */

static struct asker *find_client(const struct askers *askers, const struct lines_client *client)
{
    list_each (struct asker, asker, &askers->list, home) {
        if (asker->client == client) {
            return asker;
        }
    }
    return NULL;
}

int askers_add(struct askers *askers, struct lines_client *client, const struct asked *asked)
{
    struct asker *asker = malloc(sizeof *asker);
    if (!asker) {
        return -ENOMEM;
    }
    *asker = (struct asker){.askers = askers,
                            .client = client,
                            .session = asked->session,
                            .is_owed = true,
                            .follows = asked->follows,
                            .follows_waking = asked->follows_waking};
    list_append(&askers->list, &asker->home);
    if (asked->hold) {
        take_hold(asker, asked->hold);
    } else if (asked->waking) {
        take_waking(asker, asked->waking);
    }
    return 0;
}

bool askers_wait(struct askers *askers, struct lines_client *client)
{
    struct asker *asker = find_client(askers, client);
    if (asker) {
        asker->is_owed = true;
        speak(askers, asker);
    }
    return asker != NULL;
}

/* Its request waits on, and the client may try again. */
static void refuse_code(struct askers *askers, struct asker *asker, const char *word,
                        const char *sentence)
{
    struct hold_view view;
    hold_view(asker->hold, &view);
    json_t *reply = reply_error(word, sentence), *hold = reply_hold(&view, askers->options.people);
    json_object_set(reply, "request", json_object_get(hold, "request"));
    json_decref(hold);
    tell(askers, asker, reply);
}

static void on_kept(void *arg, const struct owner *owner, int err)
{
    struct asker *asker = arg;
    struct askers *askers = asker->askers;
    if (err == 0) {
        holds_take_factor(askers->options.holds, owner);
    } else if (asker->hold) {
        refuse_code(askers, asker, "not_kept",
                    "The code was right, but that cannot be written down now: the log of vps-agent "
                    "says why.");
    }
}

/* It was wrong, or is not looked at: how many more there are, or that there are none. */
static void refuse_wrong(struct askers *askers, struct asker *asker)
{
    char person[PEOPLE_NAME_MAX];
    struct factor_view view = {0};
    struct why why = {""};
    if (factors_check(askers->options.factors, &asker->owner, &why) != -EINPROGRESS) {
        refuse_code(askers, asker, "factor_locked", why.text);
        return;
    }
    factors_view(askers->options.factors,
                 people_name(askers->options.people, &asker->owner, person), &view);
    why_set(&why, 0, "That code is wrong. Tries that are left: %u.", view.tries_left);
    refuse_code(askers, asker, "wrong_code", why.text);
}

static void try_code(struct askers *askers, struct asker *asker, uint32_t code)
{
    switch (factors_try(askers->options.factors, &asker->owner, code, on_kept, asker)) {
    case FACTOR_RIGHT:
        break;
    case FACTOR_WRONG:
    case FACTOR_LOCKED:
    case FACTOR_NONE:
        refuse_wrong(askers, asker);
        break;
    case FACTOR_USED:
        refuse_code(askers, asker, "wrong_code",
                    "That code has been used already: wait until the app shows the next one.");
        break;
    case FACTOR_FAILED:
        refuse_code(askers, asker, "not_kept",
                    "The state file cannot be written: the log of vps-agent says why.");
        break;
    }
}

bool askers_take_code(struct askers *askers, struct lines_client *client, const char *code)
{
    struct asker *asker = find_client(askers, client);
    uint32_t number;
    struct hold_view view = {.state = HOLD_READY};
    if (!asker) {
        return false;
    }
    if (asker->hold) {
        hold_view(asker->hold, &view);
    }
    if (view.state != HOLD_ASKING_FACTOR || !askers->options.factors) {
        return askers_wait(askers, client);
    }
    json_decref(asker->news); /* that a code is needed */
    asker->news = NULL;
    asker->is_owed = true;
    if (totp_parse(code, &number)) {
        try_code(askers, asker, number);
    } else {
        refuse_code(askers, asker, "wrong_code", "A code is six digits.");
    }
    return true;
}

void askers_gone(struct askers *askers, struct lines_client *client)
{
    struct asker *asker = find_client(askers, client);
    if (asker) {
        asker->client = NULL;
        asker->is_owed = false;
        timer_set(askers->timer, 0);
    }
}

/* Its end is told in here, and is nobody's any more. A session that opens stays. */
static void withdraw(struct askers *askers, struct asker *asker)
{
    struct hold *hold = asker->hold;
    struct waking *waking = asker->waking;
    const struct owner owner = asker->owner;
    drop(asker);
    if (hold) {
        holds_withdraw(askers->options.holds, hold, &owner);
    } else if (waking) {
        wakings_cancel(askers->options.wakings, waking);
    }
}

static void on_timer(void *arg)
{
    struct askers *askers = arg;
    list_each (struct asker, asker, &askers->list, home) {
        if (!asker->client) {
            withdraw(askers, asker);
        }
    }
}

/* ---- life ------------------------------------------------------------------------ */

int askers_new(const struct askers_options *options, struct askers **ret_askers)
{
    struct askers *askers = calloc(1, sizeof *askers);
    if (!askers) {
        return -ENOMEM;
    }
    askers->options = *options;
    list_init(&askers->list);
    askers->timer = timer_new(options->loop, on_timer, askers);
    int err = askers->timer ? 0 : -ENOMEM;
    err = err < 0
              ? err
              : holds_watch(options->holds, (struct hold_watcher){.event = on_hold, .arg = askers});
    if (err == 0) {
        err = sessions_watch(options->sessions,
                             (struct session_watcher){.event = on_session, .arg = askers});
    }
    if (err == 0) {
        err = wakings_watch(options->wakings,
                            (struct waking_watcher){.event = on_waking, .arg = askers});
    }
    if (err < 0) {
        askers_free(askers);
        return err;
    }
    *ret_askers = askers;
    return 0;
}

void askers_free(struct askers *askers)
{
    if (!askers) {
        return;
    }
    holds_unwatch(askers->options.holds, askers);
    sessions_unwatch(askers->options.sessions, askers);
    wakings_unwatch(askers->options.wakings, askers);
    list_each (struct asker, asker, &askers->list, home) {
        drop(asker);
    }
    timer_free(askers->timer);
    free(askers);
}
