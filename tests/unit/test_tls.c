/*
 * The handshake by key and the records behind it, over socket pairs: with our
 * own other side, with clients that are none of ours, and with raw bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <mbedtls/sha256.h>
#include <mbedtls/ssl.h>

#include "control/tls.h"
#include "dice.h"
#include "shared/gateway_name.h"

enum { AT_REST = 1 }; /* a handshake that waits for the other side */

static const uint8_t KEY[CRYPTO_KEY_SIZE] = "a key of thirty-two bytes, yes..";
static const uint8_t OTHER_KEY[CRYPTO_KEY_SIZE] = "a key of thirty-two bytes, no...";
static const uint8_t NEXT_KEY[CRYPTO_KEY_SIZE] = "a key of thirty-two bytes, then.";

struct pair {
    int server_fd, client_fd;
    struct tls_config *server_config, *client_config;
    struct tls *server, *client;
    int server_result, client_result; /* of the handshake; AT_REST */
    struct why server_why, client_why;
    unsigned asked; /* how often the server looked for a key */
    bool takes_strangers;
};

/* "office" has two. */
static int key_of(void *arg, int fd, const char *identity, unsigned nth,
                  uint8_t ret_key[CRYPTO_KEY_SIZE])
{
    struct pair *pair = arg;
    (void)fd;
    pair->asked++;
    if (nth == 0 && strcmp(identity, TLS_STRANGER) == 0 && pair->takes_strangers) {
        memcpy(ret_key, TLS_STRANGER_KEY, CRYPTO_KEY_SIZE);
        return 0;
    }
    if (nth == 1 && strcmp(identity, "office") == 0) {
        memcpy(ret_key, NEXT_KEY, CRYPTO_KEY_SIZE);
        return 0;
    }
    if (nth > 0 || (strcmp(identity, "home") != 0 && strcmp(identity, "office") != 0)) {
        return -ENOENT;
    }
    memcpy(ret_key, strcmp(identity, "home") == 0 ? KEY : OTHER_KEY, CRYPTO_KEY_SIZE);
    return 0;
}

static void pair_open(struct pair *pair, const char *name, const uint8_t *key)
{
    int fds[2];
    memset(pair, 0, sizeof *pair);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    pair->server_fd = fds[0];
    pair->client_fd = fds[1];
    assert_int_equal(tls_config_server(key_of, pair, &pair->server_config), 0);
    assert_int_equal(tls_new(pair->server_config, pair->server_fd, &pair->server), 0);
    if (name) {
        assert_int_equal(tls_config_client(name, key, &pair->client_config), 0);
        assert_int_equal(tls_new(pair->client_config, pair->client_fd, &pair->client), 0);
    }
    pair->server_result = pair->client_result = AT_REST;
}

static void pair_close(struct pair *pair)
{
    tls_free(pair->client);
    tls_free(pair->server);
    tls_config_free(pair->client_config);
    tls_config_free(pair->server_config);
    close(pair->client_fd);
    close(pair->server_fd);
}

/* One step of one side, if it has not come to its end. */
static void step(struct tls *tls, int *result, struct why *why)
{
    if (*result == AT_REST) {
        int err = tls_handshake(tls, why);
        *result = err == TLS_WANT_READ || err == TLS_WANT_WRITE ? AT_REST : err;
    }
}

static void server_step(struct pair *pair)
{
    step(pair->server, &pair->server_result, &pair->server_why);
}

static void shake_hands(struct pair *pair)
{
    for (int i = 0; i < 10; i++) {
        step(pair->client, &pair->client_result, &pair->client_why);
        server_step(pair);
    }
}

static void pair_open_and_shake(struct pair *pair)
{
    pair_open(pair, "home", KEY);
    shake_hands(pair);
    assert_int_equal(pair->server_result, 0);
    assert_int_equal(pair->client_result, 0);
}

static void send_raw(struct pair *pair, const void *bytes, size_t len)
{
    assert_int_equal(send(pair->client_fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* What our client says first. Returns its length. */
static size_t client_hello(struct pair *pair, uint8_t hello[2048])
{
    step(pair->client, &pair->client_result, &pair->client_why);
    assert_int_equal(pair->client_result, AT_REST);
    ssize_t len = recv(pair->server_fd, hello, 2048, 0);
    assert_in_range(len, 100, 2047);
    return (size_t)len;
}

/* ---- our own two sides ---------------------------------------------------- */

static void with_the_right_key_both_are_in_and_talk(void **state)
{
    struct pair pair;
    char buf[64];
    (void)state;
    pair_open_and_shake(&pair);
    assert_string_equal(tls_identity(pair.server), "home");
    assert_int_equal(pair.asked, 1);
    assert_int_equal(tls_read(pair.server, buf, sizeof buf), TLS_WANT_READ);
    assert_int_equal(tls_write(pair.client, "hello", 5), 5);
    assert_int_equal(tls_write(pair.client, "again", 5), 5);
    assert_int_equal(tls_read(pair.server, buf, 3), 3); /* in whatever pieces */
    assert_int_equal(tls_read(pair.server, buf + 3, sizeof buf), 2);
    assert_memory_equal(buf, "hello", 5);
    assert_int_equal(tls_read(pair.server, buf, sizeof buf), 5);
    assert_int_equal(tls_write(pair.server, "answer", 6), 6);
    assert_int_equal(tls_read(pair.client, buf, sizeof buf), 6);
    assert_memory_equal(buf, "answer", 6);
    pair_close(&pair);
}

static void what_is_on_the_wire_is_not_what_was_written(void **state)
{
    struct pair pair;
    char wire[256];
    (void)state;
    pair_open_and_shake(&pair);
    assert_int_equal(tls_write(pair.client, "SECRETSECRET", 12), 12);
    ssize_t len = recv(pair.server_fd, wire, sizeof wire, 0);
    assert_in_range(len, 12 + 5 + 16, sizeof wire);
    assert_null(memmem(wire, (size_t)len, "SECRET", 6));
    pair_close(&pair);
}

static void an_end_is_an_end_with_or_without_goodbye(void **state)
{
    char buf[16];
    (void)state;
    for (int polite = 0; polite < 2; polite++) {
        struct pair pair;
        pair_open_and_shake(&pair);
        assert_int_equal(tls_write(pair.client, "last", 4), 4);
        if (polite) {
            tls_close_notify(pair.client);
        } else {
            shutdown(pair.client_fd, SHUT_WR);
        }
        assert_int_equal(tls_read(pair.server, buf, sizeof buf), 4);
        assert_int_equal(tls_read(pair.server, buf, sizeof buf), 0);
        pair_close(&pair);
    }
}

static void a_wrong_key_is_turned_away_on_both_sides(void **state)
{
    struct pair pair;
    (void)state;
    pair_open(&pair, "home", OTHER_KEY);
    shake_hands(&pair);
    assert_int_equal(pair.server_result, -EACCES);
    assert_string_equal(pair.server_why.text, "\"home\" does not hold the right key");
    assert_int_equal(pair.client_result, -EACCES);
    pair_close(&pair);
}

static void a_key_opens_no_other_gateways_name(void **state)
{
    struct pair pair;
    (void)state;
    pair_open(&pair, "office", KEY); /* a key of ours, but home's */
    shake_hands(&pair);
    assert_int_equal(pair.server_result, -EACCES);
    pair_close(&pair);
}

/* As while one key replaces another: either side of that is let in, and known by its key. */
static void either_of_two_keys_is_right(void **state)
{
    static const uint8_t *const KEYS[] = {OTHER_KEY, NEXT_KEY};
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct pair pair;
        char buf[16];
        pair_open(&pair, "office", KEYS[i]);
        shake_hands(&pair);
        assert_int_equal(pair.server_result, 0);
        assert_int_equal(pair.client_result, 0);
        assert_string_equal(tls_identity(pair.server), "office");
        assert_int_equal(tls_key_number(pair.server), i);
        assert_int_equal(tls_write(pair.client, "hello", 5), 5);
        assert_int_equal(tls_read(pair.server, buf, sizeof buf), 5);
        pair_close(&pair);
    }
}

/* In whatever pieces it comes: what was read for the first key is read again for the second. */
static void the_second_key_takes_no_second_flight(void **state)
{
    struct pair pair;
    uint8_t hello[2048], answer[256];
    (void)state;
    pair_open(&pair, "office", NEXT_KEY);
    size_t len = client_hello(&pair, hello);
    for (size_t i = 0; i < len; i++) {
        assert_false(tls_peer_is_proven(pair.server));
        send_raw(&pair, hello + i, 1);
        server_step(&pair);
        assert_int_equal(pair.server_result, AT_REST);
    }
    assert_true(tls_peer_is_proven(pair.server));
    assert_true(recv(pair.client_fd, answer, sizeof answer, 0) > 0);
    assert_int_equal(answer[0], MBEDTLS_SSL_MSG_HANDSHAKE);
    pair_close(&pair);
}

/* So that the time that it takes tells nobody which names have two. */
static void everybody_is_tried_with_two_keys(void **state)
{
    static const char *const NAMES[] = {"home", "office", "away"};
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct pair pair;
        static const uint8_t WRONG[CRYPTO_KEY_SIZE] = "none of these";
        pair_open(&pair, NAMES[i], WRONG);
        shake_hands(&pair);
        assert_int_equal(pair.server_result, -EACCES);
        assert_int_equal(pair.client_result, -EACCES);
        assert_int_equal(pair.asked, 2);
        pair_close(&pair);
    }
}

static void an_unknown_name_is_said_on_the_server(void **state)
{
    struct pair pair;
    (void)state;
    pair_open(&pair, "away", KEY);
    shake_hands(&pair);
    assert_int_equal(pair.server_result, -EACCES);
    assert_string_equal(pair.server_why.text, "unknown gateway name \"away\"");
    assert_int_equal(pair.client_result, -EACCES);
    pair_close(&pair);
}

/* What the server says to a hello with this name and key, byte for byte. */
static size_t answer_to(const char *name, const uint8_t *key, uint8_t answer[256])
{
    struct pair pair;
    uint8_t hello[2048];
    pair_open(&pair, name, key);
    size_t len = client_hello(&pair, hello);
    send_raw(&pair, hello, len);
    server_step(&pair);
    assert_int_equal(pair.server_result, -EACCES);
    assert_false(tls_peer_is_proven(pair.server));
    ssize_t got = recv(pair.client_fd, answer, 256, 0);
    assert_true(got > 0);
    pair_close(&pair);
    return (size_t)got;
}

static void an_unknown_name_fails_as_a_wrong_key_does(void **state)
{
    static const char *const UNKNOWN[] = {"away", "HOME2", "a b", "../home"};
    uint8_t wrong_key[256], answer[256];
    size_t len = answer_to("home", OTHER_KEY, wrong_key);
    (void)state;
    assert_int_equal(len, 7);
    assert_int_equal(wrong_key[6], MBEDTLS_SSL_ALERT_MSG_DECRYPT_ERROR);
    for (size_t i = 0; i < sizeof UNKNOWN / sizeof *UNKNOWN; i++) {
        assert_int_equal(answer_to(UNKNOWN[i], KEY, answer), len);
        assert_memory_equal(answer, wrong_key, len);
    }
}

/* The first flight of the one that has the key is all that it takes, and nothing less. */
static void a_right_binder_is_noticed_with_the_first_flight(void **state)
{
    struct pair pair;
    uint8_t hello[2048];
    (void)state;
    pair_open(&pair, "home", KEY);
    size_t len = client_hello(&pair, hello);
    send_raw(&pair, hello, len - 1);
    server_step(&pair);
    assert_false(tls_peer_is_proven(pair.server));
    send_raw(&pair, hello + len - 1, 1);
    server_step(&pair);
    assert_int_equal(pair.server_result, AT_REST);
    assert_true(tls_peer_is_proven(pair.server));
    assert_false(tls_peer_is_proven(pair.client));
    pair_close(&pair);
}

/* The key that everybody has is good for talking, and for nothing that a key is good for. */
static void a_stranger_is_let_in_and_proves_nothing(void **state)
{
    struct pair pair;
    char buf[8];
    (void)state;
    pair_open(&pair, TLS_STRANGER, TLS_STRANGER_KEY);
    pair.takes_strangers = true;
    shake_hands(&pair);
    assert_int_equal(pair.server_result, 0);
    assert_int_equal(pair.client_result, 0);
    assert_string_equal(tls_identity(pair.server), TLS_STRANGER);
    assert_false(gateway_name_is_valid(TLS_STRANGER));
    assert_false(tls_peer_is_proven(pair.server));
    assert_int_equal(tls_write(pair.client, "hello", 5), 5);
    assert_int_equal(tls_read(pair.server, buf, sizeof buf), 5);
    pair_close(&pair);
}

static void a_stranger_fails_as_a_wrong_key_does_where_none_is_taken(void **state)
{
    struct pair pair;
    (void)state;
    pair_open(&pair, TLS_STRANGER, TLS_STRANGER_KEY);
    shake_hands(&pair);
    assert_int_equal(pair.asked, TLS_KEYS_PER_NAME);
    assert_int_equal(pair.server_result, -EACCES);
    assert_int_equal(pair.client_result, -EACCES);
    assert_string_equal(pair.server_why.text, "it wants to be paired, and too many do");
    pair_close(&pair);
    /* That key under a gateway's name, and another key under no name. */
    pair_open(&pair, "home", TLS_STRANGER_KEY);
    shake_hands(&pair);
    assert_int_equal(pair.server_result, -EACCES);
    pair_close(&pair);
    pair_open(&pair, TLS_STRANGER, KEY);
    pair.takes_strangers = true;
    shake_hands(&pair);
    assert_int_equal(pair.server_result, -EACCES);
    assert_int_equal(pair.client_result, -EACCES);
    pair_close(&pair);
}

static void an_identity_that_is_no_name_is_not_even_looked_up(void **state)
{
    static const char *const NAMES[] = {
        "a b",
        "-home",
        "home\n",
        "h\xc3\xb6me",
        "../home",
        "\"; drop",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", /* 64 */
    };
    (void)state;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        struct pair pair;
        pair_open(&pair, NAMES[i], KEY);
        shake_hands(&pair);
        assert_int_equal(pair.server_result, -EACCES);
        assert_int_equal(pair.asked, 0);
        assert_null(strstr(pair.server_why.text, NAMES[i])); /* nothing of it in our log */
        pair_close(&pair);
    }
}

/* ---- clients that are none of ours ---------------------------------------- */

struct foreign {
    mbedtls_ssl_config config;
    mbedtls_ssl_context ssl;
    int fd;
};

static int foreign_send(void *arg, const unsigned char *buf, size_t len)
{
    struct foreign *foreign = arg;
    ssize_t sent = send(foreign->fd, buf, len, MSG_NOSIGNAL);
    return sent >= 0 ? (int)sent : MBEDTLS_ERR_SSL_WANT_WRITE;
}

static int foreign_receive(void *arg, unsigned char *buf, size_t len)
{
    struct foreign *foreign = arg;
    ssize_t got = recv(foreign->fd, buf, len, 0);
    return got >= 0 ? (int)got : MBEDTLS_ERR_SSL_WANT_READ;
}

static int foreign_random(void *arg, unsigned char *buf, size_t len)
{
    (void)arg;
    return crypto_random(buf, len);
}

static void foreign_configure(struct foreign *foreign, mbedtls_ssl_protocol_version least,
                              mbedtls_ssl_protocol_version most)
{
    mbedtls_ssl_config_init(&foreign->config);
    assert_int_equal(mbedtls_ssl_config_defaults(&foreign->config, MBEDTLS_SSL_IS_CLIENT,
                                                 MBEDTLS_SSL_TRANSPORT_STREAM,
                                                 MBEDTLS_SSL_PRESET_DEFAULT),
                     0);
    mbedtls_ssl_conf_rng(&foreign->config, foreign_random, NULL);
    mbedtls_ssl_conf_authmode(&foreign->config, MBEDTLS_SSL_VERIFY_NONE);
    mbedtls_ssl_conf_min_tls_version(&foreign->config, least);
    mbedtls_ssl_conf_max_tls_version(&foreign->config, most);
}

static void foreign_open(struct foreign *foreign, int fd)
{
    foreign->fd = fd;
    mbedtls_ssl_init(&foreign->ssl);
    assert_int_equal(mbedtls_ssl_setup(&foreign->ssl, &foreign->config), 0);
    mbedtls_ssl_set_bio(&foreign->ssl, foreign, foreign_send, foreign_receive, NULL);
}

static void foreign_close(struct foreign *foreign)
{
    mbedtls_ssl_free(&foreign->ssl);
    mbedtls_ssl_config_free(&foreign->config);
}

static void clients_without_a_key_or_of_tls_1_2_are_turned_away(void **state)
{
    static const struct {
        mbedtls_ssl_protocol_version least, most;
    } ROWS[] = {
        {MBEDTLS_SSL_VERSION_TLS1_3, MBEDTLS_SSL_VERSION_TLS1_3},
        {MBEDTLS_SSL_VERSION_TLS1_2, MBEDTLS_SSL_VERSION_TLS1_2},
        {MBEDTLS_SSL_VERSION_TLS1_2, MBEDTLS_SSL_VERSION_TLS1_3},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct pair pair;
        struct foreign foreign;
        int ret = MBEDTLS_ERR_SSL_WANT_READ;
        pair_open(&pair, NULL, NULL);
        foreign_configure(&foreign, ROWS[i].least, ROWS[i].most);
        foreign_open(&foreign, pair.client_fd);
        for (int turn = 0; turn < 10 && ret == MBEDTLS_ERR_SSL_WANT_READ; turn++) {
            ret = mbedtls_ssl_handshake(&foreign.ssl);
            server_step(&pair);
        }
        assert_true(pair.server_result < 0);
        assert_true(pair.server_why.text[0]);
        assert_int_equal(ret, MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE);
        assert_int_equal(pair.asked, 0);
        foreign_close(&foreign);
        pair_close(&pair);
    }
}

/* ---- a ClientHello of our own making -------------------------------------- */

enum { BINDER = 32, BINDERS = 2 + 1 + BINDER, RECORD_HEADER = 5 };

/* HKDF-Expand-Label(secret, label, context, 32) of RFC 8446, section 7.1. */
static void expand_label(const uint8_t secret[32], const char *label, const uint8_t *context,
                         size_t context_len, uint8_t ret[32])
{
    uint8_t head[64] = {0, 32, (uint8_t)(6 + strlen(label))};
    size_t len = 3 + (size_t)sprintf((char *)head + 3, "tls13 %s", label);
    head[len++] = (uint8_t)context_len;
    const struct crypto_piece pieces[] = {{head, len}, {context, context_len}, {"\1", 1}};
    assert_int_equal(crypto_mac(secret, pieces, 3, ret), 0);
}

/* The binder of the one PSK at the end of a ClientHello (RFC 8446, section 4.2.11.2). */
static void binder_of(const uint8_t *record, size_t len, const uint8_t key[32], uint8_t ret[BINDER])
{
    uint8_t zeros[32] = {0}, early[32], hash[32], binder_key[32], finished[32];
    const struct crypto_piece psk = {key, 32}, transcript = {hash, sizeof hash};
    assert_int_equal(crypto_mac(zeros, &psk, 1, early), 0);
    mbedtls_sha256(zeros, 0, hash, 0);
    expand_label(early, "ext binder", hash, sizeof hash, binder_key);
    expand_label(binder_key, "finished", NULL, 0, finished);
    mbedtls_sha256(record + RECORD_HEADER, len - RECORD_HEADER - BINDERS, hash, 0);
    assert_int_equal(crypto_mac(finished, &transcript, 1, ret), 0);
}

static void a_key_without_diffie_hellman_is_turned_away(void **state)
{
    static const uint8_t WITH_DHE[] = {0, 45, 0, 2, 1, 1}; /* psk_key_exchange_modes */
    struct pair pair;
    uint8_t hello[2048], binder[BINDER];
    (void)state;
    pair_open(&pair, "home", KEY);
    size_t len = client_hello(&pair, hello);
    binder_of(hello, len, KEY, binder);
    assert_memory_equal(hello + len - BINDER, binder, BINDER); /* we do know how to make one */

    uint8_t *modes = memmem(hello, len, WITH_DHE, sizeof WITH_DHE);
    assert_non_null(modes);
    modes[5] = 0; /* psk_ke */
    binder_of(hello, len, KEY, hello + len - BINDER);
    send_raw(&pair, hello, len);
    server_step(&pair);
    assert_true(pair.server_result < 0);
    ssize_t answer = recv(pair.client_fd, hello, sizeof hello, 0);
    assert_int_equal(answer, 7);
    assert_int_equal(hello[0], MBEDTLS_SSL_MSG_ALERT);
    pair_close(&pair);

    /* To be sure that it was not for something else: the same hello with the mode we serve. */
    pair_open(&pair, "home", KEY);
    len = client_hello(&pair, hello);
    binder_of(hello, len, KEY, hello + len - BINDER);
    send_raw(&pair, hello, len);
    server_step(&pair);
    assert_int_equal(pair.server_result, AT_REST);
    assert_in_range(recv(pair.client_fd, hello, sizeof hello, 0), 100, 2000);
    pair_close(&pair);
}

/* Groups that we do not serve, in a hello with a right binder. */
static void who_has_the_key_but_no_group_in_common_is_not_told_a_wrong_key(void **state)
{
    static const uint16_t SECP521R1_ALONE[] = {MBEDTLS_SSL_IANA_TLS_GROUP_SECP521R1,
                                               MBEDTLS_SSL_IANA_TLS_GROUP_NONE};
    struct pair pair;
    struct foreign foreign;
    int ret = MBEDTLS_ERR_SSL_WANT_READ;
    (void)state;
    pair_open(&pair, NULL, NULL);
    foreign_configure(&foreign, MBEDTLS_SSL_VERSION_TLS1_3, MBEDTLS_SSL_VERSION_TLS1_3);
    mbedtls_ssl_conf_groups(&foreign.config, SECP521R1_ALONE);
    mbedtls_ssl_conf_tls13_key_exchange_modes(&foreign.config,
                                              MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_PSK_EPHEMERAL);
    assert_int_equal(
        mbedtls_ssl_conf_psk(&foreign.config, KEY, sizeof KEY, (const unsigned char *)"home", 4),
        0);
    foreign_open(&foreign, pair.client_fd);
    for (int turn = 0; turn < 10 && ret == MBEDTLS_ERR_SSL_WANT_READ; turn++) {
        ret = mbedtls_ssl_handshake(&foreign.ssl);
        server_step(&pair);
    }
    assert_int_equal(pair.asked, 1);
    assert_int_equal(pair.server_result, -EPROTO);
    assert_non_null(strstr(pair.server_why.text, "groups"));
    foreign_close(&foreign);
    pair_close(&pair);
}

static void a_changed_bit_in_the_hello_turns_it_away(void **state)
{
    struct dice dice = dice_new();
    (void)state;
    for (int round = 0; round < 60; round++) {
        struct pair pair;
        uint8_t hello[2048];
        pair_open(&pair, "home", KEY);
        size_t len = client_hello(&pair, hello);
        size_t bit = 8 * RECORD_HEADER + dice_below(&dice, 8 * (len - RECORD_HEADER));
        hello[bit / 8] ^= (uint8_t)(1 << bit % 8);
        send_raw(&pair, hello, len);
        shutdown(pair.client_fd, SHUT_WR);
        server_step(&pair);
        assert_true(pair.server_result < 0);
        assert_true(pair.server_why.text[0]);
        pair_close(&pair);
    }
}

/* ---- raw bytes ------------------------------------------------------------ */

static void a_handshake_may_come_byte_by_byte(void **state)
{
    struct pair pair;
    uint8_t hello[2048];
    (void)state;
    pair_open(&pair, "home", KEY);
    size_t len = client_hello(&pair, hello);
    for (size_t i = 0; i < len; i++) {
        server_step(&pair);
        assert_int_equal(pair.server_result, AT_REST);
        send_raw(&pair, hello + i, 1);
    }
    shake_hands(&pair);
    assert_int_equal(pair.server_result, 0);
    assert_int_equal(pair.client_result, 0);
    pair_close(&pair);
}

static void a_handshake_cut_off_anywhere_is_a_hang_up(void **state)
{
    uint8_t hello[2048];
    struct pair pair;
    (void)state;
    pair_open(&pair, "home", KEY);
    size_t len = client_hello(&pair, hello);
    pair_close(&pair);
    for (size_t cut = 0; cut < len; cut += 1 + len / 40) {
        pair_open(&pair, NULL, NULL);
        send_raw(&pair, hello, cut);
        server_step(&pair);
        assert_int_equal(pair.server_result, AT_REST);
        shutdown(pair.client_fd, SHUT_WR);
        server_step(&pair);
        assert_int_equal(pair.server_result, -ECONNRESET);
        assert_string_equal(pair.server_why.text, "hung up during the handshake");
        pair_close(&pair);
    }
}

static void what_is_no_tls_is_turned_away(void **state)
{
#define BYTES(literal)              \
    {                               \
        literal, sizeof literal - 1 \
    }
    static const struct {
        const char *bytes;
        size_t len;
    } ROWS[] = {
        BYTES("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        BYTES("SSH-2.0-OpenSSH_9.2\r\n"),
        BYTES("\x03\0\0\x13\x0e\xe0\0\0\0\0\0\1\0\x08\0\x0b\0\0\0"), /* RDP */
        BYTES("\x80\x2e\x01\0\2\0\x15\0\0\0\x10\1\0\x80"),           /* SSL 2 */
        BYTES("\x16\3\1\xff\xff\1"),                                 /* a record above 16 KiB */
        BYTES("\x16\3\3\0\4\1\xff\xff\xff"),                         /* a hello of 16 MiB */
        BYTES("\x16\3\3\0\4\2\0\0\0"),                               /* a ServerHello */
        BYTES("\x17\3\3\0\1x"),                                      /* data at once */
        BYTES("\x15\3\3\0\2\2\x28"),                                 /* a fatal alert */
        BYTES("\x18\3\3\0\3\1\x40\0"),                               /* a heartbeat */
        BYTES("\x14\3\3\0\1\2"),
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct pair pair;
        pair_open(&pair, NULL, NULL);
        send_raw(&pair, ROWS[i].bytes, ROWS[i].len);
        server_step(&pair);
        shutdown(pair.client_fd, SHUT_WR);
        server_step(&pair);
        if (pair.server_result >= 0 || !pair.server_why.text[0]) {
            fail_msg("row %zu: %d", i, pair.server_result);
        }
        pair_close(&pair);
    }
}

static void random_bytes_are_turned_away(void **state)
{
    struct dice dice = dice_new();
    (void)state;
    for (int round = 0; round < 200; round++) {
        struct pair pair;
        uint8_t junk[600];
        dice_fill(&dice, junk, sizeof junk);
        if (dice_below(&dice, 2)) {
            memcpy(junk, "\x16\3\1\1\xf4\1\0\1\xf0\3\3", 11); /* so that it is read further */
        }
        pair_open(&pair, NULL, NULL);
        send_raw(&pair, junk, sizeof junk);
        shutdown(pair.client_fd, SHUT_WR);
        server_step(&pair);
        assert_true(pair.server_result < 0);
        pair_close(&pair);
    }
}

/* As many of these as the socket takes. Returns how many bytes wait there. */
static size_t flood(struct pair *pair, const void *record, size_t len)
{
    size_t sent = 0;
    while (send(pair->client_fd, record, len, MSG_NOSIGNAL) == (ssize_t)len) {
        sent += len;
    }
    return sent;
}

static size_t unread(int fd)
{
    int count = 0;
    assert_int_equal(ioctl(fd, FIONREAD, &count), 0);
    return (size_t)count;
}

/* mbedTLS skips such records by itself, and would as long as more of them come. */
static void a_flood_of_idle_records_does_not_hold_up_the_loop(void **state)
{
    static const char *const IDLE[] = {"\x14\3\3\0\1\1", "\x15\3\3\0\2\1\x5a"};
    static const size_t LENGTHS[] = {6, 7};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct pair pair;
        pair_open(&pair, NULL, NULL);
        int room = 1 << 20;
        setsockopt(pair.client_fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
        size_t sent = flood(&pair, IDLE[i], LENGTHS[i]);
        assert_true(sent > 1500);
        server_step(&pair);
        assert_in_range(sent - unread(pair.server_fd), 1, 1000);
        /* Nor does a handshake get any number of turns for it. */
        for (int turn = 0; turn < 1000 && pair.server_result == AT_REST; turn++) {
            flood(&pair, IDLE[i], LENGTHS[i]);
            server_step(&pair);
        }
        assert_true(pair.server_result < 0 && pair.server_result != AT_REST);
        pair_close(&pair);
    }
}

static void a_flood_behind_the_handshake_does_not_either(void **state)
{
    struct pair pair;
    char buf[64];
    (void)state;
    pair_open_and_shake(&pair);
    size_t sent = flood(&pair, "\x14\3\3\0\1\1", 6);
    long got = tls_read(pair.server, buf, sizeof buf);
    assert_int_equal(got, TLS_WANT_READ);
    assert_in_range(sent - unread(pair.server_fd), 1, 1000);
    while (unread(pair.server_fd) > 0 || tls_holds_bytes(pair.server)) {
        assert_int_equal(tls_read(pair.server, buf, sizeof buf), TLS_WANT_READ);
    }
    assert_int_equal(tls_write(pair.client, "still there", 11), 11);
    assert_int_equal(tls_read(pair.server, buf, sizeof buf), 11);
    pair_close(&pair);
}

/* ---- records -------------------------------------------------------------- */

static void a_changed_record_is_refused(void **state)
{
    struct pair pair;
    char wire[256], buf[64];
    (void)state;
    pair_open_and_shake(&pair);
    assert_int_equal(tls_write(pair.client, "hello", 5), 5);
    ssize_t len = recv(pair.server_fd, wire, sizeof wire, 0);
    assert_true(len > 10);
    wire[len - 1] ^= 1;
    send_raw(&pair, wire, (size_t)len);
    assert_int_equal(tls_read(pair.server, buf, sizeof buf), -EPROTO);
    pair_close(&pair);

    pair_open_and_shake(&pair); /* the same record twice */
    assert_int_equal(tls_write(pair.client, "hello", 5), 5);
    len = recv(pair.server_fd, wire, sizeof wire, 0);
    send_raw(&pair, wire, (size_t)len);
    send_raw(&pair, wire, (size_t)len);
    assert_int_equal(tls_read(pair.server, buf, sizeof buf), 5);
    assert_int_equal(tls_read(pair.server, buf, sizeof buf), -EPROTO);
    pair_close(&pair);
}

static void a_broken_connection_is_its_errno(void **state)
{
    struct pair pair;
    char buf[64];
    (void)state;
    pair_open_and_shake(&pair);
    close(pair.client_fd);
    pair.client_fd = -1;
    assert_int_equal(tls_write(pair.server, "hello", 5), -EPIPE);
    assert_int_equal(tls_read(pair.server, buf, sizeof buf), 0);
    pair_close(&pair);
}

enum { BIG = 300000 };

struct outbox {
    uint8_t *bytes; /* what is still to be written, at an address that changes */
    size_t len;
    const uint8_t *source;
    size_t sourced;
};

/* As a queue does it: more is added behind while a write is pending, and it moves in memory. */
static void grow(struct outbox *outbox, size_t more)
{
    more = more < BIG - outbox->sourced ? more : BIG - outbox->sourced;
    uint8_t *moved = malloc(outbox->len + more + 1);
    memcpy(moved, outbox->bytes ? outbox->bytes : moved, outbox->len);
    memcpy(moved + outbox->len, outbox->source + outbox->sourced, more);
    free(outbox->bytes);
    outbox->bytes = moved;
    outbox->len += more;
    outbox->sourced += more;
}

static unsigned write_until_full(struct outbox *outbox, struct tls *tls)
{
    while (outbox->len > 0) {
        long sent = tls_write(tls, outbox->bytes, outbox->len);
        if (sent == TLS_WANT_WRITE) {
            return 1;
        }
        assert_in_range(sent, 1, outbox->len);
        outbox->len -= (size_t)sent;
        memmove(outbox->bytes, outbox->bytes + sent, outbox->len);
    }
    return 0;
}

static void a_write_that_did_not_fit_goes_on_where_it_stopped(void **state)
{
    struct dice dice = dice_new();
    struct pair pair;
    uint8_t *source = malloc(BIG), *got = malloc(BIG);
    struct outbox outbox = {.source = source};
    size_t have = 0;
    unsigned full = 0;
    int small = 4096;
    (void)state;
    dice_fill(&dice, source, BIG);
    pair_open_and_shake(&pair);
    setsockopt(pair.client_fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    while (have < BIG) {
        grow(&outbox, 1 + dice_below(&dice, 40000));
        full += write_until_full(&outbox, pair.client);
        for (size_t reads = dice_below(&dice, 12); reads > 0 && have < BIG; reads--) {
            long len = tls_read(pair.server, got + have, 1 + dice_below(&dice, BIG - have));
            assert_true(len > 0 || len == TLS_WANT_READ);
            have += len > 0 ? (size_t)len : 0;
        }
    }
    assert_true(full > 5);
    assert_memory_equal(source, got, BIG);
    free(outbox.bytes);
    free(source);
    free(got);
    pair_close(&pair);
}

static int library_free(void **state)
{
    (void)state;
    tls_library_free();
    tls_config_free(NULL);
    tls_free(NULL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_the_right_key_both_are_in_and_talk),
        cmocka_unit_test(what_is_on_the_wire_is_not_what_was_written),
        cmocka_unit_test(an_end_is_an_end_with_or_without_goodbye),
        cmocka_unit_test(a_wrong_key_is_turned_away_on_both_sides),
        cmocka_unit_test(a_key_opens_no_other_gateways_name),
        cmocka_unit_test(either_of_two_keys_is_right),
        cmocka_unit_test(the_second_key_takes_no_second_flight),
        cmocka_unit_test(everybody_is_tried_with_two_keys),
        cmocka_unit_test(an_unknown_name_is_said_on_the_server),
        cmocka_unit_test(an_unknown_name_fails_as_a_wrong_key_does),
        cmocka_unit_test(a_right_binder_is_noticed_with_the_first_flight),
        cmocka_unit_test(who_has_the_key_but_no_group_in_common_is_not_told_a_wrong_key),
        cmocka_unit_test(an_identity_that_is_no_name_is_not_even_looked_up),
        cmocka_unit_test(clients_without_a_key_or_of_tls_1_2_are_turned_away),
        cmocka_unit_test(a_key_without_diffie_hellman_is_turned_away),
        cmocka_unit_test(a_changed_bit_in_the_hello_turns_it_away),
        cmocka_unit_test(a_handshake_may_come_byte_by_byte),
        cmocka_unit_test(a_handshake_cut_off_anywhere_is_a_hang_up),
        cmocka_unit_test(what_is_no_tls_is_turned_away),
        cmocka_unit_test(random_bytes_are_turned_away),
        cmocka_unit_test(a_flood_of_idle_records_does_not_hold_up_the_loop),
        cmocka_unit_test(a_flood_behind_the_handshake_does_not_either),
        cmocka_unit_test(a_changed_record_is_refused),
        cmocka_unit_test(a_stranger_is_let_in_and_proves_nothing),
        cmocka_unit_test(a_stranger_fails_as_a_wrong_key_does_where_none_is_taken),
        cmocka_unit_test(a_broken_connection_is_its_errno),
        cmocka_unit_test(a_write_that_did_not_fit_goes_on_where_it_stopped),
    };
    return cmocka_run_group_tests_name("tls", tests, NULL, library_free);
}
