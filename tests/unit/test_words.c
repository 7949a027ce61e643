/* What clients say of themselves, for people. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vps/admission/words.h"
#include "vps/grant/rdpfile.h"

static void ssh_clients_call_themselves_something(void **state)
{
    static const struct {
        const char *sent, *shown;
    } CASES[] = {
        {"SSH-2.0-PuTTY_Release_0.78\r\n", "SSH-2.0-PuTTY_Release_0.78"},
        {"SSH-2.0-OpenSSH_9.6 Ubuntu-3\n\x14\x00", "SSH-2.0-OpenSSH_9.6 Ubuntu-3"},
        {"SSH-2.0-a\xe2\x80\xae\x1b[2Jb\r\n", "SSH-2.0-a????[2Jb"},
        {"SSH-2.0-<b>&\"x\"\r\n", "SSH-2.0-<b>&\"x\""},
        {"SSH-2.0-x   \r\n", "SSH-2.0-x"},
        {"SSH-2.0-"
         "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff\r\n",
         "SSH-2.0-aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeff..."},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char words[WORDS_SIZE];
        words_of_ssh((const uint8_t *)CASES[i].sent, strlen(CASES[i].sent), words);
        assert_string_equal(words, CASES[i].shown);
    }
}

static size_t request(const char *line, uint8_t *data)
{
    size_t line_len = strlen(line), len = 11 + line_len + 2;
    const uint8_t header[11] = {3, 0, (uint8_t)(len >> 8), (uint8_t)len, (uint8_t)(len - 5), 0xe0};
    memcpy(data, header, sizeof header);
    memcpy(data + 11, line, line_len);
    memcpy(data + 11 + line_len, "\r\n", 2);
    return len;
}

static void rdp_clients_name_a_user(void **state)
{
    static const struct {
        const char *line, *shown;
    } CASES[] = {
        {"Cookie: mstshash=alice", "alice"},
        {"Cookie: mstshash=", ""},
        {"Cookie: mstshash=a\x01\xff<i>", "a?"
                                          "?<i>"},
        {"Cookie: msts=3640205228.15629.0000", ""},
        {"tsv://MS Terminal Services Plugin.1.Pool", ""},
        {"x", ""},
    };
    char words[WORDS_SIZE];
    uint8_t data[300];
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        words_of_rdp(data, request(CASES[i].line, data), words);
        assert_string_equal(words, CASES[i].shown);
    }
    words_of_rdp((const uint8_t *)"\x03\x00\x00\x0b\x06\xe0\x00\x00\x00\x00\x00", 11, words);
    assert_string_equal(words, "");
}

/* Whatever may be the secret of a session that is open, or nearly one, is not for the log. */
static void secrets_are_not_shown(void **state)
{
    (void)state;
    for (int more = -2; more <= 2; more++) {
        char line[100] = RDPFILE_COOKIE, words[WORDS_SIZE];
        uint8_t data[300];
        memset(line + strlen(line), 'k', (size_t)(RDPFILE_SECRET_LEN + more));
        words_of_rdp(data, request(line, data), words);
        assert_string_equal(words, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ssh_clients_call_themselves_something),
        cmocka_unit_test(rdp_clients_name_a_user),
        cmocka_unit_test(secrets_are_not_shown),
    };
    return cmocka_run_group_tests_name("words", tests, NULL, NULL);
}
