#include "control/frame.h"

#include <errno.h>
#include <string.h>

/* The length of the body; the header must be complete. */
static size_t body_len(const struct frame *frame)
{
    return (size_t)frame->bytes[0] << 8 | frame->bytes[1];
}

static size_t take(struct frame *frame, size_t upto, const uint8_t *data, size_t len)
{
    size_t wanted = upto - frame->have;
    size_t taken = len < wanted ? len : wanted;
    memcpy(frame->bytes + frame->have, data, taken);
    frame->have += taken;
    return taken;
}

long frame_feed(struct frame *frame, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    size_t taken = 0;
    if (frame->have < FRAME_HEADER) {
        taken = take(frame, FRAME_HEADER, bytes, len);
        if (frame->have < FRAME_HEADER) {
            return (long)taken;
        }
    }
    if (body_len(frame) == 0 || body_len(frame) > MESSAGE_MAX) {
        return -EMSGSIZE;
    }
    taken += take(frame, FRAME_HEADER + body_len(frame), bytes + taken, len - taken);
    return (long)taken;
}

const uint8_t *frame_body(const struct frame *frame, size_t *ret_len)
{
    if (frame->have < FRAME_HEADER || frame->have < FRAME_HEADER + body_len(frame)) {
        return NULL;
    }
    *ret_len = body_len(frame);
    return frame->bytes + FRAME_HEADER;
}

void frame_reset(struct frame *frame)
{
    frame->have = 0;
}
