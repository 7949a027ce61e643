/* What a crash leaves in the chats: kept when sent, put right by the next, forgotten when done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bot_fakes.h"
#include "disk.h"
#include "vps/settings/settings.h"
#include "vps/telegram/leftovers.h"

enum { CHAT = 42, BOT = 7, OTHER_BOT = 8 };

static struct vps_settings settings;
static struct log quiet;
static struct store *store;
static struct outbox *outbox;
static struct leftovers *leftovers;

/* A store that nobody starts writes everything when it is freed. */
static void start(int64_t bot_id)
{
    struct why why;
    assert_int_equal(state_open(settings.state_dir, &quiet, &store, &why), 0);
    outbox = outbox_new(NULL, &quiet, NULL);
    leftovers = leftovers_new(store, outbox, bot_id);
    assert_non_null(leftovers);
}

static void stop(void)
{
    leftovers_free(leftovers);
    outbox_free(outbox);
    store_stop(store);
    store_free(store);
}

/* The process is gone, and another one comes. */
static void crash(void)
{
    stop();
    start(BOT);
}

static int set_up(void **state)
{
    (void)state;
    fakes_start();
    quiet = (struct log){.stream = stderr, .level = LOG_WARN};
    strcpy(settings.state_dir, "/tmp/test_leftovers.XXXXXX");
    if (!mkdtemp(settings.state_dir)) {
        return -1;
    }
    start(BOT);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stop();
    fakes_end();
    folder_clear(settings.state_dir);
    return rmdir(settings.state_dir);
}

static struct post *say(const char *html, const char *correction)
{
    struct post *post = post_new(outbox, CHAT);
    post_keep(post, correction);
    post_set(post, html, NULL, 0);
    return post;
}

static void what_is_open_is_put_right_by_the_next(void **state)
{
    (void)state;
    say("waiting", "ended");
    fake_message(0, 100);
    say("a file", NULL);
    fake_message(1, 101);
    crash();
    assert_int_equal(leftovers_put_right(leftovers), 2);
    assert_int_equal(leftovers_put_right(leftovers), 0);
    assert_string_equal(fake_method(2), "editMessageText");
    assert_int_equal(fake_integer(2, "chat_id"), CHAT);
    assert_int_equal(fake_integer(2, "message_id"), 100);
    assert_string_equal(fake_string(2, "text"), "ended");
    fake_message(2, 100);
    assert_string_equal(fake_method(3), "deleteMessage");
    assert_int_equal(fake_integer(3, "message_id"), 101);
    fake_done(3, "true");
    crash();
    assert_int_equal(leftovers_put_right(leftovers), 0);
}

static void what_shows_its_end_is_forgotten(void **state)
{
    (void)state;
    struct post *card = say("waiting", "cut short");
    fake_message(0, 100);
    post_set(card, "ended", NULL, 0);
    post_release(card);
    fake_message(1, 100);
    crash();
    assert_int_equal(leftovers_put_right(leftovers), 0);
}

static void an_end_that_nobody_was_told_is_made_up_for(void **state)
{
    (void)state;
    struct post *card = say("waiting", "cut short");
    fake_message(0, 100);
    post_set(card, "ended", NULL, 0);
    post_release(card);
    fake_later(1, 502, 0);
    crash();
    assert_int_equal(leftovers_put_right(leftovers), 1);
}

static void what_was_never_sent_is_not_kept(void **state)
{
    (void)state;
    say("waiting", "ended");
    crash();
    assert_int_equal(leftovers_put_right(leftovers), 0);
}

static void what_telegram_refuses_to_change_is_given_up(void **state)
{
    (void)state;
    say("waiting", "ended");
    fake_message(0, 100);
    say("a file", NULL);
    fake_message(1, 101);
    crash();
    leftovers_put_right(leftovers);
    fake_refuse(2, 400, "Bad Request: message to edit not found");
    fake_refuse(3, 400, "Bad Request: message can't be deleted for everyone");
    crash();
    assert_int_equal(leftovers_put_right(leftovers), 0);
}

static void what_the_next_cannot_finish_is_there_for_the_one_after(void **state)
{
    (void)state;
    say("waiting", "ended");
    fake_message(0, 100);
    crash();
    assert_int_equal(leftovers_put_right(leftovers), 1);
    fake_later(1, 0, 0);
    crash();
    assert_int_equal(leftovers_put_right(leftovers), 1);
    crash(); /* and one that nobody even began with */
    assert_int_equal(leftovers_put_right(leftovers), 1);
}

static void another_bots_messages_are_left_alone(void **state)
{
    (void)state;
    say("waiting", "ended");
    fake_message(0, 100);
    stop();
    start(OTHER_BOT);
    assert_int_equal(leftovers_put_right(leftovers), 0);
    crash();
    assert_int_equal(leftovers_put_right(leftovers), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_open_is_put_right_by_the_next),
        TEST(what_shows_its_end_is_forgotten),
        TEST(an_end_that_nobody_was_told_is_made_up_for),
        TEST(what_was_never_sent_is_not_kept),
        TEST(what_telegram_refuses_to_change_is_given_up),
        TEST(what_the_next_cannot_finish_is_there_for_the_one_after),
        TEST(another_bots_messages_are_left_alone),
    };
    return cmocka_run_group_tests_name("leftovers", tests, NULL, NULL);
}
