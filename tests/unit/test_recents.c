/* Where people were last: whose, in which order, how many, and after a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "disk.h"
#include "vps/chat/recents.h"

static const struct owner ANNA = {OWNER_TELEGRAM, 42}, BERT = {OWNER_TELEGRAM, 43};

/* "a b c", the latest first. */
static const char *list(const struct recents *recents, const struct owner *owner, enum kind kind)
{
    static char buffer[1024];
    struct text text = text_over(buffer, sizeof buffer);
    const char *target;
    unsigned at = 0;
    while ((target = recents_next(recents, owner, kind, &at))) {
        text_add(&text, "%s%s", text.len ? " " : "", target);
    }
    return buffer;
}

static void the_latest_come_first_and_each_once(void **state)
{
    struct recents *recents = recents_new(NULL);
    (void)state;
    assert_string_equal(list(recents, &ANNA, KIND_SSH), "");
    recents_add(recents, &ANNA, KIND_SSH, "a", "");
    recents_add(recents, &ANNA, KIND_SSH, "b", "");
    recents_add(recents, &ANNA, KIND_RDP, "c", "");
    recents_add(recents, &BERT, KIND_SSH, "d", "");
    assert_string_equal(list(recents, &ANNA, KIND_SSH), "b a");
    recents_add(recents, &ANNA, KIND_SSH, "a", "");
    assert_string_equal(list(recents, &ANNA, KIND_SSH), "a b");
    assert_string_equal(list(recents, &ANNA, KIND_RDP), "c");
    assert_string_equal(list(recents, &BERT, KIND_SSH), "d");
    recents_free(recents);
}

static void few_are_kept_of_each_and_none_that_fits_no_button(void **state)
{
    struct recents *recents = recents_new(NULL);
    char name[RECENTS_TARGET_MAX + 2];
    (void)state;
    for (char c = 'a'; c <= 'g'; c++) {
        recents_add(recents, &ANNA, KIND_SSH, (char[]){c, '\0'}, "");
    }
    assert_string_equal(list(recents, &ANNA, KIND_SSH), "g f e d c");
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    recents_add(recents, &ANNA, KIND_SSH, name, "");
    assert_string_equal(list(recents, &ANNA, KIND_SSH), "g f e d c");
    recents_free(recents);
}

static void all_together_have_a_bound(void **state)
{
    struct recents *recents = recents_new(NULL);
    (void)state;
    for (int64_t person = 1; person <= 2 * RECENTS_MAX; person++) {
        recents_add(recents, &(struct owner){OWNER_TELEGRAM, person}, KIND_SSH, "nas", "");
    }
    assert_string_equal(list(recents, &(struct owner){OWNER_TELEGRAM, 1}, KIND_SSH), "");
    assert_string_equal(list(recents, &(struct owner){OWNER_TELEGRAM, 2 * RECENTS_MAX}, KIND_SSH),
                        "nas");
    recents_free(recents);
}

static struct recents *begin(struct disk *disk)
{
    disk_open(disk);
    struct recents *recents = recents_new(disk->store);
    assert_non_null(recents);
    disk_write(disk);
    return recents;
}

static void end(struct disk *disk, struct recents *recents)
{
    recents_free(recents);
    disk_close(disk);
}

static void a_restart_changes_nothing(void **state)
{
    struct disk *disk = disk_set_up();
    (void)state;
    assert_non_null(disk);
    struct recents *recents = begin(disk);
    for (char c = 'a'; c <= 'g'; c++) {
        recents_add(recents, &ANNA, KIND_SSH, (char[]){c, '\0'}, "");
    }
    recents_add(recents, &ANNA, KIND_SSH, "d", "");
    recents_add(recents, &BERT, KIND_RDP, "office-pc", "");
    end(disk, recents);
    recents = begin(disk);
    assert_string_equal(list(recents, &ANNA, KIND_SSH), "d g f e c");
    assert_string_equal(list(recents, &BERT, KIND_RDP), "office-pc");
    recents_add(recents, &ANNA, KIND_SSH, "h", "");
    end(disk, recents);
    recents = begin(disk);
    assert_string_equal(list(recents, &ANNA, KIND_SSH), "h d g f e");
    end(disk, recents);
    disk_tear_down(disk);
}

static void what_it_was_for_is_known_until_a_restart(void **state)
{
    (void)state;
    struct recents *recents = recents_new(NULL);
    recents_add(recents, &ANNA, KIND_SSH, "a", "printer");
    recents_add(recents, &BERT, KIND_SSH, "a", "");
    assert_string_equal(recents_reason(recents, &ANNA, KIND_SSH, "a"), "printer");
    assert_string_equal(recents_reason(recents, &BERT, KIND_SSH, "a"), "");
    assert_string_equal(recents_reason(recents, &ANNA, KIND_RDP, "a"), "");
    assert_string_equal(recents_reason(recents, &ANNA, KIND_SSH, "b"), "");
    recents_add(recents, &ANNA, KIND_SSH, "a", "scanner");
    assert_string_equal(recents_reason(recents, &ANNA, KIND_SSH, "a"), "scanner");
    recents_add(recents, &ANNA, KIND_SSH, "a", "");
    assert_string_equal(recents_reason(recents, &ANNA, KIND_SSH, "a"), "");
    recents_free(recents);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_was_for_is_known_until_a_restart),
        cmocka_unit_test(the_latest_come_first_and_each_once),
        cmocka_unit_test(few_are_kept_of_each_and_none_that_fits_no_button),
        cmocka_unit_test(all_together_have_a_bound),
        cmocka_unit_test(a_restart_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
