/*
 * The first packet of an RDP client, read as the door reads it: never more than
 * is missing. Whatever was accepted can be cut, and what is left is a packet. What people are
 * shown of it is printable, short, and never what could be a secret.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vps/admission/greeting.h"
#include "vps/admission/x224.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADER = 11 };

static void check(int holds)
{
    if (!holds) {
        abort();
    }
}

static void check_cut(const uint8_t *packet, size_t len, const struct x224_request *request)
{
    uint8_t cut[X224_MAX];
    struct x224_request after;
    memcpy(cut, packet, len);
    size_t taken = request->line ? request->line_len + 2 : 0;
    size_t shorter = x224_cut_line(cut, len);
    check(shorter == len - taken);
    check(x224_parse(cut, shorter, &after) == 0);
    /* At most one line is taken, and nothing else changes but the two lengths. */
    check(memcmp(cut + 5, packet + 5, HEADER - 5) == 0);
    check(memcmp(cut + HEADER, packet + HEADER + taken, shorter - HEADER) == 0);
    check(!after.line);
}

static void check_words(const uint8_t *data, size_t size, const struct x224_request *request)
{
    enum { COOKIE = sizeof "Cookie: mstshash=" - 1, LONGEST = 23 };
    char words[WORDS_SIZE];
    greeting_rdp.words(data, size, words);
    size_t len = strnlen(words, WORDS_SIZE);
    check(len <= LONGEST);
    for (size_t i = 0; i < len; i++) {
        check(words[i] >= 0x20 && words[i] < 0x7f);
    }
    check(len == 0 || (request->line && request->line_len - COOKIE >= len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct x224_request request = {0};
    size_t have = 0;
    long missing;
    while ((missing = x224_missing(data, have)) > 0 && have + (size_t)missing <= size) {
        check(x224_parse(data, have, &request) == -EBADMSG);
        have += (size_t)missing;
        check(have <= X224_MAX);
    }
    check(missing >= 0 || missing == -EBADMSG);
    if (missing == 0 && x224_parse(data, have, &request) == 0) {
        check(!request.line || (request.line >= data + HEADER &&
                                request.line + request.line_len + 2 <= data + have));
        check_cut(data, have, &request);
        check_words(data, have, &request);
    }
    return 0;
}
