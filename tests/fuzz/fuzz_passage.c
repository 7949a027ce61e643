/*
 * What a proxy answers to CONNECT: it ends where its empty line does, whatever follows, and what
 * has come so far never says more than the whole.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/passage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    unsigned whole_status = 0, status = 0;
    long whole = passage_read_reply(bytes, size, &whole_status);
    if (whole > 0 && ((size_t)whole > size || bytes[whole - 1] != '\n' || whole_status > 999)) {
        abort();
    }
    for (size_t len = 0; len < size && len < 300; len++) {
        long part = passage_read_reply(bytes, len, &status);
        if (part > 0 ? part != whole || status != whole_status : part < 0 && whole != -EBADMSG) {
            abort();
        }
    }
    return 0;
}
