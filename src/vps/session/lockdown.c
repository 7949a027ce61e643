#include "vps/session/lockdown.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

static const char LOAD[] = "SELECT by, since FROM lockdown";
static const char KEEP[] = "INSERT OR REPLACE INTO lockdown(id, by, since) VALUES(1, ?1, ?2)";
/* A row that is found after all knows better who it was. */
static const char KEEP_IN_DOUBT[] =
    "INSERT OR IGNORE INTO lockdown(id, by, since) VALUES(1, ?1, ?2)";
static const char FORGET[] = "DELETE FROM lockdown";
static const char NOBODY[] = "state_file"; /* in the place of who it was */

struct lockdown {
    struct lockdown_options options;
    bool on;
    struct lockdown_view view; /* of the last one */
    unsigned ended;
    struct owner lifted_by; /* last */
};

static void load(void *arg, const struct row *row)
{
    struct lockdown *lockdown = arg;
    lockdown->on = true;
    lockdown->view.since_unix = row_number(row, 1);
    lockdown->view.is_in_doubt = strcmp(row_text(row, 0), NOBODY) == 0;
    if (owner_parse(row_text(row, 0), &lockdown->view.by) < 0) { /* it is locked nevertheless */
        lockdown->view.by = (struct owner){.kind = OWNER_LOCAL};
    }
}

bool lockdown_view(const struct lockdown *lockdown, struct lockdown_view *ret_view)
{
    if (lockdown->on && ret_view) {
        *ret_view = lockdown->view;
    }
    return lockdown->on;
}

int lockdown_check(const struct lockdown *lockdown, const struct people *people, struct why *why)
{
    char name[PEOPLE_NAME_MAX] = "an administrator", when[32];
    const struct lockdown_view *view = &lockdown->view;
    time_t since = (time_t)view->since_unix;
    struct tm utc;
    if (!lockdown->on) {
        return 0;
    }
    if (people && people_user(people, &view->by)) {
        people_name(people, &view->by, name);
    }
    strftime(when, sizeof when, "%d %b, %H:%M UTC", gmtime_r(&since, &utc));
    if (view->is_in_doubt) {
        return why_set(
            why, -EPERM,
            "This server has been locked since %s: its state file could not be read, so that "
            "nobody can tell whether somebody had locked it before. No session can be "
            "opened until it is unlocked on the server itself, with pamctl unlock.",
            when);
    }
    return why_set(why, -EPERM,
                   "This server is locked: %s ended every session on %s, and none can be opened "
                   "until it is unlocked on the server itself, with pamctl unlock.",
                   name, when);
}

/* ---- changing it ------------------------------------------------------------ */

static void tell(const struct lockdown *lockdown, struct session_event event, int err)
{
    if (err < 0) {
        log_error(lockdown->options.log, "that the server is %s is not in the state file yet: %s",
                  event.kind == SESSION_SERVER_LOCKED ? "locked" : "unlocked", strerror(-err));
        event.reason = strerror(-err);
    }
    event.unix_ms = clock_unix_ms();
    lockdown->options.tell(lockdown->options.arg, &event);
}

static void on_locked(void *arg, int err)
{
    const struct lockdown *lockdown = arg;
    tell(lockdown,
         (struct session_event){.kind = SESSION_SERVER_LOCKED,
                                .by = lockdown->view.is_in_doubt ? NULL : &lockdown->view.by,
                                .number = lockdown->ended},
         err);
}

static void on_unlocked(void *arg, int err)
{
    const struct lockdown *lockdown = arg;
    tell(lockdown,
         (struct session_event){.kind = SESSION_SERVER_UNLOCKED, .by = &lockdown->lifted_by}, err);
}

static int keep_lock(struct lockdown *lockdown, statement_done_fn done)
{
    const struct lockdown_view *view = &lockdown->view;
    char who[OWNER_TEXT_MAX];
    const struct statement statement = {
        view->is_in_doubt ? KEEP_IN_DOUBT : KEEP,
        {value_text(view->is_in_doubt ? NOBODY : owner_text(&view->by, who)),
         value_number(view->since_unix)}};
    return store_write(lockdown->options.store, &statement, done, lockdown);
}

/* Told before: it stands in another file now. */
static void on_kept_anew(void *arg, int err)
{
    const struct lockdown *lockdown = arg;
    if (err < 0) {
        log_error(lockdown->options.log,
                  "that the server is locked is not in the new state file yet: %s", strerror(-err));
    }
}

static void on_anew(void *arg)
{
    struct lockdown *lockdown = arg;
    int err = lockdown->on ? keep_lock(lockdown, on_kept_anew) : 0;
    if (err < 0) {
        on_kept_anew(lockdown, err);
    }
}

bool lockdown_begin(struct lockdown *lockdown, const struct owner *by, unsigned ended)
{
    char who[OWNER_TEXT_MAX];
    if (lockdown->on) {
        return false;
    }
    lockdown->on = true;
    lockdown->ended = ended;
    lockdown->view = (struct lockdown_view){.by = *by, .since_unix = clock_unix()};
    log_warn(lockdown->options.log, "%s has locked the server: no session is opened (%u end now)",
             owner_text(by, who), ended);
    int err = keep_lock(lockdown, on_locked);
    if (err < 0) {
        on_locked(lockdown, err);
    }
    return true;
}

bool lockdown_lift(struct lockdown *lockdown, const struct owner *by)
{
    char who[OWNER_TEXT_MAX];
    const struct statement statement = {.sql = FORGET};
    if (!lockdown->on) {
        return false;
    }
    lockdown->on = false;
    lockdown->lifted_by = *by;
    log_warn(lockdown->options.log, "%s has unlocked the server", owner_text(by, who));
    int err = store_write(lockdown->options.store, &statement, on_unlocked, lockdown);
    if (err < 0) {
        on_unlocked(lockdown, err);
    }
    return true;
}

/* ---- life ------------------------------------------------------------------- */

static void lock_in_doubt(struct lockdown *lockdown)
{
    lockdown->on = true;
    lockdown->view = (struct lockdown_view){
        .is_in_doubt = true, .by = {.kind = OWNER_LOCAL}, .since_unix = clock_unix()};
    log_error(lockdown->options.log,
              "nobody can tell whether the server was locked, since the state file could not be "
              "read: it is locked now, and no session is opened until pamctl unlock");
    int err = keep_lock(lockdown, on_locked);
    if (err < 0) { /* nobody listens yet */
        on_kept_anew(lockdown, err);
    }
}

struct lockdown *lockdown_new(const struct lockdown_options *options)
{
    const struct statement statement = {.sql = LOAD};
    struct lockdown *lockdown = calloc(1, sizeof *lockdown);
    if (!lockdown) {
        return NULL;
    }
    lockdown->options = *options;
    int err = store_read(options->store, &statement, load, lockdown);
    if (err < 0 || store_has_forgotten(options->store)) {
        lock_in_doubt(lockdown);
    }
    store_on_anew(options->store, on_anew, lockdown);
    return lockdown;
}

void lockdown_free(struct lockdown *lockdown)
{
    if (lockdown) {
        store_on_anew(lockdown->options.store, NULL, NULL);
        store_detach(lockdown->options.store, lockdown);
        free(lockdown);
    }
}
