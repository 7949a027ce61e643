/* What differs between two structs of settings, in words, and what of it waits for a restart. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/changes.h"
#include "base/host.h"
#include "base/log.h"

struct values {
    char text[41];
    char secret[41];
    char host[HOST_MAX + 1];
    long number, most;
    uint16_t port;
    bool on;
    enum log_level level;
    int list; /* a bit each */
};

#define FIELD(name) .offset = offsetof(struct values, name)

static int parse_list(const struct setting *setting, const char *text, void *field, struct why *why)
{
    (void)setting, (void)text, (void)field, (void)why;
    return 0;
}

static void differ_in_list(const void *before, const void *after, struct text *text)
{
    int was = *(const int *)before, is = *(const int *)after;
    char item[2] = "a";
    for (int i = 0; i < 3; i++, item[0]++) {
        if ((was ^ is) >> i & 1) {
            changes_add_item(text, item, is >> i & 1 ? "added" : "removed");
        }
    }
}

static const struct setting_type LIST = {parse_list, sizeof(int), NULL, differ_in_list};

static const struct setting ROWS[] = {
    {"T_TEXT", .type = &SETTING_TEXT, FIELD(text), .max = 40},
    {"T_SECRET", .type = &SETTING_TEXT, FIELD(secret), .max = 40, .secret = true},
    {"T_HOST", .type = &SETTING_HOST, FIELD(host), .at_start = true},
    {"T_NUMBER", .type = &SETTING_NUMBER, FIELD(number), .min = -5, .max = 100},
    {"T_MOST", .type = &SETTING_NUMBER, FIELD(most), .min = 1, .max = 100, .optional = true},
    {"T_PORT", .type = &SETTING_PORT, FIELD(port), .at_start = true},
    {"T_SWITCH", .type = &SETTING_SWITCH, FIELD(on), .at_start = true},
    {"RUST_LOG", .type = &SETTING_RUST_LOG, FIELD(level), .optional = true},
    {"T_LEVEL", .type = &SETTING_LOG_LEVEL, FIELD(level), .optional = true},
    {"T_LIST", .type = &LIST, FIELD(list)},
};
/* Two tables, of which the second one is of a part of the struct. */
enum { FIRST = 4, SIZE = sizeof ROWS / sizeof *ROWS };
static const struct settings_table TABLES[] = {
    {ROWS, FIRST, 0}, {ROWS + FIRST, SIZE - FIRST, 0}, {NULL, 0, 0}};

static const struct values BEFORE = {"text", "secret", "old.example", 7, 0, 22, false, LOG_INFO, 3};

static struct changes find(const struct values *after)
{
    struct changes changes = {0};
    changes_find(TABLES, &BEFORE, after, &changes);
    return changes;
}

static void expect(const struct values *after, const char *sentence)
{
    char buffer[900];
    struct text text = text_over(buffer, sizeof buffer);
    struct changes changes = find(after);
    changes_say(&changes, &text);
    assert_string_equal(buffer, sentence);
}

static void nothing_is_said_as_well(void **state)
{
    struct values after = BEFORE;
    (void)state;
    expect(&after, "nothing has changed");
    struct changes changes = find(&after);
    assert_false(changes_in_force(&changes));
}

static void each_change_is_named_with_what_was_and_what_is(void **state)
{
    struct values after = BEFORE;
    (void)state;
    strcpy(after.text, "");
    after.number = -1;
    after.most = 5;
    after.level = LOG_DEBUG;
    expect(&after, "T_TEXT: text → unset; T_NUMBER: 7 → -1; T_MOST: unset → 5; T_LEVEL: info → "
                   "debug");
}

static void of_a_list_it_is_what_came_and_what_went(void **state)
{
    struct values after = BEFORE;
    (void)state;
    after.list = 6;
    expect(&after, "T_LIST: a removed, c added");
}

static void a_secret_is_not_shown(void **state)
{
    struct values after = BEFORE;
    (void)state;
    strcpy(after.secret, "hidden");
    expect(&after, "T_SECRET: changed");
}

static void what_needs_a_restart_is_said_and_held_back(void **state)
{
    static const char *const PORT[] = {"T_PORT", NULL};
    static const char *const NUMBER[] = {"T_PORT", "T_NUMBER", NULL};
    struct values after = BEFORE;
    (void)state;
    after.port = 23;
    expect(&after, "T_PORT (22 → 23) needs a restart; nothing else has changed");
    struct changes changes = find(&after);
    assert_false(changes_in_force(&changes));
    after.number = 8;
    expect(&after, "T_NUMBER: 7 → 8; T_PORT (22 → 23) needs a restart; the other one is in force");
    strcpy(after.host, "a.rather.long.name.example");
    after.on = true;
    after.list = 0;
    expect(&after, "T_NUMBER: 7 → 8; T_LIST: a removed, b removed; T_HOST (old.example → "
                   "a.rather.long.name.example), T_PORT (22 → 23) and T_SWITCH (off → on) need a "
                   "restart; the others are in force");
    changes = find(&after);
    assert_true(changes_in_force(&changes));
    assert_false(changes_have(&changes, PORT));
    assert_true(changes_have(&changes, NUMBER));

    changes_hold_back(TABLES, &BEFORE, &after);
    assert_int_equal(after.port, 22);
    assert_string_equal(after.host, "old.example");
    assert_false(after.on);
    assert_int_equal(after.number, 8);
    expect(&after, "T_NUMBER: 7 → 8; T_LIST: a removed, b removed");
}

static void a_table_may_be_of_a_part_of_the_settings(void **state)
{
    struct whole {
        long number;
        struct values part;
    } before = {.number = 1, .part = BEFORE}, after = before;
    static const struct setting OWN[] = {
        {"T_OWN", .type = &SETTING_NUMBER, .offset = offsetof(struct whole, number), .max = 9}};
    static const struct settings_table BOTH[] = {
        {OWN, 1, 0}, {ROWS, SIZE, offsetof(struct whole, part)}, {NULL, 0, 0}};
    char buffer[900];
    struct text text = text_over(buffer, sizeof buffer);
    struct changes changes = {0};
    (void)state;
    after.number = 2;
    after.part.number = 8;
    after.part.port = 23;
    changes_find(BOTH, &before, &after, &changes);
    changes_say(&changes, &text);
    assert_string_equal(buffer, "T_OWN: 1 → 2; T_NUMBER: 7 → 8; T_PORT (22 → 23) needs a restart; "
                                "the others are in force");
    changes_hold_back(BOTH, &before, &after);
    assert_int_equal(after.part.port, 22);
    assert_int_equal(after.part.number, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_said_as_well),
        cmocka_unit_test(each_change_is_named_with_what_was_and_what_is),
        cmocka_unit_test(of_a_list_it_is_what_came_and_what_went),
        cmocka_unit_test(a_secret_is_not_shown),
        cmocka_unit_test(what_needs_a_restart_is_said_and_held_back),
        cmocka_unit_test(a_table_may_be_of_a_part_of_the_settings),
    };
    return cmocka_run_group_tests_name("changes", tests, NULL, NULL);
}
