/* Who asks how an agent is, over HTTP, and where. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/lines.h"
#include "base/local_address.h"
#include "on_loop.h"
#include "shared/monitor.h"

static const struct setting SETTING = {"METRICS_LISTEN", .type = &SETTING_LOCAL_ADDRESS,
                                       .max = LOCAL_ADDRESS_MAX};

struct watched {
    uv_loop_t loop;
    char path[64];
    struct monitor *monitor;
    const char *trouble; /* "": all is well */
};

static void measure(void *arg, struct metrics *metrics)
{
    (void)arg;
    metrics_one(metrics, METRICS_GAUGE, "x_things", "Things.", 7);
}

static void complain(void *arg, struct text *text)
{
    const struct watched *watched = arg;
    text_add(text, "%s", watched->trouble);
}

static int open_watched(void **state)
{
    struct watched *watched = calloc(1, sizeof *watched);
    struct log log = log_to_stderr(LOG_ERROR);
    const struct monitor_subject subject = {"x-agent", measure, complain, watched};
    snprintf(watched->path, sizeof watched->path, "/tmp/pamtunnel-test-monitor-%d", (int)getpid());
    watched->trouble = "";
    assert_int_equal(uv_loop_init(&watched->loop), 0);
    struct monitor_place place = monitor_open(watched->path, &log);
    assert_true(place.socket >= 0);
    watched->monitor = monitor_new(&watched->loop, &place, &subject);
    assert_non_null(watched->monitor);
    assert_int_equal(place.socket, -1);
    monitor_close(&place);
    *state = watched;
    return 0;
}

static int close_watched(void **state)
{
    struct watched *watched = *state;
    monitor_free(watched->monitor);
    loop_end(&watched->loop);
    unlink(watched->path);
    free(watched);
    return 0;
}

static int call(const struct watched *watched)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    snprintf(at.sun_path, sizeof at.sun_path, "%s", watched->path);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

static void say(int fd, const char *words)
{
    assert_int_equal(send(fd, words, strlen(words), MSG_NOSIGNAL), strlen(words));
}

/* All that comes until it is hung up on. */
static char *hear(struct watched *watched, int fd)
{
    static char heard[16384];
    size_t have = 0;
    ssize_t got = -1;
    WAIT_FOR(&watched->loop, (got = recv(fd, heard + have, sizeof heard - 1 - have, 0)) == 0 ||
                                 (got > 0 && (have += (size_t)got, false)) ||
                                 (got < 0 && errno == ECONNRESET));
    heard[have] = '\0';
    close(fd);
    return heard;
}

static char *ask(struct watched *watched, const char *request)
{
    int fd = call(watched);
    say(fd, request);
    return hear(watched, fd);
}

/* The body, whose length the head has to say. */
static const char *body_of(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n");
    const char *length = strstr(answer, "\r\nContent-Length: ");
    assert_non_null(end);
    assert_non_null(length);
    assert_int_equal(strtoul(length + 18, NULL, 10), strlen(end + 4));
    return end + 4;
}

static void metrics_are_a_page_of_openmetrics(void **state)
{
    const char *answer = ask(*state, "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n");
    assert_ptr_equal(strstr(answer, "HTTP/1.1 200 OK\r\n"), answer);
    assert_non_null(strstr(answer, "\r\nContent-Type: application/openmetrics-text; "
                                   "version=1.0.0; charset=utf-8\r\n"));
    assert_non_null(strstr(answer, "\r\nConnection: close\r\n"));
    const char *body = body_of(answer);
    assert_non_null(strstr(body, "pamtunnel_build_info{program=\"x-agent\",version=\""));
    assert_non_null(strstr(body, "\nx_things 7\n# EOF\n"));
    assert_string_equal(body + strlen(body) - 6, "# EOF\n");
}

static void health_is_a_status_with_the_reasons(void **state)
{
    struct watched *watched = *state;
    const char *answer = ask(watched, "GET /healthz HTTP/1.0\n\n");
    assert_ptr_equal(strstr(answer, "HTTP/1.1 200 OK\r\n"), answer);
    assert_string_equal(body_of(answer), "ok\n");
    watched->trouble = "no gateway is online\nit is late\n";
    answer = ask(watched, "GET /healthz?verbose HTTP/1.1\r\n\r\n");
    assert_ptr_equal(strstr(answer, "HTTP/1.1 503 Service Unavailable\r\n"), answer);
    assert_string_equal(body_of(answer), watched->trouble);
}

static void complaints_that_are_too_long_are_cut(void **state)
{
    struct watched *watched = *state;
    char trouble[3000];
    memset(trouble, 'x', sizeof trouble - 1);
    trouble[sizeof trouble - 1] = '\0';
    watched->trouble = trouble;
    const char *body = body_of(ask(watched, "GET /healthz HTTP/1.1\r\n\r\n"));
    assert_in_range(strlen(body), 900, 1100);
    assert_string_equal(body + strlen(body) - 2, "x\n");
}

static void everything_else_is_not_there(void **state)
{
    static const char *const LINES[] = {"GET / ",         "GET /metricsx ", "POST /metrics ",
                                        "HEAD /healthz ", "GET metrics ",   "GET /metrics/ "};
    for (unsigned i = 0; i < sizeof LINES / sizeof *LINES; i++) {
        char request[128];
        snprintf(request, sizeof request, "%sHTTP/1.1\r\nHost: x\r\n\r\n", LINES[i]);
        const char *answer = ask(*state, request);
        assert_ptr_equal(strstr(answer, "HTTP/1.1 404 Not Found\r\n"), answer);
        assert_string_equal(body_of(answer), "there is /metrics, and there is /healthz\n");
    }
}

static void who_does_not_speak_http_is_hung_up_on(void **state)
{
    char endless[65 * 8 + 64] = "GET /metrics HTTP/1.1\r\n";
    assert_string_equal(ask(*state, "GET /metrics\r\n"), "");
    assert_string_equal(ask(*state, "\n"), "");
    assert_string_equal(ask(*state, "{\"command\":\"status\"}\n"), "");
    for (unsigned i = 0; i < 64; i++) { /* of headers there is a bound */
        strcat(endless, "A: b\r\n");
    }
    assert_string_equal(ask(*state, endless), "");
}

/* The answer must not overtake the rest of the question: the kernel would reset, and lose it. */
static void a_slow_caller_is_answered_when_it_is_done(void **state)
{
    struct watched *watched = *state;
    char byte;
    int fd = call(watched), other = call(watched);
    say(fd, "GET /met");
    loop_run_for(&watched->loop, 20);
    say(fd, "rics HTTP/1.1\r\nHost:");
    loop_run_for(&watched->loop, 20);
    assert_int_equal(recv(fd, &byte, 1, 0), -1);
    say(other, "GET /healthz HTTP/1.1\r\n\r\n");
    assert_string_equal(body_of(hear(watched, other)), "ok\n");
    say(fd, " x\r\n\r\n");
    assert_non_null(strstr(body_of(hear(watched, fd)), "x_things 7\n"));
}

static void idle_callers_shut_nobody_out(void **state)
{
    struct watched *watched = *state;
    int fds[2 * LINES_CLIENTS_MAX];
    for (unsigned i = 0; i < sizeof fds / sizeof *fds; i++) {
        fds[i] = call(watched);
        say(fds[i], "GET /metrics HTTP/1.1\r\n");
        loop_turn(&watched->loop, 0);
    }
    assert_string_equal(body_of(ask(watched, "GET /healthz HTTP/1.1\r\n\r\n")), "ok\n");
    for (unsigned i = 0; i < sizeof fds / sizeof *fds; i++) {
        close(fds[i]);
    }
}

/* ---- where ------------------------------------------------------------------ */

static int take(const char *text, struct why *why)
{
    char field[LOCAL_ADDRESS_MAX + 1] = "before";
    why->text[0] = '\0';
    int err = SETTING_LOCAL_ADDRESS.parse(&SETTING, text, field, why);
    assert_string_equal(field, err < 0 ? "before" : text);
    return err;
}

static void this_machine_is_taken_and_no_other(void **state)
{
    static const char *const GOOD[] = {"127.0.0.1:9477", "127.3.2.1:1", "[::1]:65535",
                                       "/run/x/metrics.sock"};
    static const char *const BAD[] = {
        "9477",        ":9477",        "127.0.0.1", "127.0.0.1:",   "127.0.0.1:0",
        "localhost:1", "127.0.0.1:1x", "::1:9477",  "[::1]",        "[127.0.0.1]:1",
        "metrics",     "./m.sock",     "[]:1",      "127.0.0.1:-1", "127.0.0.1:65536"};
    static const char *const OUTSIDE[] = {"0.0.0.0:9477", "[::]:9477", "192.168.1.2:9477",
                                          "203.0.113.1:9477", "[2001:db8::1]:9477"};
    struct why why;
    (void)state;
    for (unsigned i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        assert_int_equal(take(GOOD[i], &why), 0);
    }
    for (unsigned i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        assert_int_equal(take(BAD[i], &why), -EINVAL);
    }
    for (unsigned i = 0; i < sizeof OUTSIDE / sizeof *OUTSIDE; i++) {
        assert_int_equal(take(OUTSIDE[i], &why), -EINVAL);
        assert_non_null(strstr(why.text, "is not a loopback address"));
    }
    char long_path[LOCAL_ADDRESS_MAX + 2];
    memset(long_path, '/', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    assert_int_equal(take(long_path, &why), -EINVAL);
}

static void a_path_is_for_its_owner_and_a_port_for_loopback(void **state)
{
    struct watched *watched = *state;
    struct stat file;
    struct why why;
    assert_int_equal(stat(watched->path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    assert_int_equal(local_address_listen(watched->path, &why), -EADDRINUSE);
    assert_non_null(strstr(why.text, watched->path));

    int fd = -1;
    char address[32];
    for (int port = 20000; fd < 0 && port < 21000; port++) {
        snprintf(address, sizeof address, "127.0.0.1:%d", port);
        fd = local_address_listen(address, &why);
    }
    assert_true(fd >= 0);
    struct addr at = address_of(fd);
    assert_int_equal(ntohl(at.v4.sin_addr.s_addr), INADDR_LOOPBACK);
    assert_int_equal(local_address_listen(address, &why), -EADDRINUSE);
    close(fd);
}

static void without_a_place_nobody_is_served(void **state)
{
    struct log log = log_to_stderr(LOG_ERROR);
    (void)state;
    struct monitor_place place = monitor_open("", &log);
    assert_int_equal(place.socket, -1);
    monitor_close(&place);
    log.level = (enum log_level) - 1;
    place = monitor_open("/no/such/folder/x", &log);
    assert_int_equal(place.socket, -1);
    monitor_close(&place);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_watched, close_watched)
    const struct CMUnitTest tests[] = {
        TEST(metrics_are_a_page_of_openmetrics),
        TEST(health_is_a_status_with_the_reasons),
        TEST(complaints_that_are_too_long_are_cut),
        TEST(everything_else_is_not_there),
        TEST(who_does_not_speak_http_is_hung_up_on),
        TEST(a_slow_caller_is_answered_when_it_is_done),
        TEST(idle_callers_shut_nobody_out),
        cmocka_unit_test(this_machine_is_taken_and_no_other),
        TEST(a_path_is_for_its_owner_and_a_port_for_loopback),
        cmocka_unit_test(without_a_place_nobody_is_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
