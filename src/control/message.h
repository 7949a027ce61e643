/*
 * message: the messages of the control channel and their encoding
 * (docs/protocol.md, "Messages"). All of it comes from messages.def.
 */
#ifndef PAMTUNNEL_CONTROL_MESSAGE_H
#define PAMTUNNEL_CONTROL_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MESSAGE_MAX = 1024,         /* longest encoded message */
    PROTOCOL_FIRST_VERSION = 1, /* of what may go out before one is agreed on */
};

/* Of the protocol: the lowest and the highest that this program speaks. */
#define VERSIONS(lowest, highest) \
    enum { PROTOCOL_MIN_VERSION = (lowest), PROTOCOL_MAX_VERSION = (highest) };
#include "control/messages.def"

enum goodbye_reason {
    GOODBYE_SHUTDOWN = 1, /* the agent is being stopped */
    GOODBYE_VERSION = 2,  /* no common protocol version */
    GOODBYE_REPLACED = 3, /* the same gateway logged in again */
    GOODBYE_PROTOCOL = 4, /* the peer broke the protocol */
    GOODBYE_LOOK = 5,     /* instead of HELLO: a gateway only looks whether it would be let in */
    GOODBYE_FULL = 6,     /* more gateways share one key than the VPS takes */
    GOODBYE_EXPIRED = 7,  /* the key was not used before the time of its join string */
    GOODBYE_PAIRED = 8,   /* the VPS has kept the key: log in with it */
    GOODBYE_UNPAIRED = 9, /* the VPS does not pair this gateway, or not now; the text says why */
};

/* Why a tunnel could not be opened, in words a person can act on. */
enum tunnel_failure {
    TUNNEL_UNKNOWN_NAME = 1,
    TUNNEL_REFUSED = 2,
    TUNNEL_NO_ROUTE = 3,
    TUNNEL_TIMED_OUT = 4,
    TUNNEL_NOT_ALLOWED = 5,
    TUNNEL_DATA_UNREACHABLE = 6, /* the VPS's data port could not be reached */
    TUNNEL_BUSY = 7,             /* the gateway is at its limits */
    TUNNEL_ERROR = 8,            /* anything else; detail says what */
    TUNNEL_NAME_SERVERS = 9,     /* they do not answer the gateway; peers of 0.1.0 take it for 8 */
    TUNNEL_IDENTITY = 10,        /* the target shows another key or certificate than it has to */
};

/* What a tunnel carries: one more than the number of a kind in shared/kinds.def. */
enum tunnel_kind { TUNNEL_KIND_UNSAID = 0, TUNNEL_KIND_FIRST = 1 };

enum tunnel_flag { TUNNEL_LOOK = 1 /* who the target is, in the place of the probe */ };

/* Who knew the name of a target. */
enum tunnel_found_by {
    TUNNEL_FOUND_BY_DNS = 0, /* or it was an address */
    TUNNEL_FOUND_BY_MDNS = 1,
    TUNNEL_FOUND_BY_LLMNR = 2,
    TUNNEL_FOUND_BY_NETBIOS = 3,
    TUNNEL_FOUND_BY_MAX = TUNNEL_FOUND_BY_NETBIOS,
};

/* What FOUND says: a machine, or why no other one follows. */
enum found_state {
    FOUND_MACHINE = 0,
    FOUND_ALL = 1,  /* there are no more */
    FOUND_OFF = 2,  /* the gateway's DISCOVER is off */
    FOUND_BUSY = 3, /* it has just looked, or still does */
};

enum message_sender {
    SENDER_VPS = 1,
    SENDER_GATEWAY = 2,
    SENDER_BOTH = 3,
    SENDER_VPS_PAIRING = SENDER_VPS,
    SENDER_GATEWAY_PAIRING = SENDER_GATEWAY,
};
/* The states of a channel in which a message may come: one of the first three, or several. */
enum message_when {
    WHEN_GREETING = 1,
    WHEN_OPEN = 2,
    WHEN_PAIRING = 4,
    WHEN_LIVE = WHEN_OPEN | WHEN_PAIRING,
    WHEN_ANY = WHEN_GREETING | WHEN_LIVE,
};

enum message_type {
#define MESSAGE(NAME, name, type, ...) MESSAGE_##NAME = (type),
#include "control/messages.def"
};

/* struct message_hello { uint16_t min_version; ... } and so on. */
#define U8(field)          uint8_t field;
#define U16(field)         uint16_t field;
#define U32(field)         uint32_t field;
#define U64(field)         uint64_t field;
#define TEXT(field, most)  char field[(most) + 1];
#define BLOB(field, bytes) uint8_t field[bytes];
#define SINCE(version)
#define MESSAGE(NAME, name, type, since, sender, when, ...) \
    struct message_##name {                                 \
        __VA_ARGS__                                         \
    };
#include "control/messages.def"

struct message {
    enum message_type type;
    union {
#define MESSAGE(NAME, name, ...) struct message_##name name;
#include "control/messages.def"
    };
};

/* "OPEN_TUNNEL", or "?" for a type that does not exist. */
const char *message_name(unsigned type);
/* The first version of the protocol that has it. */
unsigned message_since(enum message_type type);
/* It may come in a channel of this state, which is one of enum message_when. */
bool message_may_come(enum message_type type, enum message_when state);

/*
 * Encodes into buf (MESSAGE_MAX bytes are always enough), as `version` of the protocol has
 * it: later versions' fields are left out. A HELLO is of its own max_version instead, since
 * it goes out before a version is agreed on. Returns the length, -EPROTONOSUPPORT if that
 * version has no such message, or -EMSGSIZE if cap is too small.
 */
long message_encode(const struct message *message, unsigned version, void *buf, size_t cap);

/*
 * Decodes one whole message of the given sender, as `version` of the protocol has it; fields
 * of later versions are zero. -EBADMSG for a type unknown or not the sender's to send, a
 * field out of bounds, and bytes missing or left over, -EPROTONOSUPPORT for a message of a
 * later version; ret_message is untouched then. A HELLO is of its own max_version; if that is
 * one that is not known here, there may be fields behind those that are.
 */
int message_decode(const void *data, size_t len, enum message_sender sender, unsigned version,
                   struct message *ret_message);

#endif
