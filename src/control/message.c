#include "control/message.h"

#include <errno.h>

#include "base/bytes.h"

enum { VPS = SENDER_VPS, GATEWAY = SENDER_GATEWAY, BOTH = SENDER_BOTH };

/* Each reading of the table below gives the field macros the meaning it needs. */

static void encode_body(const struct message *message, struct writer *w)
{
    switch (message->type) {
#define U8(field)          write_u8(w, body->field);
#define U16(field)         write_u16(w, body->field);
#define U32(field)         write_u32(w, body->field);
#define U64(field)         write_u64(w, body->field);
#define TEXT(field, most)  write_string(w, body->field);
#define BLOB(field, bytes) write_bytes(w, body->field, bytes);
#define MESSAGE(NAME, name, type, sender, ...)              \
    case MESSAGE_##NAME: {                                  \
        const struct message_##name *body = &message->name; \
        __VA_ARGS__                                         \
        break;                                              \
    }
#include "control/messages.def"
#undef MESSAGE
#undef U8
#undef U16
#undef U32
#undef U64
#undef TEXT
#undef BLOB
    }
}

static void decode_body(struct reader *r, struct message *message)
{
    switch (message->type) {
#define U8(field)          body->field = read_u8(r);
#define U16(field)         body->field = read_u16(r);
#define U32(field)         body->field = read_u32(r);
#define U64(field)         body->field = read_u64(r);
#define TEXT(field, most)  read_string(r, body->field, (most) + 1);
#define BLOB(field, bytes) read_copy(r, body->field, bytes);
#define MESSAGE(NAME, name, type, sender, ...)        \
    case MESSAGE_##NAME: {                            \
        struct message_##name *body = &message->name; \
        __VA_ARGS__                                   \
        break;                                        \
    }
#include "control/messages.def"
#undef MESSAGE
#undef U8
#undef U16
#undef U32
#undef U64
#undef TEXT
#undef BLOB
    }
}

static const struct row {
    uint8_t type;
    uint8_t senders;
    const char *name;
} ROWS[] = {
#define MESSAGE(NAME, name, type, sender, ...) {type, sender, #NAME},
#include "control/messages.def"
#undef MESSAGE
};

static const struct row *row_of(unsigned type)
{
    for (unsigned i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        if (ROWS[i].type == type) {
            return &ROWS[i];
        }
    }
    return NULL;
}

const char *message_name(unsigned type)
{
    const struct row *row = row_of(type);
    return row ? row->name : "?";
}

unsigned message_since(enum message_type type)
{
    return type == MESSAGE_DIAL_TARGET ? 2 : 1;
}

long message_encode(const struct message *message, void *buf, size_t cap)
{
    struct writer w = writer_over(buf, cap);
    write_u8(&w, (uint8_t)message->type);
    encode_body(message, &w);
    return w.failed ? -EMSGSIZE : (long)(cap - w.left);
}

int message_decode(const void *data, size_t len, enum message_sender sender,
                   struct message *ret_message)
{
    struct reader r = reader_over(data, len);
    unsigned type = read_u8(&r);
    const struct row *row = row_of(type);
    if (!row || !(row->senders & sender)) {
        return -EBADMSG;
    }
    struct message message = {.type = (enum message_type)type};
    decode_body(&r, &message);
    bool may_be_longer = type == MESSAGE_HELLO && message.hello.max_version > PROTOCOL_MAX_VERSION;
    if (r.failed || (r.left > 0 && !may_be_longer)) {
        return -EBADMSG;
    }
    *ret_message = message;
    return 0;
}
