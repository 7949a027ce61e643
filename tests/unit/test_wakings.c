/*
 * Machines that are to wake, with the sessions and gateways of vps-agent and a gateway that is
 * played by hand: what is offered, what is sent, and what comes of it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "vps/policy/policy_file.h"
#include "vps/waking/wakings.h"
#include "vps_world.h"

static const uint8_t MAC[MAC_SIZE] = {2, 0, 0, 0, 0, 7};

static bool gateways_are_old;

unsigned __real_message_since(enum message_type type);
unsigned __wrap_message_since(enum message_type type);

unsigned __wrap_message_since(enum message_type type)
{
    return gateways_are_old && type == MESSAGE_WAKE ? 99 : __real_message_since(type);
}

static struct scene {
    struct world world;
    struct holds *holds;
    struct wakings *wakings;
    struct waking *waking; /* the latest that is there */
    char story[512];
    bool has_session; /* of the latest end */
} scene;

static void on_waking(void *arg, const struct waking_event *event)
{
    size_t len = strlen(scene.story);
    struct text story = text_over(scene.story + len, sizeof scene.story - len);
    (void)arg;
    text_add(&story, "%s%s%s", len ? ", " : "", event->is_new ? "new " : "",
             waking_state_name(event->view->state));
    scene.waking = waking_state_is_end(event->view->state) ? NULL : event->waking;
    scene.has_session = event->session != NULL;
}

static void expect(const char *story)
{
    assert_string_equal(scene.story, story);
    scene.story[0] = '\0';
}

static struct peer *home(void)
{
    return &scene.world.peers[0];
}

static void open_scene(const char *policy)
{
    struct why why = {""};
    memset(&scene, 0, sizeof scene);
    gateways_are_old = false;
    world_init(&scene.world);
    if (policy && policy_parse("p.yaml", policy, strlen(policy), "/usr/share/zoneinfo",
                               &scene.world.settings.policy_file.policy, &why) < 0) {
        fail_msg("%s", why.text);
    }
    world_start(&scene.world);
    const struct holds_options of_holds = {.loop = &scene.world.stage.loop,
                                           .log = &scene.world.log,
                                           .settings = &scene.world.settings,
                                           .people = scene.world.people,
                                           .sessions = scene.world.sessions};
    assert_int_equal(holds_new(&of_holds, &scene.holds), 0);
    const struct wakings_options of_wakings = {.loop = &scene.world.stage.loop,
                                               .log = &scene.world.log,
                                               .people = scene.world.people,
                                               .sessions = scene.world.sessions,
                                               .holds = scene.holds};
    assert_int_equal(wakings_new(&of_wakings, &scene.wakings), 0);
    assert_int_equal(wakings_watch(scene.wakings, (struct waking_watcher){.event = on_waking}), 0);
}

static void close_scene(void)
{
    wakings_end_all(scene.wakings);
    wakings_free(scene.wakings);
    holds_free(scene.holds);
    world_stop(&scene.world);
    policy_free(scene.world.settings.policy_file.policy);
}

/* ---- what gateway and user do -------------------------------------------------- */

/* A session opens, its machine's MAC address is seen, and it is closed again. */
static void answers(void)
{
    struct session *session = world_ask(&scene.world, KIND_SSH);
    struct message ready = {.type = MESSAGE_TUNNEL_READY};
    int data = peer_attach(&scene.world, home());
    ready.tunnel_ready.session = home()->last.session;
    strcpy(ready.tunnel_ready.address, "192.0.2.7:22");
    memcpy(ready.tunnel_ready.mac, MAC, MAC_SIZE);
    peer_send(home(), &ready);
    WAIT_FOR(&scene.world.stage, state_of(session) == SESSION_WAITING);
    session_close(session);
    world_lose(&scene.world, data);
}

static void fails(enum tunnel_failure reason)
{
    unsigned ended = scene.world.ended;
    world_ask(&scene.world, KIND_SSH);
    peer_say_failed(home(), reason, "it does not answer");
    WAIT_FOR(&scene.world.stage, scene.world.ended > ended);
}

static void says_awake(void)
{
    struct message awake = {.type = MESSAGE_AWAKE};
    awake.awake.session = home()->woken.session;
    strcpy(awake.awake.address, "192.0.2.7:22");
    peer_send(home(), &awake);
}

static void says_silent(enum tunnel_failure reason)
{
    struct message failed = {.type = MESSAGE_TUNNEL_FAILED};
    failed.tunnel_failed.session = home()->woken.session;
    failed.tunnel_failed.reason = (uint8_t)reason;
    peer_send(home(), &failed);
}

static int wake(int64_t who, struct why *why)
{
    struct session_request request = {.owner = {OWNER_TELEGRAM, who}};
    struct waking *waking;
    strcpy(request.target.host, home()->last.host);
    return wakings_wake(scene.wakings, &request, &waking, why);
}

static void take_offer(void)
{
    struct why why = {""};
    unsigned wakes = home()->wakes;
    assert_non_null(scene.waking);
    assert_int_equal(wakings_take_offer(scene.wakings, scene.waking, &why), 0);
    WAIT_FOR(&scene.world.stage, home()->wakes > wakes);
}

/* ---- tests ----------------------------------------------------------------------- */

static void test_an_offer_leads_to_the_session(void **state)
{
    struct why why;
    (void)state;
    open_scene(NULL);
    answers();
    fails(TUNNEL_TIMED_OUT);
    expect("new offered");
    assert_int_equal(home()->wakes, 0);
    take_offer();
    expect("asleep");
    assert_memory_equal(home()->woken.mac, MAC, MAC_SIZE);
    assert_string_equal(home()->woken.host, home()->last.host);
    assert_int_equal(home()->woken.port, home()->last.port);
    assert_int_equal(home()->woken.patience_secs, WAKING_PATIENCE_S);
    assert_int_equal(wakings_take_offer(scene.wakings, scene.waking, &why), -EALREADY);
    unsigned opens = home()->opens;
    says_awake();
    WAIT_FOR(&scene.world.stage, home()->opens > opens);
    expect("awake");
    assert_true(scene.has_session);
    assert_int_equal(sessions_count(scene.world.sessions), 1);
    close_scene();
}

static void test_what_is_not_offered(void **state)
{
    static const enum tunnel_failure AWAKE[] = {TUNNEL_REFUSED, TUNNEL_NOT_ALLOWED,
                                                TUNNEL_NAME_SERVERS, TUNNEL_BUSY, TUNNEL_IDENTITY};
    static const enum tunnel_failure ASLEEP[] = {TUNNEL_TIMED_OUT, TUNNEL_NO_ROUTE,
                                                 TUNNEL_UNKNOWN_NAME};
    (void)state;
    open_scene(NULL);
    fails(TUNNEL_TIMED_OUT);
    expect(""); /* its MAC address is not known */
    answers();
    for (size_t i = 0; i < sizeof AWAKE / sizeof *AWAKE; i++) {
        fails(AWAKE[i]);
        expect("");
    }
    for (size_t i = 0; i < sizeof ASLEEP / sizeof *ASLEEP; i++) {
        fails(ASLEEP[i]);
        expect("new offered");
    }
    close_scene();
}

static void test_a_gateway_that_is_too_old(void **state)
{
    struct why why = {""};
    (void)state;
    open_scene(NULL);
    answers();
    gateways_are_old = true;
    fails(TUNNEL_TIMED_OUT);
    expect("");
    assert_int_equal(wake(42, &why), -EPROTONOSUPPORT);
    assert_non_null(strstr(why.text, "upgraded"));
    close_scene();
}

static void test_one_that_stays_silent(void **state)
{
    struct waking_view view;
    (void)state;
    open_scene(NULL);
    answers();
    fails(TUNNEL_NO_ROUTE);
    take_offer();
    waking_view(scene.waking, &view);
    assert_true(view.opens);
    says_silent(TUNNEL_TIMED_OUT);
    WAIT_FOR(&scene.world.stage, !scene.waking);
    expect("new offered, asleep, silent");
    assert_int_equal(sessions_count(scene.world.sessions), 0);
    close_scene();
}

/* Its gateway never says a word. */
static void test_time_runs_out(void **state)
{
    (void)state;
    open_scene(NULL);
    answers();
    fails(TUNNEL_NO_ROUTE);
    take_offer();
    fails(TUNNEL_NO_ROUTE); /* an offer that nobody takes */
    stage_hurry(500);
    WAIT_FOR(&scene.world.stage, strstr(scene.story, "silent"));
    WAIT_FOR(&scene.world.stage, strstr(scene.story, "expired"));
    expect("new offered, asleep, new offered, silent, expired");
    close_scene();
}

static void test_who_wants_the_same_shares_it(void **state)
{
    struct why why = {""};
    (void)state;
    open_scene(NULL);
    answers();
    assert_int_equal(wake(42, &why), 0);
    struct waking *first = scene.waking;
    WAIT_FOR(&scene.world.stage, home()->wakes == 1);
    assert_int_equal(wake(43, &why), 0);
    struct waking *second = scene.waking;
    unsigned closes = home()->closes;
    wakings_cancel(scene.wakings, first);
    assert_true(stage_is_quiet(&scene.world.stage, 50));
    assert_int_equal(home()->wakes, 1);
    assert_int_equal(home()->closes, closes);
    wakings_cancel(scene.wakings, second);
    WAIT_FOR(&scene.world.stage, home()->closes == closes + 1);
    assert_true(home()->closed == home()->woken.session);
    expect("new asleep, new asleep, ended, ended");
    assert_int_equal(wake(42, &why), 0);
    assert_int_equal(wake(43, &why), 0);
    WAIT_FOR(&scene.world.stage, home()->wakes == 2);
    says_awake();
    WAIT_FOR(&scene.world.stage, !scene.waking);
    expect("new asleep, new asleep, awake, awake");
    assert_int_equal(sessions_count(scene.world.sessions), 0);
    close_scene();
}

static void test_nobody_has_machines_woken_without_end(void **state)
{
    struct why why = {""};
    int err = 0;
    (void)state;
    open_scene(NULL);
    answers();
    for (unsigned i = 0; err == 0 && i < 20; i++) {
        err = wake(42, &why);
        if (err == 0) {
            wakings_cancel(scene.wakings, scene.waking);
        }
    }
    assert_int_equal(err, -EBUSY);
    assert_int_equal(wake(43, &why), 0);
    close_scene();
}

static void test_a_gateway_goes_and_comes(void **state)
{
    struct why why = {""};
    (void)state;
    open_scene(NULL);
    answers();
    assert_int_equal(wake(42, &why), 0);
    WAIT_FOR(&scene.world.stage, home()->wakes == 1);
    peer_vanish(&scene.world, home());
    WAIT_FOR(&scene.world.stage, !scene.waking);
    expect("new asleep, ended");
    assert_int_equal(wake(42, &why), -ENOTCONN);
    close_scene();
}

/* It logs in once more, as after a change of its line: it is asked anew, once for each machine. */
static void test_a_gateway_that_comes_again_is_asked_anew(void **state)
{
    struct peer *again = &scene.world.peers[1];
    struct why why = {""};
    (void)state;
    open_scene(NULL);
    answers();
    assert_int_equal(wake(42, &why), 0);
    assert_int_equal(wake(43, &why), 0);
    WAIT_FOR(&scene.world.stage, home()->wakes == 1);
    peer_log_in(&scene.world, again, "home");
    WAIT_FOR(&scene.world.stage, again->wakes > 0);
    assert_true(stage_is_quiet(&scene.world.stage, 50));
    assert_int_equal(again->wakes, 1); /* of the same number twice, it would refuse the second */
    assert_true(again->woken.session == home()->woken.session);
    expect("new asleep, new asleep");
    close_scene();
}

static const char POLICY[] = "users:\n"
                             "  anna: {telegram: 42}\n"
                             "targets:\n"
                             "  pc: {address: HOME-PC, mac: \"02:00:00:00:00:07\", wake: auto}\n"
                             "rules:\n"
                             "  - {who: anna, targets: pc, kinds: ssh}\n";

/* At once, but not again and again. */
static void test_by_the_policy(void **state)
{
    struct why why = {""};
    (void)state;
    open_scene(POLICY);
    fails(TUNNEL_TIMED_OUT);
    expect("new asleep");
    WAIT_FOR(&scene.world.stage, home()->wakes == 1);
    unsigned opens = home()->opens, ended = scene.world.ended;
    says_awake();
    WAIT_FOR(&scene.world.stage, home()->opens > opens);
    expect("awake");
    peer_say_failed(home(), TUNNEL_TIMED_OUT, "it sleeps again");
    WAIT_FOR(&scene.world.stage, scene.world.ended > ended);
    expect("new offered");
    assert_int_equal(wake(43, &why), -EACCES); /* nobody that it knows */
    assert_int_equal(wake(42, &why), 0);
    close_scene();
}

static void test_a_right_that_is_taken_away(void **state)
{
    static const char OTHER[] = "users:\n"
                                "  bert: {telegram: 43}\n"
                                "rules:\n"
                                "  - {who: bert, targets: \"*\", kinds: ssh}\n";
    struct why why = {""};
    struct policy *other = NULL;
    (void)state;
    open_scene(POLICY);
    fails(TUNNEL_TIMED_OUT);
    WAIT_FOR(&scene.world.stage, home()->wakes == 1);
    assert_int_equal(
        policy_parse("p.yaml", OTHER, strlen(OTHER), "/usr/share/zoneinfo", &other, &why), 0);
    policy_free(scene.world.settings.policy_file.policy);
    scene.world.settings.policy_file.policy = other;
    wakings_settings_changed(scene.wakings);
    expect("new asleep, ended");
    close_scene();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_offer_leads_to_the_session),
        cmocka_unit_test(test_what_is_not_offered),
        cmocka_unit_test(test_a_gateway_that_is_too_old),
        cmocka_unit_test(test_one_that_stays_silent),
        cmocka_unit_test(test_time_runs_out),
        cmocka_unit_test(test_who_wants_the_same_shares_it),
        cmocka_unit_test(test_nobody_has_machines_woken_without_end),
        cmocka_unit_test(test_a_gateway_goes_and_comes),
        cmocka_unit_test(test_a_gateway_that_comes_again_is_asked_anew),
        cmocka_unit_test(test_by_the_policy),
        cmocka_unit_test(test_a_right_that_is_taken_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
