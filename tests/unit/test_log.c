/* Lines of the log, and the sieve for those that strangers cause. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

struct memory_log {
    struct log log;
    char *text;
    size_t size;
};

static void memory_log_open(struct memory_log *memory, enum log_level level)
{
    memory->log = (struct log){.stream = open_memstream(&memory->text, &memory->size),
                               .level = level};
    assert_non_null(memory->log.stream);
}

static void memory_log_close(struct memory_log *memory)
{
    fclose(memory->log.stream);
    free(memory->text);
}

static void a_line_has_a_time_a_level_and_the_text(void **state)
{
    struct memory_log memory;
    int year, month, day, hour, minute, second, ms, end = 0;
    (void)state;
    memory_log_open(&memory, LOG_INFO);
    errno = ENOENT;
    log_info(&memory.log, "session %s: %s", "k3f9", "waiting -> connected");
    assert_int_equal(errno, ENOENT);
    assert_int_equal(sscanf(memory.text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ info %n", &year, &month,
                            &day, &hour, &minute, &second, &ms, &end),
                     7);
    assert_string_equal(memory.text + end, "session k3f9: waiting -> connected\n");
    assert_true(year >= 2024);
    memory_log_close(&memory);
}

static void lines_above_the_level_are_left_out(void **state)
{
    struct memory_log memory;
    (void)state;
    memory_log_open(&memory, LOG_WARN);
    log_info(&memory.log, "info");
    log_trace(&memory.log, "trace");
    log_error(NULL, "nowhere");
    fflush(memory.log.stream);
    assert_int_equal(memory.size, 0);
    log_warn(&memory.log, "one");
    log_error(&memory.log, "two");
    assert_non_null(strstr(memory.text, "Z warn  one\n"));
    assert_non_null(strstr(memory.text, "Z error two\n"));
    memory_log_close(&memory);
}

static void nothing_formatted_into_a_line_forges_another_or_moves_the_cursor(void **state)
{
    static const struct {
        const char *sent, *shown;
    } ROWS[] = {
        {"a\nb\r\tc", "a?b??c"},
        {"\x1b[2J\x07\x7f", "?[2J??"},
        {"\xc2\x9b"
         "2J",
         "?2J"}, /* U+009B, which terminals take for ESC [ */
        {"\xc2\x80\xc2\x9f\xc2\xa0", "??\xc2\xa0"},
        {"K\xc3\xbc"
         "che \xf0\x9f\x98\x80",
         "K\xc3\xbc"
         "che \xf0\x9f\x98\x80"},
        {"\xc2", "?"},
        {"\u202e\u2066\u2028\u200b", "????"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct memory_log memory;
        memory_log_open(&memory, LOG_INFO);
        log_info(&memory.log, "x%s", ROWS[i].sent);
        size_t len = strlen(ROWS[i].shown);
        assert_true(memory.size > len + 2);
        assert_memory_equal(memory.text + memory.size - len - 1, ROWS[i].shown, len);
        assert_int_equal(strcspn(memory.text, "\n"), memory.size - 1);
        memory_log_close(&memory);
    }
}

static void a_line_without_end_is_cut(void **state)
{
    struct memory_log memory;
    char flood[5000];
    (void)state;
    memset(flood, 'x', sizeof flood - 1);
    flood[sizeof flood - 1] = '\0';
    memory_log_open(&memory, LOG_INFO);
    log_info(&memory.log, "%s", flood);
    assert_in_range(memory.size, 1000, 1100);
    assert_int_equal(memory.text[memory.size - 1], '\n');
    memory_log_close(&memory);
}

static void a_line_for_the_journal_has_a_priority_and_no_time(void **state)
{
    struct memory_log memory;
    (void)state;
    memory_log_open(&memory, LOG_TRACE);
    memory.log.journal = true;
    log_error(&memory.log, "<4>one\n<4>two");
    log_warn(&memory.log, "three");
    log_info(&memory.log, "four");
    log_debug(&memory.log, "five");
    log_trace(&memory.log, "six");
    assert_string_equal(memory.text, "<3>error <4>one?<4>two\n<4>warn  three\n<6>info  four\n"
                                     "<7>debug five\n<7>trace six\n");
    memory_log_close(&memory);
}

/* As systemd sets it: stderr's own device and inode, which a redirection changes. */
static void stderr_is_the_journal_if_the_manager_says_so_of_this_very_stream(void **state)
{
    struct stat stream;
    char text[64];
    (void)state;
    assert_int_equal(fstat(STDERR_FILENO, &stream), 0);
    unsigned long long device = stream.st_dev, inode = stream.st_ino;
    unsetenv("JOURNAL_STREAM");
    assert_false(log_to_stderr(LOG_INFO).journal);
    snprintf(text, sizeof text, "%llu:%llu", device, inode);
    setenv("JOURNAL_STREAM", text, 1);
    assert_true(log_to_stderr(LOG_WARN).journal);
    assert_int_equal(log_to_stderr(LOG_WARN).level, LOG_WARN);
    snprintf(text, sizeof text, "%llu:%llu", device, inode + 1);
    setenv("JOURNAL_STREAM", text, 1);
    assert_false(log_to_stderr(LOG_INFO).journal);
    snprintf(text, sizeof text, "%llu:%llux", device, inode);
    setenv("JOURNAL_STREAM", text, 1);
    assert_false(log_to_stderr(LOG_INFO).journal);
    setenv("JOURNAL_STREAM", "", 1);
    assert_false(log_to_stderr(LOG_INFO).journal);
    unsetenv("JOURNAL_STREAM");
}

static void levels_are_known_by_name(void **state)
{
    static const char *const NAMES[] = {"error", "warn", "info", "debug", "trace"};
    enum log_level level = LOG_ERROR;
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(log_level_parse(NAMES[i], &level), 0);
        assert_int_equal(level, i);
    }
    assert_int_equal(log_level_parse("INFO", &level), 0);
    assert_int_equal(level, LOG_INFO);
    assert_int_equal(log_level_parse("verbose", &level), -EINVAL);
    assert_int_equal(log_level_parse("", &level), -EINVAL);
    assert_int_equal(log_level_parse("info ", &level), -EINVAL);
    assert_int_equal(level, LOG_INFO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_a_time_a_level_and_the_text),
        cmocka_unit_test(lines_above_the_level_are_left_out),
        cmocka_unit_test(nothing_formatted_into_a_line_forges_another_or_moves_the_cursor),
        cmocka_unit_test(a_line_without_end_is_cut),
        cmocka_unit_test(a_line_for_the_journal_has_a_priority_and_no_time),
        cmocka_unit_test(stderr_is_the_journal_if_the_manager_says_so_of_this_very_stream),
        cmocka_unit_test(levels_are_known_by_name),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
