#include "data/proof.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crypto.h"

enum { VERSION = 1 };

static const uint8_t MAGIC[4] = {'P', 'M', 'T', 'D'};

/* With their NUL in the MAC: no label is the beginning of another. */
static const char LABEL_VPS[] = "pamtunnel data 1 vps";
static const char LABEL_GATEWAY[] = "pamtunnel data 1 gateway";

static void write_hello(const struct proof *proof, uint8_t ret_hello[PROOF_HELLO_SIZE])
{
    struct writer w = writer_over(ret_hello, PROOF_HELLO_SIZE);
    write_bytes(&w, MAGIC, sizeof MAGIC);
    write_u16(&w, VERSION);
    write_u16(&w, proof->channel);
    write_u64(&w, proof->session);
    write_bytes(&w, proof->gateway_nonce, PROOF_NONCE_SIZE);
}

static int read_hello(const uint8_t hello[PROOF_HELLO_SIZE], struct proof *proof)
{
    struct reader r = reader_over(hello, PROOF_HELLO_SIZE);
    const uint8_t *magic = read_bytes(&r, sizeof MAGIC);
    uint16_t version = read_u16(&r);
    proof->channel = read_u16(&r);
    proof->session = read_u64(&r);
    read_copy(&r, proof->gateway_nonce, PROOF_NONCE_SIZE);
    bool ok = reader_is_done(&r) && memcmp(magic, MAGIC, sizeof MAGIC) == 0 && version == VERSION;
    return ok ? 0 : -EBADMSG;
}

/* HMAC-SHA-256(token, label NUL || hello || VPS nonce) */
static int make_mac(const struct proof *proof, const char *label, uint8_t ret_mac[PROOF_MAC_SIZE])
{
    uint8_t hello[PROOF_HELLO_SIZE];
    write_hello(proof, hello);
    const struct crypto_piece pieces[] = {
        {label, strlen(label) + 1},
        {hello, sizeof hello},
        {proof->vps_nonce, PROOF_NONCE_SIZE},
    };
    return crypto_mac(proof->token, pieces, sizeof pieces / sizeof pieces[0], ret_mac);
}

/* 0, -EACCES if it is another MAC, or -errno. */
static int check_mac(const struct proof *proof, const char *label, const uint8_t *mac)
{
    uint8_t expected[PROOF_MAC_SIZE];
    int err = make_mac(proof, label, expected);
    if (err == 0 && !crypto_equal(expected, mac, sizeof expected)) {
        err = -EACCES;
    }
    /* What we would have accepted is a secret. */
    crypto_wipe(expected, sizeof expected);
    return err;
}

int proof_hello(struct proof *proof, uint64_t session, uint16_t channel,
                const uint8_t token[PROOF_TOKEN_SIZE], uint8_t ret_hello[PROOF_HELLO_SIZE])
{
    *proof = (struct proof){.session = session, .channel = channel};
    int err = crypto_random(proof->gateway_nonce, PROOF_NONCE_SIZE);
    if (err < 0) {
        return err;
    }
    memcpy(proof->token, token, PROOF_TOKEN_SIZE);
    write_hello(proof, ret_hello);
    return 0;
}

int proof_peek(const uint8_t hello[PROOF_HELLO_SIZE], uint64_t *ret_session, uint16_t *ret_channel)
{
    struct proof read = {0};
    int err = read_hello(hello, &read);
    if (err < 0) {
        return err;
    }
    *ret_session = read.session;
    *ret_channel = read.channel;
    return 0;
}

int proof_answer(struct proof *proof, const uint8_t hello[PROOF_HELLO_SIZE],
                 const uint8_t token[PROOF_TOKEN_SIZE], uint8_t ret_answer[PROOF_ANSWER_SIZE])
{
    *proof = (struct proof){0};
    int err = read_hello(hello, proof);
    if (err < 0) {
        return err;
    }
    err = crypto_random(proof->vps_nonce, PROOF_NONCE_SIZE);
    if (err < 0) {
        return err;
    }
    memcpy(proof->token, token, PROOF_TOKEN_SIZE);
    uint8_t mac[PROOF_MAC_SIZE];
    err = make_mac(proof, LABEL_VPS, mac);
    if (err < 0) {
        return err;
    }
    memcpy(ret_answer, proof->vps_nonce, PROOF_NONCE_SIZE);
    memcpy(ret_answer + PROOF_NONCE_SIZE, mac, PROOF_MAC_SIZE);
    return 0;
}

int proof_final(struct proof *proof, const uint8_t answer[PROOF_ANSWER_SIZE],
                uint8_t ret_final[PROOF_FINAL_SIZE])
{
    memcpy(proof->vps_nonce, answer, PROOF_NONCE_SIZE);
    int err = check_mac(proof, LABEL_VPS, answer + PROOF_NONCE_SIZE);
    if (err < 0) {
        return err;
    }
    return make_mac(proof, LABEL_GATEWAY, ret_final);
}

int proof_check(const struct proof *proof, const uint8_t final[PROOF_FINAL_SIZE])
{
    return check_mac(proof, LABEL_GATEWAY, final);
}

void proof_wipe(struct proof *proof)
{
    crypto_wipe(proof, sizeof *proof);
}
