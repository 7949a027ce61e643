/* Addresses from which users were admitted before: whose, how long, and after a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "disk.h"
#include "vps/admission/known.h"

enum { DAY_S = 86400, NOW_S = 1800000000 };

/* The two clocks of this test. */
static uint64_t now_ms;
static int64_t now_s;

uint64_t __wrap_clock_ms(void);
uint64_t __wrap_clock_ms(void)
{
    return now_ms;
}

int64_t __wrap_clock_unix(void);
int64_t __wrap_clock_unix(void)
{
    return now_s;
}

/* Both go on, as they do when nobody sets one of them. */
static void pass(int64_t seconds)
{
    now_s += seconds;
    now_ms += (uint64_t)seconds * 1000;
}

static const struct owner ANNA = {OWNER_TELEGRAM, 42};
static const struct owner BERT = {OWNER_TELEGRAM, 43};
static const struct owner LOCAL = {OWNER_LOCAL, 42}; /* the number of ANNA, but another person */

static struct addr at(const char *host)
{
    struct addr addr;
    assert_int_equal(addr_parse(host, 1234, &addr), 0);
    return addr;
}

static struct addr number(unsigned i)
{
    char host[16];
    snprintf(host, sizeof host, "10.0.%u.%u", i / 256, i % 256);
    return at(host);
}

static int set_up(void **state)
{
    now_ms = 1000;
    now_s = NOW_S;
    *state = known_new(NULL, 30);
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    known_free(*state);
    return 0;
}

/* Admitted by himself. */
static void add(struct known *known, const struct owner *owner, const char *host)
{
    struct addr addr = at(host);
    known_add(known, owner, owner, &addr);
}

static void use(struct known *known, const struct owner *owner, const char *host)
{
    struct addr addr = at(host);
    known_use(known, owner, &addr);
}

static bool has(const struct known *known, const struct owner *owner, const char *host)
{
    struct addr addr = at(host);
    return known_has(known, owner, &addr);
}

static unsigned count(const struct known *known)
{
    struct known_view view;
    unsigned at = 0, found = 0;
    while (known_next(known, &at, &view)) {
        found++;
    }
    return found;
}

/* ---- whose ------------------------------------------------------------------- */

static void nobody_is_known_at_first(void **state)
{
    assert_false(has(*state, &ANNA, "192.0.2.1"));
    assert_int_equal(count(*state), 0);
}

static void an_address_is_known_for_its_user_alone(void **state)
{
    add(*state, &ANNA, "192.0.2.1");
    assert_true(has(*state, &ANNA, "192.0.2.1"));
    assert_false(has(*state, &BERT, "192.0.2.1"));
    assert_false(has(*state, &LOCAL, "192.0.2.1"));
    assert_false(has(*state, &ANNA, "192.0.2.2"));
}

static void the_port_does_not_matter(void **state)
{
    struct addr home = at("192.0.2.1");
    add(*state, &ANNA, "192.0.2.1");
    addr_set_port(&home, 4321);
    assert_true(known_has(*state, &ANNA, &home));
}

static void an_ipv6_address_stands_for_its_64(void **state)
{
    struct known_view view;
    unsigned place = 0;
    add(*state, &ANNA, "2001:db8:1:2:aaaa::1");
    assert_true(has(*state, &ANNA, "2001:db8:1:2:bbbb::2"));
    assert_false(has(*state, &ANNA, "2001:db8:1:3:aaaa::1"));
    add(*state, &ANNA, "2001:db8:1:2:cccc::3");
    assert_int_equal(count(*state), 1);
    assert_true(known_next(*state, &place, &view));
    assert_string_equal(view.party, "2001:db8:1:2::/64");
}

static void an_ipv4_address_is_the_same_in_ipv6_clothes(void **state)
{
    add(*state, &ANNA, "192.0.2.1");
    assert_true(has(*state, &ANNA, "::ffff:192.0.2.1"));
}

static void coming_again_does_not_make_known(void **state)
{
    use(*state, &ANNA, "192.0.2.1");
    assert_false(has(*state, &ANNA, "192.0.2.1"));
}

static void what_is_forgotten_is_not_known(void **state)
{
    struct addr home = at("192.0.2.1"), neighbour = at("2001:db8::99");
    add(*state, &ANNA, "192.0.2.1");
    add(*state, &BERT, "192.0.2.1");
    add(*state, &BERT, "192.0.2.2");
    add(*state, &BERT, "2001:db8::1");
    assert_int_equal(known_forget(*state, &ANNA, &home), 1);
    assert_int_equal(known_forget(*state, &ANNA, &home), 0);
    assert_true(has(*state, &BERT, "192.0.2.1"));
    add(*state, &ANNA, "192.0.2.1");
    assert_int_equal(known_forget(*state, NULL, &home), 2);
    assert_int_equal(known_forget(*state, NULL, &neighbour), 1); /* of the same party */
    assert_int_equal(count(*state), 1);
    assert_true(has(*state, &BERT, "192.0.2.2"));
}

/* ---- how many ---------------------------------------------------------------- */

static void fill(struct known *known, const struct owner *owner, unsigned first, unsigned many)
{
    for (unsigned i = first; i < first + many; i++) {
        struct addr addr = number(i);
        known_add(known, owner, owner, &addr);
    }
}

static void a_user_does_not_push_out_others(void **state)
{
    add(*state, &BERT, "192.0.2.1");
    fill(*state, &ANNA, 0, 2 * KNOWN_MAX);
    assert_true(has(*state, &BERT, "192.0.2.1"));
    assert_int_equal(count(*state), KNOWN_OWNER_MAX + 1);
}

static void the_one_that_was_not_used_longest_makes_room(void **state)
{
    struct addr first = number(0), second = number(1), last = number(KNOWN_OWNER_MAX);
    fill(*state, &ANNA, 0, KNOWN_OWNER_MAX);
    known_use(*state, &ANNA, &first); /* the second is the oldest now */
    known_add(*state, &ANNA, &ANNA, &last);
    assert_true(known_has(*state, &ANNA, &first));
    assert_false(known_has(*state, &ANNA, &second));
    assert_true(known_has(*state, &ANNA, &last));
    assert_int_equal(count(*state), KNOWN_OWNER_MAX);
}

static void there_is_an_end_to_all_of_them(void **state)
{
    for (unsigned i = 0; i <= KNOWN_MAX / KNOWN_OWNER_MAX; i++) {
        struct owner owner = {OWNER_LOCAL, i};
        fill(*state, &owner, i * KNOWN_OWNER_MAX, KNOWN_OWNER_MAX);
    }
    assert_int_equal(count(*state), KNOWN_MAX);
}

/* ---- how long ----------------------------------------------------------------- */

static void an_address_that_is_not_used_expires(void **state)
{
    add(*state, &ANNA, "192.0.2.1");
    pass(30 * DAY_S - 1);
    assert_true(has(*state, &ANNA, "192.0.2.1"));
    pass(1);
    assert_false(has(*state, &ANNA, "192.0.2.1"));
    use(*state, &ANNA, "192.0.2.1"); /* too late */
    assert_false(has(*state, &ANNA, "192.0.2.1"));
    assert_int_equal(count(*state), 0);
}

static void each_use_makes_it_last(void **state)
{
    struct known_view view;
    unsigned place = 0;
    struct addr home = at("192.0.2.1");
    known_add(*state, &ANNA, &LOCAL, &home);
    for (unsigned i = 0; i < 5; i++) {
        pass(20 * DAY_S);
        use(*state, &ANNA, "192.0.2.1");
    }
    assert_true(known_next(*state, &place, &view));
    assert_int_equal(view.since_unix, NOW_S);
    assert_int_equal(view.used_unix, now_s);
    assert_int_equal(view.until_unix, now_s + 30 * DAY_S);
    assert_true(owner_equal(&view.admitted_by, &LOCAL));
    assert_false(known_next(*state, &place, &view));
}

static void a_clock_that_is_wrong_for_a_while_deletes_nothing(void **state)
{
    add(*state, &ANNA, "192.0.2.1");
    pass(DAY_S);
    now_s += 400 * DAY_S; /* somebody set it */
    assert_false(has(*state, &ANNA, "192.0.2.1"));
    add(*state, &BERT, "192.0.2.2");
    pass(1800);
    add(*state, &BERT, "192.0.2.3");
    now_s -= 400 * DAY_S;
    add(*state, &BERT, "192.0.2.4");
    assert_true(has(*state, &ANNA, "192.0.2.1"));
}

static void a_time_in_the_future_is_worth_nothing(void **state)
{
    now_s += 400 * DAY_S;
    add(*state, &ANNA, "192.0.2.1");
    now_s -= 400 * DAY_S;
    assert_false(has(*state, &ANNA, "192.0.2.1"));
    assert_int_equal(count(*state), 0);
    add(*state, &ANNA, "192.0.2.1");
    now_s -= 300; /* a clock that was set right */
    assert_true(has(*state, &ANNA, "192.0.2.1"));
}

/* ---- after a restart ----------------------------------------------------------- */

static struct known *kept; /* the one that is in use */

static void start(struct disk *disk)
{
    disk_open(disk);
    kept = known_new(disk->store, 30);
    disk_write(disk);
}

static void stop(struct disk *disk)
{
    known_free(kept);
    disk_close(disk);
}

static void restart(struct disk *disk)
{
    stop(disk);
    start(disk);
}

static int set_up_disk(void **state)
{
    struct disk *disk = disk_set_up();
    now_ms = 1000;
    now_s = NOW_S;
    if (disk) {
        start(disk);
    }
    *state = disk;
    return disk ? 0 : -1;
}

static int tear_down_disk(void **state)
{
    stop(*state);
    disk_tear_down(*state);
    return 0;
}

static void a_restart_forgets_nothing(void **state)
{
    struct disk *disk = *state;
    struct known_view view;
    unsigned place = 0;
    add(kept, &BERT, "2001:db8::1");
    pass(60);
    struct addr home = at("192.0.2.1");
    known_add(kept, &ANNA, &LOCAL, &home);
    restart(disk);
    assert_true(has(kept, &BERT, "2001:db8::ffff"));
    assert_true(known_next(kept, &place, &view));
    assert_true(owner_equal(&view.owner, &ANNA));
    assert_true(owner_equal(&view.admitted_by, &LOCAL));
    assert_string_equal(view.party, "192.0.2.1");
    assert_int_equal(view.since_unix, NOW_S + 60);
}

/* Written by another hand: nobody reckons with such times. */
static void times_that_no_clock_shows_are_no_entries(void **state)
{
    static const int64_t TIMES[] = {INT64_MIN, INT64_MIN + 1, -1, INT64_MAX - 1, INT64_MAX};
    struct disk *disk = *state;
    struct known_view view;
    unsigned place = 0;
    for (unsigned i = 0; i < sizeof TIMES / sizeof *TIMES; i++) {
        char host[16];
        snprintf(host, sizeof host, "192.0.2.%u", i);
        const struct statement statement = {
            "INSERT INTO known VALUES('telegram:42', ?1, ?1, 'uid:0', ?2, ?2)",
            {value_text(host), value_number(TIMES[i])}};
        assert_int_equal(store_write(disk->store, &statement, NULL, NULL), 0);
    }
    restart(disk);
    for (unsigned i = 0; i < sizeof TIMES / sizeof *TIMES; i++) {
        char host[16];
        snprintf(host, sizeof host, "192.0.2.%u", i);
        assert_false(has(kept, &ANNA, host));
    }
    assert_false(known_next(kept, &place, &view));
}

static void what_was_forgotten_does_not_come_back(void **state)
{
    struct disk *disk = *state;
    struct addr home = at("192.0.2.1");
    add(kept, &ANNA, "192.0.2.1");
    restart(disk);
    assert_int_equal(known_forget(kept, NULL, &home), 1);
    restart(disk);
    assert_int_equal(count(kept), 0);
}

static void what_made_room_does_not_come_back(void **state)
{
    struct disk *disk = *state;
    fill(kept, &ANNA, 0, KNOWN_OWNER_MAX + 8);
    restart(disk);
    assert_int_equal(count(kept), KNOWN_OWNER_MAX);
}

static void uses_count_after_a_restart(void **state)
{
    struct disk *disk = *state;
    add(kept, &ANNA, "192.0.2.1");
    pass(20 * DAY_S);
    use(kept, &ANNA, "192.0.2.1");
    pass(20 * DAY_S);
    restart(disk);
    assert_true(has(kept, &ANNA, "192.0.2.1"));
    pass(10 * DAY_S);
    assert_false(has(kept, &ANNA, "192.0.2.1"));
}

static void a_start_with_a_wrong_clock_deletes_nothing(void **state)
{
    struct disk *disk = *state;
    add(kept, &ANNA, "192.0.2.1");
    now_s = 1000; /* the clock begins in 1970 */
    restart(disk);
    assert_false(has(kept, &ANNA, "192.0.2.1"));
    add(kept, &BERT, "192.0.2.2");
    now_s = NOW_S + DAY_S;
    restart(disk);
    assert_true(has(kept, &ANNA, "192.0.2.1"));
}

static void what_expired_goes_from_the_file(void **state)
{
    struct disk *disk = *state;
    add(kept, &ANNA, "192.0.2.1");
    pass(31 * DAY_S); /* and no jump */
    add(kept, &BERT, "192.0.2.2");
    now_s = NOW_S; /* it would be alive by now */
    restart(disk);
    assert_false(has(kept, &ANNA, "192.0.2.1"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define DISK(name) cmocka_unit_test_setup_teardown(name, set_up_disk, tear_down_disk)
    const struct CMUnitTest tests[] = {
        TEST(nobody_is_known_at_first),
        TEST(an_address_is_known_for_its_user_alone),
        TEST(the_port_does_not_matter),
        TEST(an_ipv6_address_stands_for_its_64),
        TEST(an_ipv4_address_is_the_same_in_ipv6_clothes),
        TEST(coming_again_does_not_make_known),
        TEST(what_is_forgotten_is_not_known),
        TEST(a_user_does_not_push_out_others),
        TEST(the_one_that_was_not_used_longest_makes_room),
        TEST(there_is_an_end_to_all_of_them),
        TEST(an_address_that_is_not_used_expires),
        TEST(each_use_makes_it_last),
        TEST(a_clock_that_is_wrong_for_a_while_deletes_nothing),
        TEST(a_time_in_the_future_is_worth_nothing),
        DISK(a_restart_forgets_nothing),
        DISK(times_that_no_clock_shows_are_no_entries),
        DISK(what_was_forgotten_does_not_come_back),
        DISK(what_made_room_does_not_come_back),
        DISK(uses_count_after_a_restart),
        DISK(a_start_with_a_wrong_clock_deletes_nothing),
        DISK(what_expired_goes_from_the_file),
    };
    return cmocka_run_group_tests_name("known", tests, NULL, NULL);
}
