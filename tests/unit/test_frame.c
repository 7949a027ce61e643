/* The cutting of a stream into messages, however it arrives. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/frame.h"
#include "dice.h"

/* Frames of these lengths, one behind the other. */
static const size_t LENGTHS[] = {1, 2, 300, 1, MESSAGE_MAX, 255, 256, 257, MESSAGE_MAX, 7};

enum { COUNT = sizeof LENGTHS / sizeof *LENGTHS, STREAM_MAX = COUNT * FRAME_MAX };

static size_t fill_stream(struct dice *dice, uint8_t stream[STREAM_MAX])
{
    size_t len = 0;
    for (size_t i = 0; i < COUNT; i++) {
        stream[len++] = (uint8_t)(LENGTHS[i] >> 8);
        stream[len++] = (uint8_t)LENGTHS[i];
        dice_fill(dice, stream + len, LENGTHS[i]);
        len += LENGTHS[i];
    }
    return len;
}

struct collector {
    struct frame frame;
    const uint8_t *expected; /* the next frame, with its header */
    size_t frames;
};

static void collect(struct collector *collector, const uint8_t *data, size_t len)
{
    while (len > 0) {
        size_t body_len = 0;
        long taken = frame_feed(&collector->frame, data, len);
        assert_in_range(taken, 1, len);
        data += taken;
        len -= (size_t)taken;
        const uint8_t *body = frame_body(&collector->frame, &body_len);
        if (!body) {
            assert_int_equal(len, 0); /* all was taken, and more is needed */
            return;
        }
        assert_int_equal(body_len, LENGTHS[collector->frames]);
        assert_memory_equal(body, collector->expected + FRAME_HEADER, body_len);
        collector->expected += FRAME_HEADER + body_len;
        collector->frames++;
        frame_reset(&collector->frame);
    }
}

static void frames_come_whole_out_of_chunks_of_any_size(void **state)
{
    static const size_t SIZES[] = {1, 2, 3, 255, 1023, 1024, 1025, 1026, 1027, STREAM_MAX};
    struct dice dice = dice_new();
    uint8_t stream[STREAM_MAX];
    size_t len = fill_stream(&dice, stream);
    (void)state;
    for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
        struct collector collector = {.expected = stream};
        for (size_t at = 0; at < len; at += SIZES[i]) {
            collect(&collector, stream + at, SIZES[i] < len - at ? SIZES[i] : len - at);
        }
        assert_int_equal(collector.frames, COUNT);
        assert_int_equal(collector.frame.have, 0);
    }
}

static void frames_come_whole_out_of_random_chunks(void **state)
{
    struct dice dice = dice_new();
    uint8_t stream[STREAM_MAX];
    size_t len = fill_stream(&dice, stream);
    (void)state;
    for (int round = 0; round < 300; round++) {
        struct collector collector = {.expected = stream};
        for (size_t at = 0, chunk; at < len; at += chunk) {
            chunk = 1 + dice_below(&dice, dice_below(&dice, 2) ? 8 : 2500);
            chunk = chunk < len - at ? chunk : len - at;
            collect(&collector, stream + at, chunk);
        }
        assert_int_equal(collector.frames, COUNT);
    }
}

static void an_impossible_length_is_refused_as_soon_as_it_is_known(void **state)
{
    static const unsigned IMPOSSIBLE[] = {0, MESSAGE_MAX + 1, 0x8000, 0xffff, ('G' << 8) | 'E'};
    (void)state;
    for (size_t i = 0; i < sizeof IMPOSSIBLE / sizeof *IMPOSSIBLE; i++) {
        uint8_t bytes[3000] = {(uint8_t)(IMPOSSIBLE[i] >> 8), (uint8_t)IMPOSSIBLE[i]};
        struct frame frame = {0};
        size_t len;
        assert_int_equal(frame_feed(&frame, bytes, 1), 1);
        assert_null(frame_body(&frame, &len));
        assert_int_equal(frame_feed(&frame, bytes + 1, 1), -EMSGSIZE);
        assert_int_equal(frame_feed(&frame, bytes + 2, 1), -EMSGSIZE); /* and stays so */
        frame = (struct frame){0};
        assert_int_equal(frame_feed(&frame, bytes, sizeof bytes), -EMSGSIZE);
        assert_int_equal(frame.have, FRAME_HEADER); /* nothing of the body was kept */
    }
}

static void a_complete_frame_takes_no_more_until_it_is_reset(void **state)
{
    struct frame frame = {0};
    size_t len = 0;
    (void)state;
    assert_int_equal(frame_feed(&frame, "\0\3abcdef", 8), 5);
    assert_int_equal(frame_feed(&frame, "def", 3), 0);
    assert_memory_equal(frame_body(&frame, &len), "abc", 3);
    assert_int_equal(len, 3);
    frame_reset(&frame);
    assert_null(frame_body(&frame, &len));
    assert_int_equal(frame_feed(&frame, "\0", 1), 1);
    assert_int_equal(frame_feed(&frame, "\1", 1), 1);
    assert_null(frame_body(&frame, &len));
    assert_int_equal(frame_feed(&frame, "z", 1), 1);
    assert_memory_equal(frame_body(&frame, &len), "z", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_come_whole_out_of_chunks_of_any_size),
        cmocka_unit_test(frames_come_whole_out_of_random_chunks),
        cmocka_unit_test(an_impossible_length_is_refused_as_soon_as_it_is_known),
        cmocka_unit_test(a_complete_frame_takes_no_more_until_it_is_reset),
    };
    return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
