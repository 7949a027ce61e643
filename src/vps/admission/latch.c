/*
 * A talk reads a head, says its page, and then waits for the browser to hang up, since who closes a
 * socket with unread bytes in it takes the page back. It goes in finish() or hang_up() alone;
 * `opened` may free it and the latch, so that nothing touches them afterwards.
 */
#include "vps/admission/latch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/list.h"
#include "base/timer.h"
#include "base/watch.h"
#include "vps/admission/http_request.h"

struct talk {
    struct list home; /* in the latch's list */
    struct latch *latch;
    int fd;
    struct addr from;
    struct watch *watch;
    struct timer *patience;
    bool answered;
    size_t drained;
    size_t have;
    uint8_t bytes[HTTP_REQUEST_MAX]; /* the key stands in them */
};

struct reader {
    struct addr from;
    uint64_t at_ms; /* the last time; 0: nobody */
};

struct latch {
    uv_loop_t *loop;
    const char *key;
    const struct latch_events *events;
    void *arg;
    struct list talks; /* the oldest one first */
    unsigned count;
    struct reader readers[LATCH_READERS_MAX];
};

static void hang_up(struct talk *talk)
{
    list_remove(&talk->home);
    talk->latch->count--;
    watch_free(talk->watch);
    timer_free(talk->patience);
    close(talk->fd);
    crypto_wipe(talk->bytes, sizeof talk->bytes);
    free(talk);
}

/* A page fits into a socket's buffer; who has shut it gets none. */
static void say(struct talk *talk, const struct text *text)
{
    talk->answered = true;
    (void)!send(talk->fd, text->start, text->len, MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(talk->fd, SHUT_WR);
}

static void answer(struct talk *talk, const struct http_request *request)
{
    const struct latch_events *events = talk->latch->events;
    void *arg = talk->latch->arg;
    struct addr from = talk->from;
    bool pressed = request->method == HTTP_POST && !request->is_foreign;
    struct latch_page page = {.state = LATCH_SHUT};
    char buffer[LATCH_PAGE_SIZE];
    struct text text = text_over(buffer, sizeof buffer);
    events->page(arg, &from, pressed, &page);
    latch_page_write(&page, request->wants_german, request->method == HTTP_HEAD, &text);
    say(talk, &text);
    if (pressed && page.state == LATCH_OPEN) {
        events->opened(arg, &from);
    }
}

static void refuse(struct talk *talk)
{
    char buffer[LATCH_WORDS_SIZE];
    struct text text = text_over(buffer, sizeof buffer);
    latch_page_refuse(&text);
    say(talk, &text);
}

/* True: something was to be read, and there may be more. */
static bool hear(struct talk *talk)
{
    uint8_t rest[1024];
    uint8_t *at = talk->answered ? rest : talk->bytes + talk->have;
    size_t room = talk->answered ? sizeof rest : sizeof talk->bytes - talk->have;
    ssize_t got = recv(talk->fd, at, room, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return false;
    }
    if (got <= 0 || talk->drained > LATCH_DRAIN_MAX) {
        hang_up(talk);
        return false;
    }
    *(talk->answered ? &talk->drained : &talk->have) += (size_t)got;
    return true;
}

static void consider(struct talk *talk)
{
    struct http_request request;
    int err = http_request_parse(talk->bytes, talk->have, &request);
    if (err == 0 && request.method != HTTP_OTHER) {
        answer(talk, &request);
    } else if (err != -EAGAIN) {
        refuse(talk);
    }
}

static void on_bytes(void *arg, int events)
{
    struct talk *talk = arg;
    (void)events;
    bool answered = talk->answered;
    if (hear(talk) && !answered) {
        consider(talk);
    }
}

static void on_patience_over(void *arg)
{
    hang_up(arg);
}

/* ---- the latch ---------------------------------------------------------------- */

struct latch *latch_new(uv_loop_t *loop, const char *key, const struct latch_events *events,
                        void *arg)
{
    struct latch *latch = calloc(1, sizeof *latch);
    if (latch) {
        *latch = (struct latch){.loop = loop, .key = key, .events = events, .arg = arg};
        list_init(&latch->talks);
    }
    return latch;
}

void latch_free(struct latch *latch)
{
    if (latch) {
        list_each (struct talk, talk, &latch->talks, home) {
            hang_up(talk);
        }
        free(latch);
    }
}

long latch_missing(const struct latch *latch, const uint8_t *data, size_t len)
{
    return http_request_missing(data, len, latch->key, LATCH_KEY_LEN);
}

/* In its own place, or in that of whoever asked last the longest time ago. */
static void note_reader(struct latch *latch, const struct addr *from)
{
    struct reader *place = &latch->readers[0];
    for (unsigned i = 0; i < LATCH_READERS_MAX; i++) {
        struct reader *reader = &latch->readers[i];
        bool is_own = reader->at_ms > 0 && addr_same_party(&reader->from, from);
        if (is_own) {
            place = reader;
            break;
        }
        place = reader->at_ms < place->at_ms ? reader : place;
    }
    *place = (struct reader){.from = *from, .at_ms = clock_ms()};
}

bool latch_was_read(const struct latch *latch, const struct addr *from, uint64_t since_ms)
{
    unsigned i = 0;
    while (i < LATCH_READERS_MAX &&
           (latch->readers[i].at_ms == 0 || latch->readers[i].at_ms < since_ms ||
            !addr_same_party(&latch->readers[i].from, from))) {
        i++;
    }
    return i < LATCH_READERS_MAX;
}

static void make_room(struct latch *latch)
{
    list_each (struct talk, talk, &latch->talks, home) {
        if (latch->count < LATCH_TALKS_MAX) {
            break;
        }
        hang_up(talk);
    }
}

void latch_take(struct latch *latch, int fd, const struct addr *from, const uint8_t *bytes,
                size_t len)
{
    note_reader(latch, from);
    make_room(latch);
    struct talk *talk = calloc(1, sizeof *talk);
    if (!talk) {
        close(fd);
        return;
    }
    talk->latch = latch;
    talk->fd = fd;
    talk->from = *from;
    talk->have = len;
    memcpy(talk->bytes, bytes, len);
    list_append(&latch->talks, &talk->home);
    latch->count++;
    talk->watch = watch_start(latch->loop, fd, WATCH_READ, on_bytes, talk);
    talk->patience = timer_new(latch->loop, on_patience_over, talk);
    if (!talk->watch || !talk->patience) {
        hang_up(talk);
        return;
    }
    timer_set(talk->patience, LATCH_PATIENCE_MS);
    consider(talk);
}
