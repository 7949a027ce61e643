#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/journal.h"

struct place {
    char folder[32];
    struct sockaddr_un addr;
    int fd;
};

static void listen_at(struct place *place)
{
    unlink(place->addr.sun_path);
    place->fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_true(place->fd >= 0);
    assert_int_equal(bind(place->fd, (struct sockaddr *)&place->addr, sizeof place->addr), 0);
}

static int open_place(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    strcpy(place->folder, "/tmp/journal-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    place->addr.sun_family = AF_UNIX;
    snprintf(place->addr.sun_path, sizeof place->addr.sun_path, "%s/socket", place->folder);
    listen_at(place);
    *state = place;
    return 0;
}

static int close_place(void **state)
{
    struct place *place = *state;
    close(place->fd);
    unlink(place->addr.sun_path);
    rmdir(place->folder);
    free(place);
    return 0;
}

static size_t receive(const struct place *place, char *dst, size_t cap)
{
    ssize_t got = recv(place->fd, dst, cap - 1, MSG_DONTWAIT);
    dst[got > 0 ? got : 0] = '\0';
    return got > 0 ? (size_t)got : 0;
}

static void test_fields_are_lines(void **state)
{
    const struct place *place = *state;
    char got[256];
    const struct journal_field fields[] = {
        {"MESSAGE", "it is so"}, {"NOBODY", NULL}, {"NOTHING", ""}, {"PRIORITY", "6"}};
    struct journal *journal = journal_open(place->addr.sun_path);
    assert_non_null(journal);
    journal_send(journal, fields, 4);
    receive(place, got, sizeof got);
    assert_string_equal(got, "MESSAGE=it is so\nPRIORITY=6\n");
    journal_close(journal);
}

/* Else a value could be a field that nobody wrote. */
static void test_a_value_of_several_lines_has_a_length(void **state)
{
    const struct place *place = *state;
    char got[256];
    const struct journal_field fields[] = {{"MESSAGE", "a\nPRIORITY=0"}};
    static const char EXPECTED[] = "MESSAGE\n\x0c\0\0\0\0\0\0\0a\nPRIORITY=0\n";
    struct journal *journal = journal_open(place->addr.sun_path);
    journal_send(journal, fields, 1);
    assert_int_equal(receive(place, got, sizeof got), sizeof EXPECTED - 1);
    assert_memory_equal(got, EXPECTED, sizeof EXPECTED - 1);
    journal_close(journal);
}

static void test_finds_one_that_was_started_anew(void **state)
{
    struct place *place = *state;
    char got[256];
    const struct journal_field fields[] = {{"MESSAGE", "again"}};
    struct journal *journal = journal_open(place->addr.sun_path);
    close(place->fd);
    journal_send(journal, fields, 1); /* is lost */
    listen_at(place);
    journal_send(journal, fields, 1);
    receive(place, got, sizeof got);
    assert_string_equal(got, "MESSAGE=again\n");
    journal_close(journal);
}

static void test_waits_for_nobody(void **state)
{
    const struct place *place = *state;
    char *huge = malloc(JOURNAL_RECORD_MAX + 1), got[256];
    memset(huge, 'x', JOURNAL_RECORD_MAX);
    huge[JOURNAL_RECORD_MAX] = '\0';
    const struct journal_field small = {"MESSAGE", "small"}, large = {"MESSAGE", huge};
    struct journal *journal = journal_open(place->addr.sun_path);
    journal_send(journal, &large, 1); /* left out */
    for (unsigned i = 0; i < 10000; i++) {
        journal_send(journal, &small, 1);
    }
    receive(place, got, sizeof got);
    assert_string_equal(got, "MESSAGE=small\n");
    journal_close(journal);
    free(huge);
}

static void test_there_may_be_none(void **state)
{
    (void)state;
    const struct journal_field field = {"MESSAGE", "nobody"};
    assert_null(journal_open("/nonexistent/socket"));
    journal_send(NULL, &field, 1);
    journal_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fields_are_lines, open_place, close_place),
        cmocka_unit_test_setup_teardown(test_a_value_of_several_lines_has_a_length, open_place,
                                        close_place),
        cmocka_unit_test_setup_teardown(test_finds_one_that_was_started_anew, open_place,
                                        close_place),
        cmocka_unit_test_setup_teardown(test_waits_for_nobody, open_place, close_place),
        cmocka_unit_test(test_there_may_be_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
