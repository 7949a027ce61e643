/*
 * What an SSH server says up to its host key: the same in one piece as byte by byte, and what
 * is shown of a key is a line that is no danger to any shell.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/look/host_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds) {
        abort();
    }
}

/* How it ended, and how many bytes were said to it. */
static int hear(const uint8_t *data, size_t size, size_t piece, struct sight *ret_sight,
                size_t *ret_said)
{
    uint8_t answer[4096];
    struct writer writer = writer_over(answer, sizeof answer);
    struct host_key *key = host_key_new((unsigned)size & 7, &writer);
    struct why why;
    int heard = 0;
    check(key != NULL);
    for (size_t at = 0; at < size && heard == 0; at += piece) {
        heard = host_key_take(key, data + at, size - at < piece ? size - at : piece, &writer,
                              ret_sight, &why);
    }
    host_key_free(key);
    check(!writer.failed);
    *ret_said = sizeof answer - writer.left;
    return heard;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char LINE[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/=-";
    struct sight whole, bytes;
    size_t said, said_to_bytes;
    int heard = hear(data, size, size + 1, &whole, &said);
    check(heard == hear(data, size, 1, &bytes, &said_to_bytes) && said == said_to_bytes);
    if (heard == 1) {
        size_t type = strspn(whole.host_key, LINE);
        check(strcmp(whole.host_key, bytes.host_key) == 0 && whole.host_key[type] == ' ');
        check(strspn(whole.host_key + type + 1, LINE) == strlen(whole.host_key + type + 1));
    }
    return 0;
}
