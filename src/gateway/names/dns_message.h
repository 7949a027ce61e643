/*
 * dns_message: answers in the format of DNS (RFC 1035, section 4), which mDNS, LLMNR and NetBIOS
 * share: the head, the questions, and records one after the other. They come from anybody in the
 * LAN, so nothing in them is taken for granted.
 */
#ifndef PAMTUNNEL_GATEWAY_NAMES_DNS_MESSAGE_H
#define PAMTUNNEL_GATEWAY_NAMES_DNS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum {
    DNS_HEAD_SIZE = 12,
    DNS_NAME_SIZE = 256,    /* as text, with the NUL */
    DNS_MESSAGE_MAX = 9000, /* RFC 6762, section 17 */
    DNS_CLASS_IN = 1,
    DNS_TYPE_A = 1,
    DNS_TYPE_CNAME = 5,
    DNS_TYPE_PTR = 12,
    DNS_TYPE_AAAA = 28,
    DNS_TYPE_NB = 32,     /* RFC 1002, section 4.2.1.3 */
    DNS_TYPE_NBSTAT = 33, /* and SRV's */
    DNS_TYPE_SRV = 33,
    DNS_FLAG_TENTATIVE = 0x0100, /* LLMNR: nobody should rely on it */
};

struct dns_message {
    const uint8_t *bytes;
    size_t len;
    struct reader rest;
    unsigned left; /* records in it */
    uint16_t id, flags;
};

struct dns_record {
    char name[DNS_NAME_SIZE]; /* see dns_message_name() */
    uint16_t type, class;     /* without the bit that tells caches to forget */
    struct reader data;
};

/*
 * Begins to read one that answers without an error; its bytes must outlive it. -EBADMSG: it is a
 * question, a refusal, or broken.
 */
int dns_message_open(const void *bytes, size_t len, struct dns_message *ret_message);
/* The next record, of whatever section; false: there is none, or the rest is broken. */
bool dns_message_next(struct dns_message *message, struct dns_record *ret_record);
/*
 * A name within a record's data, or in front of it: "home-pc.local". Whatever is neither letter,
 * digit, hyphen nor underscore becomes a '?', and so do dots within a label. False, and the reader
 * has failed: it is broken, longer than names can be, or runs in a circle.
 */
bool dns_message_name(const struct dns_message *message, struct reader *reader,
                      char dst[DNS_NAME_SIZE]);

/* Writes the head of a question, with so many questions, and nothing else. */
void dns_write_head(struct writer *w, uint16_t id, uint16_t flags, uint16_t questions);
/* "home-pc.local" as labels. Fails the writer where a label is empty or too long. */
void dns_write_name(struct writer *w, const char *name);
/* In place of what follows in a name: it goes on as at that place in the message. */
void dns_write_pointer(struct writer *w, size_t at);

#endif
