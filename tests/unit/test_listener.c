/* Listening sockets on the event loop. */
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
#include <sys/resource.h>
#include <uv.h>

#include "base/listener.h"
#include "on_loop.h"

enum { CALLERS = 5 };

struct shop {
    uv_loop_t loop;
    struct listener *listener;
    struct addr at;
    int callers[CALLERS];
    int accepted[CALLERS];
    unsigned count;
    struct addr last_peer;
    bool close_at_first;
};

static void on_caller(void *arg, int fd, const struct addr *peer)
{
    struct shop *shop = arg;
    assert_true(shop->count < CALLERS);
    shop->accepted[shop->count++] = fd;
    shop->last_peer = *peer;
    if (shop->close_at_first) {
        listener_free(shop->listener);
        shop->listener = NULL;
    }
}

static struct shop *shop_new(void)
{
    struct shop *shop = calloc(1, sizeof *shop);
    assert_int_equal(uv_loop_init(&shop->loop), 0);
    int fd = net_listen("127.0.0.1", 0, CALLERS);
    assert_true(fd >= 0);
    shop->at = address_of(fd);
    shop->listener = listener_new(&shop->loop, fd, on_caller, shop);
    assert_non_null(shop->listener);
    for (int i = 0; i < CALLERS; i++) {
        shop->callers[i] = shop->accepted[i] = -1;
    }
    return shop;
}

static void call(struct shop *shop, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        shop->callers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(shop->callers[i], &shop->at.sa, addr_len(&shop->at)), 0);
    }
}

static void shop_free(struct shop *shop)
{
    listener_free(shop->listener);
    for (int i = 0; i < CALLERS; i++) {
        close(shop->callers[i]);
        close(shop->accepted[i]);
    }
    loop_end(&shop->loop);
    free(shop);
}

static void every_connection_is_handed_out_with_its_address(void **state)
{
    unsigned before = open_descriptors();
    struct shop *shop = shop_new();
    (void)state;
    call(shop, CALLERS);
    WAIT_FOR(&shop->loop, shop->count == CALLERS);
    struct addr caller = address_of(shop->callers[CALLERS - 1]);
    assert_true(addr_same_host(&shop->last_peer, &caller));
    assert_int_equal(addr_port(&shop->last_peer), addr_port(&caller));
    shop_free(shop);
    assert_int_equal(open_descriptors(), before);
}

static void it_may_be_freed_when_it_hands_one_out(void **state)
{
    struct shop *shop = shop_new();
    char byte;
    (void)state;
    shop->close_at_first = true;
    call(shop, 3);
    WAIT_FOR(&shop->loop, shop->count == 1);
    loop_run_for(&shop->loop, 5);
    assert_int_equal(shop->count, 1);
    /* It closed its socket: the others are turned away. */
    assert_true(recv(shop->callers[2], &byte, 1, 0) <= 0);
    listener_free(NULL);
    shop_free(shop);
}

static void count_turn(uv_check_t *check)
{
    unsigned *turns = check->data;
    ++*turns;
}

static void without_descriptors_it_rests_and_goes_on_later(void **state)
{
    struct shop *shop = shop_new();
    struct rlimit limit, none;
    unsigned turns = 0;
    uv_check_t check;
    (void)state;
    uv_check_init(&shop->loop, &check);
    uv_check_start(&check, count_turn);
    check.data = &turns;
    call(shop, 2);

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    loop_run_for(&shop->loop, 100);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(shop->count, 0);
    assert_in_range(turns, 1, 20); /* else it spins */

    WAIT_FOR(&shop->loop, shop->count == 2);
    uv_close((uv_handle_t *)&check, NULL);
    shop_free(shop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_connection_is_handed_out_with_its_address),
        cmocka_unit_test(it_may_be_freed_when_it_hands_one_out),
        cmocka_unit_test(without_descriptors_it_rests_and_goes_on_later),
    };
    return cmocka_run_group_tests_name("listener", tests, loop_first, NULL);
}
