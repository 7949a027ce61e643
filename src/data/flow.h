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
 * FIN is only ever read when nothing is held.
 *
 * Bytes go in steps, each in one of two ways. Small ones are copied, by recv() and
 * send(): fewer system calls, and no pipe. Bulk is spliced through a pipe that the
 * worker's pool lends; without one it is copied. A flow changes between the two
 * after some steps in a row that speak for the other way, soon towards bulk and
 * slowly back, so that it does not flap.
 */
#ifndef PAMTUNNEL_DATA_FLOW_H
#define PAMTUNNEL_DATA_FLOW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/pipe.h"
#include "data/pulse.h"
#include "data/sluice.h"

struct link;

/* What a worker has for its flows to work with; nothing of it is kept beyond a turn but pipes. */
struct flow_kit {
    size_t bulk_step; /* a step of so many bytes speaks for splicing */
    struct pipe_pool pipes;
    size_t size;
    uint8_t *buffer;
};

/* One socket of a link, and what is known about it. */
struct side {
    struct link *link;
    int fd;
    bool readable : 1; /* recv() may have something to say: bytes, a FIN, an error */
    bool writable : 1;
    bool wary : 1;   /* FIN, error or urgent data is queued: a short read is not an empty socket */
    bool urgent : 1; /* there was urgent data, at which splice() halts and says EAGAIN */
    bool broken : 1; /* the kernel announced an error that nobody has fetched yet */
    struct pulse pulse;
};

/* Bytes that were read and that the other side has not taken yet. */
struct pending {
    size_t at, len;
    uint8_t bytes[];
};

/* What a flow read first, for as long as that is all. */
enum { HEAD_MAX = 255 };
struct head {
    size_t len;
    uint8_t bytes[];
};

enum flow_state { FLOW_OPEN, FLOW_AT_FIN, FLOW_DONE };

struct flow {
    enum flow_state state;
    bool bulk;        /* the next step is to be spliced */
    bool keeps_head;  /* what it reads is still to be kept */
    bool full;        /* the writing side took less than it was given */
    uint8_t contrary; /* steps in a row that spoke for the other way */
    struct side *from, *to;
    struct pending *pending; /* what was copied and is left; NULL if nothing is */
    struct pipe *pipe;       /* the same of what was spliced; never both */
    struct head *head;       /* NULL: nothing was read, or more, or nobody asked for it */
    struct sluice *sluice;   /* NULL: it has moved too little to need one */
    _Atomic uint64_t bytes;  /* delivered; the only field that other threads read */
};

enum flow_turn {
    FLOW_WAITS, /* for an event of one of its sides, or it is done */
    FLOW_MORE,  /* it could go on, but its turn is over */
};

/* Both sides must outlive it. */
void flow_init(struct flow *flow, struct side *from, struct side *to);
/* Ends it: what it held is dropped. Accepts a flow that was zeroed and never initialised. */
void flow_done(struct flow *flow);
/* Frees its head; nothing is kept from now on. */
void flow_drop_head(struct flow *flow);

/* Delivered so far; may be called in any thread. */
uint64_t flow_bytes(const struct flow *flow);

/* Copies bytes that are to be sent before all others. 0 or -ENOMEM. */
int flow_keep(struct flow *flow, const void *data, size_t len);

/*
 * Moves bytes until one side has to be waited for or the turn's share is used
 * up, and passes the FIN on when it is time. Returns an enum flow_turn, or
 * -errno if one of the two sockets failed. SIGPIPE must be blocked: splice(2) cannot
 * do without it.
 */
int flow_run(struct flow *flow, struct flow_kit *kit);
/*
 * The same without the FIN: for sockets that are about to be reset. After an
 * error was fetched, recv() says 0, and that must not look like an orderly end.
 */
int flow_move(struct flow *flow, struct flow_kit *kit);

#endif
