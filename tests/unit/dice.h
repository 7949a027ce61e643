/*
 * Random contents for tests, from a seed that is printed: a run that failed is
 * repeated with TEST_SEED=NUMBER in the environment.
 */
#ifndef PAMTUNNEL_TESTS_DICE_H
#define PAMTUNNEL_TESTS_DICE_H

#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/crypto.h"

struct dice {
    uint64_t state;
};

static inline struct dice dice_new(void)
{
    const char *given = getenv("TEST_SEED");
    struct dice dice = {given ? strtoull(given, NULL, 10) : 0};
    while (dice.state == 0) {
        assert_int_equal(crypto_random(&dice.state, sizeof dice.state), 0);
    }
    print_message("TEST_SEED=%" PRIu64 "\n", dice.state);
    return dice;
}

/* xorshift64* */
static inline uint64_t dice_roll(struct dice *dice)
{
    dice->state ^= dice->state >> 12;
    dice->state ^= dice->state << 25;
    dice->state ^= dice->state >> 27;
    return dice->state * 0x2545f4914f6cdd1d;
}

static inline size_t dice_below(struct dice *dice, size_t limit)
{
    return (size_t)(dice_roll(dice) >> 16) % limit;
}

static inline void dice_fill(struct dice *dice, void *dst, size_t len)
{
    uint8_t *bytes = dst;
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(dice_roll(dice) >> 32);
    }
}

#endif
