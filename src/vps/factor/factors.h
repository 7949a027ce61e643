/*
 * factors: who has a second factor, an app that shows the codes of totp.h, and whose codes are
 * taken. People have it, not accounts: it is known by the name of people_name().
 *
 * A code is taken once: the step that it is of is on the disk before anybody is told that it was
 * right, so that no restart makes it good again. For FACTOR_MINUTES after that nobody is asked
 * again, in the chat or at the terminal where they gave it; that is forgotten with a restart.
 */
#ifndef PAMTUNNEL_VPS_FACTOR_FACTORS_H
#define PAMTUNNEL_VPS_FACTOR_FACTORS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/why.h"
#include "vps/audit/audit.h"
#include "vps/factor/totp.h"
#include "vps/people/people.h"
#include "vps/store/store.h"

struct factors;

/* All of it outlives the factors. */
struct factors_options {
    const struct log *log;
    const struct vps_settings *settings;
    const struct people *people;
    struct store *store; /* before store_start() */
    struct audit *audit; /* or NULL */
};

/* NULL when out of memory. */
struct factors *factors_new(const struct factors_options *options);
/* Nobody is called back any more. Accepts NULL. */
void factors_free(struct factors *factors);

/* ---- giving it -------------------------------------------------------------- */

/*
 * Whether this account is to give a code. 0: it did a moment ago; -EINPROGRESS: it is to; another
 * -errno, with a sentence for that person in why: it cannot (-ENOENT: none is enrolled, -EBUSY: too
 * many were wrong). As holds_factor.check; arg: the factors.
 */
int factors_check(void *arg, const struct owner *owner, struct why *why);

enum factor_result {
    FACTOR_RIGHT,  /* `done` is told when that is on the disk */
    FACTOR_WRONG,  /* and was counted */
    FACTOR_USED,   /* this code, or a later one, was taken before */
    FACTOR_LOCKED, /* too many were wrong: it was not looked at */
    FACTOR_NONE,   /* nothing to compare it with */
    FACTOR_FAILED, /* there is no memory, or no state file */
};

/*
 * Called once, from the loop: 0, what was right is on the disk, and counts; or -errno, it could not
 * be written, and does not.
 */
typedef void (*factor_done_fn)(void *arg, const struct owner *owner, int err);

enum factor_result factors_try(struct factors *factors, const struct owner *owner, uint32_t code,
                               factor_done_fn done, void *arg);
/* No callback of this arg's is called any more. Accepts NULL factors. */
void factors_detach(struct factors *factors, const void *arg);

/* ---- enrolling --------------------------------------------------------------- */

/*
 * A secret for this person to put into an app, in place of one that they have. It counts when it is
 * confirmed; until then it is kept in memory, and for 15 minutes. 0 or -errno.
 */
int factors_enrol(struct factors *factors, const char *person,
                  uint8_t ret_secret[TOTP_SECRET_SIZE]);
/* A code of that. FACTOR_NONE: none was made, or it took too long. Wrong ones are not counted. */
enum factor_result factors_confirm(struct factors *factors, const char *person, uint32_t code,
                                   const struct owner *by, factor_done_fn done, void *arg);
/* -ENOENT: they have none. */
int factors_remove(struct factors *factors, const char *person, const struct owner *by);
/* Forgets the wrong ones. -ENOENT: they have none. */
int factors_unlock(struct factors *factors, const char *person, const struct owner *by);

/* ---- looking ------------------------------------------------------------------ */

struct factor_view {
    const char *person;
    int64_t since;       /* Unix time of its enrolment */
    unsigned tries_left; /* until it is locked */
    unsigned locked_s;   /* 0: it is not */
    bool used_up;        /* locked until somebody unlocks it */
};

/* False: this person has none. */
bool factors_view(const struct factors *factors, const char *person, struct factor_view *ret_view);
/* One after the other, in the order of their names: NULL to start. False at the end. */
bool factors_next(const struct factors *factors, const char *after, struct factor_view *ret_view);

#endif
