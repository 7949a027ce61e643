/*
 * asking (CONNECT goes out) -> hearing (the answer comes in) -> the callback
 *
 * It frees itself before it calls back, so that the callback may start another one.
 */
#include "base/passage.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/passage_refusal.h"
#include "base/text.h"
#include "base/timer.h"
#include "base/watch.h"

enum { STATUS_DIGITS = 3, REQUEST_MAX = 2 * TARGET_TEXT_MAX + 4 * PROXY_URL_MAX / 3 + 128 };

struct passage {
    passage_fn fn;
    void *arg;
    int fd;
    struct watch *watch;
    struct timer *deadline;
    bool has_login;
    char where[TARGET_TEXT_MAX];
    char request[REQUEST_MAX];
    size_t len, sent;
    char reply[PASSAGE_REPLY_MAX];
    size_t have;
};

/* ---- the answer ------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "HTTP/1.1 200", and then anything but a digit; or the beginning of that. */
static bool may_be_status_line(const char *bytes, size_t len)
{
    static const char FORM[] = "HTTP/1.# ###";
    for (size_t i = 0; i < sizeof FORM - 1 && i < len; i++) {
        if (FORM[i] == '#' ? !is_digit(bytes[i]) : bytes[i] != FORM[i]) {
            return false;
        }
    }
    return len < sizeof FORM || !is_digit(bytes[sizeof FORM - 1]);
}

long passage_read_reply(const char *bytes, size_t len, unsigned *ret_status)
{
    static const size_t STATUS_AT = sizeof "HTTP/1.# " - 1;
    if (!may_be_status_line(bytes, len)) {
        return -EBADMSG;
    }
    const char *line = memchr(bytes, '\n', len);
    if (!line) {
        return 0;
    }
    if ((size_t)(line - bytes) < STATUS_AT + STATUS_DIGITS) {
        return -EBADMSG;
    }
    /* Lines end with CR LF; a CR that is missing is forgiven (RFC 9112, 2.2). */
    while (line) {
        const char *next = line + 1;
        size_t left = len - (size_t)(next - bytes);
        size_t cr = left > 0 && *next == '\r';
        if (left > cr && next[cr] == '\n') {
            *ret_status = (unsigned)strtoul(bytes + STATUS_AT, NULL, 10);
            return (long)(next + cr + 1 - bytes);
        }
        line = memchr(next, '\n', left);
    }
    return 0;
}

/* ---- the end ---------------------------------------------------------------- */

static void passage_free(struct passage *passage)
{
    watch_free(passage->watch);
    timer_free(passage->deadline);
    if (passage->fd >= 0) {
        close(passage->fd);
    }
    crypto_wipe(passage->request, sizeof passage->request);
    free(passage);
}

static void finish(struct passage *passage, int err, const struct why *why)
{
    passage_fn fn = passage->fn;
    void *arg = passage->arg;
    int fd = err;
    if (err == 0) {
        fd = passage->fd;
        passage->fd = -1;
    }
    passage_free(passage);
    fn(arg, fd, why);
}

static void fail(struct passage *passage, int err, const char *text)
{
    struct why why;
    why_set(&why, err, "%s", text);
    finish(passage, err, &why);
}

static void fail_io(struct passage *passage, int err)
{
    struct why why;
    why_set(&why, err, "the proxy broke the connection off (%s)", strerror(-err));
    finish(passage, err, &why);
}

static void on_deadline(void *arg)
{
    fail(arg, -ETIMEDOUT, "the proxy does not answer CONNECT in time");
}

/* ---- both ways -------------------------------------------------------------- */

static void on_reply(struct passage *passage, unsigned status)
{
    const struct passage_refusal refusal = {.status = status,
                                            .head = passage->reply,
                                            .len = passage->have,
                                            .had_login = passage->has_login,
                                            .where = passage->where};
    struct why why = {""};
    if (status >= 100 && status < 200) { /* not the answer yet (RFC 9110, 15.2) */
        passage->have = 0;
        return;
    }
    int err = status >= 200 && status < 300 ? 0 : passage_refusal_explain(&refusal, &why);
    finish(passage, err, &why);
}

static void on_no_http(struct passage *passage, size_t len)
{
    struct why why;
    int err = passage_refusal_no_http(passage->reply, len, &why);
    finish(passage, err, &why);
}

/* What is there is looked at first, and only the answer taken: what follows is the server's. */
static void hear(struct passage *passage)
{
    char *at = passage->reply + passage->have;
    unsigned status = 0;
    ssize_t got = recv(passage->fd, at, sizeof passage->reply - passage->have, MSG_PEEK);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
            fail_io(passage, got == 0 ? -ECONNRESET : -errno);
        }
        return;
    }
    size_t whole = passage->have + (size_t)got;
    long len = passage_read_reply(passage->reply, whole, &status);
    if (len < 0 || (len == 0 && whole == sizeof passage->reply)) {
        on_no_http(passage, whole);
        return;
    }
    size_t taken = (len > 0 ? (size_t)len : whole) - passage->have;
    recv(passage->fd, at, taken, 0);
    passage->have += taken;
    if (len > 0) {
        on_reply(passage, status);
    }
}

static void ask(struct passage *passage)
{
    ssize_t sent = send(passage->fd, passage->request + passage->sent, passage->len - passage->sent,
                        MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        fail_io(passage, -errno);
        return;
    }
    passage->sent += sent > 0 ? (size_t)sent : 0;
    if (passage->sent == passage->len) {
        crypto_wipe(passage->request, sizeof passage->request);
        watch_set(passage->watch, WATCH_READ);
    }
}

static void on_ready(void *arg, int events)
{
    struct passage *passage = arg;
    (void)events;
    if (passage->sent < passage->len) {
        ask(passage);
    } else {
        hear(passage);
    }
}

/* ---- the beginning ---------------------------------------------------------- */

static void add_base64(struct text *text, const char *from)
{
    static const char LETTERS[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *bytes = (const uint8_t *)from;
    for (size_t len = strlen(from); len > 0; bytes += 3, len -= len < 3 ? len : 3) {
        uint32_t three = (uint32_t)bytes[0] << 16 | (len > 1 ? (uint32_t)bytes[1] << 8 : 0) |
                         (len > 2 ? bytes[2] : 0);
        text_add(text, "%c%c%c%c", LETTERS[three >> 18], LETTERS[three >> 12 & 63],
                 len > 1 ? LETTERS[three >> 6 & 63] : '=', len > 2 ? LETTERS[three & 63] : '=');
    }
}

static void write_request(struct passage *passage, const struct proxy *proxy)
{
    struct text text = text_over(passage->request, sizeof passage->request);
    text_add(&text, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", passage->where, passage->where);
    if (proxy->login[0]) {
        text_add(&text, "Proxy-Authorization: Basic ");
        add_base64(&text, proxy->login);
        text_add(&text, "\r\n");
    }
    text_add(&text, "\r\n");
    passage->len = text.len;
}

struct passage *passage_start(uv_loop_t *loop, int fd, const struct proxy *proxy, const char *host,
                              uint16_t port, uint64_t timeout_ms, passage_fn fn, void *arg)
{
    struct passage *passage = calloc(1, sizeof *passage);
    if (!passage) {
        return NULL;
    }
    passage->fn = fn;
    passage->arg = arg;
    passage->fd = fd;
    passage->has_login = proxy->login[0] != '\0';
    target_format(host, port, passage->where);
    write_request(passage, proxy);
    passage->watch = watch_start(loop, fd, WATCH_WRITE, on_ready, passage);
    passage->deadline = timer_new(loop, on_deadline, passage);
    if (!passage->watch || !passage->deadline) {
        passage->fd = -1; /* stays the caller's */
        passage_free(passage);
        return NULL;
    }
    timer_set(passage->deadline, timeout_ms);
    return passage;
}

void passage_cancel(struct passage *passage)
{
    if (passage) {
        passage_free(passage);
    }
}
