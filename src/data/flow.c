/*
 * States are in flow.h. A flow belongs to its worker's thread; only flow_bytes() may be called
 * from another one, and it reads a counter that nothing else depends on.
 *
 * A turn is a number of steps, and each step leaves the flow in one of three forms: nothing held,
 * bytes pending in memory, or bytes in a pipe. Never two of them: order is kept by never reading
 * before everything that was read is out.
 *
 * readable and writable are cleared only by what a system call said, or by a short count that
 * says the same; since epoll tells edges, a flag that was cleared too early would hang the flow
 * for good, and one that was cleared too late costs one call.
 */
#include "data/flow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    /*
     * A turn is over after so many bytes: a few system calls' worth, small enough
     * that a keystroke behind a hundred bulk links is not felt, and large enough
     * that the queue costs nothing.
     */
    TURN_BYTES = 256 * 1024,
    /*
     * One splice, so that a turn never moves more than 1 MiB. Halving it costs 5 to
     * 10 % more CPU per byte, and halves what an interactive link waits beside bulk
     * (0.6 ms through two hops and eight busy streams).
     */
    SPLICE_BYTES = 768 * 1024,
    /* Steps in a row that change the way: two may be chance; going back gains little. */
    BULK_BEGINS = 2,
    BULK_ENDS = 32,
};

void flow_init(struct flow *flow, struct side *from, struct side *to)
{
    *flow = (struct flow){.state = FLOW_OPEN, .from = from, .to = to};
}

static void flow_set_state(struct flow *flow, enum flow_state state)
{
    flow->state = state;
}

static void flow_drop_pending(struct flow *flow)
{
    free(flow->pending);
    flow->pending = NULL;
}

void flow_done(struct flow *flow)
{
    flow_drop_pending(flow);
    pipe_put(flow->pipe);
    flow->pipe = NULL;
    sluice_free(flow->sluice);
    flow->sluice = NULL;
    flow_set_state(flow, FLOW_DONE);
}

uint64_t flow_bytes(const struct flow *flow)
{
    return atomic_load_explicit(&flow->bytes, memory_order_relaxed);
}

int flow_keep(struct flow *flow, const void *data, size_t len)
{
    if (len == 0) {
        return 0;
    }
    struct pending *pending = malloc(sizeof *pending + len);
    if (!pending) {
        return -ENOMEM;
    }
    pending->at = 0;
    pending->len = len;
    memcpy(pending->bytes, data, len);
    flow->pending = pending;
    return 0;
}

void flow_drop_head(struct flow *flow)
{
    free(flow->head);
    flow->head = NULL;
    flow->keeps_head = false;
}

/* It is no longer than what was read: most links never need more than their first lines. */
static void flow_add_to_head(struct flow *flow, const uint8_t *bytes, size_t len)
{
    struct head *old = flow->head;
    size_t have = old ? old->len : 0;
    struct head *head = len <= HEAD_MAX - have ? malloc(sizeof *head + have + len) : NULL;
    if (!head) {
        flow_drop_head(flow);
        return;
    }
    memcpy(head->bytes, old ? old->bytes : bytes, have);
    memcpy(head->bytes + have, bytes, len);
    head->len = have + len;
    free(old);
    flow->head = head;
}

/* `to` took some bytes, perhaps all there were. */
static void flow_count(struct flow *flow, size_t sent, bool all)
{
    /* The kernel took less because it is full, and has noted that it owes us an edge. */
    flow->to->writable = all;
    flow->full = !all;
    atomic_fetch_add_explicit(&flow->bytes, sent, memory_order_relaxed);
}

/* Returns the bytes that were taken, possibly none, or -errno. */
static ssize_t flow_send(struct flow *flow, const uint8_t *data, size_t len)
{
    ssize_t sent = send(flow->to->fd, data, len,
                        MSG_DONTWAIT | MSG_NOSIGNAL | sluice_send_flags(flow->sluice));
    if (sent < 0) {
        if (errno != EAGAIN) {
            return -errno;
        }
        sent = 0;
    }
    flow_count(flow, (size_t)sent, (size_t)sent == len);
    return sent;
}

/* All steps return the bytes they moved, or -errno. */
static ssize_t flow_flush(struct flow *flow)
{
    struct pending *pending = flow->pending;
    ssize_t sent = flow_send(flow, pending->bytes + pending->at, pending->len - pending->at);
    if (sent > 0) {
        pending->at += (size_t)sent;
    }
    if (pending->at == pending->len) {
        flow_drop_pending(flow);
    }
    return sent;
}

static ssize_t flow_drain(struct flow *flow)
{
    struct pipe *pipe = flow->pipe;
    /* Never with SPLICE_F_MORE: it holds the last bytes back for 200 ms. */
    ssize_t sent = splice(pipe->out, NULL, flow->to->fd, NULL, pipe->held, SPLICE_F_NONBLOCK);
    if (sent < 0) {
        if (errno != EAGAIN) {
            return -errno;
        }
        sent = 0;
    }
    pipe->held -= (size_t)sent;
    flow_count(flow, (size_t)sent, pipe->held == 0);
    return sent;
}

static void flow_set_bulk(struct flow *flow, bool bulk)
{
    flow->bulk = bulk;
    flow->contrary = 0;
}

/* Which way the next step goes, after one of so many bytes. */
static void flow_judge(struct flow *flow, size_t got, size_t bulk_step)
{
    bool contrary = flow->bulk ? got < bulk_step / 2 : got >= bulk_step;
    flow->contrary = contrary ? flow->contrary + 1 : 0;
    if (flow->contrary == (flow->bulk ? BULK_ENDS : BULK_BEGINS)) {
        flow_set_bulk(flow, !flow->bulk);
    }
}

static ssize_t flow_copy(struct flow *flow, struct flow_kit *kit)
{
    size_t most = sluice_step(flow->sluice, kit->size);
    ssize_t got = recv(flow->from->fd, kit->buffer, most, MSG_DONTWAIT);
    if (got < 0) {
        flow->from->readable = errno != EAGAIN;
        return errno == EAGAIN ? 0 : -errno;
    }
    if (got == 0) {
        flow_set_state(flow, FLOW_AT_FIN);
        return 0;
    }
    if ((size_t)got < most && !flow->from->wary) {
        flow->from->readable = false; /* saves the recv() that would say EAGAIN */
    }
    if (flow->keeps_head) {
        flow_add_to_head(flow, kit->buffer, (size_t)got);
    }
    flow_judge(flow, (size_t)got, kit->bulk_step);
    ssize_t sent = flow_send(flow, kit->buffer, (size_t)got);
    if (sent < 0) {
        return sent;
    }
    int err = flow_keep(flow, kit->buffer + sent, (size_t)(got - sent));
    return err < 0 ? err : got;
}

/*
 * Only ever into an empty pipe, so that EAGAIN means that the socket is empty. A
 * short splice means nothing: packets can use up the slots of a pipe long before
 * its bytes.
 */
static ssize_t flow_splice(struct flow *flow, struct flow_kit *kit)
{
    int from = flow->from->fd;
    size_t most = sluice_step(flow->sluice, SPLICE_BYTES);
    ssize_t got = splice(from, NULL, flow->pipe->in, NULL, most, SPLICE_F_NONBLOCK);
    if (got < 0) {
        flow->from->readable = errno != EAGAIN;
        return errno == EAGAIN ? 0 : -errno;
    }
    if (got == 0) {
        flow_set_bulk(flow, false); /* recv() is to say what it is, as always */
        return 0;
    }
    if (flow->keeps_head) {
        flow_drop_head(flow); /* it is too much, and was not seen */
    }
    flow->pipe->held = (size_t)got;
    flow_judge(flow, (size_t)got, kit->bulk_step);
    ssize_t sent = flow_drain(flow);
    return sent < 0 ? sent : got;
}

static bool flow_holds(const struct flow *flow)
{
    return flow->pending || (flow->pipe && flow->pipe->held > 0);
}

static bool flow_can_move(const struct flow *flow)
{
    if (flow_holds(flow)) {
        return flow->to->writable;
    }
    return flow->state == FLOW_OPEN && flow->from->readable && flow->to->writable;
}

static ssize_t flow_step(struct flow *flow, struct flow_kit *kit)
{
    if (flow->pending) {
        return flow_flush(flow);
    }
    if (flow->pipe && flow->pipe->held > 0) {
        return flow_drain(flow);
    }
    /* splice() stops at urgent data forever; recv() reads across it. */
    if (!flow->bulk || flow->from->urgent) {
        return flow_copy(flow, kit);
    }
    if (!flow->pipe) {
        flow->pipe = pipe_get(&kit->pipes);
    }
    return flow->pipe ? flow_splice(flow, kit) : flow_copy(flow, kit);
}

static int flow_take_turn(struct flow *flow, struct flow_kit *kit)
{
    /* A first, short turn: then it is known whether a sluice is needed, before much has queued. */
    size_t share = flow->sluice ? TURN_BYTES : SLUICE_FROM_BYTES;
    size_t moved = 0;
    while (flow_can_move(flow)) {
        if (moved >= share) {
            return FLOW_MORE;
        }
        ssize_t step = flow_step(flow, kit);
        if (step < 0) {
            return (int)step;
        }
        moved += (size_t)step;
    }
    return FLOW_WAITS;
}

static struct sluice_view flow_view(const struct flow *flow)
{
    return (struct sluice_view){flow->from->fd, flow->to->fd, flow_bytes(flow)};
}

/* A turn, and what the sluice makes of it. */
static int flow_take_measured_turn(struct flow *flow, struct flow_kit *kit)
{
    struct sluice_view view = flow_view(flow);
    if (flow->sluice) {
        sluice_before(flow->sluice, &view);
    }
    int turn = flow_take_turn(flow, kit);
    bool much = flow_bytes(flow) - view.bytes >= SLUICE_FROM_BYTES;
    view = flow_view(flow);
    if (turn >= 0 && !flow->sluice && (much || flow->full)) {
        flow->sluice = sluice_new(&view);
    }
    if (turn >= 0 && flow->sluice) {
        sluice_after(flow->sluice, &view, flow->full);
    }
    return turn;
}

int flow_move(struct flow *flow, struct flow_kit *kit)
{
    int turn = flow_take_measured_turn(flow, kit);
    if (flow->pipe && flow->pipe->held == 0) {
        pipe_put(flow->pipe);
        flow->pipe = NULL;
    }
    return turn;
}

int flow_run(struct flow *flow, struct flow_kit *kit)
{
    int turn = flow_move(flow, kit);
    if (flow->state == FLOW_AT_FIN) {
        if (shutdown(flow->to->fd, SHUT_WR) < 0) {
            return -errno;
        }
        flow_set_state(flow, FLOW_DONE);
    }
    return turn;
}
