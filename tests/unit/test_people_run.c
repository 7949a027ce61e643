/* How people come in and go: invitations, members, and what is left of both after a restart. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "disk.h"
#include "vps/people/people_run.h"
#include "vps/policy/policy_file.h"

enum { ANNA = 7, BERT = 42, EVE = 98, STRANGER = 99, NOW_S = 1800000000 };

static const char POLICY[] = "users:\n"
                             "  anna: {telegram: 7, roles: administrator}\n"
                             "  bert: {telegram: 42}\n"
                             "  dora: {roles: administrator}\n"
                             "rules:\n"
                             "  - {who: \"*\", targets: \"*\", kinds: \"*\"}\n";

static const struct owner ROOT = {OWNER_LOCAL, 0};
static int64_t now_s;

int64_t __wrap_clock_unix(void);
int64_t __wrap_clock_unix(void)
{
    return now_s;
}

struct place {
    struct disk *disk;
    struct people *people;
    unsigned lost;
    char token[INVITATION_TOKEN_SIZE];
};

static struct owner of(int64_t id)
{
    return (struct owner){.kind = OWNER_TELEGRAM, .id = id};
}

static void on_lost(void *arg)
{
    struct place *place = arg;
    place->lost++;
}

/* As vps-agent starts. */
static void begin(struct place *place)
{
    struct disk *disk = place->disk;
    disk_open(disk);
    const struct people_options options = {
        .log = &disk->log, .store = disk->store, .lost = on_lost, .arg = place};
    place->people = people_new(&disk->settings);
    assert_non_null(place->people);
    people_begin(place->people, &options);
    disk_write(disk);
}

static void end(struct place *place)
{
    people_free(place->people);
    disk_close(place->disk);
}

static void restart(struct place *place)
{
    end(place);
    begin(place);
}

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    place->disk = disk_set_up();
    place->disk->settings.allowed_users = (struct user_list){.ids = {ANNA, BERT}, .count = 2};
    now_s = NOW_S;
    begin(place);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    end(place);
    policy_free(place->disk->settings.policy_file.policy);
    disk_tear_down(place->disk);
    free(place);
    return 0;
}

static void use_policy(struct place *place, const char *text)
{
    struct vps_settings *settings = &place->disk->settings;
    struct why why;
    policy_free(settings->policy_file.policy);
    strcpy(settings->policy_file.path, "/etc/p.yaml");
    assert_int_equal(policy_parse("p.yaml", text, strlen(text), "/usr/share/zoneinfo",
                                  &settings->policy_file.policy, &why),
                     0);
}

static int invite(struct place *place, const char *name, struct why *why)
{
    int64_t until = 0;
    why->text[0] = '\0';
    int err = people_invite(place->people, name, &ROOT, place->token, &until, why);
    if (err == 0) {
        assert_int_equal(until, now_s + INVITATION_VALID_S);
        assert_int_equal(strlen(place->token), INVITATION_TOKEN_LEN);
    }
    return err;
}

/* The name that the link of this token is for; "": none. */
static const char *opened(struct place *place, const char *token, int64_t id)
{
    const struct owner account = of(id);
    const struct invitation *invitation = people_open(place->people, token, &account);
    return invitation ? invitation->name : "";
}

static bool has(const struct place *place, int64_t id)
{
    const struct owner account = of(id);
    return people_has(place->people, &account);
}

static bool is_open_for(const struct place *place, const char *name)
{
    const struct invitation *invitation;
    unsigned at = 0;
    while ((invitation = people_next_invitation(place->people, &at))) {
        if (strcmp(invitation->name, name) == 0 && invitation->is_opened) {
            return true;
        }
    }
    return false;
}

static int say_yes(struct place *place, const char *name, int64_t id)
{
    const struct owner account = of(id), by = of(ANNA);
    return people_let_in(place->people, name, &account, &by);
}

/* All of it: the link, its opening, and the word. */
static int let_in(struct place *place, const char *name, int64_t id)
{
    const struct owner account = of(id), by = of(ANNA);
    struct why why;
    if (!is_open_for(place, name) && invite(place, name, &why) == 0) {
        assert_string_equal(opened(place, place->token, id), name);
    }
    return people_let_in(place->people, name, &account, &by);
}

static unsigned waiting(const struct place *place)
{
    unsigned at = 0, count = 0;
    while (people_next_invitation(place->people, &at)) {
        count++;
    }
    return count;
}

/* ---- invitations ------------------------------------------------------------- */

static void a_link_is_for_the_first_who_opens_it(void **state)
{
    struct place *place = *state;
    struct why why;
    char token[INVITATION_TOKEN_SIZE];
    assert_int_equal(invite(place, "carl", &why), 0);
    strcpy(token, place->token);
    assert_string_equal(opened(place, "aaaaaaaaaaaaaaaaaaaaaaaaaa", STRANGER), "");
    assert_string_equal(opened(place, "", STRANGER), "");
    assert_string_equal(opened(place, token, BERT), ""); /* he is in already, and uses up nothing */
    assert_string_equal(opened(place, token, STRANGER), "carl");
    assert_string_equal(opened(place, token, EVE), "");
    assert_string_equal(opened(place, token, STRANGER), "carl");
    restart(place);
    assert_string_equal(opened(place, token, EVE), "");
    assert_string_equal(opened(place, token, STRANGER), "carl");
    assert_false(has(place, STRANGER)); /* nobody has said yes */
}

static void a_link_is_good_for_an_hour(void **state)
{
    struct place *place = *state;
    struct why why;
    assert_int_equal(invite(place, "carl", &why), 0);
    now_s += INVITATION_VALID_S - 1;
    assert_int_equal(waiting(place), 1);
    assert_string_equal(opened(place, place->token, STRANGER), "carl");
    now_s += 1;
    assert_int_equal(waiting(place), 0);
    assert_string_equal(opened(place, place->token, STRANGER), "");
    now_s -= 1; /* it is gone for good, whatever the clock says */
    assert_string_equal(opened(place, place->token, STRANGER), "");
}

static void another_one_for_a_name_is_instead_of_it(void **state)
{
    struct place *place = *state;
    struct why why;
    char first[INVITATION_TOKEN_SIZE];
    assert_int_equal(invite(place, "carl", &why), 0);
    strcpy(first, place->token);
    assert_int_equal(invite(place, "Carl", &why), 0);
    assert_string_equal(opened(place, first, STRANGER), "");
    assert_string_equal(opened(place, place->token, STRANGER), "Carl");
    assert_int_equal(waiting(place), 1);
}

static void a_link_that_was_taken_back_lets_nobody_in(void **state)
{
    struct place *place = *state;
    struct people_removed removed;
    struct why why;
    assert_int_equal(invite(place, "carl", &why), 0);
    assert_int_equal(say_yes(place, "carl", STRANGER), -ESTALE); /* nobody has opened it */
    assert_string_equal(opened(place, place->token, STRANGER), "carl");
    assert_int_equal(say_yes(place, "carl", EVE), -ESTALE);
    assert_int_equal(people_remove(place->people, "carl", &ROOT, &removed, &why), 0);
    assert_int_equal(say_yes(place, "carl", STRANGER), -ESTALE);
    assert_false(has(place, STRANGER));
    /* nor by the one that was made instead, which stays good for whoever it is for */
    assert_int_equal(invite(place, "carl", &why), 0);
    assert_int_equal(say_yes(place, "carl", STRANGER), -ESTALE);
    const struct owner stranger = of(STRANGER), anna = of(ANNA);
    people_turn_away(place->people, "carl", &stranger, &anna);
    assert_string_equal(opened(place, place->token, EVE), "carl");
    assert_int_equal(say_yes(place, "carl", EVE), 0);
    assert_true(has(place, EVE));
    assert_false(has(place, STRANGER));
}

static void there_is_a_bound(void **state)
{
    struct place *place = *state;
    struct why why;
    char name[16];
    for (unsigned i = 0; i < INVITATIONS_MAX; i++) {
        snprintf(name, sizeof name, "carl%u", i);
        assert_int_equal(invite(place, name, &why), 0);
    }
    assert_int_equal(invite(place, "dora", &why), -ENOSPC);
    assert_non_null(strstr(why.text, "Too many invitations"));
    now_s += INVITATION_VALID_S;
    assert_int_equal(invite(place, "dora", &why), 0);
}

static void whom_it_may_be_for(void **state)
{
    struct place *place = *state;
    struct why why;
    assert_int_equal(invite(place, "", &why), -EINVAL);
    assert_int_equal(invite(place, "two words", &why), -EINVAL);
    assert_int_equal(invite(place, "<b>", &why), -EINVAL);
    assert_int_equal(let_in(place, "carl", STRANGER), 0);
    assert_int_equal(invite(place, "CARL", &why), -EEXIST);
    use_policy(place, POLICY);
    assert_int_equal(invite(place, "eve", &why), -ENOENT);
    assert_non_null(strstr(why.text, "has no user eve: write one into /etc/p.yaml first"));
    assert_int_equal(invite(place, "bert", &why), 0);
    place->disk->settings.allowed_users.count = 0; /* nobody has a number */
    assert_int_equal(invite(place, "bert", &why), -EDESTADDRREQ);
}

/* ---- members ----------------------------------------------------------------- */

static void who_was_let_in_is_in_also_after_a_restart(void **state)
{
    struct place *place = *state;
    const struct owner carl = of(STRANGER);
    struct why why;
    char name[PEOPLE_NAME_MAX];
    assert_int_equal(invite(place, "carl", &why), 0);
    assert_string_equal(opened(place, place->token, STRANGER), "carl");
    assert_int_equal(let_in(place, "carl", STRANGER), 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(has(place, STRANGER));
        assert_false(people_may(place->people, &carl, POLICY_ADMINISTRATOR));
        assert_true(people_may(place->people, &carl, POLICY_USER));
        assert_string_equal(people_name(place->people, &carl, name), "carl");
        assert_int_equal(waiting(place), 0);
        assert_int_equal(people_member(place->people, 0)->since, NOW_S);
        assert_int_equal(people_member(place->people, 0)->by.id, ANNA);
        assert_null(people_member(place->people, 1));
        restart(place);
    }
}

static void with_a_policy_an_account_is_its_users(void **state)
{
    struct place *place = *state;
    const struct owner second = of(STRANGER), third = of(EVE);
    struct owner administrators[4];
    use_policy(place, POLICY);
    assert_int_equal(let_in(place, "bert", STRANGER), 0);
    assert_string_equal(people_user(place->people, &second)->name, "bert");
    assert_false(people_may(place->people, &second, POLICY_APPROVER));
    assert_int_equal(people_in_chat(place->people, POLICY_ADMINISTRATOR, administrators, 4), 1);
    assert_int_equal(let_in(place, "dora", EVE), 0);
    assert_true(people_may(place->people, &third, POLICY_ADMINISTRATOR));
    assert_int_equal(people_in_chat(place->people, POLICY_ADMINISTRATOR, administrators, 4), 2);
    assert_int_equal(administrators[1].id, EVE);
    assert_int_equal(let_in(place, "eve", 77), -ENOENT);
    assert_false(has(place, 77));
}

static void who_is_not_in_the_policy_any_more_is_out_until_they_are_again(void **state)
{
    struct place *place = *state;
    const struct owner carl = of(STRANGER);
    use_policy(place, POLICY);
    assert_int_equal(let_in(place, "dora", STRANGER), 0);
    use_policy(place, "users:\n  anna: {telegram: 7}\nrules: []\n");
    assert_false(has(place, STRANGER));
    assert_null(people_user(place->people, &carl));
    assert_false(people_may(place->people, &carl, POLICY_USER));
    use_policy(place, POLICY);
    assert_true(has(place, STRANGER));
}

static void who_is_removed_is_out_for_good(void **state)
{
    struct place *place = *state;
    struct people_removed removed;
    struct why why;
    assert_int_equal(let_in(place, "carl", STRANGER), 0);
    assert_int_equal(people_remove(place->people, "Carl", &ROOT, &removed, &why), 0);
    assert_int_equal(removed.accounts, 1);
    assert_false(removed.still);
    assert_int_equal(place->lost, 1);
    assert_false(has(place, STRANGER));
    restart(place);
    assert_false(has(place, STRANGER));
    assert_int_equal(people_remove(place->people, "carl", &ROOT, &removed, &why), -ENOENT);
    assert_int_equal(invite(place, "carl", &why), 0);
    assert_int_equal(people_remove(place->people, "carl", &ROOT, &removed, &why), 0);
    assert_int_equal(removed.accounts, 0);
    assert_int_equal(removed.invitations, 1);
    assert_int_equal(place->lost, 1); /* nobody has lost anything by that */
    assert_string_equal(opened(place, place->token, STRANGER), "");
}

static void those_of_files_stay(void **state)
{
    struct place *place = *state;
    struct people_removed removed;
    struct why why;
    assert_int_equal(people_remove(place->people, "42", &ROOT, &removed, &why), -EPERM);
    assert_non_null(strstr(why.text, "42 is in ALLOWED_USERS"));
    use_policy(place, POLICY);
    assert_int_equal(people_remove(place->people, "bert", &ROOT, &removed, &why), -EPERM);
    assert_non_null(strstr(why.text, "bert is in the policy, /etc/p.yaml:3"));
    assert_int_equal(let_in(place, "bert", STRANGER), 0);
    assert_int_equal(people_remove(place->people, "bert", &ROOT, &removed, &why), 0);
    assert_true(removed.still);
    assert_true(has(place, BERT));
    assert_false(has(place, STRANGER));
}

static unsigned members_left(const struct place *place)
{
    unsigned count = 0;
    while (people_member(place->people, count)) {
        count++;
    }
    return count;
}

static void there_is_room_for_so_many(void **state)
{
    struct place *place = *state;
    char name[16];
    for (unsigned i = 0; i < MEMBERS_MAX; i++) {
        snprintf(name, sizeof name, "carl%u", i);
        assert_int_equal(let_in(place, name, 1000 + i), 0);
        if (i % 64 == 0) { /* what waits for the disk is bounded */
            restart(place);
        }
    }
    assert_int_equal(let_in(place, "dora", STRANGER), -ENOSPC);
    use_policy(place, POLICY);                        /* which has no carl5 */
    assert_int_equal(let_in(place, "dora", 1005), 0); /* in the place of what it was */
    restart(place);
    assert_int_equal(members_left(place), MEMBERS_MAX);
    assert_true(has(place, 1005));
    assert_false(has(place, STRANGER));
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_link_is_for_the_first_who_opens_it),
        TEST(a_link_is_good_for_an_hour),
        TEST(another_one_for_a_name_is_instead_of_it),
        TEST(a_link_that_was_taken_back_lets_nobody_in),
        TEST(there_is_a_bound),
        TEST(whom_it_may_be_for),
        TEST(who_was_let_in_is_in_also_after_a_restart),
        TEST(with_a_policy_an_account_is_its_users),
        TEST(who_is_not_in_the_policy_any_more_is_out_until_they_are_again),
        TEST(who_is_removed_is_out_for_good),
        TEST(those_of_files_stay),
        TEST(there_is_room_for_so_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
