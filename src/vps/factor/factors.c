/*
 * All factors are in memory, with the secrets that nobody has confirmed yet (seed.h).
 *
 *     made (a seed) -> confirmed, being written -> enrolled -> removed
 *     a code is right -> its step is being written -> it counts, and whoever gave it is told
 *
 * While something is being written, a ticket stands for it. It holds what is to be done then, and
 * nothing of the person's, who may have been removed meanwhile.
 *
 * Re-entrancy: done is called from the store's callbacks, never from inside a verb. It may call any
 * of them but factors_free().
 */
#include "vps/factor/factors.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/list.h"
#include "base/text.h"
#include "vps/factor/factor.h"
#include "vps/factor/seed.h"

struct ticket {
    struct list home;
    struct factors *factors;
    struct owner owner;
    enum audit_event event; /* what happened, when it is on the disk */
    char person[PEOPLE_NAME_MAX];
    factor_done_fn done;
    void *arg;
};

struct factors {
    struct factors_options options;
    struct list list, seeds, tickets;
};

/* ---- the table --------------------------------------------------------------- */

static struct factor *find(const struct factors *factors, const char *person)
{
    list_each (struct factor, factor, &factors->list, home) {
        if (strcmp(factor->person, person) == 0) {
            return factor;
        }
    }
    return NULL;
}

static struct factor *find_of(const struct factors *factors, const struct owner *owner)
{
    char person[PEOPLE_NAME_MAX];
    return find(factors, people_name(factors->options.people, owner, person));
}

static void insert(void *arg, struct factor *factor)
{
    struct factors *factors = arg;
    struct list *before = factors->list.next;
    while (before != &factors->list &&
           strcmp(list_owner(before, struct factor, home)->person, factor->person) < 0) {
        before = before->next;
    }
    list_append(before, &factor->home);
}

/* ---- what is recorded ------------------------------------------------------------ */

/* entry: what is to say beside whose factor it is, by_name apart. */
static void record(const struct factors *factors, struct audit_entry entry)
{
    char by[PEOPLE_NAME_MAX];
    if (entry.by) {
        entry.by_name = people_name(factors->options.people, entry.by, by);
    }
    audit_record(factors->options.audit, &entry, NULL, NULL);
}

/* ---- what is being written -------------------------------------------------------- */

static void free_ticket(struct ticket *ticket)
{
    list_remove(&ticket->home);
    free(ticket);
}

static void count_as_given(struct factors *factors, const struct ticket *ticket)
{
    struct factor *factor = find(factors, ticket->person);
    if (factor) {
        factor->given_by = ticket->owner;
        factor->given_until_ms = clock_ms() +
                                 (uint64_t)factors->options.settings->factor_minutes * 60000;
    }
}

/* At the first attempt: one that comes later is nobody's code any more. */
static void on_kept(void *arg, int err)
{
    struct ticket *ticket = arg, told = *ticket;
    struct factors *factors = ticket->factors;
    bool given = told.event == AUDIT_FACTOR_GIVEN;
    free_ticket(ticket);
    if (err < 0) {
        log_error(factors->options.log, "a code of %s's was right, but cannot be kept: %s",
                  told.person, strerror(-err));
    } else {
        log_info(factors->options.log,
                 given ? "%s gave the second factor" : "%s has a second factor now", told.person);
        record(factors, (struct audit_entry){.what = told.event,
                                             .name = told.person,
                                             .owner = given ? &told.owner : NULL,
                                             .by = given ? NULL : &told.owner});
    }
    if (err == 0 && given) {
        count_as_given(factors, &told);
    }
    if (told.done) {
        told.done(told.arg, &told.owner, err);
    }
}

/* event: what has happened when it is written. */
static enum factor_result keep_right(struct factors *factors, const struct factor *factor,
                                     const struct ticket *as)
{
    struct ticket *ticket = malloc(sizeof *ticket);
    if (!ticket) {
        return FACTOR_FAILED;
    }
    *ticket = *as;
    ticket->factors = factors;
    memcpy(ticket->person, factor->person, sizeof ticket->person);
    list_append(&factors->tickets, &ticket->home);
    if (factor_keep(factor, factors->options.store, on_kept, ticket) < 0) {
        free_ticket(ticket);
        return FACTOR_FAILED;
    }
    return FACTOR_RIGHT;
}

void factors_detach(struct factors *factors, const void *arg)
{
    if (!factors) {
        return;
    }
    list_each (struct ticket, ticket, &factors->tickets, home) {
        ticket->done = ticket->arg == arg ? NULL : ticket->done;
    }
}

/* ---- giving it ---------------------------------------------------------------------- */

static int say_locked(const struct factor *factor, struct why *why)
{
    char span[32];
    struct text text = text_over(span, sizeof span);
    if (tries_are_used_up(&factor->tries)) {
        return why_set(why, -EBUSY,
                       "Your second factor is locked, since too many codes were wrong. Ask an "
                       "administrator: pamctl totp unlock %s on the server unlocks it.",
                       factor->person);
    }
    unsigned left_s = tries_locked_s(&factor->tries, clock_unix());
    text_add_seconds(&text, (left_s + 59) / 60 * 60);
    return why_set(why, -EBUSY,
                   "Your second factor is locked for another %s, since too many codes were wrong.",
                   span);
}

int factors_check(void *arg, const struct owner *owner, struct why *why)
{
    const struct factors *factors = arg;
    const struct factor *factor = find_of(factors, owner);
    if (!factor) {
        char person[PEOPLE_NAME_MAX];
        return why_set(why, -ENOENT,
                       "This needs a code from an authenticator app, and you have none set up here "
                       "yet. Ask an administrator to set one up with you: pamctl totp %s on the "
                       "server does it.",
                       people_name(factors->options.people, owner, person));
    }
    if (factor_is_locked(factor)) {
        return say_locked(factor, why);
    }
    return owner_equal(&factor->given_by, owner) && clock_ms() < factor->given_until_ms
               ? 0
               : -EINPROGRESS;
}

/* That it was wrong need not be on the disk before it is said: what is lost is a try. */
static void count_wrong(struct factors *factors, struct factor *factor, const struct owner *owner)
{
    tries_wrong(&factor->tries, clock_unix());
    factor_keep(factor, factors->options.store, NULL, NULL);
    log_warn(factors->options.log, "%s gave a wrong code%s", factor->person,
             factor_is_locked(factor) ? ", and is locked now" : "");
    record(factors, (struct audit_entry){.what = AUDIT_FACTOR_FAILED,
                                         .owner = owner,
                                         .name = factor->person,
                                         .count = factor->tries.of_day});
    if (factor_is_locked(factor)) {
        factor->given_until_ms = 0;
        record(factors,
               (struct audit_entry){.what = AUDIT_FACTOR_LOCKED,
                                    .owner = owner,
                                    .name = factor->person,
                                    .word = tries_are_used_up(&factor->tries) ? "until_unlocked"
                                                                              : "for_a_while"});
    }
}

static enum factor_result take(struct factors *factors, struct factor *factor, int64_t step,
                               const struct ticket *ticket)
{
    if (step <= factor->step) {
        record(factors, (struct audit_entry){.what = AUDIT_FACTOR_FAILED,
                                             .owner = &ticket->owner,
                                             .name = factor->person,
                                             .word = "used"});
        return FACTOR_USED;
    }
    factor->step = step;
    tries_right(&factor->tries);
    return keep_right(factors, factor, ticket);
}

enum factor_result factors_try(struct factors *factors, const struct owner *owner, uint32_t code,
                               factor_done_fn done, void *arg)
{
    const struct ticket ticket = {
        .owner = *owner, .event = AUDIT_FACTOR_GIVEN, .done = done, .arg = arg};
    struct factor *factor = find_of(factors, owner);
    uint64_t step;
    if (!factor || factor_is_locked(factor)) {
        return factor ? FACTOR_LOCKED : FACTOR_NONE;
    }
    int err = totp_find(factor->secret, code, totp_step(clock_unix()), &step);
    if (err == -ENOENT) {
        count_wrong(factors, factor, owner);
        return FACTOR_WRONG;
    }
    return err < 0 ? FACTOR_FAILED : take(factors, factor, (int64_t)step, &ticket);
}

/* ---- enrolling ------------------------------------------------------------------------- */

int factors_enrol(struct factors *factors, const char *person, uint8_t ret_secret[TOTP_SECRET_SIZE])
{
    struct seed *seed;
    int err = seed_make(&factors->seeds, person, &seed);
    if (err == 0) {
        memcpy(ret_secret, seed->secret, sizeof seed->secret);
    }
    return err;
}

/* Its last step is the one that confirmed it: that code has been shown and typed. */
static enum factor_result adopt(struct factors *factors, struct seed *seed, uint64_t step,
                                const struct ticket *ticket)
{
    struct factor *factor = find(factors, seed->person);
    if (!factor) {
        factor = factor_new(seed->person);
        if (!factor) {
            return FACTOR_FAILED;
        }
        insert(factors, factor);
    }
    memcpy(factor->secret, seed->secret, sizeof factor->secret);
    factor->since = clock_unix();
    factor->step = (int64_t)step;
    factor->tries = (struct tries){0};
    factor->given_until_ms = 0;
    seed_free(seed);
    return keep_right(factors, factor, ticket);
}

enum factor_result factors_confirm(struct factors *factors, const char *person, uint32_t code,
                                   const struct owner *by, factor_done_fn done, void *arg)
{
    const struct ticket ticket = {
        .owner = *by, .event = AUDIT_FACTOR_ENROLLED, .done = done, .arg = arg};
    struct seed *seed = seed_find(&factors->seeds, person);
    uint64_t step;
    if (!seed) {
        return FACTOR_NONE;
    }
    int err = totp_find(seed->secret, code, totp_step(clock_unix()), &step);
    if (err < 0) {
        return err == -ENOENT ? FACTOR_WRONG : FACTOR_FAILED;
    }
    return adopt(factors, seed, step, &ticket);
}

int factors_remove(struct factors *factors, const char *person, const struct owner *by)
{
    struct factor *factor = find(factors, person);
    if (!factor) {
        return -ENOENT;
    }
    int err = factor_drop(factor, factors->options.store);
    if (err == 0) {
        log_info(factors->options.log, "%s has no second factor any more", factor->person);
        record(factors, (struct audit_entry){
                            .what = AUDIT_FACTOR_REMOVED, .name = factor->person, .by = by});
        factor_free(factor);
    }
    return err;
}

int factors_unlock(struct factors *factors, const char *person, const struct owner *by)
{
    struct factor *factor = find(factors, person);
    if (!factor) {
        return -ENOENT;
    }
    factor->tries = (struct tries){0};
    log_info(factors->options.log, "the second factor of %s is unlocked", factor->person);
    record(factors,
           (struct audit_entry){.what = AUDIT_FACTOR_UNLOCKED, .name = factor->person, .by = by});
    return factor_keep(factor, factors->options.store, NULL, NULL);
}

/* ---- looking ----------------------------------------------------------------------------- */

static void look(const struct factor *factor, struct factor_view *ret_view)
{
    int64_t now = clock_unix();
    *ret_view = (struct factor_view){.person = factor->person,
                                     .since = factor->since,
                                     .tries_left = tries_left(&factor->tries, now),
                                     .locked_s = tries_locked_s(&factor->tries, now),
                                     .used_up = tries_are_used_up(&factor->tries)};
}

bool factors_view(const struct factors *factors, const char *person, struct factor_view *ret_view)
{
    const struct factor *factor = find(factors, person);
    if (factor) {
        look(factor, ret_view);
    }
    return factor;
}

bool factors_next(const struct factors *factors, const char *after, struct factor_view *ret_view)
{
    list_each (struct factor, factor, &factors->list, home) {
        if (!after || strcmp(factor->person, after) > 0) {
            look(factor, ret_view);
            return true;
        }
    }
    return false;
}

/* ---- life ----------------------------------------------------------------------------------- */

struct factors *factors_new(const struct factors_options *options)
{
    struct factors *factors = calloc(1, sizeof *factors);
    if (factors) {
        factors->options = *options;
        list_init(&factors->list);
        list_init(&factors->seeds);
        list_init(&factors->tickets);
        factor_read_all(options->store, insert, factors);
    }
    return factors;
}

void factors_free(struct factors *factors)
{
    if (!factors) {
        return;
    }
    list_each (struct ticket, ticket, &factors->tickets, home) {
        store_detach(factors->options.store, ticket);
        free_ticket(ticket);
    }
    list_each (struct seed, seed, &factors->seeds, home) {
        seed_free(seed);
    }
    list_each (struct factor, factor, &factors->list, home) {
        factor_free(factor);
    }
    free(factors);
}
