/* What administrators are asked about a gateway that wants to be paired, and what a press does. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/sieve.h"
#include "bot_fakes.h"
#include "fake_transport.h"
#include "vps/chat/answer.h"
#include "vps/chat/button.h"
#include "vps/chat/gateway_questions.h"
#include "vps/chat/readers.h"
#include "vps/gateways/gateways.h"

enum { OWNER = 42, FRIEND = 43, ID = 12345678 };

static struct log quiet = {.level = LOG_ERROR};
static struct vps_settings settings;
static struct people *people;
static struct readers readers;
static struct conversation conversation;
static struct applicant_watcher watcher;
static struct applicant_view view;
static int verdict;               /* of the verbs */
static unsigned accepted, denied; /* the questions that were answered so */
static struct owner by;
static bool stopping, there_is_one, locked;

const struct lockdown *__wrap_sessions_lockdown(const struct sessions *sessions);
bool __wrap_lockdown_view(const struct lockdown *lockdown, struct lockdown_view *ret_view);

const struct lockdown *__wrap_sessions_lockdown(const struct sessions *sessions)
{
    (void)sessions;
    return NULL;
}

bool __wrap_lockdown_view(const struct lockdown *lockdown, struct lockdown_view *ret_view)
{
    (void)lockdown;
    (void)ret_view;
    return locked;
}

const struct gateways *__wrap_sessions_all_gateways(const struct sessions *sessions);
struct applicants *__wrap_gateways_applicants(const struct gateways *gateways);
int __wrap_applicants_watch(struct applicants *applicants, struct applicant_watcher it);
void __wrap_applicants_unwatch(struct applicants *applicants, const void *arg);
bool __wrap_applicants_view(const struct applicants *applicants, struct applicant_view *ret_view);
int __wrap_applicants_accept(struct applicants *applicants, unsigned id, const struct owner *who);
int __wrap_applicants_deny(struct applicants *applicants, unsigned id, const struct owner *who);

const struct gateways *__wrap_sessions_all_gateways(const struct sessions *sessions)
{
    static const char THERE[1];
    (void)sessions;
    return stopping ? NULL : (const struct gateways *)THERE;
}

struct applicants *__wrap_gateways_applicants(const struct gateways *gateways)
{
    return (struct applicants *)gateways;
}

int __wrap_applicants_watch(struct applicants *applicants, struct applicant_watcher it)
{
    (void)applicants;
    watcher = it;
    return 0;
}

void __wrap_applicants_unwatch(struct applicants *applicants, const void *arg)
{
    (void)applicants;
    assert_ptr_equal(arg, watcher.arg);
}

int __wrap_applicants_accept(struct applicants *applicants, unsigned id, const struct owner *who)
{
    (void)applicants;
    accepted = id;
    by = *who;
    return verdict;
}

int __wrap_applicants_deny(struct applicants *applicants, unsigned id, const struct owner *who)
{
    (void)applicants;
    denied = id;
    by = *who;
    return verdict;
}

bool __wrap_applicants_view(const struct applicants *applicants, struct applicant_view *ret_view)
{
    (void)applicants;
    *ret_view = view;
    return there_is_one;
}

static int set_up(void **state)
{
    (void)state;
    fakes_start();
    stopping = there_is_one = false;
    verdict = 0;
    accepted = denied = 0;
    settings = (struct vps_settings){.allowed_users = {.ids = {OWNER, FRIEND}, .count = 2}};
    people = people_new(&settings);
    readers = (struct readers){0};
    conversation = (struct conversation){.settings = &settings,
                                         .people = people,
                                         .transport = fake_transport(),
                                         .readers = &readers,
                                         .bot_name = ""};
    conversation.sieve = sieve_new(NULL, &quiet, SIEVE_BURST, SIEVE_REFILL_MS);
    conversation.gateway_questions = gateway_questions_new(&conversation);
    view = (struct applicant_view){.id = ID,
                                   .name = "office",
                                   .code = "482 913",
                                   .program = "gateway-agent test",
                                   .seconds_left = 600};
    return addr_parse("203.0.113.7", 4711, &view.from);
}

static int tear_down(void **state)
{
    (void)state;
    gateway_questions_free(conversation.gateway_questions);
    sieve_free(conversation.sieve);
    transport_free(conversation.transport);
    people_free(people);
    fakes_end();
    return 0;
}

static void happen(enum applicant_event_kind kind, const struct owner *who, const char *why)
{
    const struct applicant_event event = {.kind = kind, .view = &view, .by = who, .why = why};
    watcher.event(watcher.arg, &event);
}

static const char *press(int64_t person, const char *data)
{
    const struct incoming incoming = {
        .kind = INCOMING_PRESS, .person = person, .data = data, .press = "p", .message_id = 7};
    return ANSWERS[button_run(&conversation, &incoming)].text;
}

static const struct owner THE_OWNER = {OWNER_TELEGRAM, OWNER};
static const char YES[] = "pair:12345678", NO[] = "nopair:12345678";

/* ---- the tests ------------------------------------------------------------- */

static void a_crowd_at_the_door_is_told(void **state)
{
    const struct applicant_event crowd = {.kind = APPLICANT_CROWD};
    (void)state;
    happen(APPLICANT_ASKS, NULL, NULL);
    watcher.event(watcher.arg, &crowd);
    assert_int_equal(fake_transport_posts(), 2);
    assert_non_null(strstr(fake_transport_post(1)->html, "16 gateways have asked to be paired"));
    happen(APPLICANT_PAIRED, &THE_OWNER, NULL);
    assert_non_null(strstr(fake_transport_post(0)->html, "is paired"));
}

static void administrators_are_asked_with_name_address_and_code(void **state)
{
    (void)state;
    happen(APPLICANT_ASKS, NULL, NULL);
    assert_int_equal(fake_transport_posts(), 1); /* not the friend */
    const struct fake_post *post = fake_transport_post(0);
    assert_int_equal(post->person, OWNER);
    assert_string_equal(
        post->html,
        "🔗 A gateway that calls itself <code>office</code> asks to be paired. It is at "
        "<code>203.0.113.7</code>, and shows <b>482 913</b>.\nLet it in only if its own log or "
        "terminal shows the same code. If it shows another one, somebody is in between; if you "
        "know of no such gateway, it is somebody else's.");
    assert_int_equal(post->buttons, 2);
    assert_string_equal(post->data[0], YES);
    assert_string_equal(post->data[1], NO);
}

static void what_may_be_wrong_with_it_is_said(void **state)
{
    (void)state;
    view.replaces = true;
    view.resembles = "0ffice";
    happen(APPLICANT_ASKS, NULL, NULL);
    const char *html = fake_transport_post(0)->html;
    assert_non_null(strstr(html, "⚠️ A gateway of that name was paired before, and is away"));
    assert_non_null(strstr(html, "⚠️ It is not <code>0ffice</code>, which is another gateway"));
}

static void a_yes_is_about_that_question_and_the_card_follows(void **state)
{
    (void)state;
    happen(APPLICANT_ASKS, NULL, NULL);
    locked = true; /* a stolen phone brings nobody along */
    assert_non_null(strstr(press(OWNER, YES), "The server is locked, so nobody is let in."));
    locked = false;
    assert_int_equal(accepted, 0);
    assert_string_equal(press(OWNER, YES), "Let in. It gets its key now.");
    assert_int_equal(accepted, ID);
    assert_true(owner_equal(&by, &THE_OWNER));
    happen(APPLICANT_LET_IN, &THE_OWNER, NULL);
    assert_non_null(strstr(fake_transport_post(0)->html, "⏳ Gateway <code>office</code>"));
    assert_int_equal(fake_transport_post(0)->buttons, 0);
    assert_false(fake_transport_post(0)->released);
    verdict = -EALREADY;
    assert_string_equal(press(OWNER, NO), "Too late: somebody has let it in already.");
    happen(APPLICANT_PAIRED, &THE_OWNER, NULL);
    assert_non_null(strstr(fake_transport_post(0)->html, "is paired. It showed <b>482 913</b>"));
    assert_true(fake_transport_post(0)->released);
    verdict = -ENOENT;
    assert_string_equal(press(OWNER, YES), "Too late: somebody has let it in already.");
    assert_int_equal(fake_transport_stripped(), 7);
}

static void a_no_is_one_and_a_late_press_hears_of_it(void **state)
{
    (void)state;
    happen(APPLICANT_ASKS, NULL, NULL);
    assert_string_equal(press(OWNER, NO), "Refused.");
    assert_int_equal(denied, ID);
    happen(APPLICANT_DENIED, &THE_OWNER, NULL);
    assert_non_null(strstr(fake_transport_post(0)->html, "was refused by"));
    verdict = -ENOENT;
    assert_string_equal(press(OWNER, YES), "Too late: somebody has already said no.");
}

static void each_end_is_said_on_the_card(void **state)
{
    static const struct {
        enum applicant_event_kind kind;
        const char *why, *said;
    } ENDS[] = {
        {APPLICANT_EXPIRED, NULL, "was not answered in ten minutes"},
        {APPLICANT_LEFT, NULL, "has gone before it was paired"},
        {APPLICANT_FAILED, "it is not the one that was let in",
         "was not paired: it is not the one that was let in."},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof ENDS / sizeof *ENDS; i++) {
        happen(APPLICANT_ASKS, NULL, NULL);
        happen(ENDS[i].kind, NULL, ENDS[i].why);
        assert_non_null(strstr(fake_transport_post(i)->html, ENDS[i].said));
        assert_int_equal(fake_transport_post(i)->buttons, 0);
        assert_true(fake_transport_post(i)->released);
        verdict = -ENOENT;
        assert_non_null(strstr(press(OWNER, YES), "This question is over, and nothing was done"));
    }
}

/* The bot cannot write to whoever has not begun to talk to it: the first start of an owner. */
static void who_begins_to_talk_is_asked_then(void **state)
{
    (void)state;
    gateway_questions_remind(&conversation, OWNER);
    assert_int_equal(fake_transport_posts(), 0);
    happen(APPLICANT_ASKS, NULL, NULL);
    there_is_one = true;
    gateway_questions_remind(&conversation, FRIEND);
    assert_int_equal(fake_transport_posts(), 1);
    gateway_questions_remind(&conversation, OWNER);
    assert_int_equal(fake_transport_posts(), 2);
    assert_true(fake_transport_post(0)->deleted);
    assert_string_equal(fake_transport_post(1)->data[0], YES);
    happen(APPLICANT_PAIRED, &THE_OWNER, NULL);
    assert_non_null(strstr(fake_transport_post(1)->html, "is paired"));
}

static void who_is_no_administrator_decides_nothing(void **state)
{
    (void)state;
    happen(APPLICANT_ASKS, NULL, NULL);
    assert_string_equal(press(FRIEND, YES), "Only an administrator can do that.");
    assert_string_equal(press(FRIEND, NO), "Only an administrator can do that.");
    assert_int_equal(accepted | denied, 0);
}

static void what_is_no_such_button_is_no_answer_to_anything(void **state)
{
    static const char *const DATA[] = {"pair:",         "pair:123456789", "pair:12:1",
                                       "pair:abcdefgh", "nopair:",        "pair"};
    (void)state;
    happen(APPLICANT_ASKS, NULL, NULL);
    verdict = -ENOENT;
    for (unsigned i = 0; i < sizeof DATA / sizeof *DATA; i++) {
        press(OWNER, DATA[i]);
        assert_int_not_equal(accepted, ID);
        assert_int_not_equal(denied, ID);
    }
}

static void a_question_that_is_open_when_the_agent_stops_says_so(void **state)
{
    (void)state;
    happen(APPLICANT_ASKS, NULL, NULL);
    stopping = true;
    gateway_questions_end(conversation.gateway_questions);
    assert_non_null(strstr(fake_transport_post(0)->html, "the server was restarted meanwhile"));
    assert_int_equal(fake_transport_post(0)->buttons, 0);
    assert_true(fake_transport_post(0)->released);
    assert_non_null(strstr(press(OWNER, YES), "This question is over"));
    assert_int_equal(accepted, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(administrators_are_asked_with_name_address_and_code),
        TEST(a_crowd_at_the_door_is_told),
        TEST(what_may_be_wrong_with_it_is_said),
        TEST(a_yes_is_about_that_question_and_the_card_follows),
        TEST(a_no_is_one_and_a_late_press_hears_of_it),
        TEST(each_end_is_said_on_the_card),
        TEST(who_begins_to_talk_is_asked_then),
        TEST(who_is_no_administrator_decides_nothing),
        TEST(what_is_no_such_button_is_no_answer_to_anything),
        TEST(a_question_that_is_open_when_the_agent_stops_says_so),
    };
    return cmocka_run_group_tests_name("gateway_questions", tests, NULL, NULL);
}
