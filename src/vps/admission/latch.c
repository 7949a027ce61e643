/*
 * A talk reads a head, says its page, and then waits for the browser to hang up, since who closes a
 * socket with unread bytes in it takes the page back. It goes in hang_up() alone; `opened` may free
 * it and the latch, so that nothing touches them afterwards.
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
#include "vps/admission/places.h"

struct talk {
    struct list home; /* in one of the latch's lists */
    struct latch *latch;
    int fd;
    struct addr from;
    struct place place;
    struct https_line *line; /* NULL: it speaks without TLS */
    struct watch *watch;
    struct timer *patience;
    bool is_stranger; /* has not shown a key yet */
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
    const char *key; /* NULL: there are many */
    struct https *https;
    const struct latch_events *events;
    void *arg;
    struct list talks, strangers; /* the oldest one first */
    unsigned count;               /* of talks */
    struct reader readers[LATCH_READERS_MAX];
};

/* ---- places -------------------------------------------------------------------- */

static void hang_up(struct talk *talk)
{
    list_remove(&talk->home);
    talk->latch->count -= !talk->is_stranger;
    watch_free(talk->watch);
    timer_free(talk->patience);
    https_line_free(talk->line);
    close(talk->fd);
    crypto_wipe(talk->bytes, sizeof talk->bytes);
    free(talk);
}

/* Of itself, or since it is of no use; of a stranger the latch's owner hears. */
static void give_up(struct talk *talk)
{
    const struct latch *latch = talk->latch;
    bool is_stranger = talk->is_stranger;
    hang_up(talk);
    if (is_stranger && latch->events->unfit) {
        latch->events->unfit(latch->arg);
    }
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

/* Shared among providers, networks and parties, as at a door. */
static void make_room_for_stranger(struct latch *latch, const struct talk *newcomer)
{
    struct talk *talks[LATCH_STRANGERS_MAX];
    const struct place *places[LATCH_STRANGERS_MAX];
    unsigned count = 0;
    list_each (struct talk, talk, &latch->strangers, home) {
        talks[count] = talk;
        places[count++] = &talk->place;
    }
    int at = places_for_silent(places, count, &newcomer->place.from, LATCH_STRANGERS_MAX);
    if (at >= 0) {
        give_up(talks[at]);
    }
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

/* It has shown a key. */
static void welcome(struct talk *talk)
{
    struct latch *latch = talk->latch;
    if (talk->is_stranger) {
        list_remove(&talk->home);
        talk->is_stranger = false;
    }
    make_room(latch);
    list_append(&latch->talks, &talk->home);
    latch->count++;
    note_reader(latch, &talk->from);
}

/* ---- the answer ------------------------------------------------------------------ */

/* A page fits into a socket's buffer; who has shut it gets none. */
static void say(struct talk *talk, const struct text *text)
{
    talk->answered = true;
    if (talk->line) {
        https_write_last(talk->line, text->start, text->len);
    } else {
        (void)!send(talk->fd, text->start, text->len, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    watch_set(talk->watch, WATCH_READ);
    shutdown(talk->fd, SHUT_WR);
}

static void say_page(struct talk *talk, const struct http_request *request,
                     const struct latch_page *page)
{
    char buffer[LATCH_PAGE_SIZE];
    struct text text = text_over(buffer, sizeof buffer);
    latch_page_write(page, request->wants_german, request->method == HTTP_HEAD, &text);
    say(talk, &text);
}

static bool find_key(const struct talk *talk, char *key)
{
    const struct latch *latch = talk->latch;
    return http_request_key(talk->bytes, talk->have, LATCH_KEY_LEN, key) &&
           (!latch->key || crypto_equal(key, latch->key, LATCH_KEY_LEN));
}

static void answer(struct talk *talk, const struct http_request *request)
{
    const struct latch_events *events = talk->latch->events;
    void *arg = talk->latch->arg;
    char key[LATCH_KEY_LEN + 1];
    struct addr from = talk->from;
    const struct latch_visit visit = {
        .key = key, .from = &from, .pressed = request->method == HTTP_POST && !request->is_foreign};
    struct latch_page page = {.state = LATCH_SHUT};
    if (!find_key(talk, key) || !events->page(arg, &visit, &page)) {
        give_up(talk);
        return;
    }
    if (talk->is_stranger) {
        welcome(talk);
    }
    say_page(talk, request, &page);
    if (visit.pressed && page.state == LATCH_OPEN) {
        events->opened(arg, &visit);
    }
    crypto_wipe(key, sizeof key);
}

/* Strangers learn nothing. */
static void refuse(struct talk *talk)
{
    char buffer[LATCH_WORDS_SIZE];
    struct text text = text_over(buffer, sizeof buffer);
    if (talk->is_stranger) {
        give_up(talk);
        return;
    }
    latch_page_refuse(&text);
    say(talk, &text);
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

/* ---- the request ----------------------------------------------------------------- */

static long receive(const struct talk *talk, void *buffer, size_t size)
{
    ssize_t got = recv(talk->fd, buffer, size, 0);
    return got >= 0 ? (long)got : errno == EINTR ? -EAGAIN : -errno;
}

/* What comes behind the answer is of no interest, in TLS or not. */
static void forget(struct talk *talk)
{
    uint8_t rest[1024];
    long got = receive(talk, rest, sizeof rest);
    talk->drained += got > 0 ? (size_t)got : 0;
    if ((got <= 0 && got != -EAGAIN) || talk->drained > LATCH_DRAIN_MAX) {
        hang_up(talk);
    }
}

/* True: more of it is there. */
static bool hear(struct talk *talk)
{
    uint8_t *at = talk->bytes + talk->have;
    size_t room = sizeof talk->bytes - talk->have;
    long got = talk->line ? https_read(talk->line, at, room) : receive(talk, at, room);
    if (got > 0) {
        talk->have += (size_t)got;
    } else if (got == -EAGAIN) {
        /* Nothing is read while it has not taken what was said: its bytes would wake us in vain. */
        bool writes = talk->line && https_wants_to_write(talk->line);
        watch_set(talk->watch, writes ? WATCH_WRITE : WATCH_READ);
    } else {
        give_up(talk);
    }
    return got > 0;
}

static void on_bytes(void *arg, int events)
{
    struct talk *talk = arg;
    (void)events;
    if (talk->answered) {
        forget(talk);
    } else if (hear(talk)) {
        consider(talk);
    }
}

static void on_patience_over(void *arg)
{
    give_up(arg);
}

/* ---- the latch ---------------------------------------------------------------- */

struct latch *latch_new(uv_loop_t *loop, const char *key, struct https *https,
                        const struct latch_events *events, void *arg)
{
    struct latch *latch = calloc(1, sizeof *latch);
    if (latch) {
        *latch = (struct latch){
            .loop = loop, .key = key, .https = https, .events = events, .arg = arg};
        list_init(&latch->talks);
        list_init(&latch->strangers);
    }
    return latch;
}

void latch_free(struct latch *latch)
{
    if (latch) {
        list_each (struct talk, talk, &latch->talks, home) {
            hang_up(talk);
        }
        list_each (struct talk, talk, &latch->strangers, home) {
            hang_up(talk);
        }
        free(latch);
    }
}

long latch_missing(const struct latch *latch, const uint8_t *data, size_t len)
{
    return http_request_missing(data, len, latch->key, LATCH_KEY_LEN);
}

long latch_missing_of_tls(const struct latch *latch, const uint8_t *data, size_t len)
{
    long missing = https_missing(data, len);
    return missing < 0 || https_is_offered(latch->https) ? missing : -EBADMSG;
}

static struct talk *talk_new(struct latch *latch, int fd, const struct addr *from)
{
    struct talk *talk = calloc(1, sizeof *talk);
    if (!talk) {
        close(fd);
        return NULL;
    }
    talk->latch = latch;
    talk->fd = fd;
    talk->from = *from;
    talk->place = (struct place){origin_of(from), clock_ms()};
    list_init(&talk->home);
    return talk;
}

/* False: it is gone. */
static bool begin(struct talk *talk, uint64_t patience_ms)
{
    uv_loop_t *loop = talk->latch->loop;
    talk->watch = watch_start(loop, talk->fd, WATCH_READ, on_bytes, talk);
    talk->patience = timer_new(loop, on_patience_over, talk);
    if (!talk->watch || !talk->patience) {
        hang_up(talk);
        return false;
    }
    timer_set(talk->patience, patience_ms);
    return true;
}

void latch_take(struct latch *latch, int fd, const struct addr *from, const uint8_t *bytes,
                size_t len)
{
    struct talk *talk = talk_new(latch, fd, from);
    if (!talk) {
        return;
    }
    talk->have = len;
    memcpy(talk->bytes, bytes, len);
    welcome(talk);
    if (begin(talk, LATCH_PATIENCE_MS)) {
        consider(talk);
    }
}

void latch_take_tls(struct latch *latch, int fd, const struct addr *from, const uint8_t *bytes,
                    size_t len)
{
    struct talk *talk = talk_new(latch, fd, from);
    if (!talk) {
        return;
    }
    talk->is_stranger = true;
    if (https_begin(latch->https, fd, from, bytes, len, &talk->line) < 0) {
        give_up(talk); /* in nobody's place */
        return;
    }
    make_room_for_stranger(latch, talk);
    list_append(&latch->strangers, &talk->home);
    if (begin(talk, LATCH_TLS_PATIENCE_MS)) {
        on_bytes(talk, WATCH_READ); /* mostly its first flight is there */
    }
}
