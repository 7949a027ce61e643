/* The socket for pamctl: who is heard, what is answered, and when. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/lines.h"
#include "control/channel.h"
#include "control/tls.h"
#include "vps/admin/admin.h"
#include "vps_world.h"

static const char ANNA[] = "127.0.0.2", BERT[] = "127.0.0.3";

enum { REQUEST_MAX = LINES_LEN_MAX, NOBODY = 65534 };

struct office {
    struct world world;
    struct admin_options options;
    struct holds *holds;
    struct wakings *wakings;
    struct admin *admin;
    struct sockaddr_un at;
};

static void make_folder(struct office *office)
{
    strcpy(office->world.settings.state_dir, "/tmp/pamtunnel-test-XXXXXX");
    assert_non_null(mkdtemp(office->world.settings.state_dir));
    office->at.sun_family = AF_UNIX;
    snprintf(office->at.sun_path, sizeof office->at.sun_path, "%s/pamtunnel.sock",
             office->world.settings.state_dir);
}

static struct office *office_prepare(void)
{
    static struct office office;
    memset(&office, 0, sizeof office);
    world_init(&office.world);
    make_folder(&office);
    return &office;
}

static void office_start_world(struct office *office)
{
    world_start(&office->world);
    const struct holds_options of_holds = {.loop = &office->world.stage.loop,
                                           .log = &office->world.log,
                                           .settings = &office->world.settings,
                                           .people = office->world.people,
                                           .sessions = office->world.sessions};
    assert_int_equal(holds_new(&of_holds, &office->holds), 0);
    const struct wakings_options of_wakings = {.loop = &office->world.stage.loop,
                                               .log = &office->world.log,
                                               .people = office->world.people,
                                               .sessions = office->world.sessions,
                                               .holds = office->holds};
    assert_int_equal(wakings_new(&of_wakings, &office->wakings), 0);
    office->options = (struct admin_options){.loop = &office->world.stage.loop,
                                             .log = &office->world.log,
                                             .settings = &office->world.settings,
                                             .people = office->world.people,
                                             .holds = office->holds,
                                             .wakings = office->wakings,
                                             .sessions = office->world.sessions,
                                             .gateways = office->world.gateways};
}

static void office_start(struct office *office)
{
    struct why why = {""};
    office_start_world(office);
    if (admin_new(&office->options, &office->admin, &why) < 0) {
        fail_msg("%s", why.text);
    }
}

static struct office *office_open(void)
{
    struct office *office = office_prepare();
    office_start(office);
    return office;
}

/* In the order in which vps-agent stops. */
static void office_close(struct office *office)
{
    sessions_end_all(office->world.sessions);
    admin_free(office->admin);
    wakings_free(office->wakings);
    holds_free(office->holds);
    world_stop(&office->world);
    assert_int_equal(access(office->at.sun_path, F_OK), -1);
    assert_int_equal(rmdir(office->world.settings.state_dir), 0);
}

static int call(struct office *office)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&office->at, sizeof office->at), 0);
    return fd;
}

static void say(int fd, const char *line)
{
    client_say(fd, line, strlen(line));
}

/* One line of the answer, as JSON. */
static json_t *hear(struct office *office, int fd)
{
    static char line[16384];
    size_t have = 0;
    do {
        WAIT_FOR(&office->world.stage, client_hear(fd, line + have, 1) == 1);
    } while (line[have++] != '\n' && have < sizeof line);
    json_t *reply = json_loadb(line, have, 0, NULL);
    assert_true(json_is_object(reply));
    return reply;
}

static json_t *ask(struct office *office, int fd, const char *line)
{
    say(fd, line);
    say(fd, "\n");
    return hear(office, fd);
}

static const char *text_of(const json_t *reply, const char *key)
{
    const char *text = json_string_value(json_object_get(reply, key));
    return text ? text : "";
}

static void expect_error(json_t *reply, const char *word)
{
    assert_true(json_is_false(json_object_get(reply, "ok")));
    assert_string_equal(text_of(reply, "error"), word);
    assert_true(strlen(text_of(reply, "message")) > 10);
    json_decref(reply);
}

static void expect_ok(json_t *reply)
{
    assert_true(json_is_true(json_object_get(reply, "ok")));
    json_decref(reply);
}

static struct session *only_session(struct office *office)
{
    struct session *session = sessions_next(office->world.sessions, NULL);
    assert_non_null(session);
    return session;
}

static char *with_id(const char *format, const struct session *session, char line[200])
{
    struct session_view view;
    session_view(session, &view);
    snprintf(line, 200, "{\"command\":\"%s\",\"session\":\"%s\"}", format, view.id);
    return line;
}

/* The answer to {"command":"ssh"} or "rdp" for a session whose gateway plays along. */
static json_t *open_session(struct office *office, int fd, const char *kind, int *ret_data)
{
    struct peer *gateway = &office->world.peers[0];
    char line[100], byte;
    unsigned before = gateway->opens;
    snprintf(line, sizeof line, "{\"command\":\"%s\",\"target\":\"HOME-PC\"}\n", kind);
    say(fd, line);
    WAIT_FOR(&office->world.stage, gateway->opens == before + 1);
    *ret_data = peer_attach(&office->world, gateway);
    assert_int_equal(recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT), -1); /* not before it is ready */
    peer_say_ready(gateway);
    return hear(office, fd);
}

uint64_t __wrap_channel_rtt_us(const struct channel *channel);
uint64_t __wrap_channel_rtt_us(const struct channel *channel)
{
    (void)channel;
    return 35;
}

/* ---- questions ------------------------------------------------------------ */

static void the_status_names_version_gateways_and_sessions(void **state)
{
    struct office *office = office_open();
    (void)state;
    int fd = call(office);
    json_t *reply = ask(office, fd, "{\"command\":\"status\"}");
    assert_true(json_is_true(json_object_get(reply, "ok")));
    assert_string_equal(text_of(reply, "version"), PAMTUNNEL_VERSION);
    assert_string_equal(text_of(reply, "telegram"), "off");
    assert_int_equal(json_integer_value(json_object_get(reply, "sessions")), 0);
    json_t *gateways = json_object_get(reply, "gateways");
    assert_int_equal(json_array_size(gateways), 1);
    assert_string_equal(text_of(json_array_get(gateways, 0), "name"), "home");
    assert_string_equal(text_of(json_array_get(gateways, 0), "version"), "gateway-agent test");
    assert_string_equal(text_of(json_array_get(gateways, 0), "address"), "127.0.0.1");
    json_decref(reply);
    close(fd);
    office_close(office);
}

/* Of 35 microseconds, 0.035000000000000003 ms is what a double really holds. */
static void numbers_have_no_tails(void **state)
{
    struct office *office = office_open();
    char line[1024] = "";
    size_t have = 0;
    (void)state;
    int fd = call(office);
    say(fd, "{\"command\":\"status\"}\n");
    while (!strchr(line, '\n')) {
        assert_true(have < sizeof line - 1);
        WAIT_FOR(&office->world.stage, client_hear(fd, line + have, 1) == 1);
        have++;
    }
    assert_non_null(strstr(line, "\"rtt_ms\":0.035}"));
    close(fd);
    office_close(office);
}

static void what_an_rdp_file_will_be_called_is_told_without_a_session(void **state)
{
    struct office *office = office_open();
    (void)state;
    int fd = call(office);
    json_t *reply = ask(office, fd, "{\"command\":\"rdp\",\"target\":\"HOME-PC\",\"look\":true}");
    assert_string_equal(text_of(reply, "file"), "HOME-PC.rdp");
    expect_ok(reply);
    expect_error(ask(office, fd, "{\"command\":\"rdp\",\"target\":\"a b\",\"look\":true}"),
                 "invalid");
    expect_error(ask(office, fd, "{\"command\":\"rdp\",\"target\":\"x/y\",\"look\":true}"),
                 "no_such_gateway");
    assert_int_equal(sessions_count(office->world.sessions), 0);
    assert_int_equal(office->world.peers[0].opens, 0);
    close(fd);
    office_close(office);
}

static void what_makes_no_sense_is_said_and_does_not_end_the_call(void **state)
{
    static const char *const LINES[] = {
        "{\"command\":\"dance\"}",  "{}", "[]", "{\"command\":7}", "{\"command\":\"\"}",
        "{\"Command\":\"status\"}",
    };
    struct office *office = office_open();
    (void)state;
    int fd = call(office);
    for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++) {
        expect_error(ask(office, fd, LINES[i]), "unknown_command");
    }
    expect_ok(ask(office, fd, "{\"command\":\"status\"}"));
    close(fd);
    office_close(office);
}

static void what_is_no_json_ends_the_call(void **state)
{
    static const char *const LINES[] = {"hello\n", "\n",      "{\"command\":\n",
                                        "{}x\n",   "\"x\"\n", "{\"command\":\"\xff\"}\n"};
    struct office *office = office_open();
    (void)state;
    for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++) {
        int fd = call(office);
        say(fd, LINES[i]);
        char rest[300];
        WAIT_FOR(&office->world.stage,
                 client_hear(fd, rest, sizeof rest) > 0 || client_was_sent_off(fd));
        if (strcmp(LINES[i], "\"x\"\n") != 0) { /* JSON, but no object: an error is fine as well */
            assert_true(client_was_sent_off(fd));
        }
        close(fd);
    }
    office_close(office);
}

static void deep_nesting_is_no_danger(void **state)
{
    struct office *office = office_open();
    char line[REQUEST_MAX];
    (void)state;
    memset(line, '[', sizeof line);
    line[sizeof line - 2] = '\n';
    line[sizeof line - 1] = '\0';
    int fd = call(office);
    say(fd, line);
    WAIT_FOR(&office->world.stage, client_was_sent_off(fd));
    close(fd);
    office_close(office);
}

static void requests_may_come_in_pieces_or_together(void **state)
{
    static const char STATUS[] = "{\"command\":\"status\"}\n";
    struct office *office = office_open();
    (void)state;
    int fd = call(office);
    for (const char *c = STATUS; *c; c++) {
        client_say(fd, c, 1);
        stage_turn(&office->world.stage);
    }
    expect_ok(hear(office, fd));
    say(fd, "{\"command\":\"status\"}\n{\"command\":\"dance\"}\n{\"command\":\"sessions\"}\n{");
    expect_ok(hear(office, fd));
    expect_error(hear(office, fd), "unknown_command");
    expect_ok(hear(office, fd));
    say(fd, "\"command\":\"status\"}\n");
    expect_ok(hear(office, fd));
    close(fd);
    office_close(office);
}

static void a_request_has_a_longest_length(void **state)
{
    struct office *office = office_open();
    char line[REQUEST_MAX + 2];
    (void)state;
    int fd = call(office);
    memset(line, ' ', sizeof line);
    memcpy(line, "{}", 2);
    line[REQUEST_MAX - 1] = '\n';
    client_say(fd, line, REQUEST_MAX);
    expect_error(hear(office, fd), "unknown_command");
    line[REQUEST_MAX - 1] = ' ';
    line[REQUEST_MAX] = '\n';
    client_say(fd, line, REQUEST_MAX + 1);
    WAIT_FOR(&office->world.stage, client_was_sent_off(fd));
    close(fd);
    office_close(office);
}

/* ---- sessions ------------------------------------------------------------- */

static void an_ssh_command_is_answered_when_it_can_be_used(void **state)
{
    struct office *office = office_open();
    char expected[100];
    int data;
    (void)state;
    int fd = call(office);
    json_t *reply = open_session(office, fd, "ssh", &data);
    assert_true(json_is_true(json_object_get(reply, "ok")));
    struct session *session = only_session(office);
    snprintf(expected, sizeof expected, "ssh -p %u -o HostKeyAlias=home-pc vps.example.com",
             public_port(session));
    assert_string_equal(text_of(reply, "command"), expected);
    json_t *view = json_object_get(reply, "session");
    assert_string_equal(text_of(view, "state"), "waiting");
    assert_string_equal(text_of(view, "kind"), "ssh");
    assert_string_equal(text_of(view, "target"), "HOME-PC:22");
    assert_string_equal(text_of(view, "gateway"), "home");
    snprintf(expected, sizeof expected, "uid:%u", (unsigned)getuid());
    assert_string_equal(text_of(view, "owner"), expected);
    assert_int_equal(json_integer_value(json_object_get(view, "public_port")),
                     public_port(session));
    json_decref(reply);
    expect_ok(ask(office, fd, "{\"command\":\"status\"}")); /* and the call goes on */
    close(fd);
    assert_true(stage_is_quiet(&office->world.stage, 20));
    assert_int_equal(state_of(session), SESSION_WAITING); /* without the one who asked */
    close(data);
    office_close(office);
}

static void an_rdp_command_is_answered_with_the_file(void **state)
{
    struct office *office = office_open();
    char file[SESSION_RDP_FILE_MAX];
    struct text text = text_over(file, sizeof file);
    int data;
    (void)state;
    int fd = call(office);
    json_t *reply = open_session(office, fd, "rdp", &data);
    session_rdp_file(only_session(office), &text);
    assert_string_equal(text_of(reply, "file"), "HOME-PC.rdp");
    assert_string_equal(text_of(reply, "rdp"), file);
    json_decref(reply);
    close(data);
    close(fd);
    office_close(office);
}

static void what_cannot_be_opened_is_explained(void **state)
{
    static const struct {
        const char *request, *error;
    } CASES[] = {
        {"{\"command\":\"ssh\"}", "invalid"},
        {"{\"command\":\"ssh\",\"target\":\"\"}", "invalid"},
        {"{\"command\":\"ssh\",\"target\":\"a b\"}", "invalid"},
        {"{\"command\":\"ssh\",\"target\":\"x:0\"}", "invalid"},
        {"{\"command\":\"rdp\",\"target\":\"an$na@x\"}", "invalid"},
        {"{\"command\":\"ssh\",\"target\":\"away/x\"}", "no_such_gateway"},
    };
    struct office *office = office_open();
    (void)state;
    int fd = call(office);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        expect_error(ask(office, fd, CASES[i].request), CASES[i].error);
    }
    peer_log_in(&office->world, &office->world.peers[1], "office");
    expect_error(ask(office, fd, "{\"command\":\"ssh\",\"target\":\"x\"}"), "which_gateway");
    expect_error(ask(office, fd, "{\"command\":\"ssh\",\"target\":\"x/\"}"), "which_gateway");
    json_t *reply = ask(office, fd, "{\"command\":\"ssh\",\"target\":\"anna@Office/\"}");
    assert_non_null(strstr(json_string_value(json_object_get(reply, "message")),
                           "Which machine? Office is a gateway: write Office/HOST"));
    expect_error(reply, "invalid");
    peer_vanish(&office->world, &office->world.peers[0]);
    peer_vanish(&office->world, &office->world.peers[1]);
    expect_error(ask(office, fd, "{\"command\":\"ssh\",\"target\":\"x\"}"), "no_gateway");
    expect_error(ask(office, fd, "{\"command\":\"ssh\",\"target\":\"office/\"}"), "invalid");
    assert_int_equal(sessions_count(office->world.sessions), 0);
    close(fd);
    office_close(office);
}

static void limits_have_words_of_their_own(void **state)
{
    static const struct {
        long per_user, in_all, ports;
        const char *error;
    } CASES[] = {{1, 9, 20, "user_limit"}, {9, 1, 20, "sessions_limit"}, {9, 9, 2, "no_port"}};
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct office *office = office_prepare();
        struct vps_settings *settings = &office->world.settings;
        settings->max_sessions_per_user = CASES[i].per_user;
        settings->max_sessions = CASES[i].in_all;
        settings->port_range_end = (uint16_t)(settings->port_range_start + CASES[i].ports - 1);
        office_start(office);
        int fd = call(office), data;
        json_decref(open_session(office, fd, "ssh", &data));
        expect_error(ask(office, fd, "{\"command\":\"ssh\",\"target\":\"x\"}"), CASES[i].error);
        close(fd);
        close(data);
        office_close(office);
    }
}

static void a_session_that_fails_is_explained(void **state)
{
    struct office *office = office_open();
    (void)state;
    int fd = call(office);
    say(fd, "{\"command\":\"ssh\",\"target\":\"HOME-PC\"}\n");
    WAIT_FOR(&office->world.stage, office->world.peers[0].opens == 1);
    peer_say_failed(&office->world.peers[0], TUNNEL_REFUSED, "");
    json_t *reply = hear(office, fd);
    assert_non_null(strstr(text_of(reply, "message"), "refused: HOME-PC is there"));
    expect_error(reply, "not_opened");
    expect_ok(ask(office, fd, "{\"command\":\"status\"}"));
    close(fd);
    office_close(office);
}

static void sessions_are_listed_and_closed(void **state)
{
    struct office *office = office_open();
    char line[200];
    int data[2];
    (void)state;
    int fd = call(office);
    json_decref(open_session(office, fd, "ssh", &data[0]));
    json_decref(open_session(office, fd, "rdp", &data[1]));
    json_t *reply = ask(office, fd, "{\"command\":\"sessions\"}");
    json_t *list = json_object_get(reply, "sessions");
    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(text_of(json_array_get(list, 0), "kind"), "ssh");
    assert_string_equal(text_of(json_array_get(list, 1), "kind"), "rdp");
    assert_null(strstr(text_of(json_array_get(list, 1), "target"), "mstshash"));
    json_decref(reply);

    with_id("close", only_session(office), line);
    reply = ask(office, fd, line);
    json_t *view = json_object_get(reply, "session");
    assert_string_equal(text_of(view, "state"), "ended");
    assert_string_equal(text_of(view, "reason"), "closed on request");
    assert_string_equal(text_of(view, "end"), "closed");
    expect_ok(reply);
    expect_error(ask(office, fd, line), "no_such_session");
    expect_error(ask(office, fd, "{\"command\":\"close\"}"), "no_such_session");
    assert_int_equal(sessions_count(office->world.sessions), 1);
    close(fd);
    close(data[0]);
    close(data[1]);
    office_close(office);
}

static void with_address(const char *verb, const struct session *session, const char *address,
                         char *line)
{
    with_id(verb, session, line);
    sprintf(line + strlen(line) - 1, ",\"address\":\"%s\"}", address);
}

static void a_parked_client_is_admitted_or_blocked(void **state)
{
    struct office *office = office_prepare();
    char line[200], address[64];
    int data;
    (void)state;
    office->world.settings.admit = ADMIT_ASK;
    office_start(office);
    int fd = call(office);
    json_decref(open_session(office, fd, "ssh", &data));
    struct session *session = only_session(office);
    with_address("admit", session, ANNA, line);
    expect_error(ask(office, fd, line), "nobody_waits");
    int bert = come_with_ssh(session, BERT), anna = come_with_ssh(session, ANNA);
    int neighbour = come_with_ssh(session, ANNA);
    WAIT_FOR(&office->world.stage, strstr(office->world.events, "parked 2"));

    json_t *reply = ask(office, fd, "{\"command\":\"sessions\"}");
    json_t *shown = json_array_get(json_object_get(reply, "sessions"), 0);
    json_t *parked = json_object_get(shown, "parked"), *waiting = json_object_get(shown, "waiting");
    assert_int_equal(json_array_size(parked), 3);
    assert_string_equal(json_string_value(json_array_get(parked, 0)), BERT);
    assert_int_equal(json_array_size(waiting), 3);
    json_t *second = json_array_get(waiting, 1);
    assert_string_equal(text_of(second, "address"), ANNA);
    assert_memory_equal(text_of(second, "words"), "SSH-2.0-", 8);
    assert_int_equal(json_integer_value(json_object_get(second, "of_its_address")), 2);
    int number = (int)json_integer_value(json_object_get(second, "number"));
    assert_true(json_is_null(json_object_get(shown, "knocking")));
    json_decref(reply);

    with_id("admit", session, line); /* nobody is admitted whose address was not said */
    expect_error(ask(office, fd, line), "which_client");
    static const char *const WRONG[] = {"127.0.0.77", "127.0.0.2#99", "127.0.0.2#"};
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        with_address("admit", session, WRONG[i], line);
        reply = ask(office, fd, line);
        assert_non_null(strstr(text_of(reply, "message"), "these are: 127.0.0.3#"));
        expect_error(reply, "nobody_waits");
    }
    static const char *const NO_ADDRESSES[] = {
        "x", "#2", "127.0.0", "home#1",
        "xзззззззззззззззззззззззззззззззззззззззз"}; /* its answer is cut within a letter */
    for (size_t i = 0; i < sizeof NO_ADDRESSES / sizeof *NO_ADDRESSES; i++) {
        with_address("admit", session, NO_ADDRESSES[i], line);
        reply = ask(office, fd, line);
        assert_non_null(strstr(text_of(reply, "message"), "is not an address"));
        expect_error(reply, "invalid");
    }
    with_address("admit", session, ANNA, line); /* two are there */
    expect_error(ask(office, fd, line), "which_client");
    with_address("block", session, BERT, line);
    expect_ok(ask(office, fd, line));
    world_lose(&office->world, bert);
    sprintf(address, "%s#%d", ANNA, number);
    with_address("admit", session, address, line);
    reply = ask(office, fd, line);
    assert_string_equal(text_of(json_object_get(reply, "session"), "state"), "connected");
    assert_string_equal(text_of(json_object_get(reply, "session"), "client"), ANNA);
    expect_ok(reply);
    world_hear(&office->world, data, SSH_ID, strlen(SSH_ID));
    world_lose(&office->world, neighbour);
    close(anna);
    close(data);
    close(fd);
    office_close(office);
}

static void who_asks_for_more_before_the_answer_is_hung_up_on(void **state)
{
    struct office *office = office_open();
    (void)state;
    int fd = call(office);
    say(fd, "{\"command\":\"ssh\",\"target\":\"x\"}\n{\"command\":\"status\"}\n");
    WAIT_FOR(&office->world.stage, client_was_sent_off(fd));
    close(fd);
    WAIT_FOR(&office->world.stage, office->world.peers[0].opens == 1);
    peer_say_failed(&office->world.peers[0], TUNNEL_REFUSED, "");
    WAIT_FOR(&office->world.stage, office->world.ended == 1);
    office_close(office);
}

static void who_hangs_up_before_the_answer_is_not_missed(void **state)
{
    struct office *office = office_open();
    (void)state;
    for (unsigned fails = 0; fails < 2; fails++) {
        int fd = call(office), data = -1;
        say(fd, "{\"command\":\"ssh\",\"target\":\"x\"}\n");
        WAIT_FOR(&office->world.stage, office->world.peers[0].opens == fails + 1);
        close(fd);
        assert_true(stage_is_quiet(&office->world.stage, 20));
        if (fails) {
            peer_say_failed(&office->world.peers[0], TUNNEL_REFUSED, "");
            WAIT_FOR(&office->world.stage, office->world.ended == 1);
        } else {
            data = peer_attach(&office->world, &office->world.peers[0]);
            peer_say_ready(&office->world.peers[0]);
            WAIT_FOR(&office->world.stage, strstr(office->world.events, "waiting"));
            close(data);
            WAIT_FOR(&office->world.stage, office->world.ended == 1);
            office->world.ended = 0;
        }
    }
    office_close(office);
}

static void each_of_several_gets_its_own_answer(void **state)
{
    struct office *office = office_open();
    struct peer *gateway = &office->world.peers[0];
    struct message_open_tunnel opens[3];
    int fds[3];
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        char line[100];
        snprintf(line, sizeof line, "{\"command\":\"ssh\",\"target\":\"host%u\"}\n", i);
        fds[i] = call(office);
        say(fds[i], line);
        WAIT_FOR(&office->world.stage, gateway->opens == i + 1);
        opens[i] = gateway->last;
    }
    for (unsigned i = 3; i-- > 0;) { /* in another order */
        char words[50];
        gateway->last = opens[i];
        peer_say_failed(gateway, TUNNEL_REFUSED, "");
        json_t *reply = hear(office, fds[i]);
        snprintf(words, sizeof words, "refused: host%u is there", i);
        assert_non_null(strstr(text_of(reply, "message"), words));
        json_decref(reply);
        close(fds[i]);
    }
    office_close(office);
}

/* ---- who is heard --------------------------------------------------------- */

static void only_its_user_may_open_the_socket(void **state)
{
    struct office *office = office_open();
    struct stat file;
    (void)state;
    assert_int_equal(stat(office->at.sun_path, &file), 0);
    assert_true(S_ISSOCK(file.st_mode));
    assert_int_equal(file.st_mode & 0777, 0600);
    office_close(office);
}

/* In a child: 0 if the agent hung up without a word. */
static int call_as_nobody(const struct office *office)
{
    char byte;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0 ||
        connect(fd, (const struct sockaddr *)&office->at, sizeof office->at) < 0) {
        return 2;
    }
    (void)send(fd, "{\"command\":\"status\"}\n", 21, MSG_NOSIGNAL);
    return recv(fd, &byte, 1, 0) > 0 ? 1 : 0;
}

static void another_user_is_not_heard_even_at_an_open_socket(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    struct office *office = office_open();
    assert_int_equal(chmod(office->world.settings.state_dir, 0755), 0);
    assert_int_equal(chmod(office->at.sun_path, 0666), 0);
    pid_t child = fork();
    if (child == 0) {
        _exit(call_as_nobody(office));
    }
    int status = -1;
    WAIT_FOR(&office->world.stage, waitpid(child, &status, WNOHANG) == child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(world_logged(&office->world, "uid 65534 may not use it"));
    office_close(office);
}

static void many_idle_callers_do_not_lock_anybody_out(void **state)
{
    struct office *office = office_open();
    int fds[LINES_CLIENTS_MAX + 1];
    (void)state;
    for (unsigned i = 0; i <= LINES_CLIENTS_MAX; i++) {
        fds[i] = call(office);
        expect_ok(ask(office, fds[i], "{\"command\":\"status\"}"));
    }
    unsigned sent_off = 0;
    for (unsigned i = 0; i <= LINES_CLIENTS_MAX; i++) {
        sent_off += client_was_sent_off(fds[i]);
        close(fds[i]);
    }
    assert_int_equal(sent_off, 1);
    office_close(office);
}

static void it_may_be_closed_while_answers_are_under_way(void **state)
{
    struct office *office = office_open();
    (void)state;
    int fds[3];
    for (unsigned i = 0; i < 3; i++) {
        fds[i] = call(office);
        say(fds[i], "{\"command\":\"ssh\",\"target\":\"x\"}\n");
    }
    WAIT_FOR(&office->world.stage, office->world.peers[0].opens == 3);
    sessions_end_all(office->world.sessions);
    admin_free(office->admin);
    office->admin = NULL;
    for (unsigned i = 0; i < 3; i++) {
        json_t *reply = hear(office, fds[i]); /* that was sent before */
        assert_non_null(strstr(text_of(reply, "message"), "the server is being stopped"));
        expect_error(reply, "not_opened");
        assert_true(client_was_sent_off(fds[i]));
        close(fds[i]);
    }
    office_close(office);
}

/* ---- the file ------------------------------------------------------------- */

static int bind_socket(struct office *office, bool listening)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&office->at, sizeof office->at), 0);
    if (listening) {
        assert_int_equal(listen(fd, 1), 0);
    }
    return fd;
}

static void a_socket_that_was_left_over_is_replaced(void **state)
{
    struct office *office = office_prepare();
    (void)state;
    close(bind_socket(office, true));
    office_start(office);
    int fd = call(office);
    expect_ok(ask(office, fd, "{\"command\":\"status\"}"));
    close(fd);
    office_close(office);
}

static void what_is_in_its_place_is_left_alone(void **state)
{
    enum { LIVE, FULL, FILE_THERE, LINK_THERE };
    static const int ERRORS[] = {-EADDRINUSE, -EADDRINUSE, -EEXIST, -EEXIST};
    (void)state;
    for (unsigned i = 0; i < sizeof ERRORS / sizeof *ERRORS; i++) {
        struct office *office = office_prepare();
        struct admin *admin = NULL;
        struct why why = {""};
        int fds[8], count = 0;
        struct stat before, after;
        office_start_world(office);
        if (i == LIVE || i == FULL) {
            fds[count++] = bind_socket(office, true);
            for (int j = 0; i == FULL && j < 6; j++) { /* nobody accepts */
                fds[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
                int err = connect(fds[count++], (struct sockaddr *)&office->at, sizeof office->at);
                (void)err;
            }
        } else if (i == FILE_THERE) {
            close(open(office->at.sun_path, O_CREAT | O_WRONLY, 0600));
        } else {
            assert_int_equal(symlink("/dev/null", office->at.sun_path), 0);
        }
        assert_int_equal(lstat(office->at.sun_path, &before), 0);
        assert_int_equal(admin_new(&office->options, &admin, &why), ERRORS[i]);
        assert_null(admin);
        assert_non_null(strstr(why.text, "pamtunnel.sock"));
        assert_int_equal(lstat(office->at.sun_path, &after), 0);
        assert_true(before.st_ino == after.st_ino);
        while (count > 0) {
            close(fds[--count]);
        }
        unlink(office->at.sun_path);
        office_close(office);
    }
}

static int reload_well(void *arg, struct changes *ret_changes, struct why *why)
{
    (void)arg;
    (void)why;
    *ret_changes = (struct changes){
        2, {{"ADMIT", false, "known → ask"}, {"SANDBOX", true, "on → off"}}};
    return 0;
}

static int reload_badly(void *arg, struct changes *ret_changes, struct why *why)
{
    (void)arg;
    (void)ret_changes;
    return why_set(why, -EINVAL, "ADMIT is \"x\"");
}

static void reloading_is_answered_with_what_came_of_it(void **state)
{
    struct office *office = office_prepare();
    (void)state;
    office_start_world(office);
    office->options.reload = reload_well;
    struct why why = {""};
    assert_int_equal(admin_new(&office->options, &office->admin, &why), 0);
    int fd = call(office);
    json_t *reply = ask(office, fd, "{\"command\":\"reload\"}");
    json_t *changes = json_object_get(reply, "changes");
    assert_int_equal(json_array_size(changes), 2);
    assert_string_equal(text_of(json_array_get(changes, 0), "setting"), "ADMIT");
    assert_string_equal(text_of(json_array_get(changes, 0), "change"), "known → ask");
    assert_true(json_is_true(json_object_get(json_array_get(changes, 1), "needs_restart")));
    assert_string_equal(text_of(reply, "message"), "ADMIT: known → ask; SANDBOX (on → off) needs a "
                                                   "restart; the other one is in force");
    expect_ok(reply);
    close(fd);
    office_close(office);

    office = office_prepare();
    office_start_world(office);
    office->options.reload = reload_badly;
    assert_int_equal(admin_new(&office->options, &office->admin, &why), 0);
    fd = call(office);
    reply = ask(office, fd, "{\"command\":\"reload\"}");
    assert_non_null(strstr(text_of(reply, "message"), "ADMIT is \"x\""));
    expect_error(reply, "not_reloaded");
    close(fd);
    office_close(office);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_status_names_version_gateways_and_sessions),
        cmocka_unit_test(numbers_have_no_tails),
        cmocka_unit_test(what_an_rdp_file_will_be_called_is_told_without_a_session),
        cmocka_unit_test(what_makes_no_sense_is_said_and_does_not_end_the_call),
        cmocka_unit_test(what_is_no_json_ends_the_call),
        cmocka_unit_test(deep_nesting_is_no_danger),
        cmocka_unit_test(requests_may_come_in_pieces_or_together),
        cmocka_unit_test(a_request_has_a_longest_length),
        cmocka_unit_test(an_ssh_command_is_answered_when_it_can_be_used),
        cmocka_unit_test(an_rdp_command_is_answered_with_the_file),
        cmocka_unit_test(what_cannot_be_opened_is_explained),
        cmocka_unit_test(limits_have_words_of_their_own),
        cmocka_unit_test(a_session_that_fails_is_explained),
        cmocka_unit_test(sessions_are_listed_and_closed),
        cmocka_unit_test(a_parked_client_is_admitted_or_blocked),
        cmocka_unit_test(who_asks_for_more_before_the_answer_is_hung_up_on),
        cmocka_unit_test(who_hangs_up_before_the_answer_is_not_missed),
        cmocka_unit_test(each_of_several_gets_its_own_answer),
        cmocka_unit_test(only_its_user_may_open_the_socket),
        cmocka_unit_test(another_user_is_not_heard_even_at_an_open_socket),
        cmocka_unit_test(many_idle_callers_do_not_lock_anybody_out),
        cmocka_unit_test(it_may_be_closed_while_answers_are_under_way),
        cmocka_unit_test(a_socket_that_was_left_over_is_replaced),
        cmocka_unit_test(what_is_in_its_place_is_left_alone),
        cmocka_unit_test(reloading_is_answered_with_what_came_of_it),
    };
    int failed = cmocka_run_group_tests_name("admin", tests, NULL, NULL);
    tls_library_free();
    return failed;
}
