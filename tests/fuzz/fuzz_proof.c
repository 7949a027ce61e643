/*
 * The three messages of a data channel, as a stranger would send them: whatever
 * they hold, neither side may be convinced without the token.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "data/proof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t TOKEN[PROOF_TOKEN_SIZE] = {1, 2, 3};

static void as_vps(const uint8_t *data)
{
    struct proof proof;
    uint8_t answer[PROOF_ANSWER_SIZE];
    uint64_t session = 0;
    uint16_t channel = 0;
    int peeked = proof_peek(data, &session, &channel);
    int answered = proof_answer(&proof, data, TOKEN, answer);
    if (peeked != answered) {
        abort();
    }
    if (answered == 0 && (proof.session != session || proof.channel != channel ||
                          proof_check(&proof, data + PROOF_HELLO_SIZE) == 0)) {
        abort();
    }
    proof_wipe(&proof);
}

static void as_gateway(const uint8_t *data)
{
    struct proof proof;
    uint8_t hello[PROOF_HELLO_SIZE], final[PROOF_FINAL_SIZE];
    if (proof_hello(&proof, 1, 2, TOKEN, hello) == 0 && proof_final(&proof, data, final) == 0) {
        abort();
    }
    proof_wipe(&proof);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t messages[PROOF_HELLO_SIZE + PROOF_FINAL_SIZE] = {0};
    memcpy(messages, data, size < sizeof messages ? size : sizeof messages);
    as_vps(messages);
    as_gateway(messages);
    return 0;
}
