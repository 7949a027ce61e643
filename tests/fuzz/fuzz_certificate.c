/*
 * What a Remote Desktop server says up to its certificate. The bytes are read in one piece and in
 * small ones: whether there is a certificate, and which, is the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/look/certificate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds) {
        abort();
    }
}

static int hear(const uint8_t *data, size_t size, size_t piece, struct sight *ret_sight)
{
    uint8_t answer[8192];
    struct writer writer = writer_over(answer, sizeof answer);
    struct certificate *certificate = certificate_new(&writer);
    struct why why;
    int heard = 0;
    check(certificate != NULL);
    for (size_t at = 0; at < size && heard == 0; at += piece) {
        heard = certificate_take(certificate, data + at, size - at < piece ? size - at : piece,
                                 &writer, ret_sight, &why);
    }
    certificate_free(certificate);
    return heard;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sight whole, pieces;
    int heard = hear(data, size, size + 1, &whole);
    check((heard == 1) == (hear(data, size, 17, &pieces) == 1));
    if (heard == 1) {
        check(whole.host_key[0] == '\0' &&
              memcmp(whole.identity, pieces.identity, sizeof whole.identity) == 0);
    }
    return 0;
}
