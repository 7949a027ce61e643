/* The queue of what goes out, without a peer that takes any of it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/frame.h"
#include "control/queue.h"

static const struct message PING = {.type = MESSAGE_PING, .ping.sent_us = 5};
static const struct message DIAL = {.type = MESSAGE_DIAL_TARGET, .dial_target = {7, 1}};

static void frames_stand_behind_each_other(void **state)
{
    static const char WIRE[] = "\0\x09\3\0\0\0\0\0\0\0\5\0\x0b\x14\0\0\0\0\0\0\0\7\0\1";
    struct queue queue = {0};
    (void)state;
    assert_true(queue_is_empty(&queue));
    assert_int_equal(queue_add(&queue, &PING, 1), 0);
    assert_int_equal(queue_add(&queue, &DIAL, 2), 0);
    assert_false(queue_is_empty(&queue));
    assert_int_equal(queue.len, sizeof WIRE - 1);
    assert_memory_equal(queue.bytes, WIRE, sizeof WIRE - 1);
    queue_done(&queue);
    assert_true(queue_is_empty(&queue));
}

static void what_the_version_has_not_leaves_the_queue_as_it_was(void **state)
{
    struct queue queue = {0};
    (void)state;
    assert_int_equal(queue_add(&queue, &PING, 1), 0);
    size_t len = queue.len;
    assert_int_equal(queue_add(&queue, &DIAL, 1), -EPROTONOSUPPORT);
    assert_int_equal(queue.len, len);
    queue_done(&queue);
}

static void it_is_full_before_it_is_too_long(void **state)
{
    struct queue queue = {0};
    unsigned count = 0;
    int err;
    (void)state;
    while ((err = queue_add(&queue, &PING, 1)) == 0) {
        count++;
    }
    assert_int_equal(err, -ENOBUFS);
    assert_in_range(queue.len, QUEUE_MAX - FRAME_MAX, QUEUE_MAX);
    assert_int_equal(queue.len, count * (size_t)11);
    queue_done(&queue);
    assert_int_equal(queue_add(&queue, &PING, 1), 0); /* it can be used again */
    queue_done(&queue);
    queue_done(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_stand_behind_each_other),
        cmocka_unit_test(what_the_version_has_not_leaves_the_queue_as_it_was),
        cmocka_unit_test(it_is_full_before_it_is_too_long),
    };
    return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
