/* Receiving: each update once, also after a restart, and what to do when Telegram refuses. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "bot_fakes.h"
#include "vps/bot/offset.h"
#include "vps/bot/poller.h"

enum { DAY_S = 24 * 3600 };

static char folder[] = "/tmp/test_poller.XXXXXX";
static char path[64];
static struct errands *errands;
static struct poller *poller;
static unsigned online, refused;
static int64_t seen[16];
static unsigned seen_count;
static struct why refused_why;

static void on_online(void *arg, const char *user_name)
{
    (void)arg;
    assert_string_equal(user_name, "pam_bot");
    online++;
}

static void on_refused(void *arg, const struct why *why)
{
    (void)arg;
    refused_why = *why;
    refused++;
}

static void read_file(char *dst, size_t size)
{
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_non_null(fgets(dst, (int)size, file));
    fclose(file);
}

static void write_file(const char *content)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

/* When it runs, the file already says that it was run. */
static void on_update(void *arg, const struct update *update)
{
    (void)arg;
    char line[64];
    read_file(line, sizeof line);
    assert_int_equal(strtoll(line, NULL, 10), update->id + 1);
    seen[seen_count++] = update->id;
}

static void start_poller(void)
{
    const struct poller_options options = {
        .errands = errands,
        .state_dir = folder,
        .online = on_online,
        .refused = on_refused,
        .update = on_update,
    };
    assert_int_equal(poller_new(&options, &poller), 0);
}

/* Returns the number of the getUpdates. */
static unsigned go_online(void)
{
    unsigned call = fake_calls();
    start_poller();
    assert_string_equal(fake_method(call), "getMe");
    fake_done(call, "{\"id\":1,\"username\":\"pam_bot\"}");
    assert_string_equal(fake_method(call + 1), "getUpdates");
    return call + 1;
}

static int set_up(void **state)
{
    (void)state;
    fakes_start();
    online = refused = seen_count = 0;
    poller = NULL;
    errands = errands_new(NULL, NULL, NULL);
    unlink(path);
    return errands ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    poller_free(poller);
    errands_free(errands);
    fakes_end();
    return 0;
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/telegram.offset", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder); /* nothing else is left in it */
}

static void updates_come_once_and_in_order(void **state)
{
    (void)state;
    unsigned poll = go_online();
    assert_int_equal(online, 1);
    assert_true(poller_is_online(poller));
    assert_int_equal(fake_integer(poll, "offset"), 0);
    assert_int_equal(fake_integer(poll, "timeout"), 50);
    fake_done(poll, "[{\"update_id\":7,\"message\":{}},{\"update_id\":9,\"message\":{}}]");
    assert_int_equal(seen_count, 2);
    assert_int_equal(seen[0], 7);
    assert_int_equal(seen[1], 9);
    assert_int_equal(fake_integer(poll + 1, "offset"), 10);
}

static void updates_that_are_repeated_are_not_run_again(void **state)
{
    (void)state;
    unsigned poll = go_online();
    fake_done(poll, "[{\"update_id\":7,\"message\":{}}]");
    fake_done(poll + 1, "[{\"update_id\":7,\"message\":{}},{\"update_id\":6,\"message\":{}}]");
    assert_int_equal(seen_count, 1);
    assert_int_equal(fake_calls(), poll + 2); /* and no mad circle */
    assert_false(poller_is_online(poller));
    fakes_advance(2000);
    fake_done(poll + 2, "[{\"update_id\":7,\"message\":{}},{\"update_id\":8,\"message\":{}}]");
    assert_int_equal(seen_count, 2);
    assert_int_equal(seen[1], 8);
    assert_true(poller_is_online(poller));
}

static void a_restart_goes_on_where_it_was(void **state)
{
    (void)state;
    unsigned poll = go_online();
    fake_done(poll, "[{\"update_id\":7,\"message\":{}}]");
    poller_free(poller);
    poll = go_online();
    assert_int_equal(fake_integer(poll, "offset"), 8);
}

static void a_file_of_last_week_is_ignored(void **state)
{
    (void)state;
    char line[64];
    snprintf(line, sizeof line, "8 %lld\n", (long long)clock_unix() - 7 * DAY_S);
    write_file(line);
    unsigned poll = go_online();
    assert_int_equal(fake_integer(poll, "offset"), 0);
    fake_done(poll, "[{\"update_id\":3,\"message\":{}}]");
    assert_int_equal(seen_count, 1);
}

static void a_damaged_file_is_ignored(void **state)
{
    (void)state;
    char recent[64], whole[128];
    snprintf(recent, sizeof recent, "%lld", (long long)clock_unix());
    static const char *const LINES[] = {
        "",     "\n",       "8",       "8 ",     "x %s\n",
        "8 %s", "8 %s x\n", "-8 %s\n", "0 %s\n", "8888888888888888888888 %s\n"};
    for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++) {
        char *place = whole;
        const char *mark = strstr(LINES[i], "%s");
        size_t before = mark ? (size_t)(mark - LINES[i]) : strlen(LINES[i]);
        place += sprintf(place, "%.*s", (int)before, LINES[i]);
        if (mark) {
            sprintf(place, "%s%s", recent, mark + 2);
        }
        write_file(whole);
        struct offset offset;
        offset_init(&offset, folder);
        if (offset_get(&offset, clock_unix()) != 0) {
            fail_msg("\"%s\" counts", whole);
        }
    }
    snprintf(whole, sizeof whole, "8 %s\n", recent);
    write_file(whole);
    struct offset offset;
    offset_init(&offset, folder);
    assert_int_equal(offset_get(&offset, clock_unix()), 8);
    assert_int_equal(offset_get(&offset, clock_unix() + 5 * DAY_S), 8);
    assert_int_equal(offset_get(&offset, clock_unix() + 6 * DAY_S), 0);
}

static void an_offset_moves_even_if_the_file_cannot_be_written(void **state)
{
    (void)state;
    struct offset offset;
    offset_init(&offset, "/nonexistent");
    assert_true(offset_pass(&offset, 7, clock_unix()) < 0);
    assert_int_equal(offset_get(&offset, clock_unix()), 8);
}

static void a_wrong_token_is_the_end(void **state)
{
    (void)state;
    start_poller();
    struct telegram_reply reply = {
        .outcome = TELEGRAM_LATER, .code = 401, .from_api = true, .trouble = "Unauthorized"};
    fake_reply(0, &reply);
    assert_int_equal(refused, 0); /* not from inside */
    fakes_advance(1);
    assert_int_equal(refused, 1);
    assert_non_null(strstr(refused_why.text, "TELEGRAM_TOKEN"));
    assert_non_null(strstr(refused_why.text, "401 Unauthorized"));
    fakes_advance(1000000);
    assert_int_equal(refused, 1);
    assert_int_equal(fake_calls(), 1);
}

static void an_error_page_of_a_proxy_is_not_the_end(void **state)
{
    (void)state;
    start_poller();
    struct telegram_reply reply = {.outcome = TELEGRAM_LATER, .code = 404, .trouble = "html"};
    fake_reply(0, &reply);
    fakes_advance(2000);
    assert_int_equal(refused, 0);
    assert_string_equal(fake_method(1), "getMe");
    assert_false(poller_is_online(poller));
}

static void a_token_revoked_later_is_tried_slowly(void **state)
{
    (void)state;
    unsigned poll = go_online();
    struct telegram_reply reply = {
        .outcome = TELEGRAM_LATER, .code = 401, .from_api = true, .trouble = "Unauthorized"};
    fake_reply(poll, &reply);
    fakes_advance(59000);
    assert_int_equal(fake_calls(), poll + 1);
    fakes_advance(2000);
    assert_string_equal(fake_method(poll + 1), "getUpdates");
    assert_int_equal(refused, 0);
}

static void a_webhook_is_removed(void **state)
{
    (void)state;
    unsigned poll = go_online();
    struct telegram_reply reply = {.outcome = TELEGRAM_LATER,
                                   .code = 409,
                                   .from_api = true,
                                   .trouble = "Conflict: can't use getUpdates method while "
                                              "webhook is active"};
    fake_reply(poll, &reply);
    assert_string_equal(fake_method(poll + 1), "deleteWebhook");
    fake_done(poll + 1, "true");
    fakes_advance(1000);
    assert_string_equal(fake_method(poll + 2), "getUpdates");
}

static void the_server_says_how_long_to_wait(void **state)
{
    (void)state;
    unsigned poll = go_online();
    fake_later(poll, 429, 17);
    fakes_advance(16900);
    assert_int_equal(fake_calls(), poll + 1);
    fakes_advance(200);
    assert_string_equal(fake_method(poll + 1), "getUpdates");
}

static void after_a_failure_a_short_poll_tells_soon_that_it_works(void **state)
{
    (void)state;
    unsigned poll = go_online();
    fake_later(poll, 0, 0);
    assert_false(poller_is_online(poller));
    fakes_advance(1000);
    assert_int_equal(fake_integer(poll + 1, "timeout"), 0);
    fake_done(poll + 1, "[]");
    assert_true(poller_is_online(poller));
    assert_int_equal(fake_integer(poll + 2, "timeout"), 50);
}

static void a_second_connection_is_kept_warm(void **state)
{
    (void)state;
    unsigned poll = go_online();
    fake_done(poll, "[]");
    assert_string_equal(fake_method(poll + 1), "getUpdates");
    assert_string_equal(fake_method(poll + 2), "getMe");
    fake_done(poll + 1, "[]"); /* the last one is not answered yet: not another one */
    assert_string_equal(fake_method(poll + 3), "getUpdates");
    assert_int_equal(fake_calls(), poll + 4);
    fake_done(poll + 2, "{}");
}

static void nonsense_is_survived(void **state)
{
    (void)state;
    static const char *const NONSENSE[] = {"{}", "7", "true", "[7]", "[{}]", "[[]]", "[null]"};
    unsigned poll = go_online();
    for (size_t i = 0; i < sizeof NONSENSE / sizeof *NONSENSE; i++) {
        fake_done(poll, NONSENSE[i]);
        assert_int_equal(fake_calls(), poll + 1);
        fakes_advance(30000);
        poll++;
        assert_string_equal(fake_method(poll), "getUpdates");
    }
    assert_int_equal(seen_count, 0);
}

static void nothing_comes_after_a_stop(void **state)
{
    (void)state;
    unsigned poll = go_online();
    poller_stop(poller);
    assert_false(fake_is_open(poll));
    fakes_advance(1000000);
    assert_int_equal(fake_calls(), poll + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(updates_come_once_and_in_order),
        TEST(updates_that_are_repeated_are_not_run_again),
        TEST(a_restart_goes_on_where_it_was),
        TEST(a_file_of_last_week_is_ignored),
        TEST(a_damaged_file_is_ignored),
        TEST(an_offset_moves_even_if_the_file_cannot_be_written),
        TEST(a_wrong_token_is_the_end),
        TEST(an_error_page_of_a_proxy_is_not_the_end),
        TEST(a_token_revoked_later_is_tried_slowly),
        TEST(a_webhook_is_removed),
        TEST(the_server_says_how_long_to_wait),
        TEST(after_a_failure_a_short_poll_tells_soon_that_it_works),
        TEST(a_second_connection_is_kept_warm),
        TEST(nonsense_is_survived),
        TEST(nothing_comes_after_a_stop),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
