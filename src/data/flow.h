/*
 * flow: one direction of a link, from the socket of one side to that of the
 * other.
 *
 *     OPEN -- FIN read --> AT_FIN -- FIN passed on --> DONE
 *
 * The sockets are registered for edges, so what epoll said stays true until a
 * system call says otherwise: readable and writable live in the sides, and a
 * flow moves as long as the reading side is readable and the writing one is
 * writable. It stops reading while it holds bytes that could not be written, so a
 * FIN is only ever read when nothing is pending.
 */
#ifndef PAMTUNNEL_DATA_FLOW_H
#define PAMTUNNEL_DATA_FLOW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct link;

/* One socket of a link, and what is known about it. */
struct side {
    struct link *link;
    int fd;
    bool readable; /* recv() may have something to say: bytes, a FIN, an error */
    bool writable;
    bool wary;   /* FIN, error or urgent data is queued: a short read is not an empty socket */
    bool broken; /* the kernel announced an error that nobody has fetched yet */
};

enum flow_state { FLOW_OPEN, FLOW_AT_FIN, FLOW_DONE };

struct flow {
    enum flow_state state;
    struct side *from, *to;
    uint8_t *pending; /* what was read and not yet taken by `to`; NULL if nothing */
    size_t pending_at, pending_len;
    _Atomic uint64_t bytes; /* delivered; the only field that other threads read */
};

enum flow_turn {
    FLOW_WAITS, /* for an event of one of its sides, or it is done */
    FLOW_MORE,  /* it could go on, but its turn is over */
};

void flow_init(struct flow *flow, struct side *from, struct side *to);
/* Accepts a flow that was zeroed and never initialised. */
void flow_done(struct flow *flow);

/* Copies bytes that are to be sent before all others. 0 or -ENOMEM. */
int flow_keep(struct flow *flow, const void *data, size_t len);

/*
 * Moves bytes until one side has to be waited for or the turn's share is used
 * up, and passes the FIN on when it is time. Returns an enum flow_turn, or
 * -errno if one of the two sockets failed. The buffer is scratch space, free for
 * others as soon as this returns.
 */
int flow_run(struct flow *flow, void *buffer, size_t size);
/*
 * The same without the FIN: for sockets that are about to be reset. After an
 * error was fetched, recv() says 0, and that must not look like an orderly end.
 */
int flow_move(struct flow *flow, void *buffer, size_t size);

#endif
