/* How an SSH server's host key is read: what servers may say, and in which pieces. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "gateway/look/host_key.h"
#include "ssh_server.h"

enum { ANSWER_MAX = 4096 };

struct talk {
    struct host_key *key;
    uint8_t answer[ANSWER_MAX];
    struct writer writer;
    struct sight sight;
    struct why why;
};

static void talk_begin(struct talk *talk)
{
    memset(talk, 0, sizeof *talk);
    talk->writer = writer_over(talk->answer, sizeof talk->answer);
    talk->key = host_key_new(0, &talk->writer);
    assert_non_null(talk->key);
}

/* In pieces of that size; what came of it. */
static int hear(struct talk *talk, const struct said *said, size_t piece)
{
    int heard = 0;
    talk_begin(talk);
    for (size_t at = 0; at < said->len && heard == 0; at += piece) {
        size_t len = said->len - at < piece ? said->len - at : piece;
        heard = host_key_take(talk->key, said->bytes + at, len, &talk->writer, &talk->sight,
                              &talk->why);
    }
    assert_false(talk->writer.failed);
    host_key_free(talk->key);
    return heard;
}

static void a_key_is_read_in_whatever_pieces_it_comes(void **state)
{
    static const size_t PIECES[] = {1, 2, 7, 100, 70000};
    uint8_t blob[64], hash[CRYPTO_HASH_SIZE];
    struct said said = {0};
    (void)state;
    say_text(&said, "Welcome.\r\n\nSSH is not the first word here\n");
    say_text(&said, "SSH-1.99-some server with words\n");
    say_packet(&said, (uint8_t[]){2, 0, 0, 0, 0}, 5); /* IGNORE */
    say_kexinit(&said, "nothing,curve25519-sha256,nor-this");
    say_packet(&said, (uint8_t[]){4, 1, 0, 0, 0, 0, 0, 0, 0, 0}, 10); /* DEBUG */
    say_reply(&said, "ssh-ed25519", 32, 'k');
    const struct crypto_piece piece = {blob, make_key(blob, sizeof blob, "ssh-ed25519", 32, 'k')};
    assert_int_equal(crypto_hash(&piece, 1, hash), 0);
    for (size_t i = 0; i < sizeof PIECES / sizeof *PIECES; i++) {
        struct talk talk;
        assert_int_equal(hear(&talk, &said, PIECES[i]), 1);
        assert_string_equal(
            talk.sight.host_key,
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tr");
        assert_memory_equal(talk.sight.identity, hash, sizeof hash);
        assert_memory_equal(talk.answer, "SSH-2.0-pamtunnel_", 18);
    }
}

static void a_fingerprint_is_what_ssh_keygen_says(void **state)
{
    /* printf 'ssh-ed25519 AAAA…tr' | ssh-keygen -lf - */
    struct said said = {0};
    struct talk talk;
    char text[SIGHT_TEXT_MAX];
    (void)state;
    say_ed25519(&said, 'k');
    assert_int_equal(hear(&talk, &said, said.len), 1);
    assert_string_equal(sight_text(talk.sight.identity, text),
                        "SHA256:sArVyTbDlP2ByuRNM59Xf/iwOUmdy69sxylyNl3iUQQ");
}

/* Payloads of the packets behind our identification. */
static struct reader nth_packet(const struct talk *talk, unsigned n)
{
    const uint8_t *at = (const uint8_t *)memchr(talk->answer, '\n', ANSWER_MAX) + 1;
    size_t left = sizeof talk->answer - talk->writer.left - (size_t)(at - talk->answer);
    struct reader all = reader_over(at, left);
    for (;;) {
        uint32_t len = read_u32(&all);
        uint8_t padding = read_u8(&all);
        const uint8_t *payload = read_bytes(&all, len - 1);
        assert_non_null(payload);
        assert_true(padding >= 4 && (len + 4) % 8 == 0);
        if (n-- == 0) {
            return reader_over(payload, len - 1 - padding);
        }
    }
}

static void a_public_key_is_of_the_exchange_that_both_have(void **state)
{
    static const struct {
        const char *theirs;
        uint32_t len;
        uint8_t first; /* 0: any */
    } ROWS[] = {
        {"curve25519-sha256@libssh.org,ecdh-sha2-nistp256", 32, 0},
        {"ecdh-sha2-nistp256,curve25519-sha256", 32, 0},
        {"diffie-hellman-group14-sha256,ecdh-sha2-nistp256", 65, 4},
        {"diffie-hellman-group14-sha1", 32, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct said said = {0};
        struct talk talk;
        say_text(&said, "SSH-2.0-server\r\n");
        say_kexinit(&said, ROWS[i].theirs);
        assert_int_equal(hear(&talk, &said, said.len), 0);
        struct reader kexinit = nth_packet(&talk, 0);
        assert_int_equal(read_u8(&kexinit), 20);
        read_bytes(&kexinit, 16);
        uint32_t len = read_u32(&kexinit); /* ours: the better ones first */
        assert_memory_equal(read_bytes(&kexinit, len), "curve25519-sha256,", 18);
        len = read_u32(&kexinit);
        assert_memory_equal(read_bytes(&kexinit, len), "ssh-ed25519,ecdsa-sha2-nistp256,", 32);
        struct reader init = nth_packet(&talk, 1);
        assert_int_equal(read_u8(&init), 30);
        len = read_u32(&init);
        assert_int_equal(len, ROWS[i].len);
        const uint8_t *key = read_bytes(&init, len);
        assert_true(reader_is_done(&init));
        assert_true(ROWS[i].first == 0 ? key[0] >= 0x40 && key[0] < 0x80 : key[0] == ROWS[i].first);
    }
}

static void every_type_that_is_asked_for_is_told(void **state)
{
    static const struct {
        const char *type;
        size_t len;
        int heard;
    } ROWS[] = {
        {"ssh-ed25519", 32, 1},       {"ecdsa-sha2-nistp521", 150, 1},
        {"ssh-rsa", 520, 1},          /* 4096 bits */
        {"ssh-rsa", 1040, -EMSGSIZE}, /* 8192 */
        {"ssh-dss", 400, -EBADMSG},   {"ssh-ed25519;reboot", 32, -EBADMSG},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct said said = {0};
        struct talk talk;
        say_text(&said, "SSH-2.0-server\r\n");
        say_kexinit(&said, "curve25519-sha256");
        say_reply(&said, ROWS[i].type, ROWS[i].len, 'k');
        assert_int_equal(hear(&talk, &said, said.len), ROWS[i].heard);
        if (ROWS[i].heard == 1) {
            size_t len = strlen(ROWS[i].type);
            assert_memory_equal(talk.sight.host_key, ROWS[i].type, len);
            assert_memory_equal(talk.sight.host_key + len, " AAAA", 5);
        }
    }
}

static void assert_no_key(const struct said *said, const char *why)
{
    struct talk talk;
    assert_true(hear(&talk, said, said->len) < 0);
    assert_string_equal(talk.why.text, why);
    assert_true(hear(&talk, said, 1) < 0);
    assert_string_equal(talk.why.text, why);
}

static void what_is_no_ssh_server_is_told_in_words(void **state)
{
    struct said said = {0};
    (void)state;
    for (unsigned i = 0; i <= 256; i++) {
        say_text(&said, "HTTP/1.1 400 Bad Request\r\n");
    }
    assert_no_key(&said, "it does not speak SSH");
    said.len = sizeof said.bytes; /* zeros without an end of a line */
    memset(said.bytes, 0, said.len);
    assert_no_key(&said, "it does not speak SSH");
    said.len = 0;
    say_text(&said, "SSH-1.5-old\r\n");
    assert_no_key(&said, "it speaks SSH of a version other than 2");
    said.len = 0;
    say_text(&said, "SSH-2.0-odd\r\n");
    say_text(&said, "a packet of many bytes");
    assert_no_key(&said, "it does not speak SSH");
    said.len = 0;
    say_text(&said, "SSH-2.0-server\r\n");
    say_kexinit(&said, "curve25519-sha25,curve25519-sha2567,");
    assert_no_key(&said, "it has no key exchange that is known here");
}

static void a_server_that_disconnects_may_say_why(void **state)
{
    static const uint8_t DISCONNECT[] = "\1\0\0\0\2\0\0\0\16Too \303 many\n!\1\2";
    struct said said = {0};
    (void)state;
    say_text(&said, "SSH-2.0-server\r\n");
    say_packet(&said, DISCONNECT, sizeof DISCONNECT - 1);
    assert_no_key(&said, "it disconnects, reason 2: Too ? many?!??");
    said.len = 0;
    say_text(&said, "SSH-2.0-server\r\n");
    say_packet(&said, DISCONNECT, 1); /* nothing behind the type */
    assert_no_key(&said, "it disconnects, reason 0: ");
}

static void nothing_goes_on_for_ever(void **state)
{
    struct said said = {0};
    (void)state;
    say_text(&said, "SSH-2.0-server\r\n");
    for (unsigned i = 0; i <= 256; i++) {
        say_packet(&said, (uint8_t[]){2}, 1);
    }
    assert_no_key(&said, "it does not speak SSH");
    said.len = 0;
    say_text(&said, "SSH-2.0-server\r\n");
    say_kexinit(&said, "curve25519-sha256");
    say_kexinit(&said, "curve25519-sha256");
    assert_no_key(&said, "it sends SSH's message 20 at the wrong time");
    said.len = 0;
    say_text(&said, "SSH-2.0-server\r\n");
    say_reply(&said, "ssh-ed25519", 32, 'k'); /* before anything was agreed on */
    assert_no_key(&said, "it sends SSH's message 31 at the wrong time");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_read_in_whatever_pieces_it_comes),
        cmocka_unit_test(a_fingerprint_is_what_ssh_keygen_says),
        cmocka_unit_test(a_public_key_is_of_the_exchange_that_both_have),
        cmocka_unit_test(every_type_that_is_asked_for_is_told),
        cmocka_unit_test(what_is_no_ssh_server_is_told_in_words),
        cmocka_unit_test(a_server_that_disconnects_may_say_why),
        cmocka_unit_test(nothing_goes_on_for_ever),
    };
    return cmocka_run_group_tests_name("host_key", tests, NULL, NULL);
}
