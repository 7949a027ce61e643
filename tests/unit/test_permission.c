/* What the policy says of a session that runs, as time goes by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vps/policy/policy_file.h"
#include "vps/session/permission.h"

static const char TEXT[] = "users:\n"
                           "  anna: {telegram: 7, expires: 2026-11-26}\n"
                           "  bert: {telegram: 8}\n"
                           "targets:\n"
                           "  desk: {address: 10.0.0.5}\n"
                           "rules:\n"
                           "  - {who: \"*\", targets: desk, kinds: ssh, hours: \"08:00-18:00\"}\n"
                           "  - {who: \"*\", targets: desk, kinds: ssh, hours: \"17:00-18:02\"}\n";

enum { ANNA = 7, BERT = 8 };

static int64_t now_s;
static struct vps_settings settings;
static struct people *people;

int64_t __wrap_clock_unix(void);

int64_t __wrap_clock_unix(void)
{
    return now_s;
}

/* Of that Thursday, in UTC. */
static int64_t at(int hour, int minute, int second)
{
    return wall_clock_day(2026, 11, 26) + hour * 3600 + minute * 60 + second;
}

static struct terms *terms_of(int64_t id, bool ends_with_hours)
{
    static char none[] = "";
    static const char HOST[] = "10.0.0.5";
    struct terms *terms = calloc(1, sizeof *terms + sizeof HOST);
    assert_non_null(terms);
    memcpy(terms->host, HOST, sizeof HOST);
    terms->gateway = none;
    terms->owner = (struct owner){OWNER_TELEGRAM, id};
    terms->kind = KIND_SSH;
    terms->port = 22;
    terms->limits.ends_with_hours = ends_with_hours;
    return terms;
}

static struct permission_end ends(int64_t id, bool ends_with_hours, int64_t when)
{
    struct terms *terms = terms_of(id, ends_with_hours);
    now_s = when;
    const struct permission_end end = permission_ends(&settings, people, terms);
    free(terms);
    return end;
}

static bool is_now(int64_t id, int64_t when)
{
    struct terms *terms = terms_of(id, false);
    now_s = when;
    bool is = permission_is_now(&settings, people, terms);
    assert_true(permission_holds(&settings, people, terms)); /* whatever the hour */
    free(terms);
    return is;
}

static int set_up(void **state)
{
    struct why why;
    (void)state;
    people = people_new(&settings);
    return people && policy_parse("p.yaml", TEXT, strlen(TEXT), "/usr/share/zoneinfo",
                                  &settings.policy_file.policy, &why) == 0
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    (void)state;
    policy_free(settings.policy_file.policy);
    people_free(people);
    return 0;
}

static void a_session_ends_with_the_last_of_its_hours(void **state)
{
    (void)state;
    assert_int_equal(ends(BERT, true, at(17, 55, 59)).end, SESSION_END_NONE); /* far */
    assert_int_equal(ends(BERT, true, at(17, 56, 30)).end, SESSION_END_HOURS);
    assert_int_equal(ends(BERT, true, at(17, 56, 30)).seconds, 330); /* another rule goes on */
    assert_int_equal(ends(BERT, true, at(18, 1, 59)).seconds, 1);
    assert_int_equal(ends(BERT, true, at(18, 2, 0)).end, SESSION_END_HOURS);
    assert_int_equal(ends(BERT, true, at(18, 2, 0)).seconds, 0);
    assert_int_equal(ends(BERT, false, at(18, 2, 0)).end, SESSION_END_NONE); /* its rule keeps it */
}

static void whose_time_is_over_loses_it_in_any_case(void **state)
{
    (void)state;
    assert_int_equal(ends(ANNA, false, at(23, 53, 59)).end, SESSION_END_NONE);
    assert_int_equal(ends(ANNA, false, at(23, 55, 0)).end, SESSION_END_EXPIRED);
    assert_int_equal(ends(ANNA, false, at(23, 55, 0)).seconds, 300);
    assert_int_equal(ends(ANNA, false, at(24, 0, 0)).seconds, 0);
    assert_int_equal(ends(ANNA, true, at(24, 0, 0)).end, SESSION_END_EXPIRED);
}

static void what_could_not_be_opened_now_is_not_now(void **state)
{
    (void)state;
    assert_true(is_now(BERT, at(12, 0, 0)));
    assert_false(is_now(BERT, at(19, 0, 0)));
    assert_true(is_now(ANNA, at(12, 0, 0)));
    assert_false(is_now(ANNA, at(36, 0, 0)));
}

static void without_a_policy_no_clock_ends_anything(void **state)
{
    struct policy *policy = settings.policy_file.policy;
    (void)state;
    settings.policy_file.policy = NULL;
    assert_int_equal(ends(ANNA, true, at(36, 0, 0)).end, SESSION_END_NONE);
    assert_true(is_now(ANNA, at(36, 0, 0)));
    settings.policy_file.policy = policy;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_ends_with_the_last_of_its_hours),
        cmocka_unit_test(whose_time_is_over_loses_it_in_any_case),
        cmocka_unit_test(what_could_not_be_opened_now_is_not_now),
        cmocka_unit_test(without_a_policy_no_clock_ends_anything),
    };
    return cmocka_run_group_tests_name("permission", tests, set_up, tear_down);
}
