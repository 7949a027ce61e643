/* The proofs of a data channel: what convinces each side, and that nothing else does. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "data/proof.h"

enum { SESSION = 7001, CHANNEL = 3 };

static const uint8_t TOKEN[PROOF_TOKEN_SIZE] = "a token of thirty-two bytes, yes";
static const uint8_t OTHER_TOKEN[PROOF_TOKEN_SIZE] = "a token of thirty-two bytes, no.";

struct exchange {
    struct proof gateway, vps;
    uint8_t hello[PROOF_HELLO_SIZE];
    uint8_t answer[PROOF_ANSWER_SIZE];
    uint8_t final[PROOF_FINAL_SIZE];
};

/* Runs it up to the final, which is made but not checked. */
static void run(struct exchange *x)
{
    assert_int_equal(proof_hello(&x->gateway, SESSION, CHANNEL, TOKEN, x->hello), 0);
    assert_int_equal(proof_answer(&x->vps, x->hello, TOKEN, x->answer), 0);
    assert_int_equal(proof_final(&x->gateway, x->answer, x->final), 0);
}

static void two_sides_with_the_same_token_convince_each_other(void **state)
{
    (void)state;
    struct exchange x;
    run(&x);
    assert_int_equal(proof_check(&x.vps, x.final), 0);
    assert_int_equal(x.vps.session, SESSION);
    assert_int_equal(x.vps.channel, CHANNEL);
}

static void the_bytes_are_those_of_the_protocol_document(void **state)
{
    (void)state;
    struct exchange x;
    run(&x);
    const uint8_t head[] = {'P', 'M', 'T', 'D', 0, 1, 0, CHANNEL, 0, 0, 0, 0, 0, 0, 0x1b, 0x59};
    assert_int_equal(sizeof head + PROOF_NONCE_SIZE, PROOF_HELLO_SIZE);
    assert_memory_equal(x.hello, head, sizeof head);
    assert_memory_equal(x.hello + sizeof head, x.gateway.gateway_nonce, PROOF_NONCE_SIZE);

    uint8_t mac[CRYPTO_MAC_SIZE];
    const struct crypto_piece vps[] = {
        {"pamtunnel data 1 vps", 21}, {x.hello, sizeof x.hello}, {x.answer, PROOF_NONCE_SIZE}};
    assert_int_equal(crypto_mac(TOKEN, vps, 3, mac), 0);
    assert_memory_equal(x.answer + PROOF_NONCE_SIZE, mac, sizeof mac);

    const struct crypto_piece gateway[] = {
        {"pamtunnel data 1 gateway", 25}, {x.hello, sizeof x.hello}, {x.answer, PROOF_NONCE_SIZE}};
    assert_int_equal(crypto_mac(TOKEN, gateway, 3, mac), 0);
    assert_memory_equal(x.final, mac, sizeof mac);
}

static void peek_reads_session_and_channel(void **state)
{
    (void)state;
    struct proof gateway;
    uint8_t hello[PROOF_HELLO_SIZE];
    uint64_t session;
    uint16_t channel;
    assert_int_equal(proof_hello(&gateway, UINT64_MAX - 1, 65534, TOKEN, hello), 0);
    assert_int_equal(proof_peek(hello, &session, &channel), 0);
    assert_true(session == UINT64_MAX - 1);
    assert_int_equal(channel, 65534);
}

static void what_is_no_hello_of_this_version_is_refused(void **state)
{
    (void)state;
    struct exchange x;
    run(&x);
    for (size_t i = 0; i < 6; i++) { /* magic and version */
        uint8_t hello[PROOF_HELLO_SIZE], answer[PROOF_ANSWER_SIZE];
        struct proof vps;
        uint64_t session = 1;
        uint16_t channel = 1;
        memcpy(hello, x.hello, sizeof hello);
        hello[i] ^= 1;
        assert_int_equal(proof_peek(hello, &session, &channel), -EBADMSG);
        assert_int_equal(proof_answer(&vps, hello, TOKEN, answer), -EBADMSG);
        assert_int_equal(session, 1);
        assert_int_equal(channel, 1);
    }
}

static void a_gateway_with_another_token_does_not_believe_the_vps(void **state)
{
    (void)state;
    struct exchange x;
    assert_int_equal(proof_hello(&x.gateway, SESSION, CHANNEL, OTHER_TOKEN, x.hello), 0);
    assert_int_equal(proof_answer(&x.vps, x.hello, TOKEN, x.answer), 0);
    memset(x.final, 0x55, sizeof x.final);
    assert_int_equal(proof_final(&x.gateway, x.answer, x.final), -EACCES);
    for (size_t i = 0; i < sizeof x.final; i++) {
        assert_int_equal(x.final[i], 0x55); /* nothing leaves the gateway */
    }
}

static void a_vps_does_not_believe_a_final_under_another_token(void **state)
{
    (void)state;
    struct exchange x;
    run(&x);
    memcpy(x.vps.token, OTHER_TOKEN, sizeof OTHER_TOKEN);
    assert_int_equal(proof_check(&x.vps, x.final), -EACCES);
}

static void a_replayed_hello_and_final_do_not_pass(void **state)
{
    (void)state;
    struct exchange x;
    run(&x);
    struct proof second;
    uint8_t answer[PROOF_ANSWER_SIZE];
    assert_int_equal(proof_answer(&second, x.hello, TOKEN, answer), 0);
    assert_memory_not_equal(answer, x.answer, sizeof answer);
    assert_int_equal(proof_check(&second, x.final), -EACCES);
}

static void a_replayed_answer_does_not_pass(void **state)
{
    (void)state;
    struct exchange x, y;
    run(&x);
    assert_int_equal(proof_hello(&y.gateway, SESSION, CHANNEL, TOKEN, y.hello), 0);
    assert_int_equal(proof_final(&y.gateway, x.answer, y.final), -EACCES);
}

static void a_mac_of_one_role_does_not_serve_the_other(void **state)
{
    (void)state;
    struct exchange x;
    run(&x);
    /* The VPS's own MAC sent back to it, and the gateway's sent back to the gateway. */
    assert_int_equal(proof_check(&x.vps, x.answer + PROOF_NONCE_SIZE), -EACCES);
    memcpy(x.answer + PROOF_NONCE_SIZE, x.final, PROOF_MAC_SIZE);
    assert_int_equal(proof_final(&x.gateway, x.answer, x.final), -EACCES);
}

static void proofs_hold_for_their_session_and_channel_alone(void **state)
{
    (void)state;
    struct exchange x;
    run(&x);
    struct proof other = x.vps;
    other.session++;
    assert_int_equal(proof_check(&other, x.final), -EACCES);
    other = x.vps;
    other.channel++;
    assert_int_equal(proof_check(&other, x.final), -EACCES);
    other = x.gateway;
    other.session--;
    assert_int_equal(proof_final(&other, x.answer, x.final), -EACCES);
    other = x.gateway;
    other.channel--;
    assert_int_equal(proof_final(&other, x.answer, x.final), -EACCES);
}

static void every_flipped_bit_of_every_message_is_noticed(void **state)
{
    (void)state;
    struct exchange x;
    run(&x);
    for (size_t bit = 0; bit < 8 * sizeof x.hello; bit++) {
        struct exchange y = x;
        y.hello[bit / 8] ^= (uint8_t)(1 << bit % 8);
        int err = proof_answer(&y.vps, y.hello, TOKEN, y.answer);
        assert_int_equal(err < 0 ? -EACCES : proof_final(&y.gateway, y.answer, y.final), -EACCES);
    }
    for (size_t bit = 0; bit < 8 * sizeof x.answer; bit++) {
        struct exchange y = x;
        y.answer[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(proof_final(&y.gateway, y.answer, y.final), -EACCES);
    }
    for (size_t bit = 0; bit < 8 * sizeof x.final; bit++) {
        struct exchange y = x;
        y.final[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(proof_check(&y.vps, y.final), -EACCES);
    }
    assert_int_equal(proof_check(&x.vps, x.final), 0);
}

static void assert_no_piece_of_token(const uint8_t *message, size_t len)
{
    uint8_t piece[8];
    for (size_t at = 0; at + sizeof piece <= PROOF_TOKEN_SIZE; at++) {
        memcpy(piece, TOKEN + at, sizeof piece);
        assert_true(memmem(message, len, piece, sizeof piece) == NULL);
    }
}

static void no_message_holds_the_token(void **state)
{
    (void)state;
    struct exchange x;
    run(&x);
    assert_no_piece_of_token(x.hello, sizeof x.hello);
    assert_no_piece_of_token(x.answer, sizeof x.answer);
    assert_no_piece_of_token(x.final, sizeof x.final);
}

static void nothing_is_left_after_wiping(void **state)
{
    (void)state;
    struct exchange x;
    run(&x);
    const struct proof zero = {0};
    proof_wipe(&x.vps);
    assert_memory_equal(x.vps.token, zero.token, sizeof zero.token);
    assert_memory_equal(x.vps.vps_nonce, zero.vps_nonce, sizeof zero.vps_nonce);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_sides_with_the_same_token_convince_each_other),
        cmocka_unit_test(the_bytes_are_those_of_the_protocol_document),
        cmocka_unit_test(peek_reads_session_and_channel),
        cmocka_unit_test(what_is_no_hello_of_this_version_is_refused),
        cmocka_unit_test(a_gateway_with_another_token_does_not_believe_the_vps),
        cmocka_unit_test(a_vps_does_not_believe_a_final_under_another_token),
        cmocka_unit_test(a_replayed_hello_and_final_do_not_pass),
        cmocka_unit_test(a_replayed_answer_does_not_pass),
        cmocka_unit_test(a_mac_of_one_role_does_not_serve_the_other),
        cmocka_unit_test(proofs_hold_for_their_session_and_channel_alone),
        cmocka_unit_test(every_flipped_bit_of_every_message_is_noticed),
        cmocka_unit_test(no_message_holds_the_token),
        cmocka_unit_test(nothing_is_left_after_wiping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
