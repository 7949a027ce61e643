/*
 * frame: the cutting of a byte stream into messages: a 16-bit length, then as
 * many bytes (docs/protocol.md, "Frames"). The bound is checked before a byte of
 * the frame is kept.
 */
#ifndef PAMTUNNEL_CONTROL_FRAME_H
#define PAMTUNNEL_CONTROL_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "control/message.h"

enum { FRAME_HEADER = 2, FRAME_MAX = FRAME_HEADER + MESSAGE_MAX };

/* Collects one frame at a time. Zero-initialised is ready for use. */
struct frame {
    uint8_t bytes[FRAME_MAX];
    size_t have;
};

/*
 * Takes bytes from the stream up to the end of the current frame. Returns how
 * many were taken (all of len if the frame is not complete yet), or -EMSGSIZE
 * for a length of 0 or above MESSAGE_MAX: the stream is then beyond repair.
 */
long frame_feed(struct frame *frame, const void *data, size_t len);
/* The body once it is complete, else NULL. Valid until frame_reset(). */
const uint8_t *frame_body(const struct frame *frame, size_t *ret_len);
/* Makes room for the next frame. */
void frame_reset(struct frame *frame);

#endif
