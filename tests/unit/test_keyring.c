/* Keys of gateways, in TUNNEL_KEY and added at run time: which is whose, and until when. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

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
    int number = keyring_find(kept, gateway, 0);
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
        assert_int_equal(keyring_find(kept, "OFFICE", 0), 1 - i);
        assert_int_equal(keyring_find(kept, "home", 0), i);
    }
    set_keys(disk, "office:" HEX_B);
    assert_int_equal(keyring_find(kept, "home", 0), -ENOENT);
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

/* ---- those that are added while the agent runs --------------------------------- */

static const uint8_t A[CRYPTO_KEY_SIZE] = "the first key of thirty-two byte";
static const uint8_t B[CRYPTO_KEY_SIZE] = "the other key of thirty-two byte";
static const uint8_t C[CRYPTO_KEY_SIZE] = "a third key of thirty-two bytes.";

static struct keyring_entry entry(const char *gateway, const uint8_t *key, int64_t until)
{
    return (struct keyring_entry){
        .gateway = gateway, .key = key, .origin = KEY_ADDED, .until = until};
}

static int add(const char *gateway, const uint8_t *key, int64_t until, struct why *why)
{
    const struct keyring_entry new = entry(gateway, key, until);
    why->text[0] = '\0';
    return keyring_add(kept, &new, why);
}

static int rotate(const char *gateway, const uint8_t *key, int64_t until, struct why *why)
{
    const struct keyring_entry new = entry(gateway, key, until);
    why->text[0] = '\0';
    return keyring_rotate(kept, &new, why);
}

/* The nth key that the gateway may show is that one (NULL: none). */
static void expect_key(const char *gateway, unsigned nth, const uint8_t *key)
{
    struct keyring_view view;
    int number = keyring_find(kept, gateway, nth);
    if (!key) {
        assert_int_equal(number, -ENOENT);
        return;
    }
    assert_true(number >= 0);
    assert_true(keyring_view(kept, (unsigned)number, &view));
    assert_memory_equal(view.key, key, CRYPTO_KEY_SIZE);
}

/* It logs in with the nth of its keys. True if another one is dropped by that. */
static bool join(const char *gateway, unsigned nth)
{
    bool dropped;
    int number = keyring_find(kept, gateway, nth);
    assert_int_equal(keyring_use(kept, number), 0);
    keyring_joined(kept, number, &dropped);
    return dropped;
}

static void one_that_was_added_is_there_after_a_restart(void **state)
{
    struct disk *disk = *state;
    struct keyring_view view;
    struct why why;
    assert_false(keyring_has(kept, ""));
    assert_int_equal(add("home", A, NOW_S + 60, &why), 0);
    assert_true(keyring_has(kept, "") && keyring_has(kept, "HOME") &&
                keyring_has_own(kept, "home"));
    assert_false(keyring_has(kept, "office"));
    restart(disk);
    expect_key("Home", 0, A);
    expect_key("home", 1, NULL);
    assert_true(keyring_view(kept, 0, &view));
    assert_string_equal(view.gateway, "home");
    assert_int_equal(view.origin, KEY_ADDED);
    assert_true(view.since == NOW_S && view.until == NOW_S + 60 && !view.joined && !view.used);
    now_s += 5;
    assert_false(join("home", 0));
    now_s += 100; /* it was in time */
    keyring_left(kept, "home");
    restart(disk);
    assert_int_equal(use("home"), 0);
    assert_true(keyring_view(kept, 0, &view));
    assert_true(view.used && !view.expired && view.until == 0);
    assert_true(view.joined == NOW_S + 5 && view.seen == NOW_S + 105);
}

static void where_it_came_from_is_kept(void **state)
{
    struct keyring_entry paired = entry("home", A, 0);
    struct keyring_view view;
    struct why why;
    paired.origin = KEY_PAIRED;
    assert_int_equal(keyring_add(kept, &paired, &why), 0);
    restart(*state);
    assert_true(keyring_view(kept, 0, &view));
    assert_int_equal(view.origin, KEY_PAIRED);
}

/* Whoever has them can log in. */
static void nobody_else_can_read_the_file(void **state)
{
    struct disk *disk = *state;
    struct why why;
    unsigned found = 0;
    assert_int_equal(add("home", A, 0, &why), 0);
    stop(disk);
    start(disk);
    assert_int_equal(add("office", B, 0, &why), 0);
    static const char *const NAMES[] = {"state.db", "state.db-wal", "state.db-shm"};
    for (unsigned i = 0; i < 3; i++) {
        char path[200];
        struct stat file;
        snprintf(path, sizeof path, "%s/%s", disk->settings.state_dir, NAMES[i]);
        if (stat(path, &file) == 0) {
            found++;
            assert_int_equal(file.st_mode & 0777, 0600);
        }
    }
    assert_int_equal(found, 3);
}

static void one_that_expired_is_refused_and_replaced(void **state)
{
    struct keyring_view view;
    struct why why;
    (void)state;
    assert_int_equal(add("home", A, NOW_S + 60, &why), 0);
    now_s += 60;
    assert_int_equal(use("home"), -EKEYEXPIRED);
    assert_true(keyring_view(kept, 0, &view));
    assert_true(view.expired && !view.used);
    assert_int_equal(rotate("home", B, now_s + 60, &why), 0);
    expect_key("home", 0, B); /* the other one never let anybody in */
    expect_key("home", 1, NULL);
}

static void while_one_replaces_another_both_are_good(void **state)
{
    struct disk *disk = *state;
    struct keyring_view view;
    struct why why;
    assert_int_equal(rotate("home", B, 0, &why), -ENOENT);
    assert_non_null(strstr(why.text, "pamctl gateway add home"));
    assert_int_equal(add("home", A, 0, &why), 0);
    assert_false(join("home", 0));
    assert_int_equal(rotate("Home", C, NOW_S + 60, &why), 0);
    assert_int_equal(rotate("home", B, NOW_S + 60, &why), 0); /* in the place of C */
    restart(disk);
    expect_key("home", 0, A);
    expect_key("home", 1, B);
    assert_true(keyring_view(kept, 1, &view) && view.replaces);
    assert_int_equal(keyring_count(kept), 1);
    assert_false(join("home", 0)); /* still */
    expect_key("home", 1, B);
    assert_int_equal(keyring_use(kept, keyring_find(kept, "home", 1)), 0); /* a look is no login */
    expect_key("home", 0, A);
    assert_true(join("home", 1));
    expect_key("home", 0, B);
    expect_key("home", 1, NULL);
    restart(disk);
    expect_key("home", 0, B);
    expect_key("home", 1, NULL);
}

/* Nobody came with it: the gateway is not locked out by what somebody forgot. */
static void one_that_replaces_too_late_changes_nothing(void **state)
{
    struct why why;
    (void)state;
    assert_int_equal(add("home", A, 0, &why), 0);
    join("home", 0);
    assert_int_equal(rotate("home", B, NOW_S + 60, &why), 0);
    now_s += 60;
    assert_int_equal(keyring_use(kept, keyring_find(kept, "home", 1)), -EKEYEXPIRED);
    assert_int_equal(keyring_use(kept, keyring_find(kept, "home", 0)), 0);
}

/* It could not be kept: what it was to replace is as good as before, and all there is. */
static void one_that_is_taken_back_leaves_the_one_before(void **state)
{
    struct disk *disk = *state;
    struct why why;
    assert_int_equal(add("home", A, 0, &why), 0);
    join("home", 0);
    assert_int_equal(rotate("home", B, 0, &why), 0);
    keyring_take_back(kept, "office", B);
    expect_key("home", 1, B);
    keyring_take_back(kept, "HOME", B);
    expect_key("home", 0, A);
    expect_key("home", 1, NULL);
    restart(disk);
    expect_key("home", 0, A);
    expect_key("home", 1, NULL);
    keyring_take_back(kept, "home", A);
    restart(disk);
    expect_key("home", 0, NULL);
}

static void one_that_is_removed_is_gone_for_good(void **state)
{
    struct disk *disk = *state;
    struct why why;
    assert_int_equal(keyring_remove(kept, "home", &why), -ENOENT);
    assert_non_null(strstr(why.text, "pamctl gateway list"));
    assert_int_equal(add("home", A, 0, &why), 0);
    assert_int_equal(add("office", B, 0, &why), 0);
    join("home", 0);
    assert_int_equal(rotate("home", C, 0, &why), 0);
    assert_int_equal(keyring_remove(kept, "HOME", &why), 0);
    expect_key("home", 0, NULL);
    restart(disk);
    expect_key("home", 0, NULL);
    expect_key("office", 0, B);
    assert_int_equal(add("home", A, 0, &why), 0); /* and may come again */
}

/* Who writes a name into the env file decides about it. */
static void a_name_in_the_settings_comes_before_one_that_is_kept(void **state)
{
    struct disk *disk = *state;
    struct keyring_view view;
    struct why why;
    unsigned at = 0;
    assert_int_equal(add("home", A, 0, &why), 0);
    set_keys(disk, "Home:" HEX_A ",office:" HEX_B);
    assert_int_equal(keyring_find(kept, "home", 0), 0);
    expect_key("home", 1, NULL);
    assert_true(keyring_view(kept, 2, &view) && view.idle);
    assert_int_equal(keyring_count(kept), 2);
    assert_string_equal(keyring_next_name(kept, &at), "Home");
    assert_string_equal(keyring_next_name(kept, &at), "office");
    assert_null(keyring_next_name(kept, &at));
    assert_null(keyring_next_name(kept, &at));
    assert_int_equal(add("office", B, 0, &why), -EPERM);
    assert_non_null(strstr(why.text, "in TUNNEL_KEY"));
    assert_int_equal(rotate("home", B, 0, &why), -EPERM);
    assert_int_equal(keyring_remove(kept, "office", &why), -EPERM);
    assert_int_equal(keyring_remove(kept, "home", &why), 0); /* the idle one */
    assert_int_equal(keyring_find(kept, "home", 0), 0);
}

/* Adding a gateway that has come with the key of all does not lock it out before it has its own. */
static void beside_a_new_one_the_one_without_a_name_is_good_until_it_was_used(void **state)
{
    struct disk *disk = *state;
    char id[KEYRING_ID_MAX];
    struct why why;
    set_keys(disk, HEX_A);
    keyring_id(disk->settings.tunnel_key.keys[0].key, id);
    assert_int_equal(add("home", B, 0, &why), 0);
    assert_int_equal(keyring_find(kept, "home", 1), 0);
    assert_true(keyring_accepts(kept, "home", id));
    join("home", 0);
    expect_key("home", 1, NULL);
    assert_false(keyring_accepts(kept, "home", id));
    assert_true(keyring_accepts(kept, "office", id));
    assert_int_equal(keyring_count(kept), 2);
}

static void what_cannot_be_added_is_explained(void **state)
{
    static const char *const NAMES[] = {"", "-home", "a b", "h\xc3\xb6me", "../home"};
    struct disk *disk = *state;
    struct why why;
    char name[16];
    uint8_t key[CRYPTO_KEY_SIZE] = {0};
    for (unsigned i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        assert_int_equal(add(NAMES[i], A, 0, &why), -EINVAL);
        assert_non_null(strstr(why.text, "1 to 63 letters, digits"));
    }
    assert_int_equal(add("home", A, 0, &why), 0);
    assert_int_equal(add("HOME", B, 0, &why), -EEXIST);
    assert_non_null(strstr(why.text, "pamctl gateway rotate HOME"));
    assert_int_equal(add("office", A, 0, &why), -EINVAL); /* no key is of two gateways */
    set_keys(disk, HEX_A);
    for (unsigned i = 2; i < GATEWAYS_MAX; i++) {
        snprintf(name, sizeof name, "gateway-%u", i);
        key[0] = (uint8_t)i;
        assert_int_equal(add(name, key, 0, &why), 0);
    }
    assert_int_equal(add("more", B, 0, &why), -ENOSPC);
    assert_int_equal(rotate("home", B, 0, &why), 0); /* needs no place of its own */
}

/* One key each of more gateways than there may be; each that is known can be given another. */
static void a_file_that_somebody_filled_has_no_more_than_there_is_room_for(void **state)
{
    static const char PUT[] = "INSERT INTO gateway_key(key, gateway, origin, since, until, joined, "
                              "seen) VALUES(?1, ?2, 'added', 0, 0, 1, 1)";
    struct disk *disk = *state;
    struct why why;
    for (unsigned i = 0; i < KEPT_KEYS_MAX; i++) {
        char name[16], hex[2 * CRYPTO_KEY_SIZE + 1];
        snprintf(name, sizeof name, "gateway-%02u", i);
        snprintf(hex, sizeof hex, "%064x", i + 1);
        const struct statement statement = {PUT, {value_text(hex), value_text(name)}};
        store_write(disk->store, &statement, NULL, NULL);
    }
    restart(disk);
    assert_int_equal(keyring_count(kept), GATEWAYS_MAX);
    for (unsigned i = 0; i < GATEWAYS_MAX; i++) {
        uint8_t key[CRYPTO_KEY_SIZE] = {0xff, (uint8_t)i};
        char name[16];
        snprintf(name, sizeof name, "gateway-%02u", i);
        assert_int_equal(rotate(name, key, 0, &why), 0);
        expect_key(name, 1, key);
    }
    assert_int_equal(rotate("gateway-40", A, 0, &why), -ENOENT);
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
        TEST(one_that_was_added_is_there_after_a_restart),
        TEST(where_it_came_from_is_kept),
        TEST(nobody_else_can_read_the_file),
        TEST(one_that_expired_is_refused_and_replaced),
        TEST(while_one_replaces_another_both_are_good),
        TEST(one_that_replaces_too_late_changes_nothing),
        TEST(one_that_is_taken_back_leaves_the_one_before),
        TEST(one_that_is_removed_is_gone_for_good),
        TEST(a_name_in_the_settings_comes_before_one_that_is_kept),
        TEST(beside_a_new_one_the_one_without_a_name_is_good_until_it_was_used),
        TEST(what_cannot_be_added_is_explained),
        TEST(a_file_that_somebody_filled_has_no_more_than_there_is_room_for),
    };
    return cmocka_run_group_tests_name("keyring", tests, NULL, NULL);
}
