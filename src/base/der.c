#include "base/der.h"

#include <string.h>

struct der der_over(uint8_t *buffer, size_t size)
{
    return (struct der){.start = buffer, .at = buffer + size, .end = buffer + size};
}

const uint8_t *der_here(const struct der *der)
{
    return der->at;
}

void der_put(struct der *der, const void *bytes, size_t len)
{
    der->full = der->full || (size_t)(der->at - der->start) < len;
    if (!der->full && len > 0) {
        der->at -= len;
        memcpy(der->at, bytes, len);
    }
}

/* Up to 127 in one byte; else how many bytes follow, and the length in as few as it takes. */
void der_head(struct der *der, uint8_t tag, const uint8_t *end)
{
    size_t len = (size_t)(end - der->at);
    uint8_t count = 0;
    for (size_t rest = len; len > 127 && rest > 0; rest >>= 8) {
        uint8_t byte = (uint8_t)rest;
        der_put(der, &byte, 1);
        count++;
    }
    uint8_t first = count > 0 ? (uint8_t)(0x80 | count) : (uint8_t)len;
    der_put(der, &first, 1);
    der_put(der, &tag, 1);
}

size_t der_len(const struct der *der)
{
    return der->full ? 0 : (size_t)(der->end - der->at);
}
