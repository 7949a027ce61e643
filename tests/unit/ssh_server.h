/* What an SSH server says up to its host key, in one go: it does not depend on the client. */
#ifndef PAMTUNNEL_TESTS_SSH_SERVER_H
#define PAMTUNNEL_TESTS_SSH_SERVER_H

#include <stdint.h>
#include <string.h>

#include "base/bytes.h"

struct said {
    uint8_t bytes[70000];
    size_t len;
};

static inline void say_bytes(struct said *said, const void *data, size_t len)
{
    assert_true(len <= sizeof said->bytes - said->len);
    memcpy(said->bytes + said->len, data, len);
    said->len += len;
}

static inline void say_text(struct said *said, const char *text)
{
    say_bytes(said, text, strlen(text));
}

static inline void say_packet(struct said *said, const uint8_t *payload, size_t len)
{
    size_t padding = 8 - (5 + len) % 8 + 8;
    uint8_t head[5];
    struct writer w = writer_over(head, sizeof head);
    write_u32(&w, (uint32_t)(1 + len + padding));
    write_u8(&w, (uint8_t)padding);
    say_bytes(said, head, sizeof head);
    say_bytes(said, payload, len);
    say_bytes(said, "pamtunnel tests.", padding);
}

/* Of the lists, only the first two matter. */
static inline void say_kexinit_of(struct said *said, const char *exchanges, const char *keys)
{
    uint8_t payload[1024] = {20};
    struct writer w = writer_over(payload + 17, sizeof payload - 17);
    write_u32(&w, (uint32_t)strlen(exchanges));
    write_bytes(&w, exchanges, strlen(exchanges));
    write_u32(&w, (uint32_t)strlen(keys));
    write_bytes(&w, keys, strlen(keys));
    write_bytes(&w, (uint8_t[8 * 4 + 5]){0}, 8 * 4 + 5);
    say_packet(said, payload, sizeof payload - w.left);
}

static inline void say_kexinit(struct said *said, const char *exchanges)
{
    say_kexinit_of(said, exchanges, "");
}

static inline size_t make_key(uint8_t *dst, size_t cap, const char *type, size_t len, uint8_t fill)
{
    struct writer w = writer_over(dst, cap);
    write_u32(&w, (uint32_t)strlen(type));
    write_bytes(&w, type, strlen(type));
    write_u32(&w, (uint32_t)len);
    while (len-- > 0) {
        write_u8(&w, fill);
    }
    assert_false(w.failed);
    return cap - w.left;
}

static inline void say_reply(struct said *said, const char *type, size_t len, uint8_t fill)
{
    uint8_t payload[4096] = {31};
    size_t key = make_key(payload + 5, sizeof payload - 5, type, len, fill);
    struct writer w = writer_over(payload + 1, 4);
    write_u32(&w, (uint32_t)key);
    say_packet(said, payload, 5 + key);
}

/* All of it; servers of another `fill` have another key. */
static inline void say_ed25519(struct said *said, uint8_t fill)
{
    say_text(said, "SSH-2.0-server\r\n");
    say_kexinit(said, "curve25519-sha256");
    say_reply(said, "ssh-ed25519", 32, fill);
}

#endif
