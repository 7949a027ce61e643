#include "base/bytes.h"

#include <string.h>

#include "base/utf8.h"

struct reader reader_over(const void *data, size_t len)
{
    return (struct reader){.at = data, .left = len};
}

const uint8_t *read_bytes(struct reader *r, size_t len)
{
    if (r->failed || len > r->left) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *bytes = r->at;
    r->at += len;
    r->left -= len;
    return bytes;
}

static uint64_t read_integer(struct reader *r, size_t len)
{
    const uint8_t *bytes = read_bytes(r, len);
    uint64_t value = 0;
    for (size_t i = 0; bytes && i < len; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}

uint8_t read_u8(struct reader *r)
{
    return (uint8_t)read_integer(r, 1);
}

uint16_t read_u16(struct reader *r)
{
    return (uint16_t)read_integer(r, 2);
}

uint32_t read_u32(struct reader *r)
{
    return (uint32_t)read_integer(r, 4);
}

uint64_t read_u64(struct reader *r)
{
    return read_integer(r, 8);
}

void read_copy(struct reader *r, void *dst, size_t len)
{
    const uint8_t *bytes = read_bytes(r, len);
    if (bytes) {
        memcpy(dst, bytes, len);
    } else {
        memset(dst, 0, len);
    }
}

/* These texts are shown to people, in terminals and chats. */
static bool is_text(const uint8_t *bytes, size_t len)
{
    for (size_t at = 0, step; at < len; at += step) {
        uint32_t character;
        step = utf8_decode(bytes + at, len - at, &character);
        if (step == 0 || utf8_is_hidden(character)) {
            return false;
        }
    }
    return true;
}

void read_string(struct reader *r, char *dst, size_t cap)
{
    /* Not cut: half of a name, or of a UTF-8 character, would be another one. */
    size_t len = read_u16(r);
    const uint8_t *bytes = len < cap ? read_bytes(r, len) : NULL;
    if (!bytes || !is_text(bytes, len)) {
        r->failed = true;
        dst[0] = '\0';
        return;
    }
    memcpy(dst, bytes, len);
    dst[len] = '\0';
}

bool reader_is_done(const struct reader *r)
{
    return !r->failed && r->left == 0;
}

struct writer writer_over(void *data, size_t cap)
{
    return (struct writer){.at = data, .left = cap};
}

void write_bytes(struct writer *w, const void *data, size_t len)
{
    if (w->failed || len > w->left) {
        w->failed = true;
        return;
    }
    memcpy(w->at, data, len);
    w->at += len;
    w->left -= len;
}

static void write_integer(struct writer *w, uint64_t value, size_t len)
{
    uint8_t bytes[8];
    for (size_t i = len; i > 0; i--) {
        bytes[i - 1] = (uint8_t)value;
        value >>= 8;
    }
    write_bytes(w, bytes, len);
}

void write_u8(struct writer *w, uint8_t value)
{
    write_integer(w, value, 1);
}

void write_u16(struct writer *w, uint16_t value)
{
    write_integer(w, value, 2);
}

void write_u32(struct writer *w, uint32_t value)
{
    write_integer(w, value, 4);
}

void write_u64(struct writer *w, uint64_t value)
{
    write_integer(w, value, 8);
}

void write_string(struct writer *w, const char *text)
{
    size_t len = strlen(text);
    if (len > UINT16_MAX) {
        w->failed = true;
        return;
    }
    write_u16(w, (uint16_t)len);
    write_bytes(w, text, len);
}
