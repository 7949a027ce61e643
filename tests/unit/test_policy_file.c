/* What a policy file may hold, and what is said about anything else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vps/policy/policy_file.h"

#define USERS   "users:\n  alice: {telegram: 42}\n"                          /* 2 lines */
#define TARGETS "targets:\n  office-pc: {address: 10.0.0.1}\n"               /* 2 lines */
#define RULE    "rules:\n- who: alice\n  targets: office-pc\n  kinds: ssh\n" /* 4 lines */

static const struct {
    const char *text, *says;
} MISTAKES[] = {
    {"", "p.yaml:1: a policy has no \"users\""},
    {"users: [a, b]", "p.yaml:1: users is a list; it takes names"},
    {"userz:\n  alice: {telegram: 42}\n",
     "p.yaml:1: \"userz\" is no key of a policy: did you mean \"users\"?"},
    {USERS "colour: red\n",
     "p.yaml:3: \"colour\" is no key of a policy; there is timezone, users, targets and rules"},
    {"users:\n  alice: {telegram: alice_b}\n",
     "p.yaml:2: telegram is \"alice_b\"; it takes a user's number"},
    {"users:\n  alice: {telegram: 42x}\n", "telegram is \"42x\"; it takes a number"},
    {"users:\n  alice: {telegram: }\n", "telegram is empty"},
    {"users:\n  alice: {telegram: 42, roles: admin}\n",
     "\"admin\" is no role; there is user, approver or administrator"},
    {"users:\n  alice: {telegram: 42, roles: aprover}\n",
     "\"aprover\" is no role: did you mean \"approver\""},
    {USERS "  bob: {telegram: 42}\n", "p.yaml:3: \"42\" is alice's account already, in line 2"},
    {USERS "  alice: {telegram: 43}\n", "p.yaml:3: \"alice\" is there twice: it is in line 2, too"},
    {"users:\n  a b: {telegram: 42}\n", "p.yaml:2: \"a b\" is no name of a user"},
    {"users:\n  alice: {telegram: 42, expires: 2026-02-30}\n",
     "expires is \"2026-02-30\"; it takes the last day"},
    {"users:\n  alice: {telegram: 42, expires: tomorrow}\n", "expires is \"tomorrow\""},
    {"users:\n  alice: &a {telegram: 42}\n", "p.yaml:2: the anchor \"a\""},
    {"users:\n  alice: *a\n", "p.yaml:2: the alias \"a\""},
    {"users:\n  alice: !!map {telegram: 42}\n", "p.yaml:2: the tag"},
    {"users:\n  alice:\n    <<: {telegram: 42}\n", "p.yaml:3: the merge \"<<\""},
    {"users:\n  alice: {telegram: 42}\n---\nusers: {}\n", "a second document begins here"},
    {"users:\n  ? [a, b]\n  : 1\n", "a key is a word"},
    {"users:\n\talice: 1\n", "p.yaml:2: this is not YAML"},
    {"users: {alice: {telegram: \"4\\n2\"}}\n", "a line break or a control character"},
    {"users: [[[[[[[[[[[[]]]]]]]]]]]]", "nested too deeply"},
    {USERS "timezone: Europe/Berln\n",
     "p.yaml:3: timezone is \"Europe/Berln\": " ZONE_FOLDER " has no such zone"},
    {USERS "timezone: ../../etc/passwd\n", "has no such zone"},
    {USERS "targets:\n  office-pc: {}\n",
     "p.yaml:4: target office-pc has no \"address\": it takes a host's name"},
    {USERS "targets:\n  office-pc: {address: 10.0.0.300}\n", "address is \"10.0.0.300\""},
    {USERS "targets:\n  office-pc: {address: a, ports: {ssh: 0}}\n",
     "ssh is \"0\"; it takes a number, 1 to 65535"},
    {USERS "targets:\n  office-pc: {address: a, ports: {shh: 22}}\n",
     "\"shh\" is no kind of session: did you mean \"ssh\""},
    {USERS "targets:\n  office-pc: {address: a, mac: 00:11:22}\n", "mac is \"00:11:22\""},
    {USERS "targets:\n  a: {address: x, ssh_host_key: SHA256:ZkAslGjFiUHdGf}\n",
     "p.yaml:4: ssh_host_key is \"SHA256:ZkAslGjFiUHdGf\"; it takes SHA256:"},
    {USERS "targets:\n  a: {address: x, ssh_host_key: 37:89}\n", "ssh_host_key is \"37:89\""},
    {USERS "targets:\n  a: {address: x, rdp_certificate: "
           "C9:7B:AE:81:D3:35:1D:D4:BA:50:24:48:0C:AC:77:7D:BF:8E:74:D3}\n",
     "(the thumbprint of 40 is a SHA-1)"},
    {USERS "targets:\n  a: {address: x, ports: {rdp: 3389}, ssh_host_key: "
           "SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA}\n",
     "p.yaml:4: target a has ssh_host_key, but no port for ssh"},
    {USERS "targets:\n  a: {address: x}\n  A: {address: y}\n",
     "p.yaml:5: \"A\" is there already: a, in line 4"},
    {USERS TARGETS "rules:\n- who: alcie\n  targets: office-pc\n  kinds: ssh\n",
     "p.yaml:6: \"alcie\" is no user of this file: did you mean \"alice\"?"},
    {USERS TARGETS "rules:\n- who: alice\n  targets: [office-cp]\n  kinds: ssh\n",
     "p.yaml:7: \"office-cp\" is no target of this file: did you mean \"office-pc\"?"},
    {USERS TARGETS "rules:\n- who: alice\n  targets: 10.0.0.0/33\n  kinds: ssh\n",
     "\"10.0.0.0/33\" is no target"},
    {USERS TARGETS "rules:\n- who: alice\n  kinds: ssh\n", "p.yaml:6: a rule has no \"targets\""},
    {USERS TARGETS RULE "  longset: 4h\n",
     "p.yaml:9: \"longset\" is no key of a rule: did you mean \"longest\"?"},
    {USERS TARGETS RULE "  longest: 4\n",
     "p.yaml:9: longest is \"4\"; it takes a time with its unit"},
    {USERS TARGETS RULE "  longest: 8d\n", "longest is \"8d\""},
    {USERS TARGETS RULE "  hours: 22:30\n",
     "p.yaml:9: hours is \"22:30\": times are two of 24 hours"},
    {USERS TARGETS RULE "  hours: mon-fry 08:00-18:00\n", "days are mon, tue"},
    {USERS TARGETS RULE "  hours: 08:00-08:00\n", "a whole day is 00:00-24:00"},
    {USERS TARGETS RULE "  hours: 08:00-25:00\n", "times are two"},
    {USERS TARGETS RULE "  second_factor: yes\n", "\"yes\" is no second factor"},
    {"users:\n  alice: {telegram: 42, second_factor: totp}\n",
     "p.yaml:2: \"totp\" is no second factor of a user; there is required"},
    {USERS TARGETS RULE "  connections: 65\n", "connections is \"65\"; it takes a number, 1 to 64"},
    {USERS TARGETS RULE "  approvals: -1\n", "approvals is \"-1\""},
};

static int parse(const char *text, struct policy **ret_policy, struct why *why)
{
    return policy_parse("p.yaml", text, strlen(text), ZONE_FOLDER, ret_policy, why);
}

static void test_a_mistake_is_named_with_its_line_and_what_is_expected(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof MISTAKES / sizeof *MISTAKES; i++) {
        struct policy *policy = NULL;
        struct why why = {""};
        if (parse(MISTAKES[i].text, &policy, &why) == 0) {
            fail_msg("this was taken:\n%s", MISTAKES[i].text);
        }
        if (!strstr(why.text, MISTAKES[i].says)) {
            fail_msg("\"%s\"\nsays  %s\nnot   %s", MISTAKES[i].text, why.text, MISTAKES[i].says);
        }
    }
}

static void test_it_is_bounded_in_size(void **state)
{
    struct policy *policy = NULL;
    struct why why = {""};
    size_t size = DOCUMENT_SIZE_MAX + 1;
    char *text = malloc(size);
    (void)state;
    memset(text, '#', size);
    assert_int_equal(policy_parse("p.yaml", text, size, ZONE_FOLDER, &policy, &why), -E2BIG);
    free(text);
}

static void expect_warning(const char *text, const char *says)
{
    struct policy *policy = NULL;
    struct why why = {""};
    if (parse(text, &policy, &why) < 0) {
        fail_msg("%s", why.text);
    }
    if (!says) {
        assert_int_equal(policy->warning_count, 0);
    } else {
        assert_int_equal(policy->warning_count, 1);
        assert_string_equal(policy->warnings[0], says);
    }
    policy_free(policy);
}

static void test_a_rule_that_nothing_reaches_is_a_warning(void **state)
{
    (void)state;
    expect_warning(USERS TARGETS RULE
                   "- who: alice\n  targets: office-pc\n  kinds: ssh\n  hours: 08:00-18:00\n",
                   "p.yaml:9: no request reaches this rule: that of line 6 takes them all");
    expect_warning(USERS TARGETS RULE
                   "  hours: 08:00-18:00\n- who: alice\n  targets: office-pc\n  kinds: ssh\n",
                   NULL);
    expect_warning(USERS TARGETS RULE "- who: alice\n  targets: office-pc\n  kinds: [rdp, ssh]\n",
                   NULL);
    expect_warning(USERS "rules:\n- {who: '*', targets: 10.0.0.0/8, kinds: '*'}\n"
                         "- {who: alice, targets: 10.1.0.0/16, kinds: ssh}\n",
                   "p.yaml:5: no request reaches this rule: that of line 4 takes them all");
    expect_warning(USERS "rules:\n- {who: '*', targets: a/*, kinds: '*'}\n"
                         "- {who: alice, targets: 10.1.0.0/16, kinds: ssh}\n",
                   NULL);
}

static void test_more_approvals_than_approvers_are_a_warning(void **state)
{
    (void)state;
    static const char TWO[] = "rules:\n- {who: '*', targets: '*', kinds: ssh, approvals: 2}\n";
    char text[400];
    snprintf(text, sizeof text, "users:\n  a: {roles: approver}\n  b: {telegram: 1}\n%s", TWO);
    expect_warning(text,
                   "p.yaml:5: nobody gets in by this rule: it takes 2 approvals, and approvers "
                   "and administrators together are only 1");
    snprintf(text, sizeof text, "users:\n  a: {roles: approver}\n  b: {roles: administrator}\n%s",
             TWO);
    expect_warning(text, NULL);
}

static void test_a_group_without_anybody_is_a_warning(void **state)
{
    (void)state;
    expect_warning(USERS "rules:\n- {who: group:temps, targets: '*', kinds: ssh}\n",
                   "p.yaml:4: nobody is in the group \"temps\"");
}

static void test_hours_that_never_end_and_second_names_are_warnings(void **state)
{
    (void)state;
    static const char SSH[] = "rules:\n- {who: '*', targets: '*', kinds: ssh}\n";
    char text[500];
    expect_warning(USERS "rules:\n- {who: '*', targets: '*', kinds: ssh, at_end_of_hours: close}\n",
                   "p.yaml:4: at_end_of_hours does nothing here: the rule has no hours");
    snprintf(text, sizeof text,
             USERS "targets:\n  db: {address: 10.0.0.5}\n  root-db: {address: "
                   "10.0.0.5, ports: {ssh: 22}}\n%s",
             SSH);
    expect_warning(text, "p.yaml:5: \"root-db\" is the machine that line 4 calls \"db\": the rules "
                         "for that name count for both");
    snprintf(text, sizeof text,
             USERS "targets:\n  db: {address: 10.0.0.5, gateway: a}\n  db2: "
                   "{address: 10.0.0.5, gateway: b}\n  db3: {address: 10.0.0.5, "
                   "ports: {ssh: 2222}}\n%s",
             SSH);
    expect_warning(text, NULL);
}

/* ---- the file itself ------------------------------------------------------------ */

static char folder[] = "/tmp/pamtunnel-policy.XXXXXX", path[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "%s/policy.yaml", mkdtemp(folder));
    FILE *file = fopen(path, "w");
    fputs(USERS TARGETS RULE, file);
    return fclose(file);
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void test_a_file_that_others_can_write_is_refused(void **state)
{
    struct policy *policy = NULL;
    struct why why = {""};
    (void)state;
    chmod(path, 0640);
    assert_int_equal(policy_load(path, &policy, &why), 0);
    policy_free(policy);
    policy = NULL;
    chmod(path, 0646);
    assert_int_equal(policy_load(path, &policy, &why), -EPERM);
    assert_non_null(strstr(why.text, "others may write to"));
    chmod(path, 0640);
    chmod(folder, 0777);
    assert_int_equal(policy_load(path, &policy, &why), -EPERM);
    chmod(folder, 0700);
}

static void test_a_file_that_is_none_is_refused(void **state)
{
    struct policy *policy = NULL;
    struct why why = {""};
    (void)state;
    assert_int_equal(policy_load("/nonexistent/policy.yaml", &policy, &why), -ENOENT);
    assert_int_equal(policy_load(folder, &policy, &why), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_mistake_is_named_with_its_line_and_what_is_expected),
        cmocka_unit_test(test_it_is_bounded_in_size),
        cmocka_unit_test(test_a_rule_that_nothing_reaches_is_a_warning),
        cmocka_unit_test(test_more_approvals_than_approvers_are_a_warning),
        cmocka_unit_test(test_a_group_without_anybody_is_a_warning),
        cmocka_unit_test(test_hours_that_never_end_and_second_names_are_warnings),
        cmocka_unit_test(test_a_file_that_others_can_write_is_refused),
        cmocka_unit_test(test_a_file_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
