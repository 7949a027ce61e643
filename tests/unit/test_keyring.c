/* The keys in TUNNEL_KEY: which is whose, and until when one may be used first. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "disk.h"
#include "vps/gateways/keyring.h"

enum { NOW_S = 1764200000 };

#define HEX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HEX_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define HEX_C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

static int64_t now_s;

int64_t __wrap_clock_unix(void);
int64_t __wrap_clock_unix(void)
{
    return now_s;
}

static struct keyring *kept; /* the one that is in use */

static void start(struct disk *disk)
{
    disk_open(disk);
    kept = keyring_new(&disk->settings, disk->store);
    assert_non_null(kept);
    disk_write(disk);
}

static void stop(struct disk *disk)
{
    keyring_free(kept);
    disk_close(disk);
}

static void restart(struct disk *disk)
{
    stop(disk);
    start(disk);
}

static int set_up(void **state)
{
    struct disk *disk = disk_set_up();
    now_s = NOW_S;
    if (disk) {
        start(disk);
    }
    *state = disk;
    return disk ? 0 : -1;
}

static int tear_down(void **state)
{
    stop(*state);
    disk_tear_down(*state);
    return 0;
}

/* As a reload does. */
static void set_keys(struct disk *disk, const char *text)
{
    assert_int_equal(vps_settings_take("TUNNEL_KEY", text, &disk->settings, NULL), 0);
}

static int use(const char *gateway)
{
    int number = keyring_find(kept, gateway);
    assert_true(number >= 0);
    return keyring_use(kept, number);
}

/* ---- whose ------------------------------------------------------------------- */

static void a_key_of_its_own_comes_before_the_one_without_a_name(void **state)
{
    struct disk *disk = *state;
    static const char *const TEXTS[] = {HEX_A ",office:" HEX_B, "office:" HEX_B "," HEX_A};
    for (int i = 0; i < 2; i++) {
        set_keys(disk, TEXTS[i]);
        assert_int_equal(keyring_find(kept, "OFFICE"), 1 - i);
        assert_int_equal(keyring_find(kept, "home"), i);
    }
    set_keys(disk, "office:" HEX_B);
    assert_int_equal(keyring_find(kept, "home"), -ENOENT);
}

/* ---- until when -------------------------------------------------------------- */

static void a_key_without_a_time_is_good_for_ever(void **state)
{
    struct disk *disk = *state;
    struct keyring_view view;
    set_keys(disk, HEX_A ",office:" HEX_B);
    now_s = INT64_C(1) << 40;
    assert_int_equal(use("home"), 0);
    assert_int_equal(use("office"), 0);
    assert_true(keyring_view(kept, 1, &view));
    assert_false(view.used || view.expired);
    assert_false(keyring_view(kept, 2, &view));
}

static void a_key_that_comes_too_late_is_refused(void **state)
{
    struct disk *disk = *state;
    struct keyring_view view;
    set_keys(disk, "home:" HEX_A "@1764200000");
    assert_int_equal(use("home"), -EKEYEXPIRED);
    assert_true(keyring_view(kept, 0, &view));
    assert_true(view.expired && !view.used);
    restart(disk);
    assert_int_equal(use("home"), -EKEYEXPIRED);
}

static void a_key_that_was_used_in_time_is_good_for_ever(void **state)
{
    struct disk *disk = *state;
    struct keyring_view view;
    set_keys(disk, "home:" HEX_A "@1764200060,office:" HEX_B "@1764200060");
    assert_int_equal(use("home"), 0);
    now_s += 60;
    assert_int_equal(use("home"), 0);
    assert_int_equal(use("office"), -EKEYEXPIRED);
    restart(disk); /* with whatever clock */
    now_s += 100 * 86400;
    assert_int_equal(use("home"), 0);
    assert_int_equal(use("office"), -EKEYEXPIRED);
    assert_true(keyring_view(kept, 0, &view));
    assert_true(view.used && !view.expired);
}

/* What is remembered is the key: a new one of the same name waits anew. */
static void a_new_key_has_to_be_used_anew(void **state)
{
    struct disk *disk = *state;
    set_keys(disk, "home:" HEX_A "@1764200060");
    assert_int_equal(use("home"), 0);
    set_keys(disk, "home:" HEX_B "@1764200060");
    now_s += 60;
    assert_int_equal(use("home"), -EKEYEXPIRED);
    set_keys(disk, "elsewhere:" HEX_A "@1764200060");
    assert_int_equal(use("elsewhere"), 0);
}

/* As the documentation says: without STATE_DIR the time counts, unless it is taken out. */
static void without_its_state_the_time_counts_again(void **state)
{
    struct disk *disk = *state;
    set_keys(disk, "home:" HEX_A "@1764200060");
    assert_int_equal(use("home"), 0);
    stop(disk);
    folder_clear(disk->settings.state_dir);
    start(disk);
    now_s += 60;
    assert_int_equal(use("home"), -EKEYEXPIRED);
    set_keys(disk, "home:" HEX_A);
    assert_int_equal(use("home"), 0);
}

static void without_a_store_it_is_remembered_until_the_end(void **state)
{
    struct disk *disk = *state;
    set_keys(disk, "home:" HEX_A "@1764200060");
    struct keyring *keyring = keyring_new(&disk->settings, NULL);
    assert_int_equal(keyring_use(keyring, 0), 0);
    now_s += 60;
    assert_int_equal(keyring_use(keyring, 0), 0);
    keyring_free(keyring);
}

static void very_many_keys_push_out_the_oldest_only(void **state)
{
    struct disk *disk = *state;
    char text[128];
    for (unsigned i = 0; i < 300; i++) {
        snprintf(text, sizeof text, "home:%.60s%04x@1764200060", HEX_A, i);
        set_keys(disk, text);
        assert_int_equal(use("home"), 0);
    }
    now_s += 60;
    assert_int_equal(use("home"), 0);
    snprintf(text, sizeof text, "home:%.60s%04x@1764200060", HEX_A, 100);
    set_keys(disk, text);
    assert_int_equal(use("home"), 0);
}

static void after_a_restart_it_is_still_the_oldest_that_goes(void **state)
{
    struct disk *disk = *state;
    char text[128];
    for (unsigned i = 0; i < 257; i++) {
        if (i == 256) {
            restart(disk);
        }
        now_s++;
        snprintf(text, sizeof text, "home:%.60s%04x@1764210000", HEX_A, i);
        set_keys(disk, text);
        assert_int_equal(use("home"), 0);
    }
    now_s = 1764210000;
    snprintf(text, sizeof text, "home:%.60s%04x@1764210000", HEX_A, 255);
    set_keys(disk, text);
    assert_int_equal(use("home"), 0);
}

static void a_key_that_several_share_is_known_as_that(void **state)
{
    struct disk *disk = *state;
    set_keys(disk, "home:" HEX_B);
    keyring_note_shared(kept); /* there is none without a name */
    assert_false(keyring_is_shared(kept));
    set_keys(disk, HEX_A);
    assert_false(keyring_is_shared(kept));
    keyring_note_shared(kept);
    keyring_note_shared(kept);
    restart(disk);
    assert_true(keyring_is_shared(kept));
    set_keys(disk, HEX_B);
    assert_false(keyring_is_shared(kept));
    char text[128];
    for (unsigned i = 0; i < 8; i++, now_s++) { /* the oldest is forgotten */
        snprintf(text, sizeof text, "%.60s%04x", HEX_C, i);
        set_keys(disk, text);
        keyring_note_shared(kept);
        assert_true(keyring_is_shared(kept));
    }
    restart(disk);
    assert_true(keyring_is_shared(kept));
    set_keys(disk, HEX_A);
    assert_false(keyring_is_shared(kept));
}

/* The name of a key is no key: it does not change with the gateway's, nor tell the secret. */
static void an_id_tells_keys_apart(void **state)
{
    struct disk *disk = *state;
    char a[KEYRING_ID_MAX], b[KEYRING_ID_MAX];
    set_keys(disk, "home:" HEX_A ",office:" HEX_B);
    keyring_id(disk->settings.tunnel_key.keys[0].key, a);
    keyring_id(disk->settings.tunnel_key.keys[1].key, b);
    assert_int_equal(strlen(a), KEYRING_ID_MAX - 1);
    assert_string_not_equal(a, b);
    assert_null(strstr(HEX_A, a));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_key_of_its_own_comes_before_the_one_without_a_name),
        TEST(a_key_without_a_time_is_good_for_ever),
        TEST(a_key_that_comes_too_late_is_refused),
        TEST(a_key_that_was_used_in_time_is_good_for_ever),
        TEST(a_new_key_has_to_be_used_anew),
        TEST(without_its_state_the_time_counts_again),
        TEST(without_a_store_it_is_remembered_until_the_end),
        TEST(very_many_keys_push_out_the_oldest_only),
        TEST(after_a_restart_it_is_still_the_oldest_that_goes),
        TEST(a_key_that_several_share_is_known_as_that),
        TEST(an_id_tells_keys_apart),
    };
    return cmocka_run_group_tests_name("keyring", tests, NULL, NULL);
}
