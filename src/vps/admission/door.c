#include "vps/admission/door.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/listener.h"
#include "base/timer.h"
#include "base/watch.h"
#include "vps/admission/sshid.h"
#include "vps/admission/x224.h"
#include "vps/session/rdpfile.h"

enum { FIRST_PACKET_MAX = 512, COOKIE_LEN = sizeof RDPFILE_COOKIE - 1 + RDPFILE_SECRET_LEN };

struct visitor {
    struct visitor *next; /* the newest one first */
    struct door *door;
    int fd;
    struct addr from;
    struct watch *watch;
    struct timer *patience;
    unsigned number; /* 0: not parked */
    bool has_secret;
    size_t have;
    uint8_t bytes[FIRST_PACKET_MAX];
};

/* Who was asked about already: strangers must not flood the user with questions. */
struct asked {
    struct addr party;
    unsigned questions;
};

struct door {
    uv_loop_t *loop;
    struct listener *listener;
    enum session_kind kind;
    char cookie[COOKIE_LEN + 1];
    struct door_total *total;
    struct door_events events;
    struct visitor *visitors;
    unsigned count;
    unsigned questions;
    struct asked asked[DOOR_QUESTIONS_MAX];
    unsigned asked_count;
};

/* ---- visitors ------------------------------------------------------------- */

/* Takes the visitor out of the door's list; what it holds is not touched. */
static void unlink_visitor(struct visitor *visitor)
{
    struct visitor **at = &visitor->door->visitors;
    while (*at != visitor) {
        at = &(*at)->next;
    }
    *at = visitor->next;
    visitor->door->count--;
    visitor->door->total->visitors--;
}

static void visitor_free(struct visitor *visitor)
{
    watch_free(visitor->watch);
    timer_free(visitor->patience);
    if (visitor->fd >= 0) {
        close(visitor->fd);
    }
    crypto_wipe(visitor->bytes, sizeof visitor->bytes);
    free(visitor);
}

static void send_off(struct visitor *visitor)
{
    struct door_events events = visitor->door->events;
    unsigned number = visitor->number;
    unlink_visitor(visitor);
    visitor_free(visitor);
    if (number) {
        events.left(events.arg, number);
    }
}

static void let_in(struct visitor *visitor)
{
    struct door_events events = visitor->door->events;
    unlink_visitor(visitor);
    int fd = visitor->fd;
    visitor->fd = -1;
    watch_free(visitor->watch);
    visitor->watch = NULL;
    if (visitor->has_secret) {
        visitor->have = x224_cut_line(visitor->bytes, visitor->have);
    }
    events.admitted(events.arg, fd, &visitor->from, visitor->has_secret, visitor->bytes,
                    visitor->have);
    visitor_free(visitor);
}

/* ---- limits --------------------------------------------------------------- */

/* The oldest visitor that has not said anything yet, of one party or of all. */
static struct visitor *oldest_silent(const struct door *door, const struct addr *party)
{
    struct visitor *oldest = NULL;
    for (struct visitor *v = door->visitors; v; v = v->next) {
        if (!v->number && (!party || addr_same_party(&v->from, party))) {
            oldest = v;
        }
    }
    return oldest;
}

/* How many have not said anything yet, of one party or of all. */
static unsigned count_silent(const struct door *door, const struct addr *party)
{
    unsigned count = 0;
    for (const struct visitor *v = door->visitors; v; v = v->next) {
        count += !v->number && (!party || addr_same_party(&v->from, party));
    }
    return count;
}

static bool has_room(const struct door *door)
{
    return door->count < DOOR_VISITORS_MAX &&
           (door->total->visitors < DOOR_ALL_MAX || count_silent(door, NULL) < DOOR_RESERVED);
}

static bool make_room(struct door *door, const struct addr *from)
{
    if (count_silent(door, from) >= DOOR_PER_PARTY_MAX) {
        send_off(oldest_silent(door, from));
    }
    if (has_room(door)) {
        return true;
    }
    struct visitor *oldest = oldest_silent(door, NULL);
    if (oldest) {
        send_off(oldest);
    }
    return oldest != NULL;
}

/* Whether one more question about this party is fair to the user; counts it. */
static bool may_ask(struct door *door, const struct addr *party)
{
    struct asked *asked = door->asked;
    struct asked *end = door->asked + door->asked_count;
    while (asked < end && !addr_same_party(&asked->party, party)) {
        asked++;
    }
    if (door->questions >= DOOR_QUESTIONS_MAX ||
        (asked < end && asked->questions >= DOOR_QUESTIONS_PER_PARTY)) {
        return false;
    }
    if (asked == end) {
        *asked = (struct asked){.party = *party};
        door->asked_count++;
    }
    asked->questions++;
    door->questions++;
    return true;
}

/* ---- parking -------------------------------------------------------------- */

static struct visitor *find_parked(const struct door *door, unsigned number)
{
    struct visitor *v = door->visitors;
    while (v && (v->number == 0 || v->number != number)) {
        v = v->next;
    }
    return v;
}

static struct visitor *parked_from(const struct door *door, const struct addr *address)
{
    struct visitor *v = door->visitors;
    while (v && !(v->number && addr_same_host(&v->from, address))) {
        v = v->next;
    }
    return v;
}

/* The oldest of the parked, if there is no place left for one more. */
static struct visitor *surplus_parked(const struct door *door)
{
    unsigned count = 0;
    struct visitor *oldest = NULL;
    for (struct visitor *v = door->visitors; v; v = v->next) {
        if (v->number) {
            oldest = v;
            count++;
        }
    }
    return count >= SESSION_PARKED_MAX ? oldest : NULL;
}

static void on_parked_gone(void *arg, int events)
{
    struct visitor *visitor = arg;
    (void)events;
    send_off(visitor);
}

/* From now on it is only watched for hanging up. */
static int watch_parked(struct visitor *visitor)
{
    watch_free(visitor->watch);
    timer_stop(visitor->patience);
    visitor->watch = watch_new(visitor->door->loop, visitor->fd, on_parked_gone, visitor);
    if (!visitor->watch) {
        return -ENOMEM;
    }
    watch_set(visitor->watch, WATCH_HANGUP);
    return 0;
}

static void park(struct visitor *visitor)
{
    struct door *door = visitor->door;
    struct visitor *before = parked_from(door, &visitor->from);
    if (watch_parked(visitor) < 0 || (!before && !may_ask(door, &visitor->from))) {
        send_off(visitor);
        return;
    }
    if (before) {
        /* The same address again: the question that is open now means this connection. */
        visitor->number = before->number;
        before->number = 0;
        send_off(before);
        return;
    }
    struct door_events events = door->events; /* who is told may close the door */
    struct visitor *surplus = surplus_parked(door);
    unsigned gone = surplus ? surplus->number : 0;
    unsigned number = door->questions;
    if (surplus) {
        surplus->number = 0;
        send_off(surplus);
    }
    visitor->number = number;
    if (gone) {
        events.left(events.arg, gone);
    }
    events.parked(events.arg, number);
}

/* ---- the first packet ----------------------------------------------------- */

static bool is_our_cookie(const struct door *door, const struct x224_request *request)
{
    return request->line && request->line_len == COOKIE_LEN &&
           crypto_equal(request->line, door->cookie, COOKIE_LEN);
}

/* How many bytes are still missing, 0: complete, -EBADMSG: no client. */
static long read_rdp(struct visitor *visitor)
{
    long missing = x224_missing(visitor->bytes, visitor->have);
    struct x224_request request;
    if (missing == 0) {
        missing = x224_parse(visitor->bytes, visitor->have, &request);
        visitor->has_secret = missing == 0 && is_our_cookie(visitor->door, &request);
    }
    return missing;
}

static long read_ssh(struct visitor *visitor)
{
    long len = sshid_parse(visitor->bytes, visitor->have);
    if (len == -EAGAIN) {
        return (long)(FIRST_PACKET_MAX - visitor->have);
    }
    return len > 0 ? 0 : len;
}

static long read_packet(struct visitor *visitor)
{
    return visitor->door->kind == SESSION_RDP ? read_rdp(visitor) : read_ssh(visitor);
}

static void decide(struct visitor *visitor)
{
    struct door_events *events = &visitor->door->events;
    switch (events->judge(events->arg, &visitor->from, visitor->has_secret)) {
    case VERDICT_ADMIT:
        let_in(visitor);
        break;
    case VERDICT_ASK:
        park(visitor);
        break;
    case VERDICT_DROP:
        send_off(visitor);
        break;
    }
}

static void on_bytes(void *arg, int events)
{
    struct visitor *visitor = arg;
    (void)events;
    long missing = read_packet(visitor);
    ssize_t got = recv(visitor->fd, visitor->bytes + visitor->have, (size_t)missing, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0) {
        send_off(visitor);
        return;
    }
    visitor->have += (size_t)got;
    missing = read_packet(visitor);
    if (missing < 0) {
        send_off(visitor);
    } else if (missing == 0) {
        decide(visitor);
    }
}

static void on_patience_over(void *arg)
{
    send_off(arg);
}

static void on_visitor(void *arg, int fd, const struct addr *from)
{
    struct door *door = arg;
    struct visitor *visitor = make_room(door, from) ? calloc(1, sizeof *visitor) : NULL;
    if (!visitor) {
        close(fd);
        return;
    }
    *visitor = (struct visitor){.next = door->visitors, .door = door, .fd = fd, .from = *from};
    visitor->watch = watch_new(door->loop, fd, on_bytes, visitor);
    visitor->patience = timer_new(door->loop, on_patience_over, visitor);
    if (!visitor->watch || !visitor->patience) {
        visitor_free(visitor);
        return;
    }
    door->visitors = visitor;
    door->count++;
    door->total->visitors++;
    watch_set(visitor->watch, WATCH_READ);
    timer_set(visitor->patience, DOOR_PATIENCE_MS);
}

/* ---- the door ------------------------------------------------------------- */

struct door *door_new(uv_loop_t *loop, int listener, enum session_kind kind, const char *rdp_secret,
                      struct door_total *total, const struct door_events *events)
{
    struct door *door = calloc(1, sizeof *door);
    if (!door) {
        return NULL;
    }
    door->loop = loop;
    door->kind = kind;
    door->total = total;
    door->events = *events;
    snprintf(door->cookie, sizeof door->cookie, "%s%s", RDPFILE_COOKIE,
             rdp_secret ? rdp_secret : "");
    door->listener = listener_new(loop, listener, on_visitor, door);
    if (!door->listener) {
        free(door);
        return NULL;
    }
    return door;
}

void door_free(struct door *door)
{
    if (!door) {
        return;
    }
    listener_free(door->listener);
    while (door->visitors) {
        struct visitor *visitor = door->visitors;
        visitor->number = 0; /* nobody is told */
        send_off(visitor);
    }
    crypto_wipe(door->cookie, sizeof door->cookie);
    free(door);
}

int door_admit(struct door *door, unsigned number)
{
    struct visitor *visitor = find_parked(door, number);
    if (!visitor) {
        return -ENOENT;
    }
    let_in(visitor);
    return 0;
}

int door_block(struct door *door, unsigned number)
{
    struct visitor *visitor = find_parked(door, number);
    if (!visitor) {
        return -ENOENT;
    }
    send_off(visitor);
    return 0;
}

void door_send_off_parked(struct door *door)
{
    struct door_events events = door->events; /* who is told may close the door */
    unsigned numbers[SESSION_PARKED_MAX], count = 0;
    for (struct visitor *v = door->visitors, *next; v; v = next) {
        next = v->next;
        if (v->number) {
            numbers[count++] = v->number;
            v->number = 0;
            send_off(v);
        }
    }
    while (count > 0) {
        events.left(events.arg, numbers[--count]);
    }
}

unsigned door_parked(const struct door *door, struct parked_view ret_views[SESSION_PARKED_MAX])
{
    unsigned count = 0;
    for (const struct visitor *v = door->visitors; v; v = v->next) {
        count += v->number != 0;
    }
    unsigned at = count;
    for (const struct visitor *v = door->visitors; v; v = v->next) {
        if (v->number) {
            ret_views[--at] = (struct parked_view){.number = v->number, .from = v->from};
        }
    }
    return count;
}
