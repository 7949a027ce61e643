/*
 * Who gets a place and who makes room, as a table: those who are there, in the order of
 * their coming, who comes, and what becomes of it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vps/admission/places.h"

enum { PLACES_TEST_MAX = 80, NOW = 1000000 };

struct row {
    const char *says;
    const char *there; /* "9.9.9.1*3 8.8.8.8 old:7.7.7.7": times, and older than a minute */
    const char *comes;
    unsigned most;
    const char *expect; /* "free", "none", or the address that makes room */
    int at;             /* its index, if the address alone does not say; -1 */
};

struct crowd {
    struct place places[PLACES_TEST_MAX];
    char hosts[PLACES_TEST_MAX][ADDR_HOST_MAX];
    const struct place *pointers[PLACES_TEST_MAX];
    unsigned count;
};

static struct origin origin_from(const char *host)
{
    struct addr addr;
    assert_int_equal(addr_parse(host, 1, &addr), 0);
    return origin_of(&addr);
}

static void build(const char *there, struct crowd *crowd)
{
    char word[80];
    int used;
    crowd->count = 0;
    for (; sscanf(there, " %79s%n", word, &used) == 1; there += used) {
        unsigned times = 1;
        bool old = strncmp(word, "old:", 4) == 0;
        char *host = old ? word + 4 : word, *star = strchr(host, '*');
        if (star) {
            *star = '\0';
            assert_int_equal(sscanf(star + 1, "%u", &times), 1);
        }
        while (times-- > 0) {
            unsigned i = crowd->count++;
            assert_in_range(i, 0, PLACES_TEST_MAX - 1);
            strcpy(crowd->hosts[i], host);
            crowd->places[i] = (struct place){origin_from(host), old ? NOW - PLACES_WAIT_MS
                                                                     : NOW - PLACES_WAIT_MS + 1};
            crowd->pointers[i] = &crowd->places[i];
        }
    }
}

static void check(const struct row *row, bool silent)
{
    struct crowd crowd;
    build(row->there, &crowd);
    struct origin newcomer = origin_from(row->comes);
    int at = silent ? places_for_silent(crowd.pointers, crowd.count, &newcomer, row->most)
                    : places_for_waiting(crowd.pointers, crowd.count, &newcomer, row->most, NOW);
    const char *got = at == PLACES_FREE ? "free" : at == PLACES_NONE ? "none" : crowd.hosts[at];
    if (strcmp(got, row->expect) != 0 || (row->at >= 0 && row->at != at)) {
        fail_msg("%s: %s (%d) instead of %s (%d)", row->says, got, at, row->expect, row->at);
    }
}

// clang-format off
static const struct row WAITING[] = {
    {"the first one", "", "1.1.1.1", 8, "free", -1},
    {"while there is room", "1.1.1.1 1.1.1.2 1.1.1.3", "1.1.1.4", 4, "free", -1},
    {"four of one address, and no more", "1.1.1.1*4", "1.1.1.1", 8, "none", -1},
    {"a /64 is one party", "2001:db8::1 2001:db8::2 2001:db8::3 2001:db8::4", "2001:db8::5", 8, "none", -1},
    {"nobody is displaced for another of his party, however long he waits", "old:1.1.1.1*4", "1.1.1.1", 8, "none", -1},
    {"a crowd of one network makes room for another network: its newest",
     "9.9.9.1 9.9.9.2 9.9.9.3 9.9.9.4", "1.1.1.1", 4, "9.9.9.4", -1},
    {"so does one of a whole provider", "9.9.1.1 9.9.2.1 9.9.3.1 9.9.4.1", "1.1.1.1", 4, "9.9.4.1", -1},
    {"also one with a /32 of IPv6 to itself",
     "2001:db8:1::1 2001:db8:2::1 2001:db8:3::1 2001:db8:4::1", "1.1.1.1", 4, "2001:db8:4::1", -1},
    {"but not for one more of itself", "9.9.9.1 9.9.9.2 9.9.9.3 9.9.9.4", "9.9.9.5", 4, "none", -1},
    {"the user, first, is not displaced by any number of those from one network",
     "1.1.1.1 9.9.9.1 9.9.9.2 9.9.9.3", "9.9.9.4", 4, "none", -1},
    {"nor, last, by those from elsewhere, while others take more",
     "9.9.9.1 9.9.9.2 9.9.9.3 1.1.1.1", "8.8.8.8", 4, "9.9.9.3", -1},
    {"within a provider the most crowded network makes room",
     "9.9.1.1 9.9.2.1 9.9.2.2 9.9.3.1", "1.1.1.1", 4, "9.9.2.2", -1},
    {"within a network the most crowded party",
     "9.9.9.1 9.9.9.2*2 9.9.9.3", "1.1.1.1", 4, "9.9.9.2", 2},
    {"also for one of the same provider", "9.9.1.1 9.9.1.2 9.9.1.3 9.9.1.4", "9.9.2.1", 4, "9.9.1.4", -1},
    {"also for one of the same network", "9.9.9.1*3 9.9.9.2", "9.9.9.3", 4, "9.9.9.1", 2},
    {"where all have the same, nobody goes within a minute", "1.1.1.1 2.2.2.2 3.3.3.3 4.4.4.4", "5.5.5.5", 4, "none", -1},
    {"and then the one who has waited for longest", "1.1.1.1 old:2.2.2.2 old:3.3.3.3 4.4.4.4", "5.5.5.5", 4, "2.2.2.2", -1},
    {"but rather one of a crowd", "old:1.1.1.1 old:2.2.2.2 3.3.3.1 3.3.3.2", "5.5.5.5", 4, "3.3.3.2", -1},
    {"one place more than the newcomer has is fair", "1.1.1.1 9.9.9.1 2.2.2.2 3.3.3.3", "9.9.9.2", 4, "none", -1},
};

static const struct row SILENT[] = {
    {"the first one", "", "1.1.1.1", 8, "free", -1},
    {"eight of one address", "1.1.1.1*7", "1.1.1.1", 20, "free", -1},
    {"and then its oldest goes", "2.2.2.2 1.1.1.1*8", "1.1.1.1", 20, "1.1.1.1", 1},
    {"a crowd makes room, its oldest", "1.1.1.1 9.9.9.1 9.9.9.2 9.9.9.3", "9.9.9.4", 4, "9.9.9.1", -1},
    {"one that is alone does not", "1.1.1.1 9.9.1.1 9.9.2.1 9.9.3.1", "8.8.8.8", 4, "9.9.1.1", -1},
    {"where all have the same the oldest goes", "1.1.1.1 2.2.2.2 3.3.3.3 4.4.4.4", "5.5.5.5", 4, "1.1.1.1", -1},
    {"a /48 is one network", "2001:db8:1:1::1 2001:db8:1:2::1 2a00::1 1.1.1.1", "5.5.5.5", 4, "2001:db8:1:1::1", -1},
};
// clang-format on

static void those_who_wait(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof WAITING / sizeof *WAITING; i++) {
        check(&WAITING[i], false);
    }
}

static void those_who_are_silent(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof SILENT / sizeof *SILENT; i++) {
        check(&SILENT[i], true);
    }
}

/* However many addresses a crowd has in however many networks of one provider. */
static void who_is_alone_always_finds_a_place(void **state)
{
    (void)state;
    for (unsigned networks = 1; networks <= 64; networks++) {
        struct crowd crowd = {.count = 64};
        for (unsigned i = 0; i < 64; i++) {
            snprintf(crowd.hosts[i], sizeof crowd.hosts[i], "9.9.%u.%u", i % networks, i);
            crowd.places[i] = (struct place){origin_from(crowd.hosts[i]), NOW};
            crowd.pointers[i] = &crowd.places[i];
        }
        struct origin user = origin_from("1.1.1.1");
        assert_in_range(places_for_waiting(crowd.pointers, 64, &user, 64, NOW), 0, 63);
        /* ... and keeps it, whoever of them comes */
        crowd.places[63] = (struct place){user, NOW};
        for (unsigned i = 0; i < 64; i++) {
            char host[ADDR_HOST_MAX];
            snprintf(host, sizeof host, "9.9.%u.200", i);
            struct origin next = origin_from(host);
            assert_int_not_equal(places_for_waiting(crowd.pointers, 64, &next, 64, NOW), 63);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_who_wait),
        cmocka_unit_test(those_who_are_silent),
        cmocka_unit_test(who_is_alone_always_finds_a_place),
    };
    return cmocka_run_group_tests_name("places", tests, NULL, NULL);
}
