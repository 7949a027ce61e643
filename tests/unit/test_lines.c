/* A line in, a line out, whoever calls and however. */
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
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/lines.h"
#include "on_loop.h"

enum { CALLERS = LINES_CLIENTS_MAX + 2, LONG = 1 << 20, IDLE_MS = 40 };

struct house {
    uv_loop_t loop;
    struct sockaddr_un at;
    socklen_t at_len;
    struct lines_rules rules;
    struct lines *lines;
    int fds[CALLERS];
    unsigned called, heard, gone;
    uid_t uid;                  /* of those who call */
    struct lines_client *waits; /* said "wait" and is answered later */
    char *long_answer;
};

static void on_called(void *arg, struct lines_client *client)
{
    struct house *house = arg;
    house->called++;
    assert_int_equal(lines_uid(client), house->uid);
}

static void on_line(void *arg, struct lines_client *client, const char *line, size_t len)
{
    struct house *house = arg;
    char copy[LINES_LEN_MAX];
    memcpy(copy, line, len);
    copy[len] = '\0';
    house->heard++;
    if (strcmp(copy, "wait") == 0) {
        house->waits = client;
    } else if (strcmp(copy, "bye") == 0) {
        lines_say(client, "good-bye");
        lines_hang_up(client);
        lines_hang_up(client);
        lines_say(client, "too late");
    } else if (strncmp(copy, "GET ", 4) == 0 || strncmp(copy, "Host: ", 6) == 0) {
        lines_read_on(client);
    } else if (strcmp(copy, "\r") == 0) {
        lines_say(client, "HTTP/1.0 200 OK\r\n\r\nup 1\n# EOF");
        lines_hang_up(client);
    } else if (strcmp(copy, "long") == 0) {
        lines_say(client, house->long_answer);
    } else if (strcmp(copy, "twice") == 0) {
        lines_say(client, house->long_answer);
        lines_say(client, "and more");
    } else {
        lines_say(client, copy);
    }
}

static void on_gone(void *arg, struct lines_client *client)
{
    struct house *house = arg;
    house->gone++;
    if (house->waits == client) {
        house->waits = NULL;
    }
}

/* An abstract name of its own. */
static struct house *house_prepare(void)
{
    struct house *house = calloc(1, sizeof *house);
    assert_non_null(house);
    house->at.sun_family = AF_UNIX;
    int len = snprintf(house->at.sun_path + 1, sizeof house->at.sun_path - 1,
                       "pamtunnel-test-lines-%d", (int)getpid());
    house->at_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
    house->uid = geteuid();
    house->long_answer = calloc(1, LONG + 1);
    assert_non_null(house->long_answer);
    memset(house->long_answer, 'x', LONG);
    assert_int_equal(uv_loop_init(&house->loop), 0);
    house->rules = (struct lines_rules){
        .loop = &house->loop, .called = on_called, .line = on_line, .gone = on_gone, .arg = house};
    for (unsigned i = 0; i < CALLERS; i++) {
        house->fds[i] = -1;
    }
    return house;
}

static void house_start(struct house *house)
{
    int fd = lines_listen(&house->at, house->at_len);
    assert_true(fd >= 0);
    house->lines = lines_new(fd, &house->rules);
    assert_non_null(house->lines);
}

static struct house *house_open(void)
{
    struct house *house = house_prepare();
    house_start(house);
    return house;
}

static void house_close(struct house *house)
{
    lines_free(house->lines);
    assert_int_equal(house->gone, house->called);
    loop_end(&house->loop);
    for (unsigned i = 0; i < CALLERS; i++) {
        if (house->fds[i] >= 0) {
            close(house->fds[i]);
        }
    }
    free(house->long_answer);
    free(house);
}

static int make_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    return fd;
}

static int call(struct house *house, unsigned i)
{
    house->fds[i] = house->fds[i] < 0 ? make_socket() : house->fds[i];
    assert_int_equal(connect(house->fds[i], (struct sockaddr *)&house->at, house->at_len), 0);
    return house->fds[i];
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Whether he has been hung up on; what is still to be read is thrown away. */
static bool was_sent_off(int fd)
{
    char bytes[65536];
    ssize_t got;
    while ((got = recv(fd, bytes, sizeof bytes, 0)) > 0) {
    }
    return got == 0 || (errno != EAGAIN && errno != EINTR);
}

/* Adds what has come of a line, to its newline. True if that is there. */
static bool hear(int fd, char *bytes, size_t *have)
{
    while (recv(fd, bytes + *have, 1, 0) == 1) {
        if (bytes[(*have)++] == '\n') {
            return true;
        }
    }
    return false;
}

static void expect(struct house *house, int fd, const char *words)
{
    char bytes[300];
    size_t have = 0;
    WAIT_FOR(&house->loop, hear(fd, bytes, &have));
    bytes[have - 1] = '\0';
    assert_string_equal(bytes, words);
}

/* ---- answers ---------------------------------------------------------------- */

static void lines_are_answered_one_by_one(void **state)
{
    struct house *house = house_open();
    (void)state;
    int fd = call(house, 0);
    say(fd, "one\n");
    expect(house, fd, "one");
    say(fd, "two\nthr");
    expect(house, fd, "two");
    say(fd, "ee\nfour\n\n");
    expect(house, fd, "three");
    expect(house, fd, "four");
    expect(house, fd, "");
    assert_int_equal(house->heard, 5);
    house_close(house);
}

static void a_line_has_a_longest_length(void **state)
{
    struct house *house = house_open();
    char line[LINES_LEN_MAX + 1];
    (void)state;
    memset(line, 'a', sizeof line);
    line[LINES_LEN_MAX - 1] = '\n';
    line[LINES_LEN_MAX] = '\0';
    say(call(house, 0), line);
    WAIT_FOR(&house->loop, house->heard == 1);
    line[LINES_LEN_MAX - 1] = 'a';
    say(call(house, 1), line);
    WAIT_FOR(&house->loop, was_sent_off(house->fds[1]));
    assert_int_equal(house->heard, 1);
    house_close(house);
}

static void an_answer_may_come_later(void **state)
{
    struct house *house = house_open();
    (void)state;
    int fd = call(house, 0);
    say(fd, "wait\n");
    WAIT_FOR(&house->loop, house->waits);
    lines_say(house->waits, "now");
    expect(house, fd, "now");
    say(fd, "wait\n");
    WAIT_FOR(&house->loop, house->heard == 2);
    close(fd);
    house->fds[0] = -1;
    WAIT_FOR(&house->loop, !house->waits); /* whoever would have answered is told */
    house_close(house);
}

static void who_does_not_wait_for_the_answer_is_sent_off(void **state)
{
    struct house *house = house_open();
    (void)state;
    int fd = call(house, 0);
    say(fd, "wait\nmore\n");
    WAIT_FOR(&house->loop, was_sent_off(fd));
    assert_int_equal(house->heard, 1);
    assert_int_equal(house->gone, 1);
    house_close(house);
}

static void who_is_sent_off_hears_the_last_word(void **state)
{
    struct house *house = house_open();
    (void)state;
    int fd = call(house, 0);
    say(fd, "bye\nmore\n");
    expect(house, fd, "good-bye");
    WAIT_FOR(&house->loop, was_sent_off(fd));
    assert_int_equal(house->heard, 1);
    house_close(house);
}

static void a_request_of_several_lines_from_a_port_has_one_answer(void **state)
{
    static const char *const ANSWER[] = {"HTTP/1.0 200 OK\r", "\r", "up 1", "# EOF"};
    struct house *house = house_prepare();
    int listener = net_listen("127.0.0.1", 0, 1);
    (void)state;
    assert_true(listener >= 0);
    struct addr at = address_of(listener);
    house->uid = (uid_t)-1;
    house->lines = lines_new(listener, &house->rules);
    assert_non_null(house->lines);
    int fd = house->fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, &at.sa, addr_len(&at)), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    say(fd, "GET /metrics HTTP/1.1\r\nHost: localhost");
    WAIT_FOR(&house->loop, house->heard == 1);
    say(fd, "\r\n\r\n");
    for (unsigned i = 0; i < sizeof ANSWER / sizeof *ANSWER; i++) {
        expect(house, fd, ANSWER[i]);
    }
    WAIT_FOR(&house->loop, was_sent_off(fd));
    assert_int_equal(house->heard, 3);
    house_close(house);
}

/* ---- who would take too much -------------------------------------------------- */

static void nothing_is_read_while_an_answer_is_unsent(void **state)
{
    struct house *house = house_open();
    static char bytes[LONG + 1];
    (void)state;
    int fd = call(house, 0);
    for (unsigned i = 0; i < 100; i++) {
        say(fd, "long\n");
    }
    loop_run_for(&house->loop, 50);
    assert_int_equal(house->heard, 1); /* the kernel takes less than LONG */
    for (unsigned i = 0; i < 100; i++) {
        size_t have = 0;
        ssize_t got;
        WAIT_FOR(&house->loop, (got = recv(fd, bytes + have, sizeof bytes - have, 0)) > 0 &&
                                   (have += (size_t)got) == sizeof bytes);
        assert_int_equal(bytes[LONG], '\n');
        assert_in_range(house->heard, i + 1, i + 2);
    }
    house_close(house);
}

static void there_are_no_two_answers(void **state)
{
    struct house *house = house_open();
    (void)state;
    int fd = call(house, 0);
    say(fd, "twice\n");
    WAIT_FOR(&house->loop, was_sent_off(fd));
    house_close(house);
}

static void who_is_silent_is_sent_off(void **state)
{
    struct house *house = house_prepare();
    (void)state;
    house->rules.idle_ms = IDLE_MS;
    house_start(house);
    int silent = call(house, 0), half = call(house, 1), deaf = call(house, 2),
        waits = call(house, 3);
    say(half, "no end");
    say(deaf, "long\n");
    say(waits, "wait\n");
    WAIT_FOR(&house->loop, house->gone == 3);
    assert_true(was_sent_off(silent) && was_sent_off(half) && was_sent_off(deaf));
    loop_run_for(&house->loop, 2 * IDLE_MS);
    assert_non_null(house->waits); /* it is not his turn */
    lines_say(house->waits, "now");
    expect(house, waits, "now");
    WAIT_FOR(&house->loop, was_sent_off(waits));
    house_close(house);
}

static void one_may_be_silent_for_longer(void **state)
{
    struct house *house = house_prepare();
    (void)state;
    house->rules.idle_ms = IDLE_MS;
    house_start(house);
    int waits = call(house, 0);
    say(waits, "wait\n");
    WAIT_FOR(&house->loop, house->waits);
    lines_bear_with(house->waits, 60000);
    lines_say(house->waits, "now");
    expect(house, waits, "now");
    loop_run_for(&house->loop, 3 * IDLE_MS);
    assert_false(was_sent_off(waits));
    house_close(house);
}

static void the_one_who_has_been_silent_for_the_longest_makes_room(void **state)
{
    struct house *house = house_open();
    (void)state;
    say(call(house, 0), "wait\n"); /* he is not silent, he is kept waiting */
    WAIT_FOR(&house->loop, house->waits);
    for (unsigned i = 1; i < LINES_CLIENTS_MAX; i++) {
        call(house, i);
        WAIT_FOR(&house->loop, house->called == i + 1);
        loop_run_for(&house->loop, 2); /* so that the clock tells them apart */
    }
    say(house->fds[1], "here\n");
    expect(house, house->fds[1], "here");
    int fd = call(house, LINES_CLIENTS_MAX);
    say(fd, "hello\n");
    expect(house, fd, "hello");
    assert_int_equal(house->gone, 1);
    assert_true(was_sent_off(house->fds[2]));
    assert_non_null(house->waits);
    house_close(house);
}

static void also_when_all_of_them_wait_for_an_answer(void **state)
{
    struct house *house = house_open();
    (void)state;
    for (unsigned i = 0; i < LINES_CLIENTS_MAX; i++) {
        say(call(house, i), "wait\n");
        WAIT_FOR(&house->loop, house->heard == i + 1);
    }
    int fd = call(house, LINES_CLIENTS_MAX);
    say(fd, "hello\n");
    expect(house, fd, "hello");
    assert_int_equal(house->gone, 1);
    house_close(house);
}

/* ---- without descriptors ------------------------------------------------------ */

/* Descriptors up to the ones that are open now; returns the limit from before. */
static struct rlimit use_them_up(void)
{
    struct rlimit limit, none;
    int next = fcntl(0, F_DUPFD_CLOEXEC, 0);
    assert_true(next >= 0);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = (rlim_t)next;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(fcntl(0, F_DUPFD_CLOEXEC, 0), -1);
    return limit;
}

static void without_descriptors_one_at_a_time_is_heard(void **state)
{
    struct house *house = house_open();
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        call(house, i);
    }
    struct rlimit limit = use_them_up();
    say(house->fds[0], "one\n");
    say(house->fds[1], "two\n");
    say(house->fds[2], "three\n");
    expect(house, house->fds[0], "one"); /* he stays, which keeps the others waiting */
    expect(house, house->fds[1], "two"); /* but not for long */
    assert_true(was_sent_off(house->fds[0]));
    assert_int_equal(house->called, 2);
    close(house->fds[1]);
    house->fds[1] = -1;
    expect(house, house->fds[2], "three");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    house_close(house);
}

static void count_turn(uv_check_t *check)
{
    unsigned *turns = check->data;
    ++*turns;
}

static void one_who_went_meanwhile_does_not_make_it_spin(void **state)
{
    struct house *house = house_open();
    unsigned turns = 0;
    uv_check_t check;
    (void)state;
    uv_check_init(&house->loop, &check);
    uv_check_start(&check, count_turn);
    check.data = &turns;
    for (unsigned i = 0; i < 6; i++) {
        call(house, i);
        close(house->fds[i]);
        house->fds[i] = -1;
    }
    say(call(house, 6), "wait\n");
    house->fds[7] = make_socket();
    struct rlimit limit = use_them_up();
    WAIT_FOR(&house->loop, house->waits); /* those before him went by on the spare one */
    call(house, 7);
    assert_int_equal(shutdown(house->fds[7], SHUT_RDWR), 0); /* its descriptor stays in use */
    turns = 0;
    loop_run_for(&house->loop, 300);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_in_range(turns, 1, 20);
    WAIT_FOR(&house->loop, house->called == 8 && house->gone == 7);
    uv_close((uv_handle_t *)&check, NULL);
    house_close(house);
}

/* ---- the place ---------------------------------------------------------------- */

static void a_path_is_its_users_alone(void **state)
{
    struct house *house = house_prepare();
    char folder[] = "/tmp/pamtunnel-test-XXXXXX";
    struct stat file;
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(house->at.sun_path, sizeof house->at.sun_path, "%s/socket", folder);
    house->at_len = sizeof house->at;
    close(lines_listen(&house->at, house->at_len)); /* it is left over */
    mode_t before = umask(0);
    house_start(house);
    assert_int_equal(umask(before), 0);
    assert_int_equal(stat(house->at.sun_path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    assert_int_equal(lines_listen(&house->at, house->at_len), -EADDRINUSE);
    int fd = call(house, 0);
    say(fd, "hello\n");
    expect(house, fd, "hello");
    assert_int_equal(unlink(house->at.sun_path), 0);
    close(open(house->at.sun_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_int_equal(lines_listen(&house->at, house->at_len), -EEXIST);
    assert_int_equal(unlink(house->at.sun_path), 0);
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(lines_listen(&house->at, house->at_len), -ENOENT);
    house_close(house);
}

static void it_leaves_no_descriptors(void **state)
{
    unsigned before = open_descriptors();
    struct house *house = house_open();
    (void)state;
    assert_int_equal(lines_listen(&house->at, house->at_len), -EADDRINUSE);
    for (unsigned i = 0; i < 3; i++) {
        say(call(house, i), "wait\n");
    }
    WAIT_FOR(&house->loop, house->heard == 3);
    lines_free(NULL);
    house_close(house);
    assert_int_equal(open_descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_answered_one_by_one),
        cmocka_unit_test(a_line_has_a_longest_length),
        cmocka_unit_test(an_answer_may_come_later),
        cmocka_unit_test(who_does_not_wait_for_the_answer_is_sent_off),
        cmocka_unit_test(who_is_sent_off_hears_the_last_word),
        cmocka_unit_test(a_request_of_several_lines_from_a_port_has_one_answer),
        cmocka_unit_test(nothing_is_read_while_an_answer_is_unsent),
        cmocka_unit_test(there_are_no_two_answers),
        cmocka_unit_test(who_is_silent_is_sent_off),
        cmocka_unit_test(one_may_be_silent_for_longer),
        cmocka_unit_test(the_one_who_has_been_silent_for_the_longest_makes_room),
        cmocka_unit_test(also_when_all_of_them_wait_for_an_answer),
        cmocka_unit_test(without_descriptors_one_at_a_time_is_heard),
        cmocka_unit_test(one_who_went_meanwhile_does_not_make_it_spin),
        cmocka_unit_test(a_path_is_its_users_alone),
        cmocka_unit_test(it_leaves_no_descriptors),
    };
    return cmocka_run_group_tests_name("lines", tests, loop_first, NULL);
}
