/*
 * Encoding and decoding, by reading messages.def several times: each reading gives the macros
 * of its fields the meaning that it needs. No message has code of its own, so that none can
 * forget a bound, and what is written reads back as it was. There is no state here.
 */
#include "control/message.h"

#include <errno.h>
#include <limits.h>

#include "base/bytes.h"

/* ---- what holds for every row ---------------------------------------------- */

/* NOLINTBEGIN(bugprone-macro-parentheses): each is a summand of what a row comes to */
#define U8(field)          +1
#define U16(field)         +2
#define U32(field)         +4
#define U64(field)         +8
#define TEXT(field, most)  +2 + (most)
#define BLOB(field, bytes) +(bytes)
/* NOLINTEND(bugprone-macro-parentheses) */
#define SINCE(version)
#define MESSAGE(NAME, name, type, since, sender, when, ...)                              \
    _Static_assert((type) >= 1 && (type) <= UINT8_MAX, #NAME ": its type is one byte");  \
    _Static_assert((since) >= PROTOCOL_FIRST_VERSION && (since) <= PROTOCOL_MAX_VERSION, \
                   #NAME ": its version is spoken");                                     \
    _Static_assert(1 __VA_ARGS__ <= MESSAGE_MAX, #NAME ": the longest fits into a frame");
#include "control/messages.def"

static const struct row {
    uint8_t type;
    uint8_t since;
    uint8_t senders;
    uint8_t when;
    const char *name;
} ROWS[] = {
#define MESSAGE(NAME, name, type, since, sender, when, ...) \
    {type, since, SENDER_##sender, WHEN_##when, #NAME},
#include "control/messages.def"
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
    const struct row *row = row_of(type);
    return row ? row->since : UINT_MAX;
}

bool message_may_come(enum message_type type, enum message_when state)
{
    const struct row *row = row_of(type);
    return row && row->when & state;
}

/* ---- the wire --------------------------------------------------------------- */

/* Fields are only added at the end: when one is of a later version, so is the rest. */
#define SINCE_ON_THE_WIRE(first) \
    if (version < (first)) {     \
        break;                   \
    }

static void encode_body(const struct message *message, unsigned version, struct writer *w)
{
    (void)version; /* nothing asks, as long as there is no SINCE */
    switch (message->type) {
#define U8(field)          write_u8(w, body->field);
#define U16(field)         write_u16(w, body->field);
#define U32(field)         write_u32(w, body->field);
#define U64(field)         write_u64(w, body->field);
#define TEXT(field, most)  write_string(w, body->field);
#define BLOB(field, bytes) write_bytes(w, body->field, bytes);
#define SINCE              SINCE_ON_THE_WIRE
#define MESSAGE(NAME, name, type, since, sender, when, ...) \
    case MESSAGE_##NAME: {                                  \
        const struct message_##name *body = &message->name; \
        __VA_ARGS__                                         \
        break;                                              \
    }
#include "control/messages.def"
    }
}

static void decode_body(struct reader *r, unsigned version, struct message *message)
{
    (void)version;
    switch (message->type) {
#define U8(field)          body->field = read_u8(r);
#define U16(field)         body->field = read_u16(r);
#define U32(field)         body->field = read_u32(r);
#define U64(field)         body->field = read_u64(r);
#define TEXT(field, most)  read_string(r, body->field, (most) + 1);
#define BLOB(field, bytes) read_copy(r, body->field, bytes);
#define SINCE              SINCE_ON_THE_WIRE
#define MESSAGE(NAME, name, type, since, sender, when, ...) \
    case MESSAGE_##NAME: {                                  \
        struct message_##name *body = &message->name;       \
        __VA_ARGS__                                         \
        break;                                              \
    }
#include "control/messages.def"
    }
}

/* It comes before a version is agreed on, so it says itself of which one it is, and where. */
static unsigned version_of_hello(const void *body, size_t len)
{
    struct reader r = reader_over(body, len);
    read_u8(&r);  /* type */
    read_u16(&r); /* min_version */
    return read_u16(&r);
}

long message_encode(const struct message *message, unsigned version, void *buf, size_t cap)
{
    struct writer w = writer_over(buf, cap);
    if (message_since(message->type) > version) {
        return -EPROTONOSUPPORT;
    }
    write_u8(&w, (uint8_t)message->type);
    encode_body(message, message->type == MESSAGE_HELLO ? message->hello.max_version : version, &w);
    return w.failed ? -EMSGSIZE : (long)(cap - w.left);
}

int message_decode(const void *data, size_t len, enum message_sender sender, unsigned version,
                   struct message *ret_message)
{
    struct reader r = reader_over(data, len);
    unsigned type = read_u8(&r);
    const struct row *row = row_of(type);
    if (!row || !(row->senders & sender)) {
        return -EBADMSG;
    }
    if (row->since > version) {
        return -EPROTONOSUPPORT;
    }
    if (type == MESSAGE_HELLO) {
        version = version_of_hello(data, len);
    }
    struct message message = {.type = (enum message_type)type};
    decode_body(&r, version, &message);
    bool may_be_longer = type == MESSAGE_HELLO && version > PROTOCOL_MAX_VERSION;
    if (r.failed || (r.left > 0 && !may_be_longer)) {
        return -EBADMSG;
    }
    *ret_message = message;
    return 0;
}
