#include "vps/factor/seed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/text.h"

void seed_free(struct seed *seed)
{
    list_remove(&seed->home);
    crypto_wipe(seed, sizeof *seed);
    free(seed);
}

/* Those that are too old go, whoever is looked for. */
struct seed *seed_find(struct list *seeds, const char *person)
{
    struct seed *found = NULL;
    list_each (struct seed, seed, seeds, home) {
        if (clock_ms() >= seed->until_ms) {
            seed_free(seed);
        } else if (strcmp(seed->person, person) == 0) {
            found = seed;
        }
    }
    return found;
}

int seed_make(struct list *seeds, const char *person, struct seed **ret_seed)
{
    struct seed *seed = seed_find(seeds, person);
    if (!seed) {
        seed = calloc(1, sizeof *seed);
        if (!seed) {
            return -ENOMEM;
        }
        list_append(seeds, &seed->home);
    }
    struct text name = text_over(seed->person, sizeof seed->person);
    text_add(&name, "%s", person);
    seed->until_ms = clock_ms() + ENROLMENT_S * 1000;
    int err = crypto_random(seed->secret, sizeof seed->secret);
    if (err < 0) {
        seed_free(seed);
        return err;
    }
    *ret_seed = seed;
    return 0;
}
