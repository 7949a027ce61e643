#include "control/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "control/frame.h"

/* Doubles: a burst of many small frames is not copied again for each of them. */
static int reserve(struct queue *queue, size_t more)
{
    size_t need = queue->len + more;
    if (need > QUEUE_MAX) {
        return -ENOBUFS;
    }
    if (need <= queue->cap) {
        return 0;
    }
    size_t cap = need < FRAME_MAX * 4 ? FRAME_MAX * 4 : need * 2;
    uint8_t *bytes = realloc(queue->bytes, cap);
    if (!bytes) {
        return -ENOBUFS;
    }
    queue->bytes = bytes;
    queue->cap = cap;
    return 0;
}

int queue_add(struct queue *queue, const struct message *message, unsigned version)
{
    int err = reserve(queue, FRAME_MAX); /* what it takes is known only when it is encoded */
    if (err < 0) {
        return err;
    }
    uint8_t *frame = queue->bytes + queue->len;
    long len = message_encode(message, version, frame + FRAME_HEADER, MESSAGE_MAX);
    if (len < 0) {
        return (int)len;
    }
    frame[0] = (uint8_t)(len >> 8);
    frame[1] = (uint8_t)len;
    queue->len += FRAME_HEADER + (size_t)len;
    return 0;
}

int queue_send(struct queue *queue, struct tls *tls)
{
    while (queue->len > 0) {
        long sent = tls_write(tls, queue->bytes, queue->len);
        if (sent == TLS_WANT_WRITE || sent == TLS_WANT_READ) {
            break;
        }
        if (sent < 0) {
            return (int)sent;
        }
        queue->len -= (size_t)sent;
        memmove(queue->bytes, queue->bytes + sent, queue->len);
        crypto_wipe(queue->bytes + queue->len, (size_t)sent); /* there may be tokens in it */
    }
    return 0;
}

bool queue_is_empty(const struct queue *queue)
{
    return queue->len == 0;
}

void queue_done(struct queue *queue)
{
    if (queue->bytes) {
        crypto_wipe(queue->bytes, queue->cap);
    }
    free(queue->bytes);
    *queue = (struct queue){0};
}
