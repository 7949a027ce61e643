/* Who is let in, and what they may: by ALLOWED_USERS, and by a policy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "vps/people/people.h"
#include "vps/policy/policy_file.h"

enum { ANNA = 7, BERT = 42, CARL = 43, DORA = 44, STRANGER = 99 };

static const char POLICY[] = "users:\n"
                             "  anna: {telegram: 7, roles: administrator}\n"
                             "  bert: {telegram: 42, roles: approver}\n"
                             "  carl: {telegram: 43}\n"
                             "  dora: {telegram: 44, roles: administrator, expires: 2001-01-01}\n"
                             "rules:\n"
                             "  - {who: \"*\", targets: \"*\", kinds: \"*\"}\n";

static struct vps_settings settings;
static struct people *people;

static struct owner of(int64_t id)
{
    return (struct owner){.kind = OWNER_TELEGRAM, .id = id};
}

static bool may(int64_t id, enum policy_role role)
{
    const struct owner account = of(id);
    return people_may(people, &account, role);
}

static void expect_in_chat(enum policy_role role, const char *expected)
{
    struct owner accounts[4];
    char ids[64] = "";
    unsigned count = people_in_chat(people, role, accounts, 4);
    for (unsigned i = 0; i < count; i++) {
        snprintf(ids + strlen(ids), sizeof ids - strlen(ids), " %d", (int)accounts[i].id);
    }
    assert_string_equal(ids, expected);
}

static int set_up(void **state)
{
    (void)state;
    settings = (struct vps_settings){.allowed_users = {.ids = {ANNA, BERT, CARL}, .count = 3}};
    people = people_new(&settings);
    return people ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    people_free(people);
    policy_free(settings.policy_file.policy);
    return 0;
}

static void use_policy(void)
{
    struct why why;
    assert_int_equal(policy_parse("p.yaml", POLICY, strlen(POLICY), "/usr/share/zoneinfo",
                                  &settings.policy_file.policy, &why),
                     0);
    settings.allowed_users = (struct user_list){.ids = {ANNA, BERT, CARL, DORA}, .count = 4};
}

static void without_a_policy_the_first_is_the_administrator(void **state)
{
    (void)state;
    const struct owner stranger = of(STRANGER), root = {.kind = OWNER_LOCAL, .id = 0};
    assert_true(may(ANNA, POLICY_ADMINISTRATOR));
    assert_true(may(ANNA, POLICY_APPROVER));
    assert_true(may(BERT, POLICY_USER));
    assert_false(may(BERT, POLICY_APPROVER));
    assert_false(may(STRANGER, POLICY_USER));
    assert_false(people_has(people, &stranger));
    assert_true(people_has(people, &root));
    assert_true(people_may(people, &root, POLICY_ADMINISTRATOR));
    expect_in_chat(POLICY_ADMINISTRATOR, " 7");
    expect_in_chat(POLICY_USER, " 7 42 43");
}

static void with_a_policy_it_says_who(void **state)
{
    (void)state;
    use_policy();
    assert_true(may(ANNA, POLICY_APPROVER));
    assert_true(may(BERT, POLICY_APPROVER));
    assert_false(may(BERT, POLICY_ADMINISTRATOR));
    assert_true(may(CARL, POLICY_USER));
    assert_false(may(CARL, POLICY_APPROVER));
    assert_false(may(DORA, POLICY_ADMINISTRATOR)); /* she is expired */
    assert_false(may(STRANGER, POLICY_USER));
    expect_in_chat(POLICY_APPROVER, " 7 42");
}

static void names_are_the_policys(void **state)
{
    (void)state;
    const struct owner bert = of(BERT), stranger = of(STRANGER);
    char name[PEOPLE_NAME_MAX];
    assert_string_equal(people_name(people, &bert, name), "telegram:42");
    use_policy();
    assert_string_equal(people_name(people, &bert, name), "bert");
    assert_string_equal(people_name(people, &stranger, name), "telegram:99");
    assert_null(people_user(people, &stranger));
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(without_a_policy_the_first_is_the_administrator),
        TEST(with_a_policy_it_says_who),
        TEST(names_are_the_policys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
