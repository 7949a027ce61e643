/*
 * der: writes ASN.1 in DER (X.690) from its end towards its beginning: what an element holds is
 * written before its head, so that the length is known by then.
 *
 *     const uint8_t *end = der_here(&der);
 *     der_put(&der, ...);             the last part of what it holds, then the one before it
 *     der_head(&der, 0x30, end);
 */
#ifndef PAMTUNNEL_BASE_DER_H
#define PAMTUNNEL_BASE_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DER_INTEGER = 0x02,
    DER_OCTETS = 0x04,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
    DER_CONTEXT_0 = 0xa0, /* [0], with elements in it */
};

struct der {
    uint8_t *start; /* of the buffer */
    uint8_t *at;    /* of what is written so far */
    uint8_t *end;   /* of the buffer, and of all that is written */
    bool full;      /* something did not fit; nothing is written any more */
};

/* The buffer must outlive it. */
struct der der_over(uint8_t *buffer, size_t size);
/* Where what is written next will end. */
const uint8_t *der_here(const struct der *der);
/* Bytes, as they are, in front of what is there. */
void der_put(struct der *der, const void *bytes, size_t len);
/* The tag and the length of what lies between here and `end`, which der_here() said before it. */
void der_head(struct der *der, uint8_t tag, const uint8_t *end);
/* What is written, from der->at on; 0 if it did not fit. */
size_t der_len(const struct der *der);

#endif
