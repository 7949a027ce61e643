/* The queue of the bot's messages: order, newest content only, and what happens when it fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bot_fakes.h"
#include "vps/chat/texts.h"
#include "vps/telegram/outbox.h"

enum { ANNA = 42, BERT = 43, CARL = 44 };

static struct outbox *outbox;
static unsigned emptied;

static void on_empty(void *arg)
{
    (void)arg;
    emptied++;
}

static void file_stuck(void *arg, int64_t person, struct text *html, const char *file_name)
{
    (void)arg;
    (void)person;
    texts_file_stuck(html, file_name);
}

static int set_up(void **state)
{
    (void)state;
    fakes_start();
    emptied = 0;
    outbox = outbox_new(NULL, NULL, NULL);
    outbox_on_stuck(outbox, file_stuck, NULL);
    outbox_on_empty(outbox, on_empty, NULL);
    return outbox ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    outbox_free(outbox);
    fakes_end();
    return 0;
}

static struct post *send_file(const char *caption)
{
    const struct transport_file file = {.name = "a.rdp",
                                        .type = "application/x-rdp",
                                        .data = "bytes",
                                        .len = 5,
                                        .caption = caption};
    return post_new_file(outbox, ANNA, &file);
}

static void set(struct post *post, const char *html)
{
    post_set(post, html, NULL, 0);
}

static void a_message_is_sent_once_and_then_edited(void **state)
{
    (void)state;
    struct post *post = post_new(outbox, ANNA);
    assert_int_equal(fake_calls(), 0);
    set(post, "one");
    assert_int_equal(fake_calls(), 1);
    assert_string_equal(fake_method(0), "sendMessage");
    assert_int_equal(fake_integer(0, "chat_id"), ANNA);
    assert_string_equal(fake_string(0, "text"), "one");
    assert_string_equal(fake_string(0, "parse_mode"), "HTML");
    fake_message(0, 7);
    assert_int_equal(fake_calls(), 1);

    set(post, "two");
    assert_string_equal(fake_method(1), "editMessageText");
    assert_int_equal(fake_integer(1, "message_id"), 7);
    assert_string_equal(fake_string(1, "text"), "two");
    fake_done(1, "true");
    post_release(post);
}

static void only_the_newest_content_goes_out(void **state)
{
    (void)state;
    struct post *post = post_new(outbox, ANNA);
    set(post, "one");
    set(post, "two");
    set(post, "three");
    fake_message(0, 7);
    assert_int_equal(fake_calls(), 2);
    assert_string_equal(fake_string(1, "text"), "three");
    fake_done(1, "true");
    assert_int_equal(fake_calls(), 2);
    post_release(post);
}

static void what_is_shown_already_is_not_sent_again(void **state)
{
    (void)state;
    struct post *post = post_new(outbox, ANNA);
    set(post, "one");
    fake_message(0, 7);
    set(post, "one");
    assert_int_equal(fake_calls(), 1);

    set(post, "two");
    set(post, "one"); /* while "two" is on its way: it has to come back */
    fake_done(1, "true");
    assert_string_equal(fake_string(2, "text"), "one");
    fake_done(2, "true");
    assert_int_equal(fake_calls(), 3);
    post_release(post);
}

static void a_chat_has_one_request_at_a_time_and_others_do_not_wait(void **state)
{
    (void)state;
    outbox_say(outbox, ANNA, "a1");
    outbox_say(outbox, ANNA, "a2");
    outbox_say(outbox, BERT, "b1");
    assert_int_equal(fake_calls(), 2);
    assert_string_equal(fake_string(0, "text"), "a1");
    assert_string_equal(fake_string(1, "text"), "b1");
    fake_message(0, 1);
    assert_string_equal(fake_string(2, "text"), "a2");
    fake_message(2, 2);
    assert_int_equal(emptied, 0);
    assert_false(outbox_is_empty(outbox));
    fake_message(1, 3);
    assert_int_equal(emptied, 1);
    assert_true(outbox_is_empty(outbox));
}

static void a_file_goes_before_what_is_said_about_it(void **state)
{
    (void)state;
    struct post *file = send_file("caption");
    struct post *post = post_new(outbox, ANNA);
    set(post, "said");
    assert_int_equal(fake_calls(), 1);
    assert_string_equal(fake_method(0), "sendDocument");
    assert_string_equal(fake_file(0), "bytes");
    assert_string_equal(fake_string(0, "caption"), "caption");
    fake_later(0, 0, 0);
    fakes_advance(1000);
    assert_string_equal(fake_method(1), "sendDocument");
    assert_string_equal(fake_file(1), "bytes");
    fake_message(1, 1);
    assert_string_equal(fake_string(2, "text"), "said");
    fake_message(2, 2);
    post_release(file);
    post_release(post);
}

static void a_new_message_goes_before_edits(void **state)
{
    (void)state;
    struct post *first = post_new(outbox, ANNA), *second = post_new(outbox, ANNA);
    set(first, "1");
    fake_message(0, 1);
    set(second, "2");
    fake_message(1, 2);
    set(first, "1a");
    set(second, "2a");
    outbox_say(outbox, ANNA, "new");
    fake_done(2, "true");
    assert_string_equal(fake_string(3, "text"), "new");
    fake_message(3, 3);
    assert_string_equal(fake_string(4, "text"), "2a");
    fake_done(4, "true");
    post_release(first);
    post_release(second);
}

static void after_too_many_requests_that_chat_waits(void **state)
{
    (void)state;
    outbox_say(outbox, ANNA, "a");
    fake_later(0, 429, 5);
    outbox_say(outbox, BERT, "b");
    assert_string_equal(fake_string(1, "text"), "b");
    fake_message(1, 1);
    fakes_advance(4900);
    assert_int_equal(fake_calls(), 2);
    fakes_advance(200);
    assert_string_equal(fake_string(2, "text"), "a");
    fake_message(2, 2);
}

static void after_too_many_requests_in_several_chats_everybody_waits(void **state)
{
    (void)state;
    outbox_say(outbox, ANNA, "a");
    outbox_say(outbox, BERT, "b");
    fake_later(0, 429, 5);
    fake_later(1, 429, 5);
    outbox_say(outbox, CARL, "c");
    fakes_advance(4900);
    assert_int_equal(fake_calls(), 2);
    fakes_advance(200);
    assert_int_equal(fake_calls(), 5);
    for (unsigned i = 2; i < 5; i++) {
        fake_message(i, i);
    }
}

static void a_long_silence_is_of_its_chat_only_and_can_be_asked(void **state)
{
    (void)state;
    char buffer[256] = "";
    struct text text = text_over(buffer, sizeof buffer);
    outbox_say(outbox, ANNA, "a");
    outbox_say(outbox, BERT, "b");
    fake_later(0, 429, 3600);
    fake_later(1, 429, 3600); /* and it is not taken for all chats for longer than a minute */
    outbox_trouble(outbox, &text);
    assert_non_null(strstr(buffer, "1 h"));
    fakes_advance(61000);
    outbox_say(outbox, CARL, "c");
    assert_int_equal(fake_calls(), 3);
    fake_message(2, 1);
}

static void what_the_server_cannot_take_holds_up_nothing_else(void **state)
{
    (void)state;
    struct post *file = send_file("");
    outbox_say(outbox, ANNA, "help");
    fake_later(0, 500, 0);
    assert_string_equal(fake_string(1, "text"), "help");
    fake_message(1, 1);
    fakes_advance(500);
    assert_string_equal(fake_method(2), "sendDocument");
    fake_later(2, 502, 0);
    fakes_advance(1000);
    fake_later(3, 500, 0);
    fakes_advance(2000);
    assert_int_equal(fake_calls(), 5);
    fake_later(4, 500, 0); /* after some seconds a line about it, once */
    assert_string_equal(fake_method(5), "sendMessage");
    assert_non_null(strstr(fake_string(5, "text"), "a.rdp cannot be sent yet"));
    fake_message(5, 2);
    fakes_advance(4000);
    fake_later(6, 500, 0);
    fakes_advance(8000);
    assert_string_equal(fake_method(7), "sendDocument");
    fake_message(7, 3);
    assert_true(outbox_is_empty(outbox));
    post_release(file);
}

static void strangers_do_not_hold_up_users(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        outbox_say_to_stranger(outbox, 1000 + i, "private");
    }
    assert_int_equal(fake_calls(), 2);
    outbox_say(outbox, ANNA, "a");
    assert_string_equal(fake_string(2, "text"), "a");
    fake_message(2, 1);
    fake_later(0, 429, 60);
    fake_later(1, 0, 0);
    assert_true(outbox_is_empty(outbox)); /* once is enough */
    outbox_say(outbox, ANNA, "b");
    fake_message(3, 2);
    fakes_advance(100000);
    assert_int_equal(fake_calls(), 4);
}

/* Nor do they lose what they are told: somebody who was removed writes while that is said. */
static void a_user_who_becomes_a_stranger_is_told_both(void **state)
{
    (void)state;
    enum { USERS = 8 };
    for (unsigned i = 0; i < USERS; i++) {
        outbox_say(outbox, 100 + i, "access was taken away");
        outbox_say_to_stranger(outbox, 100 + i, "private");
    }
    for (unsigned i = 0; i < USERS; i++) {
        fake_message(i, 1 + i);
    }
    for (unsigned i = USERS; i < 2 * USERS && i < fake_calls(); i++) {
        fake_message(i, 1 + i);
    }
    assert_true(outbox_is_empty(outbox));
    outbox_say(outbox, ANNA, "a");
    outbox_say_to_stranger(outbox, BERT, "private");
    assert_string_equal(fake_string(fake_calls() - 2, "text"), "a");
    assert_string_equal(fake_string(fake_calls() - 1, "text"), "private");
    fake_message(fake_calls() - 2, 50);
    fake_message(fake_calls() - 1, 51);
}

/* And somebody who becomes a user has all messages tried until they are delivered. */
static void a_stranger_who_becomes_a_user_loses_nothing(void **state)
{
    (void)state;
    outbox_say_to_stranger(outbox, ANNA, "private");
    outbox_say(outbox, ANNA, "a");
    fake_message(0, 1);
    fake_later(1, 0, 0);
    fakes_advance(1000);
    assert_int_equal(fake_calls(), 3);
    assert_string_equal(fake_string(2, "text"), "a");
    fake_message(2, 2);
}

static void so_many_at_once_that_the_poll_keeps_its_connection(void **state)
{
    (void)state;
    enum { USERS = 20 };
    for (unsigned i = 0; i < USERS; i++) {
        outbox_say(outbox, 100 + i, "a");
    }
    assert_int_equal(fake_calls(), 8);
    for (unsigned i = 0; i < USERS; i++) {
        fake_message(i, 1 + i);
        assert_in_range(fake_calls(), i + 1, i + 1 + 8);
    }
    assert_int_equal(fake_calls(), USERS);
    assert_int_equal(emptied, 1);
}

static void a_failed_message_comes_again_with_its_newest_content(void **state)
{
    (void)state;
    struct post *post = post_new(outbox, ANNA);
    set(post, "old");
    fake_later(0, 0, 0);
    set(post, "new");
    assert_int_equal(fake_calls(), 1); /* it waits */
    fakes_advance(600);
    assert_string_equal(fake_method(1), "sendMessage");
    assert_string_equal(fake_string(1, "text"), "new");
    fake_later(1, 0, 0);
    fakes_advance(700);
    assert_int_equal(fake_calls(), 2); /* longer every time */
    fakes_advance(400);
    assert_int_equal(fake_calls(), 3);
    fake_message(2, 1);
    assert_int_equal(fake_calls(), 3);
    post_release(post);
}

static void a_server_that_always_fails_is_given_up(void **state)
{
    (void)state;
    outbox_say(outbox, ANNA, "a");
    unsigned call = 0;
    while (!outbox_is_empty(outbox)) {
        assert_true(call < 100);
        fake_later(call++, 500, 0);
        fakes_advance(60000);
    }
    assert_true(call > 10);
    outbox_say(outbox, ANNA, "b");
    assert_string_equal(fake_string(call, "text"), "b");
    fake_message(call, 1);
}

static void without_a_network_nothing_is_given_up(void **state)
{
    (void)state;
    outbox_say(outbox, ANNA, "a");
    for (unsigned call = 0; call < 200; call++) {
        fake_later(call, 0, 0);
        fakes_advance(60000);
    }
    assert_string_equal(fake_string(200, "text"), "a");
    fake_message(200, 1);
    assert_true(outbox_is_empty(outbox));
}

static void a_message_that_the_user_deleted_is_left_alone(void **state)
{
    (void)state;
    struct post *post = post_new(outbox, ANNA);
    set(post, "one");
    fake_message(0, 7);
    set(post, "two");
    fake_refuse(1, 400, "Bad Request: message to edit not found");
    set(post, "three");
    assert_int_equal(fake_calls(), 2);
    post_release(post);
}

static void not_modified_is_as_good_as_modified(void **state)
{
    (void)state;
    struct post *post = post_new(outbox, ANNA);
    set(post, "one");
    fake_message(0, 7);
    set(post, "two");
    fake_refuse(1, 400, "Bad Request: message is not modified: specified new …");
    assert_int_equal(fake_calls(), 2);
    set(post, "three");
    assert_string_equal(fake_string(2, "text"), "three");
    fake_done(2, "true");
    post_release(post);
}

static void a_refused_edit_is_not_repeated_but_the_next_is_tried(void **state)
{
    (void)state;
    struct post *post = post_new(outbox, ANNA);
    set(post, "one");
    fake_message(0, 7);
    set(post, "<broken");
    fake_refuse(1, 400, "Bad Request: can't parse entities");
    fakes_advance(60000);
    assert_int_equal(fake_calls(), 2);
    set(post, "three");
    assert_string_equal(fake_string(2, "text"), "three");
    fake_done(2, "true");
    post_release(post);
}

static void a_user_who_blocked_the_bot_is_left_alone(void **state)
{
    (void)state;
    struct post *post = post_new(outbox, ANNA);
    set(post, "one");
    fake_refuse(0, 403, "Forbidden: bot was blocked by the user");
    set(post, "two");
    fakes_advance(60000);
    assert_int_equal(fake_calls(), 1);
    post_release(post);
    assert_true(outbox_is_empty(outbox));
}

static void buttons_come_and_go(void **state)
{
    (void)state;
    char long_text[CONTENT_COPY_TEXT_MAX + 2];
    memset(long_text, 'x', sizeof long_text);
    long_text[CONTENT_COPY_TEXT_MAX + 1] = '\0';
    const struct button buttons[] = {
        {.label = "Too long", .copy = long_text},
        {.label = "Copy", .copy = "ssh"},
        {.label = "Close", .data = "close:x"},
    };
    struct post *post = post_new(outbox, ANNA);
    post_set(post, "one", buttons, 3);
    assert_string_equal(fake_button(0, 0, "text"), "Copy");
    assert_string_equal(fake_button(0, 1, "callback_data"), "close:x");
    assert_null(fake_button(0, 2, "text"));
    fake_message(0, 7);
    set(post, "one"); /* the same text without them is another content */
    assert_string_equal(fake_method(1), "editMessageText");
    assert_null(fake_button(1, 0, "text"));
    fake_done(1, "true");
    post_release(post);
}

static void a_deleted_file_goes_out_of_the_chat(void **state)
{
    (void)state;
    struct post *file = send_file("");
    fake_message(0, 9);
    post_delete(file);
    assert_string_equal(fake_method(1), "deleteMessage");
    assert_int_equal(fake_integer(1, "message_id"), 9);
    fake_done(1, "true");
    assert_true(outbox_is_empty(outbox));
}

static void a_file_deleted_on_its_way_goes_as_soon_as_it_came(void **state)
{
    (void)state;
    struct post *file = send_file("");
    post_delete(file);
    assert_int_equal(fake_calls(), 1);
    fake_message(0, 9);
    assert_string_equal(fake_method(1), "deleteMessage");
    fake_refuse(1, 400, "Bad Request: message to delete not found");
    assert_true(outbox_is_empty(outbox));
}

static void a_file_deleted_before_its_turn_is_never_sent(void **state)
{
    (void)state;
    outbox_say(outbox, ANNA, "first");
    struct post *file = send_file("");
    post_delete(file);
    fake_message(0, 1);
    assert_int_equal(fake_calls(), 1);
    assert_true(outbox_is_empty(outbox));
}

static void an_answer_without_a_message_is_the_end_of_the_post(void **state)
{
    (void)state;
    struct post *post = post_new(outbox, ANNA);
    set(post, "one");
    fake_done(0, "{\"message_id\":\"seven\"}");
    set(post, "two");
    assert_int_equal(fake_calls(), 1);
    post_release(post);
}

static void nothing_is_left_when_it_is_freed_in_the_middle(void **state)
{
    (void)state;
    struct post *post = post_new(outbox, ANNA);
    set(post, "one");
    outbox_say(outbox, BERT, "b");
    fake_later(1, 0, 0);
    post_release(post);
    /* tear_down() looks for timers and calls. */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_is_sent_once_and_then_edited),
        TEST(only_the_newest_content_goes_out),
        TEST(what_is_shown_already_is_not_sent_again),
        TEST(a_chat_has_one_request_at_a_time_and_others_do_not_wait),
        TEST(a_file_goes_before_what_is_said_about_it),
        TEST(a_new_message_goes_before_edits),
        TEST(after_too_many_requests_that_chat_waits),
        TEST(after_too_many_requests_in_several_chats_everybody_waits),
        TEST(a_long_silence_is_of_its_chat_only_and_can_be_asked),
        TEST(what_the_server_cannot_take_holds_up_nothing_else),
        TEST(strangers_do_not_hold_up_users),
        TEST(a_user_who_becomes_a_stranger_is_told_both),
        TEST(a_stranger_who_becomes_a_user_loses_nothing),
        TEST(so_many_at_once_that_the_poll_keeps_its_connection),
        TEST(a_failed_message_comes_again_with_its_newest_content),
        TEST(a_server_that_always_fails_is_given_up),
        TEST(without_a_network_nothing_is_given_up),
        TEST(a_message_that_the_user_deleted_is_left_alone),
        TEST(not_modified_is_as_good_as_modified),
        TEST(a_refused_edit_is_not_repeated_but_the_next_is_tried),
        TEST(a_user_who_blocked_the_bot_is_left_alone),
        TEST(buttons_come_and_go),
        TEST(a_deleted_file_goes_out_of_the_chat),
        TEST(a_file_deleted_on_its_way_goes_as_soon_as_it_came),
        TEST(a_file_deleted_before_its_turn_is_never_sent),
        TEST(an_answer_without_a_message_is_the_end_of_the_post),
        TEST(nothing_is_left_when_it_is_freed_in_the_middle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
