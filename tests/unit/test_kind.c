/* The table of kinds: what the compiler cannot see. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "shared/kind.h"

static void a_row_is_found_by_its_number_and_by_its_name(void **state)
{
    (void)state;
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        assert_int_equal(kind_row(kind)->kind, kind);
        assert_ptr_equal(kind_find(kind_name(kind)), kind_row(kind));
    }
    assert_string_equal(kind_name(KIND_SSH), "ssh");
    assert_string_equal(kind_name(KIND_RDP), "rdp");
    assert_null(kind_find(""));
    assert_null(kind_find("SSH"));
    assert_null(kind_find("status"));
}

/* A name is a command of the bot and of pamctl, and the scheme of a link. */
static void every_row_is_whole(void **state)
{
    (void)state;
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        const struct kind_row *row = kind_row(kind);
        size_t len = strlen(row->name);
        assert_in_range(len, 1, 8);
        assert_int_equal(strspn(row->name, "abcdefghijklmnopqrstuvwxyz"), len);
        assert_non_null(row->label);
        assert_non_null(row->service);
        assert_non_null(row->client);
        assert_in_range(row->most_connections, 1, 64);
        /* There is no place for a secret in a line. */
        assert_true(!row->has_secret || row->gives == KIND_GIVES_file);
    }
}

/* A display counts from the usual port, and is no port that anybody means. */
static void what_displays_count_from_is_a_usual_port(void **state)
{
    (void)state;
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        const struct kind_row *row = kind_row(kind);
        assert_true(row->displays == 0 || (row->port > row->displays && row->displays < 512));
    }
}

/* Of one kind, for a target's port: the first hint's line, after that many. */
static const char *hint(enum kind kind, uint16_t port, unsigned after)
{
    for (const struct kind_hint *hint = kind_row(kind)->hints; hint->what; hint++) {
        if (kind_hint_serves(kind_row(kind), hint, port) && after-- == 0) {
            return hint->line;
        }
    }
    return NULL;
}

static void a_port_has_the_hints_that_are_its_own(void **state)
{
    (void)state;
    assert_string_equal(hint(KIND_TCP, 5432, 0), "psql -h {host} -p {port}");
    assert_null(hint(KIND_TCP, 5432, 1));
    assert_string_equal(hint(KIND_TCP, 443, 0), "https://{at}/");
    assert_null(hint(KIND_TCP, 443, 1));
    assert_string_equal(hint(KIND_TCP, 8123, 0), "http://{at}/");
    assert_null(hint(KIND_TCP, 8123, 1));
    assert_string_equal(hint(KIND_VNC, 5901, 0), "vnc://{at}");
    assert_null(hint(KIND_SSH, 22, 0));
}

/* Silence is waited out in one way: as a greeting, or as what may be one from whom is known. */
static void a_silent_client_is_one_thing_of_a_kind(void **state)
{
    (void)state;
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        const struct kind_row *row = kind_row(kind);
        assert_false(row->may_be_silent && row->server_may_begin);
        assert_false(row->has_secret && row->server_may_begin);
    }
}

/* By its port alone the bot tells what a machine was meant for. */
static void no_two_kinds_share_a_port(void **state)
{
    (void)state;
    for (enum kind a = 0; a < KIND_COUNT; a++) {
        for (enum kind b = 0; b < a; b++) {
            assert_int_not_equal(kind_row(a)->port, kind_row(b)->port);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_is_found_by_its_number_and_by_its_name),
        cmocka_unit_test(every_row_is_whole),
        cmocka_unit_test(what_displays_count_from_is_a_usual_port),
        cmocka_unit_test(a_port_has_the_hints_that_are_its_own),
        cmocka_unit_test(a_silent_client_is_one_thing_of_a_kind),
        cmocka_unit_test(no_two_kinds_share_a_port),
    };
    return cmocka_run_group_tests_name("kind", tests, NULL, NULL);
}
