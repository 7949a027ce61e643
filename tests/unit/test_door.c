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
#include "stage.h"
#include "vps/admission/door.h"
#include "vps/admission/x224.h"
#include "vps/session/rdpfile.h"

enum { EVENTS_MAX = 64, BIG = 100000 };

static const char SECRET[] = "abcdefghijkmnpqrstuvwxyz234";
static const char SSH_ID[] = "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n";
static const char ANNA[] = "127.0.0.2", BERT[] = "127.0.0.3";

struct house {
    struct stage stage;
    struct door_total total;
    struct door *door;
    uint16_t port;

    enum verdict with_secret, without;
    unsigned judged, judged_with_secret;

    /* Who is in. */
    unsigned admitted;
    int fd;
    struct addr from;
    bool has_secret;
    uint8_t bytes[1024];
    size_t len;

    unsigned parked[EVENTS_MAX], parked_count;
    unsigned left[EVENTS_MAX], left_count;
    bool close_when_admitted, close_when_parked, close_when_left;
};

static void close_door(struct house *house)
{
    door_free(house->door);
    house->door = NULL;
}

static enum verdict on_judge(void *arg, const struct addr *from, bool has_secret)
{
    struct house *house = arg;
    (void)from;
    house->judged++;
    house->judged_with_secret += has_secret;
    return has_secret ? house->with_secret : house->without;
}

static void on_admitted(void *arg, int fd, const struct addr *from, bool has_secret,
                        const void *bytes, size_t len)
{
    struct house *house = arg;
    house->admitted++;
    house->fd = fd;
    house->has_secret = has_secret;
    if (house->close_when_admitted) {
        close_door(house);
    }
    house->from = *from; /* all of it stays valid although the door is gone */
    assert_in_range(len, 0, sizeof house->bytes);
    memcpy(house->bytes, bytes, len);
    house->len = len;
}

static void on_parked(void *arg, unsigned number)
{
    struct house *house = arg;
    assert_in_range(house->parked_count, 0, EVENTS_MAX - 1);
    house->parked[house->parked_count++] = number;
    if (house->close_when_parked) {
        close_door(house);
    }
}

static void on_left(void *arg, unsigned number)
{
    struct house *house = arg;
    assert_in_range(house->left_count, 0, EVENTS_MAX - 1);
    house->left[house->left_count++] = number;
    if (house->close_when_left) {
        close_door(house);
    }
}

static void house_open(struct house *house, enum session_kind kind)
{
    memset(house, 0, sizeof *house);
    house->with_secret = VERDICT_ADMIT;
    house->without = VERDICT_DROP;
    house->fd = -1;
    stage_open(&house->stage);
    const struct door_events events = {on_judge, on_admitted, on_parked, on_left, house};
    int listener = stage_listen(&house->port);
    house->door = door_new(&house->stage.loop, listener, kind, kind == SESSION_RDP ? SECRET : NULL,
                           &house->total, &events);
    assert_non_null(house->door);
}

static void house_close(struct house *house)
{
    if (house->fd >= 0) {
        close(house->fd);
    }
    close_door(house);
    assert_int_equal(house->total.visitors, 0);
    stage_close(&house->stage);
}

/* A connection request with this line, or none. */
static size_t rdp_request(const char *line, uint8_t data[X224_MAX])
{
    static const uint8_t NEGOTIATION[8] = {1, 0, 8, 0, 3, 0, 0, 0};
    size_t line_len = line ? strlen(line) + 2 : 0, len = 11 + line_len + 8;
    const uint8_t header[11] = {3, 0, (uint8_t)(len >> 8), (uint8_t)len, (uint8_t)(len - 5), 0xe0};
    memcpy(data, header, sizeof header);
    if (line) {
        memcpy(data + 11, line, strlen(line));
        memcpy(data + 11 + strlen(line), "\r\n", 2);
    }
    memcpy(data + 11 + line_len, NEGOTIATION, 8);
    return len;
}

static size_t with_cookie(const char *secret, uint8_t data[X224_MAX])
{
    char line[200];
    snprintf(line, sizeof line, "Cookie: mstshash=%s", secret);
    return rdp_request(line, data);
}

static int come(struct house *house, const char *from, const void *bytes, size_t len)
{
    int fd = client_connect(from, house->port);
    client_say(fd, bytes, len);
    return fd;
}

static int come_by_ssh(struct house *house, const char *from)
{
    return come(house, from, SSH_ID, strlen(SSH_ID));
}

/* Another client of the protocol, which is parked and asked about. */
static int park(struct house *house, const char *from)
{
    unsigned before = house->parked_count;
    int fd = come_by_ssh(house, from);
    WAIT_FOR(&house->stage, house->parked_count == before + 1);
    return fd;
}

/* Waits until the door has seen everything that was sent so far. */
static void let_it_work(struct house *house)
{
    assert_true(stage_is_quiet(&house->stage, 20));
}

static unsigned count_sent_off(const int *fds, unsigned count)
{
    unsigned gone = 0;
    for (unsigned i = 0; i < count; i++) {
        gone += client_was_sent_off(fds[i]);
    }
    return gone;
}

static void close_all(const int *fds, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        close(fds[i]);
    }
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
    house_open(&house, SESSION_RDP);
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
    house_open(&house, SESSION_RDP);
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
    house_open(&house, SESSION_RDP);
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
    house_open(&house, SESSION_RDP);
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
        house_open(&house, SESSION_RDP);
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
    house_open(&house, SESSION_RDP);
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
        house_open(&house, SESSION_SSH);
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
    house_open(&house, SESSION_SSH);
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
        enum session_kind kind;
        const char *says;
    } CASES[] = {
        {SESSION_SSH, "GET / HTTP/1.0\r\n\r\n"},
        {SESSION_SSH, "\x16\x03\x01\x02"},
        {SESSION_SSH, "\x03"},
        {SESSION_SSH, "\n"},
        {SESSION_RDP, "GET / HTTP/1.0\r\n\r\n"},
        {SESSION_RDP, "SSH-2.0-x\r\n"},
        {SESSION_RDP, "\x16\x03\x01\x02"},
        {SESSION_RDP, "\x03\x01"},
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
    house_open(&house, SESSION_SSH);
    int one = come(&house, ANNA, "SSH-", 4), other = come(&house, BERT, "SSH-", 4);
    WAIT_FOR(&house.stage, house.total.visitors == 2);
    uint64_t since = stage_ms();
    close(one);
    net_reset(other);
    WAIT_FOR(&house.stage, house.total.visitors == 0);
    assert_true(stage_ms() - since < DOOR_PATIENCE_MS / 2); /* at once, not when it is too slow */
    house_close(&house);
}

static void who_is_silent_or_dribbles_is_sent_off_in_time(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, SESSION_SSH);
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
    close(silent);
    close(dribbling);
    house_close(&house);
}

/* ---- crowds --------------------------------------------------------------- */

static void a_crowd_from_one_address_takes_a_few_places_and_keeps_nobody_out(void **state)
{
    struct house house;
    int crowd[40];
    (void)state;
    house_open(&house, SESSION_SSH);
    house.without = VERDICT_ADMIT;
    for (unsigned i = 0; i < 40; i++) {
        crowd[i] = client_connect(BERT, house.port);
    }
    WAIT_FOR(&house.stage, count_sent_off(crowd, 40) == 40 - DOOR_PER_PARTY_MAX);
    assert_int_equal(house.total.visitors, DOOR_PER_PARTY_MAX);
    assert_int_equal(count_sent_off(crowd, 40 - DOOR_PER_PARTY_MAX), 40 - DOOR_PER_PARTY_MAX);

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
    house_open(&house, SESSION_SSH);
    house.without = VERDICT_ADMIT;
    for (unsigned i = 0; i < 60; i++) {
        snprintf(from, sizeof from, "127.0.1.%u", i / 4 + 1);
        crowd[i] = client_connect(from, house.port);
    }
    WAIT_FOR(&house.stage, count_sent_off(crowd, 60) == 60 - DOOR_VISITORS_MAX);
    assert_int_equal(house.total.visitors, DOOR_VISITORS_MAX);
    assert_int_equal(count_sent_off(crowd, 60 - DOOR_VISITORS_MAX), 60 - DOOR_VISITORS_MAX);
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
    house_open(&house, SESSION_SSH);
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

/* ---- parking -------------------------------------------------------------- */

static void a_parked_visitor_waits_for_its_admission(void **state)
{
    struct house house;
    struct parked_view views[SESSION_PARKED_MAX];
    char host[ADDR_HOST_MAX];
    (void)state;
    house_open(&house, SESSION_SSH);
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
    house_open(&house, SESSION_SSH);
    house.without = VERDICT_ASK;
    stage_hurry(100);
    int fd = park(&house, ANNA);
    for (uint64_t end = stage_ms() + 4 * DOOR_PATIENCE_MS / 100; stage_ms() < end;) {
        stage_turn(&house.stage);
    }
    assert_false(client_was_sent_off(fd));
    assert_int_equal(door_admit(house.door, house.parked[0]), 0);
    close(fd);
    house_close(&house);
}

static void a_blocked_visitor_is_sent_off(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, SESSION_SSH);
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
    house_open(&house, SESSION_SSH);
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
    struct parked_view views[SESSION_PARKED_MAX];
    (void)state;
    house_open(&house, SESSION_SSH);
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
    house_open(&house, SESSION_SSH);
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

static void the_oldest_of_the_parked_makes_room(void **state)
{
    struct house house;
    struct parked_view views[SESSION_PARKED_MAX];
    int fds[SESSION_PARKED_MAX + 1];
    char from[32];
    (void)state;
    house_open(&house, SESSION_SSH);
    house.without = VERDICT_ASK;
    for (unsigned i = 0; i <= SESSION_PARKED_MAX; i++) {
        snprintf(from, sizeof from, "127.0.1.%u", i + 1);
        fds[i] = park(&house, from);
    }
    assert_int_equal(house.left_count, 1);
    assert_int_equal(house.left[0], house.parked[0]);
    WAIT_FOR(&house.stage, client_was_sent_off(fds[0]));
    assert_int_equal(door_parked(house.door, views), SESSION_PARKED_MAX);
    for (unsigned i = 0; i < SESSION_PARKED_MAX; i++) {
        assert_int_equal(views[i].number, house.parked[i + 1]); /* in the order of their coming */
    }
    close_all(fds, SESSION_PARKED_MAX + 1);
    house_close(&house);
}

static void a_client_that_comes_again_takes_its_own_place(void **state)
{
    struct house house;
    struct parked_view views[SESSION_PARKED_MAX];
    (void)state;
    house_open(&house, SESSION_SSH);
    house.without = VERDICT_ASK;
    int before = park(&house, ANNA);
    int again = come_by_ssh(&house, ANNA);
    WAIT_FOR(&house.stage, client_was_sent_off(before));
    assert_int_equal(house.parked_count, 1); /* and nobody is asked twice */
    assert_int_equal(house.left_count, 0);
    assert_int_equal(door_parked(house.door, views), 1);
    assert_int_equal(views[0].number, house.parked[0]);
    assert_int_equal(door_admit(house.door, house.parked[0]), 0);
    assert_false(client_was_sent_off(again));
    close(before);
    close(again);
    house_close(&house);
}

static void one_party_is_asked_about_a_few_times_only(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, SESSION_SSH);
    house.without = VERDICT_ASK;
    for (unsigned i = 0; i < DOOR_QUESTIONS_PER_PARTY; i++) {
        int fd = park(&house, BERT);
        assert_int_equal(door_block(house.door, house.parked[i]), 0);
        close(fd);
    }
    int fd = come_by_ssh(&house, BERT);
    WAIT_FOR(&house.stage, client_was_sent_off(fd));
    assert_int_equal(house.parked_count, DOOR_QUESTIONS_PER_PARTY);
    close(fd);
    close(park(&house, ANNA)); /* another one is another matter */
    house_close(&house);
}

static void there_are_not_more_questions_than_a_person_bears(void **state)
{
    struct house house;
    int fds[DOOR_QUESTIONS_MAX + 1];
    char from[32];
    (void)state;
    house_open(&house, SESSION_SSH);
    house.without = VERDICT_ASK;
    for (unsigned i = 0; i < DOOR_QUESTIONS_MAX; i++) {
        snprintf(from, sizeof from, "127.0.1.%u", i + 1);
        fds[i] = park(&house, from);
        for (unsigned j = 0; j < i; j++) {
            assert_int_not_equal(house.parked[i], house.parked[j]);
        }
    }
    fds[DOOR_QUESTIONS_MAX] = come_by_ssh(&house, ANNA);
    WAIT_FOR(&house.stage, client_was_sent_off(fds[DOOR_QUESTIONS_MAX]));
    assert_int_equal(house.parked_count, DOOR_QUESTIONS_MAX);
    close_all(fds, DOOR_QUESTIONS_MAX + 1);
    house_close(&house);
}

static void sending_off_the_parked_leaves_the_others(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, SESSION_SSH);
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
        house_open(&house, SESSION_SSH);
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
    house_open(&house, SESSION_SSH);
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
    int fds[SESSION_PARKED_MAX + 1];
    char from[32];
    (void)state;
    for (unsigned way = 0; way < 4; way++) {
        house_open(&house, SESSION_SSH);
        house.without = VERDICT_ASK;
        house.close_when_left = true;
        for (unsigned i = 0; i < SESSION_PARKED_MAX; i++) {
            snprintf(from, sizeof from, "127.0.1.%u", i + 1);
            fds[i] = park(&house, from);
        }
        fds[SESSION_PARKED_MAX] = client_connect(ANNA, house.port);
        switch (way) {
        case 0: /* blocked */
            assert_int_equal(door_block(house.door, house.parked[1]), 0);
            break;
        case 1: /* hung up */
            shutdown(fds[2], SHUT_WR);
            break;
        case 2: /* made room */
            client_say(fds[SESSION_PARKED_MAX], SSH_ID, strlen(SSH_ID));
            break;
        case 3: /* all at once */
            door_send_off_parked(house.door);
            break;
        }
        WAIT_FOR(&house.stage, house.left_count >= 1 && !house.door);
        WAIT_FOR(&house.stage,
                 count_sent_off(fds, SESSION_PARKED_MAX + 1) == SESSION_PARKED_MAX + 1);
        close_all(fds, SESSION_PARKED_MAX + 1);
        house_close(&house);
    }
}

static void a_closed_door_tells_nobody_and_sends_all_off(void **state)
{
    struct house house;
    (void)state;
    house_open(&house, SESSION_SSH);
    house.without = VERDICT_ASK;
    int parked = park(&house, ANNA), silent = client_connect(BERT, house.port);
    WAIT_FOR(&house.stage, house.total.visitors == 2);
    close_door(&house);
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
        cmocka_unit_test(who_is_silent_or_dribbles_is_sent_off_in_time),
        cmocka_unit_test(a_crowd_from_one_address_takes_a_few_places_and_keeps_nobody_out),
        cmocka_unit_test(a_crowd_from_everywhere_takes_a_bounded_number_of_places),
        cmocka_unit_test(crowds_at_other_doors_do_not_close_this_one),
        cmocka_unit_test(a_parked_visitor_waits_for_its_admission),
        cmocka_unit_test(a_parked_visitor_has_more_patience_than_a_silent_one),
        cmocka_unit_test(a_blocked_visitor_is_sent_off),
        cmocka_unit_test(a_number_that_nobody_has_is_an_error),
        cmocka_unit_test(a_parked_visitor_that_hangs_up_or_resets_has_left),
        cmocka_unit_test(a_parked_visitor_that_talks_on_costs_nothing_and_loses_nothing),
        cmocka_unit_test(the_oldest_of_the_parked_makes_room),
        cmocka_unit_test(a_client_that_comes_again_takes_its_own_place),
        cmocka_unit_test(one_party_is_asked_about_a_few_times_only),
        cmocka_unit_test(there_are_not_more_questions_than_a_person_bears),
        cmocka_unit_test(sending_off_the_parked_leaves_the_others),
        cmocka_unit_test(the_door_may_be_closed_while_it_admits),
        cmocka_unit_test(the_door_may_be_closed_while_it_asks),
        cmocka_unit_test(the_door_may_be_closed_when_somebody_has_left),
        cmocka_unit_test(a_closed_door_tells_nobody_and_sends_all_off),
    };
    return cmocka_run_group_tests_name("door", tests, NULL, NULL);
}
