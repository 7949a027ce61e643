/*
 * link: a pair of sockets in the relay, as those see it who had them joined. It is the relay's
 * until it comes back ended, from relay_take_ended().
 */
#ifndef PAMTUNNEL_DATA_LINK_H
#define PAMTUNNEL_DATA_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct link;

enum { LINK_HEAD_MAX = 255 };

enum link_end {
    LINK_FINISHED, /* both directions came to their FIN */
    LINK_RESET,    /* a side sent an RST */
    LINK_DEAD,     /* a side stopped answering (keepalive, data/pulse.h), or the link was
                      half-closed and silent for an hour or more */
    LINK_FAILED,   /* another error: link_error() */
    LINK_CUT,      /* link_cut() */
};

/* Bytes delivered so far in each direction; callable at any time. */
uint64_t link_bytes_a_to_b(const struct link *link);
uint64_t link_bytes_b_to_a(const struct link *link);
void *link_arg(const struct link *link);
/* Of an ended link. */
enum link_end link_end(const struct link *link);
int link_error(const struct link *link); /* errno value, 0 if none */
/* It was b that sent a FIN or an RST, before a did. */
bool link_b_left_first(const struct link *link);
/*
 * All that b said, if the relay keeps heads and it was not more than LINK_HEAD_MAX bytes;
 * NULL otherwise. Valid as long as the link.
 */
const void *link_head(const struct link *link, size_t *ret_len);
void link_free(struct link *link);

#endif
