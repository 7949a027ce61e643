/* What a service manager is told. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <uv.h>

#include "base/clock.h"
#include "base/notify.h"
#include "on_loop.h"

struct manager {
    int fd;
    char name[sizeof((struct sockaddr_un *)0)->sun_path]; /* as NOTIFY_SOCKET has it */
    char folder[32];
    char last[512];
};

static void manager_listen(struct manager *manager)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    size_t len = strlen(manager->name);
    memcpy(addr.sun_path, manager->name, len);
    if (addr.sun_path[0] == '@') {
        addr.sun_path[0] = '\0';
    }
    manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(manager->fd, (struct sockaddr *)&addr,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
                     0);
    setenv("NOTIFY_SOCKET", manager->name, 1);
}

static void manager_open(struct manager *manager)
{
    strcpy(manager->folder, "/tmp/notify-XXXXXX");
    assert_non_null(mkdtemp(manager->folder));
    snprintf(manager->name, sizeof manager->name, "%s/socket", manager->folder);
    manager_listen(manager);
}

static void manager_close(struct manager *manager)
{
    close(manager->fd);
    unlink(manager->name);
    rmdir(manager->folder);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

/* The next message; "" if there is none. */
static const char *told(struct manager *manager)
{
    ssize_t len = recv(manager->fd, manager->last, sizeof manager->last - 1, 0);
    manager->last[len > 0 ? len : 0] = '\0';
    return manager->last;
}

static struct notify *notify_for(struct manager *manager)
{
    struct notify *notify = NULL;
    assert_int_equal(notify_open(&notify, NULL), 0);
    assert_non_null(notify);
    assert_string_equal(told(manager), "");
    return notify;
}

static bool is_well(void *arg)
{
    return *(bool *)arg;
}

static void nobody_wants_to_be_told(void **state)
{
    struct notify *notify = (struct notify *)1;
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    assert_int_equal(notify_open(&notify, NULL), 0);
    assert_null(notify);
    setenv("NOTIFY_SOCKET", "", 1);
    assert_int_equal(notify_open(&notify, NULL), 0);
    assert_null(notify);
    notify_ready(notify);
    notify_status(notify, "x");
    assert_int_equal(notify_beat(notify, NULL, is_well, NULL), 0);
    notify_stopping(notify);
    notify_free(notify);
}

static void the_states_arrive_as_sd_notify_writes_them(void **state)
{
    struct manager manager;
    (void)state;
    manager_open(&manager);
    struct notify *notify = notify_for(&manager);
    notify_status(notify, "a line\nREADY=1");
    assert_string_equal(told(&manager), "STATUS=a line?READY=1");
    notify_ready(notify);
    assert_string_equal(told(&manager), "READY=1\n");
    long long since = 0;
    notify_reloading(notify);
    assert_int_equal(sscanf(told(&manager), "RELOADING=1\nMONOTONIC_USEC=%lld", &since), 1);
    assert_in_range((uint64_t)since / 1000, clock_ms() - 5000, clock_ms());
    notify_stopping(notify);
    assert_string_equal(told(&manager), "STOPPING=1\n");
    notify_free(notify);
    manager_close(&manager);
}

static void an_abstract_socket_is_one_too(void **state)
{
    struct manager manager = {.folder = "/nowhere"};
    (void)state;
    snprintf(manager.name, sizeof manager.name, "@pamtunnel-test-%d", (int)getpid());
    manager_listen(&manager);
    struct notify *notify = notify_for(&manager);
    notify_ready(notify);
    assert_string_equal(told(&manager), "READY=1\n");
    notify_free(notify);
    manager_close(&manager);
}

static void a_manager_that_was_started_anew_is_found_again(void **state)
{
    struct manager manager;
    (void)state;
    manager_open(&manager);
    struct notify *notify = notify_for(&manager);
    close(manager.fd);
    unlink(manager.name);
    notify_ready(notify); /* to nobody */
    manager_listen(&manager);
    notify_ready(notify);
    assert_string_equal(told(&manager), "READY=1\n");
    notify_free(notify);
    manager_close(&manager);
}

static void a_socket_that_cannot_be_is_an_error_that_names_it(void **state)
{
    static const char *const NAMES[] = {"relative", "/", "@", "vsock:2:1234", "/tmp/absent/socket"};
    char long_name[200];
    (void)state;
    memset(long_name, 'x', sizeof long_name);
    long_name[0] = '/';
    long_name[sizeof long_name - 1] = '\0';
    for (size_t i = 0; i <= sizeof NAMES / sizeof *NAMES; i++) {
        const char *name = i < sizeof NAMES / sizeof *NAMES ? NAMES[i] : long_name;
        struct notify *notify = (struct notify *)1;
        struct why why;
        setenv("NOTIFY_SOCKET", name, 1);
        assert_true(notify_open(&notify, &why) < 0);
        assert_ptr_equal(notify, (struct notify *)1);
        assert_non_null(strstr(why.text, name));
    }
    unsetenv("NOTIFY_SOCKET");
}

static void the_beats_come_twice_as_often_as_the_watchdog_looks(void **state)
{
    struct manager manager;
    uv_loop_t loop;
    bool well = true;
    (void)state;
    manager_open(&manager);
    assert_int_equal(uv_loop_init(&loop), 0);
    setenv("WATCHDOG_USEC", "200000", 1);
    struct notify *notify = notify_for(&manager);
    uint64_t since = uv_hrtime();
    assert_int_equal(notify_beat(notify, &loop, is_well, &well), 0);
    assert_string_equal(told(&manager), "WATCHDOG=1\n");
    for (unsigned beats = 0; beats < 3;) {
        WAIT_FOR(&loop, told(&manager)[0]);
        assert_string_equal(manager.last, "WATCHDOG=1\n");
        beats++;
    }
    uint64_t took_ms = (uv_hrtime() - since) / 1000000;
    assert_in_range(took_ms, 300, 2000);
    well = false;
    told(&manager); /* one may be under way */
    loop_run_for(&loop, 300);
    assert_string_equal(told(&manager), "");
    well = true;
    WAIT_FOR(&loop, told(&manager)[0]);
    notify_stopping(notify);
    assert_string_equal(told(&manager), "STOPPING=1\n");
    loop_end(&loop); /* it can: the beats are over */
    assert_string_equal(told(&manager), "");
    notify_free(notify);
    manager_close(&manager);
}

static void a_loop_that_hangs_does_not_beat(void **state)
{
    struct manager manager;
    uv_loop_t loop;
    bool well = true;
    (void)state;
    manager_open(&manager);
    assert_int_equal(uv_loop_init(&loop), 0);
    setenv("WATCHDOG_USEC", "100000", 1);
    struct notify *notify = notify_for(&manager);
    assert_int_equal(notify_beat(notify, &loop, is_well, &well), 0);
    told(&manager);
    usleep(150000); /* this is the hanging */
    assert_string_equal(told(&manager), "");
    WAIT_FOR(&loop, told(&manager)[0]);
    notify_stopping(notify);
    loop_end(&loop);
    notify_free(notify);
    manager_close(&manager);
}

static void a_watchdog_of_another_process_gets_no_beats(void **state)
{
    static const char *const PIDS[] = {"1", "x", ""};
    struct manager manager;
    uv_loop_t loop;
    bool well = true;
    (void)state;
    manager_open(&manager);
    assert_int_equal(uv_loop_init(&loop), 0);
    setenv("WATCHDOG_USEC", "1000", 1);
    for (size_t i = 0; i < sizeof PIDS / sizeof *PIDS; i++) {
        setenv("WATCHDOG_PID", PIDS[i], 1);
        struct notify *notify = notify_for(&manager);
        assert_int_equal(notify_beat(notify, &loop, is_well, &well), 0);
        assert_string_equal(told(&manager), "");
        notify_free(notify);
    }
    char own[16];
    snprintf(own, sizeof own, "%d", (int)getpid());
    setenv("WATCHDOG_PID", own, 1);
    struct notify *notify = notify_for(&manager);
    assert_int_equal(notify_beat(notify, &loop, is_well, &well), 0);
    assert_string_equal(told(&manager), "WATCHDOG=1\n");
    notify_free(notify);
    loop_end(&loop);
    manager_close(&manager);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_wants_to_be_told),
        cmocka_unit_test(the_states_arrive_as_sd_notify_writes_them),
        cmocka_unit_test(an_abstract_socket_is_one_too),
        cmocka_unit_test(a_manager_that_was_started_anew_is_found_again),
        cmocka_unit_test(a_socket_that_cannot_be_is_an_error_that_names_it),
        cmocka_unit_test(the_beats_come_twice_as_often_as_the_watchdog_looks),
        cmocka_unit_test(a_loop_that_hangs_does_not_beat),
        cmocka_unit_test(a_watchdog_of_another_process_gets_no_beats),
    };
    return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
