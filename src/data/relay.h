/*
 * relay: the data plane. Worker threads that own pairs of connected sockets and
 * carry bytes between them until both directions are over. It knows nothing of
 * sessions, gateways or users, and nothing of the control plane's event loop.
 *
 * What it keeps (the invariants):
 *  - A FIN is passed on in its direction alone, after all bytes before it
 *    (half-close). An RST or an error on one side resets the other, after what its
 *    peer had sent before was passed on as far as that goes without waiting.
 *  - Nothing that was read is lost: bytes go out in order, or the link ends with
 *    an error that is reported.
 *  - A side that does not read stops the other side's reading (backpressure);
 *    memory per link is bounded, and an idle link holds its two descriptors, no
 *    buffer and no pipe.
 *  - In front of the slower side no more waits than it sends in some milliseconds, in
 *    the kernel's buffers too (sluice).
 *  - Bytes go through a pipe (bulk) or a buffer, never through both at once, and a
 *    pipe in which bytes are left is closed, not lent to another link. A link never
 *    waits for a pipe.
 *  - Nobody starves: a link moves at most 1 MiB each way in its turn. Bulk links
 *    take turns, and between two of them go all interactive links that are ready.
 *  - Nothing spins: a side is asked again only after epoll had news of it.
 *  - A peer that is gone ends its link (LINK_DEAD), a peer that pauses does not.
 *  - A link is reported as ended exactly once, after both its sockets are closed.
 *
 * Threads: all functions are called from one thread, the control plane's. Links
 * that ended come back through a descriptor that becomes readable.
 */
#ifndef PAMTUNNEL_DATA_RELAY_H
#define PAMTUNNEL_DATA_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/link.h"
#include "data/tuning.h"

struct relay;

enum { RELAY_PREFIX_MAX = 4096 };

/*
 * workers: threads, at least 1. 0 or -errno. Besides its links' sockets each has
 * up to 35 descriptors, most of them pipes.
 */
int relay_new(unsigned workers, struct relay **ret_relay);
/* The same with other values, for tests and benchmarks. */
int relay_new_tuned(unsigned workers, const struct relay_tuning *tuning, struct relay **ret_relay);
/*
 * Cuts what still runs and joins the threads. Every link has ended then and waits
 * for relay_take_ended(), which is all that may be called besides relay_free().
 * For those whose link_arg() is memory of its own.
 */
void relay_stop(struct relay *relay);
/* The same, and frees the links that were not taken. Accepts NULL. */
void relay_free(struct relay *relay);

/*
 * For link_head(), of links that are joined from now on: each keeps so many bytes in memory
 * until b has said more.
 */
void relay_keep_heads(struct relay *relay);

/*
 * Takes over two connected non-blocking sockets and joins them. The prefix
 * (at most RELAY_PREFIX_MAX bytes, read from a before) goes to b first; it is
 * copied. On failure (-errno) the sockets stay the caller's. arg is the
 * caller's own, see link_arg().
 */
int relay_join(struct relay *relay, int a, int b, const void *prefix, size_t prefix_len, void *arg,
               struct link **ret_link);

/* Becomes readable when there are ended links. Never closed by the caller. */
int relay_events_fd(const struct relay *relay);
/*
 * Takes one ended link, or NULL if there are no more. The link is then the
 * caller's, to be looked at and freed with link_free(); a link must not be used
 * in any other way after it came back here.
 */
struct link *relay_take_ended(struct relay *relay);

/*
 * False if a worker has not given the sign of life that the call before this one
 * asked for. For a watchdog, every few seconds.
 */
bool relay_is_alive(struct relay *relay);
/* How many links run at this moment. */
unsigned relay_running(const struct relay *relay);

/* Ends a running link with RSTs both ways; it comes back as LINK_CUT. */
void link_cut(struct link *link);
#endif
