/* The face of a transport as Telegram wears it: what becomes of calls, and what of updates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bot_fakes.h"

enum { ANNA = 42 };

static struct transport *transport;
static char online_as[32];
static unsigned heard, idle;
static struct incoming latest;
static char latest_text[64];

static void on_online(void *arg, const char *bot_name)
{
    (void)arg;
    snprintf(online_as, sizeof online_as, "%s", bot_name);
}

static void on_refused(void *arg, const struct why *why)
{
    (void)arg;
    fail_msg("%s", why->text);
}

static void on_incoming(void *arg, const struct incoming *incoming)
{
    (void)arg;
    latest = *incoming;
    snprintf(latest_text, sizeof latest_text, "%s",
             incoming->text   ? incoming->text
             : incoming->data ? incoming->data
                              : "");
    heard++;
}

static void on_idle(void *arg)
{
    (void)arg;
    idle++;
}

static void file_stuck(void *arg, int64_t person, struct text *html, const char *file_name)
{
    (void)arg;
    (void)person;
    text_add(html, "stuck: %s", file_name);
}

static int set_up(void **state)
{
    (void)state;
    fakes_start();
    online_as[0] = '\0';
    heard = idle = 0;
    transport = fakes_telegram();
    const struct transport_events events = {.online = on_online,
                                            .refused = on_refused,
                                            .incoming = on_incoming,
                                            .idle = on_idle,
                                            .file_stuck = file_stuck};
    assert_int_equal(fake_calls(), 0); /* nothing goes out before it is started */
    assert_int_equal(transport_start(transport, &events), 0);
    assert_string_equal(fake_method(0), "getMe");
    assert_false(transport_is_online(transport));
    fake_done(0, "{\"id\":7,\"username\":\"pam_bot\"}");
    return strcmp(online_as, "pam_bot") == 0 && transport_is_online(transport) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    transport_stop(transport);
    transport_free(transport);
    fakes_end();
    return 0;
}

/* The latest call of that method. */
static unsigned called(const char *method)
{
    for (unsigned call = fake_calls(); call > 0; call--) {
        if (strcmp(fake_method(call - 1), method) == 0) {
            return call - 1;
        }
    }
    fail_msg("%s was not called", method);
    return 0;
}

static void people_are_telegrams_users(void **state)
{
    (void)state;
    struct owner owner = transport_owner(transport, ANNA);
    assert_int_equal(owner.kind, OWNER_TELEGRAM);
    assert_int_equal(owner.id, ANNA);
    assert_string_equal(transport_name(transport), "telegram");
}

static void updates_come_in_as_messages_and_presses(void **state)
{
    (void)state;
    fake_done(called("getUpdates"),
              "[{\"update_id\":1,\"message\":{\"message_id\":3,\"date\":1,\"from\":{\"id\":42,"
              "\"first_name\":\"A\"},\"chat\":{\"id\":42,\"type\":\"private\"},\"text\":\"hi\"}}]");
    assert_int_equal(heard, 1);
    assert_int_equal(latest.kind, INCOMING_MESSAGE);
    assert_int_equal(latest.person, ANNA);
    assert_null(latest.unfit);
    assert_true(latest.age_s > 1000);
    assert_string_equal(latest_text, "hi");
    fake_done(
        called("getUpdates"),
        "[{\"update_id\":2,\"callback_query\":{\"id\":\"9\",\"from\":{\"id\":42},\"message\":{"
        "\"message_id\":5,\"chat\":{\"id\":42,\"type\":\"private\"}},\"data\":\"close:ab\"}},"
        "{\"update_id\":3,\"edited_message\":{\"from\":{\"id\":43}}}]");
    assert_int_equal(heard, 3);
    assert_int_equal(latest.kind, INCOMING_OTHER);
    assert_int_equal(latest.person, 43);
    assert_non_null(latest.unfit);
}

static void what_is_said_is_sent_changed_and_deleted(void **state)
{
    (void)state;
    const struct button button = {.label = "Close", .data = "close:ab"};
    struct post *post = transport_post(transport, ANNA);
    transport_set(transport, post, "one", &button, 1);
    unsigned call = called("sendMessage");
    assert_int_equal(fake_integer(call, "chat_id"), ANNA);
    assert_string_equal(fake_string(call, "text"), "one");
    assert_string_equal(fake_button(call, 0, "callback_data"), "close:ab");
    assert_false(transport_is_idle(transport));
    fake_message(call, 5);
    assert_true(transport_is_idle(transport));
    assert_int_equal(idle, 1);
    transport_set(transport, post, "two", NULL, 0);
    fake_done(called("editMessageText"), "true");
    transport_delete(transport, post);
    call = called("deleteMessage");
    assert_int_equal(fake_integer(call, "message_id"), 5);
    fake_done(call, "true");
    transport_set(transport, NULL, "no memory", NULL, 0); /* and all others take it, too */
    transport_keep(transport, NULL, NULL);
    transport_release(transport, NULL);
    transport_delete(transport, NULL);
}

static void a_file_that_is_stuck_is_told_of(void **state)
{
    (void)state;
    const struct transport_file file = {
        .name = "a.rdp", .type = "application/x-rdp", .data = "x", .len = 1, .caption = "open it"};
    struct post *post = transport_post_file(transport, ANNA, &file);
    for (unsigned i = 0; i < 9 && fake_is_open(called("sendDocument")); i++) {
        fake_later(called("sendDocument"), 500, 0);
        fakes_advance(2000);
    }
    assert_string_equal(fake_string(called("sendMessage"), "text"), "stuck: a.rdp");
    transport_release(transport, post);
}

static void presses_are_answered_and_buttons_taken_off(void **state)
{
    (void)state;
    transport_answer(transport, "9", "Closed.", true);
    unsigned call = called("answerCallbackQuery");
    assert_string_equal(fake_string(call, "callback_query_id"), "9");
    assert_string_equal(fake_string(call, "text"), "Closed.");
    transport_strip(transport, ANNA, 5);
    assert_int_equal(fake_integer(called("editMessageReplyMarkup"), "message_id"), 5);
    transport_remove(transport, ANNA, 6);
    unsigned removal = called("deleteMessage");
    assert_int_equal(fake_integer(removal, "chat_id"), ANNA);
    assert_int_equal(fake_integer(removal, "message_id"), 6);
}

static struct transport_command menu[] = {{"ssh", "SSH to a machine"}, {"start", "Help"}};

static void introduce(const char *language, const char *description)
{
    const struct transport_profile profile = {.language = language,
                                              .commands = menu,
                                              .command_count = 2,
                                              .description = description,
                                              .short_description = "short"};
    transport_introduce(transport, &profile);
}

/* The latest of these calls that is of this language; "": of none. */
static unsigned called_in(const char *method, const char *language)
{
    for (unsigned call = fake_calls(); call > 0; call--) {
        const char *code = json_string_value(
            json_object_get(fake_params(call - 1), "language_code"));
        if (strcmp(fake_method(call - 1), method) == 0 && strcmp(code ? code : "", language) == 0) {
            return call - 1;
        }
    }
    fail_msg("%s was not called in \"%s\"", method, language);
    return 0;
}

static void the_menu_is_set_and_only_empty_descriptions_are(void **state)
{
    (void)state;
    introduce("", "long");
    called_in("setMyCommands", "");
    fake_done(called_in("getMyDescription", ""), "{\"description\":\"\"}");
    assert_string_equal(fake_string(called_in("setMyDescription", ""), "description"), "long");
    unsigned before = fake_calls();
    fake_done(called("getMyShortDescription"), "{\"short_description\":\"the owner's\"}");
    assert_int_equal(fake_calls(), before);
}

/* Telegram answers with everybody's where there is none of that language. */
static void each_language_has_its_own_unless_the_owner_wrote_one(void **state)
{
    (void)state;
    introduce("", "long");
    introduce("de", "lang");
    called_in("setMyCommands", "");
    called_in("setMyCommands", "de");
    fake_done(called_in("getMyDescription", ""), "{\"description\":\"long\"}");
    fake_done(called_in("getMyShortDescription", ""), "{\"short_description\":\"the owner's\"}");
    fake_done(called_in("getMyDescription", "de"), "{\"description\":\"long\"}");
    assert_string_equal(fake_string(called_in("setMyDescription", "de"), "description"), "lang");
    unsigned before = fake_calls();
    fake_done(called_in("getMyShortDescription", "de"), "{\"short_description\":\"\"}");
    assert_int_equal(fake_calls(), before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(people_are_telegrams_users),
        TEST(updates_come_in_as_messages_and_presses),
        TEST(what_is_said_is_sent_changed_and_deleted),
        TEST(a_file_that_is_stuck_is_told_of),
        TEST(presses_are_answered_and_buttons_taken_off),
        TEST(the_menu_is_set_and_only_empty_descriptions_are),
        TEST(each_language_has_its_own_unless_the_owner_wrote_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
