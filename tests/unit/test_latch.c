/* The page at a public port, with real TCP clients: who gets it, and what lets an address in. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <mbedtls/base64.h>
#include <mbedtls/sha256.h>

#include "house.h"
#include "rdp_keys.h"
#include "vps/admission/http_request.h"
#include "vps/admission/latch.h"

#define HOST "Host: vps.example.com:20123\r\n\r\n"

/* ---- requests ----------------------------------------------------------------- */

static void a_request_is_read_when_it_is_whole(void **state)
{
    static const struct {
        const char *text;
        int result;
        enum http_method method;
        bool german;
    } ROWS[] = {
        {"GET /x HTTP/1.1\r\n" HOST, 0, HTTP_GET, false},
        {"GET /x HTTP/1.0\r\n\r\n", 0, HTTP_GET, false},
        {"HEAD /x HTTP/1.1\n\n", 0, HTTP_HEAD, false},
        {"POST /x HTTP/1.1\r\nAccept-Language: de-DE,de;q=0.9,en;q=0.8\r\n\r\n", 0, HTTP_POST,
         true},
        {"GET /x HTTP/1.1\r\naccept-language: fr, en-GB, de\r\n\r\n", 0, HTTP_GET, false},
        {"GET /x HTTP/1.1\r\nAccept-Language: fr,DE\r\n\r\n", 0, HTTP_GET, true},
        {"OPTIONS /x HTTP/1.1\r\n\r\n", 0, HTTP_OTHER, false},
        {"GET /x HTTP/1.1\r\nHost: a\r\n", -EAGAIN, 0, false},
        {"GET /x HT", -EAGAIN, 0, false},
        {"GET /x HTTP/2.0\r\n\r\n", -EBADMSG, 0, false},
        {"GET /x\r\n\r\n", -EBADMSG, 0, false},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", -EBADMSG, 0, false},
        {"SSH-2.0-x\r\n\r\n", -EBADMSG, 0, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct http_request request = {0};
        const char *text = ROWS[i].text;
        int result = http_request_parse((const uint8_t *)text, strlen(text), &request);
        if (result != ROWS[i].result || request.method != ROWS[i].method ||
            request.wants_german != ROWS[i].german) {
            fail_msg("%s: %d", text, result);
        }
    }
}

static void a_press_on_another_page_is_known(void **state)
{
    static const struct {
        const char *fields;
        bool foreign;
    } ROWS[] = {
        {"Host: vps:20123\r\n", false}, /* curl, and browsers that do not say */
        {"Host: vps:20123\r\nOrigin: http://vps:20123\r\n", false},
        {"Origin: https://VPS\r\nHost:vps \r\n", false},
        {"Host: vps:20123\r\nOrigin: null\r\n", false}, /* our page has no referrer */
        {"Host: vps:20123\r\nOrigin: http://evil.example\r\n", true},
        {"Host: vps:20123\r\nOrigin: http://vps\r\n", true},
        {"Host: vps:20123\r\nOrigin: http://vps:201234\r\n", true},
        {"Host: vps\r\nOrigin: vps\r\n", true},
        {"Origin: http://vps\r\n", true},
        {"Host: vps\r\nOrigin: \r\n", true},
        {"Host: vps\r\nOrigin: null\r\nSec-Fetch-Site: same-origin\r\n", false},
        {"Host: vps\r\nSec-Fetch-Site: none\r\n", false},
        {"Host: vps\r\nsec-fetch-site: cross-site\r\nOrigin: null\r\n", true},
        {"Host: vps\r\nSec-Fetch-Site: same-site\r\n", true},
        {"Host: vps\r\nSec-Fetch-Site:\r\n", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        char text[300];
        struct http_request request;
        int len = snprintf(text, sizeof text, "POST /x HTTP/1.1\r\n%s\r\n", ROWS[i].fields);
        assert_int_equal(http_request_parse((const uint8_t *)text, (size_t)len, &request), 0);
        if (request.is_foreign != ROWS[i].foreign) {
            fail_msg("%s", text);
        }
    }
}

static void a_head_has_a_longest_length(void **state)
{
    static uint8_t head[HTTP_REQUEST_MAX + 100];
    static const char FIRST[] = "GET /x HTTP/1.1\r\nCookie: ";
    struct http_request request;
    (void)state;
    memset(head, 'c', sizeof head);
    memcpy(head, FIRST, sizeof FIRST - 1);
    assert_int_equal(http_request_parse(head, HTTP_REQUEST_MAX - 1, &request), -EAGAIN);
    assert_int_equal(http_request_parse(head, HTTP_REQUEST_MAX, &request), -EBADMSG);
    memcpy(head + HTTP_REQUEST_MAX - 4, "\r\n\r\n", 4);
    assert_int_equal(http_request_parse(head, HTTP_REQUEST_MAX, &request), 0);
}

static long missing(const char *text)
{
    return http_request_missing((const uint8_t *)text, strlen(text), "abcd", 4);
}

static void only_the_whole_key_is_the_key(void **state)
{
    (void)state;
    assert_int_equal(missing("GET /abcd "), 0);
    assert_int_equal(missing("POST /abcd HTTP"), 0);
    assert_int_equal(missing("GET /abc"), 2);
    assert_int_equal(missing("GET"), 7);
    assert_int_equal(missing("GET /abce "), -EBADMSG);
    assert_int_equal(missing("GET /abcde"), -EBADMSG);
    assert_int_equal(missing("GET /abcd/"), -EBADMSG);
    assert_int_equal(missing("GET /abcd?"), -EBADMSG);
    assert_int_equal(missing("GET / HTTP/1.1"), -EBADMSG);
    assert_int_equal(missing("PUT /abcd "), -EBADMSG);
    assert_int_equal(missing("get /abcd "), -EBADMSG);
}

/* ---- pages -------------------------------------------------------------------- */

static const struct latch_page PAGE = {
    .state = LATCH_OPEN,
    .address = "203.0.113.7",
    .elsewhere = "2001:db8::7",
    .label = "SSH",
    .target = "<nas> & \"co\"",
    .line = "ssh -p 20123 -l \"a<b\" vps.example.com",
    .uri = "ssh://a%3Cb@vps.example.com:20123",
};

static char *written(enum latch_state state, bool german, bool head_only)
{
    static char buffer[LATCH_PAGE_SIZE];
    struct latch_page page = PAGE;
    struct text text = text_over(buffer, sizeof buffer);
    page.state = state;
    latch_page_write(&page, german, head_only, &text);
    assert_false(text.cut);
    return buffer;
}

static void a_page_says_what_to_do_and_holds_nothing_live(void **state)
{
    (void)state;
    const char *page = written(LATCH_OPEN, false, false);
    assert_non_null(strstr(page, "&lt;nas&gt; &amp; &quot;co&quot;"));
    assert_non_null(strstr(page, "-l &quot;a&lt;b&quot; vps"));
    assert_non_null(strstr(page, "href=\"ssh://a%3Cb@vps"));
    assert_non_null(strstr(page, "2001:db8::7"));
    assert_null(strstr(page, "<form"));
    assert_null(strstr(page, "<script"));
    page = written(LATCH_SHUT, false, false);
    assert_non_null(strstr(page, "<form method=\"post\">"));
    assert_null(strstr(page, "ssh://"));
    assert_non_null(strstr(page, "203.0.113.7"));
    page = written(LATCH_SHUT, true, false);
    assert_non_null(strstr(page, "lang=\"de\""));
    assert_non_null(strstr(page, "Diese Adresse einlassen"));
    assert_null(strstr(written(LATCH_TAKEN, false, false), "<form"));
    assert_null(strstr(written(LATCH_BLOCKED, true, false), "<form"));
    assert_null(strstr(written(LATCH_USED_UP, false, false), "<form"));
    assert_non_null(strstr(written(LATCH_USED_UP, true, false), "zu viele Adressen"));
}

static void it_speaks_its_sessions_language(void **state)
{
    static const struct {
        const char *session;
        bool browser_is_german, german;
    } ROWS[] = {{"", true, true}, {"", false, false}, {"de", false, true}, {"en", true, false}};
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        char buffer[LATCH_PAGE_SIZE];
        struct latch_page page = PAGE;
        struct text text = text_over(buffer, sizeof buffer);
        strcpy(page.language, ROWS[i].session);
        latch_page_write(&page, ROWS[i].browser_is_german, false, &text);
        assert_non_null(strstr(buffer, ROWS[i].german ? "lang=\"de\"" : "lang=\"en\""));
    }
}

static void who_waits_elsewhere_is_named_before_the_press_as_well(void **state)
{
    (void)state;
    assert_non_null(strstr(written(LATCH_SHUT, false, false), "waiting at <b>2001:db8::7</b>"));
    assert_non_null(strstr(written(LATCH_SHUT, true, false), "<b>2001:db8::7</b>"));
}

static void its_head_allows_it_nothing(void **state)
{
    static const char *const FIELDS[] = {
        "Connection: close\r\n",
        "Cache-Control: no-store\r\n",
        "X-Content-Type-Options: nosniff\r\n",
        "Referrer-Policy: no-referrer\r\n",
        "default-src 'none'",
        "frame-ancestors 'none'",
        "X-Frame-Options: DENY\r\n",
        "base-uri 'none'",
    };
    (void)state;
    const char *page = written(LATCH_SHUT, false, true);
    for (size_t i = 0; i < sizeof FIELDS / sizeof *FIELDS; i++) {
        assert_non_null(strstr(page, FIELDS[i]));
    }
    const char *end = strstr(page, "\r\n\r\n");
    assert_non_null(end);
    assert_string_equal(end + 4, ""); /* of HEAD there is no more */
}

static void its_style_is_the_one_that_its_head_allows(void **state)
{
    unsigned char digest[32], text[64];
    size_t len;
    (void)state;
    mbedtls_sha256((const unsigned char *)LATCH_STYLE, strlen(LATCH_STYLE), digest, 0);
    assert_int_equal(mbedtls_base64_encode(text, sizeof text, &len, digest, sizeof digest), 0);
    assert_string_equal((const char *)text, LATCH_STYLE_SHA256);
}

/* ---- at the door -------------------------------------------------------------- */

static int ask_for(struct house *house, const char *method, const char *key, const char *rest)
{
    char request[8192];
    int len = snprintf(request, sizeof request, "%s /%s HTTP/1.1\r\n%s", method, key, rest);
    return come(house, ANNA, request, (size_t)len);
}

static void expect_answer(struct house *house, int fd, const char *words)
{
    char answer[LATCH_PAGE_SIZE + 1] = "";
    size_t have = 0;
    WAIT_FOR(&house->stage, (have += client_hear(fd, answer + have, LATCH_PAGE_SIZE - have)) > 0 &&
                                strstr(answer, words));
}

static void the_button_alone_lets_an_address_in(void **state)
{
    static const enum kind KINDS[] = {KIND_SSH, KIND_RDP, KIND_VNC, KIND_TCP};
    static const char *const IDLE[] = {"GET", "HEAD", "OPTIONS"};
    struct house house;
    (void)state;
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        house_open(&house, KINDS[i]);
        for (size_t m = 0; m < sizeof IDLE / sizeof *IDLE; m++) {
            int fd = ask_for(&house, IDLE[m], LATCHKEY, "User-Agent: TelegramBot\r\n" HOST);
            expect_answer(&house, fd, "HTTP/1.1 ");
            close(fd);
        }
        assert_int_equal(house.pages, 2); /* of OPTIONS there is none */
        assert_int_equal(house.pressed + house.opened, 0);
        int fd = ask_for(&house, "POST", LATCHKEY, "Content-Length: 0\r\n" HOST);
        expect_answer(&house, fd, "HTTP/1.1 200 OK");
        assert_int_equal(house.pressed, 1);
        assert_int_equal(house.opened, 1);
        assert_int_equal(house.judged + house.admitted + house.unfit, 0);
        close(fd);
        house_close(&house);
    }
}

static void another_pages_button_lets_nobody_in(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, KIND_SSH);
    int fd = ask_for(&house, "POST", LATCHKEY, "Origin: http://evil.example\r\n" HOST);
    expect_answer(&house, fd, "<form"); /* it is the page, to press there */
    assert_int_equal(house.pages, 1);
    assert_int_equal(house.pressed + house.opened, 0);
    close(fd);
    house_close(&house);
}

static void a_wrong_key_is_a_strangers(void **state)
{
    static const char *const WRONG[] = {"", "favicon.ico", "abcdefghijkmnpqrstuvwxyz23456788",
                                        "abcdefghijkmnpqrstuvwxyz234567899"};
    struct house house;
    (void)state;
    house_open(&house, KIND_SSH);
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        int fd = ask_for(&house, i % 2 ? "POST" : "GET", WRONG[i], HOST);
        WAIT_FOR(&house.stage, client_was_sent_off(fd));
        close(fd);
    }
    assert_int_equal(house.pages, 0);
    assert_int_equal(house.unfit, 4);
    house_close(&house);
}

static void who_speaks_http_to_a_tcp_target_is_its_client(void **state)
{
    static const char *const PATHS[] = {"", "index.html", "abcdefghijkmnpqrstuvwxyz23456788"};
    struct house house;
    (void)state;
    house_open(&house, KIND_TCP);
    house.without = VERDICT_ADMIT;
    for (unsigned i = 0; i < 3; i++) {
        int fd = ask_for(&house, "GET", PATHS[i], HOST);
        WAIT_FOR(&house.stage, house.admitted == i + 1);
        assert_memory_equal(house.bytes, "GET /", 5);
        close(house.fd);
        house.fd = -1;
        close(fd);
    }
    assert_int_equal(house.pages, 0);
    house_close(&house);
}

static void a_tcp_client_that_begins_so_and_says_no_more_is_one(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, KIND_TCP);
    stage_hurry(HURRY);
    house.without = VERDICT_ADMIT;
    int fd = come(&house, ANNA, "GET", 3);
    WAIT_FOR(&house.stage, house.admitted == 1);
    assert_int_equal(house.len, 3);
    close(fd);
    house_close(&house);
}

static void a_request_may_come_byte_by_byte(void **state)
{
    struct house house;
    char request[200];
    (void)state;
    house_open(&house, KIND_RDP);
    int len = snprintf(request, sizeof request, "GET /%s HTTP/1.1\r\n" HOST, LATCHKEY);
    int fd = come(&house, ANNA, request, 1);
    for (int i = 1; i < len; i++) {
        let_it_work(&house);
        assert_int_equal(house.pages, 0);
        client_say(fd, request + i, 1);
    }
    expect_answer(&house, fd, "</html>");
    close(fd);
    house_close(&house);
}

static void one_answer_is_all(void **state)
{
    struct house house;
    char request[400];
    (void)state;
    house_open(&house, KIND_SSH);
    int len = snprintf(request, sizeof request,
                       "GET /%s HTTP/1.1\r\n" HOST "POST /%s HTTP/1.1\r\n" HOST, LATCHKEY,
                       LATCHKEY);
    int fd = come(&house, ANNA, request, (size_t)len);
    expect_answer(&house, fd, "</html>");
    assert_int_equal(house.pages, 1);
    assert_int_equal(house.pressed, 0);
    close(fd);
    house_close(&house);
}

static void who_is_slow_or_long_winded_is_sent_off(void **state)
{
    static char field[HTTP_REQUEST_MAX + 1];
    struct house house;
    (void)state;
    memset(field, 'x', sizeof field - 1);
    house_open(&house, KIND_SSH);
    int fd = ask_for(&house, "POST", LATCHKEY, field);
    expect_answer(&house, fd, "400 Bad Request");
    assert_int_equal(house.pages, 0);
    close(fd);
    stage_hurry(HURRY);
    fd = ask_for(&house, "POST", LATCHKEY, "Content-Length: 0\r\n");
    WAIT_FOR(&house.stage, client_was_sent_off(fd));
    assert_int_equal(house.pages, 0);
    close(fd);
    house_close(&house);
}

static void a_crowd_with_the_key_takes_a_few_places(void **state)
{
    enum { CROWD = LATCH_TALKS_MAX + 4 };
    struct house house;
    int fds[CROWD];
    (void)state;
    house_open(&house, KIND_SSH);
    for (unsigned i = 0; i < CROWD; i++) {
        fds[i] = ask_for(&house, "GET", LATCHKEY, "");
        let_it_work(&house);
    }
    assert_int_equal(count_sent_off(fds, CROWD), CROWD - LATCH_TALKS_MAX);
    assert_int_equal(house.total.visitors, 0);
    close_all(fds, CROWD);
    house_close(&house);
}

static void the_page_arrives_even_if_its_button_closes_the_port(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, KIND_SSH);
    house.close_when_opened = true;
    int fd = ask_for(&house, "POST", LATCHKEY, "Content-Length: 0\r\n" HOST);
    expect_answer(&house, fd, "</html>");
    assert_null(house.door);
    close(fd);
    house_close(&house);
}

/* ---- a browser's idle connections ------------------------------------------------ */

static void close_page(struct house *house, const char *method)
{
    int fd = ask_for(house, method, LATCHKEY, "Content-Length: 0\r\n" HOST);
    expect_answer(house, fd, "</html>");
    close(fd);
}

static void what_a_browser_leaves_idle_is_no_client(void **state)
{
    static const enum kind KINDS[] = {KIND_SSH, KIND_VNC, KIND_TCP};
    struct house house;
    (void)state;
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        house_open(&house, KINDS[i]);
        stage_hurry(HURRY);
        house.without = VERDICT_ADMIT;
        house.silent_are_in = true;
        int before = client_connect(ANNA, house.port);
        close_page(&house, "GET");
        int after = client_connect(ANNA, house.port);
        close_page(&house, "POST");
        let_pass(&house, DOOR_PATIENCE_MS + 1000);
        assert_int_equal(house.judged + house.silent + house.admitted, 0);
        assert_false(client_was_sent_off(before) || client_was_sent_off(after));
        int viewer = client_connect(ANNA, house.port);
        WAIT_FOR(&house.stage, house.admitted == 1);
        close(house.fd);
        int other = client_connect(BERT, house.port); /* who has read nothing */
        WAIT_FOR(&house.stage, house.admitted == 2);
        WAIT_FOR(&house.stage, client_was_sent_off(before) && client_was_sent_off(after));
        assert_int_equal(house.admitted, 2);
        close_all((int[]){before, after, viewer, other}, 4);
        close(house.fd);
        house.fd = -1;
        house_close(&house);
    }
}

static void the_page_may_be_asked_for_over_an_idle_one(void **state)
{
    struct house house;
    char post[200];
    (void)state;
    int len = snprintf(post, sizeof post, "POST /%s HTTP/1.1\r\n" HOST, LATCHKEY);
    house_open(&house, KIND_VNC);
    stage_hurry(HURRY);
    close_page(&house, "GET");
    int idle = client_connect(ANNA, house.port);
    let_pass(&house, DOOR_PATIENCE_MS);
    client_say(idle, post, (size_t)len);
    expect_answer(&house, idle, "</html>");
    assert_int_equal(house.opened, 1);
    assert_int_equal(house.judged, 0);
    close(idle);
    house_close(&house);
}

static void who_waits_in_silence_may_turn_out_to_be_a_browser(void **state)
{
    static const enum kind KINDS[] = {KIND_VNC, KIND_TCP};
    struct house house;
    char get[200];
    (void)state;
    int len = snprintf(get, sizeof get, "GET /%s HTTP/1.1\r\n" HOST, LATCHKEY);
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        house_open(&house, KINDS[i]);
        stage_hurry(HURRY);
        house.without = VERDICT_ASK;
        int browser = client_connect(ANNA, house.port), viewer = client_connect(BERT, house.port);
        WAIT_FOR(&house.stage, house.parked_count == 2);
        client_say(viewer, "x", 1); /* which stays where it is */
        let_pass(&house, 1000);
        assert_int_equal(house.left_count, 0);
        client_say(browser, get, (size_t)len);
        expect_answer(&house, browser, "</html>");
        assert_int_equal(house.pages, 1);
        assert_int_equal(house.left_count, 1);
        assert_int_equal(house.left[0], 1);
        assert_int_equal(door_admit(house.door, 1), -ENOENT);
        assert_int_equal(door_admit(house.door, 2), 0);
        assert_int_equal(house.admitted, 1);
        assert_int_equal(house.len, 0);
        close(browser);
        close(viewer);
        house_close(&house);
    }
}

static void its_button_may_close_the_port_then_as_well(void **state)
{
    struct house house;
    char post[200];
    (void)state;
    int len = snprintf(post, sizeof post, "POST /%s HTTP/1.1\r\n" HOST, LATCHKEY);
    house_open(&house, KIND_VNC);
    stage_hurry(HURRY);
    house.without = VERDICT_ASK;
    house.close_when_opened = true;
    int browser = client_connect(ANNA, house.port);
    WAIT_FOR(&house.stage, house.parked_count == 1);
    client_say(browser, post, (size_t)len);
    expect_answer(&house, browser, "</html>");
    assert_null(house.door);
    assert_int_equal(house.left_count, 1);
    close(browser);
    house_close(&house);
}

/* ---- TLS ------------------------------------------------------------------------ */

static char folder[] = "/tmp/latch.XXXXXX";

/* A server with a certificate, for as long as its stage stands. */
struct server {
    struct publisher *publisher;
    struct https *https;
    struct vps_settings settings;
};

static void write_file(const char *name, const char *content, char *ret_path)
{
    snprintf(ret_path, PUBLISHER_PATH_MAX, "%s/%s", folder, name);
    FILE *file = fopen(ret_path, "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static void server_begin(struct server *server, uv_loop_t *loop)
{
    static const struct log log = {.level = LOG_ERROR};
    const struct publisher_options options = {.loop = loop, .log = &log};
    struct publisher_files files = {.by_default = false};
    if (strstr(folder, "XXXXXX")) {
        assert_non_null(mkdtemp(folder));
    }
    write_file("cert", SERVER_CHAIN, files.certificate);
    write_file("key", SERVER_KEY, files.key);
    memset(server, 0, sizeof *server);
    snprintf(server->settings.vps_host, sizeof server->settings.vps_host, "vps.example.org");
    server->publisher = publisher_new(&options);
    publisher_use(server->publisher, &files);
    server->https = https_new(server->publisher, &server->settings);
    unlink(files.certificate);
    unlink(files.key);
    assert_true(https_is_offered(server->https));
}

static void server_end(struct server *server)
{
    https_free(server->https);
    publisher_free(server->publisher);
}

static void tls_is_told_by_its_first_two_bytes(void **state)
{
    (void)state;
    assert_int_equal(https_missing((const uint8_t *)"", 0), -EBADMSG);
    assert_int_equal(https_missing((const uint8_t *)"\x16", 1), 1);
    assert_int_equal(https_missing((const uint8_t *)"\x16\3", 2), 0);
    assert_int_equal(https_missing((const uint8_t *)"\x16\3\1\0\5", 5), 0);
    assert_int_equal(https_missing((const uint8_t *)"\x16\2", 2), -EBADMSG);
    assert_int_equal(https_missing((const uint8_t *)"\x03\0", 2), -EBADMSG);
    assert_false(https_is_offered(NULL));
}

/* The door of a server with a certificate; its loop is the house's. */
static void open_with_tls(struct house *house, struct server *server, enum kind kind)
{
    memset(house, 0, sizeof *house);
    stage_open(&house->stage);
    server_begin(server, &house->stage.loop);
    house_open_at(house, kind, server->https);
}

static void close_with_tls(struct house *house, struct server *server)
{
    house_close_door(house);
    server_end(server);
    house_close(house);
}

static void who_begins_tls_and_says_no_more_goes_in_time(void **state)
{
    static const enum kind KINDS[] = {KIND_SSH, KIND_RDP, KIND_VNC};
    static const char HALF[] = "\x16\3\1\2\0\1\0";
    struct house house;
    struct server server;
    (void)state;
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        open_with_tls(&house, &server, KINDS[i]);
        stage_hurry(HURRY);
        int fd = come(&house, ANNA, HALF, 1);
        let_it_work(&house);
        client_say(fd, HALF + 1, sizeof HALF - 2);
        let_pass(&house, LATCH_TLS_PATIENCE_MS - 2000);
        assert_false(client_was_sent_off(fd));
        WAIT_FOR(&house.stage, client_was_sent_off(fd));
        assert_int_equal(house.judged + house.pages, 0);
        assert_int_equal(house.unfit, 1);
        close(fd);
        close_with_tls(&house, &server);
    }
}

static void a_tcp_client_that_begins_tls_is_its_targets(void **state)
{
    struct house house;
    struct server server;
    (void)state;
    open_with_tls(&house, &server, KIND_TCP);
    house.without = VERDICT_ADMIT;
    int fd = come(&house, ANNA, "\x16\3\1\0", 4);
    WAIT_FOR(&house.stage, house.admitted == 1);
    assert_int_equal(house.len, 4);
    close(fd);
    close_with_tls(&house, &server);
}

static void a_crowd_that_begins_tls_takes_a_few_places(void **state)
{
    enum { CROWD = 40 };
    struct house house;
    struct server server;
    int fds[CROWD];
    char from[32];
    (void)state;
    open_with_tls(&house, &server, KIND_SSH);
    for (unsigned i = 0; i < CROWD; i++) {
        snprintf(from, sizeof from, "127.%u.0.%u", 10 + i / 8, 1 + i % 8);
        fds[i] = come(&house, from, "\x16\3\1\2\0", 5);
        let_it_work(&house);
    }
    assert_true(count_sent_off(fds, CROWD) >= CROWD - LATCH_STRANGERS_MAX);
    int fd = ask_for(&house, "GET", LATCHKEY,
                     HOST); /* they are not in the way of who has the key */
    expect_answer(&house, fd, "</html>");
    close(fd);
    close_all(fds, CROWD);
    close_with_tls(&house, &server);
}

static void one_network_has_so_many_handshakes(void **state)
{
    struct house house;
    struct server server;
    int fd;
    (void)state;
    open_with_tls(&house, &server, KIND_SSH);
    unsigned refused = 0;
    for (unsigned i = 0; i < 3 * HTTPS_NETWORK_MOST; i++) {
        fd = come(&house, ANNA, "\x16\3\1\2\0", 5);
        let_it_work(&house);
        refused += client_was_sent_off(fd);
        assert_true(refused == 0 || i >= HTTPS_NETWORK_MOST);
        close(fd);
        let_it_work(&house);
    }
    assert_true(refused >= HTTPS_NETWORK_MOST); /* time gives some back */
    fd = come(&house, BERT, "\x16\3\1\2\0", 5);
    let_it_work(&house);
    assert_false(client_was_sent_off(fd));
    close(fd);
    close_with_tls(&house, &server);
}

static int remove_folder(void **state)
{
    (void)state;
    rmdir(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_read_when_it_is_whole),
        cmocka_unit_test(a_press_on_another_page_is_known),
        cmocka_unit_test(a_head_has_a_longest_length),
        cmocka_unit_test(only_the_whole_key_is_the_key),
        cmocka_unit_test(a_page_says_what_to_do_and_holds_nothing_live),
        cmocka_unit_test(it_speaks_its_sessions_language),
        cmocka_unit_test(who_waits_elsewhere_is_named_before_the_press_as_well),
        cmocka_unit_test(its_head_allows_it_nothing),
        cmocka_unit_test(its_style_is_the_one_that_its_head_allows),
        cmocka_unit_test(the_button_alone_lets_an_address_in),
        cmocka_unit_test(another_pages_button_lets_nobody_in),
        cmocka_unit_test(a_wrong_key_is_a_strangers),
        cmocka_unit_test(who_speaks_http_to_a_tcp_target_is_its_client),
        cmocka_unit_test(a_tcp_client_that_begins_so_and_says_no_more_is_one),
        cmocka_unit_test(a_request_may_come_byte_by_byte),
        cmocka_unit_test(one_answer_is_all),
        cmocka_unit_test(who_is_slow_or_long_winded_is_sent_off),
        cmocka_unit_test(a_crowd_with_the_key_takes_a_few_places),
        cmocka_unit_test(the_page_arrives_even_if_its_button_closes_the_port),
        cmocka_unit_test(what_a_browser_leaves_idle_is_no_client),
        cmocka_unit_test(the_page_may_be_asked_for_over_an_idle_one),
        cmocka_unit_test(who_waits_in_silence_may_turn_out_to_be_a_browser),
        cmocka_unit_test(its_button_may_close_the_port_then_as_well),
        cmocka_unit_test(tls_is_told_by_its_first_two_bytes),
        cmocka_unit_test(who_begins_tls_and_says_no_more_goes_in_time),
        cmocka_unit_test(a_tcp_client_that_begins_tls_is_its_targets),
        cmocka_unit_test(a_crowd_that_begins_tls_takes_a_few_places),
        cmocka_unit_test(one_network_has_so_many_handshakes),
    };
    return cmocka_run_group_tests_name("latch", tests, NULL, remove_folder);
}
