/* seed: secrets that were made for people, and that none of their codes has confirmed yet. */
#ifndef PAMTUNNEL_VPS_FACTOR_SEED_H
#define PAMTUNNEL_VPS_FACTOR_SEED_H

#include <stdint.h>

#include "base/list.h"
#include "vps/factor/totp.h"
#include "vps/people/people.h"

enum { ENROLMENT_S = 15 * 60 }; /* as long as one is kept */

struct seed {
    struct list home;
    char person[PEOPLE_NAME_MAX];
    uint8_t secret[TOTP_SECRET_SIZE];
    uint64_t until_ms; /* of clock_ms() */
};

/* A fresh one, in place of the one that this person has. 0 or -errno. */
int seed_make(struct list *seeds, const char *person, struct seed **ret_seed);
/* NULL: there is none, or it took too long. */
struct seed *seed_find(struct list *seeds, const char *person);
/* Takes it out of its list, and wipes it. */
void seed_free(struct seed *seed);

#endif
