/*
 * queue: frames on their way out, for as long as the peer is slower than we are. The
 * counterpart of frame.h.
 */
#ifndef PAMTUNNEL_CONTROL_QUEUE_H
#define PAMTUNNEL_CONTROL_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/message.h"
#include "control/tls.h"

enum { QUEUE_MAX = 256 * 1024 /* bytes waiting for a peer that does not read */ };

/* Zero-initialised is ready for use. */
struct queue {
    uint8_t *bytes;
    size_t len, cap;
};

/*
 * Encodes a message behind those that wait, as `version` of the protocol has it. 0; -ENOBUFS
 * if it does not fit into QUEUE_MAX or into memory; else as message_encode().
 */
int queue_add(struct queue *queue, const struct message *message, unsigned version);
/* Sends what the socket takes at once. 0, or the -errno of tls_write(). */
int queue_send(struct queue *queue, struct tls *tls);
bool queue_is_empty(const struct queue *queue);
/* Wipes what is left, since there may be tokens in it, and gives back the memory. */
void queue_done(struct queue *queue);

#endif
