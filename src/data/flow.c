#include "data/flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    /*
     * One turn's share: a few system calls' worth, small enough that a keystroke
     * behind a hundred bulk links is not felt, and large enough that the queue
     * costs nothing.
     */
    TURN_BYTES = 256 * 1024,
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
    flow->pending_at = flow->pending_len = 0;
}

void flow_done(struct flow *flow)
{
    flow_drop_pending(flow);
    flow_set_state(flow, FLOW_DONE);
}

int flow_keep(struct flow *flow, const void *data, size_t len)
{
    if (len == 0) {
        return 0;
    }
    uint8_t *pending = malloc(len);
    if (!pending) {
        return -ENOMEM;
    }
    memcpy(pending, data, len);
    flow->pending = pending;
    flow->pending_at = 0;
    flow->pending_len = len;
    return 0;
}

/* Returns the bytes that were taken, possibly none, or -errno. */
static ssize_t flow_send(struct flow *flow, const uint8_t *data, size_t len)
{
    ssize_t sent = send(flow->to->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno != EAGAIN) {
            return -errno;
        }
        sent = 0;
    }
    /* The kernel took less because it is full, and has noted that it owes us an edge. */
    flow->to->writable = (size_t)sent == len;
    atomic_fetch_add_explicit(&flow->bytes, (uint64_t)sent, memory_order_relaxed);
    return sent;
}

/* Both steps return the bytes they moved, or -errno. */
static ssize_t flow_flush(struct flow *flow)
{
    ssize_t sent = flow_send(flow, flow->pending + flow->pending_at,
                             flow->pending_len - flow->pending_at);
    if (sent > 0) {
        flow->pending_at += (size_t)sent;
    }
    if (flow->pending_at == flow->pending_len) {
        flow_drop_pending(flow);
    }
    return sent;
}

static ssize_t flow_copy(struct flow *flow, uint8_t *buffer, size_t size)
{
    ssize_t got = recv(flow->from->fd, buffer, size, MSG_DONTWAIT);
    if (got < 0) {
        flow->from->readable = errno != EAGAIN;
        return errno == EAGAIN ? 0 : -errno;
    }
    if (got == 0) {
        flow_set_state(flow, FLOW_AT_FIN);
        return 0;
    }
    if ((size_t)got < size && !flow->from->wary) {
        flow->from->readable = false; /* saves the recv() that would say EAGAIN */
    }
    ssize_t sent = flow_send(flow, buffer, (size_t)got);
    if (sent < 0) {
        return sent;
    }
    int err = flow_keep(flow, buffer + sent, (size_t)(got - sent));
    return err < 0 ? err : got;
}

static bool flow_can_move(const struct flow *flow)
{
    if (flow->pending) {
        return flow->to->writable;
    }
    return flow->state == FLOW_OPEN && flow->from->readable && flow->to->writable;
}

int flow_move(struct flow *flow, void *buffer, size_t size)
{
    size_t moved = 0;
    while (flow_can_move(flow)) {
        if (moved >= TURN_BYTES) {
            return FLOW_MORE;
        }
        ssize_t step = flow->pending ? flow_flush(flow) : flow_copy(flow, buffer, size);
        if (step < 0) {
            return (int)step;
        }
        moved += (size_t)step;
    }
    return FLOW_WAITS;
}

int flow_run(struct flow *flow, void *buffer, size_t size)
{
    int turn = flow_move(flow, buffer, size);
    if (flow->state == FLOW_AT_FIN) {
        if (shutdown(flow->to->fd, SHUT_WR) < 0) {
            return -errno;
        }
        flow_set_state(flow, FLOW_DONE);
    }
    return turn;
}
