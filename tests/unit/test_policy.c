/* What a policy comes to for one request: a policy as an administrator writes it, and a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "vps/policy/policy_file.h"

static const char FILE_TEXT[] =                       /* lines count from 1 */
    "timezone: \"CET-1CEST,M3.5.0,M10.5.0/3\"\n"      /* 1 */
    "users:\n"                                        /* 2 */
    "  alice: {telegram: 42, roles: administrator}\n" /* 3 */
    "  bob: {telegram: [43, 44], groups: [contractors], expires: 2026-12-31}\n"   /* 4 */
    "  NO: {uid: 1000, second_factor: required}\n"                                /* 5 */
    "targets:\n"                                                                  /* 6 */
    "  office-pc: {gateway: office, address: 192.168.1.22, ports: {rdp: 3390}}\n" /* 7 */
    "  nas: {address: nas.lan}\n"                                                 /* 8 */
    "rules:\n"                                                                    /* 9 */
    "  - who: group:contractors\n"                                                /* 10 */
    "    targets: office-pc\n"
    "    kinds: rdp\n"
    "    hours: mon-fri 08:00-18:00\n"
    "    longest: 4h\n"
    "    connections: 2\n"
    "  - who: bob\n" /* 16 */
    "    targets: [10.1.0.0/16, office/fd00::/8, host:build.lan]\n"
    "    kinds: ssh\n"
    "    hours: [sat 22:00-02:00]\n"
    "  - who: bob\n" /* 20 */
    "    targets: 192.168.1.0/24\n"
    "    kinds: ssh\n"
    "  - who: [role:administrator]\n" /* 23 */
    "    targets: \"*\"\n"
    "    kinds: \"*\"\n"
    "  - who: NO\n" /* 26 */
    "    targets: [nas, far/*]\n"
    "    kinds: ssh\n"
    "    approvals: 1\n"
    "    second_factor: totp\n";

static struct policy *read_policy(const char *text)
{
    struct policy *policy = NULL;
    struct why why = {""};
    if (policy_parse("p.yaml", text, strlen(text), ZONE_FOLDER, &policy, &why) < 0) {
        fail_msg("%s", why.text);
    }
    return policy;
}

/* Whoever asks for it, and by its address as well. */
static void what_a_machine_has_to_show_holds_for_the_machine(void **state)
{
    struct policy *policy = read_policy(
        "users:\n  bob: {telegram: 1}\n"
        "targets:\n"
        "  nas: {address: 192.168.1.9, gateway: office, ssh_host_key: "
        "SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA}\n"
        "  pc:\n    address: PC.lan\n    ports: {rdp: 3390}\n    rdp_certificate: "
        "3789a5d04c3b55a499b6327c521fde61c78e7baae74239a08eb61aa99de07020\n");
    (void)state;
    const uint8_t *key = policy_shown(policy, KIND_SSH, "office", "192.168.1.9", 22);
    assert_non_null(key);
    assert_int_equal(key[0], 0x66);
    assert_ptr_equal(policy_shown(policy, KIND_SSH, "Office", "::ffff:192.168.1.9", 22), key);
    assert_null(policy_shown(policy, KIND_SSH, "home", "192.168.1.9", 22));
    assert_null(policy_shown(policy, KIND_SSH, "office", "192.168.1.9", 2222));
    assert_null(policy_shown(policy, KIND_SSH, "office", "192.168.1.8", 22));
    assert_null(policy_shown(policy, KIND_RDP, "office", "192.168.1.9", 3389));
    assert_int_equal(policy_shown(policy, KIND_RDP, "any", "pc.LAN", 3390)[0], 0x37);
    policy_free(policy);
}

/* Moments, UTC. Thursday, 26 November 2026, is winter: Berlin is one hour ahead. */
#define AT(year, month, day, hour, minute) \
    (wall_clock_day(year, month, day) + (hour)*3600 + (minute)*60)

static const struct {
    const char *says;
    const char *user;
    enum kind kind;
    const char *target;
    int year, month, day, hour, minute; /* UTC */
    enum policy_verdict verdict;
    unsigned line; /* of the rule; 0: none */
} CASES[] = {
    // clang-format off
    {"within the hours", "bob", KIND_RDP, "office-pc", 2026, 11, 26, 7, 0, POLICY_ALLOWED, 10},
    {"a minute before", "bob", KIND_RDP, "office-pc", 2026, 11, 26, 6, 59, POLICY_NOT_NOW, 10},
    {"the last minute", "bob", KIND_RDP, "office-pc", 2026, 11, 26, 16, 59, POLICY_ALLOWED, 10},
    {"the end is not in it", "bob", KIND_RDP, "office-pc", 2026, 11, 26, 17, 0, POLICY_NOT_NOW, 10},
    {"summer is an hour earlier", "bob", KIND_RDP, "office-pc", 2026, 7, 1, 6, 0, POLICY_ALLOWED, 10},
    {"and ends earlier", "bob", KIND_RDP, "office-pc", 2026, 7, 1, 16, 0, POLICY_NOT_NOW, 10},
    {"a day that is not in it", "bob", KIND_RDP, "office-pc", 2026, 11, 28, 10, 0, POLICY_NOT_NOW, 10},
    {"upper case", "bob", KIND_RDP, "OFFICE-PC", 2026, 11, 26, 10, 0, POLICY_ALLOWED, 10},
    {"by its gateway", "bob", KIND_RDP, "office/office-pc", 2026, 11, 26, 10, 0, POLICY_ALLOWED, 10},
    {"its address is the same target", "bob", KIND_RDP, "office/192.168.1.22:3390", 2026, 11, 26, 10, 0, POLICY_ALLOWED, 10},
    {"behind another gateway it is not", "bob", KIND_RDP, "home/192.168.1.22:3390", 2026, 11, 26, 10, 0, POLICY_NO_RULE, 0},
    {"another port is not", "bob", KIND_RDP, "office/192.168.1.22:3391", 2026, 11, 26, 10, 0, POLICY_NO_RULE, 0},
    {"over midnight, before", "bob", KIND_SSH, "10.1.2.3", 2026, 11, 28, 21, 0, POLICY_ALLOWED, 16},
    {"over midnight, after", "bob", KIND_SSH, "10.1.2.3", 2026, 11, 29, 0, 59, POLICY_ALLOWED, 16},
    {"over midnight, over", "bob", KIND_SSH, "10.1.2.3", 2026, 11, 29, 1, 0, POLICY_NOT_NOW, 16},
    {"the early hours of the day itself are not in it", "bob", KIND_SSH, "10.1.2.3", 2026, 11, 28, 0, 30, POLICY_NOT_NOW, 16},
    /* On 25 October 2026 the hour from two to three comes twice: 00:30 and 01:30 UTC are 02:30. */
    {"the night that is longer: 01:59", "bob", KIND_SSH, "10.1.2.3", 2026, 10, 24, 23, 59, POLICY_ALLOWED, 16},
    {"the night that is longer: 02:30", "bob", KIND_SSH, "10.1.2.3", 2026, 10, 25, 0, 30, POLICY_NOT_NOW, 16},
    {"the night that is longer: 02:30 again", "bob", KIND_SSH, "10.1.2.3", 2026, 10, 25, 1, 30, POLICY_NOT_NOW, 16},
    {"a name", "bob", KIND_SSH, "build.lan", 2026, 11, 28, 22, 0, POLICY_ALLOWED, 16},
    {"IPv6 behind a gateway", "bob", KIND_SSH, "office/fd00::7", 2026, 11, 28, 22, 0, POLICY_ALLOWED, 16},
    {"behind another one", "bob", KIND_SSH, "home/fd00::7", 2026, 11, 28, 22, 0, POLICY_NO_RULE, 0},
    {"behind whichever", "bob", KIND_SSH, "fd00::7", 2026, 11, 28, 22, 0, POLICY_ALLOWED, 16},
    {"the next rule", "bob", KIND_SSH, "192.168.1.50", 2026, 11, 26, 3, 0, POLICY_ALLOWED, 20},
    {"of another kind", "bob", KIND_RDP, "192.168.1.50", 2026, 11, 26, 3, 0, POLICY_NO_RULE, 0},
    {"his last day, to its end", "bob", KIND_SSH, "192.168.1.50", 2026, 12, 31, 22, 59, POLICY_ALLOWED, 20},
    {"and it is over", "bob", KIND_SSH, "192.168.1.50", 2026, 12, 31, 23, 0, POLICY_EXPIRED, 0},
    {"by role, anything", "alice", KIND_SSH, "8.8.8.8", 2026, 11, 26, 3, 0, POLICY_ALLOWED, 23},
    {"NO is a name", "NO", KIND_SSH, "nas", 2026, 11, 26, 3, 0, POLICY_ALLOWED, 26},
    {"whichever gateway it is going to be, one may fit", "NO", KIND_SSH, "192.168.1.50", 2026, 11, 26, 3, 0, POLICY_ALLOWED, 26},
    {"NO may not there", "NO", KIND_SSH, "home/192.168.1.50", 2026, 11, 26, 3, 0, POLICY_NO_RULE, 0},
    {"anything behind one gateway", "NO", KIND_SSH, "FAR/192.168.1.50", 2026, 11, 26, 3, 0, POLICY_ALLOWED, 26},
    {"a stranger", "mallory", KIND_SSH, "nas", 2026, 11, 26, 3, 0, POLICY_STRANGER, 0},
    // clang-format on
};

static struct policy_answer ask(const struct policy *policy, size_t i)
{
    struct target target;
    struct why why = {""};
    assert_int_equal(target_parse(CASES[i].target, kind_row(CASES[i].kind)->port, &target, &why),
                     0);
    if (policy_resolve(policy, CASES[i].kind, &target, &why) < 0) {
        fail_msg("%s: %s", CASES[i].says, why.text);
    }
    const struct policy_question question = {
        .user = policy_user_named(policy, CASES[i].user),
        .kind = CASES[i].kind,
        .target = &target,
        .unix_s = AT(CASES[i].year, CASES[i].month, CASES[i].day, CASES[i].hour, CASES[i].minute),
    };
    return policy_decide(policy, &question);
}

static void test_the_first_rule_that_fits_decides(void **state)
{
    struct policy *policy = read_policy(FILE_TEXT);
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct policy_answer answer = ask(policy, i);
        unsigned line = answer.rule ? answer.rule->line : 0;
        if (answer.verdict != CASES[i].verdict || line != CASES[i].line) {
            fail_msg("%s: verdict %d by line %u, not %d by %u", CASES[i].says, (int)answer.verdict,
                     line, (int)CASES[i].verdict, CASES[i].line);
        }
    }
    policy_free(policy);
}

static void test_a_rule_has_its_terms(void **state)
{
    struct policy *policy = read_policy(FILE_TEXT);
    (void)state;
    assert_int_equal(policy->rules[0].longest_s, 4 * 3600);
    assert_int_equal(policy->rules[0].connections, 2);
    assert_int_equal(policy->rules[4].approvals, 1);
    assert_true(policy->rules[4].second_factor);
    assert_false(policy->rules[0].second_factor);
    assert_true(policy->users[2].second_factor);
    assert_false(policy->users[0].second_factor);
    assert_int_equal(policy->warning_count, 0);
    policy_free(policy);
}

static void test_people_are_found_by_each_of_their_accounts(void **state)
{
    struct policy *policy = read_policy(FILE_TEXT);
    (void)state;
    const struct owner second = {OWNER_TELEGRAM, 44}, local = {OWNER_LOCAL, 1000};
    const struct owner other = {OWNER_LOCAL, 44};
    assert_string_equal(policy_user_of(policy, &second)->name, "bob");
    assert_string_equal(policy_user_of(policy, &local)->name, "NO");
    assert_null(policy_user_of(policy, &other));
    policy_free(policy);
}

static void expect_unresolved(const struct policy *policy, enum kind kind, const char *typed,
                              const char *says)
{
    struct target target;
    struct why why = {""};
    assert_int_equal(target_parse(typed, kind_row(kind)->port, &target, &why), 0);
    assert_true(policy_resolve(policy, kind, &target, &why) < 0);
    assert_non_null(strstr(why.text, says));
}

static void test_a_named_target_is_reached_as_it_is_written_down(void **state)
{
    struct policy *policy = read_policy(FILE_TEXT);
    (void)state;
    expect_unresolved(policy, KIND_SSH, "office-pc", "cannot reach office-pc by SSH");
    expect_unresolved(policy, KIND_RDP, "office-pc:22", "Leave the :22 out");
    expect_unresolved(policy, KIND_RDP, "home/office-pc", "behind gateway office");
    /* its port is for its own kind alone, under its address as well */
    expect_unresolved(policy, KIND_SSH, "office/192.168.1.22:3390",
                      "Port 3390 of 192.168.1.22 is for RDP: send /rdp instead.");
    expect_unresolved(policy, KIND_SSH, "[::ffff:192.168.1.22]:3390", "is for RDP");
    expect_unresolved(policy, KIND_RDP, "NAS.lan:22", "is for SSH");
    struct target target;
    struct why why;
    assert_int_equal(target_parse("192.168.1.22:3391", 22, &target, &why), 0);
    assert_int_equal(policy_resolve(policy, KIND_SSH, &target, &why), 0);
    assert_int_equal(target_parse("root@nas", 22, &target, &why), 0);
    assert_int_equal(policy_resolve(policy, KIND_SSH, &target, &why), 0);
    assert_string_equal(target.host, "nas.lan");
    assert_string_equal(target.user, "root");
    assert_string_equal(target.gateway, "");
    policy_free(policy);
}

/* However wide a rule is: what has no usual port goes to those that are written down. */
static void test_tcp_goes_to_listed_ports_alone(void **state)
{
    static const char FILE[] = "users: {bob: {telegram: 1}}\n"
                               "targets:\n"
                               "  db: {address: 192.168.1.5, ports: {tcp: 5432}}\n"
                               "  nas: {address: 192.168.1.6}\n"
                               "  screen: {address: 192.168.1.7, ports: {vnc: 5901}}\n"
                               "rules:\n"
                               "  - {who: \"*\", targets: \"*\", kinds: \"*\"}\n";
    static const struct {
        enum kind kind;
        const char *typed;
        bool resolves, allowed;
        uint16_t port;
    } ROWS[] = {
        {KIND_TCP, "db", true, true, 5432},
        {KIND_TCP, "db:5432", true, true, 5432},
        {KIND_TCP, "192.168.1.5:5432", true, true, 5432},
        {KIND_TCP, "db:5433", false, false, 0},
        {KIND_TCP, "192.168.1.5:5433", true, false, 5433},
        {KIND_TCP, "192.168.1.9:80", true, false, 80},
        {KIND_TCP, "nas", false, false, 0},
        {KIND_TCP, "192.168.1.9", true, false, 0}, /* no port at all */
        {KIND_SSH, "192.168.1.5:5432", false, false, 0},
        {KIND_VNC, "nas", true, true, 5900},
        {KIND_VNC, "screen", true, true, 5901},
        {KIND_VNC, "screen:1", true, true, 5901},
        {KIND_VNC, "192.168.1.9:5907", true, true, 5907},
    };
    struct policy *policy = read_policy(FILE);
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct target target;
        struct why why = {""};
        assert_int_equal(target_parse_for(kind_row(ROWS[i].kind), ROWS[i].typed, &target, &why), 0);
        bool resolves = policy_resolve(policy, ROWS[i].kind, &target, &why) == 0;
        if (resolves != ROWS[i].resolves) {
            fail_msg("%s: %s", ROWS[i].typed, why.text);
        }
        const struct policy_question question = {
            .user = policy_user_named(policy, "bob"), .kind = ROWS[i].kind, .target = &target};
        if (resolves) {
            assert_int_equal(target.port, ROWS[i].port);
            assert_int_equal(policy_decide(policy, &question).verdict,
                             ROWS[i].allowed ? POLICY_ALLOWED : POLICY_NO_RULE);
        }
    }
    policy_free(policy);
}

static void say(const struct policy *policy, size_t i, char *dst, size_t size)
{
    struct target target;
    struct why why;
    struct text text = text_over(dst, size);
    target_parse(CASES[i].target, kind_row(CASES[i].kind)->port, &target, &why);
    policy_resolve(policy, CASES[i].kind, &target, &why);
    const struct policy_question question = {
        .user = policy_user_named(policy, CASES[i].user), .kind = CASES[i].kind, .target = &target};
    const struct policy_answer answer = ask(policy, i);
    policy_say(policy, &question, &answer, &text);
}

static void test_refusals_say_what_would_do(void **state)
{
    struct policy *policy = read_policy(FILE_TEXT);
    char words[320];
    (void)state;
    say(policy, 1, words, sizeof words);
    assert_non_null(strstr(words, "mon-fri 08:00-18:00"));
    struct target target = {.host = "ofice-pc", .port = 3389};
    struct policy_question question = {.user = policy_user_named(policy, "bob"),
                                       .kind = KIND_RDP,
                                       .target = &target,
                                       .unix_s = AT(2026, 11, 26, 10, 0)};
    struct policy_answer answer = policy_decide(policy, &question);
    struct text text = text_over(words, sizeof words);
    policy_say(policy, &question, &answer, &text);
    assert_non_null(strstr(words, "Did you mean office-pc?"));
    assert_string_equal(policy_nearest(policy, &question), "office-pc");
    target = (struct target){.host = "office-pc", .port = 3389};
    assert_null(policy_nearest(policy, &question)); /* it was meant, and is closed */
    target = (struct target){.host = "ofice-pc", .port = 3389};
    /* What he may not reach is not told either. */
    question.user = policy_user_named(policy, "NO");
    answer = policy_decide(policy, &question);
    text = text_over(words, sizeof words);
    policy_say(policy, &question, &answer, &text);
    assert_null(strstr(words, "office-pc"));
    policy_free(policy);
}

static void test_running_sessions_outlast_hours_and_expiry(void **state)
{
    struct policy *policy = read_policy(FILE_TEXT);
    struct target target = {.host = "192.168.1.22", .port = 3390, .gateway = "office"};
    (void)state;
    const struct policy_question question = {.user = policy_user_named(policy, "bob"),
                                             .kind = KIND_RDP,
                                             .target = &target,
                                             .unix_s = AT(2027, 1, 1, 3, 0),
                                             .whenever = true};
    assert_int_equal(policy_decide(policy, &question).verdict, POLICY_ALLOWED);
    policy_free(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_machine_has_to_show_holds_for_the_machine),
        cmocka_unit_test(test_the_first_rule_that_fits_decides),
        cmocka_unit_test(test_a_rule_has_its_terms),
        cmocka_unit_test(test_people_are_found_by_each_of_their_accounts),
        cmocka_unit_test(test_a_named_target_is_reached_as_it_is_written_down),
        cmocka_unit_test(test_tcp_goes_to_listed_ports_alone),
        cmocka_unit_test(test_refusals_say_what_would_do),
        cmocka_unit_test(test_running_sessions_outlast_hours_and_expiry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
