/* What getUpdates may return, and what whoever is on the other side may make of it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cooldown.h"
#include "vps/chat/reception.h"
#include "vps/telegram/api.h"
#include "vps/telegram/update.h"

/* Reads one update; the JSON is kept until the next one. */
static json_t *kept;

static int read_one(const char *json, struct update *ret_update)
{
    json_decref(kept);
    kept = json_loads(json, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
    assert_non_null(kept);
    json_t *result = json_pack("[O]", kept);
    int err = update_read(result, 0, ret_update);
    json_decref(result);
    return err;
}

static int forget(void **state)
{
    (void)state;
    json_decref(kept);
    kept = NULL;
    return 0;
}

static void a_message_is_read(void **state)
{
    (void)state;
    struct update update;
    assert_int_equal(
        read_one("{\"update_id\":7,\"message\":{\"message_id\":3,\"from\":{\"id\":4300000000,"
                 "\"is_bot\":false,\"first_name\":\"A\"},\"chat\":{\"id\":4300000000,\"type\":"
                 "\"private\"},\"date\":1795300000,\"text\":\"/rdp HOME-PC\",\"entities\":[{"
                 "\"offset\":0,\"length\":4,\"type\":\"bot_command\"}]}}",
                 &update),
        0);
    assert_int_equal(update.kind, UPDATE_MESSAGE);
    assert_int_equal(update.id, 7);
    assert_int_equal(update.from_id, INT64_C(4300000000));
    assert_false(update.from_is_bot);
    assert_int_equal(update.chat_id, INT64_C(4300000000));
    assert_true(update.chat_is_private);
    assert_int_equal(update.message_id, 3);
    assert_int_equal(update.date, 1795300000);
    assert_string_equal(update.text, "/rdp HOME-PC");
    assert_false(update.forwarded || update.via_bot || update.sender_chat || update.by_business);
}

/* The age of a command is reckoned from it. */
static void a_time_that_no_clock_shows_is_none(void **state)
{
    static const char *const DATES[] = {"-9223372036854775808", "9223372036854775807",
                                        "9007199254740993"};
    (void)state;
    for (unsigned i = 0; i < sizeof DATES / sizeof *DATES; i++) {
        char json[256];
        struct update update;
        snprintf(json, sizeof json, "{\"update_id\":7,\"message\":{\"message_id\":3,\"date\":%s}}",
                 DATES[i]);
        assert_int_equal(read_one(json, &update), 0);
        assert_int_equal(update.date, 0);
    }
}

static void a_pressed_button_is_read(void **state)
{
    (void)state;
    struct update update;
    assert_int_equal(
        read_one("{\"update_id\":8,\"callback_query\":{\"id\":\"4382\",\"from\":{\"id\":42,"
                 "\"is_bot\":false},\"message\":{\"message_id\":5,\"date\":1795300000,\"chat\":{"
                 "\"id\":42,"
                 "\"type\":\"private\"}},\"chat_instance\":\"-3\",\"data\":\"close:ab\"}}",
                 &update),
        0);
    assert_int_equal(update.kind, UPDATE_CALLBACK);
    assert_int_equal(update.from_id, 42);
    assert_int_equal(update.chat_id, 42);
    assert_int_equal(update.message_id, 5);
    assert_int_equal(update.date, 1795300000); /* of the message: how old the button is */
    assert_string_equal(update.callback_id, "4382");
    assert_string_equal(update.data, "close:ab");
}

/* So that a photo is not met with silence; what the chat itself says is nobody's message. */
static void what_is_sent_besides_text_is_named(void **state)
{
    static const struct {
        const char *members, *attached, *caption;
    } ROWS[] = {
        {"\"photo\":[{\"file_id\":\"x\"}],\"caption\":\"/ssh nas\"", "photo", "/ssh nas"},
        {"\"voice\":{\"file_id\":\"x\"}", "voice", NULL},
        {"\"sticker\":{\"emoji\":\"x\"}", "sticker", NULL},
        {"\"location\":{\"latitude\":1}", "location", NULL},
        {"\"contact\":{\"phone_number\":\"1\"}", "contact", NULL},
        {"\"document\":{\"file_id\":\"x\"},\"caption\":5", "document", NULL},
        {"\"pinned_message\":{\"message_id\":3}", NULL, NULL},
        {"\"message_auto_delete_timer_changed\":{}", NULL, NULL},
        {"\"caption\":\"/ssh nas\"", NULL, "/ssh nas"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        char json[256];
        struct update update;
        snprintf(json, sizeof json, "{\"update_id\":7,\"message\":{\"message_id\":3,%s}}",
                 ROWS[i].members);
        assert_int_equal(read_one(json, &update), 0);
        assert_null(update.text);
        assert_true(!update.attached == !ROWS[i].attached && !update.caption == !ROWS[i].caption);
        if (update.attached) {
            assert_string_equal(update.attached, ROWS[i].attached);
        }
        if (update.caption) {
            assert_string_equal(update.caption, ROWS[i].caption);
        }
    }
}

static void every_other_kind_is_named(void **state)
{
    (void)state;
    static const char *const KINDS[] = {"edited_message",   "channel_post",  "edited_channel_post",
                                        "business_message", "guest_message", "inline_query",
                                        "my_chat_member",   "something_new"};
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        char json[256];
        struct update update;
        snprintf(json, sizeof json,
                 "{\"update_id\":9,\"%s\":{\"from\":{\"id\":42},\"chat\":{\"id\":42,\"type\":"
                 "\"private\"},\"text\":\"/rdp x\"}}",
                 KINDS[i]);
        assert_int_equal(read_one(json, &update), 0);
        assert_int_equal(update.kind, UPDATE_OTHER);
        assert_string_equal(update.what, KINDS[i]);
        assert_null(update.text);
    }
    struct update update;
    assert_int_equal(read_one("{\"update_id\":9}", &update), 0);
    assert_int_equal(update.kind, UPDATE_OTHER);
}

static void without_a_usable_number_there_is_no_update(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "{}",
        "[]",
        "7",
        "null",
        "{\"update_id\":\"7\"}",
        "{\"update_id\":7.5}",
        "{\"update_id\":-1}",
        "{\"update_id\":null}",
        "{\"update_id\":9007199254740993}",
        "{\"update_id\":9223372036854775807}",
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        struct update update = {.id = 77};
        assert_int_equal(read_one(BAD[i], &update), -EINVAL);
        assert_int_equal(update.id, 77);
    }
    struct update update;
    json_t *empty = json_array();
    assert_int_equal(update_read(empty, 0, &update), -EINVAL);
    json_decref(empty);
}

static void what_is_missing_or_of_a_wrong_type_is_not_there(void **state)
{
    (void)state;
    static const char *const ODD[] = {
        "{\"update_id\":1,\"message\":{}}",
        "{\"update_id\":1,\"message\":{\"from\":[],\"chat\":7,\"text\":{},\"date\":\"x\"}}",
        "{\"update_id\":1,\"message\":{\"from\":{\"id\":\"42\"},\"chat\":{\"id\":42.0,\"type\":1},"
        "\"text\":null}}",
        "{\"update_id\":1,\"message\":{\"from\":{\"id\":true},\"chat\":{\"id\":[],\"type\":"
        "\"Private\"},\"text\":\"a\\u0000b\"}}",
    };
    for (size_t i = 0; i < sizeof ODD / sizeof *ODD; i++) {
        struct update update;
        assert_int_equal(read_one(ODD[i], &update), 0);
        assert_int_equal(update.kind, UPDATE_MESSAGE);
        assert_int_equal(update.from_id, 0);
        assert_int_equal(update.chat_id, 0);
        assert_false(update.chat_is_private);
        assert_int_equal(update.date, 0);
        assert_null(update.text);
    }
    struct update update;
    assert_int_equal(read_one("{\"update_id\":1,\"message\":\"x\"}", &update), 0);
    assert_int_equal(update.kind, UPDATE_OTHER);
    assert_int_equal(read_one("{\"update_id\":1,\"callback_query\":{\"data\":7}}", &update), 0);
    assert_int_equal(update.kind, UPDATE_CALLBACK);
    assert_null(update.data);
    assert_null(update.callback_id);
}

/* --- reception --- */

static enum reception judge(const char *members)
{
    char json[512];
    struct update update;
    const char *reason = NULL;
    snprintf(json, sizeof json, "{\"update_id\":1,%s}", members);
    assert_int_equal(read_one(json, &update), 0);
    struct incoming incoming;
    update_as_incoming(&update, &incoming);
    bool is_user = incoming.person == 7 || incoming.person == 42;
    enum reception reception = reception_judge(&incoming, is_user, &reason);
    assert_true((reception == RECEPTION_USER) == (reason == NULL));
    return reception;
}

#define PRIVATE_OF(id) "\"chat\":{\"id\":" id ",\"type\":\"private\"},\"text\":\"/rdp x\""
#define FROM(id)       "\"from\":{\"id\":" id ",\"is_bot\":false},"

static void only_allowed_users_in_private_are_heard(void **state)
{
    (void)state;
    static const struct {
        enum reception reception;
        const char *members;
    } CASES[] = {
        {RECEPTION_USER, "\"message\":{" FROM("42") PRIVATE_OF("42") "}"},
        {RECEPTION_USER, "\"message\":{" FROM("7") PRIVATE_OF("7") "}"},
        {RECEPTION_STRANGER, "\"message\":{" FROM("43") PRIVATE_OF("43") "}"},
        {RECEPTION_STRANGER,
         "\"message\":{\"from\":{\"id\":43,\"username\":\"42\"}," PRIVATE_OF("43") "}"},
        /* Somebody else's chat, a group, no chat, no sender. */
        {RECEPTION_IGNORE, "\"message\":{" FROM("42") PRIVATE_OF("43") "}"},
        {RECEPTION_IGNORE, "\"message\":{" FROM("42") "\"chat\":{\"id\":42,\"type\":\"group\"}}"},
        {RECEPTION_IGNORE,
         "\"message\":{" FROM("42") "\"chat\":{\"id\":-100,\"type\":\"supergroup\"}}"},
        {RECEPTION_IGNORE, "\"message\":{" FROM("42") "\"text\":\"/rdp x\"}"},
        {RECEPTION_IGNORE, "\"message\":{" PRIVATE_OF("42") "}"},
        {RECEPTION_IGNORE, "\"message\":{" PRIVATE_OF("0") "}"},
        {RECEPTION_IGNORE,
         "\"message\":{\"from\":{\"id\":42,\"is_bot\":true}," PRIVATE_OF("42") "}"},
        {RECEPTION_IGNORE, "\"message\":{\"from\":{\"id\":\"42\"}," PRIVATE_OF("42") "}"},
        /* In somebody's name, or somebody else's words. */
        {RECEPTION_IGNORE,
         "\"message\":{\"sender_chat\":{\"id\":1}," FROM("42") PRIVATE_OF("42") "}"},
        {RECEPTION_IGNORE, "\"message\":{\"via_bot\":{\"id\":1}," FROM("42") PRIVATE_OF("42") "}"},
        {RECEPTION_IGNORE,
         "\"message\":{\"sender_business_bot\":{\"id\":1}," FROM("42") PRIVATE_OF("42") "}"},
        {RECEPTION_FORWARDED,
         "\"message\":{\"forward_origin\":{}," FROM("42") PRIVATE_OF("42") "}"},
        {RECEPTION_FORWARDED, "\"message\":{\"forward_date\":1," FROM("42") PRIVATE_OF("42") "}"},
        {RECEPTION_IGNORE, "\"message\":{\"forward_origin\":{}," FROM("43") PRIVATE_OF("43") "}"},
        {RECEPTION_IGNORE, "\"edited_message\":{" FROM("42") PRIVATE_OF("42") "}"},
        {RECEPTION_IGNORE, "\"channel_post\":{" FROM("42") PRIVATE_OF("42") "}"},
        /* Buttons. */
        {RECEPTION_USER, "\"callback_query\":{" FROM("42") "\"message\":{" PRIVATE_OF("42") "}}"},
        {RECEPTION_STRANGER,
         "\"callback_query\":{" FROM("43") "\"message\":{" PRIVATE_OF("43") "}}"},
        {RECEPTION_IGNORE, "\"callback_query\":{" FROM("42") "\"message\":{" PRIVATE_OF("43") "}}"},
        {RECEPTION_IGNORE, "\"callback_query\":{" FROM("42") "\"inline_message_id\":\"x\"}"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        if (judge(CASES[i].members) != CASES[i].reception) {
            fail_msg("a wrong reception about %s", CASES[i].members);
        }
    }
}

enum { HOUR_MS = 3600 * 1000 };

static void a_stranger_is_told_once_an_hour(void **state)
{
    (void)state;
    struct cooldown strangers = {0};
    const uint64_t start = 5;
    assert_true(cooldown_allows(&strangers, 1, HOUR_MS, start));
    assert_false(cooldown_allows(&strangers, 1, HOUR_MS, start));
    assert_false(cooldown_allows(&strangers, 1, HOUR_MS, start + HOUR_MS - 1));
    assert_true(cooldown_allows(&strangers, 1, HOUR_MS, start + HOUR_MS));
    assert_false(cooldown_allows(&strangers, 1, HOUR_MS, start + HOUR_MS + 1));
}

static void many_strangers_are_not_told_at_all(void **state)
{
    (void)state;
    struct cooldown strangers = {0};
    unsigned told = 0;
    for (int64_t id = 1; id <= 1000; id++) {
        told += cooldown_allows(&strangers, id, HOUR_MS, 5);
        assert_false(cooldown_allows(&strangers, id, HOUR_MS, 6));
    }
    assert_int_equal(told, COOLDOWN_MAX);
    assert_true(cooldown_allows(&strangers, 5000, HOUR_MS, HOUR_MS + 5));
}

/* --- answers of the Bot API --- */

static struct api_reply reply_to(long status, const char *body)
{
    struct api_reply reply;
    json_decref(kept);
    kept = NULL;
    api_read_reply(status, 3, body, strlen(body), &reply, &kept);
    return reply;
}

static void answers_of_the_bot_api_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        long status;
        const char *body;
        enum api_outcome outcome;
        int code;
        uint32_t retry_after_s;
        bool from_api;
    } CASES[] = {
        {200, "{\"ok\":true,\"result\":{}}", API_DONE, 200, 3, true},
        {200, "{\"ok\":true}", API_LATER, 200, 3, true},
        {200, "{\"ok\":1,\"result\":{}}", API_LATER, 200, 3, false},
        {200, "{\"ok\":true,\"result\":{}} x", API_LATER, 200, 3, false},
        {200, "<html>", API_LATER, 200, 3, false},
        {200, "", API_LATER, 200, 3, false},
        {502, "<html>Bad Gateway</html>", API_LATER, 502, 3, false},
        {404, "<html>Not Found</html>", API_LATER, 404, 3, false},
        {429,
         "{\"ok\":false,\"error_code\":429,\"description\":\"Too Many Requests: retry after 5\","
         "\"parameters\":{\"retry_after\":5}}",
         API_LATER, 429, 5, true},
        {429, "{\"ok\":false,\"parameters\":{\"retry_after\":-7}}", API_LATER, 429, 0, true},
        {429, "{\"ok\":false,\"parameters\":{\"retry_after\":9223372036854775807}}", API_LATER, 429,
         3600, true},
        {401, "{\"ok\":false,\"error_code\":401,\"description\":\"Unauthorized\"}", API_LATER, 401,
         3, true},
        {409, "{\"ok\":false,\"error_code\":409}", API_LATER, 409, 3, true},
        {400, "{\"ok\":false,\"error_code\":400,\"description\":7}", API_REFUSED, 400, 3, true},
        {403, "{\"ok\":false,\"error_code\":403}", API_REFUSED, 403, 3, true},
        {500, "{\"ok\":false,\"error_code\":500}", API_LATER, 500, 3, true},
        {400, "{\"ok\":false,\"error_code\":99999999999}", API_LATER, 999, 3, true},
        {400, "{\"ok\":false,\"error_code\":\"400\"}", API_REFUSED, 400, 3, true},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct api_reply reply = reply_to(CASES[i].status, CASES[i].body);
        if (reply.outcome != CASES[i].outcome || reply.code != CASES[i].code ||
            reply.retry_after_s != CASES[i].retry_after_s || reply.from_api != CASES[i].from_api) {
            fail_msg("%s reads as outcome %d, code %d, retry %u", CASES[i].body, reply.outcome,
                     reply.code, reply.retry_after_s);
        }
        assert_true((reply.outcome == API_DONE) == (reply.result != NULL));
        assert_true((reply.outcome == API_DONE) == (reply.trouble == NULL));
    }
}

static void the_number_of_an_unreadable_update_is_found(void **state)
{
    (void)state;
    static const struct {
        int64_t id;
        const char *body;
    } CASES[] = {
        {7,
         "{\"ok\":true,\"result\":[{\"update_id\":7,\"message\":{\"x\":18446744073709551616}}]}"},
        {7, "{\"ok\":true,\"result\":[{\"update_id\" : 7\n,\"message\":{\"text\":\"\\ud800\"}}]}"},
        {7, "{\"result\":[{\"message\":{\"text\":\"\\\"update_id\\\":6\",\"update_id\":5},"
            "\"update_id\":7}],\"update_id\":4}"},
        {9007199254740992, "[[{\"update_id\":9007199254740992}"},
        {-1, "[[{\"update_id\":9007199254740993}"},
        {-1, "[[{\"update_id\":99999999999999999999999999}"},
        {-1, "[[{\"update_id\":12"}, /* cut off */
        {-1, "[[{\"update_id\":"},
        {-1, "[[{\"update_id\":\"7\"}"},
        {-1, "[[{\"update_id\":-7}"},
        {-1, "[[{\"update_ix\":7,\"update\":8,\"x"},
        {-1, "[[{\"update_id"},
        {-1, "[[\"\\"},
        {-1, "<html>update_id: 7"},
        {-1, ""},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        if (update_scan_id(CASES[i].body, strlen(CASES[i].body)) != CASES[i].id) {
            fail_msg("a wrong number is found in %s", CASES[i].body);
        }
    }
}

static void what_cannot_be_parsed_is_kept_for_a_closer_look(void **state)
{
    (void)state;
    assert_non_null(reply_to(200, "{\"ok\":true,\"result\":[18446744073709551616]}").unreadable);
    assert_null(reply_to(502, "<html>").unreadable);
    assert_null(reply_to(200, "{\"ok\":true}").unreadable);
}

#define TEST(name) cmocka_unit_test_teardown(name, forget)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_is_read),
        TEST(a_time_that_no_clock_shows_is_none),
        TEST(a_pressed_button_is_read),
        TEST(what_is_sent_besides_text_is_named),
        TEST(every_other_kind_is_named),
        TEST(without_a_usable_number_there_is_no_update),
        TEST(what_is_missing_or_of_a_wrong_type_is_not_there),
        TEST(only_allowed_users_in_private_are_heard),
        TEST(a_stranger_is_told_once_an_hour),
        TEST(many_strangers_are_not_told_at_all),
        TEST(answers_of_the_bot_api_are_told_apart),
        TEST(the_number_of_an_unreadable_update_is_found),
        TEST(what_cannot_be_parsed_is_kept_for_a_closer_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
