/* What is recorded of sessions, with a gateway that is played by hand and a disk that waits. */
#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "vps/audit/audit.h"
#include "vps/session/explain.h"
#include "vps_world.h"

static const struct owner ANNA = {OWNER_TELEGRAM, 42}, ADMIN = {OWNER_LOCAL, 0};
static const char HERE[] = "127.0.0.2", THERE[] = "127.0.0.3";

/* ---- the disk ---------------------------------------------------------------- */

enum { ROWS_MAX = 32 };

static struct disk {
    struct {
        char line[160]; /* "session.opened telegram:42 HOME-PC:22 home" */
        bool has_session;
        json_t *body;
        statement_done_fn done;
        void *arg;
    } rows[ROWS_MAX];
    unsigned count, told;
    bool slow; /* says nothing until disk_catches_up() */
    int err;
} disk;

int __wrap_store_append(struct store *file, const struct chain_row *row, statement_done_fn done,
                        void *arg);
void __wrap_store_detach(struct store *file, const void *arg);
int __wrap_store_can_write(struct store *file);

int __wrap_store_append(struct store *file, const struct chain_row *row, statement_done_fn done,
                        void *arg)
{
    (void)file;
    assert_in_range(disk.count, 0, ROWS_MAX - 1);
    unsigned at = disk.count++;
    snprintf(disk.rows[at].line, sizeof disk.rows[at].line, "%s%s%s%s%s%s%s", row->what,
             row->person[0] ? " " : "", row->person, row->target[0] ? " " : "", row->target,
             row->gateway[0] ? " " : "", row->gateway);
    disk.rows[at].has_session = row->session[0];
    disk.rows[at].body = json_loads(row->body, 0, NULL);
    assert_non_null(disk.rows[at].body);
    disk.rows[at].done = done;
    disk.rows[at].arg = arg;
    return 0;
}

int __wrap_store_can_write(struct store *file)
{
    (void)file;
    return disk.err;
}

void __wrap_store_detach(struct store *file, const void *arg)
{
    (void)file;
    for (unsigned i = disk.told; i < disk.count; i++) {
        disk.rows[i].done = disk.rows[i].arg == arg ? NULL : disk.rows[i].done;
    }
}

static void disk_catches_up(void)
{
    while (disk.told < disk.count) {
        unsigned at = disk.told++;
        if (disk.rows[at].done) {
            disk.rows[at].done(disk.rows[at].arg, disk.err);
        }
    }
}

/* With each turn of the loop, unless it is slow. */
#define LIVE_UNTIL(condition) \
    WAIT_FOR(&world.stage, (disk.slow ? (void)0 : disk_catches_up(), 1) && (condition))

/* ---- the world ---------------------------------------------------------------- */

static struct world world;
static struct audit *audit;

static int begin(void **state)
{
    (void)state;
    memset(&disk, 0, sizeof disk);
    world_init(&world);
    return 0;
}

static void start(void)
{
    world_start(&world);
    const struct audit_options options = {.loop = &world.stage.loop, .log = &world.log};
    audit = audit_new(&options);
    assert_non_null(audit);
    assert_int_equal(sessions_use_audit(world.sessions, audit), 0);
}

static int end(void **state)
{
    (void)state;
    sessions_end_all(world.sessions);
    disk_catches_up();
    audit_free(audit);
    world_stop(&world);
    for (unsigned i = 0; i < disk.count; i++) {
        json_decref(disk.rows[i].body);
    }
    return 0;
}

static void expect_rows(const char *lines)
{
    char all[ROWS_MAX * 160];
    struct text text = text_over(all, sizeof all);
    for (unsigned i = 0; i < disk.count; i++) {
        text_add(&text, "%s\n", disk.rows[i].line);
    }
    assert_string_equal(all, lines);
}

static json_t *body_of(const char *what)
{
    for (unsigned i = disk.count; i-- > 0;) {
        if (strncmp(disk.rows[i].line, what, strlen(what)) == 0) {
            return disk.rows[i].body;
        }
    }
    fail_msg("nothing was recorded as %s", what);
    return NULL;
}

static void expect_text(const char *what, const char *key, const char *value)
{
    const char *found = json_string_value(json_object_get(body_of(what), key));
    if (!found || strcmp(found, value) != 0) {
        fail_msg("%s: %s is %s and not %s", what, key, found ? found : "(missing)", value);
    }
}

static long long number_of(const char *what, const char *key)
{
    return json_integer_value(json_object_get(body_of(what), key));
}

static struct session_request request_for(const char *gateway)
{
    struct session_request request = {.owner = ANNA, .kind = KIND_SSH};
    strcpy(request.target.host, "HOME-PC");
    strcpy(request.target.gateway, gateway);
    request.target.port = 22;
    return request;
}

static int ask_for(const struct session_request *request, struct why *why)
{
    struct session *session;
    return sessions_open(world.sessions, request, &session, why);
}

/* The gateway has said that the target answers, and its data channel is there. */
static struct session *answer(int *ret_data)
{
    struct session *session = world_ask(&world, KIND_SSH);
    *ret_data = peer_attach(&world, &world.peers[0]);
    peer_say_ready(&world.peers[0]);
    WAIT_FOR(&world.stage, strstr(disk.rows[disk.count - 1].line, "session.opened"));
    return session;
}

/* ---- tests -------------------------------------------------------------------- */

static void the_whole_story_is_recorded(void **state)
{
    (void)state;
    int data, others[2];
    world.settings.admit = ADMIT_ASK;
    start();
    stage_hurry(10); /* who comes is asked about after a second */
    struct session *session = answer(&data);
    LIVE_UNTIL(state_of(session) == SESSION_WAITING);
    int client = come_with_ssh(session, HERE);
    LIVE_UNTIL(strstr(world.events, "parked 1"));
    others[0] = come_with_ssh(session, THERE);
    LIVE_UNTIL(strstr(world.events, "parked 2"));
    assert_int_equal(session_block(session, 2, &ADMIN), 0);
    assert_int_equal(session_admit(session, 1, &ANNA), 0);
    world_hear(&world, data, SSH_ID, strlen(SSH_ID));
    client_say(data, "SSH-2", 5);
    world_hear(&world, client, "SSH-2", 5);
    client_say(client, "keys", 4);
    world_hear(&world, data, "keys", 4);
    others[1] = come_with_ssh(session, THERE);
    LIVE_UNTIL(world_logged(&world, "is turned away"));
    close(client);
    close(data);
    LIVE_UNTIL(state_of(session) == SESSION_RECONNECTING);
    client = come_with_ssh(session, HERE);
    LIVE_UNTIL(state_of(session) == SESSION_CONNECTED);
    session_close(session);
    expect_rows("session.asked telegram:42 HOME-PC:22\n"
                "session.opened telegram:42 HOME-PC:22 home\n"
                "session.parked telegram:42 HOME-PC:22 home\n"
                "session.parked telegram:42 HOME-PC:22 home\n"
                "session.blocked telegram:42 HOME-PC:22 home\n"
                "session.admitted telegram:42 HOME-PC:22 home\n"
                "session.connected telegram:42 HOME-PC:22 home\n"
                "session.disconnected telegram:42 HOME-PC:22 home\n"
                "session.reconnected telegram:42 HOME-PC:22 home\n"
                "session.visitors telegram:42 HOME-PC:22 home\n"
                "session.ended telegram:42 HOME-PC:22 home\n");
    assert_false(disk.rows[0].has_session);
    for (unsigned i = 1; i < disk.count; i++) {
        assert_true(disk.rows[i].has_session);
    }
    expect_text("session.opened", "resolved", "10.0.0.1:22");
    assert_int_equal(number_of("session.opened", "public_port"), public_port(session));
    assert_int_equal(number_of("session.opened", "data_port"), data_port(session));
    expect_text("session.parked", "address", THERE);
    expect_text("session.parked", "client", "SSH-2.0-OpenSSH_9.2p1");
    expect_text("session.blocked", "address", THERE);
    expect_text("session.blocked", "by", "uid:0");
    expect_text("session.admitted", "address", HERE);
    expect_text("session.admitted", "word", "person");
    expect_text("session.admitted", "by", "telegram:42");
    expect_text("session.connected", "address", HERE);
    expect_text("session.visitors", "word", "blocked");
    assert_int_equal(number_of("session.visitors", "count"), 1);
    expect_text("session.ended", "word", "closed");
    expect_text("session.ended", "address", HERE);
    assert_int_equal(number_of("session.ended", "to_client"), 5);
    assert_int_equal(number_of("session.ended", "connections"), 2);
    close(client);
    close(others[0]);
    close(others[1]);
}

static void its_user_may_come_when_it_is_on_the_disk(void **state)
{
    (void)state;
    int data;
    start();
    disk.slow = true;
    struct session *session = answer(&data);
    for (unsigned i = 0; i < 20; i++) {
        stage_turn(&world.stage);
        assert_int_equal(state_of(session), SESSION_OPENING);
    }
    disk_catches_up();
    assert_int_equal(state_of(session), SESSION_WAITING);
    session_close(session);
    world_lose(&world, data);
}

static void what_cannot_be_recorded_is_not_opened(void **state)
{
    (void)state;
    int data;
    struct why why = {""};
    start();
    disk.slow = true;
    struct session *session = answer(&data);
    disk.err = -ENOSPC;
    disk_catches_up();
    assert_int_equal(state_of(session), SESSION_ENDED);
    assert_non_null(strstr(world.end_text, "could not write that of this one (No space left"));
    expect_text("session.ended", "word", "audit");
    const struct session_request request = request_for("");
    assert_int_equal(ask_for(&request, &why), -ENOSPC);
    assert_non_null(strstr(why.text, "keeps a record of every session and cannot write it"));
    /* It has room again, and says so with what was refused. */
    disk.err = 0;
    disk_catches_up();
    assert_int_equal(ask_for(&request, &why), 0);
    world_lose(&world, data);
}

static void a_setting_lets_it_go_on_without_a_record(void **state)
{
    (void)state;
    int data;
    struct why why;
    world.settings.audit_full = AUDIT_FULL_CONTINUE;
    start();
    disk.err = -ENOSPC;
    struct session *session = answer(&data);
    LIVE_UNTIL(state_of(session) == SESSION_WAITING);
    const struct session_request request = request_for("");
    assert_int_equal(ask_for(&request, &why), 0);
    session_close(session);
    world_lose(&world, data);
}

static void a_disk_that_hangs_ends_it_with_that_reason(void **state)
{
    (void)state;
    int data;
    start();
    disk.slow = true;
    stage_hurry(50);
    answer(&data);
    WAIT_FOR(&world.stage, world.ended == 1);
    assert_non_null(strstr(world.end_text, "could not write that of this one"));
    disk_catches_up(); /* what comes late finds nobody */
    world_lose(&world, data);
}

static void a_data_channel_that_goes_meanwhile_ends_it_as_ever(void **state)
{
    (void)state;
    int data;
    start();
    disk.slow = true;
    answer(&data);
    close(data);
    WAIT_FOR(&world.stage, world.ended == 1);
    assert_non_null(strstr(world.end_text, "gateway home went offline"));
    disk_catches_up();
}

static void a_session_that_never_opened_was_refused(void **state)
{
    (void)state;
    start();
    world_ask(&world, KIND_SSH);
    peer_say_failed(&world.peers[0], TUNNEL_UNKNOWN_NAME, "");
    LIVE_UNTIL(world.ended == 1);
    expect_rows("session.asked telegram:42 HOME-PC:22\n"
                "session.refused telegram:42 HOME-PC:22 home\n");
    expect_text("session.refused", "word", "refused");
    assert_null(json_object_get(body_of("session.refused"), "seconds"));
}

static void a_command_that_waits_is_refused_once(void **state)
{
    (void)state;
    struct why why = {""};
    start();
    struct session_request request = request_for("paper");
    assert_int_equal(ask_for(&request, &why), -ENOENT);
    request.again = true;
    assert_int_equal(ask_for(&request, &why), -ENOENT);
    assert_int_equal(ask_for(&request, &why), -ENOENT);
    expect_rows("session.asked telegram:42 HOME-PC:22 paper\n"
                "session.refused telegram:42 HOME-PC:22 paper\n");
    expect_text("session.refused", "why", why.text);
    /* Another reason is another refusal. */
    sessions_drain(world.sessions, true);
    assert_int_equal(ask_for(&request, &why), -ESHUTDOWN);
    assert_int_equal(disk.count, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_whole_story_is_recorded, begin, end),
        cmocka_unit_test_setup_teardown(its_user_may_come_when_it_is_on_the_disk, begin, end),
        cmocka_unit_test_setup_teardown(what_cannot_be_recorded_is_not_opened, begin, end),
        cmocka_unit_test_setup_teardown(a_setting_lets_it_go_on_without_a_record, begin, end),
        cmocka_unit_test_setup_teardown(a_disk_that_hangs_ends_it_with_that_reason, begin, end),
        cmocka_unit_test_setup_teardown(a_data_channel_that_goes_meanwhile_ends_it_as_ever, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_session_that_never_opened_was_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_command_that_waits_is_refused_once, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
