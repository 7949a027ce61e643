/*
 * Three steps: the server's identification, its KEXINIT, its reply to a public key. That key needs
 * no private half, since nobody is going to use the secret: any 32 bytes are one of X25519, the
 * generator is one of P-256, and any number in range is one of a group of integers.
 */
#include "gateway/look/host_key.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/text.h"

/* RFC 4253, 12. The reply to an ECDH key and to a number have the same form up to the host key. */
enum {
    MSG_DISCONNECT = 1,
    MSG_IGNORE = 2,
    MSG_DEBUG = 4,
    MSG_KEXINIT = 20,
    MSG_KEX_INIT = 30,
    MSG_KEX_REPLY = 31,
};

enum {
    PACKET_MAX = 35000, /* RFC 4253, 6.1 */
    HEAD_SIZE = 5,      /* length and padding's length */
    SKIPPED_MAX = 256,  /* lines in front of the identification, and packets that say nothing */
    BLOCK = 8,
    PADDING_MIN = 4,
    COOKIE_SIZE = 16,
    RANDOM_SIZE = 32,
    BY_APPLICATION = 11, /* a reason of DISCONNECT */
};

struct host_key {
    enum { IDENTIFICATION, KEXINIT, REPLY } awaited;
    unsigned skipped;
    unsigned wanted;  /* a type that is asked for first, 0: none */
    unsigned offered; /* types of keys that it has */
    size_t len;
    uint8_t in[4 + PACKET_MAX];
};

/*
 * What a public key is made of. With the hybrid ones, that of the other method comes before that of
 * X25519: zeros are one of Streamlined NTRU Prime as good as any, and pass the check of ML-KEM's
 * (FIPS 203, 7.2).
 */
enum form { FORM_X25519, FORM_P256, FORM_NUMBER, FORM_MLKEM, FORM_SNTRUP };

enum { MLKEM_SIZE = 1184, SNTRUP_SIZE = 1158 };

static const struct exchange {
    const char *name;
    enum form form;
} EXCHANGES[] = {
    {"curve25519-sha256", FORM_X25519},
    {"curve25519-sha256@libssh.org", FORM_X25519},
    {"ecdh-sha2-nistp256", FORM_P256},
    {"diffie-hellman-group14-sha256", FORM_NUMBER},
    {"diffie-hellman-group16-sha512", FORM_NUMBER},
    {"diffie-hellman-group18-sha512", FORM_NUMBER},
    {"diffie-hellman-group14-sha1", FORM_NUMBER},
    {"mlkem768x25519-sha256", FORM_MLKEM},
    {"sntrup761x25519-sha512", FORM_SNTRUP},
    {"sntrup761x25519-sha512@openssh.com", FORM_SNTRUP},
};
enum { EXCHANGES_COUNT = sizeof EXCHANGES / sizeof *EXCHANGES };

/* A bit of host_key.h for each, in the order in which OpenSSH's client prefers them. */
static const char *const KEYS[] = {
    "ssh-ed25519",
    "ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521",
    "rsa-sha2-512,rsa-sha2-256,ssh-rsa",
};
enum { KEYS_COUNT = sizeof KEYS / sizeof *KEYS };

/* Nothing is ever encrypted: all that a server could have is good enough. */
static const char CIPHERS[] = "aes128-ctr,aes256-ctr,aes192-ctr,chacha20-poly1305@openssh.com,"
                              "aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-cbc,"
                              "aes256-cbc,3des-cbc";
static const char MACS[] = "hmac-sha2-256,hmac-sha2-512,hmac-sha2-256-etm@openssh.com,"
                           "hmac-sha2-512-etm@openssh.com,umac-128@openssh.com,"
                           "umac-128-etm@openssh.com,hmac-sha1,hmac-md5";
static const char COMPRESSIONS[] = "none,zlib@openssh.com,zlib";

/* SEC 2, 2.4.2, uncompressed. */
static const uint8_t P256_GENERATOR[] = {
    0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5,
    0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4,
    0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a,
    0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33,
    0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5,
};

/* ---- saying ---------------------------------------------------------------- */

static void write_counted(struct writer *w, const void *data, size_t len)
{
    write_u32(w, (uint32_t)len);
    write_bytes(w, data, len);
}

static void write_text(struct writer *w, const char *text)
{
    write_counted(w, text, strlen(text));
}

static void write_packet(struct writer *w, const uint8_t *payload, size_t len)
{
    static const uint8_t PADDING[BLOCK + PADDING_MIN];
    size_t padding = BLOCK - (HEAD_SIZE + len) % BLOCK;
    padding += padding < PADDING_MIN ? BLOCK : 0;
    write_u32(w, (uint32_t)(1 + len + padding));
    write_u8(w, (uint8_t)padding);
    write_bytes(w, payload, len);
    write_bytes(w, PADDING, padding);
}

static void write_exchanges(struct writer *w)
{
    size_t len = EXCHANGES_COUNT - 1;
    for (size_t i = 0; i < EXCHANGES_COUNT; i++) {
        len += strlen(EXCHANGES[i].name);
    }
    write_u32(w, (uint32_t)len);
    for (size_t i = 0; i < EXCHANGES_COUNT; i++) {
        write_bytes(w, ",", i > 0);
        write_bytes(w, EXCHANGES[i].name, strlen(EXCHANGES[i].name));
    }
}

/* The one that is wanted, and then the others, so that there is an answer in any case. */
static void write_keys(struct writer *w, unsigned wanted)
{
    char list[192];
    struct text text = text_over(list, sizeof list);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < KEYS_COUNT; i++) {
            if (((wanted >> i & 1) == 1) == (round == 0)) {
                text_add(&text, "%s%s", text.len > 0 ? "," : "", KEYS[i]);
            }
        }
    }
    write_text(w, list);
}

/* RFC 4253, 7.1. */
static void say_kexinit(struct writer *answer, unsigned wanted)
{
    const char *const lists[] = {CIPHERS, CIPHERS, MACS, MACS, COMPRESSIONS, COMPRESSIONS, "", ""};
    uint8_t payload[1536];
    uint8_t cookie[COOKIE_SIZE] = {0};
    struct writer w = writer_over(payload, sizeof payload);
    crypto_random(cookie, sizeof cookie); /* its secret is used for nothing: zeros would do */
    write_u8(&w, MSG_KEXINIT);
    write_bytes(&w, cookie, sizeof cookie);
    write_exchanges(&w);
    write_keys(&w, wanted);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        write_text(&w, lists[i]);
    }
    write_u8(&w, 0);
    write_u32(&w, 0);
    write_packet(answer, payload, sizeof payload - w.left);
}

/* The other method's zeros come first; none of the others has any. */
static void write_hybrid(struct writer *w, enum form form, const uint8_t number[RANDOM_SIZE])
{
    static const uint8_t ZEROS[MLKEM_SIZE];
    size_t zeros = form == FORM_MLKEM ? MLKEM_SIZE : form == FORM_SNTRUP ? SNTRUP_SIZE : 0;
    write_u32(w, (uint32_t)zeros + RANDOM_SIZE);
    write_bytes(w, ZEROS, zeros);
    write_bytes(w, number, RANDOM_SIZE);
}

static int say_public_key(struct writer *answer, enum form form)
{
    uint8_t payload[128 + MLKEM_SIZE];
    uint8_t number[RANDOM_SIZE];
    struct writer w = writer_over(payload, sizeof payload);
    int err = crypto_random(number, sizeof number);
    if (err < 0) {
        return err;
    }
    number[0] = (uint8_t)((number[0] & 0x3f) | 0x40); /* positive, and no zeros in front */
    write_u8(&w, MSG_KEX_INIT);
    if (form == FORM_P256) {
        write_counted(&w, P256_GENERATOR, sizeof P256_GENERATOR);
    } else {
        write_hybrid(&w, form, number);
    }
    write_packet(answer, payload, sizeof payload - w.left);
    return 0;
}

/* So that the target's log tells what that was. */
static void say_goodbye(struct writer *answer)
{
    uint8_t payload[128];
    struct writer w = writer_over(payload, sizeof payload);
    write_u8(&w, MSG_DISCONNECT);
    write_u32(&w, BY_APPLICATION);
    write_text(&w, "pamtunnel has read the host key");
    write_text(&w, "");
    write_packet(answer, payload, sizeof payload - w.left);
}

/* ---- hearing --------------------------------------------------------------- */

static int no_ssh(struct why *why)
{
    return why_set(why, -EBADMSG, "it does not speak SSH");
}

static int count_skipped(struct host_key *key, struct why *why)
{
    return ++key->skipped > SKIPPED_MAX ? no_ssh(why) : 0;
}

static bool begins_with(const uint8_t *line, size_t len, const char *word)
{
    return len >= strlen(word) && memcmp(line, word, strlen(word)) == 0;
}

/* RFC 4253, 4.2 and 5.1: other lines may come first. Bytes used, 0: the line is not whole. */
static long hear_line(struct host_key *key, struct writer *answer, struct why *why)
{
    const uint8_t *end = memchr(key->in, '\n', key->len);
    size_t len = end ? (size_t)(end - key->in) + 1 : 0;
    if (!end) {
        return 0;
    }
    if (!begins_with(key->in, len, "SSH-")) {
        int err = count_skipped(key, why);
        return err < 0 ? err : (long)len;
    }
    if (!begins_with(key->in, len, "SSH-2.0-") && !begins_with(key->in, len, "SSH-1.99-")) {
        return why_set(why, -EBADMSG, "it speaks SSH of a version other than 2");
    }
    key->awaited = KEXINIT;
    say_kexinit(answer, key->wanted);
    return (long)len;
}

static void make_ascii(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        text[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
    }
}

static int hear_disconnect(struct reader *payload, struct why *why)
{
    char text[128] = "";
    uint32_t reason = read_u32(payload);
    uint32_t len = read_u32(payload);
    const uint8_t *said = read_bytes(payload, len);
    if (said) {
        len = len < sizeof text ? len : sizeof text - 1;
        memcpy(text, said, len);
        make_ascii(text, len); /* it may be cut anywhere */
    }
    return why_set(why, -ECONNRESET, "it disconnects, reason %u: %s", reason, text);
}

static bool list_has(const uint8_t *list, size_t len, const char *name)
{
    size_t name_len = strlen(name);
    const uint8_t *end = list + len;
    while (list <= end) {
        const uint8_t *comma = memchr(list, ',', (size_t)(end - list));
        size_t item_len = (size_t)((comma ? comma : end) - list);
        if (item_len == name_len && memcmp(list, name, name_len) == 0) {
            return true;
        }
        list += item_len + 1;
    }
    return false;
}

/* One of the names that `names` has, with commas between them. */
static bool list_has_any(const uint8_t *list, size_t len, const char *names)
{
    char name[64];
    for (; *names; names += strcspn(names, ","), names += *names == ',') {
        snprintf(name, sizeof name, "%.*s", (int)strcspn(names, ","), names);
        if (list_has(list, len, name)) {
            return true;
        }
    }
    return false;
}

static void note_offered(struct host_key *key, const uint8_t *list, size_t len)
{
    for (unsigned i = 0; i < KEYS_COUNT; i++) {
        key->offered |= list_has_any(list, len, KEYS[i]) ? 1U << i : 0;
    }
}

/* The first of ours that it has, too, is the one (RFC 4253, 7.1). */
static int hear_kexinit(struct host_key *key, struct reader *payload, struct writer *answer,
                        struct why *why)
{
    read_bytes(payload, COOKIE_SIZE);
    uint32_t len = read_u32(payload);
    const uint8_t *list = read_bytes(payload, len);
    uint32_t keys_len = read_u32(payload);
    const uint8_t *keys = read_bytes(payload, keys_len);
    if (!list || !keys) {
        return no_ssh(why);
    }
    note_offered(key, keys, keys_len);
    for (size_t i = 0; i < EXCHANGES_COUNT; i++) {
        if (list_has(list, len, EXCHANGES[i].name)) {
            key->awaited = REPLY;
            return say_public_key(answer, EXCHANGES[i].form);
        }
    }
    return why_set(why, -EPROTONOSUPPORT, "it has no key exchange that is known here");
}

static int hear_reply(const struct host_key *key, struct reader *payload, struct writer *answer,
                      struct sight *ret_sight, struct why *why)
{
    uint32_t len = read_u32(payload);
    const uint8_t *blob = read_bytes(payload, len);
    int err = blob ? sight_of_host_key(blob, len, ret_sight) : -EBADMSG;
    if (err == -EMSGSIZE) {
        return why_set(why, err, "its host key is too long");
    }
    if (err < 0) {
        return why_set(why, err, "its host key is of no type that was asked for");
    }
    ret_sight->host_keys = key->offered;
    say_goodbye(answer);
    return 1;
}

static int hear_payload(struct host_key *key, struct reader payload, struct writer *answer,
                        struct sight *ret_sight, struct why *why)
{
    uint8_t type = read_u8(&payload);
    if (type == MSG_IGNORE || type == MSG_DEBUG) {
        return count_skipped(key, why);
    }
    if (type == MSG_DISCONNECT) {
        return hear_disconnect(&payload, why);
    }
    if (type == MSG_KEXINIT && key->awaited == KEXINIT) {
        return hear_kexinit(key, &payload, answer, why);
    }
    if (type == MSG_KEX_REPLY && key->awaited == REPLY) {
        return hear_reply(key, &payload, answer, ret_sight, why);
    }
    return why_set(why, -EBADMSG, "it sends SSH's message %u at the wrong time", type);
}

/* RFC 4253, 6. The packet's size if it is whole, else 0. */
static long packet_size(const struct host_key *key, struct why *why)
{
    struct reader head = reader_over(key->in, key->len);
    uint32_t len = read_u32(&head);
    uint8_t padding = read_u8(&head);
    if (head.failed) {
        return 0;
    }
    if (len > PACKET_MAX || len < 2U + padding) {
        return no_ssh(why);
    }
    return key->len - 4 < len ? 0 : 4 + (long)len;
}

/* ---- the conversation ------------------------------------------------------ */

unsigned host_key_type(const char *host_key)
{
    char type[64];
    snprintf(type, sizeof type, "%.*s", (int)strcspn(host_key, " "), host_key);
    for (unsigned i = 0; i < KEYS_COUNT; i++) {
        if (list_has_any((const uint8_t *)type, strlen(type), KEYS[i])) {
            return 1U << i;
        }
    }
    return 0;
}

struct host_key *host_key_new(unsigned wanted, struct writer *answer)
{
    static const char OURS[] = "SSH-2.0-pamtunnel_" PAMTUNNEL_VERSION "\r\n";
    struct host_key *key = malloc(sizeof *key);
    if (key) {
        key->awaited = IDENTIFICATION;
        key->skipped = 0;
        key->wanted = wanted;
        key->offered = 0;
        key->len = 0;
        write_bytes(answer, OURS, sizeof OURS - 1);
    }
    return key;
}

void host_key_free(struct host_key *key)
{
    free(key);
}

/* What is at the beginning of `in`: as host_key_take(), and how many bytes that was, 0: not yet. */
static int hear_one(struct host_key *key, struct writer *answer, size_t *ret_used,
                    struct sight *ret_sight, struct why *why)
{
    bool is_line = key->awaited == IDENTIFICATION;
    long used = is_line ? hear_line(key, answer, why) : packet_size(key, why);
    if (used < 0) {
        return (int)used;
    }
    *ret_used = (size_t)used;
    if (is_line || used == 0) {
        return 0;
    }
    size_t padding = key->in[4];
    struct reader payload = reader_over(key->in + HEAD_SIZE, *ret_used - HEAD_SIZE - padding);
    return hear_payload(key, payload, answer, ret_sight, why);
}

int host_key_take(struct host_key *key, const uint8_t *data, size_t len, struct writer *answer,
                  struct sight *ret_sight, struct why *why)
{
    for (;;) {
        size_t room = sizeof key->in - key->len;
        size_t taken = len < room ? len : room;
        size_t used = 0;
        memcpy(key->in + key->len, data, taken);
        key->len += taken;
        data += taken;
        len -= taken;
        int heard = hear_one(key, answer, &used, ret_sight, why);
        if (heard != 0) {
            return heard;
        }
        if (used == 0) { /* a line that fills all there is never ends; a packet always fits */
            return key->len == sizeof key->in ? no_ssh(why) : 0;
        }
        key->len -= used;
        memmove(key->in, key->in + used, key->len);
    }
}
