/* What targets showed, for a day. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/look/host_key.h"
#include "gateway/look/sights.h"

static const uint8_t UNKNOWN[MAC_SIZE];
static const struct why NOTHING = {"it is silent"};
static uint64_t now_ms = 1000000;

uint64_t __wrap_clock_ms(void);
uint64_t __wrap_clock_ms(void)
{
    return now_ms;
}

static struct addr target(const char *host, uint16_t port)
{
    struct addr addr;
    assert_int_equal(addr_parse(host, port, &addr), 0);
    return addr;
}

static void a_sight_counts_for_a_day_one_port_and_one_kind(void **state)
{
    struct sights *sights = sights_new();
    const struct addr nas = target("10.0.0.1", 22), other = target("10.0.0.1", 2222);
    const struct sight seen = {.host_key = "ssh-ed25519 AAAA"};
    (void)state;
    assert_null(sights_find(sights, &nas, KIND_SSH, UNKNOWN));
    sights_note(sights, &nas, KIND_SSH, UNKNOWN, &seen, NULL);
    assert_null(sights_find(sights, &other, KIND_SSH, UNKNOWN));
    assert_null(sights_find(sights, &nas, KIND_RDP, UNKNOWN));
    now_ms += SIGHT_HOST_KEY_MS - 1;
    assert_string_equal(sights_find(sights, &nas, KIND_SSH, UNKNOWN)->host_key, seen.host_key);
    assert_null(sights_blind(sights, &nas, KIND_SSH));
    now_ms += 1;
    assert_null(sights_find(sights, &nas, KIND_SSH, UNKNOWN));
    sights_free(sights);
    sights_free(NULL);
}

/* Nobody but the gateway compares it. */
static void a_certificate_counts_for_a_minute(void **state)
{
    struct sights *sights = sights_new();
    const struct addr pc = target("10.0.0.1", 3389);
    const struct sight seen = {.certificate_until = 1};
    (void)state;
    sights_note(sights, &pc, KIND_RDP, UNKNOWN, &seen, NULL);
    now_ms += SIGHT_CERTIFICATE_MS - 1;
    assert_non_null(sights_find(sights, &pc, KIND_RDP, UNKNOWN));
    now_ms += 1;
    assert_null(sights_find(sights, &pc, KIND_RDP, UNKNOWN));
    sights_free(sights);
}

/* As often as that, and no more, whatever was seen; but another machine is another one. */
static void what_was_looked_at_just_now_is_known(void **state)
{
    static const uint8_t ONE[MAC_SIZE] = {2, 0, 0, 0, 0, 1}, TWO[MAC_SIZE] = {2, 0, 0, 0, 0, 2};
    struct sights *sights = sights_new();
    const struct addr nas = target("10.0.0.1", 22), other = target("10.0.0.1", 2222);
    const struct sight seen = {.host_key = "ssh-rsa AAAA"};
    (void)state;
    assert_false(sights_fresh(sights, &nas, KIND_SSH, ONE));
    assert_int_equal(sights_host_key_type(sights, &nas), 0);
    for (unsigned i = 0; i < 2; i++) {
        sights_note(sights, &nas, KIND_SSH, ONE, i == 0 ? NULL : &seen, &NOTHING);
        assert_true(sights_fresh(sights, &nas, KIND_SSH, ONE));
        assert_false(sights_fresh(sights, &nas, KIND_SSH, TWO));
        assert_false(sights_fresh(sights, &other, KIND_SSH, ONE));
        now_ms += SIGHT_FRESH_MS;
        assert_false(sights_fresh(sights, &nas, KIND_SSH, ONE));
    }
    now_ms += 2 * SIGHT_HOST_KEY_MS;
    assert_int_equal(sights_host_key_type(sights, &nas), HOST_KEY_RSA);
    sights_free(sights);
}

static void a_look_in_vain_takes_the_place_of_what_was_seen(void **state)
{
    struct sights *sights = sights_new();
    const struct addr nas = target("10.0.0.1", 22);
    const struct sight seen = {.host_key = "ssh-ed25519 AAAA"};
    (void)state;
    sights_note(sights, &nas, KIND_SSH, UNKNOWN, &seen, NULL);
    sights_note(sights, &nas, KIND_SSH, UNKNOWN, NULL, &NOTHING);
    assert_null(sights_find(sights, &nas, KIND_SSH, UNKNOWN));
    assert_non_null(sights_blind(sights, &nas, KIND_SSH));
    now_ms += BLIND_MS;
    assert_null(sights_blind(sights, &nas, KIND_SSH));
    sights_note(sights, &nas, KIND_SSH, UNKNOWN, &seen, NULL);
    assert_non_null(sights_find(sights, &nas, KIND_SSH, UNKNOWN));
    sights_free(sights);
}

static void another_machine_at_the_same_address_was_not_seen(void **state)
{
    static const uint8_t MAC[MAC_SIZE] = {2, 0, 0, 0, 0, 1}, OTHER[MAC_SIZE] = {2, 0, 0, 0, 0, 2};
    struct sights *sights = sights_new();
    const struct addr nas = target("10.0.0.1", 22);
    const struct sight seen = {.host_key = "ssh-ed25519 AAAA"};
    (void)state;
    sights_note(sights, &nas, KIND_SSH, MAC, &seen, NULL);
    assert_non_null(sights_find(sights, &nas, KIND_SSH, MAC));
    assert_non_null(sights_find(sights, &nas, KIND_SSH, UNKNOWN));
    assert_null(sights_find(sights, &nas, KIND_SSH, OTHER));
    sights_note(sights, &nas, KIND_SSH, UNKNOWN, &seen, NULL);
    assert_non_null(sights_find(sights, &nas, KIND_SSH, OTHER));
    sights_free(sights);
}

static void the_oldest_makes_room(void **state)
{
    struct sights *sights = sights_new();
    const struct sight seen = {.host_key = "ssh-ed25519 AAAA"};
    (void)state;
    for (unsigned i = 0; i <= SIGHTS_MAX; i++) {
        struct addr addr = target("10.0.0.1", (uint16_t)(1 + i));
        now_ms++;
        sights_note(sights, &addr, KIND_SSH, UNKNOWN, &seen, NULL);
    }
    for (unsigned i = 0; i <= SIGHTS_MAX; i++) {
        struct addr addr = target("10.0.0.1", (uint16_t)(1 + i));
        assert_int_equal(sights_find(sights, &addr, KIND_SSH, UNKNOWN) != NULL, i > 0);
    }
    sights_free(sights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sight_counts_for_a_day_one_port_and_one_kind),
        cmocka_unit_test(a_certificate_counts_for_a_minute),
        cmocka_unit_test(what_was_looked_at_just_now_is_known),
        cmocka_unit_test(a_look_in_vain_takes_the_place_of_what_was_seen),
        cmocka_unit_test(another_machine_at_the_same_address_was_not_seen),
        cmocka_unit_test(the_oldest_makes_room),
    };
    return cmocka_run_group_tests_name("sights", tests, NULL, NULL);
}
