/* What both agents do alike: what a command line comes to, and settings that are read again. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "shared/program.h"

enum { FLAG_ACT = 1, FLAG_OTHER = 2, ACTED = 42 };

static int act(const struct options *options)
{
    assert_true(options->flags & FLAG_ACT);
    assert_string_equal(options->env_file, "file");
    return ACTED;
}

static int act_otherwise(const struct options *options)
{
    (void)options;
    return ACTED + 1;
}

static const struct option_flag FLAGS[] = {
    {"--other", "something else", FLAG_OTHER, NULL, .action = act_otherwise},
    {"--act", "something", FLAG_ACT, NULL, .action = act},
    {"--how", "in a way", .bit = 4},
};
static const struct settings_table TABLES[] = {COMMON_SETTINGS_TABLE(0), {NULL, 0, 0}};
static const char *const NONE[] = {NULL};
static const struct vocabulary VOCABULARY = {
    .tables = TABLES, .other_agent = "other", .others = NONE, .environments = NONE};
static const struct program PROGRAM = {
    .options = {.program = "agent",
                .summary = "An agent.",
                .flags = FLAGS,
                .count = sizeof FLAGS / sizeof *FLAGS},
    .vocabulary = &VOCABULARY,
};

static void what_is_no_run_is_answered(void **state)
{
    static char *rows[][4] = {
        {"agent", "--env-file=file", "--act", NULL}, {"agent", "--other", NULL, NULL},
        {"agent", "--unknown", NULL, NULL},          {"agent", "--act", "--other", NULL},
        {"agent", "--version", NULL, NULL},          {"agent", "--help", NULL, NULL},
    };
    static const int STATUSES[] = {ACTED, ACTED + 1, EXIT_USAGE, EXIT_USAGE, 0, 0};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct options options;
        int argc = 0, status = -1;
        while (rows[i][argc]) {
            argc++;
        }
        assert_true(program_answers(&PROGRAM, argc, rows[i], &options, &status));
        assert_int_equal(status, STATUSES[i]);
    }
}

static void the_rest_is_left_to_the_program(void **state)
{
    char *argv[] = {"agent", "--check", "--how", NULL};
    struct options options;
    int status = -1;
    (void)state;
    assert_false(program_answers(&PROGRAM, 3, argv, &options, &status));
    assert_true(options.check);
    assert_int_equal(options.flags, 4);
    assert_int_equal(status, -1);
}

static int refuse(void *arg, struct changes *ret_changes, struct why *why)
{
    (void)arg;
    ret_changes->count = 7;
    return why_set(why, -EINVAL, "it is wrong");
}

static int succeed(void *arg, struct changes *ret_changes, struct why *why)
{
    (void)why;
    *(int *)arg += 1;
    assert_int_equal(ret_changes->count, 0);
    ret_changes->count = 1;
    ret_changes->list[0] = (struct change){.name = "A", .text = "1 → 2"};
    return 0;
}

static void changes_are_handed_on_only_if_they_are_in_force(void **state)
{
    struct log log = log_to_stderr(LOG_ERROR);
    struct changes changes = {.count = 0};
    struct why why = {""};
    int calls = 0;
    struct program_reload reload = {.renew = refuse, .arg = &calls, .log = &log};
    (void)state;
    assert_int_equal(program_reload(&reload, &changes, &why), -EINVAL);
    assert_string_equal(why.text, "it is wrong");
    assert_int_equal(changes.count, 0);
    reload.renew = succeed;
    assert_int_equal(program_reload(&reload, &changes, &why), 0);
    assert_int_equal(calls, 1);
    assert_int_equal(changes.count, 1);
    assert_string_equal(changes.list[0].name, "A");
}

/* In a process of its own: 0 if no file may grow, and the process is there to see that. */
static int write_beyond_the_limit(void)
{
    const struct common_settings settings = {.log_level = LOG_ERROR};
    const struct rlimit none = {0, 0};
    FILE *file = tmpfile();
    program_start(&PROGRAM, NULL, &settings);
    setrlimit(RLIMIT_FSIZE, &none);
    return file && write(fileno(file), "x", 1) < 0 && errno == EFBIG ? 0 : 1;
}

static void a_limit_to_the_size_of_files_is_an_error_and_not_the_end(void **state)
{
    int status;
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(write_beyond_the_limit());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_run_is_answered),
        cmocka_unit_test(the_rest_is_left_to_the_program),
        cmocka_unit_test(a_limit_to_the_size_of_files_is_an_error_and_not_the_end),
        cmocka_unit_test(changes_are_handed_on_only_if_they_are_in_force),
    };
    return cmocka_run_group_tests_name("program", tests, NULL, NULL);
}
