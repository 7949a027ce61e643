/*
 * What a proxy answers to CONNECT: it ends where its empty line does, whatever follows, and what
 * has come so far never says more than the whole. Of every answer there is a sentence to say.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/passage.h"
#include "base/passage_refusal.h"

static void explain(const char *bytes, size_t size, unsigned status, bool had_login)
{
    const struct passage_refusal refusal = {
        .status = status, .head = bytes, .len = size, .had_login = had_login, .where = "vps:443"};
    struct why why = {""};
    if (passage_refusal_explain(&refusal, &why) >= 0 || !why.text[0] ||
        passage_refusal_no_http(bytes, size, &why) != -EPROTO) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    unsigned whole_status = 0, status = 0;
    long whole = passage_read_reply(bytes, size, &whole_status);
    if (whole > 0 && ((size_t)whole > size || bytes[whole - 1] != '\n' || whole_status > 999)) {
        abort();
    }
    if (whole > 0) {
        explain(bytes, (size_t)whole, whole_status, size % 2 == 0);
    } else if (whole < 0) {
        explain(bytes, size, 0, false);
    }
    for (size_t len = 0; len < size && len < 300; len++) {
        long part = passage_read_reply(bytes, len, &status);
        if (part > 0 ? part != whole || status != whole_status : part < 0 && whole != -EBADMSG) {
            abort();
        }
    }
    return 0;
}
