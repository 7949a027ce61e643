#include "house.h"

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

const char SECRET[28] = "abcdefghijkmnpqrstuvwxyz234";
const char LATCHKEY[33] = "abcdefghijkmnpqrstuvwxyz23456789";
const char SSH_ID[] = "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n";
const char ANNA[] = "127.0.0.2", BERT[] = "127.77.0.3";

void house_close_door(struct house *house)
{
    door_free(house->door);
    house->door = NULL;
}

static enum verdict on_judge(void *arg, const struct addr *from, bool has_secret, bool spoke)
{
    struct house *house = arg;
    (void)from;
    house->judged++;
    house->judged_with_secret += has_secret;
    house->judged_silent += !spoke;
    return has_secret ? house->with_secret : house->without;
}

static bool on_silent(void *arg, const struct addr *from)
{
    struct house *house = arg;
    (void)from;
    house->silent++;
    return house->silent_are_in;
}

static void on_admitted(void *arg, int fd, const struct addr *from, bool has_secret,
                        const void *bytes, size_t len)
{
    struct house *house = arg;
    house->admitted++;
    house->fd = fd;
    house->has_secret = has_secret;
    if (house->close_when_admitted) {
        house_close_door(house);
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
        house_close_door(house);
    }
}

static void on_left(void *arg, unsigned number)
{
    struct house *house = arg;
    assert_in_range(house->left_count, 0, EVENTS_MAX - 1);
    house->left[house->left_count++] = number;
    if (house->close_when_left) {
        house_close_door(house);
    }
}

static bool on_expects(void *arg, const struct addr *from)
{
    const struct house *house = arg;
    char host[ADDR_HOST_MAX];
    return house->expected && strcmp(house->expected, addr_host_text(from, host)) == 0;
}

static bool on_has_in(void *arg, const struct addr *from)
{
    const struct house *house = arg;
    return house->admitted > 0 && addr_same_party(from, &house->from);
}

static void on_knocking(void *arg)
{
    struct house *house = arg;
    house->knocked++;
    if (house->close_when_knocked) {
        house_close_door(house);
    }
}

static void on_departed(void *arg, const struct addr *from, const char *words,
                        enum departure departure)
{
    struct house *house = arg;
    (void)from;
    house->departed[departure]++;
    strcpy(house->words, words);
}

static void on_page(void *arg, const struct addr *from, bool pressed, struct latch_page *ret_page)
{
    struct house *house = arg;
    house->pages++;
    house->pressed += pressed;
    ret_page->state = pressed ? LATCH_OPEN : LATCH_SHUT;
    ret_page->label = "SSH";
    addr_host_text(from, ret_page->address);
}

static void on_opened(void *arg, const struct addr *from)
{
    struct house *house = arg;
    (void)from;
    house->opened++;
    if (house->close_when_opened) {
        house_close_door(house);
    }
}

static void on_unfit(void *arg)
{
    struct house *house = arg;
    house->unfit++;
}

void house_open(struct house *house, enum kind kind)
{
    memset(house, 0, sizeof *house);
    stage_open(&house->stage);
    house_open_at(house, kind, NULL);
}

void house_open_at(struct house *house, enum kind kind, struct https *https)
{
    memset((char *)house + sizeof house->stage, 0, sizeof *house - sizeof house->stage);
    house->with_secret = VERDICT_ADMIT;
    house->without = VERDICT_DROP;
    house->fd = -1;
    static const struct door_events EVENTS = {
        .expects = on_expects,
        .has_in = on_has_in,
        .judge = on_judge,
        .admits_silent = on_silent,
        .admitted = on_admitted,
        .parked = on_parked,
        .left = on_left,
        .knocking = on_knocking,
        .departed = on_departed,
        .page = on_page,
        .opened = on_opened,
        .unfit = on_unfit,
    };
    int listener = stage_listen(&house->port);
    house->door = door_new(&house->stage.loop, listener, kind_row(kind),
                           kind == KIND_RDP ? SECRET : "", LATCHKEY, https, &house->total, &EVENTS,
                           house);
    assert_non_null(house->door);
}

void house_close(struct house *house)
{
    if (house->fd >= 0) {
        close(house->fd);
    }
    house_close_door(house);
    assert_int_equal(house->total.visitors, 0);
    door_total_done(&house->total);
    stage_close(&house->stage);
}

size_t rdp_request(const char *line, uint8_t data[X224_MAX])
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

size_t with_cookie(const char *secret, uint8_t data[X224_MAX])
{
    char line[200];
    snprintf(line, sizeof line, "Cookie: mstshash=%s", secret);
    return rdp_request(line, data);
}

int come(struct house *house, const char *from, const void *bytes, size_t len)
{
    int fd = client_connect(from, house->port);
    client_say(fd, bytes, len);
    return fd;
}

int come_by_ssh(struct house *house, const char *from)
{
    return come(house, from, SSH_ID, strlen(SSH_ID));
}

int park(struct house *house, const char *from)
{
    unsigned before = house->parked_count;
    int fd = come_by_ssh(house, from);
    WAIT_FOR(&house->stage, house->parked_count == before + 1);
    return fd;
}

void let_it_work(struct house *house)
{
    assert_true(stage_is_quiet(&house->stage, 20));
}

void let_pass(struct house *house, uint64_t ms)
{
    for (uint64_t end = clock_ms() + ms; clock_ms() < end;) {
        stage_turn(&house->stage);
    }
}

unsigned count_sent_off(const int *fds, unsigned count)
{
    unsigned gone = 0;
    for (unsigned i = 0; i < count; i++) {
        gone += client_was_sent_off(fds[i]);
    }
    return gone;
}

void close_all(const int *fds, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        close(fds[i]);
    }
}
