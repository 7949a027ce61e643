/* Receiving: each update once, also after a restart, and what to do when Telegram refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "bot_fakes.h"
#include "disk.h"
#include "vps/settings/settings.h"
#include "vps/telegram/offset.h"
#include "vps/telegram/poller.h"

enum { DAY_S = 24 * 3600 };

static char folder[] = "/tmp/test_poller.XXXXXX";
static char path[64];
static struct calls *calls;
static struct poller *poller;
static unsigned online, refused;
static int64_t seen[16];
static unsigned seen_count;
static int64_t last_arrived;
static const char *api_url;
static struct why refused_why;
static bool is_stopping;

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

static void write_file(const char *content)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

/* ---- the state file, on a loop of its own ---------------------------------- */

static struct vps_settings settings;
static struct log quiet;
static uv_loop_t loop;
static struct store *store;
static unsigned writes_under_way;
static statement_done_fn write_done;

static void on_write_done(void *arg, int err)
{
    writes_under_way--;
    write_done(arg, err);
}

int __real_store_write(struct store *to, const struct statement *statement, statement_done_fn done,
                       void *arg);
int __wrap_store_write(struct store *to, const struct statement *statement, statement_done_fn done,
                       void *arg);
/* The poller waits for one write at a time. */
int __wrap_store_write(struct store *to, const struct statement *statement, statement_done_fn done,
                       void *arg)
{
    int err = __real_store_write(to, statement, done ? on_write_done : NULL, arg);
    if (done && err == 0) {
        assert_int_equal(writes_under_way, 0);
        writes_under_way++;
        write_done = done;
    }
    return err;
}

static struct store *open_state(void)
{
    struct store *opened;
    struct why why;
    assert_int_equal(state_open(settings.state_dir, &quiet, &opened, &why), 0);
    return opened;
}

static void stop_poller(void)
{
    poller_free(poller);
    poller = NULL;
    writes_under_way = 0;
    store_stop(store);
    uv_run(&loop, UV_RUN_NOWAIT);
    store_free(store);
    store = NULL;
}

/* Until the state file knows it, and what then happens has happened. */
static void settle(void)
{
    /* The store hands over by a timer, at the end of a turn. */
    WAIT_FOR(&loop, (fakes_advance(0), writes_under_way == 0));
}

/* An answer, with everything that comes of it. */
static void answer(unsigned call, const char *result)
{
    fake_done(call, result);
    settle();
}

static void take_next(void *arg, const struct row *row)
{
    *(int64_t *)arg = row_number(row, 0);
}

static int64_t next_in_file(void)
{
    int64_t next = -1;
    struct store *other = open_state();
    store_read(other, &(struct statement){"SELECT next FROM queue ORDER BY at DESC LIMIT 1", {{0}}},
               take_next, &next);
    store_free(other);
    return next;
}

/* When it runs, the file already says that it was run; while stopping, it will say so. */
static void on_update(void *arg, const struct update *update)
{
    (void)arg;
    assert_true(is_stopping || next_in_file() > update->id);
    seen[seen_count++] = update->id;
    last_arrived = update->arrived;
}

static void on_update_without_file(void *arg, const struct update *update)
{
    (void)arg;
    seen[seen_count++] = update->id;
}

static void start_poller(void)
{
    store = open_state();
    const struct poller_options options = {
        .calls = calls,
        .store = store,
        .state_dir = folder,
        .api_url = api_url,
        .online = on_online,
        .refused = on_refused,
        .update = on_update,
    };
    assert_int_equal(poller_new(&options, &poller), 0);
    assert_int_equal(store_start(store, &loop), 0);
}

/* Returns the number of the getUpdates. */
static unsigned go_online_as(unsigned bot_id)
{
    char me[64];
    unsigned call = fake_calls();
    start_poller();
    assert_string_equal(fake_method(call), "getMe");
    snprintf(me, sizeof me, "{\"id\":%u,\"username\":\"pam_bot\"}", bot_id);
    fake_done(call, me);
    assert_string_equal(fake_method(call + 1), "getUpdates");
    return call + 1;
}

static unsigned go_online(void)
{
    return go_online_as(1);
}

/* The poll under way; a getMe may have come after it. */
static unsigned poll_now(void)
{
    unsigned call = fake_calls() - 1;
    while (strcmp(fake_method(call), "getUpdates") != 0 || !fake_is_open(call)) {
        call--;
    }
    return call;
}

/* An answer that took as long as a long poll does. */
static void fake_empty(unsigned call)
{
    fakes_advance(25000);
    fake_done(call, "[]");
}

static void fake_unreadable(unsigned call, const char *body)
{
    struct api_reply reply = {.outcome = API_LATER,
                              .code = 200,
                              .trouble = "not JSON",
                              .unreadable = body,
                              .unreadable_len = strlen(body)};
    fake_reply(call, &reply);
}

static int set_up(void **state)
{
    (void)state;
    fakes_start();
    online = refused = seen_count = 0;
    api_url = "https://api.test";
    poller = NULL;
    is_stopping = false;
    calls = calls_new(NULL, NULL, NULL);
    folder_clear(folder);
    return calls && uv_loop_init(&loop) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    stop_poller();
    loop_end(&loop);
    calls_free(calls);
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
    snprintf(settings.state_dir, sizeof settings.state_dir, "%s", folder);
    quiet = (struct log){.stream = stderr, .level = LOG_WARN};
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    folder_clear(folder);
    return rmdir(folder);
}

static void updates_come_once_and_in_order(void **state)
{
    (void)state;
    unsigned poll = go_online();
    assert_int_equal(online, 1);
    assert_true(poller_is_online(poller));
    assert_int_equal(fake_integer(poll, "offset"), 0);
    assert_int_equal(fake_integer(poll, "timeout"), 25);
    answer(poll, "[{\"update_id\":7,\"message\":{}},{\"update_id\":9,\"message\":{}}]");
    assert_int_equal(seen_count, 2);
    assert_int_equal(seen[0], 7);
    assert_int_equal(seen[1], 9);
    assert_int_equal(fake_integer(poll + 1, "offset"), 10);
}

static void updates_that_are_repeated_are_not_run_again(void **state)
{
    (void)state;
    unsigned poll = go_online();
    answer(poll, "[{\"update_id\":7,\"message\":{}}]");
    answer(poll + 1, "[{\"update_id\":7,\"message\":{}},{\"update_id\":6,\"message\":{}}]");
    assert_int_equal(seen_count, 1);
    assert_int_equal(fake_calls(), poll + 2); /* and no mad circle */
    assert_false(poller_is_online(poller));
    fakes_advance(2000);
    answer(poll + 2, "[{\"update_id\":7,\"message\":{}},{\"update_id\":8,\"message\":{}}]");
    assert_int_equal(seen_count, 2);
    assert_int_equal(seen[1], 8);
    assert_true(poller_is_online(poller));
}

static void a_restart_goes_on_where_it_was(void **state)
{
    (void)state;
    unsigned poll = go_online();
    answer(poll, "[{\"update_id\":7,\"message\":{}}]");
    stop_poller();
    poll = go_online();
    assert_int_equal(fake_integer(poll, "offset"), 8);
}

static void updates_wait_until_a_restart_knows_of_them(void **state)
{
    (void)state;
    unsigned poll = go_online();
    fake_done(poll, "[{\"update_id\":7,\"message\":{}},{\"update_id\":8,\"message\":{}}]");
    assert_int_equal(seen_count, 0);
    assert_int_equal(writes_under_way, 1);
    settle();
    assert_int_equal(seen_count, 2);
    assert_int_equal(next_in_file(), 9);
}

static void updates_that_wait_when_it_stops_are_dealt_with_at_once(void **state)
{
    (void)state;
    unsigned poll = go_online();
    fake_done(poll, "[{\"update_id\":7,\"message\":{}}]");
    assert_int_equal(seen_count, 0);
    is_stopping = true;
    poller_stop(poller);
    assert_int_equal(seen_count, 1);
    stop_poller();
    assert_int_equal(next_in_file(), 8); /* and not again after the restart */
}

static void without_a_state_file_updates_are_run(void **state)
{
    (void)state;
    struct poller_options options = {.calls = calls,
                                     .state_dir = folder,
                                     .api_url = api_url,
                                     .online = on_online,
                                     .update = on_update_without_file};
    unsigned call = fake_calls();
    assert_int_equal(poller_new(&options, &poller), 0);
    fake_done(call, "{\"id\":1,\"username\":\"pam_bot\"}");
    fake_done(call + 1, "[{\"update_id\":7,\"message\":{}}]");
    assert_int_equal(seen_count, 1);
    assert_int_equal(fake_integer(call + 2, "offset"), 8);
}

/* ---- what a file of the version before is worth ------------------------------- */

/* Starts, hears who the bot is, and stops: what would be asked for. */
static int64_t offset_after_restart(int64_t bot_id, const char *url)
{
    struct offset offset;
    store = open_state();
    offset_init(&offset, store, folder, url);
    assert_int_equal(store_start(store, &loop), 0);
    offset_load(&offset, bot_id, fakes_true_unix());
    settle();
    offset_done(&offset);
    stop_poller();
    return offset_get(&offset);
}

/* The file says this; %s: so long ago. */
static int64_t next_after(const char *format, int64_t age_s)
{
    char recent[64], whole[256];
    const char *mark = strstr(format, "%s");
    size_t before = mark ? (size_t)(mark - format) : strlen(format);
    snprintf(recent, sizeof recent, "%lld", (long long)(fakes_true_unix() - age_s));
    snprintf(whole, sizeof whole, "%.*s%s%s", (int)before, format, mark ? recent : "",
             mark ? mark + 2 : "");
    folder_clear(folder);
    write_file(whole);
    return offset_after_restart(1, "https://api.test");
}

static void a_file_of_the_version_before_is_taken_over_once(void **state)
{
    (void)state;
    assert_int_equal(next_after("8 %s\n", 0), 8);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(offset_after_restart(1, "https://api.test"), 8); /* it is in the new one */
}

static void a_file_of_the_version_before_that_is_old_or_of_the_future_is_ignored(void **state)
{
    (void)state;
    assert_int_equal(next_after("8 %s\n", 5 * DAY_S), 8);
    assert_int_equal(next_after("8 %s\n", 6 * DAY_S), 0);
    assert_int_equal(next_after("8 %s\n", -30), 8);
    assert_int_equal(next_after("8 %s\n", -3600), 0);
    assert_int_equal(next_after("8 %s\n", -400 * DAY_S), 0);
    assert_int_not_equal(access(path, F_OK), 0); /* it is gone in any case */
}

static void a_damaged_file_of_the_version_before_is_ignored(void **state)
{
    (void)state;
    static const char *const LINES[] = {"",
                                        "\n",
                                        "8",
                                        "8 ",
                                        "x %s\n",
                                        "8 %s",
                                        "8 %s x\n",
                                        "-8 %s\n",
                                        "0 %s\n",
                                        "8 %s 1\n",
                                        "8888888888888888888888 %s\n"};
    for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++) {
        if (next_after(LINES[i], 0) != 0) {
            fail_msg("\"%s\" counts", LINES[i]);
        }
    }
}

/* ---- what is kept --------------------------------------------------------------- */

static void keep(int64_t bot_id, const char *url, int64_t next, int64_t at)
{
    struct offset offset;
    store = open_state();
    offset_init(&offset, store, folder, url);
    offset_load(&offset, bot_id, at);
    assert_int_equal(offset_pass(&offset, next - 1, at, NULL, NULL), 0);
    offset_done(&offset);
    stop_poller();
}

static void what_is_kept_is_of_one_bot_at_one_server(void **state)
{
    (void)state;
    keep(1, "https://api.test", 8, fakes_true_unix());
    keep(2, "https://api.test", 9, fakes_true_unix());
    assert_int_equal(offset_after_restart(1, "https://api.test"), 8);
    assert_int_equal(offset_after_restart(2, "https://api.test"), 9);
    assert_int_equal(offset_after_restart(3, "https://api.test"), 0);
    assert_int_equal(offset_after_restart(1, "https://other.test"), 0);
}

static void what_was_kept_long_ago_or_in_the_future_is_ignored(void **state)
{
    (void)state;
    static const struct {
        int64_t age_s, next;
    } CASES[] = {{0, 8}, {5 * DAY_S, 8}, {6 * DAY_S, 0}, {-30, 8}, {-3600, 0}, {-400 * DAY_S, 0}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        keep(1, "https://api.test", 8, fakes_true_unix() - CASES[i].age_s);
        assert_int_equal(offset_after_restart(1, "https://api.test"), CASES[i].next);
    }
}

static void an_offset_gets_old_while_it_is_held(void **state)
{
    (void)state;
    struct offset offset;
    offset_init(&offset, NULL, folder, "https://api.test");
    offset_pass(&offset, 7, fakes_true_unix(), NULL, NULL);
    fakes_set_clock(-10 * DAY_S); /* the wall clock has no say in that */
    fakes_advance(UINT64_C(5) * DAY_S * 1000);
    assert_int_equal(offset_get(&offset), 8);
    fakes_advance(UINT64_C(1) * DAY_S * 1000);
    assert_int_equal(offset_get(&offset), 0);
}

static void an_offset_moves_even_if_it_cannot_be_kept(void **state)
{
    (void)state;
    struct offset offset;
    offset_init(&offset, NULL, folder, "https://api.test");
    assert_true(offset_pass(&offset, 7, clock_unix(), NULL, NULL) < 0);
    assert_int_equal(offset_get(&offset), 8);
}

static void another_bot_begins_at_its_own_numbers(void **state)
{
    (void)state;
    unsigned poll = go_online();
    answer(poll, "[{\"update_id\":700000001,\"message\":{}}]");
    stop_poller();
    poll = go_online_as(2);
    assert_int_equal(fake_integer(poll, "offset"), 0);
    answer(poll, "[{\"update_id\":5001,\"message\":{}}]");
    assert_int_equal(seen_count, 2);
    stop_poller();
    api_url = "http://127.0.0.1:8081";
    poll = go_online_as(2);
    assert_int_equal(fake_integer(poll, "offset"), 0);
}

static void numbers_that_begin_anew_are_taken(void **state)
{
    (void)state;
    unsigned poll = go_online();
    answer(poll, "[{\"update_id\":700000001,\"message\":{}}]");
    answer(poll + 1, "[{\"update_id\":5001,\"message\":{}},{\"update_id\":5002,\"message\":{}}]");
    assert_int_equal(seen_count, 3);
    assert_int_equal(seen[1], 5001);
    assert_int_equal(fake_integer(poll + 2, "offset"), 5003);
    assert_true(poller_is_online(poller));
}

static void telegrams_clock_says_when_an_update_came(void **state)
{
    (void)state;
    fakes_set_clock(-3600);
    unsigned poll = go_online();
    answer(poll, "[{\"update_id\":7,\"message\":{}}]");
    assert_int_equal(last_arrived, clock_unix()); /* a server without Date */
    json_t *result = json_pack("[{s:i,s:{}}]", "update_id", 8, "message");
    struct api_reply reply = {.outcome = API_DONE,
                              .code = 200,
                              .from_api = true,
                              .result = result,
                              .server_unix = fakes_true_unix()};
    fake_reply(poll + 1, &reply);
    json_decref(result);
    settle();
    assert_int_equal(last_arrived, fakes_true_unix());
}

static void a_wrong_token_is_the_end(void **state)
{
    (void)state;
    start_poller();
    struct api_reply reply = {
        .outcome = API_LATER, .code = 401, .from_api = true, .trouble = "Unauthorized"};
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
    struct api_reply reply = {.outcome = API_LATER, .code = 404, .trouble = "html"};
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
    struct api_reply reply = {
        .outcome = API_LATER, .code = 401, .from_api = true, .trouble = "Unauthorized"};
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
    struct api_reply reply = {.outcome = API_LATER,
                              .code = 409,
                              .from_api = true,
                              .trouble = "Conflict: can't use getUpdates method while "
                                         "webhook is active"};
    fake_reply(poll, &reply);
    assert_string_equal(fake_method(poll + 1), "deleteWebhook");
    answer(poll + 1, "true");
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
    answer(poll + 1, "[]");
    assert_true(poller_is_online(poller));
    assert_int_equal(fake_integer(poll + 2, "timeout"), 25);
}

static void a_second_connection_is_kept_warm(void **state)
{
    (void)state;
    unsigned poll = go_online();
    fake_empty(poll);
    assert_string_equal(fake_method(poll + 1), "getUpdates");
    assert_string_equal(fake_method(poll + 2), "getMe");
    fake_empty(poll + 1); /* the last one is not answered yet: not another one */
    assert_string_equal(fake_method(poll + 3), "getUpdates");
    assert_int_equal(fake_calls(), poll + 4);
    answer(poll + 2, "{}");
    fake_empty(poll + 3);
    assert_string_equal(fake_method(poll + 5), "getMe");
    answer(poll + 5, "{}");
}

static void a_server_that_does_not_wait_is_asked_once_a_second(void **state)
{
    (void)state;
    unsigned before = fake_calls() + 1, polls = 0, others = 0, looked_at = before;
    go_online();
    for (unsigned ms = 0; ms < 60000; ms += 10) {
        for (; looked_at < fake_calls(); looked_at++) {
            bool is_poll = strcmp(fake_method(looked_at), "getUpdates") == 0;
            polls += is_poll;
            others += !is_poll;
            answer(looked_at, is_poll ? "[]" : "{}");
        }
        fakes_advance(10);
    }
    assert_in_range(polls, 50, 62);
    assert_in_range(others, 1, 2);
    assert_true(poller_is_online(poller));
}

static void calls_have_limits_shorter_than_the_life_of_a_command(void **state)
{
    (void)state;
    unsigned poll = go_online();
    assert_in_range(fake_timeout_ms(poll), 25001, 30000);
    fake_later(poll, 0, 0);
    fakes_advance(1000);
    assert_in_range(fake_timeout_ms(poll + 1), 1000, 10000);
}

static void without_a_way_there_it_is_tried_every_few_seconds(void **state)
{
    (void)state;
    unsigned poll = go_online();
    for (unsigned i = 0; i < 20; i++) {
        fake_later(poll + i, 0, 0);
        fakes_advance(5000);
        assert_int_equal(fake_calls(), poll + i + 2);
    }
}

#define BAD_UPDATE(id) \
    "{\"ok\":true,\"result\":[{\"update_id\":" id ",\"message\":{\"x\":18446744073709551616}}"

static void an_update_that_cannot_be_read_is_stepped_over(void **state)
{
    (void)state;
    unsigned poll = go_online();
    const char *both = BAD_UPDATE("7") ",{\"update_id\":8}]}", *bad = BAD_UPDATE("7") "]}";
    fake_unreadable(poll, both);
    fakes_advance(1000);
    assert_int_equal(fake_integer(poll + 1, "limit"), 20);
    fake_unreadable(poll + 1, both);
    fakes_advance(2000);
    assert_int_equal(fake_integer(poll + 2, "limit"), 1);
    fake_unreadable(poll + 2, bad);
    fakes_advance(4000);
    fake_unreadable(poll + 3, bad);
    assert_int_equal(fake_integer(poll + 4, "offset"), 8);
    answer(poll + 4, "[{\"update_id\":8,\"message\":{}}]");
    assert_int_equal(seen_count, 1);
    assert_int_equal(seen[0], 8);
    assert_int_equal(fake_integer(poll + 5, "limit"), 1);
    fake_empty(poll + 5);
    assert_int_equal(fake_integer(poll + 6, "limit"), 20);
    assert_true(poller_is_online(poller));
}

static void an_answer_that_cannot_be_read_now_and_then_loses_nothing(void **state)
{
    (void)state;
    go_online();
    for (unsigned i = 0; i < 6; i++) {
        fake_unreadable(poll_now(), BAD_UPDATE("7") "]}");
        fakes_advance(2000);
        assert_int_equal(fake_integer(poll_now(), "offset"), 0);
        answer(poll_now(), "[]");
    }
}

static void polls_that_are_cut_get_shorter(void **state)
{
    (void)state;
    go_online();
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(fake_integer(poll_now(), "timeout"), 25);
        fakes_advance(12000);
        fake_later(poll_now(), 504, 0);
        fakes_advance(1000);
        answer(poll_now(), "[]"); /* the short one */
    }
    assert_int_equal(fake_integer(poll_now(), "timeout"), 9);
    fakes_advance(9000);
    answer(poll_now(), "[]");
    assert_int_equal(fake_integer(poll_now(), "timeout"), 9);
    fakes_advance(3600 * 1000);
    answer(poll_now(), "[]");
    assert_int_equal(fake_integer(poll_now(), "timeout"), 25);
}

static void what_is_wrong_can_be_asked(void **state)
{
    (void)state;
    char buffer[256] = "";
    struct text text = text_over(buffer, sizeof buffer);
    unsigned poll = go_online();
    assert_int_equal(poller_trouble(poller, &text), 0);
    assert_int_equal(text.len, 0);
    struct api_reply reply = {
        .outcome = API_LATER, .code = 401, .from_api = true, .trouble = "Unauthorized"};
    fake_reply(poll, &reply);
    fakes_advance(61000);
    fake_reply(poll + 1, &reply);
    fakes_advance(61000);
    assert_int_equal(poller_trouble(poller, &text), 122);
    assert_non_null(strstr(buffer, "refuses the bot token (401 Unauthorized)"));
}

static void a_second_program_is_told_for_a_while(void **state)
{
    (void)state;
    char buffer[256] = "";
    struct text text = text_over(buffer, sizeof buffer);
    unsigned poll = go_online();
    struct api_reply reply = {.outcome = API_LATER,
                              .code = 409,
                              .from_api = true,
                              .trouble = "Conflict: terminated by other getUpdates request"};
    fake_reply(poll, &reply);
    fakes_advance(1000);
    answer(poll + 1, "[]");
    assert_true(poller_is_online(poller));
    assert_int_equal(poller_trouble(poller, &text), 0);
    assert_non_null(strstr(buffer, "another program"));
    text = text_over(buffer, sizeof buffer);
    fakes_advance(601000);
    assert_int_equal(poller_trouble(poller, &text), 0);
    assert_int_equal(text.len, 0);
}

static void nonsense_is_survived(void **state)
{
    (void)state;
    static const char *const NONSENSE[] = {"{}", "7", "true", "[7]", "[{}]", "[[]]", "[null]"};
    unsigned poll = go_online();
    for (size_t i = 0; i < sizeof NONSENSE / sizeof *NONSENSE; i++) {
        answer(poll, NONSENSE[i]);
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
        TEST(telegrams_clock_says_when_an_update_came),
        TEST(numbers_that_begin_anew_are_taken),
        TEST(another_bot_begins_at_its_own_numbers),
        TEST(updates_wait_until_a_restart_knows_of_them),
        TEST(updates_that_wait_when_it_stops_are_dealt_with_at_once),
        TEST(without_a_state_file_updates_are_run),
        TEST(a_file_of_the_version_before_is_taken_over_once),
        TEST(a_file_of_the_version_before_that_is_old_or_of_the_future_is_ignored),
        TEST(a_damaged_file_of_the_version_before_is_ignored),
        TEST(what_is_kept_is_of_one_bot_at_one_server),
        TEST(what_was_kept_long_ago_or_in_the_future_is_ignored),
        TEST(an_offset_gets_old_while_it_is_held),
        TEST(an_offset_moves_even_if_it_cannot_be_kept),
        TEST(a_wrong_token_is_the_end),
        TEST(an_error_page_of_a_proxy_is_not_the_end),
        TEST(a_token_revoked_later_is_tried_slowly),
        TEST(a_webhook_is_removed),
        TEST(the_server_says_how_long_to_wait),
        TEST(after_a_failure_a_short_poll_tells_soon_that_it_works),
        TEST(a_second_connection_is_kept_warm),
        TEST(without_a_way_there_it_is_tried_every_few_seconds),
        TEST(calls_have_limits_shorter_than_the_life_of_a_command),
        TEST(a_server_that_does_not_wait_is_asked_once_a_second),
        TEST(nonsense_is_survived),
        TEST(a_second_program_is_told_for_a_while),
        TEST(what_is_wrong_can_be_asked),
        TEST(polls_that_are_cut_get_shorter),
        TEST(an_answer_that_cannot_be_read_now_and_then_loses_nothing),
        TEST(an_update_that_cannot_be_read_is_stepped_over),
        TEST(nothing_comes_after_a_stop),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
