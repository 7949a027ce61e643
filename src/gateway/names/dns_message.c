#include "gateway/names/dns_message.h"

#include <errno.h>
#include <string.h>

enum {
    LABEL_MAX = 63,
    POINTER = 0xc0,
    POINTERS_MAX = 16,
    RECORDS_MAX = 128, /* that are looked at: a name may be long, and each of them point to it */
    ANSWERS = 0x8000,  /* of the flags */
    OPCODE = 0x7800,
    RCODE = 0x000f,
    FORGET = 0x8000, /* of a class (RFC 6762, section 10.2) */
};

static char plain(uint8_t c)
{
    bool is_plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                    c == '-' || c == '_';
    return is_plain ? (char)c : '?';
}

/* Behind what is there already. False: it would be longer than a name can be. */
static bool add_label(char name[DNS_NAME_SIZE], size_t *len, const uint8_t *label, size_t label_len)
{
    if (*len + label_len + 2 > DNS_NAME_SIZE) {
        return false;
    }
    if (*len > 0) {
        name[(*len)++] = '.';
    }
    for (size_t i = 0; i < label_len; i++) {
        name[(*len)++] = plain(label[i]);
    }
    name[*len] = '\0';
    return true;
}

/* One label, or a jump to where the rest stands. False: the name is over, or broken. */
static bool read_label(const struct dns_message *message, struct reader *reader, unsigned *jumps,
                       char dst[DNS_NAME_SIZE], size_t *len)
{
    uint8_t head = read_u8(reader);
    if ((head & POINTER) == POINTER) {
        size_t to = (size_t)(head & LABEL_MAX) << 8 | read_u8(reader);
        if (reader->failed || to >= message->len || ++*jumps > POINTERS_MAX) {
            reader->failed = true;
            return false;
        }
        *reader = reader_over(message->bytes + to, message->len - to);
        return true;
    }
    const uint8_t *label = read_bytes(reader, head);
    if (reader->failed || head > LABEL_MAX || (head > 0 && !add_label(dst, len, label, head))) {
        reader->failed = true;
    }
    return !reader->failed && head > 0;
}

/* The reader goes on behind the name, or behind the first jump in it. */
static void skip_name(struct reader *reader)
{
    uint8_t head;
    do {
        head = read_u8(reader);
        if ((head & POINTER) == POINTER) {
            read_u8(reader);
            return;
        }
        read_bytes(reader, head);
    } while (head > 0 && !reader->failed);
}

bool dns_message_name(const struct dns_message *message, struct reader *reader,
                      char dst[DNS_NAME_SIZE])
{
    struct reader at = *reader;
    unsigned jumps = 0;
    size_t len = 0;
    dst[0] = '\0';
    while (read_label(message, &at, &jumps, dst, &len)) {
    }
    skip_name(reader);
    reader->failed = reader->failed || at.failed;
    return !reader->failed;
}

int dns_message_open(const void *bytes, size_t len, struct dns_message *ret_message)
{
    struct dns_message message = {.bytes = bytes, .len = len, .rest = reader_over(bytes, len)};
    message.id = read_u16(&message.rest);
    message.flags = read_u16(&message.rest);
    unsigned questions = read_u16(&message.rest);
    message.left = read_u16(&message.rest);
    message.left += read_u16(&message.rest);
    message.left += read_u16(&message.rest);
    for (unsigned i = 0; i < questions && !message.rest.failed; i++) {
        skip_name(&message.rest);
        read_u32(&message.rest); /* type and class */
    }
    if (message.rest.failed || (message.flags & (ANSWERS | OPCODE | RCODE)) != ANSWERS) {
        return -EBADMSG;
    }
    message.left = message.left < RECORDS_MAX ? message.left : RECORDS_MAX;
    *ret_message = message;
    return 0;
}

bool dns_message_next(struct dns_message *message, struct dns_record *ret_record)
{
    struct reader *rest = &message->rest;
    if (message->left == 0 || !dns_message_name(message, rest, ret_record->name)) {
        return false;
    }
    message->left--;
    ret_record->type = read_u16(rest);
    ret_record->class = read_u16(rest) & (uint16_t)~FORGET;
    read_u32(rest); /* how long it holds */
    size_t len = read_u16(rest);
    const uint8_t *data = read_bytes(rest, len);
    if (rest->failed) {
        return false;
    }
    ret_record->data = reader_over(data, len);
    return true;
}

void dns_write_head(struct writer *w, uint16_t id, uint16_t flags, uint16_t questions)
{
    write_u16(w, id);
    write_u16(w, flags);
    write_u16(w, questions);
    write_u32(w, 0);
    write_u16(w, 0);
}

void dns_write_name(struct writer *w, const char *name)
{
    for (const char *label = name;;) {
        size_t len = strcspn(label, ".");
        w->failed = w->failed || len == 0 || len > LABEL_MAX;
        write_u8(w, (uint8_t)len);
        write_bytes(w, label, len);
        if (!label[len]) {
            break;
        }
        label += len + 1;
    }
    write_u8(w, 0);
}

void dns_write_pointer(struct writer *w, size_t at)
{
    write_u16(w, (uint16_t)(POINTER << 8 | at));
}
