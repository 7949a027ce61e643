/* What comes back with time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bucket.h"

enum { MOST = 5, EACH_MS = 10000 };

static unsigned take_all(struct bucket *bucket, uint64_t now_ms)
{
    unsigned count = 0;
    while (bucket_take(bucket, MOST, EACH_MS, now_ms)) {
        count++;
    }
    return count;
}

static void one_comes_back_after_another(void **state)
{
    struct bucket bucket = {0};
    uint64_t now = 5000000;
    (void)state;
    assert_int_equal(take_all(&bucket, now), MOST);
    assert_int_equal(take_all(&bucket, now + EACH_MS - 1), 0);
    assert_int_equal(take_all(&bucket, now + EACH_MS), 1);
    assert_int_equal(take_all(&bucket, now + 3 * EACH_MS + EACH_MS / 2), 2);
    assert_int_equal(take_all(&bucket, now + 4 * EACH_MS - 1), 0);
    assert_int_equal(take_all(&bucket, now + 4 * EACH_MS), 1); /* the half was not lost */
}

static void a_rest_gives_back_all_and_not_more(void **state)
{
    struct bucket bucket = {0};
    (void)state;
    assert_int_equal(take_all(&bucket, 1000000), MOST);
    assert_int_equal(take_all(&bucket, 1000000 + 24ull * 3600 * 1000), MOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_comes_back_after_another),
        cmocka_unit_test(a_rest_gives_back_all_and_not_more),
    };
    return cmocka_run_group_tests_name("bucket", tests, NULL, NULL);
}
