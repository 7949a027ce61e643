/* Requests on hold: who has to agree, who may, what becomes of them. The rules are a policy's. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "bot_fakes.h"
#include "vps/consent/approver.h"
#include "vps/consent/holds.h"
#include "vps/consent/patience.h"
#include "vps/people/people_run.h"
#include "vps/policy/policy_file.h"
#include "vps/session/permission.h"

enum { ANNA = 7, BERT = 42, BERT_AT_WORK = 142, CARL = 43, DORA = 44, EMIL = 45, BERTS_UID = 1000 };

#define USERS                                                        \
    "users:\n"                                                       \
    "  anna: {telegram: 7, roles: administrator}\n"                  \
    "  bert: {telegram: [42, 142], uid: 1000, roles: approver}\n"    \
    "  carl: {telegram: 43}\n"                                       \
    "  dora: {telegram: 44, roles: approver, expires: 2001-01-01}\n" \
    "  emil: {telegram: 45}\n"
#define TARGETS                          \
    "targets:\n"                         \
    "  one: {address: 192.168.1.1}\n"    \
    "  two: {address: 192.168.1.2}\n"    \
    "  strict: {address: 192.168.1.3}\n" \
    "  many: {address: 192.168.1.4}\n"
#define RULES                                                                              \
    "rules:\n"                                                                             \
    "  - {who: \"*\", targets: one, kinds: \"*\", approvals: 1}\n"                         \
    "  - {who: \"*\", targets: two, kinds: \"*\", approvals: 2, longest: 1h}\n"            \
    "  - {who: \"*\", targets: strict, kinds: \"*\", approvals: 1, second_factor: totp}\n" \
    "  - {who: \"*\", targets: many, kinds: \"*\", approvals: 9}\n"                        \
    "  - {who: anna, targets: \"*\", kinds: \"*\"}\n"

static struct vps_settings settings;
static struct people *people;
static struct holds *holds;
static struct session_watcher on_sessions;

/* What the sessions were asked to do. */
static unsigned opened, refused;
static struct session_request last_opened;
static char refusal[320];
static bool gateway_is_away;
static int cannot_open;

/* What was told. */
static struct hold *hold;
static char story[512];

/* ---- sessions that open nothing -------------------------------------------- */

int __wrap_sessions_watch(struct sessions *sessions, struct session_watcher watcher);
void __wrap_sessions_unwatch(struct sessions *sessions, const void *arg);
int __wrap_sessions_ask(struct sessions *sessions, struct session_request *request,
                        struct why *why);
int __wrap_sessions_open(struct sessions *sessions, const struct session_request *request,
                         struct session **ret_session, struct why *why);
void __wrap_sessions_refuse(struct sessions *sessions, const struct session_request *request,
                            int err, const char *reason);

int __wrap_sessions_watch(struct sessions *sessions, struct session_watcher watcher)
{
    (void)sessions;
    on_sessions = watcher;
    return 0;
}

void __wrap_sessions_unwatch(struct sessions *sessions, const void *arg)
{
    (void)sessions;
    assert_ptr_equal(arg, on_sessions.arg);
}

int __wrap_sessions_ask(struct sessions *sessions, struct session_request *request, struct why *why)
{
    (void)sessions;
    char said[sizeof request->target.host];
    strcpy(said, request->target.host);
    int err = permission_resolve(&settings, request, why);
    err = err < 0 ? err : permission_ask(&settings, people, request, said, why);
    if ((err == 0 || err == -ENOKEY) && gateway_is_away) {
        return why_set(why, -ENOTCONN, "No gateway is online.");
    }
    strcpy(request->target.gateway, "lan");
    return err;
}

int __wrap_sessions_open(struct sessions *sessions, const struct session_request *request,
                         struct session **ret_session, struct why *why)
{
    struct session_request wanted = *request;
    int err = __wrap_sessions_ask(sessions, &wanted, why);
    if (err == 0 && cannot_open) {
        return why_set(why, cannot_open, "No port is free.");
    }
    if (err == 0) {
        opened++;
        last_opened = wanted;
        *ret_session = (struct session *)&last_opened;
    }
    return err;
}

void __wrap_sessions_refuse(struct sessions *sessions, const struct session_request *request,
                            int err, const char *reason)
{
    assert_true(err < 0);
    (void)sessions;
    (void)err;
    (void)request;
    refused++;
    snprintf(refusal, sizeof refusal, "%s", reason);
}

/* ---- the world ---------------------------------------------------------------- */

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void note(const char *format, ...)
{
    size_t len = strlen(story);
    va_list args;
    va_start(args, format);
    vsnprintf(story + len, sizeof story - len, format, args);
    va_end(args);
}

static void on_hold(void *arg, const struct hold_event *event)
{
    (void)arg;
    switch (event->kind) {
    case HOLD_ASKED:
        note("[asked %s]", hold_state_name(event->view->state));
        break;
    case HOLD_GIVEN:
        note("[given by %d: %u]", event->by ? (int)event->by->id : 0, event->view->approvals);
        break;
    case HOLD_CHANGED:
        note("[%s%s%s%s]", hold_state_name(event->to), event->session ? " a session" : "",
             event->view->reason[0] ? ": " : "", event->view->reason);
        assert_int_equal(event->to, event->view->state);
        assert_int_equal(event->to == HOLD_GRANTED, event->session != NULL);
        if (hold_state_is_end(event->to)) {
            hold = NULL;
        }
        break;
    case HOLD_RENEWED:
        note("[renewed %u]", event->view->approvals);
        break;
    }
}

static void expect_story(const char *expected)
{
    assert_string_equal(story, expected);
    story[0] = '\0';
}

static void use_policy(const char *text)
{
    struct why why = {""};
    policy_free(settings.policy_file.policy);
    settings.policy_file.policy = NULL;
    if (policy_parse("p.yaml", text, strlen(text), "/usr/share/zoneinfo",
                     &settings.policy_file.policy, &why) < 0) {
        fail_msg("%s", why.text);
    }
    settings.allowed_users = (struct user_list){.ids = {ANNA, BERT, BERT_AT_WORK, CARL, DORA, EMIL},
                                                .count = 6};
}

static int set_up(void **state)
{
    (void)state;
    static struct log quiet = {.level = LOG_ERROR};
    quiet.stream = stderr;
    fakes_start();
    settings = (struct vps_settings){.approval_timeout = 600, .factor_minutes = 15};
    people = people_new(&settings);
    use_policy(USERS TARGETS RULES);
    const struct holds_options options = {.log = &quiet, .settings = &settings, .people = people};
    assert_int_equal(holds_new(&options, &holds), 0);
    assert_int_equal(holds_watch(holds, (struct hold_watcher){.event = on_hold}), 0);
    opened = refused = 0;
    gateway_is_away = false;
    cannot_open = 0;
    story[0] = refusal[0] = '\0';
    hold = NULL;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    holds_free(holds);
    people_free(people);
    policy_free(settings.policy_file.policy);
    fakes_end();
    return 0;
}

static struct owner of(int64_t id)
{
    return (struct owner){.kind = id == BERTS_UID || id == 0 ? OWNER_LOCAL : OWNER_TELEGRAM,
                          .id = id};
}

static int ask(int64_t who, const char *host, struct why *why)
{
    struct session_request request = {.owner = of(who), .kind = KIND_SSH, .target.port = 22};
    struct session *session;
    strcpy(request.target.host, host);
    request_take_reason(&request, "printer");
    *why = (struct why){""};
    return holds_open(holds, &request, &session, &hold, why);
}

static void put_on_hold(int64_t who, const char *host)
{
    struct why why;
    assert_int_equal(ask(who, host, &why), -EINPROGRESS);
    assert_non_null(hold);
}

static void expect_refused(int64_t who, const char *host, int err, const char *words)
{
    struct why why;
    assert_int_equal(ask(who, host, &why), err);
    if (!strstr(why.text, words)) {
        fail_msg("no word of '%s' in: %s", words, why.text);
    }
}

static int approve(int64_t who)
{
    const struct owner by = of(who);
    return holds_approve(holds, hold, &by);
}

static int deny(int64_t who)
{
    const struct owner by = of(who);
    return holds_deny(holds, hold, &by);
}

/* ---- approvals ------------------------------------------------------------------ */

static void what_needs_nobody_opens_at_once(void **state)
{
    (void)state;
    struct why why;
    assert_int_equal(ask(ANNA, "192.168.1.9", &why), 0);
    assert_int_equal(opened, 1);
    assert_string_equal(last_opened.reason, "printer");
    expect_story("");
    expect_refused(CARL, "192.168.1.9", -EACCES, "You may not reach");
}

static void one_approval_opens(void **state)
{
    (void)state;
    put_on_hold(CARL, "one");
    assert_int_equal(opened, 0);
    struct hold_view view;
    hold_view(hold, &view);
    assert_string_equal(view.said, "one");
    assert_string_equal(view.request->target.host, "192.168.1.1");
    assert_string_equal(view.request->reason, "printer");
    assert_int_equal(view.seconds_left, 600);
    assert_int_equal(approve(BERT), 0);
    expect_story("[asked asking_approval][given by 42: 1][granted a session]");
    assert_int_equal(opened, 1);
    assert_string_equal(last_opened.target.host, "192.168.1.1");
    assert_int_equal(last_opened.owner.id, CARL);
    assert_int_equal(last_opened.given.approvals, 1);
    assert_null(holds_next(holds, NULL));
}

static void two_are_two_people(void **state)
{
    (void)state;
    put_on_hold(CARL, "two");
    assert_int_equal(approve(BERT), 0);
    assert_int_equal(approve(BERT), -EALREADY);
    assert_int_equal(approve(BERT_AT_WORK), -EALREADY);
    assert_int_equal(approve(BERTS_UID), -EALREADY);
    assert_int_equal(opened, 0);
    assert_int_equal(approve(ANNA), 0);
    assert_int_equal(opened, 1);
    assert_int_equal(last_opened.longest_s, 3600);
}

static void nobody_approves_their_own(void **state)
{
    (void)state;
    put_on_hold(BERT, "one");
    assert_int_equal(approve(BERT), -EPERM);
    assert_int_equal(approve(BERT_AT_WORK), -EPERM);
    assert_int_equal(approve(BERTS_UID), -EPERM);
    assert_int_equal(deny(BERT), -EPERM);
    assert_int_equal(approve(ANNA), 0);
    assert_int_equal(opened, 1);
}

static void only_approvers_decide(void **state)
{
    (void)state;
    put_on_hold(CARL, "one");
    assert_int_equal(approve(EMIL), -EACCES);
    assert_int_equal(approve(DORA), -EACCES); /* she is expired */
    assert_int_equal(approve(99), -EACCES);
    assert_int_equal(approve(0), -ENOENT); /* root, who has no name here */
    assert_int_equal(deny(EMIL), -EACCES);
    assert_int_equal(deny(99), -EACCES);
    assert_int_equal(opened, 0);
    assert_int_equal(deny(0), 0);
    expect_story("[asked asking_approval][denied]");
}

static void one_no_is_enough(void **state)
{
    (void)state;
    enum hold_state fate;
    char id[SESSION_ID_SIZE + 1];
    struct hold_view view;
    put_on_hold(CARL, "two");
    hold_view(hold, &view);
    strcpy(id, view.id);
    assert_false(holds_fate(holds, id, &fate));
    assert_int_equal(approve(ANNA), 0);
    assert_int_equal(deny(BERT), 0);
    expect_story("[asked asking_approval][given by 7: 1][denied]");
    assert_int_equal(opened, 0);
    assert_null(holds_find(holds, id));
    assert_true(holds_fate(holds, id, &fate));
    assert_int_equal(fate, HOLD_DENIED);
    assert_false(holds_fate(holds, "", &fate));
}

static void it_expires(void **state)
{
    (void)state;
    put_on_hold(CARL, "one");
    fakes_advance(599000);
    assert_non_null(hold);
    settings.approval_timeout = 60;
    fakes_advance(500);
    assert_int_equal(ask(EMIL, "one", &(struct why){""}), -EINPROGRESS);
    fakes_advance(500);
    expect_story("[asked asking_approval][asked asking_approval][expired]");
    fakes_advance(59500);
    expect_story("[expired]");
    assert_null(holds_next(holds, NULL));
    assert_int_equal(opened, 0);
}

static void who_could_not_be_asked_is_told_at_once(void **state)
{
    (void)state;
    expect_refused(CARL, "many", -ENOKEY, "approval of 9 people, and there are only 2");
    assert_int_equal(refused, 1);
    assert_non_null(strstr(refusal, "approval of 9 people"));
    expect_refused(BERT, "two", -ENOKEY, "approval of 2 people, and there is only 1");
    use_policy("users:\n  carl: {telegram: 43}\n  anna: {telegram: 7}\n" TARGETS RULES);
    expect_refused(CARL, "one", -ENOKEY, "there is nobody who could give it");
    expect_story("");
}

static void who_came_by_an_invitation_can_be_asked(void **state)
{
    (void)state;
    const struct people_options options = {.log = NULL};
    const struct owner gina = of(99), anna = of(ANNA);
    people_begin(people, &options);
    char token[INVITATION_TOKEN_SIZE];
    int64_t until;
    struct why why;
    use_policy("users:\n  anna: {telegram: 7, roles: administrator}\n  gina: {}\n" TARGETS RULES);
    assert_int_equal(people_invite(people, "gina", &anna, token, &until, &why), 0);
    use_policy("users:\n  carl: {telegram: 43}\n  anna: {telegram: 7}\n"
               "  gina: {roles: approver}\n" TARGETS RULES);
    expect_refused(CARL, "one", -ENOKEY, "there is nobody who could give it");
    assert_non_null(people_open(people, token, &gina));
    assert_int_equal(people_let_in(people, "gina", &gina, &anna), 0);
    put_on_hold(CARL, "one");
    assert_int_equal(approve(99), 0);
    assert_int_equal(opened, 1);
}

/* ---- what changes meanwhile ----------------------------------------------------- */

static void the_same_asked_again_replaces_it(void **state)
{
    (void)state;
    struct why why;
    put_on_hold(CARL, "one");
    assert_int_equal(ask(CARL, "192.168.1.1", &why), -EINPROGRESS);
    struct hold *second = holds_next(holds, NULL);
    assert_non_null(second);
    assert_null(holds_next(holds, second));
    expect_story("[asked asking_approval][withdrawn: The same was asked for again.]"
                 "[asked asking_approval]");
    assert_int_equal(ask(EMIL, "one", &why), -EINPROGRESS); /* somebody else's stays */
    assert_non_null(holds_next(holds, second));
}

static void who_asks_without_end_has_to_wait(void **state)
{
    (void)state;
    struct why why;
    for (unsigned i = 0; i < PATIENCE_MOST; i++) {
        assert_int_equal(ask(CARL, "one", &why), -EINPROGRESS);
    }
    expect_refused(CARL, "one", -EBUSY, "You have asked very often");
    assert_non_null(holds_next(holds, NULL)); /* what waits goes on waiting */
    assert_int_equal(ask(EMIL, "one", &why), -EINPROGRESS);
    fakes_advance(PATIENCE_EACH_MS);
    assert_int_equal(ask(CARL, "one", &why), -EINPROGRESS);
}

static void not_too_many_wait(void **state)
{
    (void)state;
    use_policy(USERS TARGETS
               "rules:\n  - {who: \"*\", targets: \"*\", kinds: \"*\", approvals: 1}\n");
    const char *const HOSTS[] = {"a", "b", "c", "d"};
    for (unsigned i = 0; i < HOLDS_PER_PERSON; i++) {
        put_on_hold(i % 2 ? BERT : BERT_AT_WORK, HOSTS[i]);
    }
    expect_refused(BERT, "e", -EBUSY, "waiting for 4 approvals already");
    put_on_hold(BERT, "d"); /* in place of the one that waits */
}

static void a_lost_right_loses_the_request(void **state)
{
    (void)state;
    put_on_hold(CARL, "one");
    story[0] = '\0';
    use_policy("users:\n  anna: {telegram: 7, roles: administrator}\n"
               "  carl: {telegram: 43}\n" TARGETS
               "rules:\n  - {who: anna, targets: \"*\", kinds: \"*\"}\n");
    holds_settings_changed(holds);
    expect_story("[refused: You may not reach one by SSH.]");
}

static void an_approver_who_is_none_any_more_does_not_count(void **state)
{
    (void)state;
    use_policy(USERS "  fred: {telegram: 46, roles: approver}\n" TARGETS RULES);
    put_on_hold(CARL, "two");
    assert_int_equal(approve(BERT), 0);
    story[0] = '\0';
    use_policy("users:\n  anna: {telegram: 7, roles: administrator}\n"
               "  bert: {telegram: [42, 142]}\n  carl: {telegram: 43}\n"
               "  fred: {telegram: 46, roles: approver}\n" TARGETS RULES);
    holds_settings_changed(holds);
    expect_story("[renewed 0]");
    assert_int_equal(approve(BERT), -EACCES);
    assert_int_equal(approve(ANNA), 0);
    assert_int_equal(opened, 0);
    use_policy("users:\n  anna: {telegram: 7, roles: administrator}\n"
               "  carl: {telegram: 43}\n" TARGETS RULES);
    story[0] = '\0';
    holds_settings_changed(holds);
    expect_story("[withdrawn: Not enough people are left who could approve it.]");
}

static void other_rules_count_at_once(void **state)
{
    (void)state;
    put_on_hold(CARL, "two");
    assert_int_equal(approve(BERT), 0);
    use_policy(USERS TARGETS
               "rules:\n  - {who: \"*\", targets: two, kinds: \"*\", approvals: 1}\n");
    holds_settings_changed(holds);
    assert_int_equal(opened, 1);
    expect_story("[asked asking_approval][given by 42: 1][granted a session]");
    put_on_hold(CARL, "two");
    use_policy(USERS TARGETS RULES); /* two again, and nobody said so: it is asked afresh */
    assert_int_equal(approve(BERT), 0);
    assert_int_equal(opened, 1);
    assert_int_equal(approve(ANNA), 0);
    assert_int_equal(opened, 2);
}

static void what_was_approved_is_what_is_opened(void **state)
{
    (void)state;
    put_on_hold(CARL, "one");
    story[0] = '\0';
    use_policy(USERS "targets:\n  one: {address: 192.168.1.66}\n"
                     "rules:\n  - {who: \"*\", targets: one, kinds: \"*\", approvals: 1}\n");
    assert_int_equal(approve(BERT), 0);
    expect_story("[given by 42: 1][withdrawn: That name stands for another machine now. It "
                 "has to be asked for again.]");
    assert_int_equal(opened, 0);
}

static void come(const char *gateway)
{
    const struct session_event event = {.kind = SESSION_GATEWAY_CAME, .gateway = gateway};
    on_sessions.event(on_sessions.arg, &event);
}

static void what_is_agreed_waits_for_its_gateway(void **state)
{
    (void)state;
    put_on_hold(CARL, "one");
    come("lan"); /* means nothing yet */
    gateway_is_away = true;
    assert_int_equal(approve(BERT), 0);
    expect_story("[asked asking_approval][given by 42: 1][ready]");
    assert_int_equal(approve(ANNA), -EALREADY);
    come("other");
    assert_int_equal(opened, 0);
    gateway_is_away = false;
    come("lan");
    assert_int_equal(opened, 1);
    expect_story("[granted a session]");
}

static void what_cannot_be_opened_says_why(void **state)
{
    (void)state;
    cannot_open = -EADDRINUSE;
    put_on_hold(CARL, "one");
    assert_int_equal(approve(BERT), 0);
    expect_story("[asked asking_approval][given by 42: 1][refused: No port is free.]");
}

static void the_end_of_all(void **state)
{
    (void)state;
    const struct owner carl = of(CARL);
    put_on_hold(CARL, "one");
    holds_withdraw(holds, hold, &carl);
    expect_story("[asked asking_approval][withdrawn]");
    put_on_hold(CARL, "one");
    story[0] = '\0';
    holds_end_all(holds);
    expect_story(
        "[withdrawn: The server is being stopped. It can be asked for again in a moment.]");
    const struct session_event locked = {.kind = SESSION_SERVER_LOCKED};
    put_on_hold(CARL, "one");
    story[0] = '\0';
    on_sessions.event(on_sessions.arg, &locked);
    expect_story("[withdrawn: The server was locked by an administrator.]");
    put_on_hold(CARL, "one"); /* and holds_free() takes it */
}

/* ---- the second factor ------------------------------------------------------------ */

static int factor_says;

static int check_factor(void *arg, const struct owner *owner, struct why *why)
{
    (void)owner;
    assert_ptr_equal(arg, &factor_says);
    return why_set(why, factor_says, "You have no second factor yet.");
}

static void the_second_factor_comes_first(void **state)
{
    (void)state;
    const struct owner carl = of(CARL), emil = of(EMIL);
    expect_refused(CARL, "strict", -ENOKEY, "second factor, which this server cannot take");
    holds_use_factor(holds, (struct holds_factor){check_factor, &factor_says});
    factor_says = -ENODATA;
    expect_refused(CARL, "strict", -ENOKEY, "You have no second factor yet.");
    factor_says = -EINPROGRESS;
    put_on_hold(CARL, "strict");
    assert_int_equal(approve(BERT), -EAGAIN);
    assert_int_equal(holds_take_factor(holds, &emil), 0);
    assert_int_equal(holds_take_factor(holds, &carl), 1);
    assert_int_equal(holds_take_factor(holds, &carl), 0);
    assert_int_equal(approve(BERT), 0);
    expect_story("[asked asking_factor][given by 0: 0][asking_approval][given by 42: 1]"
                 "[granted a session]");
    assert_true(last_opened.given.second_factor);
}

static void what_was_given_a_moment_ago_counts(void **state)
{
    (void)state;
    struct why why;
    holds_use_factor(holds, (struct holds_factor){check_factor, &factor_says});
    factor_says = 0;
    put_on_hold(CARL, "strict");
    assert_int_equal(approve(BERT), 0);
    assert_int_equal(opened, 1);
    expect_story("[asked asking_approval][given by 42: 1][granted a session]");
    use_policy(USERS TARGETS
               "rules:\n  - {who: \"*\", targets: strict, kinds: \"*\", second_factor: totp}\n");
    assert_int_equal(ask(CARL, "strict", &why), 0);
    assert_int_equal(opened, 2);
    factor_says = -EINPROGRESS;
    const struct owner carl = of(CARL);
    put_on_hold(CARL, "strict");
    assert_int_equal(holds_take_factor(holds, &carl), 1);
    assert_int_equal(opened, 3);
}

/* Whoever has stolen one account gets nothing by what is given with the other. */
static void it_counts_for_the_account_that_gave_it(void **state)
{
    (void)state;
    const struct owner bert = of(BERT), bert_too = of(142);
    use_policy(USERS TARGETS
               "rules:\n  - {who: \"*\", targets: \"*\", kinds: \"*\", second_factor: totp}\n");
    holds_use_factor(holds, (struct holds_factor){check_factor, &factor_says});
    factor_says = -EINPROGRESS;
    put_on_hold(BERT, "one");
    put_on_hold(BERT, "two");
    assert_int_equal(holds_take_factor(holds, &bert_too), 0);
    assert_int_equal(holds_take_factor(holds, &bert), 2);
    assert_int_equal(opened, 2);
}

static void with_no_minutes_it_counts_for_the_last_request(void **state)
{
    (void)state;
    const struct owner carl = of(CARL);
    use_policy(USERS TARGETS
               "rules:\n  - {who: \"*\", targets: \"*\", kinds: \"*\", second_factor: totp}\n");
    holds_use_factor(holds, (struct holds_factor){check_factor, &factor_says});
    factor_says = -EINPROGRESS;
    settings.factor_minutes = 0;
    put_on_hold(CARL, "one");
    put_on_hold(CARL, "two");
    assert_int_equal(holds_take_factor(holds, &carl), 1);
    assert_string_equal(last_opened.target.host, "192.168.1.2");
    assert_int_equal(holds_take_factor(holds, &carl), 1);
    assert_string_equal(last_opened.target.host, "192.168.1.1");
    assert_int_equal(holds_take_factor(holds, &carl), 0);
}

/* ---- reasons ------------------------------------------------------------------------ */

static void expect_reason(const char *typed, const char *expected)
{
    struct session_request request;
    request_take_reason(&request, typed);
    assert_string_equal(request.reason, expected);
}

static void a_reason_is_one_plain_line(void **state)
{
    (void)state;
    char longer[400] = "", expected[400] = "";
    expect_reason("  the printer,\n again\t", "the printer,  again");
    expect_reason("", "");
    expect_reason("a\u202eb\033[31m", "a?b?[31m");
    memset(longer, 'x', 300);
    memset(expected, 'x', REASON_MAX - 3);
    strcat(expected, "…");
    expect_reason(longer, expected);
    longer[REASON_MAX - 3] = '\0';
    expected[REASON_MAX - 3] = '\0';
    expect_reason(longer, expected);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_needs_nobody_opens_at_once),
        TEST(one_approval_opens),
        TEST(two_are_two_people),
        TEST(nobody_approves_their_own),
        TEST(only_approvers_decide),
        TEST(one_no_is_enough),
        TEST(it_expires),
        TEST(who_could_not_be_asked_is_told_at_once),
        TEST(who_came_by_an_invitation_can_be_asked),
        TEST(the_same_asked_again_replaces_it),
        TEST(who_asks_without_end_has_to_wait),
        TEST(not_too_many_wait),
        TEST(a_lost_right_loses_the_request),
        TEST(an_approver_who_is_none_any_more_does_not_count),
        TEST(other_rules_count_at_once),
        TEST(what_was_approved_is_what_is_opened),
        TEST(what_is_agreed_waits_for_its_gateway),
        TEST(what_cannot_be_opened_says_why),
        TEST(the_end_of_all),
        TEST(the_second_factor_comes_first),
        TEST(it_counts_for_the_account_that_gave_it),
        TEST(with_no_minutes_it_counts_for_the_last_request),
        TEST(what_was_given_a_moment_ago_counts),
        TEST(a_reason_is_one_plain_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
