/*
 * The one timer of a session, by state:
 *   opening       the gateway has to have answered and docked
 *   waiting       the user has to have come: SESSION_TIMEOUT after the command
 *   connected     every now and then: idle or maximum time over? A moment after the
 *                 last connection: no more words about it from the gateway?
 *   reconnecting  RECONNECT_GRACE
 *
 * Each report may have the session end from inside, so that a report is the last thing that a
 * function does here.
 */
#include "vps/session/life.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/timer.h"
#include "vps/session/explain.h"
#include "vps/session/permission.h"

enum {
    OPENING_MS = 20000,
    CHECK_MIN_MS = 250,
    CHECK_MAX_MS = 60000,
    LAST_WORDS_MS = 300,
    WARN_MS = 300000, /* before an end, or a quarter of the time if that is less */
};

struct life {
    const struct terms *terms;
    const struct front *front;
    const struct connections *connections;
    const struct life_events *events;
    void *arg;
    struct timer *timer;
    uint64_t deadline_ms; /* when it fires; 0: a check that nobody needs to see */
    uint64_t ended_ms;
    uint64_t left_ms;                 /* when the last connection went, while none has come since */
    uint64_t active_ms, active_bytes; /* the last time that bytes had moved */
    uint64_t extended_ms;             /* when its longest time began anew; 0: it did not */
    struct why *why;                  /* of the end; NULL: it has none of its own */
    uint8_t state, end;               /* an enum session_state and session_end */
    uint8_t failed;                   /* an enum tunnel_failure */
    bool was_ready;                   /* its user could have connected */
    bool warned_of_idle, warned_of_time, warned_of_hours;
    bool has_ended_by;
    struct owner ended_by; /* if it was somebody's word */
};

/* ---- the clock ------------------------------------------------------------ */

static void set_deadline(struct life *life, uint64_t ms)
{
    life->deadline_ms = clock_ms() + ms;
    timer_set(life->timer, ms);
}

static uint64_t count_bytes(const struct life *life)
{
    uint64_t to_target, to_client;
    connections_count_bytes(life->connections, &to_target, &to_client);
    return to_target + to_client;
}

/* How long until a time is over that began then. It may be 0 for none: then forever. */
static uint64_t left_of(uint32_t limit_s, uint64_t since_ms)
{
    uint64_t most = (uint64_t)limit_s * 1000, passed = clock_ms() - since_ms;
    return most == 0 ? UINT64_MAX : passed < most ? most - passed : 0;
}

/* How long until MAX_SESSION_TIME is over. */
static uint64_t time_left(const struct life *life)
{
    uint64_t since = life->extended_ms ? life->extended_ms : front_insider(life->front)->since_ms;
    return left_of(life->terms->limits.time_s, since);
}

/* How long until IDLE_TIMEOUT is over, by what is known of its bytes. */
static uint64_t idle_left(const struct life *life)
{
    return left_of(life->terms->limits.idle_s, life->active_ms);
}

/* What the policy's clock is about to end, in its own seconds. */
static struct permission_end policy_end(const struct life *life)
{
    const struct services *services = life->terms->services;
    return permission_ends(services->settings, services->people, life->terms);
}

/* How long before its end a time is said to be ending. */
static uint64_t warning_of(uint32_t limit_s)
{
    uint64_t quarter = (uint64_t)limit_s * 1000 / 4;
    return quarter < WARN_MS ? quarter : WARN_MS;
}

/* How long until there is something to do about a time: to warn of its end, or to end. */
static uint64_t until_due(uint64_t left, uint32_t limit_s, bool warned)
{
    uint64_t warning = warning_of(limit_s);
    return left == UINT64_MAX || warned || left <= warning ? left : left - warning;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/*
 * A quarter of IDLE_TIMEOUT, so that bytes are noticed: a session ends when it is late by that at
 * most.
 */
static uint64_t check_interval(const struct life *life)
{
    const struct session_limits *limits = &life->terms->limits;
    uint64_t quarter = (uint64_t)limits->idle_s * 1000 / 4;
    uint64_t interval = quarter > 0 && quarter < CHECK_MAX_MS ? quarter : CHECK_MAX_MS;
    uint64_t idle_due = until_due(idle_left(life), limits->idle_s, life->warned_of_idle);
    uint64_t time_due = until_due(time_left(life), limits->time_s, life->warned_of_time);
    const struct permission_end policy = policy_end(life);
    interval = least(interval, idle_due);
    if (policy.end != SESSION_END_NONE) {
        interval = least(interval, (uint64_t)policy.seconds * 1000);
    }
    interval = interval > CHECK_MIN_MS ? interval : CHECK_MIN_MS;
    return least(interval, time_due);
}

static void set_next_check(struct life *life, uint64_t ms)
{
    life->deadline_ms = 0;
    timer_set(life->timer, ms);
}

void life_start(struct life *life)
{
    uint64_t timeout = (uint64_t)life->terms->limits.timeout_s * 1000;
    uint64_t since = clock_ms() - life->terms->opened_ms;
    switch (life->state) {
    case SESSION_OPENING:
        set_deadline(life, timeout < OPENING_MS ? timeout : OPENING_MS);
        break;
    case SESSION_WAITING:
        set_deadline(life, since < timeout ? timeout - since : 0);
        break;
    case SESSION_CONNECTED:
        set_next_check(life, check_interval(life));
        if (front_is_unclaimed(life->front) && since < timeout &&
            timeout - since < check_interval(life)) {
            set_next_check(life, timeout - since);
        }
        break;
    case SESSION_RECONNECTING:
        set_deadline(life, (uint64_t)life->terms->limits.grace_s * 1000);
        break;
    case SESSION_ENDED:
        timer_stop(life->timer);
        break;
    }
}

static void notice_bytes(struct life *life)
{
    uint64_t bytes = count_bytes(life);
    if (bytes != life->active_bytes) {
        life->active_bytes = bytes;
        life->active_ms = clock_ms();
    }
}

/* What there is to say first of ends that are near, once each. SESSION_END_NONE: nothing. */
static enum session_end first_warning(struct life *life, const struct permission_end *policy)
{
    const struct session_limits *limits = &life->terms->limits;
    bool is_quiet = idle_left(life) <= warning_of(limits->idle_s);
    bool is_late = policy->end != SESSION_END_NONE;
    life->warned_of_idle &= is_quiet;
    life->warned_of_hours &= is_late;
    if (!life->warned_of_time && time_left(life) <= warning_of(limits->time_s)) {
        life->warned_of_time = true;
        return SESSION_END_MAX_TIME;
    }
    if (!life->warned_of_hours && is_late) {
        life->warned_of_hours = true;
        return policy->end;
    }
    if (!life->warned_of_idle && is_quiet) {
        life->warned_of_idle = true;
        return SESSION_END_IDLE;
    }
    return SESSION_END_NONE;
}

/* Goes on; the report comes last, since it may end the session. */
static void go_on(struct life *life, const struct permission_end *policy)
{
    bool was_quiet = life->warned_of_idle;
    enum session_end warning = first_warning(life, policy);
    bool spared = was_quiet && !life->warned_of_idle;
    life_start(life);
    if (warning != SESSION_END_NONE) {
        uint64_t left_ms = warning == SESSION_END_MAX_TIME ? time_left(life)
                           : warning == SESSION_END_IDLE   ? idle_left(life)
                                                           : (uint64_t)policy->seconds * 1000;
        life->events->ending(life->arg, warning, (unsigned)(left_ms / 1000));
    } else if (spared && !life->warned_of_time && !life->warned_of_hours) {
        life->events->spared(life->arg);
    }
}

static void check_limits(struct life *life)
{
    const struct permission_end policy = policy_end(life);
    notice_bytes(life);
    if (front_is_unclaimed(life->front) &&
        left_of(life->terms->limits.timeout_s, life->terms->opened_ms) == 0) {
        /* strangers that come in turns must not keep it from ending */
        life->events->due(life->arg, SESSION_END_NOBODY);
    } else if (policy.end != SESSION_END_NONE && policy.seconds == 0) {
        life->events->due(life->arg, policy.end);
    } else if (time_left(life) == 0) {
        life->events->due(life->arg, SESSION_END_MAX_TIME);
    } else if (idle_left(life) == 0) {
        life->events->due(life->arg, SESSION_END_IDLE);
    } else {
        go_on(life, &policy);
    }
}

static void on_timer(void *arg)
{
    struct life *life = arg;
    switch (life->state) {
    case SESSION_OPENING:
        life->events->due(life->arg, SESSION_END_GATEWAY);
        break;
    case SESSION_WAITING:
        life->events->due(life->arg, SESSION_END_NOBODY);
        break;
    case SESSION_CONNECTED:
        if (connections_count(life->connections) > 0) {
            check_limits(life);
        } else {
            life->events->silent(life->arg);
        }
        break;
    case SESSION_RECONNECTING:
        life->events->due(life->arg, SESSION_END_DISCONNECTED);
        break;
    case SESSION_ENDED:
        break;
    }
}

void life_await_words(struct life *life)
{
    set_next_check(life, LAST_WORDS_MS);
}

void life_touch(struct life *life)
{
    life->active_ms = clock_ms();
}

bool life_extend(struct life *life)
{
    const struct session_limits *limits = &life->terms->limits;
    bool moves_time = limits->time_s > 0 && !limits->time_is_fixed;
    if (life->state != SESSION_CONNECTED || (limits->idle_s == 0 && !moves_time)) {
        return false;
    }
    life->active_ms = clock_ms();
    life->warned_of_idle = false;
    if (moves_time) {
        life->extended_ms = clock_ms();
        life->warned_of_time = false;
    }
    life_start(life);
    return true;
}

/* ---- states --------------------------------------------------------------- */

static const unsigned FOLLOWS[] = {
    [SESSION_OPENING] = 1u << SESSION_WAITING | 1u << SESSION_ENDED,
    [SESSION_WAITING] = 1u << SESSION_CONNECTED | 1u << SESSION_ENDED,
    [SESSION_CONNECTED] = 1u << SESSION_WAITING | 1u << SESSION_RECONNECTING | 1u << SESSION_ENDED,
    [SESSION_RECONNECTING] = 1u << SESSION_CONNECTED | 1u << SESSION_ENDED,
    [SESSION_ENDED] = 0,
};

enum session_state life_state(const struct life *life)
{
    return life->state;
}

void life_set(struct life *life, enum session_state state)
{
    enum session_state from = life->state;
    if (!(FOLLOWS[from] & 1u << state)) {
        log_error(log_of(life->terms), "session %s: %s -> %s is not a transition", life->terms->id,
                  session_state_name(from), session_state_name(state));
        return;
    }
    log_info(log_of(life->terms), "session %s: %s -> %s", life->terms->id, session_state_name(from),
             session_state_name(state));
    life->state = (uint8_t)state;
    life->was_ready |= state == SESSION_WAITING;
    if (state == SESSION_RECONNECTING) {
        life->left_ms = clock_ms();
    } else if (state == SESSION_CONNECTED) {
        life->left_ms = 0;
    }
    life_start(life);
    life->events->changed(life->arg, from, state);
}

void life_set_end(struct life *life, enum session_end end, const struct why *why)
{
    life->end = (uint8_t)end;
    life->ended_ms = clock_ms();
    life->why = why ? malloc(sizeof *why) : NULL; /* without memory it is in the log alone */
    if (life->why) {
        *life->why = *why;
    }
}

void life_set_failed(struct life *life, uint8_t failed)
{
    life->failed = failed;
}

void life_set_ended_by(struct life *life, const struct owner *by)
{
    life->ended_by = *by;
    life->has_ended_by = true;
}

const struct owner *life_ended_by(const struct life *life)
{
    return life->has_ended_by ? &life->ended_by : NULL;
}

void life_end_text(const struct life *life, struct text *text)
{
    explain_end(life->terms, life->end, life->why, life_ended_by(life), text);
}

/* ---- what there is to see -------------------------------------------------- */

/* From its first client until now, its end, or the end of its last connection. 0: none came. */
static uint64_t connected_ms(const struct life *life)
{
    uint64_t since = front_insider(life->front)->since_ms;
    uint64_t until = life->left_ms ? life->left_ms : life->ended_ms ? life->ended_ms : clock_ms();
    return since ? until - since : 0;
}

static unsigned seconds_left(const struct life *life, uint64_t now)
{
    bool counts = life->state != SESSION_ENDED && life->deadline_ms > now;
    return counts ? (unsigned)((life->deadline_ms - now + 999) / 1000) : 0;
}

static unsigned in_seconds(uint64_t ms)
{
    return ms == UINT64_MAX ? 0 : (unsigned)((ms + 999) / 1000);
}

static void view_limits(const struct life *life, struct session_view *view)
{
    const struct session_limits *limits = &life->terms->limits;
    bool is_used = count_bytes(life) != life->active_bytes;
    view->idle_left_s = is_used ? limits->idle_s : in_seconds(idle_left(life));
    view->time_left_s = in_seconds(time_left(life));
}

void life_view(const struct life *life, struct session_view *view)
{
    uint64_t now = life->ended_ms ? life->ended_ms : clock_ms();
    view->state = life->state;
    view->seconds_open = (unsigned)((now - life->terms->opened_ms) / 1000);
    view->seconds_left = seconds_left(life, now);
    view->seconds_connected = (unsigned)(connected_ms(life) / 1000);
    view->was_ready = life->was_ready;
    view->end = life->end;
    view->failed = life->failed;
    view->idle_limit_s = life->terms->limits.idle_s;
    view->time_limit_s = life->terms->limits.time_s;
    view->time_is_fixed = life->terms->limits.time_is_fixed;
    if (life->state == SESSION_CONNECTED) {
        view_limits(life, view);
    }
    view->ended_by = life_ended_by(life);
}

/* ---- life ------------------------------------------------------------------ */

struct life *life_new(const struct terms *terms, const struct front *front,
                      const struct connections *connections, const struct life_events *events,
                      void *arg)
{
    struct life *life = calloc(1, sizeof *life);
    if (!life) {
        return NULL;
    }
    *life = (struct life){.terms = terms,
                          .front = front,
                          .connections = connections,
                          .events = events,
                          .arg = arg,
                          .timer = timer_new(terms->services->loop, on_timer, life)};
    if (!life->timer) {
        free(life);
        return NULL;
    }
    return life;
}

void life_free(struct life *life)
{
    if (life) {
        timer_free(life->timer);
        free(life->why);
        free(life);
    }
}
