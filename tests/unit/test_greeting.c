/* First packets: what the door may take for granted of each reader, and what people are shown. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vps/admission/greeting.h"
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
        greeting_ssh.words((const uint8_t *)CASES[i].sent, strlen(CASES[i].sent), words);
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
        greeting_rdp.words(data, request(CASES[i].line, data), words);
        assert_string_equal(words, CASES[i].shown);
    }
    greeting_rdp.words((const uint8_t *)"\x03\x00\x00\x0b\x06\xe0\x00\x00\x00\x00\x00", 11, words);
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
        greeting_rdp.words(data, request(line, data), words);
        assert_string_equal(words, "");
    }
}

/* The door has GREETING_MAX bytes, and waits for whatever a reader says is missing. */
static void no_reader_asks_for_more_than_there_is_room_for(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } BEGINNINGS[] = {{"SSH-2.0-x", 9}, {"\x03\x00\x01\x03", 4}, {"\x03", 1}, {"GET", 3}, {"", 0}};
    (void)state;
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        for (size_t i = 0; i < sizeof BEGINNINGS / sizeof *BEGINNINGS; i++) {
            uint8_t data[GREETING_MAX];
            memset(data, 'x', sizeof data);
            memcpy(data, BEGINNINGS[i].bytes, BEGINNINGS[i].len);
            for (size_t len = BEGINNINGS[i].len; len <= GREETING_MAX; len++) {
                long missing = greeting_reader(kind)->missing(data, len);
                assert_true(missing == -EBADMSG || missing >= 0);
                assert_true(missing < 0 || (size_t)missing <= GREETING_MAX - len);
            }
        }
    }
}

/* Whether silence is a greeting is said by the row: a reader waits for the first byte. */
static void no_reader_takes_nothing_for_a_greeting(void **state)
{
    (void)state;
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        assert_in_range(greeting_reader(kind)->missing((const uint8_t *)"", 0), 1, GREETING_MAX);
    }
}

static void a_vnc_client_has_nothing_to_say_first_and_a_tcp_client_anything(void **state)
{
    static const char *const FIRST[] = {"RFB 003.008\n", "GET / HTTP/1.1\r\n", "SSH-2.0-x\r\n",
                                        "\x16\x03\x01", "x"};
    (void)state;
    for (size_t i = 0; i < sizeof FIRST / sizeof *FIRST; i++) {
        const uint8_t *first = (const uint8_t *)FIRST[i];
        char words[WORDS_SIZE] = "x";
        assert_int_equal(greeting_silence.missing(first, strlen(FIRST[i])), -EBADMSG);
        assert_int_equal(greeting_anything.missing(first, strlen(FIRST[i])), 0);
        greeting_anything.words(first, strlen(FIRST[i]), words);
        assert_string_equal(words, "");
    }
}

static void a_reader_looks_for_a_secret_if_its_kind_has_one(void **state)
{
    (void)state;
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        const struct greeting_reader *reader = greeting_reader(kind);
        assert_true((reader->has_secret != NULL) == kind_row(kind)->has_secret);
        assert_true((reader->cut_secret != NULL) == kind_row(kind)->has_secret);
    }
}

static void only_the_whole_secret_is_it(void **state)
{
    static const char SECRET[] = "abcdefghijkmnpqrstuvwxyz234";
    uint8_t data[300];
    (void)state;
    size_t len = request("Cookie: mstshash=abcdefghijkmnpqrstuvwxyz234", data);
    assert_true(greeting_rdp.has_secret(data, len, SECRET));
    assert_false(greeting_rdp.has_secret(data, len, "abcdefghijkmnpqrstuvwxyz235"));
    assert_false(greeting_rdp.has_secret(data, len, ""));
    assert_int_equal(greeting_rdp.cut_secret(data, len), 11);
    assert_false(greeting_rdp.has_secret(data, 11, SECRET));
    len = request("Cookie: mstshash=", data);
    assert_false(greeting_rdp.has_secret(data, len, ""));
    len = request("cookie: mstshash=abcdefghijkmnpqrstuvwxyz234", data);
    assert_false(greeting_rdp.has_secret(data, len, SECRET));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ssh_clients_call_themselves_something),
        cmocka_unit_test(rdp_clients_name_a_user),
        cmocka_unit_test(secrets_are_not_shown),
        cmocka_unit_test(no_reader_asks_for_more_than_there_is_room_for),
        cmocka_unit_test(no_reader_takes_nothing_for_a_greeting),
        cmocka_unit_test(a_vnc_client_has_nothing_to_say_first_and_a_tcp_client_anything),
        cmocka_unit_test(a_reader_looks_for_a_secret_if_its_kind_has_one),
        cmocka_unit_test(only_the_whole_secret_is_it),
    };
    return cmocka_run_group_tests_name("greeting", tests, NULL, NULL);
}
