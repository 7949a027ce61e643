/*
 * How the messages of the control channel grow: the agents' own code, made from the table of
 * an imagined later version (future/control/messages.def), beside what today's agents send.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/message.c"

#define WIRE(bytes) (const uint8_t *)(bytes), sizeof(bytes) - 1

static int decode(const void *wire, size_t len, enum message_sender sender, unsigned version,
                  struct message *ret_message)
{
    memset(ret_message, 0xee, sizeof *ret_message);
    return message_decode(wire, len, sender, version, ret_message);
}

static void assert_wire(const struct message *message, unsigned version, const uint8_t *wire,
                        size_t len)
{
    uint8_t got[MESSAGE_MAX];
    assert_int_equal(message_encode(message, version, got, sizeof got), (long)len);
    assert_memory_equal(got, wire, len);
}

/* ---- fields ----------------------------------------------------------------- */

static const struct message OPEN = {
    .type = MESSAGE_OPEN_TUNNEL,
    .open_tunnel = {2, 1, 22, 20000, "h", "0123456789abcdef", 2, 1, "who it has to be", 90}};

#define B16               "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define OPEN_OF_VERSION_2 "\x10\0\0\0\0\0\0\0\2\0\1\0\x16\x4e\x20\0\1h0123456789abcdef" B16
#define OPEN_OF_VERSION_3 OPEN_OF_VERSION_2 "\2\1who it has to be" B16
#define OPEN_OF_VERSION_4 OPEN_OF_VERSION_3 "\0\x5a"

static void a_field_is_on_the_wire_from_its_version_on(void **state)
{
    (void)state;
    assert_wire(&OPEN, 1, WIRE(OPEN_OF_VERSION_2));
    assert_wire(&OPEN, 2, WIRE(OPEN_OF_VERSION_2));
    assert_wire(&OPEN, 3, WIRE(OPEN_OF_VERSION_3));
    assert_wire(&OPEN, 4, WIRE(OPEN_OF_VERSION_4));
    assert_wire(&OPEN, 5, WIRE(OPEN_OF_VERSION_4));
}

static void a_field_that_is_not_on_the_wire_is_zero(void **state)
{
    static const uint8_t ZEROS[32];
    struct message got;
    (void)state;
    assert_int_equal(decode(WIRE(OPEN_OF_VERSION_2), SENDER_VPS, 2, &got), 0);
    assert_string_equal(got.open_tunnel.host, "h");
    assert_int_equal(got.open_tunnel.kind | got.open_tunnel.flags, 0);
    assert_memory_equal(got.open_tunnel.identity, ZEROS, sizeof ZEROS);

    assert_int_equal(decode(WIRE(OPEN_OF_VERSION_3), SENDER_VPS, 3, &got), 0);
    assert_int_equal(got.open_tunnel.kind, 2);
    assert_int_equal(got.open_tunnel.flags, 1);
    assert_string_equal((const char *)got.open_tunnel.identity, "who it has to be");
    assert_int_equal(got.open_tunnel.patience_secs, 0);
}

static void fields_that_the_agreed_version_has_not_are_refused(void **state)
{
    struct message got;
    (void)state;
    assert_int_equal(decode(WIRE(OPEN_OF_VERSION_3), SENDER_VPS, 2, &got), -EBADMSG);
    assert_int_equal(decode(WIRE(OPEN_OF_VERSION_4), SENDER_VPS, 3, &got), -EBADMSG);
    assert_int_equal(decode(WIRE(OPEN_OF_VERSION_2), SENDER_VPS, 3, &got), -EBADMSG);
    assert_int_equal(decode(WIRE(OPEN_OF_VERSION_2 "\2"), SENDER_VPS, 3, &got), -EBADMSG);
}

/* RSA keys of 4096 bits are the longest that are usual. */
static void what_is_learnt_about_a_target_fits_and_reads_back(void **state)
{
    struct message ready = {.type = MESSAGE_TUNNEL_READY, .tunnel_ready = {.session = 7}}, got;
    struct message_tunnel_ready *fields = &ready.tunnel_ready;
    uint8_t wire[MESSAGE_MAX];
    (void)state;
    memset(fields->address, 'a', sizeof fields->address - 1);
    memset(fields->host_key, 'k', sizeof fields->host_key - 1);
    memcpy(fields->mac, "\1\2\3\4\5\6", 6);
    fields->certificate_until = 1795300000;
    long len = message_encode(&ready, 3, wire, sizeof wire);
    assert_in_range(len, 1, MESSAGE_MAX);
    assert_int_equal(decode(wire, (size_t)len, SENDER_GATEWAY, 3, &got), 0);
    assert_string_equal(got.tunnel_ready.host_key, fields->host_key);
    assert_memory_equal(got.tunnel_ready.mac, fields->mac, 6);
    assert_true(got.tunnel_ready.certificate_until == 1795300000);
}

/* ---- messages --------------------------------------------------------------- */

static void a_message_is_there_from_its_version_on(void **state)
{
    static const struct {
        enum message_type type;
        enum message_sender sender;
        unsigned since;
    } ROWS_OF[] = {{MESSAGE_DIAL_TARGET, SENDER_VPS, 2},
                   {MESSAGE_LATER_ORDER, SENDER_VPS, 4},
                   {MESSAGE_LATER_ANSWER, SENDER_GATEWAY, 5}};
    (void)state;
    for (size_t i = 0; i < sizeof ROWS_OF / sizeof *ROWS_OF; i++) {
        struct message message = {.type = ROWS_OF[i].type}, got;
        uint8_t wire[MESSAGE_MAX];
        long len = message_encode(&message, PROTOCOL_MAX_VERSION, wire, sizeof wire);
        assert_true(len > 0);
        for (unsigned version = 0; version <= PROTOCOL_MAX_VERSION; version++) {
            int expected = version >= ROWS_OF[i].since ? 0 : -EPROTONOSUPPORT;
            uint8_t again[MESSAGE_MAX];
            assert_int_equal(message_encode(&message, version, again, sizeof again),
                             expected < 0 ? expected : len);
            assert_int_equal(decode(wire, (size_t)len, ROWS_OF[i].sender, version, &got), expected);
        }
    }
}

/* ---- HELLO ------------------------------------------------------------------ */

#define HELLO_TO(max) "\1\0\1\0" max "\0\x1e\0\3a 1"

/* It goes out before a version is agreed on: whoever reads it goes by what it says of itself. */
static void a_hello_is_of_the_highest_version_that_it_offers(void **state)
{
    static const struct {
        uint16_t max;
        const uint8_t *wire;
        size_t len;
        uint32_t features;
        const char *zone;
    } HELLOS[] = {
        {1, WIRE(HELLO_TO("\1")), 0, ""},
        {2, WIRE(HELLO_TO("\2")), 0, ""},
        {3, WIRE(HELLO_TO("\3")), 0, ""},
        {4, WIRE(HELLO_TO("\4") "\0\0\0\5"), 5, ""},
        {5, WIRE(HELLO_TO("\5") "\0\0\0\5\0\3UTC"), 5, "UTC"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof HELLOS / sizeof *HELLOS; i++) {
        struct message hello = {.type = MESSAGE_HELLO,
                                .hello = {1, HELLOS[i].max, 30, "a 1", 5, "UTC"}},
                       got;
        assert_wire(&hello, PROTOCOL_MIN_VERSION, HELLOS[i].wire, HELLOS[i].len);
        assert_int_equal(
            decode(HELLOS[i].wire, HELLOS[i].len, SENDER_VPS, PROTOCOL_MIN_VERSION, &got), 0);
        assert_int_equal(got.hello.features, HELLOS[i].features);
        assert_string_equal(got.hello.zone, HELLOS[i].zone);
    }
}

static void a_hello_of_a_version_still_later_may_be_longer(void **state)
{
    struct message got;
    (void)state;
    assert_int_equal(decode(WIRE(HELLO_TO("\6") "\0\0\0\5\0\3UTC\7more"), SENDER_VPS, 1, &got), 0);
    assert_string_equal(got.hello.zone, "UTC");
    assert_int_equal(decode(WIRE(HELLO_TO("\5") "\0\0\0\5\0\3UTC\7more"), SENDER_VPS, 1, &got),
                     -EBADMSG);
    assert_int_equal(decode(WIRE(HELLO_TO("\6") "\0\0\0\5"), SENDER_VPS, 1, &got), -EBADMSG);
    assert_int_equal(decode(WIRE(HELLO_TO("\2") "\0\0\0\5"), SENDER_VPS, 1, &got), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_field_is_on_the_wire_from_its_version_on),
        cmocka_unit_test(a_field_that_is_not_on_the_wire_is_zero),
        cmocka_unit_test(fields_that_the_agreed_version_has_not_are_refused),
        cmocka_unit_test(what_is_learnt_about_a_target_fits_and_reads_back),
        cmocka_unit_test(a_message_is_there_from_its_version_on),
        cmocka_unit_test(a_hello_is_of_the_highest_version_that_it_offers),
        cmocka_unit_test(a_hello_of_a_version_still_later_may_be_longer),
    };
    return cmocka_run_group_tests_name("message_growth", tests, NULL, NULL);
}
