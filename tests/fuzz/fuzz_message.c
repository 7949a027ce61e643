/*
 * What a peer of the control channel sends behind TLS: frames are cut out of it,
 * and a message that is read from one writes the very same bytes again.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/frame.h"
#include "control/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
    if (!holds) {
        abort();
    }
}

/* In a copy of its exact size, so that sanitizers see a read past the end. */
static void check_body(const uint8_t *body, size_t len, enum message_sender sender,
                       unsigned version)
{
    uint8_t *exact = malloc(len), again[MESSAGE_MAX];
    struct message message;
    if (!exact) {
        return;
    }
    memcpy(exact, body, len);
    int err = message_decode(exact, len, sender, version, &message);
    require(err == 0 || err == -EBADMSG || err == -EPROTONOSUPPORT);
    if (err == 0) {
        /* All but what a later version has added to its HELLO. */
        int later = message.type == MESSAGE_HELLO &&
                    message.hello.max_version > PROTOCOL_MAX_VERSION;
        long written = message_encode(&message, version, again, sizeof again);
        require(written == (long)len || (later && written > 0 && written < (long)len));
        require(memcmp(exact, again, (size_t)written) == 0);
        require(message_name(message.type)[0] != '?' && message_since(message.type) <= version);
    }
    free(exact);
}

/* The first byte says into which chunks the rest comes apart. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct frame frame = {0};
    size_t chunk = size > 0 ? (size_t)data[0] + 1 : 1;
    for (size_t at = 1; at < size;) {
        size_t len = chunk < size - at ? chunk : size - at, body_len = 0;
        long taken = frame_feed(&frame, data + at, len);
        if (taken == -EMSGSIZE) {
            return 0;
        }
        require(taken > 0 && (size_t)taken <= len);
        at += (size_t)taken;
        const uint8_t *body = frame_body(&frame, &body_len);
        require(body || (size_t)taken == len);
        if (body) {
            require(body_len >= 1 && body_len <= MESSAGE_MAX);
            for (unsigned version = PROTOCOL_MIN_VERSION; version <= PROTOCOL_MAX_VERSION;
                 version++) {
                check_body(body, body_len, SENDER_VPS, version);
                check_body(body, body_len, SENDER_GATEWAY, version);
            }
            frame_reset(&frame);
        }
    }
    return 0;
}
