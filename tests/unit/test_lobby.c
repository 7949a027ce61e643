/* Those who wait at a session's public port for a person: places, questions, and the end of it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/net.h"
#include "house.h"
#include "vps/admission/asking.h"
#include "vps/admission/places.h"

enum { BIG = 100000 };

/* ---- parking -------------------------------------------------------------- */

static void a_parked_visitor_waits_for_its_admission(void **state)
{
    struct house house;
    struct parked_view views[PARKED_MAX];
    char host[ADDR_HOST_MAX];
    (void)state;
    house_open(&house, KIND_SSH);
    stage_hurry(HURRY);
    house.without = VERDICT_ASK;
    int fd = park(&house, ANNA);
    assert_int_equal(door_parked(house.door, views), 1);
    assert_int_equal(views[0].number, house.parked[0]);
    assert_string_equal(addr_host_text(&views[0].from, host), ANNA);
    assert_int_equal(house.admitted, 0);

    assert_int_equal(door_admit(house.door, house.parked[0]), 0);
    assert_int_equal(house.admitted, 1);
    assert_false(house.has_secret);
    assert_int_equal(house.len, strlen(SSH_ID));
    assert_memory_equal(house.bytes, SSH_ID, house.len);
    assert_int_equal(door_parked(house.door, views), 0);
    assert_int_equal(house.left_count, 0);
    assert_int_equal(door_admit(house.door, house.parked[0]), -ENOENT);
    close(fd);
    house_close(&house);
}

static void a_parked_visitor_has_more_patience_than_a_silent_one(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, KIND_SSH);
    stage_hurry(HURRY);
    house.without = VERDICT_ASK;
    int fd = park(&house, ANNA);
    let_pass(&house, 4 * DOOR_PATIENCE_MS);
    assert_false(client_was_sent_off(fd));
    assert_int_equal(door_admit(house.door, house.parked[0]), 0);
    close(fd);
    house_close(&house);
}

static void a_blocked_visitor_is_sent_off(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, KIND_SSH);
    stage_hurry(HURRY);
    house.without = VERDICT_ASK;
    int fd = park(&house, ANNA);
    assert_int_equal(door_block(house.door, house.parked[0]), 0);
    assert_int_equal(house.left_count, 1);
    assert_int_equal(house.left[0], house.parked[0]);
    WAIT_FOR(&house.stage, client_was_sent_off(fd));
    assert_int_equal(door_block(house.door, house.parked[0]), -ENOENT);
    close(fd);
    house_close(&house);
}

static void a_number_that_nobody_has_is_an_error(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, KIND_SSH);
    stage_hurry(HURRY);
    house.without = VERDICT_ASK;
    int silent = client_connect(BERT, house.port), fd = park(&house, ANNA);
    static const unsigned OFFSETS[] = {1, 77, (unsigned)-1};
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(door_admit(house.door, house.parked[0] + OFFSETS[i]), -ENOENT);
        assert_int_equal(door_block(house.door, house.parked[0] + OFFSETS[i]), -ENOENT);
    }
    assert_int_equal(door_admit(house.door, 0),
                     -ENOENT); /* the number of those who are not parked */
    assert_int_equal(house.total.visitors, 2);
    close(silent);
    close(fd);
    house_close(&house);
}

static void a_parked_visitor_that_hangs_up_or_resets_has_left(void **state)
{
    struct house house;
    struct parked_view views[PARKED_MAX];
    (void)state;
    house_open(&house, KIND_SSH);
    stage_hurry(HURRY);
    house.without = VERDICT_ASK;
    int one = park(&house, ANNA), other = park(&house, BERT);
    close(one);
    WAIT_FOR(&house.stage, house.left_count == 1);
    assert_int_equal(house.left[0], house.parked[0]);
    net_reset(other);
    WAIT_FOR(&house.stage, house.left_count == 2);
    assert_int_equal(house.left[1], house.parked[1]);
    assert_int_equal(door_parked(house.door, views), 0);
    house_close(&house);
}

static void a_parked_visitor_that_talks_on_costs_nothing_and_loses_nothing(void **state)
{
    static uint8_t sent[BIG], got[BIG + 1024];
    struct house house;
    (void)state;
    house_open(&house, KIND_SSH);
    stage_hurry(HURRY);
    house.without = VERDICT_ASK;
    int fd = park(&house, ANNA);
    for (size_t i = 0; i < BIG; i++) {
        sent[i] = (uint8_t)(i * 13 >> 3);
    }
    client_say(fd, sent, BIG);
    assert_true(stage_is_quiet(&house.stage, 50));
    assert_int_equal(door_admit(house.door, house.parked[0]), 0);
    size_t len = 0;
    for (size_t part; (part = client_hear(house.fd, got + len, sizeof got - len)) > 0;) {
        len += part;
    }
    assert_int_equal(house.len + len, strlen(SSH_ID) + BIG);
    assert_memory_equal(got, sent + BIG - len, len);
    close(fd);
    house_close(&house);
}

/* ---- crowds --------------------------------------------------------------- */

/* Clients that wait, from 127.PROVIDER.NETWORK.HOST, without a turn of the clock. */
static void crowd_in(struct house *house, int *fds, unsigned count, unsigned providers,
                     unsigned networks)
{
    char from[32];
    for (unsigned i = 0; i < count; i++) {
        snprintf(from, sizeof from, "127.%u.%u.%u", 100 + i % providers, i / providers % networks,
                 1 + i / providers / networks);
        fds[i] = come_by_ssh(house, from);
        stage_turn(&house->stage);
    }
    let_it_work(house);
}

static bool is_waiting(const struct house *house, const char *host)
{
    struct parked_view views[PARKED_MAX];
    unsigned count = door_parked(house->door, views), i = 0;
    char text[ADDR_HOST_MAX];
    while (i < count && strcmp(addr_host_text(&views[i].from, text), host) != 0) {
        i++;
    }
    return i < count;
}

static bool is_asked_about(const struct house *house, const char *host)
{
    struct parked_view views[PARKED_MAX];
    unsigned count = door_parked(house->door, views), i = 0;
    char text[ADDR_HOST_MAX];
    while (i < count && strcmp(addr_host_text(&views[i].from, text), host) != 0) {
        i++;
    }
    return i < count && views[i].asked;
}

static unsigned count_asked(const struct house *house)
{
    struct parked_view views[PARKED_MAX];
    unsigned count = door_parked(house->door, views), asked = 0;
    for (unsigned i = 0; i < count; i++) {
        asked += views[i].asked;
    }
    return asked;
}

/* Four addresses displaced the user within 40 ms, before anybody could press Admit. */
static void who_waits_keeps_his_place_whoever_comes(void **state)
{
    struct house house;
    int crowd[150];
    (void)state;
    house_open(&house, KIND_SSH);
    stage_hurry(HURRY);
    house.without = VERDICT_ASK;
    int user = park(&house, ANNA);
    crowd_in(&house, crowd, 150, 3, 50);
    assert_false(client_was_sent_off(user));
    assert_int_equal(house.left_count, 0);
    assert_in_range(door_parked_count(house.door), 10, LOBBY_STRANGERS_MAX);
    assert_int_equal(door_admit(house.door, house.parked[0]), 0);
    assert_false(client_was_sent_off(user));
    close(user);
    close_all(crowd, 150);
    house_close(&house);
}

static void who_comes_last_from_elsewhere_finds_a_place_and_is_asked_about(void **state)
{
    struct house house;
    int crowd[150];
    (void)state;
    house_open(&house, KIND_SSH);
    stage_hurry(HURRY);
    house.without = VERDICT_ASK;
    crowd_in(&house, crowd, 150, 3, 50);
    let_pass(&house, 2000); /* all questions that there are at once are asked */
    assert_in_range(house.parked_count, 5, 7);
    int user = come_by_ssh(&house, ANNA);
    let_it_work(&house);
    assert_true(is_waiting(&house, ANNA));
    unsigned number = 0;
    for (unsigned i = 0; i < 15 && number == 0; i++) {
        struct parked_view views[PARKED_MAX];
        let_pass(&house, 1000);
        unsigned count = door_parked(house.door, views);
        number = views[count - 1].asked ? views[count - 1].number : 0;
    }
    assert_int_not_equal(number, 0); /* at the next question that there was */
    assert_int_equal(door_admit(house.door, number), 0);
    assert_false(client_was_sent_off(user));
    close(user);
    close_all(crowd, 150);
    house_close(&house);
}

/* Ten addresses used up a session's thirty questions for good. */
static void who_hangs_up_at_once_costs_no_question(void **state)
{
    struct house house;
    char from[32];
    (void)state;
    house_open(&house, KIND_SSH);
    house.without = VERDICT_ASK;
    for (unsigned i = 0; i < 100; i++) {
        snprintf(from, sizeof from, "127.%u.0.1", 10 + i % 10);
        int fd = come_by_ssh(&house, from);
        WAIT_FOR(&house.stage, door_parked_count(house.door) == 1);
        close(fd);
        WAIT_FOR(&house.stage, door_parked_count(house.door) == 0);
    }
    assert_int_equal(house.parked_count, 0);
    assert_int_equal(house.left_count, 0);
    assert_int_equal(house.departed[DEPARTURE_UNASKED], 100); /* each for the log's sieve */
    assert_int_equal(house.knocked, 1);                       /* and once for the user */
    int user = park(&house, ANNA);
    assert_int_equal(door_admit(house.door, house.parked[0]), 0);
    close(user);
    house_close(&house);
}

static void questions_come_back(void **state)
{
    struct house house;
    int crowd[40];
    (void)state;
    house_open(&house, KIND_SSH);
    stage_hurry(HURRY);
    house.without = VERDICT_ASK;
    crowd_in(&house, crowd, 40, 40, 1);
    let_pass(&house, 2000);
    assert_in_range(house.parked_count, 5, 6);
    assert_int_equal(house.knocked, 1);
    let_pass(&house, 30000);
    assert_in_range(house.parked_count, 7, 9);
    for (unsigned i = 0; i < house.parked_count; i++) {
        for (unsigned j = 0; j < i; j++) {
            assert_int_not_equal(house.parked[i], house.parked[j]);
        }
    }
    close_all(crowd, 40);
    house_close(&house);
}

static void who_is_not_asked_about_can_be_admitted_all_the_same(void **state)
{
    struct house house;
    struct parked_view views[PARKED_MAX];
    int crowd[20];
    (void)state;
    house_open(&house, KIND_SSH);
    stage_hurry(HURRY);
    house.without = VERDICT_ASK;
    crowd_in(&house, crowd, 20, 20, 1);
    int user = come_by_ssh(&house, ANNA);
    let_it_work(&house);
    let_pass(&house, 2000);
    unsigned count = door_parked(house.door, views);
    assert_int_equal(count, 21);
    assert_false(views[20].asked);
    assert_int_equal(door_admit(house.door, views[20].number), 0);
    assert_false(client_was_sent_off(user));
    close(user);
    close_all(crowd, 20);
    house_close(&house);
}

static void the_user_may_ask_who_waits(void **state)
{
    struct house house;
    struct knocking knocking;
    int crowd[20];
    (void)state;
    house_open(&house, KIND_SSH);
    stage_hurry(HURRY);
    house.without = VERDICT_ASK;
    assert_int_equal(door_ask_more(house.door, 4), 0);
    crowd_in(&house, crowd, 20, 20, 1);
    let_pass(&house, 2000);
    door_knocking(house.door, &knocking);
    assert_true(knocking.worth_telling);
    assert_int_equal(knocking.clients, 20);
    assert_int_equal(knocking.networks, 20);
    unsigned unasked = knocking.unasked;
    assert_in_range(unasked, 13, 15);
    assert_int_equal(door_ask_more(house.door, 4), 4);
    door_knocking(house.door, &knocking);
    assert_int_equal(knocking.unasked, unasked - 4);
    /* There is an end to how many open questions a person can look at. */
    assert_int_equal(door_ask_more(house.door, 50), LOBBY_QUESTIONS_MAX - (20 - unasked + 4));
    assert_int_equal(door_ask_more(house.door, 4), 0);
    close_all(crowd, 20);
    house_close(&house);
}

/*
 * Neighbours join a question: 16 connections of four addresses must not use up
 * all that are open.
 */
static void neighbours_do_not_use_up_the_open_questions(void **state)
{
    struct house house;
    int crowd[LOBBY_QUESTIONS_MAX];
    (void)state;
    house_open(&house, KIND_SSH);
    stage_hurry(HURRY);
    house.without = VERDICT_ASK;
    for (unsigned i = 0; i < LOBBY_QUESTIONS_MAX; i++) {
        char from[32];
        snprintf(from, sizeof from, "127.%u.0.1", 100 + i % 4);
        crowd[i] = come_by_ssh(&house, from);
    }
    let_it_work(&house);
    let_pass(&house, 3000);
    int user = come_by_ssh(&house, ANNA);
    let_it_work(&house);
    let_pass(&house, 15000);
    assert_true(is_asked_about(&house, ANNA));
    close(user);
    close_all(crowd, LOBBY_QUESTIONS_MAX);
    house_close(&house);
}

/* Who is asked about and stays for hours must not be the last who is asked about. */
static void open_questions_are_put_off_for_who_was_not_asked_about(void **state)
{
    struct house house;
    int crowd[LOBBY_QUESTIONS_MAX];
    (void)state;
    house_open(&house, KIND_SSH);
    stage_hurry(HURRY);
    house.without = VERDICT_ASK;
    crowd_in(&house, crowd, LOBBY_QUESTIONS_MAX, LOBBY_QUESTIONS_MAX, 1);
    let_pass(&house, 2000);
    door_ask_more(house.door, LOBBY_QUESTIONS_MAX);
    assert_int_equal(count_asked(&house), LOBBY_QUESTIONS_MAX);
    int user = come_by_ssh(&house, ANNA);
    let_it_work(&house);
    let_pass(&house, 30000);
    assert_false(is_asked_about(&house, ANNA)); /* a person needs time to press Admit */
    stage_hurry(3 * HURRY);
    let_pass(&house, 90000);
    assert_true(is_asked_about(&house, ANNA));
    assert_int_equal(count_asked(&house), LOBBY_QUESTIONS_MAX);
    assert_int_equal(door_parked_count(house.door), LOBBY_QUESTIONS_MAX + 1);
    unsigned told = house.parked_count;
    let_pass(&house, 120000); /* the one that was put off is not asked about again by itself */
    assert_int_equal(house.parked_count, told);
    assert_true(is_asked_about(&house, ANNA));
    assert_int_equal(door_ask_more(house.door, 4), 1); /* but when its user wants to see it */
    close(user);
    close_all(crowd, LOBBY_QUESTIONS_MAX);
    house_close(&house);
}

static void crowds_at_other_doors_leave_places_to_this_one(void **state)
{
    struct house house;
    int crowd[60];
    (void)state;
    house_open(&house, KIND_SSH);
    stage_hurry(HURRY);
    house.without = VERDICT_ASK;
    house.total.visitors = DOOR_ALL_MAX;
    crowd_in(&house, crowd, 60, 2, 30);
    assert_int_equal(door_parked_count(house.door), LOBBY_RESERVED);
    int user = come_by_ssh(&house, ANNA);
    let_it_work(&house);
    assert_true(is_waiting(&house, ANNA));
    assert_int_equal(door_parked_count(house.door), LOBBY_RESERVED);
    assert_in_range(house.total.visitors, DOOR_ALL_MAX, DOOR_ALL_MAX + LOBBY_RESERVED);
    close(user);
    close_all(crowd, 60);
    WAIT_FOR(&house.stage, door_parked_count(house.door) == 0);
    house.total.visitors -= DOOR_ALL_MAX;
    house_close(&house);
}

static void an_expected_one_does_not_compete_with_strangers(void **state)
{
    struct house house;
    int crowd[64];
    (void)state;
    house_open(&house, KIND_SSH);
    stage_hurry(HURRY);
    house.without = VERDICT_ASK;
    house.expected = ANNA;
    crowd_in(&house, crowd, 64, 64, 1); /* each from elsewhere: there is no place left */
    assert_int_equal(door_parked_count(house.door), LOBBY_STRANGERS_MAX);
    int user = come_by_ssh(&house, ANNA);
    let_it_work(&house);
    assert_true(is_waiting(&house, ANNA));
    assert_int_equal(door_parked_count(house.door), LOBBY_STRANGERS_MAX + 1);
    close(user);
    close_all(crowd, 64);
    house_close(&house);
}

static void where_all_are_alone_the_one_who_waits_for_a_minute_makes_room(void **state)
{
    struct house house;
    int crowd[64];
    (void)state;
    house_open(&house, KIND_SSH);
    stage_hurry(HURRY);
    house.without = VERDICT_ASK;
    crowd_in(&house, crowd, 64, 64, 1);
    int early = come_by_ssh(&house, ANNA);
    WAIT_FOR(&house.stage, client_was_sent_off(early));
    assert_int_equal(house.departed[DEPARTURE_NO_PLACE], 1);
    assert_in_range(house.knocked, 1, 2);
    close(early);
    let_pass(&house, PLACES_WAIT_MS + 1000);
    int late = come_by_ssh(&house, ANNA);
    let_it_work(&house);
    assert_true(is_waiting(&house, ANNA));
    WAIT_FOR(&house.stage, client_was_sent_off(crowd[0]));
    close(late);
    close_all(crowd, 64);
    house_close(&house);
}

/* ---- the same address ------------------------------------------------------ */

/* The neighbour took the place of the parked one unseen, and was admitted in its stead. */
static void a_neighbour_waits_beside_the_first_and_is_seen(void **state)
{
    struct house house;
    struct parked_view views[PARKED_MAX];
    (void)state;
    house_open(&house, KIND_SSH);
    stage_hurry(HURRY);
    house.without = VERDICT_ASK;
    int user = park(&house, ANNA);
    int neighbour = come(&house, ANNA, "SSH-2.0-neighbour\r\n", 19);
    let_it_work(&house);
    assert_false(client_was_sent_off(user));
    assert_int_equal(door_parked(house.door, views), 2);
    assert_int_equal(views[0].number, house.parked[0]);
    assert_string_equal(views[0].words, "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3");
    assert_string_equal(views[1].words, "SSH-2.0-neighbour");
    assert_int_equal(views[1].of_its_address, 2);
    assert_false(views[1].asked);
    let_pass(&house, 1500);
    assert_int_equal(house.parked_count, 2); /* the question is about both now */
    assert_int_equal(house.parked[1], views[1].number);

    assert_int_equal(door_admit(house.door, views[0].number), 0);
    assert_memory_equal(house.bytes, SSH_ID, strlen(SSH_ID));
    assert_false(client_was_sent_off(user));
    assert_false(client_was_sent_off(neighbour)); /* what becomes of it the session decides */
    close(user);
    close(neighbour);
    house_close(&house);
}

static void a_neighbour_costs_no_question_and_keeps_none_in_motion(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, KIND_SSH);
    stage_hurry(HURRY);
    house.without = VERDICT_ASK;
    uint64_t began_ms = clock_ms();
    int user = park(&house, ANNA);
    for (unsigned i = 0; i < 30; i++) {
        int neighbour = come_by_ssh(&house, ANNA);
        let_pass(&house, 1200);
        close(neighbour);
        let_it_work(&house);
    }
    /* Five at once, and then one in ten seconds, of which a busy machine has more. */
    assert_in_range(house.parked_count, 2, 8 + (clock_ms() - began_ms) / 10000);
    assert_false(client_was_sent_off(user));
    close(user);
    house_close(&house);
}

static void blocking_one_blocks_all_of_his_address(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, KIND_SSH);
    stage_hurry(HURRY);
    house.without = VERDICT_ASK;
    int one = park(&house, ANNA), other = come_by_ssh(&house, ANNA), third = park(&house, BERT);
    let_it_work(&house);
    assert_int_equal(door_block(house.door, house.parked[0]), 0);
    WAIT_FOR(&house.stage, client_was_sent_off(one) && client_was_sent_off(other));
    assert_false(client_was_sent_off(third));
    close(one);
    close(other);
    close(third);
    house_close(&house);
}

static void four_of_one_address_can_wait(void **state)
{
    struct house house;
    int fds[PLACES_WAITING_PER_PARTY + 1];
    (void)state;
    house_open(&house, KIND_SSH);
    stage_hurry(HURRY);
    house.without = VERDICT_ASK;
    for (unsigned i = 0; i <= PLACES_WAITING_PER_PARTY; i++) {
        fds[i] = come_by_ssh(&house, ANNA);
        let_it_work(&house);
    }
    WAIT_FOR(&house.stage, client_was_sent_off(fds[PLACES_WAITING_PER_PARTY]));
    assert_int_equal(count_sent_off(fds, PLACES_WAITING_PER_PARTY), 0);
    close(fds[0]); /* a dead one makes room */
    WAIT_FOR(&house.stage, door_parked_count(house.door) == PLACES_WAITING_PER_PARTY - 1);
    fds[0] = come_by_ssh(&house, ANNA);
    WAIT_FOR(&house.stage, door_parked_count(house.door) == PLACES_WAITING_PER_PARTY);
    close_all(fds, PLACES_WAITING_PER_PARTY + 1);
    house_close(&house);
}

static void sending_off_the_parked_leaves_the_others(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, KIND_SSH);
    stage_hurry(HURRY);
    house.without = VERDICT_ASK;
    int silent = client_connect("127.0.0.9", house.port);
    int one = park(&house, ANNA), other = park(&house, BERT);
    door_send_off_parked(house.door);
    assert_int_equal(house.left_count, 2);
    assert_int_not_equal(house.left[0], house.left[1]);
    assert_int_equal(house.total.visitors, 1);
    WAIT_FOR(&house.stage, client_was_sent_off(one) && client_was_sent_off(other));
    assert_false(client_was_sent_off(silent));
    close(silent);
    close(one);
    close(other);
    house_close(&house);
}

/* ---- closing the door from inside ----------------------------------------- */

static void the_door_may_be_closed_while_it_admits(void **state)
{
    struct house house;
    (void)state;
    for (unsigned asked = 0; asked < 2; asked++) {
        house_open(&house, KIND_SSH);
        stage_hurry(HURRY);
        house.close_when_admitted = true;
        house.without = VERDICT_ASK;
        int parked = park(&house, BERT), silent = client_connect("127.0.0.9", house.port);
        WAIT_FOR(&house.stage, house.total.visitors == 2);
        int user = -1;
        if (asked) {
            user = park(&house, ANNA);
            door_admit(house.door, house.parked[1]);
        } else {
            house.without = VERDICT_ADMIT;
            user = come_by_ssh(&house, ANNA);
        }
        WAIT_FOR(&house.stage, house.admitted == 1);
        assert_null(house.door);
        assert_int_equal(house.total.visitors, 0);
        assert_int_equal(house.left_count, 0);
        assert_memory_equal(house.bytes, SSH_ID, strlen(SSH_ID));
        WAIT_FOR(&house.stage, client_was_sent_off(parked) && client_was_sent_off(silent));
        assert_false(client_was_sent_off(user));
        assert_true(port_is_closed(house.port));
        close(parked);
        close(silent);
        close(user);
        house_close(&house);
    }
}

static void the_door_may_be_closed_while_it_asks(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, KIND_SSH);
    stage_hurry(HURRY);
    house.without = VERDICT_ASK;
    house.close_when_parked = true;
    int fd = park(&house, ANNA);
    WAIT_FOR(&house.stage, client_was_sent_off(fd));
    close(fd);
    house_close(&house);
}

static void the_door_may_be_closed_when_somebody_has_left(void **state)
{
    struct house house;
    int fds[4];
    char from[32];
    (void)state;
    for (unsigned way = 0; way < 3; way++) {
        house_open(&house, KIND_SSH);
        stage_hurry(HURRY);
        house.without = VERDICT_ASK;
        for (unsigned i = 0; i < 4; i++) {
            snprintf(from, sizeof from, "127.%u.1.1", i + 1);
            fds[i] = park(&house, from);
        }
        house.close_when_left = true;
        switch (way) {
        case 0: /* blocked */
            assert_int_equal(door_block(house.door, house.parked[1]), 0);
            break;
        case 1: /* hung up */
            shutdown(fds[2], SHUT_WR);
            break;
        case 2: /* all at once */
            door_send_off_parked(house.door);
            break;
        }
        WAIT_FOR(&house.stage, house.left_count >= 1 && !house.door);
        WAIT_FOR(&house.stage, count_sent_off(fds, 4) == 4);
        close_all(fds, 4);
        house_close(&house);
    }
}

static void the_door_may_be_closed_when_somebody_made_room(void **state)
{
    struct house house;
    int crowd[LOBBY_RESERVED];
    (void)state;
    for (unsigned asked = 0; asked < 2; asked++) {
        house_open(&house, KIND_SSH);
        house.without = VERDICT_ASK;
        house.total.visitors = DOOR_ALL_MAX;
        crowd_in(&house, crowd, LOBBY_RESERVED, 1, 2);
        if (asked) {
            assert_int_equal(door_ask_more(house.door, LOBBY_RESERVED), LOBBY_RESERVED);
        }
        house.close_when_left = house.close_when_knocked = true;
        int user = come_by_ssh(&house, ANNA);
        WAIT_FOR(&house.stage, !house.door);
        assert_int_equal(house.left_count, asked);
        assert_int_equal(house.knocked, !asked);
        WAIT_FOR(&house.stage, client_was_sent_off(user));
        close(user);
        close_all(crowd, LOBBY_RESERVED);
        house.total.visitors -= DOOR_ALL_MAX;
        house_close(&house);
    }
}

static void the_door_may_be_closed_when_strangers_knock(void **state)
{
    struct house house;
    int crowd[20];
    (void)state;
    house_open(&house, KIND_SSH);
    stage_hurry(HURRY);
    house.without = VERDICT_ASK;
    house.close_when_knocked = true;
    crowd_in(&house, crowd, 20, 20, 1);
    let_pass(&house, 2000);
    assert_null(house.door);
    assert_int_equal(count_sent_off(crowd, 20), 20);
    close_all(crowd, 20);
    house_close(&house);
}

static void a_closed_door_tells_nobody_and_sends_all_off(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, KIND_SSH);
    stage_hurry(HURRY);
    house.without = VERDICT_ASK;
    int parked = park(&house, ANNA), silent = client_connect(BERT, house.port);
    WAIT_FOR(&house.stage, house.total.visitors == 2);
    house_close_door(&house);
    assert_int_equal(house.left_count, 0);
    WAIT_FOR(&house.stage, client_was_sent_off(parked) && client_was_sent_off(silent));
    assert_true(port_is_closed(house.port));
    close(parked);
    close(silent);
    house_close(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_parked_visitor_waits_for_its_admission),
        cmocka_unit_test(a_parked_visitor_has_more_patience_than_a_silent_one),
        cmocka_unit_test(a_blocked_visitor_is_sent_off),
        cmocka_unit_test(a_number_that_nobody_has_is_an_error),
        cmocka_unit_test(a_parked_visitor_that_hangs_up_or_resets_has_left),
        cmocka_unit_test(a_parked_visitor_that_talks_on_costs_nothing_and_loses_nothing),
        cmocka_unit_test(who_waits_keeps_his_place_whoever_comes),
        cmocka_unit_test(who_comes_last_from_elsewhere_finds_a_place_and_is_asked_about),
        cmocka_unit_test(who_hangs_up_at_once_costs_no_question),
        cmocka_unit_test(questions_come_back),
        cmocka_unit_test(who_is_not_asked_about_can_be_admitted_all_the_same),
        cmocka_unit_test(the_user_may_ask_who_waits),
        cmocka_unit_test(neighbours_do_not_use_up_the_open_questions),
        cmocka_unit_test(open_questions_are_put_off_for_who_was_not_asked_about),
        cmocka_unit_test(crowds_at_other_doors_leave_places_to_this_one),
        cmocka_unit_test(an_expected_one_does_not_compete_with_strangers),
        cmocka_unit_test(where_all_are_alone_the_one_who_waits_for_a_minute_makes_room),
        cmocka_unit_test(a_neighbour_waits_beside_the_first_and_is_seen),
        cmocka_unit_test(a_neighbour_costs_no_question_and_keeps_none_in_motion),
        cmocka_unit_test(blocking_one_blocks_all_of_his_address),
        cmocka_unit_test(four_of_one_address_can_wait),
        cmocka_unit_test(sending_off_the_parked_leaves_the_others),
        cmocka_unit_test(the_door_may_be_closed_while_it_admits),
        cmocka_unit_test(the_door_may_be_closed_while_it_asks),
        cmocka_unit_test(the_door_may_be_closed_when_somebody_has_left),
        cmocka_unit_test(the_door_may_be_closed_when_somebody_made_room),
        cmocka_unit_test(the_door_may_be_closed_when_strangers_knock),
        cmocka_unit_test(a_closed_door_tells_nobody_and_sends_all_off),
    };
    return cmocka_run_group_tests_name("lobby", tests, NULL, NULL);
}
