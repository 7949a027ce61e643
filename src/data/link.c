#include "data/link_core.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/net.h"

enum {
    /*
     * A half-closed link that moves nothing for so long (and up to twice that) is
     * taken for forgotten. Keepalive has long removed peers that are gone by then,
     * and programs that answer after their peer's FIN do so sooner.
     */
    HALF_CLOSED_MS = 60 * 60 * 1000,
};

static void side_init(struct side *side, struct link *link, int fd)
{
    /* Not readable, not writable: epoll says what holds as soon as it gets the socket. */
    *side = (struct side){.link = link, .fd = fd};
}

int link_new(int a, int b, const void *prefix, size_t prefix_len, void *arg, struct link **ret_link)
{
    struct link *link = calloc(1, sizeof *link);
    if (!link) {
        return -ENOMEM;
    }
    side_init(&link->side[0], link, a);
    side_init(&link->side[1], link, b);
    flow_init(&link->flow[0], &link->side[0], &link->side[1]);
    flow_init(&link->flow[1], &link->side[1], &link->side[0]);
    list_init(&link->home);
    list_init(&link->turn);
    list_init(&link->command);
    link->arg = arg;
    int err = flow_keep(&link->flow[0], prefix, prefix_len);
    if (err < 0) {
        link_free(link);
        return err;
    }
    *ret_link = link;
    return 0;
}

void link_free(struct link *link)
{
    if (link) {
        flow_done(&link->flow[0]);
        flow_done(&link->flow[1]);
        flow_drop_head(&link->flow[1]);
        free(link);
    }
}

void link_keep_head(struct link *link)
{
    link->flow[1].keeps_head = true;
}

void link_note_events(struct side *side, uint32_t events)
{
    uint32_t final = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
    side->readable |= (events & (EPOLLIN | final)) != 0;
    side->writable |= (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0;
    side->wary |= (events & (EPOLLPRI | final)) != 0;
    side->urgent |= (events & EPOLLPRI) != 0;
    side->broken |= (events & EPOLLERR) != 0;
    if ((events & final) && !side->link->one_left) {
        side->link->one_left = true;
        side->link->b_left_first = side == &side->link->side[1];
    }
}

void link_close(struct link *link, enum link_end end, int error)
{
    for (unsigned i = 0; i < 2; i++) {
        if (end == LINK_FINISHED) {
            close(link->side[i].fd);
        } else {
            net_reset(link->side[i].fd);
        }
        link->side[i].fd = -1;
        flow_done(&link->flow[i]);
    }
    link->over = true;
    link->end = (uint8_t)end;
    link->error = error;
}

/* EPIPE is how Linux reports an RST that came after the FIN, ENOTCONN how shutdown() does. */
static enum link_end end_of_error(int error)
{
    switch (error) {
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
    case ENOTCONN:
        return LINK_RESET;
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETUNREACH:
    case ENETDOWN:
        return LINK_DEAD;
    default:
        return LINK_FAILED;
    }
}

/*
 * An error that announced itself but that no recv() or send() has met, because
 * the flow that would meet it is done or waits for the other side. Without this
 * a link whose one side is gone would hang until the other side reads or writes.
 * 0 or -errno.
 */
static int link_hidden_error(struct link *link)
{
    for (unsigned i = 0; i < 2; i++) {
        struct side *side = &link->side[i];
        if (side->broken) {
            side->broken = false;
            int err = net_error(side->fd);
            if (err < 0) {
                return err;
            }
        }
    }
    return 0;
}

/*
 * The other flow failed, perhaps in send(): what that socket's peer had sent
 * before is then still unread, and epoll may not have said so yet.
 */
static void link_salvage(struct link *link, unsigned i, struct flow_kit *kit)
{
    link->side[i].readable = link->side[i].wary = true;
    while (flow_move(&link->flow[i], kit) == FLOW_MORE) {
        /* At most what the receive buffer holds: nothing is added any more. */
    }
}

static void link_fail(struct link *link, int err)
{
    link_close(link, end_of_error(-err), -err);
}

bool link_run(struct link *link, struct flow_kit *kit)
{
    bool more = false;
    for (unsigned i = 0; i < 2; i++) {
        int turn = flow_run(&link->flow[i], kit);
        if (turn < 0) {
            link_salvage(link, 1 - i, kit);
            link_fail(link, turn);
            return false;
        }
        more |= turn == FLOW_MORE;
    }
    if (link->flow[0].state == FLOW_DONE && link->flow[1].state == FLOW_DONE) {
        link_close(link, LINK_FINISHED, 0);
        return false;
    }
    int err = more ? 0 : link_hidden_error(link);
    if (err < 0) {
        link_fail(link, err);
    }
    return more;
}

static bool link_is_half_closed(const struct link *link)
{
    return link->flow[0].state != FLOW_OPEN || link->flow[1].state != FLOW_OPEN;
}

static bool link_is_forgotten(struct link *link, uint64_t now_ms)
{
    if (!link_is_half_closed(link)) {
        return false;
    }
    uint64_t bytes = link_bytes_a_to_b(link) + link_bytes_b_to_a(link);
    if (link->due_ms == 0 || (link->due_ms <= now_ms && link->due_bytes != bytes)) {
        link->due_ms = now_ms + HALF_CLOSED_MS;
        link->due_bytes = bytes;
    }
    return link->due_ms <= now_ms;
}

void link_check(struct link *link, uint64_t now_ms)
{
    bool dead = link_is_forgotten(link, now_ms);
    for (unsigned i = 0; i < 2; i++) {
        const struct flow *to = &link->flow[1 - i];
        /* A FIN is a byte, too, that has to be acknowledged. */
        uint64_t sent = flow_bytes(to) + (to->state == FLOW_DONE);
        dead |= pulse_is_gone(&link->side[i].pulse, link->side[i].fd, sent, now_ms);
    }
    if (dead) {
        link_fail(link, -ETIMEDOUT);
    }
}

bool link_is_bulk(const struct link *link)
{
    return link->flow[0].bulk || link->flow[1].bulk;
}

uint64_t link_bytes_a_to_b(const struct link *link)
{
    return flow_bytes(&link->flow[0]);
}

uint64_t link_bytes_b_to_a(const struct link *link)
{
    return flow_bytes(&link->flow[1]);
}

void *link_arg(const struct link *link)
{
    return link->arg;
}

enum link_end link_end(const struct link *link)
{
    return (enum link_end)link->end;
}

int link_error(const struct link *link)
{
    return link->error;
}

bool link_b_left_first(const struct link *link)
{
    return link->b_left_first;
}

const void *link_head(const struct link *link, size_t *ret_len)
{
    const struct head *head = link->flow[1].head;
    *ret_len = head ? head->len : 0;
    return head ? head->bytes : NULL;
}
