/*
 * factor: one person's, and its row in the state file. It is written as a whole when it changes,
 * so that a restart takes no try back, and makes no code good again.
 */
#ifndef PAMTUNNEL_VPS_FACTOR_FACTOR_H
#define PAMTUNNEL_VPS_FACTOR_FACTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "vps/factor/totp.h"
#include "vps/factor/tries.h"
#include "vps/people/people.h"
#include "vps/store/store.h"

struct factor {
    struct list home;
    char person[PEOPLE_NAME_MAX];
    uint8_t secret[TOTP_SECRET_SIZE];
    int64_t since; /* Unix time */
    int64_t step;  /* the last that was taken */
    struct tries tries;
    /* Where it was given, and until when that holds, of clock_ms(). In no file. */
    struct owner given_by;
    uint64_t given_until_ms;
};

/* Without a secret, and in no list. NULL when out of memory. */
struct factor *factor_new(const char *person);
/* Takes it out of its list, and wipes it. Accepts NULL. */
void factor_free(struct factor *factor);

/* Calls back with each in the file that makes sense, which whoever is called owns. */
void factor_read_all(struct store *store, void (*fn)(void *arg, struct factor *factor), void *arg);
/* As store_write(). */
int factor_keep(const struct factor *factor, struct store *store, statement_done_fn done,
                void *arg);
int factor_drop(const struct factor *factor, struct store *store);

/* No code is taken now. */
bool factor_is_locked(const struct factor *factor);

#endif
