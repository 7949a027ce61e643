/* What administrators are told of gateways in the chat, and who is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "bot_fakes.h"
#include "fake_transport.h"
#include "vps/chat/absences.h"
#include "vps/chat/gateway_news.h"
#include "vps/chat/readers.h"
#include "vps/gateways/gateways.h"

enum { OWNER = 42, FRIEND = 43, SECOND = 1000 };

static struct vps_settings settings;
static struct people *people;
static struct readers readers;
static struct keyring *keyring;
static struct attendance attendance;
static struct conversation conversation;
static struct gateway_news *news;
static struct addr from;
static bool stopping;

const struct gateways *__wrap_sessions_all_gateways(const struct sessions *sessions);
const struct attendance *__wrap_gateways_attendance(const struct gateways *gateways);

const struct gateways *__wrap_sessions_all_gateways(const struct sessions *sessions)
{
    static const char THERE[1];
    (void)sessions;
    return stopping ? NULL : (const struct gateways *)THERE;
}

const struct attendance *__wrap_gateways_attendance(const struct gateways *gateways)
{
    (void)gateways;
    return &attendance;
}

static int set_up(void **state)
{
    (void)state;
    fakes_start();
    stopping = false;
    settings = (struct vps_settings){.allowed_users = {.ids = {OWNER, FRIEND}, .count = 2}};
    settings.tunnel_key.count = 2;
    strcpy(settings.tunnel_key.keys[0].name, "home");
    strcpy(settings.tunnel_key.keys[1].name, "office");
    settings.tunnel_key.keys[1].key[0] = 1;
    people = people_new(&settings);
    readers = (struct readers){0};
    keyring = keyring_new(&settings, NULL);
    attendance_begin(&attendance, keyring, clock_ms());
    conversation = (struct conversation){.settings = &settings,
                                         .people = people,
                                         .transport = fake_transport(),
                                         .readers = &readers,
                                         .bot_name = ""};
    news = gateway_news_new(&conversation);
    return addr_parse("198.51.100.7", 4711, &from);
}

static int tear_down(void **state)
{
    (void)state;
    gateway_news_free(news);
    transport_free(conversation.transport);
    people_free(people);
    keyring_free(keyring);
    fakes_end();
    return 0;
}

static void came(const char *name)
{
    const struct session_event event = {
        .kind = SESSION_GATEWAY_CAME, .gateway = name, .address = &from};
    attendance_came(&attendance, name, &from);
    gateway_news_hear(news, &event);
}

static void went(const char *name)
{
    const struct session_event event = {.kind = SESSION_GATEWAY_WENT, .gateway = name};
    attendance_left(&attendance, name, clock_ms());
    gateway_news_hear(news, &event);
}

/* The latest of so many messages. */
static void expect(unsigned posts, const char *html)
{
    assert_int_equal(fake_transport_posts(), posts);
    assert_int_equal(fake_transport_post(posts - 1)->person, OWNER);
    assert_string_equal(fake_transport_post(posts - 1)->html, html);
}

static void the_administrator_hears_of_it_and_nobody_else(void **state)
{
    (void)state;
    came("home");
    came("office");
    fakes_advance(10 * 60 * SECOND);
    assert_int_equal(fake_transport_posts(), 0);
    went("home");
    fakes_advance(ABSENCE_TOLD_MS - SECOND);
    assert_int_equal(fake_transport_posts(), 0);
    fakes_advance(5 * SECOND);
    expect(1,
           "⚠️ Gateway home has been offline for 32 s: nothing behind it can be opened until "
           "it is "
           "back. It was last here from <code>198.51.100.7</code>.");
    fakes_advance(150 * SECOND);
    came("home");
    fakes_advance(3 * SECOND);
    expect(2, "✅ Gateway home is back after 3 min 4 s.");
}

static void those_that_go_together_are_one_message(void **state)
{
    (void)state;
    came("home");
    came("office");
    fakes_advance(10 * 60 * SECOND);
    went("home");
    fakes_advance(SECOND);
    went("office");
    fakes_advance(ABSENCE_TOLD_MS + 5 * SECOND);
    assert_int_equal(fake_transport_posts(), 1);
    assert_non_null(
        strstr(fake_transport_post(0)->html, "\n⚠️ Gateway office has been offline"));
}

static void at_the_start_there_is_time_to_come(void **state)
{
    (void)state;
    fakes_advance(ABSENCE_START_MS - SECOND);
    came("home");
    fakes_advance(10 * SECOND);
    expect(
        1,
        "⚠️ Gateway office has not come since vps-agent started 2 min 2 s ago: nothing behind "
        "it can be opened until it is there.");
    fakes_advance(60 * 60 * SECOND);
    assert_int_equal(fake_transport_posts(), 1);
}

static void one_that_comes_and_goes_is_told_of_once(void **state)
{
    (void)state;
    came("home");
    came("office");
    fakes_advance(10 * 60 * SECOND);
    for (unsigned i = 0; i < 30; i++) {
        went("home");
        fakes_advance(10 * SECOND);
        came("home");
        fakes_advance(10 * SECOND);
    }
    expect(
        1,
        "⚠️ Gateway home is coming and going. Nothing more is said of it until it has stayed "
        "online, or offline, for 15 min.");
    fakes_advance(ABSENCE_WINDOW_MS);
    expect(2, "✅ Gateway home has been online for 15 min 2 s without a break.");
}

/* Another one that never stays holds up nothing. */
static void one_that_flaps_holds_up_no_other(void **state)
{
    (void)state;
    came("home");
    came("office");
    fakes_advance(10 * 60 * SECOND);
    went("office");
    for (unsigned i = 0; i < 40; i++) {
        went("home");
        fakes_advance(500);
        came("home");
        fakes_advance(500);
    }
    assert_int_equal(fake_transport_posts(), 2);
    assert_non_null(strstr(fake_transport_post(0)->html, "home is coming and going"));
    assert_non_null(strstr(fake_transport_post(1)->html, "office has been offline"));
}

static void one_that_was_removed_has_not_gone(void **state)
{
    (void)state;
    came("home");
    came("office");
    fakes_advance(10 * 60 * SECOND);
    went("office");
    settings.tunnel_key.count = 1;
    attendance_keys_changed(&attendance);
    fakes_advance(ABSENCE_TOLD_MS + 5 * SECOND);
    assert_int_equal(fake_transport_posts(), 0);
}

static void while_the_agent_is_being_stopped_nothing_is_told(void **state)
{
    (void)state;
    came("home");
    came("office");
    fakes_advance(10 * 60 * SECOND);
    went("home");
    stopping = true;
    fakes_advance(60 * 60 * SECOND);
    assert_int_equal(fake_transport_posts(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_administrator_hears_of_it_and_nobody_else),
        TEST(those_that_go_together_are_one_message),
        TEST(at_the_start_there_is_time_to_come),
        TEST(one_that_comes_and_goes_is_told_of_once),
        TEST(one_that_flaps_holds_up_no_other),
        TEST(one_that_was_removed_has_not_gone),
        TEST(while_the_agent_is_being_stopped_nothing_is_told),
    };
    return cmocka_run_group_tests_name("gateway_news", tests, NULL, NULL);
}
