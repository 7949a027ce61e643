/* Who each target is: what is pinned, what is a doubt, who decides, and what outlives a restart. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "disk.h"
#include "vps/pins/pins.h"

enum { DAY = 24 * 3600, NOW = 1795694400 };

/* Of ssh-keygen; their fingerprints are what `ssh-keygen -l` says. */
#define ED25519 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
#define ANOTHER "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICAhIiMkJSYnKCkqKywtLi8wMTIzNDU2Nzg5Ojs8PT4/"

static const struct pin_target HOME = {"home", "HOME-PC", 22, KIND_SSH};
static const struct owner ALICE = {OWNER_TELEGRAM, 42};

static struct identity key(const char *text)
{
    struct identity identity;
    assert_int_equal(identity_of_key(text, &identity), 0);
    return identity;
}

static struct identity certificate(uint8_t first, int64_t from, int64_t until)
{
    return (struct identity){.sha256 = {first, 1}, .sha1 = {first}, .from = from, .until = until};
}

static enum pin_verdict judge(struct pins *pins, const struct pin_target *target,
                              struct identity shown, int64_t now, const char *id)
{
    struct pin_sight sight;
    pins_judge(pins, target, &shown, now, id, &ALICE, &sight);
    identity_done(&sight.before);
    identity_done(&shown);
    return sight.verdict;
}

/* ---- keys -------------------------------------------------------------------- */

static void a_key_is_taken_and_told(void **state)
{
    struct identity identity = key(ED25519), copy;
    char text[IDENTITY_TEXT_MAX];
    (void)state;
    assert_string_equal(identity_text(&identity, text),
                        "SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA");
    assert_string_equal(identity_algorithm(&identity), "ED25519");
    assert_int_equal(identity_copy(&identity, &copy), 0);
    assert_true(identity_equal(&identity, &copy));
    identity_done(&identity);
    identity_done(&copy);
    assert_null(identity.key);
}

/* It comes from a gateway, and stands in a line that people paste. */
static void what_is_no_key_is_refused(void **state)
{
    static const char *const WRONG[] = {
        "",
        "ssh-ed25519",
        "ssh-ed25519 ",
        "ssh-ed25519  AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f",
        ED25519 " comment",
        ED25519 "\n",
        ED25519 "\";reboot",
        "ssh-dss AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f",
        "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA\nAAAA",
        "ssh-ed25519 ====",
        "ssh-ed25519 AAA",
    };
    (void)state;
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        struct identity identity;
        assert_int_equal(identity_of_key(WRONG[i], &identity), -EINVAL);
    }
}

static void what_somebody_wrote_down_is_read(void **state)
{
    static const char *const KEYS[] = {"SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA",
                                       "SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA=",
                                       ED25519, ED25519 " root@nas, old one"};
    static const char *const NO_KEYS[] = {"",
                                          "SHA256:",
                                          "SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncC",
                                          "SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCAA",
                                          "SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSn CA",
                                          "MD5:37:89:a5",
                                          "ssh-ed25519",
                                          "ssh-ed25519 AAAA"};
    static const char *const CERTIFICATES[] = {
        "37:89:A5:D0:4C:3B:55:A4:99:B6:32:7C:52:1F:DE:61:C7:8E:7B:AA:E7:42:39:A0:8E:B6:1A:A9:9D:E0:"
        "70:20",
        "3789a5d04c3b55a499b6327c521fde61c78e7baae74239a08eb61aa99de07020"};
    static const char *const NO_CERTIFICATES[] = {
        "",
        "3789",
        "c97bae81d3351dd4ba5024480cac777dbf8e74d3",
        ":",
        "3789a5d04c3b55a499b6327c521fde61c78e7baae74239a08eb61aa99de0702037",
        "37:8:9A5d04c3b55a499b6327c521fde61c78e7baae74239a08eb61aa99de07020"};
    struct identity identity = key(ED25519);
    uint8_t hash[CRYPTO_HASH_SIZE];
    char text[IDENTITY_TEXT_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++) {
        memset(hash, 0, sizeof hash);
        assert_int_equal(identity_parse_host_key(KEYS[i], hash), 0);
        assert_memory_equal(hash, identity.sha256, sizeof hash);
    }
    assert_string_equal(identity_hash_text(hash, false, text), KEYS[0]);
    for (size_t i = 0; i < sizeof NO_KEYS / sizeof *NO_KEYS; i++) {
        assert_int_equal(identity_parse_host_key(NO_KEYS[i], hash), -EINVAL);
    }
    for (size_t i = 0; i < 2; i++) {
        memset(hash, 0, sizeof hash);
        assert_int_equal(identity_parse_certificate(CERTIFICATES[i], hash), 0);
        assert_string_equal(identity_hash_text(hash, true, text), CERTIFICATES[1]);
    }
    for (size_t i = 0; i < sizeof NO_CERTIFICATES / sizeof *NO_CERTIFICATES; i++) {
        assert_int_equal(identity_parse_certificate(NO_CERTIFICATES[i], hash), -EINVAL);
    }
    identity_done(&identity);
}

/* ---- pinning ----------------------------------------------------------------- */

static void what_is_shown_first_is_right(void **state)
{
    struct pins *pins = pins_new(NULL);
    const struct pin_target other_port = {"home", "HOME-PC", 2222, KIND_SSH};
    const struct pin_target other_gateway = {"office", "HOME-PC", 22, KIND_SSH};
    (void)state;
    assert_int_equal(judge(pins, &HOME, key(ED25519), NOW, "s1"), PIN_IS_NEW);
    assert_int_equal(judge(pins, &HOME, key(ED25519), NOW + 9, "s2"), PIN_IS_SAME);
    assert_int_equal(pins_find(pins, &HOME)->since, NOW);
    assert_int_equal(judge(pins, &other_port, key(ANOTHER), NOW, "s3"), PIN_IS_NEW);
    assert_int_equal(judge(pins, &other_gateway, key(ANOTHER), NOW, "s4"), PIN_IS_NEW);
    assert_null(pins_doubt_at(pins, 0));
    pins_free(pins);
}

static void that_it_was_seen_is_noted_now_and_then(void **state)
{
    struct pins *pins = pins_new(NULL);
    (void)state;
    judge(pins, &HOME, key(ED25519), NOW, "s1");
    judge(pins, &HOME, key(ED25519), NOW + PIN_NOTED_S - 1, "s2");
    assert_int_equal(pins_find(pins, &HOME)->looked, NOW);
    judge(pins, &HOME, key(ED25519), NOW + PIN_NOTED_S, "s3");
    assert_int_equal(pins_find(pins, &HOME)->looked, NOW + PIN_NOTED_S);
    judge(pins, &HOME, key(ED25519), NOW, "s4"); /* the clock was wrong */
    assert_int_equal(pins_find(pins, &HOME)->looked, NOW);
    pins_free(pins);
}

static void another_key_changes_nothing_until_somebody_decides(void **state)
{
    struct pins *pins = pins_new(NULL);
    struct identity old = key(ED25519), new = key(ANOTHER);
    (void)state;
    judge(pins, &HOME, key(ED25519), NOW, "s1");
    assert_int_equal(judge(pins, &HOME, key(ANOTHER), NOW + DAY, "s2"), PIN_IS_ANOTHER);
    assert_int_equal(judge(pins, &HOME, key(ANOTHER), NOW + DAY, "s3"), PIN_IS_ANOTHER);
    assert_null(pins_doubt(pins, "s2")); /* one for each target: the newest */
    const struct pin_doubt *doubt = pins_doubt(pins, "s3");
    assert_true(identity_equal(&doubt->shown, &new) && owner_equal(&doubt->owner, &ALICE));
    assert_true(identity_equal(&pins_find(pins, &HOME)->identity, &old));

    assert_int_equal(pins_leave(pins, "s3"), 0);
    assert_int_equal(pins_leave(pins, "s3"), -ENOENT);
    assert_int_equal(judge(pins, &HOME, key(ANOTHER), NOW + DAY, "s4"), PIN_IS_ANOTHER);
    assert_int_equal(pins_accept(pins, "s4", NOW + DAY + 5), 0);
    assert_int_equal(pins_accept(pins, "s4", NOW), -ENOENT);
    assert_true(identity_equal(&pins_find(pins, &HOME)->identity, &new));
    assert_int_equal(pins_find(pins, &HOME)->since, NOW + DAY + 5);
    assert_int_equal(judge(pins, &HOME, key(ED25519), NOW + 2 * DAY, "s5"), PIN_IS_ANOTHER);
    identity_done(&old);
    identity_done(&new);
    pins_free(pins);
}

static void what_is_written_down_takes_the_place_of_what_was_seen(void **state)
{
    struct pins *pins = pins_new(NULL);
    struct identity right = key(ANOTHER), old = key(ED25519);
    struct pin_sight sight;
    (void)state;
    judge(pins, &HOME, key(ED25519), NOW, "s1");
    judge(pins, &HOME, key(ANOTHER), NOW + 1, "s2");
    for (unsigned i = 0; i < 2; i++) {
        pins_take(pins, &HOME, &right, NOW + 2, &sight);
        assert_int_equal(sight.verdict, i == 0 ? PIN_IS_NEW : PIN_IS_SAME);
        assert_int_equal(sight.since, NOW + 2);
        assert_true(i > 0 || identity_equal(&sight.before, &old));
        identity_done(&sight.before);
    }
    assert_null(pins_doubt(pins, "s2"));
    assert_true(identity_equal(&pins_find(pins, &HOME)->identity, &right));
    const struct pin_target other = {"home", "nas", 22, KIND_SSH};
    pins_take(pins, &other, &right, NOW, &sight);
    assert_int_equal(sight.verdict, PIN_IS_NEW);
    identity_done(&right);
    identity_done(&old);
    pins_free(pins);
}

/* A doubt is over when the right one is back. */
static void what_is_right_again_is_no_doubt(void **state)
{
    struct pins *pins = pins_new(NULL);
    (void)state;
    judge(pins, &HOME, key(ED25519), NOW, "s1");
    judge(pins, &HOME, key(ANOTHER), NOW, "s2");
    judge(pins, &HOME, key(ED25519), NOW, "s3");
    assert_null(pins_doubt(pins, "s2"));
    assert_int_equal(judge(pins, &HOME, key(ANOTHER), NOW, "s4"), PIN_IS_ANOTHER);
    assert_int_equal(pins_forget(pins, &HOME), 0);
    assert_null(pins_doubt(pins, "s4"));
    assert_int_equal(pins_forget(pins, &HOME), -ENOENT);
    assert_int_equal(judge(pins, &HOME, key(ANOTHER), NOW, "s5"), PIN_IS_NEW);
    pins_free(pins);
}

static void very_many_doubts_push_out_the_oldest(void **state)
{
    struct pins *pins = pins_new(NULL);
    (void)state;
    for (unsigned i = 0; i <= PIN_DOUBTS_MAX; i++) {
        char host[16], id[PIN_DOUBT_ID_MAX + 1];
        snprintf(host, sizeof host, "pc-%u", i);
        snprintf(id, sizeof id, "s%u", i);
        const struct pin_target target = {"home", host, 22, KIND_SSH};
        judge(pins, &target, key(ED25519), NOW, "first");
        judge(pins, &target, key(ANOTHER), NOW, id);
    }
    assert_null(pins_doubt(pins, "s0"));
    assert_non_null(pins_doubt(pins, "s1"));
    assert_non_null(pins_doubt(pins, "s64"));
    pins_free(pins);
}

static void very_many_targets_push_out_the_one_that_rests(void **state)
{
    struct pins *pins = pins_new(NULL);
    (void)state;
    for (unsigned i = 0; i <= PINS_MAX; i++) {
        char host[16];
        snprintf(host, sizeof host, "pc-%u", i);
        const struct pin_target target = {"home", host, 22, KIND_SSH};
        assert_int_equal(judge(pins, &target, key(ED25519), NOW + i, "s"), PIN_IS_NEW);
    }
    assert_null(pins_find(pins, &(struct pin_target){"home", "pc-0", 22, KIND_SSH}));
    assert_non_null(pins_find(pins, &(struct pin_target){"home", "pc-1", 22, KIND_SSH}));
    pins_free(pins);
}

/* Whoever has a gateway and a user's account could have it show any number of keys. */
static void one_gateway_pushes_out_only_its_own(void **state)
{
    struct pins *pins = pins_new(NULL);
    (void)state;
    judge(pins, &HOME, key(ED25519), NOW, "s");
    for (unsigned i = 0; i < PINS_MAX + PINS_SHARE; i++) {
        char host[16];
        snprintf(host, sizeof host, "pc-%u", i);
        const struct pin_target target = {"stolen", host, 22, KIND_SSH};
        assert_int_equal(judge(pins, &target, key(ANOTHER), NOW + 1 + i, "s"), PIN_IS_NEW);
    }
    assert_non_null(pins_find(pins, &HOME));
    assert_null(pins_find(pins, &(struct pin_target){"stolen", "pc-0", 22, KIND_SSH}));
    pins_free(pins);
}

/* ---- certificates ------------------------------------------------------------ */

static void a_certificate_is_renewed_when_its_time_is_over(void **state)
{
    const struct pin_target pc = {"home", "HOME-PC", 3389, KIND_RDP};
    static const struct {
        int64_t from, until;
        enum pin_verdict verdict;
    } ROWS[] = {
        {NOW + 180 * DAY, NOW + 363 * DAY, PIN_IS_RENEWED}, /* the day after, as Windows does */
        {NOW + 170 * DAY, NOW + 350 * DAY, PIN_IS_RENEWED},
        {NOW + 90 * DAY, NOW + 270 * DAY, PIN_IS_ANOTHER},  /* in the middle of its time */
        {NOW + 400 * DAY, NOW + 600 * DAY, PIN_IS_ANOTHER}, /* begins in the future */
        {NOW + 180 * DAY, NOW + 180 * DAY, PIN_IS_ANOTHER}, /* ends as the old one did */
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct pins *pins = pins_new(NULL);
        judge(pins, &pc, certificate(1, NOW, NOW + 180 * DAY), NOW, "s1");
        assert_int_equal(
            judge(pins, &pc, certificate(2, ROWS[i].from, ROWS[i].until), NOW + 200 * DAY, "s2"),
            ROWS[i].verdict);
        assert_int_equal(pins_find(pins, &pc)->identity.sha256[0],
                         ROWS[i].verdict == PIN_IS_RENEWED ? 2 : 1);
        pins_free(pins);
    }
}

/* Nearly all of its time is within fifteen days of its end. */
static void a_certificate_of_a_few_days_is_not_always_about_to_end(void **state)
{
    const struct pin_target pc = {"home", "HOME-PC", 3389, KIND_RDP};
    struct pins *pins = pins_new(NULL);
    (void)state;
    judge(pins, &pc, certificate(1, NOW, NOW + 8 * DAY), NOW, "s1");
    assert_int_equal(
        judge(pins, &pc, certificate(2, NOW + DAY, NOW + 9 * DAY), NOW + 2 * DAY, "s2"),
        PIN_IS_ANOTHER);
    assert_int_equal(
        judge(pins, &pc, certificate(3, NOW + 6 * DAY, NOW + 14 * DAY), NOW + 6 * DAY, "s3"),
        PIN_IS_RENEWED);
    assert_int_equal(judge(pins, &pc, certificate(4, 0, 1), NOW + 6 * DAY, "s4"), PIN_IS_ANOTHER);
    pins_free(pins);
}

/* What was doubted could take the place of what is right, by a button that is left. */
static void a_renewal_is_the_end_of_a_doubt(void **state)
{
    const struct pin_target pc = {"home", "HOME-PC", 3389, KIND_RDP};
    struct pins *pins = pins_new(NULL);
    (void)state;
    judge(pins, &pc, certificate(1, NOW, NOW + 180 * DAY), NOW, "s1");
    judge(pins, &pc, certificate(2, NOW, NOW + 360 * DAY), NOW + DAY, "s2");
    assert_non_null(pins_doubt(pins, "s2"));
    judge(pins, &pc, certificate(3, NOW + 180 * DAY, NOW + 360 * DAY), NOW + 181 * DAY, "s3");
    assert_int_equal(pins_accept(pins, "s2", NOW + 182 * DAY), -ENOENT);
    assert_int_equal(pins_find(pins, &pc)->identity.sha256[0], 3);
    pins_free(pins);
}

/* ---- the file ---------------------------------------------------------------- */

static void what_is_pinned_outlives_a_restart(void **state)
{
    const struct pin_target pc = {"home", "HOME-PC", 3389, KIND_RDP};
    struct disk *disk = *state;
    disk_open(disk);
    struct pins *pins = pins_new(disk->store);
    disk_write(disk);
    judge(pins, &HOME, key(ED25519), NOW, "s1");
    judge(pins, &pc, certificate(7, NOW, NOW + DAY), NOW + 1, "s2");
    judge(pins, &HOME, key(ANOTHER), NOW + DAY, "s3");
    pins_free(pins);
    disk_close(disk);

    disk_open(disk);
    pins = pins_new(disk->store);
    disk_write(disk);
    struct identity old = key(ED25519);
    assert_true(identity_equal(&pins_find(pins, &HOME)->identity, &old));
    assert_string_equal(pins_find(pins, &HOME)->identity.key, ED25519);
    assert_int_equal(pins_find(pins, &pc)->identity.sha256[0], 7);
    assert_int_equal(pins_find(pins, &pc)->identity.until, NOW + DAY);
    assert_int_equal(pins_find(pins, &pc)->since, NOW + 1);
    assert_null(pins_doubt_at(pins, 0));
    assert_int_equal(pins_forget(pins, &pc), 0);
    identity_done(&old);
    pins_free(pins);
    disk_close(disk);

    disk_open(disk);
    pins = pins_new(disk->store);
    disk_write(disk);
    assert_null(pins_find(pins, &pc));
    assert_non_null(pins_at(pins, 0));
    assert_null(pins_at(pins, 1));
    pins_free(pins);
    disk_close(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_taken_and_told),
        cmocka_unit_test(what_is_no_key_is_refused),
        cmocka_unit_test(what_somebody_wrote_down_is_read),
        cmocka_unit_test(what_is_written_down_takes_the_place_of_what_was_seen),
        cmocka_unit_test(what_is_shown_first_is_right),
        cmocka_unit_test(that_it_was_seen_is_noted_now_and_then),
        cmocka_unit_test(another_key_changes_nothing_until_somebody_decides),
        cmocka_unit_test(what_is_right_again_is_no_doubt),
        cmocka_unit_test(very_many_doubts_push_out_the_oldest),
        cmocka_unit_test(very_many_targets_push_out_the_one_that_rests),
        cmocka_unit_test(one_gateway_pushes_out_only_its_own),
        cmocka_unit_test(a_certificate_of_a_few_days_is_not_always_about_to_end),
        cmocka_unit_test(a_renewal_is_the_end_of_a_doubt),
        cmocka_unit_test(a_certificate_is_renewed_when_its_time_is_over),
        cmocka_unit_test_setup_teardown(what_is_pinned_outlives_a_restart, disk_begin, disk_end),
    };
    return cmocka_run_group_tests_name("pins", tests, NULL, NULL);
}
