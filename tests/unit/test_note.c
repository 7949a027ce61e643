/* What did not go well last in a session, and when that is past. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vps/session/note.h"

static void a_note_is_replaced_by_the_next(void **state)
{
    struct note note = {0};
    (void)state;
    assert_null(note_text(&note, 0));
    assert_true(note_set(&note, true, "one", 0));
    assert_false(note_set(&note, true, "one", 1)); /* the same is no news */
    assert_int_equal(note.count, 1);
    assert_true(note_set(&note, true, "two", 1));
    assert_string_equal(note_text(&note, 0), "two");
    assert_int_equal(note.count, 2);
    note_done(&note);
}

static void a_note_is_past_once_a_later_connection_works(void **state)
{
    struct note note = {0};
    (void)state;
    note_set(&note, true, "no room", 3);
    assert_string_equal(note_text(&note, 3), "no room"); /* it ran before */
    assert_null(note_text(&note, 4));
    note_review(&note, 3);
    assert_string_equal(note_text(&note, 0), "no room");
    note_review(&note, 4);
    assert_null(note_text(&note, 0));
    assert_true(note_set(&note, true, "no room", 4)); /* and news when it comes again */
    note_done(&note);
}

static void some_notes_are_for_good(void **state)
{
    struct note note = {0};
    (void)state;
    note_set(&note, false, "somebody else came", 1);
    note_review(&note, 2);
    assert_string_equal(note_text(&note, 2), "somebody else came");
    note_done(&note);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_note_is_replaced_by_the_next),
        cmocka_unit_test(a_note_is_past_once_a_later_connection_works),
        cmocka_unit_test(some_notes_are_for_good),
    };
    return cmocka_run_group_tests_name("note", tests, NULL, NULL);
}
