/*
 * proof: how both ends of a data channel prove that they know the session's
 * token without sending it (docs/protocol.md, "Data channel").
 *
 *     gateway -> VPS   hello:  magic, version, channel, session, nonce
 *     VPS -> gateway   answer: nonce, MAC
 *     gateway -> VPS   final:  MAC
 *
 *     MAC = HMAC-SHA-256(token, label || hello || VPS nonce), the label being
 *           "pamtunnel data 1 vps" or "pamtunnel data 1 gateway" with its NUL
 *
 * The VPS says nothing to a hello of the wrong session, so a scanner meets
 * silence. The fresh nonces of both sides and the channel's number make every
 * exchange worthless for another connection. All parts have a fixed length, so
 * nobody reads a byte too many: after the final MAC the bytes are the user's.
 */
#ifndef PAMTUNNEL_DATA_PROOF_H
#define PAMTUNNEL_DATA_PROOF_H

#include <stdint.h>

enum {
    PROOF_TOKEN_SIZE = 32,
    PROOF_NONCE_SIZE = 32,
    PROOF_MAC_SIZE = 32,
    PROOF_HELLO_SIZE = 4 + 2 + 2 + 8 + PROOF_NONCE_SIZE, /* 48 */
    PROOF_ANSWER_SIZE = PROOF_NONCE_SIZE + PROOF_MAC_SIZE,
    PROOF_FINAL_SIZE = PROOF_MAC_SIZE,
};

/* One side's view of one exchange. Holds the token: proof_wipe() it. */
struct proof {
    uint64_t session;
    uint16_t channel;
    uint8_t token[PROOF_TOKEN_SIZE];
    uint8_t gateway_nonce[PROOF_NONCE_SIZE];
    uint8_t vps_nonce[PROOF_NONCE_SIZE];
};

/* Gateway: starts an exchange. 0 or -errno. */
int proof_hello(struct proof *proof, uint64_t session, uint16_t channel,
                const uint8_t token[PROOF_TOKEN_SIZE], uint8_t ret_hello[PROOF_HELLO_SIZE]);

/*
 * VPS: reads session and channel of a hello, so that the caller can find the
 * token and see whether this channel is expected. -EBADMSG if it is no hello of
 * this version.
 */
int proof_peek(const uint8_t hello[PROOF_HELLO_SIZE], uint64_t *ret_session, uint16_t *ret_channel);
/* VPS: answers a hello with a nonce and the proof of the VPS. 0 or -errno. */
int proof_answer(struct proof *proof, const uint8_t hello[PROOF_HELLO_SIZE],
                 const uint8_t token[PROOF_TOKEN_SIZE], uint8_t ret_answer[PROOF_ANSWER_SIZE]);

/* Gateway: checks the answer (-EACCES if it is not the VPS) and makes the final. */
int proof_final(struct proof *proof, const uint8_t answer[PROOF_ANSWER_SIZE],
                uint8_t ret_final[PROOF_FINAL_SIZE]);
/* VPS: checks the final, in constant time. 0, or -EACCES if it is not the gateway. */
int proof_check(const struct proof *proof, const uint8_t final[PROOF_FINAL_SIZE]);

/* Forgets token and nonces. */
void proof_wipe(struct proof *proof);

#endif
