/* The messages about a request on hold, on a transport that is none: what changes with time. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "bot_fakes.h"
#include "fake_transport.h"
#include "vps/chat/approvals.h"
#include "vps/chat/readers.h"
#include "vps/consent/holds.h"
#include "vps/policy/policy_file.h"

enum { ANNA = 7, BERT = 42, CARL = 43 };

static const char POLICY[] = "users:\n"
                             "  anna: {telegram: 7, roles: approver}\n"
                             "  bert: {telegram: 42, roles: approver}\n"
                             "  carl: {telegram: 43}\n"
                             "rules:\n"
                             "  - {who: \"*\", targets: \"*\", kinds: \"*\", approvals: 2}\n";

static struct vps_settings settings;
static struct people *people;
static struct holds *holds;
static struct approvals *approvals;
static struct readers readers;
static struct conversation conversation;

int __wrap_sessions_watch(struct sessions *sessions, struct session_watcher watcher);
void __wrap_sessions_unwatch(struct sessions *sessions, const void *arg);
int __wrap_sessions_ask(struct sessions *sessions, struct session_request *request,
                        struct why *why);
int __wrap_sessions_open(struct sessions *sessions, const struct session_request *request,
                         struct session **ret_session, struct why *why);

int __wrap_sessions_watch(struct sessions *sessions, struct session_watcher watcher)
{
    (void)sessions;
    (void)watcher;
    return 0;
}

void __wrap_sessions_unwatch(struct sessions *sessions, const void *arg)
{
    (void)sessions;
    (void)arg;
}

int __wrap_sessions_ask(struct sessions *sessions, struct session_request *request, struct why *why)
{
    (void)sessions;
    strcpy(request->target.gateway, "lan");
    request->needed.approvals = 2;
    return request->given.approvals < 2 ? why_set(why, -ENOKEY, "others") : 0;
}

int __wrap_sessions_open(struct sessions *sessions, const struct session_request *request,
                         struct session **ret_session, struct why *why)
{
    struct session_request wanted = *request;
    (void)ret_session;
    return __wrap_sessions_ask(sessions, &wanted, why) < 0
               ? -ENOKEY
               : why_set(why, -EADDRINUSE, "No port is free.");
}

static int set_up(void **state)
{
    (void)state;
    static struct log quiet = {.level = LOG_ERROR};
    struct why why;
    quiet.stream = stderr;
    fakes_start();
    settings = (struct vps_settings){.approval_timeout = 600,
                                     .max_session_time = 3600,
                                     .allowed_users = {.ids = {ANNA, BERT, CARL}, .count = 3}};
    assert_int_equal(policy_parse("p.yaml", POLICY, strlen(POLICY), "/usr/share/zoneinfo",
                                  &settings.policy_file.policy, &why),
                     0);
    people = people_new(&settings);
    const struct holds_options options = {.log = &quiet, .settings = &settings, .people = people};
    assert_int_equal(holds_new(&options, &holds), 0);
    readers = (struct readers){0};
    conversation = (struct conversation){.settings = &settings,
                                         .people = people,
                                         .holds = holds,
                                         .transport = fake_transport(),
                                         .readers = &readers};
    approvals = approvals_new(&conversation);
    return approvals ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    approvals_free(approvals);
    holds_free(holds);
    people_free(people);
    policy_free(settings.policy_file.policy);
    transport_free(conversation.transport);
    fakes_end();
    return 0;
}

static struct hold *ask(void)
{
    struct session_request request = {.owner = {OWNER_TELEGRAM, CARL}, .target.port = 22};
    struct session *session;
    struct hold *hold;
    struct why why;
    strcpy(request.target.host, "nas");
    assert_int_equal(holds_open(holds, &request, &session, &hold, &why), -EINPROGRESS);
    return hold;
}

/* The message to this person. */
static const struct fake_post *to(int64_t person)
{
    for (unsigned i = 0; i < fake_transport_posts(); i++) {
        if (fake_transport_post(i)->person == person) {
            return fake_transport_post(i);
        }
    }
    fail_msg("nobody told %d", (int)person);
    return NULL;
}

static void expect_said(int64_t person, const char *words, unsigned buttons)
{
    if (!strstr(to(person)->html, words)) {
        fail_msg("no word of '%s' in: %s", words, to(person)->html);
    }
    assert_int_equal(to(person)->buttons, buttons);
}

static void the_time_left_is_kept_true(void **state)
{
    (void)state;
    ask();
    assert_int_equal(fake_transport_posts(), 3);
    expect_said(CARL, "Expires in 10 min", 1);
    expect_said(ANNA, "for at most 1 h", 2);
    fakes_advance(90 * 1000);
    expect_said(CARL, "Expires in 9 min", 1);
    expect_said(BERT, "Expires in 9 min", 2);
    fakes_advance(485 * 1000);
    expect_said(ANNA, "Expires in less than a minute", 2);
    fakes_advance(60 * 1000);
    expect_said(CARL, "was not approved in time\nApproved in time: 0 of 2", 0);
    expect_said(ANNA, "Approved in time: 0 of 2", 0);
    assert_true(to(ANNA)->released && to(CARL)->released);
    assert_int_equal(fake_transport_posts(), 3);
}

static void all_follow_what_one_says(void **state)
{
    (void)state;
    const struct owner anna = {OWNER_TELEGRAM, ANNA}, bert = {OWNER_TELEGRAM, BERT};
    struct hold *hold = ask();
    assert_int_equal(holds_approve(holds, hold, &anna), 0);
    fakes_advance(1);
    expect_said(CARL, "waits for approval: 1 of 2 (anna)", 1);
    expect_said(ANNA, "Approved: 1 of 2 (anna)", 0); /* she has said it */
    expect_said(BERT, "Approved: 1 of 2 (anna)", 2);
    unsigned before = to(BERT)->set;
    assert_int_equal(holds_approve(holds, hold, &bert), 0);
    expect_said(CARL, "cannot be opened any more\nNo port is free.", 0);
    expect_said(BERT, "It cannot be opened any more.", 0);
    assert_int_equal(to(BERT)->set, before + 1); /* not first what led to it */
}

static void who_may_not_any_more_is_not_asked(void **state)
{
    (void)state;
    ask();
    for (unsigned i = 0; i < settings.policy_file.policy->user_count; i++) {
        struct policy_user *user = &settings.policy_file.policy->users[i];
        user->roles = strcmp(user->name, "bert") == 0 ? POLICY_USER : user->roles;
    }
    fakes_advance(30 * 1000);
    expect_said(BERT, "You are not asked about this any more.", 0);
    expect_said(ANNA, "asks for", 2);
    assert_true(to(BERT)->released);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_time_left_is_kept_true),
        TEST(all_follow_what_one_says),
        TEST(who_may_not_any_more_is_not_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
