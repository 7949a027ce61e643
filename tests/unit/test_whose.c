/* Whose a client at the entrance is: the rules of docs/threat-model.md, as a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vps/admission/whose.h"

#define NOT   WHOSE_FIT_NOT
#define LATER WHOSE_FIT_LATER
#define ANY   WHOSE_FIT_ANY
#define OWN   WHOSE_FIT_OWN
#define ANNA               \
    {                      \
        OWNER_TELEGRAM, 42 \
    }
#define BERT               \
    {                      \
        OWNER_TELEGRAM, 43 \
    }

enum { MOST = 3 };

static void the_rules_hold(void **state)
{
    // clang-format off
    static const struct {
        const char *says;
        struct whose_claim claims[MOST]; /* fit, has_secret, is_in, expects, owner */
        int whose;
    } ROWS[] = {
        {"nobody's", {{0}}, WHOSE_NOBODY},
        {"speaking the protocol is nothing", {{OWN, 0, 0, 0, ANNA}, {ANY, 0, 0, 0, ANNA}}, WHOSE_NOBODY},
        {"the secret decides", {{OWN, 0, 1, 0, ANNA}, {OWN, 1, 0, 0, BERT}}, 1},
        {"also while another wants more", {{LATER, 0, 1, 0, ANNA}, {OWN, 1, 0, 0, BERT}}, 1},
        {"who is in", {{OWN, 0, 0, 0, ANNA}, {OWN, 0, 1, 0, BERT}}, 1},
        {"who is expected", {{OWN, 0, 0, 1, ANNA}, {OWN, 0, 0, 0, BERT}}, 0},
        {"but not with another protocol", {{NOT, 0, 1, 1, ANNA}}, WHOSE_NOBODY},
        {"more is to come", {{LATER, 0, 0, 0, ANNA}, {ANY, 0, 1, 0, ANNA}}, WHOSE_LATER},
        {"its own protocol before any", {{ANY, 0, 1, 0, ANNA}, {OWN, 0, 1, 0, ANNA}}, 1},
        {"whoever's that is", {{ANY, 0, 1, 0, BERT}, {OWN, 0, 1, 0, ANNA}}, 1},
        {"any, if there is no other", {{ANY, 0, 1, 0, ANNA}, {OWN, 0, 0, 0, ANNA}}, 0},
        {"the last that waits", {{OWN, 0, 0, 1, ANNA}, {OWN, 0, 0, 1, ANNA}, {OWN, 0, 1, 0, ANNA}}, 1},
        {"none of two that it is in", {{OWN, 0, 1, 0, ANNA}, {OWN, 0, 1, 0, ANNA}}, WHOSE_SEVERAL},
        {"nor of three", {{OWN, 0, 1, 0, ANNA}, {OWN, 0, 1, 0, ANNA}, {OWN, 0, 1, 0, ANNA}}, WHOSE_SEVERAL},
        {"none of two owners'", {{OWN, 0, 1, 0, ANNA}, {OWN, 0, 0, 1, BERT}}, WHOSE_SEVERAL},
        {"and of nobody's any instead", {{OWN, 0, 1, 0, ANNA}, {OWN, 0, 0, 1, BERT}, {ANY, 0, 1, 0, ANNA}}, WHOSE_SEVERAL},
    };
    // clang-format on
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        int whose = whose_session(ROWS[i].claims, MOST);
        if (whose != ROWS[i].whose) {
            fail_msg("%s: %d", ROWS[i].says, whose);
        }
    }
    assert_int_equal(whose_session(NULL, 0), WHOSE_NOBODY);
}

/* Whatever else holds: without a secret, a session that does not know the party never gets it. */
static void no_session_gets_a_stranger(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 1 << 10; bits++) {
        struct whose_claim claims[2];
        for (unsigned i = 0; i < 2; i++) {
            unsigned b = bits >> 5 * i;
            claims[i] = (struct whose_claim){.fit = (enum whose_fit)(b & 3),
                                             .is_in = b & 4,
                                             .expects = b & 8,
                                             .owner = {OWNER_TELEGRAM, b & 16 ? 42 : 43}};
        }
        int whose = whose_session(claims, 2);
        if (whose >= 0) {
            assert_true(claims[whose].is_in || claims[whose].expects);
            assert_in_range(claims[whose].fit, WHOSE_FIT_ANY, WHOSE_FIT_OWN);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rules_hold),
        cmocka_unit_test(no_session_gets_a_stranger),
    };
    return cmocka_run_group_tests_name("whose", tests, NULL, NULL);
}
