/*
 * How a gateway and a VPS come to a key: what both know at its end, and that somebody in between
 * comes to nothing, whatever they change, and at whichever step.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "control/accord.h"

/* Somebody's accord with each message that it has taken so far. */
struct exchange {
    struct accord gateway, vps;
    struct message commit, answer, open, accept, confirm;
};

static const char *code_of(const struct accord *accord)
{
    static char text[2][ACCORD_CODE_MAX];
    static unsigned turn;
    return accord_code(accord, text[turn++ % 2]);
}

static void commit(struct exchange *x)
{
    memset(x, 0, sizeof *x);
    assert_int_equal(accord_commit(&x->gateway, "office", &x->commit), 0);
}

static void answer(struct exchange *x)
{
    commit(x);
    assert_int_equal(accord_answer(&x->vps, &x->commit.pair_commit, &x->answer), 0);
}

static void show(struct exchange *x)
{
    answer(x);
    assert_int_equal(accord_open(&x->gateway, &x->answer.pair_answer, &x->open), 0);
    assert_int_equal(accord_opened(&x->vps, &x->open.pair_open), 0);
}

static void accept(struct exchange *x)
{
    show(x);
    assert_int_equal(accord_accept(&x->vps, &x->accept), 0);
    assert_int_equal(accord_accepted(&x->gateway, &x->accept.pair_accept), 0);
}

static void finish(struct exchange *x)
{
    accept(x);
    assert_int_equal(accord_confirm(&x->gateway, &x->confirm), 0);
    assert_int_equal(accord_confirmed(&x->vps, &x->confirm.pair_confirm), 0);
}

/* It knows nothing any more, and takes no step from there. */
static void assert_failed(struct accord *it)
{
    static const struct accord FAILED = {.state = ACCORD_FAILED};
    struct message message = {.type = MESSAGE_PAIR_COMMIT, .pair_commit.name = "office"};
    uint8_t key[CRYPTO_KEY_SIZE];
    assert_memory_equal(it, &FAILED, sizeof *it);
    assert_string_equal(code_of(it), "");
    assert_int_equal(accord_key(it, key), -EPROTO);
    assert_int_equal(accord_commit(it, "office", &message), -EPROTO);
    assert_int_equal(accord_answer(it, &message.pair_commit, &message), -EPROTO);
    assert_int_equal(accord_open(it, &message.pair_answer, &message), -EPROTO);
    assert_int_equal(accord_opened(it, &message.pair_open), -EPROTO);
    assert_int_equal(accord_accept(it, &message), -EPROTO);
    assert_int_equal(accord_accepted(it, &message.pair_accept), -EPROTO);
    assert_int_equal(accord_confirm(it, &message), -EPROTO);
    assert_int_equal(accord_confirmed(it, &message.pair_confirm), -EPROTO);
    assert_memory_equal(it, &FAILED, sizeof *it);
}

/* ---- two who are honest ---------------------------------------------------- */

static void both_show_one_code_and_come_to_one_key(void **state)
{
    struct exchange x;
    uint8_t gateway[CRYPTO_KEY_SIZE], vps[CRYPTO_KEY_SIZE];
    (void)state;
    show(&x);
    assert_string_equal(code_of(&x.gateway), code_of(&x.vps));
    assert_int_equal(strlen(code_of(&x.vps)), 7);
    assert_string_equal(x.vps.name, "office");
    finish(&x);
    assert_string_equal(code_of(&x.gateway), code_of(&x.vps));
    assert_int_equal(accord_key(&x.gateway, gateway), 0);
    assert_int_equal(accord_key(&x.vps, vps), 0);
    assert_memory_equal(gateway, vps, sizeof vps);
}

static void nothing_of_two_applicants_is_the_same(void **state)
{
    struct exchange a, b;
    uint8_t one[CRYPTO_KEY_SIZE], other[CRYPTO_KEY_SIZE];
    (void)state;
    finish(&a);
    finish(&b);
    assert_int_equal(accord_key(&a.vps, one), 0);
    assert_int_equal(accord_key(&b.vps, other), 0);
    assert_memory_not_equal(one, other, sizeof one);
    assert_memory_not_equal(&a.commit.pair_commit, &b.commit.pair_commit, 32);
    assert_memory_not_equal(&a.answer.pair_answer, &b.answer.pair_answer, 32);
    assert_memory_not_equal(a.answer.pair_answer.nonce, b.answer.pair_answer.nonce, 32);
    assert_memory_not_equal(&a.open.pair_open, &b.open.pair_open, 32);
    assert_memory_not_equal(a.open.pair_open.nonce, b.open.pair_open.nonce, 32);
    assert_memory_not_equal(&a.accept.pair_accept, &b.accept.pair_accept, 32);
    assert_memory_not_equal(&a.confirm.pair_confirm, &b.confirm.pair_confirm, 32);
    assert_memory_not_equal(&a.accept.pair_accept, &a.confirm.pair_confirm, 32);
}

/* docs/protocol.md, "Pairing", written down once more. */
static void the_bytes_are_those_of_the_protocol_document(void **state)
{
    static const uint8_t NO_SALT[32];
    struct exchange x;
    char name[64] = "office";
    uint8_t mac[32], agreed[32], root[32], key[32];
    (void)state;
    answer(&x);
    struct accord vps = x.vps;
    assert_int_equal(accord_open(&x.gateway, &x.answer.pair_answer, &x.open), 0);
    assert_int_equal(crypto_agree(vps.secret, x.open.pair_open.share, agreed), 0);
    assert_int_equal(accord_opened(&x.vps, &x.open.pair_open), 0);
    assert_int_equal(accord_accept(&x.vps, &x.accept), 0);
    assert_int_equal(accord_accepted(&x.gateway, &x.accept.pair_accept), 0);
    assert_int_equal(accord_confirm(&x.gateway, &x.confirm), 0);

    const struct crypto_piece committed[] = {
        {"pamtunnel pairing 1 commitment", 31}, {name, 64}, {x.open.pair_open.share, 32}};
    assert_int_equal(crypto_mac(x.open.pair_open.nonce, committed, 3, mac), 0);
    assert_memory_equal(x.commit.pair_commit.commitment, mac, 32);

    const struct crypto_piece secret = {agreed, 32};
    assert_int_equal(crypto_mac(NO_SALT, &secret, 1, root), 0);
    struct crypto_piece pieces[] = {{NULL, 0},
                                    {name, 64},
                                    {x.commit.pair_commit.commitment, 32},
                                    {x.answer.pair_answer.share, 32},
                                    {x.answer.pair_answer.nonce, 32},
                                    {x.open.pair_open.share, 32},
                                    {x.open.pair_open.nonce, 32},
                                    {"\1", 1}};
    pieces[0] = (struct crypto_piece){"pamtunnel pairing 1 vps", 24};
    assert_int_equal(crypto_mac(root, pieces, 8, mac), 0);
    assert_memory_equal(x.accept.pair_accept.mac, mac, 32);
    pieces[0] = (struct crypto_piece){"pamtunnel pairing 1 gateway", 28};
    assert_int_equal(crypto_mac(root, pieces, 8, mac), 0);
    assert_memory_equal(x.confirm.pair_confirm.mac, mac, 32);
    pieces[0] = (struct crypto_piece){"pamtunnel pairing 1 key", 24};
    assert_int_equal(crypto_mac(root, pieces, 8, mac), 0);
    assert_int_equal(accord_key(&x.gateway, key), 0);
    assert_memory_equal(key, mac, 32);
    pieces[0] = (struct crypto_piece){"pamtunnel pairing 1 code", 25};
    assert_int_equal(crypto_mac(root, pieces, 8, mac), 0);
    uint64_t number = 0;
    for (int i = 0; i < 8; i++) {
        number = number << 8 | mac[i];
    }
    char code[ACCORD_CODE_MAX];
    snprintf(code, sizeof code, "%03u %03u", (unsigned)(number % 1000000 / 1000),
             (unsigned)(number % 1000));
    assert_string_equal(code_of(&x.gateway), code);
}

/* A thousand codes: each digit of each place, and none twice as often as chance has it. */
static void codes_are_spread_over_all_that_there_are(void **state)
{
    unsigned counts[ACCORD_CODE_MAX][10] = {{0}};
    (void)state;
    for (int round = 0; round < 1000; round++) {
        struct exchange x;
        answer(&x);
        assert_int_equal(accord_open(&x.gateway, &x.answer.pair_answer, &x.open), 0);
        const char *code = code_of(&x.gateway);
        assert_int_equal(code[3], ' ');
        for (int i = 0; i < 7; i++) {
            counts[i][i == 3 ? 0 : code[i] - '0']++;
        }
    }
    for (int i = 0; i < 7; i++) {
        for (int digit = 0; i != 3 && digit < 10; digit++) {
            assert_in_range(counts[i][digit], 40, 200);
        }
    }
}

/* ---- when what is there ------------------------------------------------------ */

static void a_key_is_there_when_the_other_side_has_proven_itself(void **state)
{
    struct exchange x;
    uint8_t key[CRYPTO_KEY_SIZE];
    (void)state;
    commit(&x);
    assert_int_equal(accord_key(&x.gateway, key), -EPROTO);
    answer(&x);
    assert_int_equal(accord_key(&x.vps, key), -EPROTO);
    assert_string_equal(code_of(&x.vps), "");
    assert_string_equal(code_of(&x.gateway), "");
    show(&x);
    assert_int_equal(accord_key(&x.gateway, key), -EPROTO);
    assert_int_equal(accord_key(&x.vps, key), -EPROTO);
    accept(&x);
    assert_int_equal(accord_key(&x.gateway, key), 0);
    assert_int_equal(accord_key(&x.vps, key), -EPROTO);
    finish(&x);
    assert_int_equal(accord_key(&x.vps, key), 0);
    accord_wipe(&x.vps);
    assert_int_equal(accord_key(&x.vps, key), -EPROTO);
}

enum { COMMIT, ANSWER, OPEN, OPENED, ACCEPT, ACCEPTED, CONFIRM, CONFIRMED, STEPS };

static int take_step(struct accord *it, int step, const struct exchange *x)
{
    struct message out;
    switch (step) {
    case COMMIT:
        return accord_commit(it, "office", &out);
    case ANSWER:
        return accord_answer(it, &x->commit.pair_commit, &out);
    case OPEN:
        return accord_open(it, &x->answer.pair_answer, &out);
    case OPENED:
        return accord_opened(it, &x->open.pair_open);
    case ACCEPT:
        return accord_accept(it, &out);
    case ACCEPTED:
        return accord_accepted(it, &x->accept.pair_accept);
    case CONFIRM:
        return accord_confirm(it, &out);
    default:
        return accord_confirmed(it, &x->confirm.pair_confirm);
    }
}

/* Each side in each of its states has one step, and any other is its end. */
static void a_step_out_of_turn_is_the_end(void **state)
{
    static const struct {
        void (*up_to)(struct exchange *);
        bool vps;
        int step; /* the one that is left; STEPS: none */
    } ROWS[] = {
        {commit, false, OPEN},     {commit, true, ANSWER}, {answer, true, OPENED},
        {show, false, ACCEPTED},   {show, true, ACCEPT},   {accept, false, CONFIRM},
        {accept, true, CONFIRMED}, {finish, false, STEPS}, {finish, true, STEPS},
    };
    struct exchange whole;
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        for (int step = 0; step < STEPS; step++) {
            struct exchange x;
            ROWS[i].up_to(&x);
            struct accord *it = ROWS[i].vps ? &x.vps : &x.gateway;
            bool is_new = it->state == ACCORD_NEW && step == COMMIT;
            if (step == ROWS[i].step || is_new) {
                continue; /* all other tests take it */
            }
            finish(&whole); /* messages that somebody would send in good time */
            assert_int_equal(take_step(it, step, &whole), -EPROTO);
            assert_failed(it);
        }
    }
}

/* ---- somebody in between ------------------------------------------------------- */

static void two_that_are_run_side_by_side_show_two_codes(void **state)
{
    unsigned same = 0;
    (void)state;
    for (int round = 0; round < 200; round++) {
        struct exchange to_vps, to_gateway; /* the middle plays the gateway, and the VPS */
        show(&to_vps);
        show(&to_gateway);
        same += strcmp(code_of(&to_vps.vps), code_of(&to_gateway.gateway)) == 0;
    }
    assert_int_equal(same, 0); /* but for one run in 5,000 */
}

static void a_changed_commitment_is_noticed_when_it_is_opened(void **state)
{
    (void)state;
    for (size_t bit = 0; bit < 8 * 32; bit += 7) {
        struct exchange x;
        commit(&x);
        x.commit.pair_commit.commitment[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        assert_int_equal(accord_answer(&x.vps, &x.commit.pair_commit, &x.answer), 0);
        assert_int_equal(accord_open(&x.gateway, &x.answer.pair_answer, &x.open), 0);
        assert_int_equal(accord_opened(&x.vps, &x.open.pair_open), -EACCES);
        assert_failed(&x.vps);
    }
}

static void another_name_is_noticed_when_it_is_opened(void **state)
{
    static const char *const NAMES[] = {"office2", "offic", "Office", "home"};
    (void)state;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        struct exchange x;
        commit(&x);
        strcpy(x.commit.pair_commit.name, NAMES[i]);
        assert_int_equal(accord_answer(&x.vps, &x.commit.pair_commit, &x.answer), 0);
        assert_int_equal(accord_open(&x.gateway, &x.answer.pair_answer, &x.open), 0);
        assert_int_equal(accord_opened(&x.vps, &x.open.pair_open), -EACCES);
        assert_failed(&x.vps);
    }
}

/* Whoever has seen nonce or share of the VPS is bound by then to what they are going to open. */
static void what_is_opened_is_what_was_committed_to(void **state)
{
    (void)state;
    for (int part = 0; part < 3; part++) {
        struct exchange x, other;
        answer(&x);
        answer(&other);
        assert_int_equal(accord_open(&x.gateway, &x.answer.pair_answer, &x.open), 0);
        assert_int_equal(accord_open(&other.gateway, &x.answer.pair_answer, &other.open), 0);
        if (part != 0) {
            memcpy(x.open.pair_open.nonce, other.open.pair_open.nonce, 32);
        }
        if (part != 1) {
            memcpy(x.open.pair_open.share, other.open.pair_open.share, 32);
        }
        assert_int_equal(accord_opened(&x.vps, &x.open.pair_open), -EACCES);
        assert_failed(&x.vps);
    }
}

/* The VPS's share or nonce swapped on its way: the codes differ, and no proof fits. */
static void a_swapped_answer_makes_two_codes(void **state)
{
    (void)state;
    for (int part = 0; part < 2; part++) {
        struct exchange x, middle;
        answer(&x);
        answer(&middle);
        if (part == 0) {
            memcpy(x.answer.pair_answer.share, middle.answer.pair_answer.share, 32);
        } else {
            memcpy(x.answer.pair_answer.nonce, middle.answer.pair_answer.nonce, 32);
        }
        assert_int_equal(accord_open(&x.gateway, &x.answer.pair_answer, &x.open), 0);
        assert_int_equal(accord_opened(&x.vps, &x.open.pair_open), 0);
        assert_string_not_equal(code_of(&x.gateway), code_of(&x.vps));
        /* Even if the person said yes. */
        assert_int_equal(accord_accept(&x.vps, &x.accept), 0);
        assert_int_equal(accord_accepted(&x.gateway, &x.accept.pair_accept), -EACCES);
        assert_failed(&x.gateway);
    }
}

/* The middle passes on what it does not know the secret of: no proof of its own fits. */
static void proofs_are_worth_something_in_their_own_accord_alone(void **state)
{
    struct exchange x, old;
    (void)state;
    finish(&old);
    show(&x);
    assert_int_equal(accord_accepted(&x.gateway, &old.accept.pair_accept), -EACCES);
    assert_failed(&x.gateway);
    accept(&x);
    assert_int_equal(accord_confirmed(&x.vps, &old.confirm.pair_confirm), -EACCES);
    assert_failed(&x.vps);
}

static void a_proof_with_a_changed_bit_is_none(void **state)
{
    (void)state;
    for (size_t bit = 0; bit < 8 * 32; bit += 5) {
        struct exchange x;
        accept(&x);
        assert_int_equal(accord_confirm(&x.gateway, &x.confirm), 0);
        x.confirm.pair_confirm.mac[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        assert_int_equal(accord_confirmed(&x.vps, &x.confirm.pair_confirm), -EACCES);
        assert_failed(&x.vps);
    }
}

/* All of the gateway's messages once more, to a VPS that has another nonce by now. */
static void what_was_recorded_leads_to_another_code_and_no_key(void **state)
{
    struct exchange old, x = {0};
    uint8_t key[CRYPTO_KEY_SIZE];
    (void)state;
    finish(&old);
    assert_int_equal(accord_answer(&x.vps, &old.commit.pair_commit, &x.answer), 0);
    assert_int_equal(accord_opened(&x.vps, &old.open.pair_open), 0);
    assert_string_not_equal(code_of(&x.vps), code_of(&old.vps));
    assert_int_equal(accord_accept(&x.vps, &x.accept), 0);
    assert_int_equal(accord_confirmed(&x.vps, &old.confirm.pair_confirm), -EACCES);
    assert_int_equal(accord_key(&x.vps, key), -EPROTO);
}

/* What a gateway says, said back to it, is nothing that a VPS would say. */
static void an_echo_is_no_vps(void **state)
{
    struct exchange x;
    struct message_pair_answer echo;
    (void)state;
    show(&x);
    assert_int_equal(accord_confirm(&x.gateway, &x.confirm), -EPROTO);
    show(&x);
    struct accord copy = x.gateway;
    /* Its own proof, which it has not given yet. */
    assert_int_equal(accord_accept(&x.vps, &x.accept), 0);
    assert_int_equal(accord_accepted(&copy, &x.accept.pair_accept), 0);
    assert_int_equal(accord_confirm(&copy, &x.confirm), 0);
    memcpy(x.accept.pair_accept.mac, x.confirm.pair_confirm.mac, 32);
    assert_int_equal(accord_accepted(&x.gateway, &x.accept.pair_accept), -EACCES);
    /* Its own share, if that were known in time: then it agrees with itself, and shows no code. */
    commit(&x);
    memcpy(echo.share, x.gateway.gateway_share, 32);
    memcpy(echo.nonce, x.gateway.gateway_nonce, 32);
    assert_int_equal(accord_open(&x.gateway, &echo, &x.open), -EPROTO);
    assert_failed(&x.gateway);
}

static void refuse_share(const uint8_t share[32])
{
    struct exchange x;
    answer(&x);
    memcpy(x.answer.pair_answer.share, share, 32);
    assert_int_equal(accord_open(&x.gateway, &x.answer.pair_answer, &x.open), -EPROTO);
    assert_failed(&x.gateway);
}

/* RFC 7748, 6.1: points of a low order make the same of every secret. */
static void shares_that_are_none_are_refused(void **state)
{
    static const uint8_t LOW[][32] = {
        {0},
        {1},
        {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3,
         0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32,
         0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
        {0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1,
         0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c,
         0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
    };
    (void)state;
    /* Each also with the highest bit, which does not count. */
    for (size_t i = 0; i < 2 * sizeof LOW / sizeof *LOW; i++) {
        uint8_t share[32];
        memcpy(share, LOW[i / 2], 32);
        share[31] = (uint8_t)(share[31] | (i % 2 ? 0x80 : 0));
        refuse_share(share);
    }
    /* p - 1, p and p + 1 for the p of the curve, in the place of -1, 0 and 1. */
    for (unsigned last = 0xec; last <= 0xee; last++) {
        uint8_t share[32];
        memset(share, 0xff, sizeof share);
        share[0] = (uint8_t)last;
        refuse_share(share);
        share[31] = 0x7f;
        refuse_share(share);
    }
}

/* ---- names ----------------------------------------------------------------- */

static void other_words_hold_no_code(void **state)
{
    static const struct {
        const char *words, *plain;
    } ROWS[] = {
        {"gateway-agent 0.1.0", "gateway-agent 0.1.0"},
        {"gateway-agent 482 913", "gateway-agent *** ***"},
        {"4 and 8, then 2.9.1 and 3", "* and *, then *.*.* and *"},
        {"12345", "12345"},
        {"", ""},
        /* digits of another script, and what looks like one */
        {"\xef\xbc\x94\xef\xbc\x98", "??????"},
        {"\xe2\x91\xa3 482913", "??? ******"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        char words[64];
        strcpy(words, ROWS[i].words);
        accord_make_plain(words);
        assert_string_equal(words, ROWS[i].plain);
    }
}

static void a_name_that_could_be_taken_for_a_code_is_refused(void **state)
{
    static const char *const PLAIN[] = {"office",      "a",       "pi-2024", "ip-172-31-10-5",
                                        "srv12345",    "1.2.3.4", "12345",   "123-45-678",
                                        "DESKTOP-4F8", "12-34-56"};
    static const char *const NOT[] = {"",          "482913",   "482-913",        "482.913",
                                      "x482_913y", "-x",       "code-482913-ok", "1234567",
                                      "a b",       "482x913",  "offic\xc3\xa9",  "4829130",
                                      "482--913",  "482-.913", "482_._913"};
    (void)state;
    for (size_t i = 0; i < sizeof PLAIN / sizeof *PLAIN; i++) {
        struct accord it = {0};
        struct message message;
        assert_true(accord_name_is_plain(PLAIN[i]));
        assert_int_equal(accord_commit(&it, PLAIN[i], &message), 0);
    }
    for (size_t i = 0; i < sizeof NOT / sizeof *NOT; i++) {
        struct exchange x;
        struct accord it = {0};
        struct message message;
        assert_false(accord_name_is_plain(NOT[i]));
        assert_int_equal(accord_commit(&it, NOT[i], &message), -EINVAL);
        assert_failed(&it);
        commit(&x);
        strcpy(x.commit.pair_commit.name, NOT[i]);
        assert_int_equal(accord_answer(&x.vps, &x.commit.pair_commit, &x.answer), -EINVAL);
        assert_failed(&x.vps);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_show_one_code_and_come_to_one_key),
        cmocka_unit_test(nothing_of_two_applicants_is_the_same),
        cmocka_unit_test(the_bytes_are_those_of_the_protocol_document),
        cmocka_unit_test(codes_are_spread_over_all_that_there_are),
        cmocka_unit_test(a_key_is_there_when_the_other_side_has_proven_itself),
        cmocka_unit_test(a_step_out_of_turn_is_the_end),
        cmocka_unit_test(two_that_are_run_side_by_side_show_two_codes),
        cmocka_unit_test(a_changed_commitment_is_noticed_when_it_is_opened),
        cmocka_unit_test(another_name_is_noticed_when_it_is_opened),
        cmocka_unit_test(what_is_opened_is_what_was_committed_to),
        cmocka_unit_test(a_swapped_answer_makes_two_codes),
        cmocka_unit_test(proofs_are_worth_something_in_their_own_accord_alone),
        cmocka_unit_test(a_proof_with_a_changed_bit_is_none),
        cmocka_unit_test(what_was_recorded_leads_to_another_code_and_no_key),
        cmocka_unit_test(an_echo_is_no_vps),
        cmocka_unit_test(shares_that_are_none_are_refused),
        cmocka_unit_test(other_words_hold_no_code),
        cmocka_unit_test(a_name_that_could_be_taken_for_a_code_is_refused),
    };
    return cmocka_run_group_tests_name("accord", tests, NULL, NULL);
}
