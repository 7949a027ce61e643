/* The messages of the control channel: all of them, from the same table. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/message.h"
#include "dice.h"

enum { NOW = PROTOCOL_MAX_VERSION };

static const struct row {
    enum message_type type;
    unsigned since;
    enum message_sender sender;
    const char *name;
} ROWS[] = {
#define MESSAGE(NAME, name, type, since, sender, when, ...) \
    {MESSAGE_##NAME, since, SENDER_##sender, #NAME},
#include "control/messages.def"
};

enum { ROW_COUNT = sizeof ROWS / sizeof *ROWS };

static enum message_sender one_of(enum message_sender senders)
{
    return senders & SENDER_VPS ? SENDER_VPS : SENDER_GATEWAY;
}

/* ---- what the table gives: filling, comparing, the strings of a message ---- */

/* Up to most bytes, now and then of two-byte characters. */
static void random_text(struct dice *dice, char *dst, size_t most)
{
    size_t len = dice_below(dice, 8) == 0 ? most : dice_below(dice, most + 1), at = 0;
    while (at < len) {
        if (len - at >= 2 && dice_below(dice, 4) == 0) {
            dst[at++] = '\xc3';
            dst[at++] = (char)(0x80 + dice_below(dice, 0x40));
        } else {
            dst[at++] = (char)(0x20 + dice_below(dice, 0x5f));
        }
    }
    dst[len] = '\0';
}

static struct message random_message(struct dice *dice, enum message_type type)
{
    struct message message;
    memset(&message, 0, sizeof message);
    message.type = type;
    switch (type) {
#define U8(field)          body->field = (uint8_t)dice_roll(dice);
#define U16(field)         body->field = (uint16_t)dice_roll(dice);
#define U32(field)         body->field = (uint32_t)dice_roll(dice);
#define U64(field)         body->field = dice_roll(dice);
#define TEXT(field, most)  random_text(dice, body->field, most);
#define BLOB(field, bytes) dice_fill(dice, body->field, bytes);
#define SINCE(version)
#define MESSAGE(NAME, name, type, since, sender, when, ...) \
    case MESSAGE_##NAME: {                                  \
        struct message_##name *body = &message.name;        \
        __VA_ARGS__                                         \
        break;                                              \
    }
#include "control/messages.def"
    }
    return message;
}

static void assert_same(const struct message *a, const struct message *b)
{
    assert_int_equal(a->type, b->type);
    switch (a->type) {
#define U8(field)          assert_int_equal(left->field, right->field);
#define U16(field)         assert_int_equal(left->field, right->field);
#define U32(field)         assert_int_equal(left->field, right->field);
#define U64(field)         assert_true(left->field == right->field);
#define TEXT(field, most)  assert_string_equal(left->field, right->field);
#define BLOB(field, bytes) assert_memory_equal(left->field, right->field, bytes);
#define SINCE(version)
#define MESSAGE(NAME, name, type, since, sender, when, ...)              \
    case MESSAGE_##NAME: {                                               \
        const struct message_##name *left = &a->name, *right = &b->name; \
        __VA_ARGS__                                                      \
        break;                                                           \
    }
#include "control/messages.def"
    }
}

/* Each string of the table: where its length stands on the wire when all before it are empty. */
static const struct text_row {
    enum message_type type;
    enum message_sender sender;
    size_t at, most;
} TEXTS[] = {
    {MESSAGE_HELLO, SENDER_VPS, 7, 63},
    {MESSAGE_GOODBYE, SENDER_VPS, 2, 200},
    {MESSAGE_OPEN_TUNNEL, SENDER_VPS, 15, 253},
    {MESSAGE_PAIR_COMMIT, SENDER_GATEWAY, 33, 63},
    {MESSAGE_TUNNEL_READY, SENDER_GATEWAY, 11, 63},
    {MESSAGE_TUNNEL_FAILED, SENDER_GATEWAY, 12, 200},
    {MESSAGE_WAKE, SENDER_VPS, 19, 253},
    {MESSAGE_AWAKE, SENDER_GATEWAY, 9, 63},
};

enum { TEXT_COUNT = sizeof TEXTS / sizeof *TEXTS };

/* A message of zeros whose string is len times the character, of which the first is `first`. */
static size_t wire_with_text(const struct text_row *row, size_t len, char first,
                             uint8_t wire[MESSAGE_MAX])
{
    struct message empty = {.type = row->type};
    long all = message_encode(&empty, NOW, wire, MESSAGE_MAX);
    assert_true(all > 0 && (size_t)all >= row->at + 2);
    assert_int_equal(wire[row->at] | wire[row->at + 1], 0);
    size_t tail = (size_t)all - row->at - 2;
    memmove(wire + row->at + 2 + len, wire + row->at + 2, tail);
    memset(wire + row->at + 2, 'x', len);
    wire[row->at + 2] = (uint8_t)first;
    wire[row->at] = (uint8_t)(len >> 8);
    wire[row->at + 1] = (uint8_t)len;
    return (size_t)all + len;
}

/* ---- the tests ------------------------------------------------------------ */

static void every_message_reads_back_as_it_was_written(void **state)
{
    struct dice dice = dice_new();
    (void)state;
    for (int round = 0; round < 300; round++) {
        for (size_t i = 0; i < ROW_COUNT; i++) {
            struct message sent = random_message(&dice, ROWS[i].type), got;
            uint8_t wire[MESSAGE_MAX], again[MESSAGE_MAX];
            long len = message_encode(&sent, NOW, wire, sizeof wire);
            assert_in_range(len, 1, MESSAGE_MAX);
            assert_int_equal(wire[0], ROWS[i].type);
            memset(&got, 0xee, sizeof got);
            assert_int_equal(message_decode(wire, (size_t)len, one_of(ROWS[i].sender), NOW, &got),
                             0);
            assert_same(&sent, &got);
            assert_int_equal(message_encode(&got, NOW, again, sizeof again), len);
            assert_memory_equal(wire, again, (size_t)len);
        }
    }
}

/*
 * The bytes are copied to a place of their exact size, so that sanitizers see a
 * read past the end.
 */
static int decode_exact(const uint8_t *wire, size_t len, enum message_sender sender)
{
    struct message got = {.type = (enum message_type)77};
    uint8_t *exact = malloc(len ? len : 1);
    memcpy(exact, wire, len);
    int err = message_decode(exact, len, sender, NOW, &got);
    free(exact);
    assert_true(err == 0 || (int)got.type == 77); /* untouched */
    return err;
}

static void a_message_cut_off_or_too_long_is_refused(void **state)
{
    struct dice dice = dice_new();
    (void)state;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        struct message sent = random_message(&dice, ROWS[i].type);
        uint8_t wire[MESSAGE_MAX + 1] = {0};
        size_t len = (size_t)message_encode(&sent, NOW, wire, MESSAGE_MAX);
        for (size_t cut = 0; cut < len; cut++) {
            assert_int_equal(decode_exact(wire, cut, one_of(ROWS[i].sender)), -EBADMSG);
        }
        assert_int_equal(decode_exact(wire, len, one_of(ROWS[i].sender)), 0);
        /* The HELLO of a later version may be longer. */
        bool later = sent.type == MESSAGE_HELLO && sent.hello.max_version > PROTOCOL_MAX_VERSION;
        assert_int_equal(decode_exact(wire, len + 1, one_of(ROWS[i].sender)), later ? 0 : -EBADMSG);
    }
}

static void only_the_hello_of_a_later_version_may_be_longer(void **state)
{
    (void)state;
    for (uint16_t max = 0; max < 4; max++) {
        struct message hello = {.type = MESSAGE_HELLO, .hello = {1, max, 30, "a 1"}};
        uint8_t wire[MESSAGE_MAX + 5] = {0};
        size_t len = (size_t)message_encode(&hello, NOW, wire, MESSAGE_MAX);
        int expected = max > PROTOCOL_MAX_VERSION ? 0 : -EBADMSG;
        assert_int_equal(decode_exact(wire, len, SENDER_VPS), 0);
        assert_int_equal(decode_exact(wire, len + 5, SENDER_VPS), expected);
        assert_int_equal(decode_exact(wire, len - 1, SENDER_VPS), -EBADMSG);
    }
}

static void a_message_is_refused_from_who_may_not_send_it(void **state)
{
    struct dice dice = dice_new();
    (void)state;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        struct message sent = random_message(&dice, ROWS[i].type);
        uint8_t wire[MESSAGE_MAX];
        size_t len = (size_t)message_encode(&sent, NOW, wire, sizeof wire);
        assert_int_equal(decode_exact(wire, len, SENDER_VPS),
                         ROWS[i].sender & SENDER_VPS ? 0 : -EBADMSG);
        assert_int_equal(decode_exact(wire, len, SENDER_GATEWAY),
                         ROWS[i].sender & SENDER_GATEWAY ? 0 : -EBADMSG);
    }
    /* Only the VPS opens and closes, only a gateway answers. */
    uint8_t close_tunnel[9] = {MESSAGE_CLOSE_TUNNEL};
    assert_int_equal(decode_exact(close_tunnel, 9, SENDER_GATEWAY), -EBADMSG);
    assert_int_equal(decode_exact(close_tunnel, 9, SENDER_VPS), 0);
}

static void strings_fit_or_are_refused(void **state)
{
    uint8_t wire[MESSAGE_MAX];
    (void)state;
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        const struct text_row *row = &TEXTS[i];
        size_t len = wire_with_text(row, row->most, 'a', wire);
        assert_int_equal(decode_exact(wire, len, row->sender), 0);
        len = wire_with_text(row, row->most + 1, 'a', wire);
        assert_int_equal(decode_exact(wire, len, row->sender), -EBADMSG);
        len = wire_with_text(row, 5, '\0', wire);
        assert_int_equal(decode_exact(wire, len, row->sender), -EBADMSG);
        len = wire_with_text(row, 5, '\xff', wire);
        assert_int_equal(decode_exact(wire, len, row->sender), -EBADMSG);
        /* A length beyond the message, as large as can be. */
        len = wire_with_text(row, 5, 'a', wire);
        wire[row->at] = wire[row->at + 1] = 0xff;
        assert_int_equal(decode_exact(wire, len, row->sender), -EBADMSG);
    }
}

static void types_that_do_not_exist_are_refused(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        uint8_t wire[64] = {(uint8_t)type};
        bool exists = false;
        for (size_t i = 0; i < ROW_COUNT; i++) {
            exists |= ROWS[i].type == type;
        }
        assert_int_equal(strcmp(message_name(type), "?") != 0, exists);
        for (size_t len = 1; len < sizeof wire && !exists; len++) {
            assert_int_equal(decode_exact(wire, len, SENDER_VPS), -EBADMSG);
            assert_int_equal(decode_exact(wire, len, SENDER_GATEWAY), -EBADMSG);
        }
    }
    assert_string_equal(message_name(MESSAGE_OPEN_TUNNEL), "OPEN_TUNNEL");
    assert_string_equal(message_name(256 + MESSAGE_HELLO), "?");
}

static void the_longest_of_each_fits_and_no_byte_less_will_do(void **state)
{
    struct dice dice = dice_new();
    (void)state;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        struct message sent = random_message(&dice, ROWS[i].type);
        uint8_t wire[MESSAGE_MAX];
        long len = message_encode(&sent, NOW, wire, sizeof wire);
        for (long cap = 0; cap < len; cap++) {
            uint8_t *exact = malloc((size_t)cap + 1);
            assert_int_equal(message_encode(&sent, NOW, exact, (size_t)cap), -EMSGSIZE);
            free(exact);
        }
        assert_int_equal(message_encode(&sent, NOW, wire, (size_t)len), len);
    }
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        uint8_t wire[MESSAGE_MAX];
        struct message got;
        size_t len = wire_with_text(&TEXTS[i], TEXTS[i].most, 'a', wire);
        assert_int_equal(message_decode(wire, len, TEXTS[i].sender, NOW, &got), 0);
        assert_int_equal(message_encode(&got, NOW, wire, sizeof wire), (long)len);
    }
}

static void the_wire_is_what_the_protocol_says(void **state)
{
    static const struct {
        struct message message;
        const char *wire;
        size_t len;
    } GOLDEN[] = {
#define WIRE(bytes) bytes, sizeof(bytes) - 1
#define B16         "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define B32         "0123456789abcdef" B16
        {{.type = MESSAGE_HELLO, .hello = {1, 2, 30, "a 1"}}, WIRE("\x01\0\1\0\2\0\x1e\0\3a 1")},
        {{.type = MESSAGE_GOODBYE, .goodbye = {GOODBYE_REPLACED, "x"}}, WIRE("\x02\3\0\1x")},
        {{.type = MESSAGE_PING, .ping = {0x0102030405060708}}, WIRE("\x03\1\2\3\4\5\6\7\x08")},
        {{.type = MESSAGE_PONG, .pong = {1}}, WIRE("\x04\0\0\0\0\0\0\0\1")},
        {{.type = MESSAGE_PAIR_COMMIT, .pair_commit = {"0123456789abcdef", "home"}},
         WIRE("\x05" B32 "\0\4home")},
        {{.type = MESSAGE_PAIR_ANSWER, .pair_answer = {"0123456789abcdef", "0123456789abcdef"}},
         WIRE("\x06" B32 B32)},
        {{.type = MESSAGE_PAIR_OPEN, .pair_open = {"0123456789abcdef", "0123456789abcdef"}},
         WIRE("\x07" B32 B32)},
        {{.type = MESSAGE_PAIR_ACCEPT, .pair_accept = {"0123456789abcdef"}}, WIRE("\x08" B32)},
        {{.type = MESSAGE_PAIR_CONFIRM, .pair_confirm = {"0123456789abcdef"}}, WIRE("\x09" B32)},
        {{.type = MESSAGE_OPEN_TUNNEL,
          .open_tunnel = {2, 1, 22, 20000, "h", "0123456789abcdef", 1, TUNNEL_LOOK, "key"}},
         WIRE("\x10\0\0\0\0\0\0\0\2\0\1\0\x16\x4e\x20\0\1h" B32 "\1\1key" B16 "\0\0\0\0\0\0"
              "\0\0\0\0\0\0\0")},
        {{.type = MESSAGE_TUNNEL_READY,
          .tunnel_ready = {3, 0, "1.2.3.4:5", "\2\0\0\0\0\7", TUNNEL_FOUND_BY_LLMNR,
                           "ssh-x QQ==", "0123456789abcdef", "sha1", 1, 2}},
         WIRE("\x11\0\0\0\0\0\0\0\3\0\0\0\x09"
              "1.2.3.4:5"
              "\2\0\0\0\0\7\2\0\x0assh-x QQ==" B32 "sha1" B16 "\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2")},
        {{.type = MESSAGE_TUNNEL_FAILED, .tunnel_failed = {3, 1, TUNNEL_TIMED_OUT, "d"}},
         WIRE("\x12\0\0\0\0\0\0\0\3\0\1\4\0\1d")},
        {{.type = MESSAGE_CLOSE_TUNNEL, .close_tunnel = {4}}, WIRE("\x13\0\0\0\0\0\0\0\4")},
        {{.type = MESSAGE_DIAL_TARGET, .dial_target = {5, 2}}, WIRE("\x14\0\0\0\0\0\0\0\5\0\2")},
        {{.type = MESSAGE_WAKE, .wake = {6, 22, 120, "\2\0\0\0\0\7", "h"}},
         WIRE("\x15\0\0\0\0\0\0\0\6\0\x16\0\x78\2\0\0\0\0\7\0\1h")},
        {{.type = MESSAGE_AWAKE, .awake = {7, "1.2.3.4:5"}},
         WIRE("\x16\0\0\0\0\0\0\0\7\0\x09"
              "1.2.3.4:5")},
        {{.type = MESSAGE_DISCOVER, .discover = {6}}, WIRE("\x20\0\0\0\6")},
        {{.type = MESSAGE_FOUND,
          .found = {6, FOUND_MACHINE, TUNNEL_FOUND_BY_NETBIOS, "PC", "1.2.3.4"}},
         WIRE("\x21\0\0\0\6\0\3\0\2PC\0\0071.2.3.4")},
    };
    (void)state;
    _Static_assert(sizeof GOLDEN / sizeof *GOLDEN == ROW_COUNT, "each message has its bytes here");
    for (size_t i = 0; i < ROW_COUNT; i++) {
        uint8_t wire[MESSAGE_MAX];
        assert_int_equal(GOLDEN[i].message.type, ROWS[i].type);
        assert_int_equal(message_encode(&GOLDEN[i].message, NOW, wire, sizeof wire),
                         (long)GOLDEN[i].len);
        assert_memory_equal(wire, GOLDEN[i].wire, GOLDEN[i].len);
    }
}

/* What an agent of version 1 may send and be sent is what the first agents knew. */
static void every_row_is_of_a_version_that_is_spoken(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        assert_in_range(ROWS[i].since, PROTOCOL_FIRST_VERSION, PROTOCOL_MAX_VERSION);
        assert_int_equal(message_since(ROWS[i].type), ROWS[i].since);
    }
    /* What is released stays what it is; later rows come behind. */
    for (size_t i = 0; i < ROW_COUNT; i++) {
        bool first = ROWS[i].type <= MESSAGE_PONG ||
                     (ROWS[i].type >= MESSAGE_OPEN_TUNNEL && ROWS[i].type <= MESSAGE_CLOSE_TUNNEL);
        bool second = ROWS[i].type <= MESSAGE_DIAL_TARGET;
        assert_int_equal(ROWS[i].since, first ? 1 : second ? 2 : 3);
    }
    assert_true(message_since((enum message_type)99) > PROTOCOL_MAX_VERSION);
}

static void a_message_is_refused_by_versions_before_its_own(void **state)
{
    struct dice dice = dice_new();
    (void)state;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        for (unsigned version = 0; version <= NOW; version++) {
            struct message sent = random_message(&dice, ROWS[i].type), got;
            enum message_sender sender = one_of(ROWS[i].sender);
            uint8_t wire[MESSAGE_MAX], old[MESSAGE_MAX];
            long len = message_encode(&sent, NOW, wire, sizeof wire);
            long then = message_encode(&sent, version, old, sizeof old);
            if (version < ROWS[i].since) {
                assert_int_equal(then, -EPROTONOSUPPORT);
                assert_int_equal(message_decode(wire, (size_t)len, sender, version, &got),
                                 -EPROTONOSUPPORT);
            } else { /* as long, or without the fields that came later */
                assert_in_range(then, 1, len);
                assert_memory_equal(old, wire, (size_t)then);
                assert_int_equal(message_decode(old, (size_t)then, sender, version, &got), 0);
            }
        }
    }
}

static void a_message_comes_when_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        assert_int_equal(message_may_come(ROWS[i].type, WHEN_GREETING),
                         ROWS[i].type == MESSAGE_HELLO || ROWS[i].type == MESSAGE_GOODBYE);
        bool pairs = ROWS[i].type >= MESSAGE_PAIR_COMMIT && ROWS[i].type <= MESSAGE_PAIR_CONFIRM;
        bool live = ROWS[i].type >= MESSAGE_GOODBYE && ROWS[i].type <= MESSAGE_PONG;
        assert_int_equal(message_may_come(ROWS[i].type, WHEN_OPEN),
                         ROWS[i].type != MESSAGE_HELLO && !pairs);
        assert_int_equal(message_may_come(ROWS[i].type, WHEN_PAIRING), pairs || live);
    }
    assert_false(message_may_come((enum message_type)99, WHEN_OPEN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_reads_back_as_it_was_written),
        cmocka_unit_test(a_message_cut_off_or_too_long_is_refused),
        cmocka_unit_test(only_the_hello_of_a_later_version_may_be_longer),
        cmocka_unit_test(a_message_is_refused_from_who_may_not_send_it),
        cmocka_unit_test(strings_fit_or_are_refused),
        cmocka_unit_test(types_that_do_not_exist_are_refused),
        cmocka_unit_test(the_longest_of_each_fits_and_no_byte_less_will_do),
        cmocka_unit_test(the_wire_is_what_the_protocol_says),
        cmocka_unit_test(every_row_is_of_a_version_that_is_spoken),
        cmocka_unit_test(a_message_is_refused_by_versions_before_its_own),
        cmocka_unit_test(a_message_comes_when_the_table_says),
    };
    return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
