/* The identification string of SSH clients (RFC 4253, 4.2). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vps/admission/sshid.h"

/* The parser sees a block of exactly that size, so that a sanitizer sees it read beyond. */
static long parse(const void *data, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    memcpy(copy, data, len);
    long got = sshid_parse(copy, len);
    free(copy);
    return got;
}

static const char *const REAL[] = {
    "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n",
    "SSH-2.0-PuTTY_Release_0.78\r\n",
    "SSH-2.0-dropbear_2022.83\r\n",
    "SSH-2.0-libssh2_1.10.0\r\n",
    "SSH-2.0-Termius\n",
    "SSH-1.99-Cisco-1.25\r\n",
    "SSH-2.0-\r\n",
    "SSH-2.0-J\xc3\xbcice SSH\r\n",
};
enum { REAL_COUNT = sizeof REAL / sizeof *REAL };

static void real_clients_are_taken_when_their_line_is_there(void **state)
{
    (void)state;
    for (size_t i = 0; i < REAL_COUNT; i++) {
        size_t whole = strlen(REAL[i]);
        for (size_t len = 0; len < whole; len++) {
            assert_int_equal(parse(REAL[i], len), -EAGAIN);
        }
        assert_int_equal(parse(REAL[i], whole), (long)whole);
    }
}

static void what_follows_the_line_is_not_its_business(void **state)
{
    static const char BYTES[] = "SSH-2.0-dropbear_2022.83\r\n\0\0\1\x64\4\x14\0\xff\n";
    (void)state;
    assert_int_equal(parse(BYTES, sizeof BYTES - 1), 26);
}

static void what_cannot_become_one_is_known_at_its_first_wrong_byte(void **state)
{
    static const struct {
        const char *bytes;
        size_t good; /* bytes that might still become one */
    } CASES[] = {
        {"GET / HTTP/1.1\r\n", 0},
        {"\x16\x03\x01", 0},
        {"ssh-2.0-x\r\n", 0},
        {"\r\nSSH-2.0-x\r\n", 0},
        {" SSH-2.0-x\r\n", 0},
        {"SSH-1.5-x\r\n", 6},
        {"SSH-2.1-x\r\n", 6},
        {"SSH-2.0 x\r\n", 7},
        {"SSH-2.0\r\n", 7},
        {"SSH-1.98-x\r\n", 7},
        {"SSH-3.0-x\r\n", 4},
        {"SSH_2.0-x\r\n", 3},
        {"SSH-2.0-a\tb\r\n", 9},
        {"SSH-2.0-a\x7f"
         "b\r\n",
         9},
        {"SSH-2.0-a\x1b[2J\r\n", 9},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        size_t whole = strlen(CASES[i].bytes);
        for (size_t len = 0; len <= whole; len++) {
            long expected = len <= CASES[i].good ? -EAGAIN : -EBADMSG;
            if (parse(CASES[i].bytes, len) != expected) {
                fail_msg("%zu bytes of \"%s\"", len, CASES[i].bytes);
            }
        }
    }
}

static void a_nul_is_no_part_of_one(void **state)
{
    (void)state;
    assert_int_equal(parse("SSH-2.0-a\0b\r\n", 13), -EBADMSG);
    assert_int_equal(parse("\0", 1), -EBADMSG);
}

static void it_has_at_most_255_bytes_with_its_line_end(void **state)
{
    uint8_t data[SSHID_MAX + 10];
    (void)state;
    memset(data, 'x', sizeof data);
    memcpy(data, "SSH-2.0-", 8);
    assert_int_equal(parse(data, SSHID_MAX - 1), -EAGAIN);
    assert_int_equal(parse(data, SSHID_MAX), -EBADMSG);
    data[SSHID_MAX - 1] = '\n';
    assert_int_equal(parse(data, SSHID_MAX), SSHID_MAX);
    assert_int_equal(parse(data, sizeof data), SSHID_MAX);
    data[SSHID_MAX - 1] = 'x';
    data[SSHID_MAX] = '\n';
    assert_int_equal(parse(data, sizeof data), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_clients_are_taken_when_their_line_is_there),
        cmocka_unit_test(what_follows_the_line_is_not_its_business),
        cmocka_unit_test(what_cannot_become_one_is_known_at_its_first_wrong_byte),
        cmocka_unit_test(a_nul_is_no_part_of_one),
        cmocka_unit_test(it_has_at_most_255_bytes_with_its_line_end),
    };
    return cmocka_run_group_tests_name("sshid", tests, NULL, NULL);
}
