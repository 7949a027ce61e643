/*
 * Both sides of an accord are one struct with the same fields, filled in another order, so
 * that both make the same bytes of it: write_transcript() is all that either of them has said.
 * Everything that comes out of it is one MAC over a label and these bytes:
 *
 *     root       HKDF-Extract (RFC 5869) of what X25519 comes to, without a salt
 *     commitment HMAC(nonce of the gateway, label | name | share of the gateway)
 *     code, key, both proofs
 *                HKDF-Expand(root, label | transcript), the first block
 *
 *     gateway:  NEW -commit-> COMMITTED -open-> SHOWN -accepted-> ACCEPTED -confirm-> DONE
 *     VPS:      NEW -answer-> ANSWERED -opened-> SHOWN -accept-> ACCEPTED -confirmed-> DONE
 *
 * Both are in SHOWN and ACCEPTED, which is why `vps` is a field: no step of one side is taken by
 * the other, and the key is there one step later on the VPS. A step that fails wipes everything.
 */
#include "control/accord.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

_Static_assert((int)CRYPTO_KEY_SIZE == (int)ACCORD_NONCE_SIZE, "a nonce keys the commitment");

/* With their NUL: no label is the beginning of another. */
static const char LABEL_COMMITMENT[] = "pamtunnel pairing 1 commitment";
static const char LABEL_CODE[] = "pamtunnel pairing 1 code";
static const char LABEL_KEY[] = "pamtunnel pairing 1 key";
static const char LABEL_VPS[] = "pamtunnel pairing 1 vps";
static const char LABEL_GATEWAY[] = "pamtunnel pairing 1 gateway";

enum {
    CODES = 1000000,
    CODE_DIGITS = 6,
    NAME_SIZE = GATEWAY_NAME_MAX + 1,
    TRANSCRIPT_SIZE = NAME_SIZE + CRYPTO_MAC_SIZE + 2 * CRYPTO_SHARE_SIZE + 2 * ACCORD_NONCE_SIZE,
};

/* ---- names ------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool are_digits(const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_digit(text[i])) { /* its end, too */
            return false;
        }
    }
    return true;
}

bool accord_name_is_plain(const char *name)
{
    if (!gateway_name_is_valid(name)) {
        return false;
    }
    for (const char *at = name; *at; at++) {
        if (are_digits(at, 3) &&
            (are_digits(at + 3 + strspn(at + 3, "._-"), 3) || (at[3] && are_digits(at + 4, 3)))) {
            return false;
        }
    }
    return true;
}

void accord_make_plain(char *words)
{
    size_t digits = 0;
    for (char *at = words; *at; at++) {
        digits += is_digit(*at);
        *at = (unsigned char)*at < 0x80 ? *at : '?';
    }
    for (char *at = words; digits >= CODE_DIGITS && *at; at++) {
        *at = is_digit(*at) ? '*' : *at;
    }
}

/* ---- what is made of what ------------------------------------------------------ */

static void write_transcript(const struct accord *it, uint8_t ret[TRANSCRIPT_SIZE])
{
    struct writer w = writer_over(ret, TRANSCRIPT_SIZE);
    write_bytes(&w, it->name, NAME_SIZE);
    write_bytes(&w, it->commitment, sizeof it->commitment);
    write_bytes(&w, it->vps_share, sizeof it->vps_share);
    write_bytes(&w, it->vps_nonce, sizeof it->vps_nonce);
    write_bytes(&w, it->gateway_share, sizeof it->gateway_share);
    write_bytes(&w, it->gateway_nonce, sizeof it->gateway_nonce);
}

static int derive(const struct accord *it, const char *label, uint8_t ret[CRYPTO_MAC_SIZE])
{
    static const uint8_t FIRST_BLOCK = 1;
    uint8_t transcript[TRANSCRIPT_SIZE];
    write_transcript(it, transcript);
    const struct crypto_piece pieces[] = {
        {label, strlen(label) + 1},
        {transcript, sizeof transcript},
        {&FIRST_BLOCK, 1},
    };
    return crypto_mac(it->root, pieces, sizeof pieces / sizeof *pieces, ret);
}

static int make_commitment(const struct accord *it, uint8_t ret[CRYPTO_MAC_SIZE])
{
    const struct crypto_piece pieces[] = {
        {LABEL_COMMITMENT, sizeof LABEL_COMMITMENT},
        {it->name, NAME_SIZE},
        {it->gateway_share, sizeof it->gateway_share},
    };
    return crypto_mac(it->gateway_nonce, pieces, sizeof pieces / sizeof *pieces, ret);
}

static int make_root(struct accord *it, const uint8_t share[CRYPTO_SHARE_SIZE])
{
    static const uint8_t NO_SALT[CRYPTO_KEY_SIZE];
    uint8_t agreed[CRYPTO_SHARE_SIZE];
    const struct crypto_piece piece = {agreed, sizeof agreed};
    /* An echo of what this side has said is nobody's share. */
    bool echo = crypto_equal(it->vps_share, it->gateway_share, sizeof it->vps_share);
    int err = echo ? -EPROTO : crypto_agree(it->secret, share, agreed);
    err = err < 0 ? err : crypto_mac(NO_SALT, &piece, 1, it->root);
    crypto_wipe(agreed, sizeof agreed);
    crypto_wipe(it->secret, sizeof it->secret); /* it has served */
    return err;
}

/* 0, -EACCES if it is another MAC, or -errno. */
static int check_proof(const struct accord *it, const char *label, const uint8_t *mac)
{
    uint8_t expected[CRYPTO_MAC_SIZE];
    int err = derive(it, label, expected);
    if (err == 0 && !crypto_equal(expected, mac, sizeof expected)) {
        err = -EACCES;
    }
    crypto_wipe(expected, sizeof expected);
    return err;
}

/* ---- steps ------------------------------------------------------------------- */

/* The end of each: what came of it decides the state. */
static int arrive(struct accord *it, int err, enum accord_state state)
{
    if (err < 0) {
        accord_wipe(it);
        state = ACCORD_FAILED;
    }
    it->state = state;
    return err;
}

/* The beginning of each: 0 if it is this side's turn, and in this state. */
static int expect(const struct accord *it, bool vps, enum accord_state state)
{
    return it->state == state && it->vps == vps ? 0 : -EPROTO;
}

static int draw(uint8_t secret[CRYPTO_SHARE_SIZE], uint8_t share[CRYPTO_SHARE_SIZE],
                uint8_t nonce[ACCORD_NONCE_SIZE])
{
    int err = crypto_share_new(secret, share);
    return err < 0 ? err : crypto_random(nonce, ACCORD_NONCE_SIZE);
}

static int begin(struct accord *it, bool vps, const char *name)
{
    if (it->state != ACCORD_NEW) {
        return -EPROTO;
    }
    *it = (struct accord){.vps = vps};
    if (!accord_name_is_plain(name)) {
        return -EINVAL;
    }
    snprintf(it->name, sizeof it->name, "%s", name);
    return 0;
}

int accord_commit(struct accord *it, const char *name, struct message *ret_commit)
{
    struct message message = {.type = MESSAGE_PAIR_COMMIT};
    int err = begin(it, false, name);
    err = err < 0 ? err : draw(it->secret, it->gateway_share, it->gateway_nonce);
    err = err < 0 ? err : make_commitment(it, it->commitment);
    if (err == 0) {
        memcpy(message.pair_commit.commitment, it->commitment, sizeof it->commitment);
        memcpy(message.pair_commit.name, it->name, sizeof it->name);
        *ret_commit = message;
    }
    return arrive(it, err, ACCORD_COMMITTED);
}

int accord_answer(struct accord *it, const struct message_pair_commit *commit,
                  struct message *ret_answer)
{
    struct message message = {.type = MESSAGE_PAIR_ANSWER};
    int err = begin(it, true, commit->name);
    err = err < 0 ? err : draw(it->secret, it->vps_share, it->vps_nonce);
    if (err == 0) {
        memcpy(it->commitment, commit->commitment, sizeof it->commitment);
        memcpy(message.pair_answer.share, it->vps_share, sizeof it->vps_share);
        memcpy(message.pair_answer.nonce, it->vps_nonce, sizeof it->vps_nonce);
        *ret_answer = message;
    }
    return arrive(it, err, ACCORD_ANSWERED);
}

int accord_open(struct accord *it, const struct message_pair_answer *answer,
                struct message *ret_open)
{
    struct message message = {.type = MESSAGE_PAIR_OPEN};
    int err = expect(it, false, ACCORD_COMMITTED);
    if (err == 0) {
        memcpy(it->vps_share, answer->share, sizeof it->vps_share);
        memcpy(it->vps_nonce, answer->nonce, sizeof it->vps_nonce);
        err = make_root(it, it->vps_share);
    }
    if (err == 0) {
        memcpy(message.pair_open.share, it->gateway_share, sizeof it->gateway_share);
        memcpy(message.pair_open.nonce, it->gateway_nonce, sizeof it->gateway_nonce);
        *ret_open = message;
    }
    return arrive(it, err, ACCORD_SHOWN);
}

int accord_opened(struct accord *it, const struct message_pair_open *open)
{
    uint8_t commitment[CRYPTO_MAC_SIZE];
    int err = expect(it, true, ACCORD_ANSWERED);
    if (err == 0) {
        memcpy(it->gateway_share, open->share, sizeof it->gateway_share);
        memcpy(it->gateway_nonce, open->nonce, sizeof it->gateway_nonce);
        err = make_commitment(it, commitment);
    }
    if (err == 0 && !crypto_equal(commitment, it->commitment, sizeof commitment)) {
        err = -EACCES;
    }
    err = err < 0 ? err : make_root(it, it->gateway_share);
    return arrive(it, err, ACCORD_SHOWN);
}

int accord_accept(struct accord *it, struct message *ret_accept)
{
    struct message message = {.type = MESSAGE_PAIR_ACCEPT};
    int err = expect(it, true, ACCORD_SHOWN);
    err = err < 0 ? err : derive(it, LABEL_VPS, message.pair_accept.mac);
    if (err == 0) {
        *ret_accept = message;
    }
    return arrive(it, err, ACCORD_ACCEPTED);
}

int accord_accepted(struct accord *it, const struct message_pair_accept *accept)
{
    int err = expect(it, false, ACCORD_SHOWN);
    err = err < 0 ? err : check_proof(it, LABEL_VPS, accept->mac);
    return arrive(it, err, ACCORD_ACCEPTED);
}

int accord_confirm(struct accord *it, struct message *ret_confirm)
{
    struct message message = {.type = MESSAGE_PAIR_CONFIRM};
    int err = expect(it, false, ACCORD_ACCEPTED);
    err = err < 0 ? err : derive(it, LABEL_GATEWAY, message.pair_confirm.mac);
    if (err == 0) {
        *ret_confirm = message;
    }
    return arrive(it, err, ACCORD_DONE);
}

int accord_confirmed(struct accord *it, const struct message_pair_confirm *confirm)
{
    int err = expect(it, true, ACCORD_ACCEPTED);
    err = err < 0 ? err : check_proof(it, LABEL_GATEWAY, confirm->mac);
    return arrive(it, err, ACCORD_DONE);
}

/* ---- what it comes to ---------------------------------------------------------- */

char *accord_code(const struct accord *it, char dst[ACCORD_CODE_MAX])
{
    uint8_t bytes[CRYPTO_MAC_SIZE];
    bool there = it->state >= ACCORD_SHOWN && it->state <= ACCORD_DONE;
    dst[0] = '\0';
    if (there && derive(it, LABEL_CODE, bytes) == 0) {
        struct reader r = reader_over(bytes, sizeof bytes);
        /* Of 64 bits: that some codes are likelier by one in 10^13 is of no use to anybody. */
        unsigned code = (unsigned)(read_u64(&r) % CODES);
        snprintf(dst, ACCORD_CODE_MAX, "%03u %03u", code / 1000 % 1000, code % 1000);
    }
    return dst;
}

int accord_key(const struct accord *it, uint8_t ret_key[CRYPTO_KEY_SIZE])
{
    bool may = it->state == ACCORD_DONE || (!it->vps && it->state == ACCORD_ACCEPTED);
    return may ? derive(it, LABEL_KEY, ret_key) : -EPROTO;
}

void accord_wipe(struct accord *it)
{
    crypto_wipe(it, sizeof *it);
}
