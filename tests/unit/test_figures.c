/* What METRICS_LISTEN says of a vps-agent, and when it says that something is wrong. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "vps/figures/figures.h"
#include "vps_world.h"

struct place {
    struct world world;
    struct figures *figures;
    struct monitor_subject subject;
};

/* ---- a service that carries the bot, and its state ------------------------- */

static bool online;
static uint64_t deaf_s;
static struct store_view disk;

static bool is_online(const struct transport *transport)
{
    (void)transport;
    return online;
}

static uint64_t trouble(const struct transport *transport, struct text *text)
{
    (void)transport;
    if (deaf_s > 0) {
        text_add(text, "no route\nto \x1b[31mthe server");
    }
    return deaf_s;
}

static void measure(const struct transport *transport, struct metrics *metrics)
{
    (void)transport;
    metrics_one(metrics, METRICS_GAUGE, "x_calls", "Calls.", 5);
}

static const struct transport_ops OPS = {
    .is_online = is_online, .trouble = trouble, .measure = measure};
static const struct transport TRANSPORT = {&OPS};

struct store_view __wrap_store_view(struct store *store);

struct store_view __wrap_store_view(struct store *store)
{
    (void)store;
    return disk;
}

/* ---- set-up --------------------------------------------------------------- */

static int open_place(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    world_init(&place->world);
    world_start(&place->world);
    const struct figures_options options = {.sessions = place->world.sessions,
                                            .gateways = place->world.gateways,
                                            .transport = &TRANSPORT};
    assert_int_equal(figures_new(&options, &place->figures), 0);
    place->subject = figures_subject(place->figures);
    online = true;
    deaf_s = 0;
    disk = (struct store_view){0};
    *state = place;
    return 0;
}

static int close_place(void **state)
{
    struct place *place = *state;
    figures_free(place->figures);
    figures_free(NULL);
    world_stop(&place->world);
    free(place);
    return 0;
}

/* ---- asking --------------------------------------------------------------- */

/* The value of a sample, with its labels as they stand there. */
static long value(struct place *place, const char *sample)
{
    struct metrics metrics = {0};
    char line[160];
    place->subject.measure(place->subject.arg, &metrics);
    char *page = metrics_end(&metrics);
    snprintf(line, sizeof line, "\n%s ", sample);
    const char *found = strstr(page, line);
    if (!found) {
        fail_msg("no %s in:\n%s", sample, page);
    }
    long number = strtol(found + strlen(line), NULL, 10);
    free(page);
    return number;
}

static const char *complaints(struct place *place)
{
    static char buffer[1024];
    struct text text = text_over(buffer, sizeof buffer);
    place->subject.complain(place->subject.arg, &text);
    return buffer;
}

#define EXPECT(sample, number) assert_int_equal(value(place, sample), number)

/* ---- tests ---------------------------------------------------------------- */

static void a_session_is_counted_from_its_birth_to_its_end(void **state)
{
    struct place *place = *state;
    int data;
    EXPECT("pamtunnel_sessions{state=\"waiting\",kind=\"ssh\"}", 0);
    struct session *session = world_ask_until_waiting(&place->world, KIND_SSH, &data);
    EXPECT("pamtunnel_sessions{state=\"waiting\",kind=\"ssh\"}", 1);
    EXPECT("pamtunnel_sessions{state=\"waiting\",kind=\"rdp\"}", 0);
    EXPECT("pamtunnel_sessions_opened_total{kind=\"ssh\"}", 1);
    session_close(session);
    EXPECT("pamtunnel_sessions{state=\"waiting\",kind=\"ssh\"}", 0);
    EXPECT("pamtunnel_sessions_ended_total{end=\"closed\"}", 1);
    world_lose(&place->world, data);
}

static void who_is_not_let_in_is_counted_while_it_runs_and_afterwards(void **state)
{
    struct place *place = *state;
    int data;
    struct session *session = world_ask_until_waiting(&place->world, KIND_SSH, &data);
    for (unsigned i = 0; i < 3; i++) {
        int stranger = come_with_rdp(session, "127.0.0.9");
        world_lose(&place->world, stranger);
    }
    EXPECT("pamtunnel_strangers_total{reason=\"unfit\"}", 3);
    session_close(session);
    EXPECT("pamtunnel_strangers_total{reason=\"unfit\"}", 3);
    EXPECT("pamtunnel_strangers_total{reason=\"blocked\"}", 0);
    world_lose(&place->world, data);
}

static void a_refusal_is_counted_by_its_word(void **state)
{
    struct place *place = *state;
    struct session_request request = {.owner = {OWNER_TELEGRAM, 42}, .kind = KIND_SSH};
    struct session *session;
    struct why why;
    strcpy(request.target.host, "nas");
    strcpy(request.target.gateway, "attic");
    request.target.port = 22;
    assert_int_equal(sessions_open(place->world.sessions, &request, &session, &why), -ENOENT);
    EXPECT("pamtunnel_sessions_refused_total{reason=\"no_such_gateway\"}", 1);
    sessions_refuse(place->world.sessions, &request, -ENOTRECOVERABLE, "it is late");
    EXPECT("pamtunnel_sessions_refused_total{reason=\"failed\"}", 1);
    EXPECT("pamtunnel_sessions_refused_total{reason=\"not_allowed\"}", 0);
}

static void a_gateway_is_up_or_away(void **state)
{
    struct place *place = *state;
    EXPECT("pamtunnel_gateways", 1);
    EXPECT("pamtunnel_gateway_up{gateway=\"home\"}", 1);
    assert_string_equal(complaints(place), "");
    peer_vanish(&place->world, &place->world.peers[0]);
    WAIT_FOR(&place->world.stage, value(place, "pamtunnel_gateways") == 0);
    EXPECT("pamtunnel_gateway_up{gateway=\"home\"}", 0);
    EXPECT("pamtunnel_gateway_losses_total", 1);
    assert_string_equal(complaints(place), "no gateway is online\n");
    peer_log_in(&place->world, &place->world.peers[1], "home");
    EXPECT("pamtunnel_gateway_up{gateway=\"home\"}", 1);
    EXPECT("pamtunnel_gateway_logins_total", 1); /* the first was here before it was watched */
    assert_string_equal(complaints(place), "");
}

static void a_bot_is_dead_when_it_has_heard_nothing_for_a_minute(void **state)
{
    struct place *place = *state;
    EXPECT("pamtunnel_bot_up", 1);
    EXPECT("x_calls", 5);
    deaf_s = FIGURES_DEAF_MAX_S;
    assert_string_equal(complaints(place), "");
    online = false;
    deaf_s++;
    EXPECT("pamtunnel_bot_up", 0);
    EXPECT("pamtunnel_bot_deaf_seconds", FIGURES_DEAF_MAX_S + 1);
    assert_string_equal(complaints(place), "nothing was received from Telegram for 1 min 1 s: no "
                                           "route?to ?[31mthe server\n");
}

static void a_state_file_that_cannot_be_written_is_told_of(void **state)
{
    struct place *place = *state;
    EXPECT("pamtunnel_store_up", 1);
    disk = (struct store_view){
        .changes = 3, .records = 7, .delay_us = 12500000, .trouble = -ENOSPC};
    EXPECT("pamtunnel_store_up", 0);
    EXPECT("pamtunnel_store_waiting", 3);
    EXPECT("pamtunnel_audit_waiting", 7);
    EXPECT("pamtunnel_store_delay_seconds", 12);
    assert_string_equal(complaints(place),
                        "the state file cannot be written: No space left on device\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_place, close_place)
    const struct CMUnitTest tests[] = {
        TEST(a_session_is_counted_from_its_birth_to_its_end),
        TEST(who_is_not_let_in_is_counted_while_it_runs_and_afterwards),
        TEST(a_refusal_is_counted_by_its_word),
        TEST(a_gateway_is_up_or_away),
        TEST(a_bot_is_dead_when_it_has_heard_nothing_for_a_minute),
        TEST(a_state_file_that_cannot_be_written_is_told_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
