/* Why a tunnel cannot be opened, as the person who asked for it reads it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/failure.h"

static void each_error_has_its_reason(void **state)
{
    static const struct {
        int err;
        enum tunnel_failure reason;
    } cases[] = {
        {-ENOENT, TUNNEL_UNKNOWN_NAME},
        {-EAGAIN, TUNNEL_NAME_SERVERS},
        {-EBUSY, TUNNEL_NAME_SERVERS},
        {-ECONNREFUSED, TUNNEL_REFUSED},
        {-ECONNRESET, TUNNEL_REFUSED},
        {-EHOSTUNREACH, TUNNEL_NO_ROUTE},
        {-ENETUNREACH, TUNNEL_NO_ROUTE},
        {-ETIMEDOUT, TUNNEL_TIMED_OUT},
        {-EPERM, TUNNEL_NO_ROUTE},
        {-EMFILE, TUNNEL_BUSY},
        {-ENOMEM, TUNNEL_BUSY},
        {-EPROTO, TUNNEL_ERROR},
        {-EIO, TUNNEL_ERROR},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct failure failure = failure_of_target(cases[i].err, "HOME-PC:22");
        assert_int_equal(failure.reason, cases[i].reason);
        assert_memory_equal(failure.detail, "HOME-PC:22 ", 11);
        assert_string_equal(failure.note, "");
    }
}

static void a_long_name_leaves_room_for_the_reason(void **state)
{
    char name[254];
    (void)state;
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    struct failure failure = failure_of_target(-ECONNREFUSED, name);
    assert_non_null(strstr(failure.detail, "nothing listens on that port"));
    failure = failure_of_target(-ETIMEDOUT, name);
    assert_int_equal(failure.detail[strlen(failure.detail) - 1], '?');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_error_has_its_reason),
        cmocka_unit_test(a_long_name_leaves_room_for_the_reason),
    };
    return cmocka_run_group_tests_name("failure", tests, NULL, NULL);
}
