/* Readiness of descriptors on the event loop. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sys/epoll.h>
#include <uv.h>

#include "base/watch.h"
#include "on_loop.h"

/* ---- what it costs ---------------------------------------------------------- */

static unsigned controls;

int __real_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event);

int __wrap_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    controls++;
    return __real_epoll_ctl(epoll, operation, fd, event);
}

/* One end of a connection is watched, the test holds the other. */
struct scene {
    uv_loop_t loop;
    int watched, peer;
    struct watch *watch, *other;
    unsigned called;
    int events; /* of the last call */
    size_t got;
    int end_err;
};

static void note(void *arg, int events)
{
    struct scene *scene = arg;
    scene->called++;
    scene->events = events;
}

static void note_and_sleep(void *arg, int events)
{
    struct scene *scene = arg;
    note(scene, events);
    watch_set(scene->watch, 0);
}

/* One byte at a time, until the end. */
static void sip(void *arg, int events)
{
    struct scene *scene = arg;
    char byte;
    ssize_t got = recv(scene->watched, &byte, 1, 0);
    note(scene, events);
    if (got > 0) {
        scene->got++;
    } else if (got == 0 || errno != EAGAIN) {
        scene->end_err = got == 0 ? EOF : errno;
        watch_free(scene->watch);
        scene->watch = NULL;
    }
}

static void free_both(void *arg, int events)
{
    struct scene *scene = arg;
    note(scene, events);
    watch_free(scene->watch);
    watch_free(scene->other);
    scene->watch = scene->other = NULL;
}

static void put_the_other_to_sleep(void *arg, int events)
{
    struct scene *scene = arg;
    note(scene, events);
    watch_set(scene->watch, 0);
    watch_set(scene->other, 0);
}

/* The last watch of the loop goes, and one comes in its place. */
static void start_anew(void *arg, int events)
{
    struct scene *scene = arg;
    note(scene, events);
    watch_free(scene->watch);
    scene->watch = watch_new(&scene->loop, scene->watched, note_and_sleep, scene);
    watch_set(scene->watch, WATCH_WRITE);
}

static struct scene *scene_new(watch_fn fn)
{
    struct scene *scene = calloc(1, sizeof *scene);
    int fds[2];
    assert_int_equal(uv_loop_init(&scene->loop), 0);
    tcp_pair(fds);
    scene->watched = fds[0];
    scene->peer = fds[1];
    scene->watch = watch_new(&scene->loop, scene->watched, fn, scene);
    assert_non_null(scene->watch);
    return scene;
}

static void scene_free(struct scene *scene)
{
    watch_free(scene->watch);
    watch_free(scene->other);
    loop_end(&scene->loop);
    close(scene->watched);
    close(scene->peer);
    free(scene);
}

static void say(struct scene *scene, const char *text)
{
    assert_int_equal(send(scene->peer, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void a_watch_sleeps_until_it_is_set_and_again_when_set_to_nothing(void **state)
{
    struct scene *scene = scene_new(note_and_sleep);
    (void)state;
    say(scene, "x");
    loop_run_for(&scene->loop, 10);
    assert_int_equal(scene->called, 0);
    watch_set(scene->watch, WATCH_READ);
    WAIT_FOR(&scene->loop, scene->called > 0);
    loop_run_for(&scene->loop, 10);
    assert_int_equal(scene->called, 1);
    assert_int_equal(scene->events, WATCH_READ);
    watch_set(scene->watch, WATCH_READ | WATCH_WRITE);
    WAIT_FOR(&scene->loop, scene->called == 2);
    assert_int_equal(scene->events, WATCH_READ | WATCH_WRITE);
    scene_free(scene);
}

static void a_watch_may_be_awake_from_the_start(void **state)
{
    struct scene *scene = scene_new(note_and_sleep);
    (void)state;
    say(scene, "x");
    watch_free(scene->watch);
    scene->watch = watch_start(&scene->loop, scene->watched, WATCH_READ, note_and_sleep, scene);
    WAIT_FOR(&scene->loop, scene->called > 0);
    assert_int_equal(scene->events, WATCH_READ);
    scene_free(scene);
}

static void no_descriptor_outlives_the_last_watch(void **state)
{
    struct scene *scene = scene_new(note);
    (void)state;
    unsigned before = open_descriptors();
    watch_free(scene->watch);
    scene->watch = NULL;
    assert_int_equal(open_descriptors(), before - 1);
    scene_free(scene);
}

static void a_watch_from_its_start_to_its_end_is_two_calls(void **state)
{
    struct scene *scene = scene_new(note_and_sleep); /* which has the poller made */
    (void)state;
    loop_run_for(&scene->loop, 5);
    unsigned before = controls;
    scene->other = watch_start(&scene->loop, scene->peer, WATCH_READ, note, scene);
    loop_run_for(&scene->loop, 5);
    watch_free(scene->other);
    scene->other = NULL;
    loop_run_for(&scene->loop, 5);
    assert_int_equal(controls - before, 2);
    scene_free(scene);
}

static void what_is_not_read_is_told_again(void **state)
{
    struct scene *scene = scene_new(sip);
    (void)state;
    watch_set(scene->watch, WATCH_READ);
    say(scene, "12345");
    WAIT_FOR(&scene->loop, scene->got == 5);
    close(scene->peer);
    scene->peer = -1;
    WAIT_FOR(&scene->loop, scene->end_err == EOF);
    scene_free(scene);
}

static void a_reset_behind_bytes_is_heard_after_them(void **state)
{
    struct scene *scene = scene_new(sip);
    (void)state;
    watch_set(scene->watch, WATCH_READ);
    say(scene, "12345");
    net_reset(scene->peer);
    scene->peer = -1;
    WAIT_FOR(&scene->loop, scene->end_err != 0);
    assert_int_equal(scene->end_err, ECONNRESET);
    assert_int_equal(scene->got, 5);
    scene_free(scene);
}

static void hanging_up_is_heard_past_bytes_that_nobody_reads(void **state)
{
    static const bool BY_RESET[] = {false, true};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct scene *scene = scene_new(note_and_sleep);
        watch_set(scene->watch, WATCH_HANGUP);
        say(scene, "12345");
        loop_run_for(&scene->loop, 10);
        assert_int_equal(scene->called, 0);
        if (BY_RESET[i]) {
            net_reset(scene->peer);
        } else {
            close(scene->peer);
        }
        scene->peer = -1;
        WAIT_FOR(&scene->loop, scene->called == 1);
        assert_true(scene->events & WATCH_HANGUP);
        loop_run_for(&scene->loop, 10);
        assert_int_equal(scene->called, 1); /* asleep: no storm */
        scene_free(scene);
    }
}

static void a_watch_may_free_itself_and_another_that_is_due(void **state)
{
    struct scene *scene = scene_new(free_both);
    (void)state;
    /* Both are ready in the same turn; whichever comes first frees the other. */
    scene->other = watch_new(&scene->loop, scene->peer, free_both, scene);
    watch_set(scene->watch, WATCH_WRITE);
    watch_set(scene->other, WATCH_WRITE);
    WAIT_FOR(&scene->loop, scene->called == 1);
    loop_run_for(&scene->loop, 5);
    assert_int_equal(scene->called, 1);
    scene_free(scene);
}

static void who_is_put_to_sleep_in_the_same_turn_is_not_called(void **state)
{
    struct scene *scene = scene_new(put_the_other_to_sleep);
    (void)state;
    scene->other = watch_new(&scene->loop, scene->peer, put_the_other_to_sleep, scene);
    watch_set(scene->watch, WATCH_WRITE);
    watch_set(scene->other, WATCH_WRITE);
    WAIT_FOR(&scene->loop, scene->called == 1);
    loop_run_for(&scene->loop, 5);
    assert_int_equal(scene->called, 1);
    watch_set(scene->other, WATCH_WRITE); /* what held before is told now */
    WAIT_FOR(&scene->loop, scene->called == 2);
    scene_free(scene);
}

static void the_only_watch_may_be_replaced_in_its_callback(void **state)
{
    struct scene *scene = scene_new(start_anew);
    (void)state;
    watch_set(scene->watch, WATCH_WRITE);
    WAIT_FOR(&scene->loop, scene->called == 2);
    scene_free(scene);
}

/* Any number that is ready, and a timer is not late by more than a turn. */
static void a_crowd_that_is_always_ready_keeps_nobody_waiting(void **state)
{
    enum { CROWD = 300 };
    static struct scene *crowd[CROWD];
    struct scene *first = scene_new(note);
    (void)state;
    for (size_t i = 0; i < CROWD; i++) {
        crowd[i] = calloc(1, sizeof *crowd[i]);
        crowd[i]->watched = dup(first->watched);
        crowd[i]->watch = watch_new(&first->loop, crowd[i]->watched, note, crowd[i]);
        watch_set(crowd[i]->watch, WATCH_WRITE);
    }
    watch_set(first->watch, WATCH_READ);
    say(first, "x");
    for (size_t turn = 0; turn < 50; turn++) {
        loop_turn(&first->loop, 0); /* its timer ends each */
    }
    assert_true(first->called > 0);
    for (size_t i = 0; i < CROWD; i++) {
        assert_true(crowd[i]->called > 0);
        watch_free(crowd[i]->watch);
        close(crowd[i]->watched);
        free(crowd[i]);
    }
    scene_free(first);
}

static void an_error_wakes_nobody_who_sleeps(void **state)
{
    struct scene *scene = scene_new(note);
    uint64_t before = 0, after = 0;
    (void)state;
    net_reset(scene->peer);
    scene->peer = -1;
    loop_run_for(&scene->loop, 10);
    uv_loop_configure(&scene->loop, UV_METRICS_IDLE_TIME);
    before = uv_hrtime();
    while ((after = uv_hrtime()) - before < 20000000) {
        loop_turn(&scene->loop, 20);
    }
    assert_int_equal(scene->called, 0);
    assert_true(uv_metrics_idle_time(&scene->loop) > (after - before) / 8); /* no storm */
    watch_set(scene->watch, WATCH_READ);
    WAIT_FOR(&scene->loop, scene->called > 0);
    scene_free(scene);
}

static void a_descriptor_may_be_watched_anew_or_closed_right_after(void **state)
{
    struct scene *scene = scene_new(note);
    (void)state;
    watch_set(scene->watch, WATCH_READ);
    watch_free(scene->watch);
    scene->watch = watch_new(&scene->loop, scene->watched, sip, scene);
    assert_non_null(scene->watch);
    watch_set(scene->watch, WATCH_READ);
    say(scene, "x");
    WAIT_FOR(&scene->loop, scene->got == 1);

    /* The number comes back as another file, which knows nothing of the first. */
    int number = scene->watched;
    watch_free(scene->watch);
    scene->watch = NULL;
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    assert_int_equal(dup2(pipe_fds[0], number), number); /* closes it first */
    close(pipe_fds[0]);
    scene->called = 0;
    scene->watch = watch_new(&scene->loop, number, note_and_sleep, scene);
    watch_set(scene->watch, WATCH_READ);
    loop_run_for(&scene->loop, 10);
    assert_int_equal(scene->called, 0);
    assert_int_equal(write(pipe_fds[1], "x", 1), 1);
    WAIT_FOR(&scene->loop, scene->called == 1);
    close(pipe_fds[1]);
    scene_free(scene);
}

static void what_cannot_be_watched_is_refused(void **state)
{
    struct scene *scene = scene_new(note);
    char path[] = "/tmp/test_watch.XXXXXX";
    int file = mkstemp(path);
    (void)state;
    assert_true(file >= 0);
    unlink(path);
    assert_null(watch_new(&scene->loop, file, note, scene));
    assert_null(watch_new(&scene->loop, -1, note, scene));
    close(file);
    watch_free(NULL);
    scene_free(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_watch_sleeps_until_it_is_set_and_again_when_set_to_nothing),
        cmocka_unit_test(a_watch_may_be_awake_from_the_start),
        cmocka_unit_test(no_descriptor_outlives_the_last_watch),
        cmocka_unit_test(a_watch_from_its_start_to_its_end_is_two_calls),
        cmocka_unit_test(what_is_not_read_is_told_again),
        cmocka_unit_test(a_reset_behind_bytes_is_heard_after_them),
        cmocka_unit_test(hanging_up_is_heard_past_bytes_that_nobody_reads),
        cmocka_unit_test(a_watch_may_free_itself_and_another_that_is_due),
        cmocka_unit_test(who_is_put_to_sleep_in_the_same_turn_is_not_called),
        cmocka_unit_test(the_only_watch_may_be_replaced_in_its_callback),
        cmocka_unit_test(a_crowd_that_is_always_ready_keeps_nobody_waiting),
        cmocka_unit_test(an_error_wakes_nobody_who_sleeps),
        cmocka_unit_test(a_descriptor_may_be_watched_anew_or_closed_right_after),
        cmocka_unit_test(what_cannot_be_watched_is_refused),
    };
    return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
