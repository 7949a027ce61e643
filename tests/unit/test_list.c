/* A ring through its members. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/list.h"

struct pearl {
    char letter;
    struct list string;
};

/* The letters from the first to the last. */
static const char *letters(const struct list *head)
{
    static char text[8];
    size_t len = 0;
    list_each (const struct pearl, pearl, head, string) {
        text[len++] = pearl->letter;
    }
    text[len] = '\0';
    return text;
}

static void the_order_is_as_they_were_put_in(void **state)
{
    struct pearl a = {.letter = 'a'}, b = {.letter = 'b'}, c = {.letter = 'c'};
    struct list head;
    (void)state;
    list_init(&head);
    assert_true(list_is_empty(&head));
    assert_null(list_take(&head));
    assert_string_equal(letters(&head), "");
    list_append(&head, &b.string);
    list_append(&head, &c.string);
    list_prepend(&head, &a.string);
    assert_string_equal(letters(&head), "abc");
    assert_ptr_equal(list_owner(list_take(&head), struct pearl, string), &a);
    assert_true(list_is_empty(&a.string));
    list_remove(&c.string);
    list_remove(&c.string);
    assert_string_equal(letters(&head), "b");
}

static void a_loop_may_take_out_the_one_that_it_is_at(void **state)
{
    struct pearl pearls[] = {{.letter = 'a'}, {.letter = 'b'}, {.letter = 'c'}, {.letter = 'd'}};
    struct list head;
    (void)state;
    list_init(&head);
    for (unsigned i = 0; i < 4; i++) {
        list_append(&head, &pearls[i].string);
    }
    list_each (struct pearl, pearl, &head, string) {
        if (pearl->letter % 2) {
            list_remove(&pearl->string);
        }
    }
    assert_string_equal(letters(&head), "bd");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_is_as_they_were_put_in),
        cmocka_unit_test(a_loop_may_take_out_the_one_that_it_is_at),
    };
    return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
