/*
 * Who is let in: every combination of facts against the rules of
 * docs/threat-model.md, written down here a second time as a table. The first
 * row that fits decides.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vps/admission/judge.h"

enum { FACTS = 1 << 7 };
enum answer { NO, YES, ANY };
enum { ADDRESS_ONLY = -2 }; /* nothing but its address says who a client is */

struct rule {
    const char *says;
    int kind;  /* enum kind, -1 for any, or ADDRESS_ONLY */
    int admit; /* enum admit, or -1 for any */
    enum answer secret, known, blocked, somebody, same_party, that_had_none, full;
    enum verdict verdict;
};

// clang-format off
static const struct rule RULES[] = {
    /*                                                kind         admit        secret known block some same none full */
    {"who was blocked stays out",                     -1,          -1,          ANY, ANY, YES, ANY, ANY, ANY, ANY, VERDICT_DROP},
    {"nobody comes back from another address",        -1,          -1,          ANY, ANY, ANY, YES, NO,  ANY, ANY, VERDICT_DROP},
    {"a client comes again",                          ADDRESS_ONLY, -1,          ANY, ANY, ANY, YES, YES, ANY, NO,  VERDICT_ADMIT},
    {"but not while there are as many as may be",     ADDRESS_ONLY, -1,          ANY, ANY, ANY, YES, YES, ANY, YES, VERDICT_DROP},
    {"an RDP client comes again with its secret, and the oldest makes room",
                                                      KIND_RDP, -1,          YES, ANY, ANY, YES, YES, ANY, ANY, VERDICT_ADMIT},
    {"or as it was admitted, without",                KIND_RDP, -1,          NO,  ANY, ANY, YES, YES, YES, ANY, VERDICT_ADMIT},
    {"but not without what let it in",                KIND_RDP, -1,          NO,  ANY, ANY, YES, YES, NO,  ANY, VERDICT_DROP},
    {"the secret opens an RDP session",               KIND_RDP, -1,          YES, ANY, ANY, NO,  ANY, ANY, ANY, VERDICT_ADMIT},
    {"ADMIT=auto takes the first client",             ADDRESS_ONLY, ADMIT_AUTO,  ANY, ANY, ANY, NO,  ANY, ANY, ANY, VERDICT_ADMIT},
    {"a known address is enough",                     ADDRESS_ONLY, ADMIT_KNOWN, ANY, YES, ANY, NO,  ANY, ANY, ANY, VERDICT_ADMIT},
    {"an unknown one is asked about",                 ADDRESS_ONLY, ADMIT_KNOWN, ANY, NO,  ANY, NO,  ANY, ANY, ANY, VERDICT_ASK},
    {"ADMIT=ask always asks",                         ADDRESS_ONLY, ADMIT_ASK,   ANY, ANY, ANY, NO,  ANY, ANY, ANY, VERDICT_ASK},
    {"RDP without the secret is like SSH from an unknown address",
                                                      KIND_RDP, -1,          NO,  ANY, ANY, NO,  ANY, ANY, ANY, VERDICT_ASK},
};
// clang-format on

static bool fits(enum answer answer, bool fact)
{
    return answer == ANY || (answer == YES) == fact;
}

static const struct rule *rule_for(const struct visit *visit)
{
    for (size_t i = 0; i < sizeof RULES / sizeof *RULES; i++) {
        const struct rule *rule = &RULES[i];
        bool of_kind = rule->kind == ADDRESS_ONLY
                           ? !visit->kind->has_secret
                           : rule->kind < 0 || rule->kind == (int)visit->kind->kind;
        if (of_kind && (rule->admit < 0 || rule->admit == (int)visit->admit) &&
            fits(rule->secret, visit->has_secret) && fits(rule->known, visit->known) &&
            fits(rule->blocked, visit->blocked) && fits(rule->somebody, visit->somebody_is_in) &&
            fits(rule->same_party, visit->from_that_party) &&
            fits(rule->that_had_none, visit->that_had_no_secret) &&
            fits(rule->full, visit->is_full)) {
            return rule;
        }
    }
    return NULL;
}

static struct visit visit_of(unsigned bits, enum kind kind, enum admit admit)
{
    return (struct visit){
        .kind = kind_row(kind),
        .admit = admit,
        .has_secret = bits & 1,
        .known = bits & 2,
        .blocked = bits & 4,
        .somebody_is_in = bits & 8,
        .from_that_party = bits & 16,
        .that_had_no_secret = bits & 32,
        .is_full = bits & 64,
    };
}

static void every_combination_of_facts_is_judged_by_the_rules(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < FACTS; bits++) {
        for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
            for (enum admit admit = ADMIT_AUTO; admit <= ADMIT_ASK; admit++) {
                struct visit visit = visit_of(bits, kind, admit);
                const struct rule *rule = rule_for(&visit);
                assert_non_null(rule);
                if (judge_visit(&visit) != rule->verdict) {
                    fail_msg("\"%s\": not for facts %#x, kind %d, ADMIT %d", rule->says, bits,
                             (int)kind, (int)admit);
                }
            }
        }
    }
}

/* A client that waits for the server's first word: as one that spoke, without a question. */
static void a_silent_client_is_judged_as_one_that_spoke_but_not_asked_about(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < FACTS * 2; bits++) {
        for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
            for (enum admit admit = ADMIT_AUTO; admit <= ADMIT_ASK; admit++) {
                struct visit visit = visit_of(bits, kind, admit);
                visit.is_the_only_one = bits & FACTS;
                bool first_and_last = visit.is_the_only_one && !visit.somebody_is_in;
                bool in = kind == KIND_SSH && rule_for(&visit)->verdict == VERDICT_ADMIT &&
                          (visit.known || !first_and_last);
                assert_int_equal(judge_silent(&visit), in ? VERDICT_ADMIT : VERDICT_DROP);
            }
        }
    }
}

/* As if a person admitted it; but for the one party that is in, and for the blocked. */
static void who_pressed_the_button_needs_no_other_word(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < FACTS; bits++) {
        for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
            struct visit visit = visit_of(bits, kind, ADMIT_ASK);
            enum verdict without = judge_visit(&visit);
            visit.linked = visit.is_the_only_one = true;
            bool alone = !visit.blocked && !visit.somebody_is_in;
            enum verdict expected = alone ? VERDICT_ADMIT : without;
            assert_int_equal(judge_visit(&visit), expected);
            if (alone) {
                assert_int_equal(judge_silent(&visit),
                                 visit.kind->may_be_silent ? VERDICT_ADMIT : VERDICT_DROP);
            }
        }
    }
}

static void nobody_is_let_in_silently_by_rdp_or_unknown_or_with_ask(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < FACTS; bits++) {
        struct visit visit = visit_of(bits, KIND_RDP, ADMIT_AUTO);
        assert_int_equal(judge_silent(&visit), VERDICT_DROP);
        visit = visit_of(bits, KIND_SSH, ADMIT_KNOWN);
        visit.known = visit.somebody_is_in = false;
        assert_int_equal(judge_silent(&visit), VERDICT_DROP);
        visit.admit = ADMIT_ASK;
        visit.known = true;
        assert_int_equal(judge_silent(&visit), VERDICT_DROP);
    }
}

/* Nothing but what its row says makes a kind: one that has no row yet is judged as well. */
static void a_kind_is_judged_by_its_facts(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < FACTS * 8; bits++) {
        const struct kind_row row = {
            .has_secret = bits & FACTS,
            .newest_wins = bits & FACTS * 2,
            .may_be_silent = bits & FACTS * 4,
        };
        struct visit visit = visit_of(bits, row.has_secret ? KIND_RDP : KIND_SSH, ADMIT_KNOWN);
        enum verdict expected = rule_for(&visit)->verdict;
        visit.kind = &row;
        if (visit.somebody_is_in && visit.is_full && expected != VERDICT_ASK) {
            struct visit alone = visit; /* as if there were room, and then whether room is made */
            alone.kind = kind_row(row.has_secret ? KIND_RDP : KIND_SSH);
            alone.is_full = false;
            expected = row.newest_wins ? rule_for(&alone)->verdict : VERDICT_DROP;
        }
        assert_int_equal(judge_visit(&visit), expected);
        bool in = row.may_be_silent && expected == VERDICT_ADMIT;
        assert_int_equal(judge_silent(&visit), in ? VERDICT_ADMIT : VERDICT_DROP);
    }
}

/* Whose server may begin: silence is judged like words, but takes no session from its user. */
static void who_may_be_silent_is_judged_by_its_address(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < FACTS * 2; bits++) {
        for (enum admit admit = ADMIT_AUTO; admit <= ADMIT_ASK; admit++) {
            struct visit visit = visit_of(bits, KIND_VNC, admit);
            visit.is_silent = true;
            visit.is_the_only_one = bits & FACTS;
            enum verdict expected = rule_for(&visit)->verdict;
            bool gives_away = admit == ADMIT_AUTO && visit.is_the_only_one && !visit.known &&
                              !visit.somebody_is_in && !visit.blocked;
            assert_int_equal(judge_visit(&visit), gives_away ? VERDICT_ASK : expected);
        }
    }
}

/* What must never happen, whatever else holds. */
static void nothing_lets_a_stranger_into_a_session_with_a_client(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < FACTS; bits++) {
        for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
            for (enum admit admit = ADMIT_AUTO; admit <= ADMIT_ASK; admit++) {
                struct visit visit = visit_of(bits, kind, admit);
                visit.somebody_is_in = true;
                visit.from_that_party = false;
                assert_int_equal(judge_visit(&visit), VERDICT_DROP);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_combination_of_facts_is_judged_by_the_rules),
        cmocka_unit_test(a_silent_client_is_judged_as_one_that_spoke_but_not_asked_about),
        cmocka_unit_test(who_pressed_the_button_needs_no_other_word),
        cmocka_unit_test(nobody_is_let_in_silently_by_rdp_or_unknown_or_with_ask),
        cmocka_unit_test(a_kind_is_judged_by_its_facts),
        cmocka_unit_test(who_may_be_silent_is_judged_by_its_address),
        cmocka_unit_test(nothing_lets_a_stranger_into_a_session_with_a_client),
    };
    return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
