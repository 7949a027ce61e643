/*
 * The identification string of an SSH client, byte by byte: "not yet" until it
 * is there or cannot come any more, and the same answer whatever follows. What people are
 * shown of it, and of what the others send, is printable and short.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vps/admission/greeting.h"
#include "vps/admission/sshid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds) {
        abort();
    }
}

static void check_words(const char words[WORDS_SIZE])
{
    size_t len = strnlen(words, WORDS_SIZE);
    check(len < WORDS_SIZE);
    for (size_t i = 0; i < len; i++) {
        check(words[i] >= 0x20 && words[i] < 0x7f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char words[WORDS_SIZE];
    greeting_ssh.words(data, size, words);
    check_words(words);
    long whole = sshid_parse(data, size);
    size_t len = 0;
    while (len < size && sshid_parse(data, len) == -EAGAIN) {
        len++;
    }
    check(sshid_parse(data, len) == whole);
    check(whole > 0 || whole == -EAGAIN || whole == -EBADMSG);
    if (whole > 0) {
        check((size_t)whole == len && len <= SSHID_MAX && data[len - 1] == '\n');
        check(memcmp(data, "SSH-", 4) == 0 && !memchr(data, '\0', len));
    }
    return 0;
}
