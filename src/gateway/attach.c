/*
 * approaching -> STEP_HELLO -> STEP_ANSWER -> STEP_FINAL -> STEP_DONE: one part of the proof is
 * sent or read at a time, in one buffer. Nothing is read beyond the answer, since what follows it
 * in the connection is the user's and goes to the relay.
 *
 * It ends itself, once, before it calls back: attach_fail() and attach_succeed() free everything
 * first, so the callback may start another one, or free whoever owned this. After that nothing here
 * may be touched.
 */
#include "gateway/attach.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/timer.h"
#include "base/watch.h"
#include "data/proof.h"

enum {
    DIAL_MS = 5000,
    PROOF_MS = 5000,
};

_Static_assert(PROOF_HELLO_SIZE <= PROOF_ANSWER_SIZE && PROOF_FINAL_SIZE <= PROOF_ANSWER_SIZE,
               "the answer is the longest part");

enum attach_step { STEP_HELLO, STEP_ANSWER, STEP_FINAL, STEP_DONE };

struct attach {
    attach_fn fn;
    void *arg;
    uv_loop_t *loop;
    struct addr vps;
    struct approach *approach;
    struct watch *watch;
    struct timer *slow; /* ends a proof */
    int fd;
    enum attach_step step;
    struct proof proof;
    uint8_t buffer[PROOF_ANSWER_SIZE]; /* the part that is being sent or read */
    size_t len;                        /* of the part */
    size_t done;                       /* of them sent or read */
};

/* All but the socket, which may have become somebody else's. */
static void attach_free(struct attach *attach)
{
    approach_cancel(attach->approach);
    watch_free(attach->watch);
    timer_free(attach->slow);
    proof_wipe(&attach->proof);
    crypto_wipe(attach->buffer, sizeof attach->buffer);
    free(attach);
}

static void attach_fail(struct attach *attach, const char *clause, int err)
{
    attach_fn fn = attach->fn;
    void *arg = attach->arg;
    char address[ADDR_TEXT_MAX];
    struct failure failure;

    failure = failure_make(TUNNEL_DATA_UNREACHABLE, "%s %s (%s)", addr_text(&attach->vps, address),
                           clause, strerror(-err));
    /* It holds the address that the clause was made of: only now. */
    attach_cancel(attach);
    fn(arg, &failure, -1);
}

static void attach_succeed(struct attach *attach)
{
    attach_fn fn = attach->fn;
    void *arg = attach->arg;
    int fd = attach->fd;

    attach_free(attach);
    fn(arg, NULL, fd);
}

static void begin_step(struct attach *attach, enum attach_step step, size_t len)
{
    attach->step = step;
    attach->len = len;
    attach->done = 0;
}

/* 0 once the whole part is out, or here, else -EAGAIN or another -errno. Never reads beyond it. */
static int move_part(struct attach *attach)
{
    bool reads = attach->step == STEP_ANSWER;
    while (attach->done < attach->len) {
        uint8_t *at = attach->buffer + attach->done;
        size_t left = attach->len - attach->done;
        /* Exactly what is missing of this part, so that no user's byte is lost here. */
        ssize_t n = reads ? recv(attach->fd, at, left, 0)
                          : send(attach->fd, at, left, MSG_NOSIGNAL);
        if (n == 0 && reads) {
            return -ECONNRESET;
        }
        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        attach->done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int check_answer(struct attach *attach)
{
    uint8_t final[PROOF_FINAL_SIZE];
    int err = proof_final(&attach->proof, attach->buffer, final);
    if (err < 0) {
        return err;
    }
    memcpy(attach->buffer, final, sizeof final);
    begin_step(attach, STEP_FINAL, sizeof final);
    return 0;
}

/* Does as much as the socket allows; -EAGAIN when it has to wait. */
static int attach_advance(struct attach *attach)
{
    int err = 0;
    while (err == 0 && attach->step != STEP_DONE) {
        err = move_part(attach);
        if (err < 0) {
            break;
        }
        if (attach->step == STEP_HELLO) {
            begin_step(attach, STEP_ANSWER, PROOF_ANSWER_SIZE);
        } else if (attach->step == STEP_ANSWER) {
            err = check_answer(attach);
        } else {
            attach->step = STEP_DONE;
        }
    }
    return err;
}

static void attach_ready(void *arg, int events);

static void attach_wait(struct attach *attach)
{
    int events = attach->step == STEP_ANSWER ? WATCH_READ : WATCH_WRITE;
    if (attach->watch) {
        watch_set(attach->watch, events);
        return;
    }
    attach->watch = watch_start(attach->loop, attach->fd, events, attach_ready, attach);
    if (!attach->watch) {
        attach_fail(attach, "cannot be watched", -ENOMEM);
    }
}

static void attach_ready(void *arg, int events)
{
    struct attach *attach = arg;
    int err = attach_advance(attach);
    (void)events;
    if (err == -EAGAIN) {
        attach_wait(attach);
    } else if (err == -EACCES) {
        attach_fail(attach, "answers, but is not the VPS that asked for this tunnel", err);
    } else if (err < 0) {
        attach_fail(attach, "broke off the data channel before it was proven", err);
    } else {
        attach_succeed(attach);
    }
}

static void attach_slow(void *arg)
{
    attach_fail(arg, "accepts the connection but does not prove that it is the VPS", -ETIMEDOUT);
}

/* It refuses most ports: what can be done about that is done on the VPS. */
static void not_let_through(struct attach *attach, const struct why *why)
{
    attach_fn fn = attach->fn;
    void *arg = attach->arg;
    /* The reason whose words the VPS passes on. */
    struct failure failure = failure_make(TUNNEL_ERROR,
                                          "%.120s; DATA_PORT=control on the server "
                                          "helps if it is the port",
                                          why->text);
    attach_cancel(attach);
    fn(arg, &failure, -1);
}

static void attach_approached(void *arg, int fd, const struct addr *addr, const struct why *why)
{
    struct attach *attach = arg;
    (void)addr;
    attach->approach = NULL;
    if (fd < 0 && why->text[0]) {
        not_let_through(attach, why);
        return;
    }
    if (fd < 0) {
        attach_fail(attach, "cannot be reached: is the VPS's firewall open for its range of ports?",
                    fd);
        return;
    }
    net_tune(fd);
    attach->fd = fd;
    timer_set(attach->slow, PROOF_MS);
    attach_ready(attach, WATCH_WRITE);
}

int attach_start(uv_loop_t *loop, const struct attach_request *request, attach_fn fn, void *arg,
                 struct attach **ret_attach)
{
    struct attach *attach = calloc(1, sizeof *attach);
    int err;
    if (!attach) {
        return -ENOMEM;
    }
    attach->fn = fn;
    attach->arg = arg;
    attach->loop = loop;
    attach->vps = request->vps;
    attach->fd = -1;
    err = proof_hello(&attach->proof, request->session, request->channel, request->token,
                      attach->buffer);
    if (err < 0) {
        goto fail;
    }
    begin_step(attach, STEP_HELLO, PROOF_HELLO_SIZE);
    err = -ENOMEM;
    addr_set_port(&attach->vps, approach_port(&request->way, request->data_port));
    const struct approach_request approach = {.way = request->way,
                                              .port = request->data_port,
                                              .addrs = &attach->vps,
                                              .count = 1,
                                              .timeout_ms = DIAL_MS};
    attach->slow = timer_new(loop, attach_slow, attach);
    attach->approach = approach_start(loop, &approach, attach_approached, attach);
    if (!attach->slow || !attach->approach) {
        goto fail;
    }
    *ret_attach = attach;
    return 0;

fail:
    attach_free(attach);
    return err;
}

void attach_cancel(struct attach *attach)
{
    if (!attach) {
        return;
    }
    if (attach->fd >= 0) {
        watch_free(attach->watch);
        attach->watch = NULL;
        close(attach->fd);
    }
    attach_free(attach);
}
