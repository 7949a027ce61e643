/*
 * The loop's part: a socket and a deadline. What is said and what is heard is a conversation of the
 * kind's, which knows neither.
 *
 * It ends itself, once, before it calls back (look_finish()). What is to be said is short, and goes
 * into the empty buffer of a new connection whole.
 *
 * Who was seen is given a moment to end the connection as well: the next one, of its user, may come
 * at once, and some servers take one at a time.
 */
#include "gateway/look/look.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/timer.h"
#include "base/watch.h"
#include "gateway/look/certificate.h"
#include "gateway/look/host_key.h"

enum { ANSWER_MAX = 4096, PIECE = 4096 };

/* host_key.h has what the functions mean. */
struct way {
    void *(*start)(unsigned wanted, struct writer *answer);
    int (*take)(void *talk, const uint8_t *data, size_t len, struct writer *answer,
                struct sight *ret_sight, struct why *why);
    void (*end)(void *talk);
};

struct look {
    const struct way *way;
    void *talk;
    int fd;
    struct watch *watch;
    struct timer *timer;
    look_fn fn;
    void *arg;
    bool parting;
    struct sight sight; /* then */
};

/* ---- the kinds ------------------------------------------------------------- */

static void *start_host_key(unsigned wanted, struct writer *answer)
{
    return host_key_new(wanted, answer);
}

static int take_host_key(void *talk, const uint8_t *data, size_t len, struct writer *answer,
                         struct sight *ret_sight, struct why *why)
{
    return host_key_take(talk, data, len, answer, ret_sight, why);
}

static void end_host_key(void *talk)
{
    host_key_free(talk);
}

static void *start_certificate(unsigned wanted, struct writer *answer)
{
    (void)wanted;
    return certificate_new(answer);
}

static int take_certificate(void *talk, const uint8_t *data, size_t len, struct writer *answer,
                            struct sight *ret_sight, struct why *why)
{
    return certificate_take(talk, data, len, answer, ret_sight, why);
}

static void end_certificate(void *talk)
{
    certificate_free(talk);
}

static const struct way WAYS[KIND_COUNT] = {
    [KIND_RDP] = {start_certificate, take_certificate, end_certificate},
    [KIND_SSH] = {start_host_key, take_host_key, end_host_key},
};

bool look_is_possible(enum kind kind)
{
    return WAYS[kind].start != NULL;
}

/* ---- the connection -------------------------------------------------------- */

static void look_free(struct look *look)
{
    timer_free(look->timer);
    watch_free(look->watch);
    if (look->talk) {
        look->way->end(look->talk);
    }
    close(look->fd);
    free(look);
}

static void look_finish(struct look *look, const struct sight *sight, const struct why *why)
{
    look_fn fn = look->fn;
    void *arg = look->arg;
    look_free(look);
    fn(arg, sight, why);
}

static int say(const struct look *look, const void *answer, size_t len, struct why *why)
{
    ssize_t sent = len > 0 ? send(look->fd, answer, len, MSG_NOSIGNAL) : 0;
    if (sent < 0) {
        return why_set(why, -errno, "it ends the connection: %s", strerror(errno));
    }
    return (size_t)sent == len ? 0 : why_set(why, -EAGAIN, "it takes nothing in");
}

/* As way->take(). */
static int hear(const struct look *look, struct sight *ret_sight, struct why *why)
{
    uint8_t piece[PIECE], answer[ANSWER_MAX];
    struct writer writer = writer_over(answer, sizeof answer);
    ssize_t n = recv(look->fd, piece, sizeof piece, 0);
    if (n == 0) {
        return why_set(why, -ECONNRESET, "it ends the connection before it has said enough");
    }
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR
                   ? 0
                   : why_set(why, -errno, "it ends the connection: %s", strerror(errno));
    }
    int heard = look->way->take(look->talk, piece, (size_t)n, &writer, ret_sight, why);
    int err = heard < 0 ? heard : say(look, answer, sizeof answer - writer.left, why);
    return err < 0 && heard == 0 ? err : heard;
}

static void finish_parting(struct look *look)
{
    const struct sight sight = look->sight;
    look_finish(look, &sight, &(struct why){""});
}

static void part(struct look *look)
{
    look->parting = true;
    shutdown(look->fd, SHUT_WR);
    timer_set(look->timer, LOOK_PARTING_MS);
}

/* What it still has to say does not matter. */
static void hear_the_end(struct look *look)
{
    uint8_t piece[PIECE];
    ssize_t n = recv(look->fd, piece, sizeof piece, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        finish_parting(look);
    }
}

static void on_readable(void *arg, int events)
{
    struct look *look = arg;
    struct why why = {""};
    (void)events;
    if (look->parting) {
        hear_the_end(look);
        return;
    }
    int heard = hear(look, &look->sight, &why);
    if (heard > 0) {
        part(look);
    } else if (heard < 0) {
        look_finish(look, NULL, &why);
    }
}

static void on_timer(void *arg)
{
    struct look *look = arg;
    struct why why;
    if (look->parting) {
        finish_parting(look);
        return;
    }
    why_set(&why, -ETIMEDOUT, "it does not say enough within %d s", LOOK_MS / 1000);
    look_finish(look, NULL, &why);
}

struct look *look_start(uv_loop_t *loop, int fd, enum kind kind, unsigned wanted, look_fn fn,
                        void *arg)
{
    uint8_t answer[ANSWER_MAX];
    struct writer writer = writer_over(answer, sizeof answer);
    struct look *look = calloc(1, sizeof *look);
    if (!look) {
        close(fd);
        return NULL;
    }
    *look = (struct look){.way = &WAYS[kind], .fd = fd, .fn = fn, .arg = arg};
    look->talk = look->way->start(wanted, &writer);
    look->timer = timer_new(loop, on_timer, look);
    look->watch = watch_start(loop, fd, WATCH_READ, on_readable, look);
    if (!look->talk || !look->timer || !look->watch) {
        look_free(look);
        return NULL;
    }
    timer_set(look->timer, LOOK_MS);
    /* If that fails, the connection is over, and so says recv(2). */
    say(look, answer, sizeof answer - writer.left, NULL);
    return look;
}

void look_cancel(struct look *look)
{
    if (look) {
        look_free(look);
    }
}
