/*
 * link_core: the inside of a link, for its worker and its relay: two sockets joined by two
 * flows, and the rules by which they end together. Everybody else uses link.h.
 *
 * A link belongs to its worker's thread from relay_join() until the worker
 * reports its end; then to the control thread. The fields of the inbox are
 * guarded by the worker's mutex.
 */
#ifndef PAMTUNNEL_DATA_LINK_CORE_H
#define PAMTUNNEL_DATA_LINK_CORE_H

#include "base/list.h"
#include "data/flow.h"
#include "data/link.h"

struct worker;

struct link {
    struct side side[2]; /* a, b */
    struct flow flow[2]; /* flow[i] reads side[i]: a to b, b to a */
    struct worker *worker;
    void *arg;

    /* The worker's. */
    struct list home;   /* among all links of the worker, later among the ended ones */
    struct list turn;   /* in the queue of links that have more to do */
    uint64_t due_ms;    /* when a half-closed link is taken for forgotten; 0: not half-closed */
    uint64_t due_bytes; /* unless it has moved more than these by then */
    int error;
    uint8_t end; /* an enum link_end */
    bool over;
    bool b_left_first; /* of the two sides */
    bool one_left;

    /* The inbox: guarded by the worker's mutex. */
    bool adopted; /* the worker knows it */
    bool wants_cut;
    bool reported; /* it is out of the worker's hands */
    struct list command;
};

/* 0 or -ENOMEM. The sockets are its own once it is adopted by a worker. */
int link_new(int a, int b, const void *prefix, size_t prefix_len, void *arg,
             struct link **ret_link);
/* For link_head(). It must not be in a worker's hands yet. */
void link_keep_head(struct link *link);

/* Takes note of what epoll said of a side. */
void link_note_events(struct side *side, uint32_t events);
/*
 * Gives both flows a turn. True if there is more to do at once; otherwise the
 * link waits for events or is over.
 */
bool link_run(struct link *link, struct flow_kit *kit);
/* Its next turn may be a long one, for which others should not wait. */
bool link_is_bulk(const struct link *link);
/*
 * Ends a link that is over though no socket says so: a peer that is gone, a
 * half-closed link that was forgotten. To be called every now and then.
 */
void link_check(struct link *link, uint64_t now_ms);
/* Closes both sockets, with FINs if it has finished and with RSTs otherwise. */
void link_close(struct link *link, enum link_end end, int error);

#endif
