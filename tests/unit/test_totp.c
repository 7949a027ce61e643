/* Codes of RFC 6238. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vps/factor/totp.h"

/* Of the RFC's appendix B, which has eight digits: ours are the last six. */
static const uint8_t SECRET[TOTP_SECRET_SIZE] = "12345678901234567890";
static const struct {
    int64_t unix_s;
    uint32_t code;
} VECTORS[] = {
    {59, 287082},       {1111111109, 81804},  {1111111111, 50471},
    {1234567890, 5924}, {2000000000, 279037}, {20000000000, 353130},
};

static void codes_are_those_of_the_rfc(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof VECTORS / sizeof *VECTORS; i++) {
        uint32_t code;
        assert_int_equal(totp_code(SECRET, totp_step(VECTORS[i].unix_s), &code), 0);
        assert_int_equal(code, VECTORS[i].code);
    }
}

/* RFC 4226, appendix D: the same by counters. */
static void codes_are_those_of_counters(void **state)
{
    static const uint32_t CODES[] = {755224, 287082, 359152, 969429, 338314,
                                     254676, 287922, 162583, 399871, 520489};
    (void)state;
    for (unsigned i = 0; i < sizeof CODES / sizeof *CODES; i++) {
        uint32_t code;
        assert_int_equal(totp_code(SECRET, i, &code), 0);
        assert_int_equal(code, CODES[i]);
    }
}

static void a_step_is_half_a_minute(void **state)
{
    (void)state;
    assert_int_equal(totp_step(0), 0);
    assert_int_equal(totp_step(29), 0);
    assert_int_equal(totp_step(30), 1);
    assert_int_equal(totp_step(-1), 0);
    assert_true(totp_step(INT64_MAX) > 0);
}

static void a_code_counts_one_step_around_its_own(void **state)
{
    uint64_t step = 0;
    (void)state;
    for (uint64_t now = 4; now <= 6; now++) {
        assert_int_equal(totp_find(SECRET, 254676, now, &step), 0);
        assert_int_equal(step, 5);
    }
    assert_int_equal(totp_find(SECRET, 254676, 3, &step), -ENOENT);
    assert_int_equal(totp_find(SECRET, 254676, 7, &step), -ENOENT);
    /* There is nothing before the first. */
    assert_int_equal(totp_find(SECRET, 755224, 0, &step), 0);
    assert_int_equal(step, 0);
    assert_int_equal(totp_find(SECRET, 755225, 0, &step), -ENOENT);
}

static void codes_are_read_as_they_are_typed(void **state)
{
    static const struct {
        const char *text;
        bool is_code;
        uint32_t code;
    } CASES[] = {
        {"482913", true, 482913},
        {"000042", true, 42},
        {" 482 913\n", true, 482913},
        {"482\u00a0913", true, 482913},
        {"", false, 0},
        {"48291", false, 0},
        {"4829133", false, 0},
        {"-82913", false, 0},
        {"48291a", false, 0},
        {"482-913", false, 0},
        {"4829130000000000000", false, 0},
        {"482913\u00a1", false, 0},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        uint32_t code = 7;
        assert_int_equal(totp_parse(CASES[i].text, &code), CASES[i].is_code);
        if (CASES[i].is_code) {
            assert_int_equal(code, CASES[i].code);
        }
    }
}

static void secrets_are_written_in_base32(void **state)
{
    char text[TOTP_SECRET_TEXT_MAX];
    uint8_t bytes[TOTP_SECRET_SIZE];
    (void)state;
    assert_string_equal(totp_secret_text(SECRET, text), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    memset(bytes, 0xff, sizeof bytes);
    assert_string_equal(totp_secret_text(bytes, text), "77777777777777777777777777777777");
}

static void an_app_reads_the_uri(void **state)
{
    char uri[TOTP_URI_MAX], label[200];
    (void)state;
    assert_string_equal(totp_uri(SECRET, "alice", uri),
                        "otpauth://totp/pamtunnel:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
                        "&issuer=pamtunnel");
    assert_string_equal(totp_uri(SECRET, "telegram:42", uri),
                        "otpauth://totp/pamtunnel:telegram%3A42?secret="
                        "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=pamtunnel");
    /* Whatever the label, the end is there. */
    memset(label, '&', sizeof label);
    label[sizeof label - 1] = '\0';
    totp_uri(SECRET, label, uri);
    assert_non_null(strstr(uri, "%26?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=pamtunnel"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_those_of_the_rfc),
        cmocka_unit_test(codes_are_those_of_counters),
        cmocka_unit_test(a_step_is_half_a_minute),
        cmocka_unit_test(a_code_counts_one_step_around_its_own),
        cmocka_unit_test(codes_are_read_as_they_are_typed),
        cmocka_unit_test(secrets_are_written_in_base32),
        cmocka_unit_test(an_app_reads_the_uri),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
