/* CONNECT through a proxy: what is asked, what its answer means, and that no more is read. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/passage.h"
#include "on_loop.h"

struct world {
    uv_loop_t loop;
    struct passage *passage;
    int proxy; /* its end of the connection */
    unsigned called;
    int fd;
    char why[sizeof(struct why)];
};

static void on_passed(void *arg, int fd, const struct why *why)
{
    struct world *world = arg;
    world->called++;
    world->fd = fd;
    snprintf(world->why, sizeof world->why, "%s", why->text);
}

static void begin(struct world *world, const char *login, const char *host, uint64_t timeout_ms)
{
    struct proxy proxy = {.host = "proxy.lan", .port = 3128, .variable = "VPS_PROXY"};
    int ends[2];
    *world = (struct world){.fd = -1};
    strcpy(proxy.login, login);
    assert_int_equal(uv_loop_init(&world->loop), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    world->proxy = ends[1];
    world->passage = passage_start(&world->loop, ends[0], &proxy, host, 9000, timeout_ms, on_passed,
                                   world);
    assert_non_null(world->passage);
    assert_int_equal(world->called, 0);
}

static void end(struct world *world)
{
    if (world->fd >= 0) {
        close(world->fd);
    }
    close(world->proxy);
    loop_end(&world->loop);
}

/* What the proxy was asked. */
static void hear(struct world *world, char *request, size_t size)
{
    size_t len = 0;
    request[0] = '\0';
    while (!strstr(request, "\r\n\r\n")) {
        loop_turn(&world->loop, 10);
        ssize_t got = recv(world->proxy, request + len, size - 1 - len, MSG_DONTWAIT);
        len += got > 0 ? (size_t)got : 0;
        request[len] = '\0';
    }
}

static void say(struct world *world, const char *text)
{
    assert_int_equal(send(world->proxy, text, strlen(text), 0), strlen(text));
}

static void it_asks_for_host_and_port_with_the_login(void **state)
{
    static const struct {
        const char *login, *host, *request;
    } ROWS[] = {
        {"", "vps.example.org",
         "CONNECT vps.example.org:9000 HTTP/1.1\r\nHost: vps.example.org:9000\r\n\r\n"},
        {"", "2001:db8::1",
         "CONNECT [2001:db8::1]:9000 HTTP/1.1\r\nHost: [2001:db8::1]:9000\r\n\r\n"},
        /* RFC 7617, 2 */
        {"Aladdin:open sesame", "v",
         "CONNECT v:9000 HTTP/1.1\r\nHost: v:9000\r\nProxy-Authorization: Basic "
         "QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n"},
        {"test:123\xc2\xa3", "v",
         "CONNECT v:9000 HTTP/1.1\r\nHost: v:9000\r\nProxy-Authorization: Basic "
         "dGVzdDoxMjPCow==\r\n\r\n"},
        {"a:bcd", "v",
         "CONNECT v:9000 HTTP/1.1\r\nHost: v:9000\r\nProxy-Authorization: Basic "
         "YTpiY2Q=\r\n\r\n"},
        {"a:b", "v",
         "CONNECT v:9000 HTTP/1.1\r\nHost: v:9000\r\nProxy-Authorization: Basic YTpi\r\n\r\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct world world;
        char request[1024];
        begin(&world, ROWS[i].login, ROWS[i].host, 5000);
        hear(&world, request, sizeof request);
        assert_string_equal(request, ROWS[i].request);
        passage_cancel(world.passage);
        assert_int_equal(world.called, 0);
        end(&world);
    }
}

static void what_follows_the_answer_is_the_servers(void **state)
{
    static const char *const REPLIES[] = {
        "HTTP/1.1 200 Connection established\r\n\r\n",
        "HTTP/1.0 200\r\nProxy-agent: tinyproxy/1.11.1\r\n\r\n",
        "HTTP/1.1 201 x\nVia: 1.1 squid\n\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA: x\r\n\r\nHTTP/1.1 200 \r\n\r\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof REPLIES / sizeof *REPLIES; i++) {
        for (size_t piece = 1; piece < 100; piece += 13) {
            struct world world;
            char request[1024], all[256], got[8] = "";
            snprintf(all, sizeof all, "%sSSH-2.0", REPLIES[i]);
            begin(&world, "", "v", 5000);
            hear(&world, request, sizeof request);
            for (size_t at = 0; at < strlen(all); at += piece) {
                size_t len = strlen(all) - at < piece ? strlen(all) - at : piece;
                assert_int_equal(send(world.proxy, all + at, len, 0), len);
                loop_turn(&world.loop, 1);
            }
            WAIT_FOR(&world.loop, world.called == 1);
            assert_true(world.fd >= 0);
            assert_int_equal(recv(world.fd, got, sizeof got, 0), 7);
            assert_string_equal(got, "SSH-2.0");
            end(&world);
        }
    }
}

static void a_refusal_is_said_in_words(void **state)
{
    static const struct {
        const char *login, *reply;
        int err;
        const char *says;
    } ROWS[] = {
        {"", "HTTP/1.1 407 x\r\n\r\n", -EACCES, "wants a user name and a password (407)"},
        {"a:b", "HTTP/1.1 407 x\r\n\r\n", -EACCES, "does not accept the user name or password"},
        {"a:b", "HTTP/1.0 401 Unauthorized\r\n\r\n", -EACCES,
         "does not accept the user name or password (401)"},
        {"", "HTTP/1.1 403 x\r\n\r\n", -ECONNREFUSED, "does not let connections to v:9000 through"},
        {"", "HTTP/1.1 405 x\r\n\r\n", -ECONNREFUSED, "many allow port 443 alone"},
        {"", "HTTP/1.1 502 x\r\n\r\n", -EHOSTUNREACH, "the proxy cannot reach v:9000 (502)"},
        {"", "HTTP/1.1 503 x\r\n\r\n", -EHOSTUNREACH, "the proxy cannot reach v:9000 (503)"},
        {"", "HTTP/1.1 504 x\r\n\r\n", -EHOSTUNREACH, "does its firewall let the proxy in"},
        {"", "HTTP/1.1 302 x\r\n\r\n", -EPROTO, "CONNECT v:9000 with a page of its own (302)"},
        {"", "HTTP/1.1 511 x\r\n\r\n", -EPROTO, "one has to log in first"},
        {"a:b", "HTTP/1.1 407 x\r\nVia: basic\r\nproxy-authenticate: NTLM\r\n\r\n", -EACCES,
         "wants another kind of login than basic (407)"},
        {"", "HTTP/1.1 407 x\nProxy-Authenticate: Negotiate, Digest\nX: y\n\n", -EACCES,
         "wants another kind of login than basic (407)"},
        {"a:b", "HTTP/1.1 407 x\r\nProxy-Authenticate: NTLM\r\nProxy-Authenticate: BASIC r\r\n\r\n",
         -EACCES, "does not accept the user name or password"},
        {"", "\x15\x03\x01", -EPROTO, "it speaks TLS, and is to be asked without"},
        {"", "HTTP/1.1 500 x\r\n\r\n", -EPROTO, "with status 500"},
        {"", "SSH-2.0-OpenSSH_9.2\r\n", -EPROTO, "does not answer like an HTTP proxy"},
        {"", "HTTP/2.0 200\r\n\r\n", -EPROTO, "does not answer like an HTTP proxy"},
        {"", "HTTP/1.1 20\r\n\r\n", -EPROTO, "does not answer like an HTTP proxy"},
        {"", "HTTP/1.1 2000\r\n\r\n", -EPROTO, "does not answer like an HTTP proxy"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct world world;
        char request[1024];
        begin(&world, ROWS[i].login, "v", 5000);
        hear(&world, request, sizeof request);
        say(&world, ROWS[i].reply);
        WAIT_FOR(&world.loop, world.called == 1);
        assert_int_equal(world.fd, ROWS[i].err);
        if (!strstr(world.why, ROWS[i].says)) {
            fail_msg("%s: %s", ROWS[i].reply, world.why);
        }
        end(&world);
    }
}

static void an_answer_without_an_end_is_none(void **state)
{
    struct world world;
    char request[1024], line[] = "X-Filler: 0123456789012345678901234567890123456789\r\n";
    (void)state;
    begin(&world, "", "v", 5000);
    hear(&world, request, sizeof request);
    say(&world, "HTTP/1.1 200 x\r\n");
    for (size_t sent = 0; sent < PASSAGE_REPLY_MAX; sent += sizeof line - 1) {
        send(world.proxy, line, sizeof line - 1, MSG_NOSIGNAL);
        loop_turn(&world.loop, 1);
    }
    WAIT_FOR(&world.loop, world.called == 1);
    assert_int_equal(world.fd, -EPROTO);
    end(&world);
}

static void who_says_nothing_or_hangs_up_is_not_waited_for(void **state)
{
    struct world world;
    char request[1024];
    (void)state;
    begin(&world, "", "v", 50);
    WAIT_FOR(&world.loop, world.called == 1);
    assert_int_equal(world.fd, -ETIMEDOUT);
    assert_string_equal(world.why, "the proxy does not answer CONNECT in time");
    end(&world);

    begin(&world, "", "v", 5000);
    hear(&world, request, sizeof request);
    say(&world, "HTTP/1.1 200");
    shutdown(world.proxy, SHUT_WR);
    WAIT_FOR(&world.loop, world.called == 1);
    assert_int_equal(world.fd, -ECONNRESET);
    assert_non_null(strstr(world.why, "the proxy broke the connection off"));
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_asks_for_host_and_port_with_the_login),
        cmocka_unit_test(what_follows_the_answer_is_the_servers),
        cmocka_unit_test(a_refusal_is_said_in_words),
        cmocka_unit_test(an_answer_without_an_end_is_none),
        cmocka_unit_test(who_says_nothing_or_hangs_up_is_not_waited_for),
    };
    return cmocka_run_group_tests_name("passage", tests, NULL, NULL);
}
