#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "vps/audit/entry.h"

static const struct owner ANNA = {OWNER_TELEGRAM, 42}, ROOT = {OWNER_LOCAL, 0};

static void write_entry(const struct audit_entry *entry, char body[AUDIT_BODY_MAX])
{
    struct text text = text_over(body, AUDIT_BODY_MAX);
    audit_entry_write(entry, &text);
    assert_false(text.cut);
}

static void test_what_is_not_said_is_left_out(void **state)
{
    (void)state;
    char body[AUDIT_BODY_MAX], target[AUDIT_TARGET_MAX];
    const struct audit_entry entry = {.what = AUDIT_AGENT_STARTED};
    write_entry(&entry, body);
    assert_string_equal(body, "{}");
    assert_string_equal(audit_entry_target(&entry, target), "");
}

static void test_says_all_it_has(void **state)
{
    (void)state;
    char body[AUDIT_BODY_MAX], target[AUDIT_TARGET_MAX];
    struct addr from;
    assert_int_equal(addr_parse("203.0.113.7", 4711, &from), 0);
    const struct audit_entry entry = {.what = AUDIT_SESSION_ENDED,
                                      .owner = &ANNA,
                                      .name = "anna",
                                      .by = &ROOT,
                                      .kind = "ssh",
                                      .host = "fd00::1",
                                      .port = 22,
                                      .user = "root",
                                      .resolved = "[fd00::1]:22",
                                      .found_by = "mdns",
                                      .public_port = 20001,
                                      .data_port = 20002,
                                      .address = &from,
                                      .number = 3,
                                      .rule = 23,
                                      .word = "closed",
                                      .why = "closed on request",
                                      .is_over = true,
                                      .seconds = 61,
                                      .to_target = UINT64_MAX};
    write_entry(&entry, body);
    assert_string_equal(body,
                        "{\"name\":\"anna\",\"by\":\"uid:0\",\"kind\":\"ssh\",\"user\":\"root\","
                        "\"resolved\":\"[fd00::1]:22\",\"found_by\":\"mdns\",\"public_port\":20001,"
                        "\"data_port\":20002,"
                        "\"address\":\"203.0.113.7\",\"number\":3,\"rule\":23,\"word\":\"closed\","
                        "\"why\":\"closed on request\",\"seconds\":61,"
                        "\"to_target\":18446744073709551615,\"to_client\":0,\"connections\":0}");
    assert_string_equal(audit_entry_target(&entry, target), "[fd00::1]:22");
}

/* What people and peers write may hold anything, and be of any length. */
static void test_is_json_whatever_is_in_it(void **state)
{
    (void)state;
    char body[AUDIT_BODY_MAX], target[AUDIT_TARGET_MAX], quotes[2000], umlauts[2000] = "x";
    struct addr from;
    assert_int_equal(addr_parse("fe80:1111:2222:3333:4444:5555:6666:7777", 1, &from), 0);
    memset(quotes, '"', sizeof quotes - 1);
    quotes[sizeof quotes - 1] = '\0';
    for (size_t at = 1; at + 2 < sizeof umlauts; at += 2) {
        memcpy(umlauts + at, "ü", 2);
    }
    const struct audit_entry entry = {.what = AUDIT_SESSION_ENDED,
                                      .owner = &ANNA,
                                      .name = quotes,
                                      .by = &ROOT,
                                      .by_name = quotes,
                                      .session = quotes,
                                      .kind = quotes,
                                      .gateway = quotes,
                                      .user = quotes,
                                      .host = quotes,
                                      .port = 65535,
                                      .resolved = quotes,
                                      .public_port = 65535,
                                      .data_port = 65535,
                                      .address = &from,
                                      .client = "a\nb\x1b[2J\x9b\\\xe2\x80\xae",
                                      .word = quotes,
                                      .why = quotes,
                                      .text = umlauts,
                                      .rule = ~0U,
                                      .number = ~0U,
                                      .count = UINT64_MAX,
                                      .is_over = true,
                                      .seconds = UINT64_MAX,
                                      .to_target = UINT64_MAX >> 1,
                                      .to_client = UINT64_MAX >> 1,
                                      .connections = ~0U};
    write_entry(&entry, body);
    audit_entry_target(&entry, target);
    /* 2^64 is more than jansson's integers hold; nothing counts that far. */
    json_error_t error;
    json_t *root = json_loads(body, JSON_DECODE_INT_AS_REAL, &error);
    if (!root) {
        fail_msg("%s: %s", error.text, body);
    }
    assert_string_equal(json_string_value(json_object_get(root, "client")), "a?b?[2J?\\?");
    const char *text = json_string_value(json_object_get(root, "text"));
    assert_int_equal(strlen(text), 255);
    json_decref(root);
}

static void test_events_are_told_apart(void **state)
{
    (void)state;
    for (enum audit_event a = 0; a < AUDIT_EVENT_COUNT; a++) {
        const struct audit_event_row *row = audit_event_row(a);
        assert_ptr_equal(audit_event_find(row->word), row);
        assert_in_range(row->severity, 0, 10);
        assert_int_equal(strlen(row->id), 32);
        assert_int_equal(strspn(row->id, "0123456789abcdef"), 32);
        assert_int_equal(strspn(row->word, "abcdefghijklmnopqrstuvwxyz_."), strlen(row->word));
        for (enum audit_event b = 0; b < a; b++) {
            assert_string_not_equal(audit_event_row(b)->id, row->id);
        }
    }
    assert_null(audit_event_find("session.dreamt"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_not_said_is_left_out),
        cmocka_unit_test(test_says_all_it_has),
        cmocka_unit_test(test_is_json_whatever_is_in_it),
        cmocka_unit_test(test_events_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
