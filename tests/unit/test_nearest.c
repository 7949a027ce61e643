/* The word that was meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/nearest.h"

static const char *meant(const char *typed)
{
    static const char *const WORDS[] = {"ssh",   "rdp",   "help",  "ALLOWED_TARGETS",
                                        "ADMIT", "close", "admit", "BIND_ADDRESS"};
    struct nearest nearest = nearest_to(typed);
    for (unsigned i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
        nearest_try(&nearest, WORDS[i]);
    }
    return nearest.word;
}

static void one_mistake_is_understood(void **state)
{
    (void)state;
    assert_string_equal(meant("shh"), "ssh");      /* changed */
    assert_string_equal(meant("shs"), "ssh");      /* swapped */
    assert_string_equal(meant("sshh"), "ssh");     /* added */
    assert_string_equal(meant("hlp"), "help");     /* left out */
    assert_string_equal(meant("HELP"), "help");    /* case only */
    assert_string_equal(meant("ADMITT"), "ADMIT"); /* before admit, which is as near */
    assert_string_equal(meant("BIND_ADRES"), "BIND_ADDRESS");
    assert_string_equal(meant("ALOWED_TARGET"), "ALLOWED_TARGETS");
}

static void what_is_too_far_off_is_not_guessed(void **state)
{
    char longest[65] = "";
    (void)state;
    for (unsigned i = 0; i < sizeof longest - 1; i++) {
        longest[i] = 's';
    }
    assert_null(meant(""));
    assert_null(meant("s"));
    assert_null(meant("xyz"));
    assert_null(meant("targets"));
    assert_null(meant("sdp2h"));
    assert_null(meant(longest));
    struct nearest other = nearest_to("a"); /* no letter of it would be left */
    nearest_try(&other, "b");
    assert_null(other.word);
}

static void nothing_known_is_nothing_near(void **state)
{
    (void)state;
    assert_null(nearest_to("ssh").word);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_mistake_is_understood),
        cmocka_unit_test(what_is_too_far_off_is_not_guessed),
        cmocka_unit_test(nothing_known_is_nothing_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
