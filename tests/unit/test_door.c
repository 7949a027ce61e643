/* A session's public port, with real TCP clients: who gets in, and what the others cost. */
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

#include "base/net.h"
#include "base/watch.h"
#include "house.h"
#include "vps/admission/greeting.h"
#include "vps/admission/places.h"
#include "vps/grant/rdpfile.h"

/* ---- what is watched ------------------------------------------------------- */

static unsigned watched;

struct watch *__real_watch_start(uv_loop_t *loop, int fd, int events, watch_fn fn, void *arg);
struct watch *__wrap_watch_start(uv_loop_t *loop, int fd, int events, watch_fn fn, void *arg);

struct watch *__wrap_watch_start(uv_loop_t *loop, int fd, int events, watch_fn fn, void *arg)
{
    watched++;
    return __real_watch_start(loop, fd, events, fn, arg);
}

/* ---- where the server may begin ------------------------------------------------ */

static void who_says_nothing_is_listened_to_for_a_moment_and_may_wait_in_silence(void **state)
{
    static const enum kind KINDS[] = {KIND_VNC, KIND_TCP};
    struct parked_view parked[PARKED_MAX];
    struct house house;
    (void)state;
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        house_open(&house, KINDS[i]);
        stage_hurry(HURRY);
        house.without = VERDICT_ASK;
        uint64_t since = stage_ms();
        int fd = client_connect(ANNA, house.port);
        WAIT_FOR(&house.stage, house.judged == 1);
        assert_true(stage_ms() - since >= DOOR_LISTEN_MS / HURRY - 5);
        WAIT_FOR(&house.stage, house.parked_count == 1);
        assert_int_equal(door_parked(house.door, parked), 1);
        assert_string_equal(parked[0].words, "");
        assert_int_equal(house.admitted + house.silent, 0);
        assert_int_equal(house.judged_silent, 1);
        assert_int_equal(door_admit(house.door, house.parked[0]), 0);
        assert_int_equal(house.admitted, 1);
        assert_int_equal(house.len, 0);
        close(fd);
        house_close(&house);
    }
}

static void with_one_of_its_party_in_nobody_listens(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, KIND_VNC);
    stage_hurry(1);
    house.without = VERDICT_ADMIT;
    int first = client_connect(ANNA, house.port);
    WAIT_FOR(&house.stage, house.admitted == 1);
    net_reset(house.fd);
    uint64_t since = stage_ms();
    int second = client_connect(ANNA, house.port);
    WAIT_FOR(&house.stage, house.admitted == 2);
    assert_true(stage_ms() - since < DOOR_LISTEN_MS / 2);
    close(first);
    close(second);
    house_close(&house);
}

static void who_speaks_where_only_the_server_begins_is_no_client(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, KIND_VNC);
    house.without = VERDICT_ADMIT;
    int fd = come(&house, ANNA, "GET / HTTP/1.1\r\n", 16);
    WAIT_FOR(&house.stage, client_was_sent_off(fd));
    assert_int_equal(house.judged + house.admitted, 0);
    close(fd);
    house_close(&house);
}

static void whatever_a_tcp_client_says_first_is_handed_on(void **state)
{
    uint8_t sent[GREETING_MAX + 100], got[sizeof sent];
    struct house house;
    (void)state;
    memset(sent, 'x', sizeof sent);
    memcpy(sent, "\0\0\0\x08\4\xd2\x16\x2f", 8); /* as psql begins */
    house_open(&house, KIND_TCP);
    house.without = VERDICT_ADMIT;
    int fd = come(&house, ANNA, sent, sizeof sent);
    WAIT_FOR(&house.stage, house.admitted == 1);
    assert_in_range(house.len, 1, GREETING_MAX);
    memcpy(got, house.bytes, house.len);
    WAIT_FOR(&house.stage, client_hear(house.fd, got + house.len, sizeof got - house.len) ==
                               sizeof got - house.len);
    assert_memory_equal(got, sent, sizeof sent);
    close(fd);
    house_close(&house);
}

/* ---- RDP ------------------------------------------------------------------ */

static void expect_request_without_line(const struct house *house)
{
    uint8_t expected[X224_MAX];
    size_t len = rdp_request(NULL, expected);
    assert_int_equal(house->len, len);
    assert_memory_equal(house->bytes, expected, len);
}

static void the_right_secret_comes_in_and_is_cut_out(void **state)
{
    struct house house;
    uint8_t data[X224_MAX];
    char host[ADDR_HOST_MAX];
    (void)state;
    house_open(&house, KIND_RDP);
    int fd = come(&house, ANNA, data, with_cookie(SECRET, data));
    WAIT_FOR(&house.stage, house.admitted == 1);
    assert_true(house.has_secret);
    assert_string_equal(addr_host_text(&house.from, host), ANNA);
    expect_request_without_line(&house);
    assert_int_equal(house.total.visitors, 0);
    assert_false(client_was_sent_off(fd));
    close(fd);
    house_close(&house);
}

static void a_packet_may_come_byte_by_byte(void **state)
{
    struct house house;
    uint8_t data[X224_MAX];
    (void)state;
    house_open(&house, KIND_RDP);
    size_t len = with_cookie(SECRET, data);
    int fd = client_connect(ANNA, house.port);
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(house.admitted, 0);
        client_say(fd, data + i, 1);
        stage_turn(&house.stage);
        stage_turn(&house.stage);
    }
    WAIT_FOR(&house.stage, house.admitted == 1);
    expect_request_without_line(&house);
    close(fd);
    house_close(&house);
}

static void what_follows_the_packet_stays_in_the_socket(void **state)
{
    struct house house;
    uint8_t data[X224_MAX + 300], rest[400];
    (void)state;
    house_open(&house, KIND_RDP);
    size_t len = with_cookie(SECRET, data);
    memset(data + len, 0x16, 300);
    int fd = come(&house, ANNA, data, len + 300);
    WAIT_FOR(&house.stage, house.admitted == 1);
    expect_request_without_line(&house);
    assert_int_equal(client_hear(house.fd, rest, sizeof rest), 300);
    assert_memory_equal(rest, data + len, 300);
    close(fd);
    house_close(&house);
}

static void a_secret_that_is_not_quite_right_is_none(void **state)
{
    struct house house;
    uint8_t data[X224_MAX];
    char secret[sizeof SECRET + 1];
    unsigned tries = 0;
    (void)state;
    house_open(&house, KIND_RDP);
    for (unsigned i = 0; i < RDPFILE_SECRET_LEN + 4; i++, tries++) {
        strcpy(secret, SECRET);
        switch (i) {
        case RDPFILE_SECRET_LEN: /* one too many */
            strcat(secret, "x");
            break;
        case RDPFILE_SECRET_LEN + 1: /* one too few */
            secret[RDPFILE_SECRET_LEN - 1] = '\0';
            break;
        case RDPFILE_SECRET_LEN + 2: /* none at all */
            secret[0] = '\0';
            break;
        case RDPFILE_SECRET_LEN + 3:
            secret[0] = 'A';
            break;
        default: /* one that is off by one */
            secret[i]++;
        }
        int fd = come(&house, ANNA, data, with_cookie(secret, data));
        WAIT_FOR(&house.stage, client_was_sent_off(fd));
        close(fd);
    }
    assert_int_equal(house.judged, tries);
    assert_int_equal(house.judged_with_secret, 0);
    assert_int_equal(house.admitted, 0);
    house_close(&house);
}

static void a_client_without_a_secret_keeps_its_line(void **state)
{
    static const char *const LINES[] = {NULL, "Cookie: mstshash=nmap", "tsv://VMResource.1.AH"};
    (void)state;
    for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++) {
        struct house house;
        uint8_t data[X224_MAX];
        house_open(&house, KIND_RDP);
        house.without = VERDICT_ADMIT;
        size_t len = rdp_request(LINES[i], data);
        int fd = come(&house, ANNA, data, len);
        WAIT_FOR(&house.stage, house.admitted == 1);
        assert_false(house.has_secret);
        assert_int_equal(house.len, len);
        assert_memory_equal(house.bytes, data, len);
        close(fd);
        house_close(&house);
    }
}

static void the_secret_does_not_open_what_the_judge_keeps_closed(void **state)
{
    struct house house;
    uint8_t data[X224_MAX];
    (void)state;
    house_open(&house, KIND_RDP);
    house.with_secret = VERDICT_DROP;
    int fd = come(&house, ANNA, data, with_cookie(SECRET, data));
    WAIT_FOR(&house.stage, client_was_sent_off(fd));
    assert_int_equal(house.judged_with_secret, 1);
    assert_int_equal(house.admitted, 0);
    close(fd);
    house_close(&house);
}

/* ---- SSH ------------------------------------------------------------------ */

static void what_an_ssh_client_sent_with_its_first_line_is_handed_over(void **state)
{
    static const size_t SURPLUS[] = {0, 1, 300, 2000};
    (void)state;
    for (size_t i = 0; i < sizeof SURPLUS / sizeof *SURPLUS; i++) {
        struct house house;
        uint8_t sent[4096], got[4096];
        house_open(&house, KIND_SSH);
        house.without = VERDICT_ADMIT;
        size_t len = strlen(SSH_ID);
        memcpy(sent, SSH_ID, len);
        for (size_t j = 0; j < SURPLUS[i]; j++) {
            sent[len++] = (uint8_t)(j * 7);
        }
        int fd = come(&house, ANNA, sent, len);
        WAIT_FOR(&house.stage, house.admitted == 1);
        memcpy(got, house.bytes, house.len);
        size_t got_len = house.len + client_hear(house.fd, got + house.len, sizeof got - house.len);
        assert_int_equal(got_len, len);
        assert_memory_equal(got, sent, len);
        close(fd);
        house_close(&house);
    }
}

static void an_identification_may_come_byte_by_byte(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, KIND_SSH);
    house.without = VERDICT_ADMIT;
    int fd = client_connect(ANNA, house.port);
    for (const char *c = SSH_ID; *c; c++) {
        assert_int_equal(house.admitted, 0);
        client_say(fd, c, 1);
        stage_turn(&house.stage);
        stage_turn(&house.stage);
    }
    WAIT_FOR(&house.stage, house.admitted == 1);
    assert_int_equal(house.len, strlen(SSH_ID));
    close(fd);
    house_close(&house);
}

/* ---- strangers ------------------------------------------------------------ */

static void who_speaks_another_protocol_goes_without_a_question(void **state)
{
    static const struct {
        enum kind kind;
        const char *says;
    } CASES[] = {
        {KIND_SSH, "GET / HTTP/1.0\r\n\r\n"},
        {KIND_SSH, "\x16\x03\x01\x02"},
        {KIND_SSH, "\x03"},
        {KIND_SSH, "\n"},
        {KIND_RDP, "GET / HTTP/1.0\r\n\r\n"},
        {KIND_RDP, "SSH-2.0-x\r\n"},
        {KIND_RDP, "\x16\x03\x01\x02"},
        {KIND_RDP, "\x03\x01"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct house house;
        house_open(&house, CASES[i].kind);
        int fd = come(&house, ANNA, CASES[i].says, strlen(CASES[i].says));
        WAIT_FOR(&house.stage, client_was_sent_off(fd));
        assert_int_equal(house.judged, 0);
        assert_int_equal(house.total.visitors, 0);
        close(fd);
        house_close(&house);
    }
}

static void who_hangs_up_or_resets_is_forgotten(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, KIND_SSH);
    int one = come(&house, ANNA, "SSH-", 4), other = come(&house, BERT, "SSH-", 4);
    WAIT_FOR(&house.stage, house.total.visitors == 2);
    uint64_t since = stage_ms();
    close(one);
    net_reset(other);
    WAIT_FOR(&house.stage, house.total.visitors == 0);
    assert_true(stage_ms() - since < DOOR_PATIENCE_MS / 2); /* at once, not when it is too slow */
    house_close(&house);
}

/* All of it is there when the connection is accepted: nothing is waited for. */
static void who_has_spoken_before_it_is_accepted_is_not_watched(void **state)
{
    struct house house;
    uint8_t data[X224_MAX];
    (void)state;
    house_open(&house, KIND_RDP);
    unsigned before = watched;
    int fd = come(&house, ANNA, data, with_cookie(SECRET, data));
    int stranger = come(&house, BERT, "GET / HTTP/1.0\r\n\r\n", 18);
    WAIT_FOR(&house.stage, house.admitted == 1 && client_was_sent_off(stranger));
    assert_int_equal(watched, before);
    close(fd);
    close(stranger);
    house_close(&house);
}

static void who_is_gone_before_it_is_accepted_costs_nothing(void **state)
{
    struct house house;
    uint8_t data[X224_MAX];
    (void)state;
    house_open(&house, KIND_RDP);
    unsigned before = watched;
    size_t len = with_cookie(SECRET, data);
    close(come(&house, BERT, data, len / 2));
    close(client_connect(BERT, house.port));
    net_reset(come(&house, BERT, data, len / 2));
    let_it_work(&house);
    assert_int_equal(house.total.visitors, 0);
    assert_int_equal(watched, before);
    /* One that said all before it went is a client, and its end is in the socket. */
    close(come(&house, ANNA, data, len));
    WAIT_FOR(&house.stage, house.admitted == 1);
    assert_true(client_was_sent_off(house.fd));
    house_close(&house);
}

static void who_is_silent_or_dribbles_is_sent_off_in_time(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, KIND_SSH);
    stage_hurry(50);
    uint64_t since = stage_ms();
    int silent = client_connect(ANNA, house.port), dribbling = client_connect(BERT, house.port);
    WAIT_FOR(&house.stage, house.total.visitors == 2);
    for (const char *c = SSH_ID; !client_was_sent_off(dribbling); c++) {
        if (*c) { /* every byte comes in time, the line does not */
            client_say(dribbling, c, 1);
        }
        for (uint64_t next = stage_ms() + 5; stage_ms() < next;) {
            stage_turn(&house.stage);
        }
        assert_true(stage_ms() - since < STAGE_PATIENCE_MS);
    }
    WAIT_FOR(&house.stage, client_was_sent_off(silent));
    assert_true(stage_ms() - since >= DOOR_PATIENCE_MS / 50 - 5);
    assert_int_equal(house.judged, 0);
    assert_int_equal(house.silent, 1); /* the one that said nothing at all */
    close(silent);
    close(dribbling);
    house_close(&house);
}

static void who_waits_for_the_servers_first_word_comes_in_if_the_owner_says_so(void **state)
{
    struct house house;
    char heard[16];
    (void)state;
    for (int closing = 0; closing < 2; closing++) {
        house_open(&house, KIND_SSH);
        stage_hurry(50);
        house.silent_are_in = true;
        house.close_when_admitted = closing;
        uint64_t since = stage_ms();
        int silent = client_connect(ANNA, house.port), other = client_connect(BERT, house.port);
        client_say(other, SSH_ID, 10); /* neither silent nor a client yet */
        WAIT_FOR(&house.stage, house.admitted == 1);
        assert_true(stage_ms() - since >= DOOR_PATIENCE_MS / 50 - 5);
        assert_int_equal(house.len, 0);
        assert_false(house.has_secret);
        client_say(silent, "late", 4); /* and the door reads nothing of it any more */
        WAIT_FOR(&house.stage, client_hear(house.fd, heard, sizeof heard) == 4);
        WAIT_FOR(&house.stage, client_was_sent_off(other));
        assert_int_equal(house.admitted, 1);
        assert_int_equal(house.total.visitors, 0);
        close(silent);
        close(other);
        house_close(&house);
    }
}

static void nobody_silent_comes_in_by_rdp(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, KIND_RDP);
    stage_hurry(50);
    house.silent_are_in = true;
    int silent = client_connect(ANNA, house.port);
    WAIT_FOR(&house.stage, client_was_sent_off(silent));
    assert_int_equal(house.silent + house.admitted, 0);
    close(silent);
    house_close(&house);
}

/* ---- crowds --------------------------------------------------------------- */

static void a_crowd_from_one_address_takes_a_few_places_and_keeps_nobody_out(void **state)
{
    struct house house;
    int crowd[40];
    (void)state;
    house_open(&house, KIND_SSH);
    house.without = VERDICT_ADMIT;
    for (unsigned i = 0; i < 40; i++) {
        crowd[i] = client_connect(BERT, house.port);
    }
    WAIT_FOR(&house.stage, count_sent_off(crowd, 40) == 40 - PLACES_SILENT_PER_PARTY);
    assert_int_equal(house.total.visitors, PLACES_SILENT_PER_PARTY);
    assert_int_equal(count_sent_off(crowd, 40 - PLACES_SILENT_PER_PARTY),
                     40 - PLACES_SILENT_PER_PARTY);

    int user = come_by_ssh(&house, ANNA);
    WAIT_FOR(&house.stage, house.admitted == 1);
    close(house.fd);
    /* Even one of the same address, say behind the same router. */
    int neighbour = come_by_ssh(&house, BERT);
    WAIT_FOR(&house.stage, house.admitted == 2);
    close(user);
    close(neighbour);
    close_all(crowd, 40);
    house_close(&house);
}

static void a_crowd_from_everywhere_takes_a_bounded_number_of_places(void **state)
{
    struct house house;
    int crowd[60];
    char from[32];
    (void)state;
    house_open(&house, KIND_SSH);
    house.without = VERDICT_ADMIT;
    for (unsigned i = 0; i < 60; i++) {
        snprintf(from, sizeof from, "127.0.1.%u", i / 4 + 1);
        crowd[i] = client_connect(from, house.port);
    }
    WAIT_FOR(&house.stage, count_sent_off(crowd, 60) == 60 - DOOR_SILENT_MAX);
    assert_int_equal(house.total.visitors, DOOR_SILENT_MAX);
    int user = come_by_ssh(&house, ANNA);
    WAIT_FOR(&house.stage, house.admitted == 1);
    close(user);
    close_all(crowd, 60);
    house_close(&house);
}

static void crowds_at_other_doors_do_not_close_this_one(void **state)
{
    struct house house;
    int crowd[20];
    char from[32];
    (void)state;
    house_open(&house, KIND_SSH);
    house.without = VERDICT_ADMIT;
    house.total.visitors = DOOR_ALL_MAX; /* all at other doors */
    for (unsigned i = 0; i < 20; i++) {
        snprintf(from, sizeof from, "127.0.1.%u", i + 1);
        crowd[i] = client_connect(from, house.port);
    }
    let_it_work(&house);
    assert_in_range(house.total.visitors, DOOR_ALL_MAX, DOOR_ALL_MAX + DOOR_RESERVED);
    int user = come_by_ssh(&house, ANNA);
    WAIT_FOR(&house.stage, house.admitted == 1);
    close(user);
    close_all(crowd, 20);
    house.total.visitors -= DOOR_ALL_MAX;
    house_close(&house);
}

static void a_crowd_of_many_addresses_does_not_push_out_who_is_slow_to_speak(void **state)
{
    struct house house;
    int crowd[200];
    char from[32];
    (void)state;
    house_open(&house, KIND_SSH);
    house.without = VERDICT_ADMIT;
    int user = client_connect(BERT, house.port);
    for (unsigned i = 0; i < 200; i++) { /* from 50 networks of one provider */
        snprintf(from, sizeof from, "127.9.%u.%u", i % 50, i + 1);
        crowd[i] = client_connect(from, house.port);
        stage_turn(&house.stage);
    }
    let_it_work(&house);
    assert_int_equal(house.total.visitors, DOOR_SILENT_MAX);
    assert_false(client_was_sent_off(user));
    client_say(user, SSH_ID, strlen(SSH_ID));
    WAIT_FOR(&house.stage, house.admitted == 1);
    close(user);
    close_all(crowd, 200);
    house_close(&house);
}

static void no_stranger_takes_a_place_from_one_who_came_before(void **state)
{
    struct house house;
    int crowd[100];
    char from[32];
    (void)state;
    house_open(&house, KIND_SSH);
    house.without = VERDICT_ADMIT;
    house.expected = ANNA;
    int user = client_connect(ANNA, house.port);
    for (unsigned i = 0; i < 100; i++) { /* from as many providers */
        snprintf(from, sizeof from, "127.%u.1.1", i + 100);
        crowd[i] = client_connect(from, house.port);
        stage_turn(&house.stage);
    }
    let_it_work(&house);
    assert_int_equal(house.total.visitors, DOOR_SILENT_MAX); /* strangers */
    assert_false(client_was_sent_off(user));
    client_say(user, SSH_ID, strlen(SSH_ID));
    WAIT_FOR(&house.stage, house.admitted == 1);
    close(user);
    close_all(crowd, 100);
    house_close(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_says_nothing_is_listened_to_for_a_moment_and_may_wait_in_silence),
        cmocka_unit_test(with_one_of_its_party_in_nobody_listens),
        cmocka_unit_test(who_speaks_where_only_the_server_begins_is_no_client),
        cmocka_unit_test(whatever_a_tcp_client_says_first_is_handed_on),
        cmocka_unit_test(the_right_secret_comes_in_and_is_cut_out),
        cmocka_unit_test(a_packet_may_come_byte_by_byte),
        cmocka_unit_test(what_follows_the_packet_stays_in_the_socket),
        cmocka_unit_test(a_secret_that_is_not_quite_right_is_none),
        cmocka_unit_test(a_client_without_a_secret_keeps_its_line),
        cmocka_unit_test(the_secret_does_not_open_what_the_judge_keeps_closed),
        cmocka_unit_test(what_an_ssh_client_sent_with_its_first_line_is_handed_over),
        cmocka_unit_test(an_identification_may_come_byte_by_byte),
        cmocka_unit_test(who_speaks_another_protocol_goes_without_a_question),
        cmocka_unit_test(who_hangs_up_or_resets_is_forgotten),
        cmocka_unit_test(who_has_spoken_before_it_is_accepted_is_not_watched),
        cmocka_unit_test(who_is_gone_before_it_is_accepted_costs_nothing),
        cmocka_unit_test(who_is_silent_or_dribbles_is_sent_off_in_time),
        cmocka_unit_test(who_waits_for_the_servers_first_word_comes_in_if_the_owner_says_so),
        cmocka_unit_test(nobody_silent_comes_in_by_rdp),
        cmocka_unit_test(a_crowd_from_one_address_takes_a_few_places_and_keeps_nobody_out),
        cmocka_unit_test(a_crowd_from_everywhere_takes_a_bounded_number_of_places),
        cmocka_unit_test(crowds_at_other_doors_do_not_close_this_one),
        cmocka_unit_test(a_crowd_of_many_addresses_does_not_push_out_who_is_slow_to_speak),
        cmocka_unit_test(no_stranger_takes_a_place_from_one_who_came_before),
    };
    return cmocka_run_group_tests_name("door", tests, NULL, NULL);
}
