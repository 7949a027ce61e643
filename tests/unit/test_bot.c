/* The conversation, on a transport that is none: what comes in, what is said, what is done. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bot_fakes.h"
#include "fake_transport.h"
#include "vps/chat/bot.h"
#include "vps/chat/button.h"
#include "vps/chat/command.h"
#include "vps/people/people_run.h"

enum { ANNA = 42, BERT = 43, STRANGER = 7 };

struct session {
    struct session_view view;
};

static struct vps_settings settings;
static struct people *people;
static struct holds *holds;
static struct wakings *wakings;
static struct log quiet;
static struct bot *bot;
static struct transport *transport;
static struct session session;
static int open_err; /* what sessions_open() says */
static bool gateway_comes;
static unsigned opened, closed, asked_more, refused;
static struct session_request request;
static struct session_watcher watching;
static struct owner closed_by;
static bool draining;
static int audit_err;
static struct lockdown *lockdown;

int __wrap_sessions_watch(struct sessions *sessions, struct session_watcher watcher);
void __wrap_sessions_unwatch(struct sessions *sessions, const void *arg);
int __wrap_sessions_open(struct sessions *sessions, const struct session_request *wanted,
                         struct session **ret_session, struct why *why);
struct session *__wrap_sessions_find(struct sessions *sessions, const char *id);
struct session *__wrap_sessions_next(struct sessions *sessions, const struct session *after);
unsigned __wrap_sessions_gateways(const struct sessions *sessions, const char *ret_names[],
                                  unsigned most);
bool __wrap_sessions_expect_gateway(const struct sessions *sessions, const struct target *target);
void __wrap_session_view(const struct session *s, struct session_view *ret_view);
void __wrap_session_close_by(struct session *s, const struct owner *by);
const struct gateways *__wrap_sessions_all_gateways(const struct sessions *sessions);
bool __wrap_sessions_are_draining(const struct sessions *sessions);
unsigned __wrap_sessions_count(const struct sessions *sessions);
bool __wrap_sessions_lock(struct sessions *sessions, const struct owner *by, unsigned *ret_ended);
const struct lockdown *__wrap_sessions_lockdown(const struct sessions *sessions);
unsigned __wrap_session_ask_more(struct session *s, unsigned most);

int __wrap_sessions_watch(struct sessions *sessions, struct session_watcher watcher)
{
    (void)sessions;
    watching = watcher;
    return 0;
}

void __wrap_sessions_unwatch(struct sessions *sessions, const void *arg)
{
    (void)sessions;
    assert_true(arg == bot || arg == holds || arg == wakings);
}

int __wrap_sessions_open(struct sessions *sessions, const struct session_request *wanted,
                         struct session **ret_session, struct why *why)
{
    (void)sessions;
    request = *wanted;
    opened++;
    *ret_session = &session;
    return open_err < 0 ? why_set(why, open_err, "there is none") : 0;
}

struct session *__wrap_sessions_find(struct sessions *sessions, const char *id)
{
    (void)sessions;
    return strcmp(id, session.view.id) == 0 ? &session : NULL;
}

struct session *__wrap_sessions_next(struct sessions *sessions, const struct session *after)
{
    (void)sessions;
    return after || session.view.state == SESSION_ENDED ? NULL : &session;
}

unsigned __wrap_sessions_gateways(const struct sessions *sessions, const char *ret_names[],
                                  unsigned most)
{
    (void)sessions;
    if (most > 0) {
        ret_names[0] = "home";
    }
    return 1;
}

bool __wrap_sessions_expect_gateway(const struct sessions *sessions, const struct target *target)
{
    (void)sessions;
    (void)target;
    return gateway_comes;
}

void __wrap_session_view(const struct session *s, struct session_view *ret_view)
{
    *ret_view = s->view;
}

/* What watchers are told is told at once, and nobody finds the session any more. */
void __wrap_session_close_by(struct session *s, const struct owner *by)
{
    const struct session_event event = {
        .kind = SESSION_CHANGED, .session = s, .view = &s->view, .to = SESSION_ENDED};
    assert_ptr_equal(s, &session);
    closed++;
    closed_by = *by;
    s->view.state = SESSION_ENDED;
    watching.event(watching.arg, &event);
}

const struct gateways *__wrap_sessions_all_gateways(const struct sessions *sessions)
{
    (void)sessions;
    return NULL;
}

int __wrap_audit_trouble(const struct audit *audit);
int __wrap_audit_trouble(const struct audit *audit)
{
    (void)audit;
    return audit_err;
}

unsigned __wrap_sessions_count(const struct sessions *sessions)
{
    (void)sessions;
    return 1;
}

bool __wrap_sessions_lock(struct sessions *sessions, const struct owner *by, unsigned *ret_ended)
{
    (void)sessions;
    *ret_ended = 1;
    return lockdown_begin(lockdown, by, 1);
}

const struct lockdown *__wrap_sessions_lockdown(const struct sessions *sessions)
{
    (void)sessions;
    return lockdown;
}

/* What the sessions do with it. */
static void tell(void *arg, const struct session_event *event)
{
    (void)arg;
    watching.event(watching.arg, event);
}

bool __wrap_sessions_are_draining(const struct sessions *sessions)
{
    (void)sessions;
    return draining;
}

unsigned __wrap_session_ask_more(struct session *s, unsigned most)
{
    assert_ptr_equal(s, &session);
    assert_true(most > 0);
    return asked_more++ == 0 ? 1 : 0;
}

static void on_refused(void *arg, const struct why *why)
{
    (void)arg;
    assert_string_equal(why->text, "no");
    refused++;
}

static int set_up(void **state)
{
    (void)state;
    fakes_start();
    quiet = (struct log){.stream = stderr, .level = LOG_ERROR};
    settings = (struct vps_settings){.allowed_users = {.ids = {ANNA, BERT}, .count = 2}};
    session = (struct session){
        .view = {.id = "abcdefgh",
                 .owner = {.kind = OWNER_TELEGRAM, .id = ANNA},
                 .kind = KIND_RDP,
                 .port = 3389,
                 .host = "nas",
                 .state = SESSION_WAITING},
    };
    open_err = 0;
    gateway_comes = draining = false;
    audit_err = 0;
    opened = closed = asked_more = refused = 0;
    transport = fake_transport();
    people = people_new(&settings);
    const struct holds_options of_holds = {.log = &quiet, .settings = &settings, .people = people};
    assert_int_equal(holds_new(&of_holds, &holds), 0);
    const struct wakings_options of_wakings = {.log = &quiet, .people = people, .holds = holds};
    assert_int_equal(wakings_new(&of_wakings, &wakings), 0);
    const struct lockdown_options locking = {.log = &quiet, .tell = tell};
    lockdown = lockdown_new(&locking);
    const struct bot_options options = {.log = &quiet,
                                        .settings = &settings,
                                        .people = people,
                                        .holds = holds,
                                        .wakings = wakings,
                                        .transport = transport,
                                        .refused = on_refused};
    return bot_new(&options, &bot);
}

static int tear_down(void **state)
{
    (void)state;
    bot_free(bot);
    wakings_free(wakings);
    holds_free(holds);
    people_free(people);
    lockdown_free(lockdown);
    transport_free(transport);
    fakes_end();
    return 0;
}

static void write_as(int64_t person, const char *text, int64_t age_s)
{
    const struct incoming incoming = {.kind = INCOMING_MESSAGE,
                                      .what = "message",
                                      .person = person,
                                      .age_s = age_s,
                                      .text = text};
    fake_transport_hear(&incoming);
}

/* The answer to it. */
static const char *press_as(int64_t person, const char *data, int64_t age_s)
{
    const struct incoming incoming = {.kind = INCOMING_PRESS,
                                      .what = "button",
                                      .person = person,
                                      .age_s = age_s,
                                      .data = data,
                                      .press = "1",
                                      .message_id = 5};
    fake_transport_hear(&incoming);
    return fake_transport_answer();
}

/* The only message, or the latest of so many, has these words. */
static void said(unsigned count, int64_t person, const char *words)
{
    assert_int_equal(fake_transport_posts(), count);
    const struct fake_post *post = fake_transport_post(count - 1);
    assert_int_equal(post->person, person);
    if (!strstr(post->html, words)) {
        fail_msg("\"%s\" does not say \"%s\"", post->html, words);
    }
}

static void it_introduces_itself_when_it_is_online(void **state)
{
    (void)state;
    assert_null(fake_transport_profile());
    fake_transport_goes_online("pam_bot");
    assert_int_equal(fake_transport_profile()->command_count,
                     COMMAND_COUNT - 2); /* not /panic, /discover */
    write_as(ANNA, "/help@pam_bot", 1);
    said(1, ANNA, "I connect you to your machines.");
    write_as(ANNA, "/help@other_bot", 1);
    assert_int_equal(fake_transport_posts(), 1);
}

static void a_refusal_ends_it(void **state)
{
    (void)state;
    fake_transport_is_refused();
    assert_int_equal(refused, 1);
}

static void every_command_that_opens_asks_for_its_kind(void **state)
{
    (void)state;
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        unsigned before = opened;
        if (COMMANDS[i].opens) {
            char text[64];
            open_err = -EACCES;
            snprintf(text, sizeof text, "/%s office/nas", COMMANDS[i].name);
            write_as(ANNA, text, 1);
            assert_int_equal(opened, before + 1);
            assert_int_equal(request.kind, COMMANDS[i].kind);
            assert_int_equal(request.owner.kind, OWNER_TELEGRAM);
            assert_int_equal(request.owner.id, ANNA);
            assert_string_equal(request.target.host, "nas");
            said(opened, ANNA, "There is none.");
        }
    }
    assert_int_equal(opened, KIND_COUNT);
}

static void a_command_waits_for_a_gateway_that_comes(void **state)
{
    (void)state;
    open_err = -ENOTCONN;
    gateway_comes = true;
    write_as(ANNA, "/ssh nas", 1);
    assert_int_equal(fake_transport_posts(), 0);
    open_err = -EACCES;
    fakes_advance(1000);
    said(1, ANNA, "There is none.");
    assert_int_equal(opened, 2);
}

static void who_lost_the_right_meanwhile_opens_nothing(void **state)
{
    (void)state;
    open_err = -ENOTCONN;
    gateway_comes = true;
    write_as(ANNA, "/ssh nas", 1);
    settings.allowed_users.count = 0;
    fakes_advance(60000);
    assert_int_equal(opened, 1);
    assert_int_equal(fake_transport_posts(), 0);
}

static void an_old_command_is_not_run(void **state)
{
    (void)state;
    write_as(ANNA, "/ssh nas", 61);
    write_as(ANNA, "hello", 61);
    fakes_advance(2000);
    said(1, ANNA, "has expired");
    assert_int_equal(opened, 0);
}

static void what_is_no_command_is_answered(void **state)
{
    (void)state;
    write_as(ANNA, "/shh nas", 1);
    said(1, ANNA, "Did you mean this?");
    assert_string_equal(fake_transport_post(0)->data[0], "run:/ssh nas");
    write_as(ANNA, "good morning", 1);
    said(2, ANNA, "I did not understand that. /help");
    write_as(ANNA, "/ssh a b", 1);
    said(3, ANNA, "Use: /ssh");
    assert_int_equal(opened, 0);
}

static void strangers_are_told_once_and_their_presses_do_nothing(void **state)
{
    (void)state;
    write_as(STRANGER, "/ssh nas", 1);
    write_as(STRANGER, "/ssh nas", 1);
    said(1, STRANGER, "private");
    assert_true(fake_transport_post(0)->to_stranger);
    assert_string_equal(press_as(STRANGER, "close:abcdefgh", 1), "");
    assert_int_equal(opened + closed, 0);
}

static void what_the_transport_calls_unfit_is_not_heard(void **state)
{
    (void)state;
    struct incoming incoming = {.kind = INCOMING_MESSAGE,
                                .what = "message",
                                .person = ANNA,
                                .unfit = "from a bot",
                                .text = "/ssh nas"};
    fake_transport_hear(&incoming);
    assert_int_equal(fake_transport_posts() + opened, 0);
    incoming.unfit = NULL;
    incoming.forwarded = true;
    fake_transport_hear(&incoming);
    said(1, ANNA, "forwarded");
    assert_int_equal(opened, 0);
}

static bool is_of_session(unsigned verb)
{
    return BUTTONS[verb].takes == BUTTON_TAKES_SESSION ||
           BUTTONS[verb].takes == BUTTON_TAKES_CLIENT;
}

/* Whatever the rows are: the wrong person, and an ended session. */
static void no_button_of_a_session_obeys_anybody_else(void **state)
{
    (void)state;
    for (unsigned verb = 0; verb < BUTTON_COUNT; verb++) {
        if (is_of_session(verb)) {
            char data[BUTTON_DATA_SIZE];
            button_format((enum button_verb)verb, "abcdefgh", 1, data);
            assert_int_not_equal(BUTTONS[verb].who, WHO_ALLOWED);
            assert_string_equal(press_as(BERT, data, 1), ANSWERS[ANSWER_NOT_YOURS].text);
            assert_int_equal(fake_transport_stripped(), 0);
        }
    }
    session.view.state = SESSION_ENDED;
    for (unsigned verb = 0; verb < BUTTON_COUNT; verb++) {
        if (is_of_session(verb)) {
            char data[BUTTON_DATA_SIZE];
            button_format((enum button_verb)verb, "abcdefgh", 1, data);
            assert_string_equal(press_as(ANNA, data, 1), ANSWERS[BUTTONS[verb].over].text);
            assert_int_equal(fake_transport_stripped(), 5);
        }
    }
    assert_int_equal(closed + asked_more, 0);
}

static void the_owners_presses_are_obeyed(void **state)
{
    (void)state;
    assert_string_equal(press_as(ANNA, "who:abcdefgh", 1), "Here they are.");
    assert_string_equal(press_as(ANNA, "who:abcdefgh", 1), ANSWERS[ANSWER_ALL_ASKED].text);
    assert_string_equal(press_as(ANNA, "nonsense", 1), ANSWERS[ANSWER_NO_BUTTON].text);
    assert_string_equal(press_as(ANNA, NULL, 1), ANSWERS[ANSWER_NO_BUTTON].text);
    assert_string_equal(press_as(ANNA, "close:hgfedcba", 1), ANSWERS[ANSWER_SESSION_OVER].text);
    assert_string_equal(press_as(ANNA, "close:abcdefgh", 1), "Closed.");
    assert_int_equal(closed, 1);
    assert_int_equal(closed_by.id, ANNA);
}

/* Anna stands first in ALLOWED_USERS. */
static void an_administrator_closes_anybodys_and_decides_nothing_else(void **state)
{
    (void)state;
    session.view.owner.id = BERT;
    for (unsigned verb = 0; verb < BUTTON_COUNT; verb++) {
        if (is_of_session(verb) && BUTTONS[verb].who == WHO_OWNER) {
            char data[BUTTON_DATA_SIZE];
            button_format((enum button_verb)verb, "abcdefgh", 1, data);
            assert_string_equal(press_as(ANNA, data, 1), ANSWERS[ANSWER_NOT_YOURS].text);
        }
    }
    assert_string_equal(press_as(ANNA, "close:abcdefgh", 1), ANSWERS[ANSWER_CLOSED_OF_OTHER].text);
    assert_int_equal(closed_by.id, ANNA);
}

static void the_open_sessions_are_listed_and_the_list_stays_true(void **state)
{
    (void)state;
    write_as(BERT, "/sessions", 1);
    said(1, BERT, "You have no open session.");
    assert_int_equal(fake_transport_post(0)->buttons, 0);
    session.view.owner.id = BERT;
    write_as(BERT, "/sessions", 1);
    said(2, BERT, "Your open session:\n1. <b>RDP to nas");
    write_as(ANNA, "/sessions", 1);
    said(3, ANNA, "One session is open:\n1. telegram:43: <b>RDP to nas");
    assert_string_equal(fake_transport_post(2)->data[0], "close:abcdefgh");
    press_as(ANNA, "close:abcdefgh", 1);
    said(3, ANNA, "No session is open.");
    assert_int_equal(fake_transport_post(2)->buttons, 0);
    assert_string_equal(fake_transport_post(1)->html, "You have no open session.");
}

/* Another session; the one that the list has goes on. */
static void one_ends_beside_it(void)
{
    struct session other = {.view = session.view};
    other.view.state = SESSION_ENDED;
    const struct session_event event = {
        .kind = SESSION_CHANGED, .session = &other, .view = &other.view, .to = SESSION_ENDED};
    watching.event(watching.arg, &event);
}

static void who_is_no_administrator_any_more_sees_no_others_on_their_list(void **state)
{
    (void)state;
    session.view.owner.id = BERT;
    write_as(ANNA, "/sessions", 1);
    said(1, ANNA, "One session is open:\n1. telegram:43: <b>RDP to nas");
    settings.allowed_users = (struct user_list){.ids = {BERT, ANNA}, .count = 2};
    one_ends_beside_it();
    said(1, ANNA, "You have no open session.");
    assert_int_equal(fake_transport_post(0)->buttons, 0);
}

static void close_ends_the_only_one_or_the_one_that_is_named(void **state)
{
    (void)state;
    write_as(BERT, "/close", 1);
    said(1, BERT, "You have no open session.");
    write_as(BERT, "/close abcdefgh", 1);
    said(2, BERT, "is not the ID of an open session that you may close");
    write_as(BERT, "/close <b>", 1);
    said(3, BERT, "&lt;b&gt;");
    assert_int_equal(closed, 0);
    session.view.owner.id = BERT;
    write_as(ANNA, "/close", 1); /* it is not hers */
    said(4, ANNA, "You have no open session.");
    write_as(ANNA, "/close  abcdefgh ", 1);
    assert_int_equal(closed, 1);
    said(5, ANNA, "Closed: <b>RDP to nas</b> of telegram:43, who has been told.");
    session.view.state = SESSION_CONNECTED;
    write_as(BERT, "/close", 1);
    assert_int_equal(closed, 2);
    assert_int_equal(closed_by.id, BERT);
    said(6, BERT, "Closed: <b>RDP to nas</b>.");
}

static void only_an_administrator_locks_the_server_and_only_after_a_question(void **state)
{
    (void)state;
    write_as(BERT, "/panic", 1);
    said(1, BERT, "Only an administrator can do that.");
    assert_string_equal(press_as(BERT, "panic:", 1), ANSWERS[ANSWER_ADMINISTRATORS_ONLY].text);
    assert_string_equal(press_as(BERT, "calm:", 1), ANSWERS[ANSWER_ADMINISTRATORS_ONLY].text);
    write_as(ANNA, "/panic", 1);
    said(2, ANNA, "<b>Lock the server?</b>\n1 open session ends at once");
    assert_string_equal(fake_transport_post(1)->data[0], "panic:");
    assert_string_equal(press_as(ANNA, "calm:", 1), "Nothing was changed.");
    assert_int_equal(fake_transport_stripped(), 5);
    assert_string_equal(press_as(ANNA, "panic:", 121), ANSWERS[ANSWER_PANIC_TOO_OLD].text);
    assert_string_equal(press_as(ANNA, "panic:x", 1), ANSWERS[ANSWER_NO_BUTTON].text);
    assert_false(lockdown_view(lockdown, NULL));
    assert_string_equal(press_as(ANNA, "panic:", 1), "Everything is closed.");
    assert_true(lockdown_view(lockdown, NULL));
    /* There is no state file in this test, which is said. */
    said(3, ANNA, "🔒 The server was locked by an administrator. 1 session was ended, every");
    said(3, ANNA, "could not be written to the disk yet");
    assert_string_equal(press_as(ANNA, "panic:", 1), "It is locked already.");
}

static void who_asks_while_it_is_locked_is_told(void **state)
{
    const struct owner anna = {OWNER_TELEGRAM, ANNA}, root = {OWNER_LOCAL, 0};
    (void)state;
    lockdown_begin(lockdown, &anna, 0);
    open_err = -EPERM;
    write_as(BERT, "/ssh nas", 1);
    said(2, BERT, "The server has been locked by an administrator since 20");
    write_as(BERT, "/status", 1);
    said(3, BERT, "⚠️ The server has been locked by");
    write_as(ANNA, "/panic", 1);
    said(4, ANNA, "The server has been locked by");
    assert_int_equal(fake_transport_post(3)->buttons, 0);
    lockdown_lift(lockdown, &root);
    said(5, ANNA, "🔓 The server was unlocked by an administrator");
}

static void the_status_says_what_is_wrong_and_to_administrators_more(void **state)
{
    (void)state;
    session.view.connections = 1;
    write_as(BERT, "/status", 1);
    said(1, BERT, "🟢 All is well.\nYou have no open session.");
    write_as(ANNA, "/status", 1);
    said(2, ANNA, "1 session is open, with 1 connection: /sessions\nvps-agent ");
    draining = true;
    write_as(BERT, "/status", 1);
    said(3, BERT, "⚠️ The server is about to be restarted and opens no new sessions.\nYou");
    audit_err = -ENOSPC;
    write_as(BERT, "/status", 1);
    said(4, BERT, "⚠️ What happens cannot be recorded (No space left on device).\nYou");
}

static void a_suggestion_runs_once_while_it_is_fresh(void **state)
{
    (void)state;
    open_err = -EACCES;
    assert_string_equal(press_as(ANNA, "run:/ssh nas", 121), ANSWERS[ANSWER_TOO_OLD].text);
    assert_string_equal(press_as(ANNA, "run:/ssh nas", 1), "On its way.");
    assert_int_equal(fake_transport_stripped(), 5);
    assert_string_equal(press_as(ANNA, "run:/ssh nas", 1), ANSWERS[ANSWER_RUNNING_ALREADY].text);
    assert_string_equal(press_as(ANNA, "run:/help", 1), ANSWERS[ANSWER_NO_BUTTON].text);
    assert_int_equal(opened, 1);
}

static void too_many_sessions_can_be_closed_from_the_refusal(void **state)
{
    (void)state;
    open_err = -EDQUOT;
    write_as(ANNA, "/ssh nas", 1);
    said(1, ANNA, "There is none.");
    assert_int_equal(fake_transport_post(0)->buttons, 1);
    assert_string_equal(fake_transport_post(0)->data[0], "close:abcdefgh");
    write_as(BERT, "/ssh nas", 1); /* Bert has none */
    assert_int_equal(fake_transport_post(1)->buttons, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* ---- who comes by a link ------------------------------------------------------ */

static void link_for(const char *name, char message[64])
{
    const struct owner root = {OWNER_LOCAL, 0};
    char token[INVITATION_TOKEN_SIZE];
    int64_t until;
    struct why why;
    people_begin(people, &(struct people_options){.log = &quiet});
    assert_int_equal(people_invite(people, name, &root, token, &until, &why), 0);
    snprintf(message, 64, "/start %s", token);
}

static void a_link_that_nobody_answers_expires(void **state)
{
    char message[64];
    (void)state;
    link_for("carl", message);
    write_as(STRANGER, message, 0);
    const struct fake_post *card = fake_transport_post(0);
    said(2, STRANGER, "I have asked whether you may come in.");
    assert_int_equal(card->person, ANNA);
    assert_int_equal(card->buttons, 2);
    fakes_advance((uint64_t)(INVITATION_VALID_S - 1) * 1000);
    assert_int_equal(card->buttons, 2);
    char press[BUTTON_DATA_SIZE];
    strcpy(press, card->data[0]);
    fakes_advance(1000);
    assert_non_null(strstr(card->html, "waited in vain to be let in as <b>carl</b>"));
    assert_int_equal(card->buttons, 0);
    said(3, STRANGER, "Nobody has answered in time.");
    assert_string_equal(press_as(ANNA, press, 0),
                        "Too late: nobody can come in by this link any more.");
    write_as(STRANGER, message, 0);
    said(4, STRANGER, "This bot is private");
}

static void only_so_many_wait_to_be_let_in(void **state)
{
    char message[64], name[16];
    (void)state;
    for (int i = 0; i < 16; i++) {
        snprintf(name, sizeof name, "carl%d", i);
        link_for(name, message);
        write_as(1000 + i, message, 0);
    }
    link_for("dora", message);
    write_as(STRANGER, message, 0);
    said(33, STRANGER, "Too many people are waiting to be let in.");
    /* Somebody goes, and the link is still good. */
    assert_string_equal(press_as(ANNA, fake_transport_post(0)->data[1], 0), "Not let in.");
    write_as(STRANGER, message, 0);
    said(36, STRANGER, "I have asked whether you may come in.");
}

static void a_press_lets_in_and_another_one_comes_too_late(void **state)
{
    char message[64], yes[BUTTON_DATA_SIZE], no[BUTTON_DATA_SIZE];
    const struct owner stranger = {OWNER_TELEGRAM, STRANGER};
    (void)state;
    link_for("carl", message);
    write_as(STRANGER, message, 0);
    strcpy(yes, fake_transport_post(0)->data[0]);
    strcpy(no, fake_transport_post(0)->data[1]);
    assert_string_equal(press_as(BERT, yes, 0), "Only an administrator can do that.");
    assert_string_equal(press_as(STRANGER, yes, 0), "");
    assert_false(people_has(people, &stranger));
    assert_string_equal(press_as(ANNA, yes, 0), "Let in.");
    assert_true(people_has(people, &stranger));
    assert_string_equal(press_as(ANNA, no, 0), "Too late: somebody has already let them in.");
    assert_true(people_has(people, &stranger));
    assert_string_equal(press_as(ANNA, "letin:zzzzzzzz", 0),
                        "This question is over. Whoever still wants in opens the link again, or "
                        "takes another one.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_introduces_itself_when_it_is_online),
        TEST(a_refusal_ends_it),
        TEST(every_command_that_opens_asks_for_its_kind),
        TEST(a_command_waits_for_a_gateway_that_comes),
        TEST(who_lost_the_right_meanwhile_opens_nothing),
        TEST(an_old_command_is_not_run),
        TEST(what_is_no_command_is_answered),
        TEST(strangers_are_told_once_and_their_presses_do_nothing),
        TEST(what_the_transport_calls_unfit_is_not_heard),
        TEST(no_button_of_a_session_obeys_anybody_else),
        TEST(the_owners_presses_are_obeyed),
        TEST(an_administrator_closes_anybodys_and_decides_nothing_else),
        TEST(the_open_sessions_are_listed_and_the_list_stays_true),
        TEST(who_is_no_administrator_any_more_sees_no_others_on_their_list),
        TEST(close_ends_the_only_one_or_the_one_that_is_named),
        TEST(only_an_administrator_locks_the_server_and_only_after_a_question),
        TEST(who_asks_while_it_is_locked_is_told),
        TEST(the_status_says_what_is_wrong_and_to_administrators_more),
        TEST(a_suggestion_runs_once_while_it_is_fresh),
        TEST(too_many_sessions_can_be_closed_from_the_refusal),
        TEST(a_link_that_nobody_answers_expires),
        TEST(only_so_many_wait_to_be_let_in),
        TEST(a_press_lets_in_and_another_one_comes_too_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
