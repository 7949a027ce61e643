/*
 * Gateways without a key at the control port: when they are heard, who is asked about, what comes
 * of yes and no, and that whoever does not keep to the rules gets nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/accord.h"
#include "vps_world.h"

/* What comes of the record that a gateway was paired: -ENODEV where nothing is recorded at all. */
static int pairing_record;
static audit_done_fn pairing_kept; /* if it is 0 */
static void *pairing_arg;

int __wrap_audit_record(struct audit *audit, const struct audit_entry *entry, audit_done_fn done,
                        void *arg);
int __wrap_audit_record(struct audit *audit, const struct audit_entry *entry, audit_done_fn done,
                        void *arg)
{
    (void)audit;
    if (entry->what == AUDIT_GATEWAY_PAIRED) {
        pairing_kept = done;
        pairing_arg = arg;
    }
    return entry->what == AUDIT_GATEWAY_PAIRED ? pairing_record : -ENODEV;
}

static const struct owner ALICE = {OWNER_TELEGRAM, 42};
static const struct owner ROOT = {OWNER_LOCAL, 0};

/* A gateway without a key, seen from inside. */
struct stranger {
    struct tls_config *tls;
    struct channel *channel; /* NULL: its connection is over */
    struct accord accord;
    const char *name;
    bool met, heard; /* heard: PAIR_ANSWER came */
    bool misopens;   /* what it opens is something else */
    bool silent;     /* says nothing once it is met */
    bool leaves;     /* does not open anything */
    bool accepted;
    struct message accept;
    enum channel_end end;
    enum goodbye_reason goodbye;
    char said[sizeof((struct why *)NULL)->text];
};

/* ---- who comes --------------------------------------------------------------- */

static void on_met(void *arg)
{
    struct stranger *stranger = arg;
    struct message commit;
    stranger->met = true;
    if (!stranger->silent) {
        assert_int_equal(accord_commit(&stranger->accord, "office", &commit), 0);
        snprintf(commit.pair_commit.name, sizeof commit.pair_commit.name, "%s", stranger->name);
        if (strcmp(stranger->name, "office") != 0 && accord_name_is_plain(stranger->name)) {
            accord_wipe(&stranger->accord);
            assert_int_equal(accord_commit(&stranger->accord, stranger->name, &commit), 0);
        }
        channel_send(stranger->channel, &commit);
    }
}

static void on_received(void *arg, const struct message *message)
{
    struct stranger *stranger = arg;
    struct message open;
    if (message->type == MESSAGE_PAIR_ANSWER) {
        stranger->heard = true;
        if (stranger->leaves) {
            return;
        }
        assert_int_equal(accord_open(&stranger->accord, &message->pair_answer, &open), 0);
        open.pair_open.nonce[0] ^= stranger->misopens;
        channel_send(stranger->channel, &open);
    } else if (message->type == MESSAGE_PAIR_ACCEPT) {
        stranger->accepted = true;
        stranger->accept = *message;
    }
}

static void on_closed(void *arg, enum channel_end end, const struct why *why)
{
    struct stranger *stranger = arg;
    stranger->end = end;
    stranger->goodbye = channel_peer_goodbye(stranger->channel);
    snprintf(stranger->said, sizeof stranger->said, "%s", why->text);
    channel_free(stranger->channel);
    stranger->channel = NULL;
}

static void on_opened(void *arg)
{
    (void)arg;
    fail_msg("a gateway without a key is online");
}

static const struct channel_events EVENTS = {
    .opened = on_opened, .received = on_received, .closed = on_closed, .met = on_met};

static void come(struct world *world, struct stranger *stranger, const char *from, const char *name)
{
    stranger->name = name;
    if (!stranger->tls) {
        assert_int_equal(tls_config_client(TLS_STRANGER, TLS_STRANGER_KEY, &stranger->tls), 0);
    }
    int fd = client_connect(from, world->settings.control_port);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    struct channel_options options = {.self = SENDER_GATEWAY,
                                      .keepalive_secs = 3600,
                                      .program = "gateway-agent test",
                                      .pair = true,
                                      .events = &EVENTS,
                                      .arg = stranger};
    assert_int_equal(
        channel_new(&world->stage.loop, stranger->tls, fd, &options, &stranger->channel), 0);
}

static void go(struct stranger *stranger)
{
    channel_free(stranger->channel);
    stranger->channel = NULL;
}

/* For good: with all that it holds. Behind world_stop(). */
static void stranger_done(struct stranger *stranger)
{
    tls_config_free(stranger->tls);
    accord_wipe(&stranger->accord);
    *stranger = (struct stranger){0};
}

/* Comes, and is turned away with these words. */
static void come_in_vain(struct world *world, const char *from, const char *name, const char *told)
{
    struct stranger stranger = {0};
    come(world, &stranger, from, name);
    WAIT_FOR(&world->stage, !stranger.channel);
    assert_int_equal(stranger.goodbye, GOODBYE_UNPAIRED);
    if (!strstr(stranger.said, told)) {
        fail_msg("told \"%s\", not \"%s\"", stranger.said, told);
    }
    stranger_done(&stranger);
}

/* ---- who is told --------------------------------------------------------------- */

struct watch {
    unsigned counts[APPLICANT_CROWD + 1];
    enum applicant_event_kind last;
    struct owner by;
    bool has_by;
    char name[64], why[320];
};

static void on_event(void *arg, const struct applicant_event *event)
{
    struct watch *watch = arg;
    watch->counts[event->kind]++;
    if (event->kind == APPLICANT_CROWD) {
        assert_null(event->view);
        return;
    }
    watch->last = event->kind;
    watch->has_by = event->by != NULL;
    if (event->by) {
        watch->by = *event->by;
    }
    snprintf(watch->name, sizeof watch->name, "%s", event->view->name);
    snprintf(watch->why, sizeof watch->why, "%s", event->why ? event->why : "");
}

struct test {
    struct world world;
    struct watch watch;
    struct stranger a, b;
    struct applicants *applicants;
};

static int set_up(void **state)
{
    struct test *test = calloc(1, sizeof *test);
    pairing_record = -ENODEV;
    world_init(&test->world);
    world_start(&test->world);
    test->applicants = gateways_applicants(test->world.gateways);
    assert_int_equal(
        applicants_watch(test->applicants, (struct applicant_watcher){on_event, &test->watch}), 0);
    *state = test;
    return 0;
}

static int tear_down(void **state)
{
    struct test *test = *state;
    go(&test->a);
    go(&test->b);
    world_stop(&test->world);
    stranger_done(&test->a);
    stranger_done(&test->b);
    free(test);
    return 0;
}

/* One is asked about; returns the question. */
static struct applicant_view ask(struct test *test, struct stranger *stranger, const char *from,
                                 const char *name)
{
    struct applicant_view view = {0};
    unsigned before = test->watch.counts[APPLICANT_ASKS];
    if (applicants_open_for(test->applicants) == 0) {
        applicants_open(test->applicants);
    }
    come(&test->world, stranger, from, name);
    WAIT_FOR(&test->world.stage, test->watch.counts[APPLICANT_ASKS] > before);
    assert_true(applicants_view(test->applicants, &view));
    return view;
}

static void confirm(struct test *test, struct stranger *stranger)
{
    struct message message;
    WAIT_FOR(&test->world.stage, stranger->accepted);
    assert_int_equal(accord_accepted(&stranger->accord, &stranger->accept.pair_accept), 0);
    assert_int_equal(accord_confirm(&stranger->accord, &message), 0);
    assert_int_equal(channel_send(stranger->channel, &message), 0);
}

static bool has_key(struct test *test, const char *name, const struct stranger *stranger)
{
    const struct keyring *keyring = gateways_keyring(test->world.gateways);
    struct keyring_view view;
    uint8_t key[CRYPTO_KEY_SIZE];
    if (accord_key(&stranger->accord, key) < 0) {
        return false;
    }
    for (unsigned i = 0; keyring_view(keyring, i, &view); i++) {
        if (strcmp(view.gateway, name) == 0 && memcmp(view.key, key, sizeof key) == 0) {
            return view.origin == KEY_PAIRED;
        }
    }
    return false;
}

static void pair(struct test *test, struct stranger *stranger, const char *from, const char *name)
{
    struct applicant_view view = ask(test, stranger, from, name);
    unsigned before = test->watch.counts[APPLICANT_PAIRED];
    assert_int_equal(applicants_accept(test->applicants, view.id, &ALICE), 0);
    confirm(test, stranger);
    WAIT_FOR(&test->world.stage, test->watch.counts[APPLICANT_PAIRED] > before);
    WAIT_FOR(&test->world.stage, !stranger->channel);
}

/* ---- the tests ------------------------------------------------------------- */

static void none_is_heard_where_gateways_have_keys_until_somebody_says_so(void **state)
{
    struct test *test = *state;
    assert_int_equal(applicants_open_for(test->applicants), 0);
    come_in_vain(&test->world, "127.0.0.2", "office", "run pamctl gateway pair on the VPS");
    assert_true(world_logged(&test->world, "127.0.0.2: wanted to be paired, and was told: no"));
    applicants_open(test->applicants);
    assert_int_equal(applicants_open_for(test->applicants), 600);
    come(&test->world, &test->a, "127.0.0.2", "office");
    WAIT_FOR(&test->world.stage, test->a.heard);
}

static void an_accepted_one_gets_a_key_and_both_are_told(void **state)
{
    struct test *test = *state;
    char code[ACCORD_CODE_MAX];
    struct applicant_view view = ask(test, &test->a, "127.0.0.2", "office");
    assert_string_equal(view.name, "office");
    assert_string_equal(view.code, accord_code(&test->a.accord, code));
    assert_string_equal(view.program, "gateway-agent test");
    assert_int_equal(view.seconds_left, 600);
    assert_false(view.let_in);
    assert_false(view.replaces);
    assert_null(view.resembles);
    assert_true(world_logged(&test->world, "gateway office at 127.0.0.2 asks to be paired"));
    assert_true(applicants_shows(test->applicants, code));
    assert_false(test->a.accepted);

    assert_int_equal(applicants_accept(test->applicants, view.id, &ALICE), 0);
    assert_int_equal(test->watch.last, APPLICANT_LET_IN);
    assert_int_equal(applicants_accept(test->applicants, view.id, &ROOT), -EALREADY);
    assert_int_equal(applicants_deny(test->applicants, view.id, &ROOT), -EALREADY);
    assert_true(applicants_view(test->applicants, &view) && view.let_in);
    confirm(test, &test->a);
    WAIT_FOR(&test->world.stage, !test->a.channel);
    assert_int_equal(test->a.goodbye, GOODBYE_PAIRED);
    assert_int_equal(test->watch.last, APPLICANT_PAIRED);
    assert_true(test->watch.has_by && owner_equal(&test->watch.by, &ALICE));
    assert_true(has_key(test, "office", &test->a));
    assert_false(applicants_view(test->applicants, &view));
    /* What it was opened for has happened. */
    assert_int_equal(applicants_open_for(test->applicants), 0);
    come_in_vain(&test->world, "127.0.1.2", "attic", "no gateways are paired");
}

static void a_code_is_compared_to_the_last_digit(void **state)
{
    struct test *test = *state;
    struct applicant_view view = ask(test, &test->a, "127.0.0.2", "office");
    char code[ACCORD_CODE_MAX], joined[ACCORD_CODE_MAX];
    snprintf(code, sizeof code, "%s", view.code);
    snprintf(joined, sizeof joined, "%.3s%s", code, code + 4);
    assert_true(applicants_shows(test->applicants, code));
    assert_true(applicants_shows(test->applicants, joined));
    assert_false(applicants_shows(test->applicants, ""));
    assert_false(applicants_shows(test->applicants, "0"));
    for (size_t i = 0; joined[i]; i++) {
        joined[i] = (char)(joined[i] == '9' ? '0' : joined[i] + 1);
        assert_false(applicants_shows(test->applicants, joined));
        joined[i] = (char)(joined[i] == '0' ? '9' : joined[i] - 1);
    }
    joined[5] = '\0';
    assert_false(applicants_shows(test->applicants, joined));
    go(&test->a);
    WAIT_FOR(&test->world.stage, test->watch.counts[APPLICANT_LEFT]);
    assert_false(applicants_shows(test->applicants, code));
    assert_false(applicants_shows(test->applicants, ""));
}

static void a_second_one_is_told_that_another_is_being_paired(void **state)
{
    struct test *test = *state;
    struct applicant_view view = ask(test, &test->a, "127.0.0.2", "office");
    come_in_vain(&test->world, "127.0.1.3", "attic", "another gateway is being paired");
    assert_int_equal(test->watch.counts[APPLICANT_ASKS], 1);
    assert_int_equal(applicants_accept(test->applicants, view.id, &ALICE), 0);
    confirm(test, &test->a);
    WAIT_FOR(&test->world.stage, test->watch.last == APPLICANT_PAIRED);
}

static void a_no_is_for_its_network_until_somebody_opens_it_again(void **state)
{
    struct test *test = *state;
    struct applicant_view view = ask(test, &test->a, "127.0.0.2", "office");
    assert_int_equal(applicants_deny(test->applicants, view.id, &ALICE), 0);
    assert_int_equal(test->watch.last, APPLICANT_DENIED);
    assert_true(owner_equal(&test->watch.by, &ALICE));
    WAIT_FOR(&test->world.stage, !test->a.channel);
    assert_int_equal(test->a.goodbye, GOODBYE_UNPAIRED);
    come_in_vain(&test->world, "127.0.0.77", "office", "somebody there has refused a gateway");
    ask(test, &test->b, "127.0.1.2", "attic");
    go(&test->b);
    WAIT_FOR(&test->world.stage, test->watch.last == APPLICANT_LEFT);
    applicants_open(test->applicants);
    accord_wipe(&test->a.accord);
    ask(test, &test->a, "127.0.0.2", "office");
}

/* A button carries the number of its question: it is not good for the next one. */
static void an_answer_to_another_question_is_none(void **state)
{
    struct test *test = *state;
    struct applicant_view first = ask(test, &test->a, "127.0.0.2", "office");
    go(&test->a);
    WAIT_FOR(&test->world.stage, test->watch.counts[APPLICANT_LEFT] == 1);
    assert_int_equal(applicants_accept(test->applicants, first.id, &ALICE), -ENOENT);
    struct applicant_view second = ask(test, &test->b, "127.0.1.2", "office");
    assert_int_not_equal(first.id, second.id);
    assert_int_equal(applicants_accept(test->applicants, first.id, &ALICE), -ENOENT);
    assert_int_equal(applicants_deny(test->applicants, first.id, &ALICE), -ENOENT);
    assert_true(applicants_view(test->applicants, &second) && !second.let_in);
}

static void a_question_that_nobody_answers_expires(void **state)
{
    struct test *test = *state;
    applicants_open(test->applicants);
    come(&test->world, &test->a, "127.0.0.2", "office");
    WAIT_FOR(&test->world.stage, test->a.heard);
    stage_hurry(1000); /* timers that are set from here on */
    WAIT_FOR(&test->world.stage, test->watch.counts[APPLICANT_EXPIRED]);
    assert_int_equal(test->watch.counts[APPLICANT_ASKS], 1);
    WAIT_FOR(&test->world.stage, !test->a.channel);
    stage_hurry(1);
    assert_true(strstr(test->a.said, "nobody there has answered"));
    come_in_vain(&test->world, "127.0.0.2", "office", "no gateways are paired");
}

static void one_that_is_met_and_says_nothing_makes_room(void **state)
{
    struct test *test = *state;
    test->a.silent = true;
    stage_hurry(5); /* its deadline begins when it is met */
    applicants_open(test->applicants);
    come(&test->world, &test->a, "127.0.0.2", "office");
    WAIT_FOR(&test->world.stage, test->a.met);
    come_in_vain(&test->world, "127.0.1.2", "attic", "another gateway is being paired");
    WAIT_FOR(&test->world.stage, !test->a.channel);
    stage_hurry(1);
    assert_int_equal(test->watch.counts[APPLICANT_ASKS], 0);
    assert_true(world_logged(&test->world, "did not say with what in time"));
    ask(test, &test->b, "127.0.1.2", "attic");
}

/* It was let in, keeps quiet, and has no key in the end. */
static void one_that_does_not_confirm_gets_nothing(void **state)
{
    struct test *test = *state;
    struct applicant_view view = ask(test, &test->a, "127.0.0.2", "office");
    stage_hurry(100);
    assert_int_equal(applicants_accept(test->applicants, view.id, &ALICE), 0);
    WAIT_FOR(&test->world.stage, test->a.accepted);
    WAIT_FOR(&test->world.stage, test->watch.last == APPLICANT_FAILED);
    stage_hurry(1);
    WAIT_FOR(&test->world.stage, !test->a.channel);
    assert_int_equal(keyring_count(gateways_keyring(test->world.gateways)), 1);
}

static void who_opens_something_else_is_not_even_asked_about(void **state)
{
    struct test *test = *state;
    test->a.misopens = true;
    applicants_open(test->applicants);
    come(&test->world, &test->a, "127.0.0.2", "office");
    WAIT_FOR(&test->world.stage, !test->a.channel);
    assert_int_equal(test->watch.counts[APPLICANT_ASKS], 0);
    assert_true(world_logged(&test->world, "somebody may be in between"));
}

static void a_wrong_proof_is_told_and_gives_no_key(void **state)
{
    struct test *test = *state;
    struct message wrong = {.type = MESSAGE_PAIR_CONFIRM};
    struct applicant_view view = ask(test, &test->a, "127.0.0.2", "office");
    assert_int_equal(applicants_accept(test->applicants, view.id, &ALICE), 0);
    WAIT_FOR(&test->world.stage, test->a.accepted);
    assert_int_equal(channel_send(test->a.channel, &wrong), 0);
    WAIT_FOR(&test->world.stage, !test->a.channel);
    assert_int_equal(test->watch.last, APPLICANT_FAILED);
    assert_string_equal(test->watch.why, "it is not the one that was let in");
    assert_int_equal(keyring_count(gateways_keyring(test->world.gateways)), 1);
}

static void who_begins_anew_while_people_are_asked_is_hung_up_on(void **state)
{
    struct test *test = *state;
    struct message commit = {.type = MESSAGE_PAIR_COMMIT, .pair_commit = {"c", "office"}};
    ask(test, &test->a, "127.0.0.2", "office");
    assert_int_equal(channel_send(test->a.channel, &commit), 0);
    WAIT_FOR(&test->world.stage, test->watch.last == APPLICANT_FAILED);
    WAIT_FOR(&test->world.stage, !test->a.channel);
    assert_int_equal(test->watch.counts[APPLICANT_LEFT], 0);
}

/* A confirmation before anybody has said yes is no confirmation. */
static void who_does_not_wait_for_the_answer_is_hung_up_on(void **state)
{
    struct test *test = *state;
    struct message confirm = {.type = MESSAGE_PAIR_CONFIRM};
    ask(test, &test->a, "127.0.0.2", "office");
    assert_int_equal(channel_send(test->a.channel, &confirm), 0);
    WAIT_FOR(&test->world.stage, test->watch.last == APPLICANT_FAILED);
    WAIT_FOR(&test->world.stage, !test->a.channel);
}

static void an_accept_that_comes_too_late_is_told_as_what_it_is(void **state)
{
    struct test *test = *state;
    struct applicant_view view = ask(test, &test->a, "127.0.0.2", "office");
    assert_int_equal(applicants_accept(test->applicants, view.id, &ALICE), 0);
    go(&test->a);
    WAIT_FOR(&test->world.stage, test->watch.last == APPLICANT_LEFT);
    assert_int_equal(keyring_count(gateways_keyring(test->world.gateways)), 1);
    accord_wipe(&test->a.accord);
    test->a.accepted = false;
    pair(test, &test->a, "127.0.0.2", "office"); /* and it may ask anew */
}

/*
 * Its key is on the way to the disk and good from then on: what it says now does not change what
 * people are told, and ends nobody else's question.
 */
static void one_that_goes_on_talking_is_paired_all_the_same(void **state)
{
    static const enum message_type MORE[] = {MESSAGE_PAIR_CONFIRM, MESSAGE_PAIR_COMMIT,
                                             MESSAGE_PAIR_OPEN};
    struct test *test = *state;
    pairing_record = 0;
    for (unsigned i = 0; i < sizeof MORE / sizeof *MORE; i++) {
        struct message more = {.type = MORE[i]};
        char from[32];
        snprintf(from, sizeof from, "127.0.%u.2", i);
        accord_wipe(&test->a.accord);
        test->a.accepted = false;
        pairing_kept = NULL;
        struct applicant_view view = ask(test, &test->a, from, "office");
        assert_int_equal(applicants_accept(test->applicants, view.id, &ALICE), 0);
        confirm(test, &test->a);
        assert_int_equal(channel_send(test->a.channel, &more), 0);
        WAIT_FOR(&test->world.stage, pairing_kept && !test->a.channel);
        assert_int_equal(test->watch.last, APPLICANT_LET_IN);
        come_in_vain(&test->world, "127.0.77.2", "attic", "another gateway is being paired");
        pairing_kept(pairing_arg, 0);
        assert_int_equal(test->watch.last, APPLICANT_PAIRED);
        assert_true(has_key(test, "office", &test->a));
    }
}

/* Its key would be gone with the next restart, and nobody would know why. */
static void one_that_cannot_be_recorded_gets_no_key(void **state)
{
    struct test *test = *state;
    struct applicant_view view = ask(test, &test->a, "127.0.0.2", "office");
    pairing_record = -ENOBUFS;
    assert_int_equal(applicants_accept(test->applicants, view.id, &ALICE), 0);
    confirm(test, &test->a);
    WAIT_FOR(&test->world.stage, test->watch.last == APPLICANT_FAILED);
    assert_string_equal(test->watch.why, "its key could not be written to STATE_DIR");
    assert_false(has_key(test, "office", &test->a));
    WAIT_FOR(&test->world.stage, !test->a.channel);
    assert_int_equal(test->a.goodbye, GOODBYE_UNPAIRED);
}

/* ---- names ------------------------------------------------------------------------ */

static void names_that_are_taken_or_look_like_a_code_are_refused(void **state)
{
    struct test *test = *state;
    applicants_open(test->applicants);
    come_in_vain(&test->world, "127.0.0.2", "home", "a gateway named home is online there");
    come_in_vain(&test->world, "127.0.1.2", "HOME", "a gateway named HOME is online there");
    come_in_vain(&test->world, "127.0.2.2", "482-913", "could be taken for a code");
    assert_int_equal(test->watch.counts[APPLICANT_ASKS], 0);
    strcpy(test->world.settings.tunnel_key.keys[0].name, "office");
    come_in_vain(&test->world, "127.0.3.2", "office", "has a key in TUNNEL_KEY there");
}

static void a_name_much_like_another_is_told(void **state)
{
    struct test *test = *state;
    struct applicant_view view = ask(test, &test->a, "127.0.0.2", "hone");
    assert_string_equal(view.resembles, "home");
    assert_false(view.replaces);
}

static void one_that_was_paired_before_gets_another_key_and_the_question_says_so(void **state)
{
    struct test *test = *state;
    const struct keyring *keyring = gateways_keyring(test->world.gateways);
    pair(test, &test->a, "127.0.0.2", "office");
    /* Not used yet: nothing is replaced that anybody would miss. */
    struct applicant_view view = ask(test, &test->b, "127.0.1.2", "office");
    assert_false(view.replaces);
    go(&test->b);
    WAIT_FOR(&test->world.stage, test->watch.last == APPLICANT_LEFT);
    bool dropped;
    keyring_joined((struct keyring *)keyring, keyring_find(keyring, "office", 0), &dropped);
    accord_wipe(&test->b.accord);
    view = ask(test, &test->b, "127.0.1.2", "office");
    assert_true(view.replaces);
    assert_int_equal(applicants_accept(test->applicants, view.id, &ALICE), 0);
    confirm(test, &test->b);
    WAIT_FOR(&test->world.stage, test->watch.counts[APPLICANT_PAIRED] == 2);
    /* Both are good until it has come with the new one. */
    assert_true(has_key(test, "office", &test->a));
    assert_true(has_key(test, "office", &test->b));
}

/* ---- limits ----------------------------------------------------------------------- */

static void a_network_has_four_tries(void **state)
{
    struct test *test = *state;
    for (unsigned i = 0; i < APPLICANTS_PER_NETWORK; i++) {
        accord_wipe(&test->a.accord);
        ask(test, &test->a, "127.0.0.2", "office");
        go(&test->a);
        WAIT_FOR(&test->world.stage, test->watch.counts[APPLICANT_LEFT] == i + 1);
    }
    come_in_vain(&test->world, "127.0.0.9", "office", "too many have asked to be paired from here");
    ask(test, &test->b, "127.0.1.2", "attic");
}

static void each_answer_is_a_try_and_there_are_sixteen(void **state)
{
    struct test *test = *state;
    for (unsigned i = 0; i < APPLICANTS_TRIES; i++) {
        char from[32];
        snprintf(from, sizeof from, "127.0.%u.2", i);
        accord_wipe(&test->a.accord);
        ask(test, &test->a, from, "office");
        if (i < APPLICANTS_TRIES - 1) {
            assert_true(applicants_open_for(test->applicants) > 0);
            go(&test->a);
            WAIT_FOR(&test->world.stage, test->watch.counts[APPLICANT_LEFT] == i + 1);
        }
    }
    assert_int_equal(applicants_open_for(test->applicants), 0);
    assert_true(world_logged(&test->world, "too many have asked"));
    assert_int_equal(test->watch.counts[APPLICANT_CROWD], 1);
    /* The last one may still be let in. */
    struct applicant_view view;
    assert_true(applicants_view(test->applicants, &view));
    assert_int_equal(applicants_accept(test->applicants, view.id, &ALICE), 0);
    confirm(test, &test->a);
    WAIT_FOR(&test->world.stage, test->watch.last == APPLICANT_PAIRED);
}

/*
 * Whoever is in between knows the code with the answer, and could hang up as long as it is not the
 * one that the gateway has said: a person would be asked at the right one alone.
 */
static void who_hangs_up_at_the_answer_has_tried_as_well(void **state)
{
    struct test *test = *state;
    applicants_open(test->applicants);
    for (unsigned i = 0; i < APPLICANTS_TRIES; i++) {
        char from[32];
        snprintf(from, sizeof from, "127.0.%u.2", i);
        assert_true(applicants_open_for(test->applicants) > 0);
        accord_wipe(&test->a.accord);
        test->a.heard = false;
        test->a.leaves = true;
        come(&test->world, &test->a, from, "office");
        WAIT_FOR(&test->world.stage, test->a.heard);
        go(&test->a);
        WAIT_FOR(&test->world.stage, world_logged(&test->world, from));
        stage_is_quiet(&test->world.stage, 5);
    }
    assert_int_equal(applicants_open_for(test->applicants), 0);
    assert_int_equal(test->watch.counts[APPLICANT_ASKS], 0);
    assert_int_equal(test->watch.counts[APPLICANT_CROWD], 1);
    assert_true(world_logged(&test->world, "wanted to be paired, and hung up"));
    come_in_vain(&test->world, "127.0.99.2", "attic", "no gateways are paired");
}

/* Their answers are asked for at the time of the question: by the end another may have come. */
static void one_whose_name_came_online_meanwhile_gets_no_key(void **state)
{
    struct test *test = *state;
    struct applicant_view view = ask(test, &test->a, "127.0.0.2", "office");
    peer_log_in(&test->world, &test->world.peers[1], "office");
    assert_int_equal(applicants_accept(test->applicants, view.id, &ALICE), 0);
    confirm(test, &test->a);
    WAIT_FOR(&test->world.stage, test->watch.last == APPLICANT_FAILED);
    assert_non_null(strstr(test->watch.why, "has come online meanwhile"));
    assert_int_equal(keyring_count(gateways_keyring(test->world.gateways)), 1);
}

/*
 * Each costs a key exchange: an address has sixteen. Everybody knows that key, so gateways behind
 * the same address (a NAT, a proxy) log in as ever.
 */
static void an_address_that_asks_again_and_again_is_not_even_answered(void **state)
{
    struct test *test = *state;
    unsigned told = 0;
    for (unsigned i = 0; i < GATEWAYS_FALSE_STARTS_PER_PARTY + 4; i++) {
        struct stranger stranger = {0};
        come(&test->world, &stranger, "127.0.0.1", "office");
        WAIT_FOR(&test->world.stage, !stranger.channel);
        told += stranger.goodbye == GOODBYE_UNPAIRED;
        stranger_done(&stranger);
    }
    assert_in_range(told, GATEWAYS_FALSE_STARTS_PER_PARTY, GATEWAYS_FALSE_STARTS_PER_PARTY + 2);
    peer_log_in(&test->world, &test->world.peers[1], "office");
}

/* It keeps its place, as who has logged in does, however many press in. */
static void the_one_that_is_asked_about_is_not_pushed_out(void **state)
{
    struct test *test = *state;
    int fds[2 * GATEWAYS_UNFINISHED_MAX];
    struct applicant_view view = ask(test, &test->a, "127.0.0.2", "office");
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        fds[i] = client_connect("127.0.0.2", test->world.settings.control_port);
        stage_turn(&test->world.stage);
    }
    assert_true(stage_is_quiet(&test->world.stage, 20));
    assert_int_equal(applicants_accept(test->applicants, view.id, &ALICE), 0);
    confirm(test, &test->a);
    WAIT_FOR(&test->world.stage, test->watch.last == APPLICANT_PAIRED);
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        close(fds[i]);
    }
}

/* A reload changes keys, and has nothing to do with who has none. */
static void other_settings_leave_it_where_it_is(void **state)
{
    struct test *test = *state;
    struct vps_settings before = test->world.settings;
    struct applicant_view view = ask(test, &test->a, "127.0.0.2", "office");
    strcpy(test->world.settings.tunnel_key.keys[0].name, "home");
    gateways_settings_changed(test->world.gateways, &before);
    assert_int_equal(applicants_accept(test->applicants, view.id, &ALICE), 0);
    confirm(test, &test->a);
    WAIT_FOR(&test->world.stage, test->watch.last == APPLICANT_PAIRED);
}

static void an_agent_that_stops_says_goodbye_to_it(void **state)
{
    struct test *test = *state;
    ask(test, &test->a, "127.0.0.2", "office");
    /* tear_down() stops the world around it: nobody is told, and nothing is left. */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(none_is_heard_where_gateways_have_keys_until_somebody_says_so),
        TEST(an_accepted_one_gets_a_key_and_both_are_told),
        TEST(a_code_is_compared_to_the_last_digit),
        TEST(a_second_one_is_told_that_another_is_being_paired),
        TEST(a_no_is_for_its_network_until_somebody_opens_it_again),
        TEST(an_answer_to_another_question_is_none),
        TEST(a_question_that_nobody_answers_expires),
        TEST(one_that_is_met_and_says_nothing_makes_room),
        TEST(one_that_does_not_confirm_gets_nothing),
        TEST(who_opens_something_else_is_not_even_asked_about),
        TEST(a_wrong_proof_is_told_and_gives_no_key),
        TEST(who_does_not_wait_for_the_answer_is_hung_up_on),
        TEST(who_begins_anew_while_people_are_asked_is_hung_up_on),
        TEST(an_accept_that_comes_too_late_is_told_as_what_it_is),
        TEST(one_that_goes_on_talking_is_paired_all_the_same),
        TEST(one_that_cannot_be_recorded_gets_no_key),
        TEST(names_that_are_taken_or_look_like_a_code_are_refused),
        TEST(a_name_much_like_another_is_told),
        TEST(one_that_was_paired_before_gets_another_key_and_the_question_says_so),
        TEST(a_network_has_four_tries),
        TEST(each_answer_is_a_try_and_there_are_sixteen),
        TEST(who_hangs_up_at_the_answer_has_tried_as_well),
        TEST(one_whose_name_came_online_meanwhile_gets_no_key),
        TEST(an_address_that_asks_again_and_again_is_not_even_answered),
        TEST(the_one_that_is_asked_about_is_not_pushed_out),
        TEST(other_settings_leave_it_where_it_is),
        TEST(an_agent_that_stops_says_goodbye_to_it),
    };
    return cmocka_run_group_tests_name("applicants", tests, NULL, NULL);
}
