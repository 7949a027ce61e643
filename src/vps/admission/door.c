/*
 * accepted --first packet is whole--> judged --> in | waiting in the lobby | dropped
 *     accepted --DOOR_PATIENCE_MS--> dropped, or (SSH, silent) perhaps in
 *     accepted --no client, hangs up, has to make room--> dropped
 *
 * A visitor is on the list until it is judged. It gets a watch and a timer only if its packet
 * is not there at once: most clients speak first, and a scan of thousands costs that much less.
 *
 * Re-entrancy: judge(), expects() and admits_silent() are questions that change nothing. After
 * admitted() the door may be gone, so let_in() copies what it needs before, and its callers touch
 * neither door nor visitor afterwards; visitor_free() needs no door. A first packet
 * holds a secret (RDP), so it is wiped wherever it was copied.
 */
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
#include "vps/admission/places.h"
#include "vps/admission/sshid.h"
#include "vps/admission/words.h"
#include "vps/admission/x224.h"
#include "vps/grant/rdpfile.h"

enum { FIRST_PACKET_MAX = 512, COOKIE_LEN = sizeof RDPFILE_COOKIE - 1 + RDPFILE_SECRET_LEN };
enum { SILENT_MAX = DOOR_SILENT_MAX + DOOR_EXPECTED_MAX };

/* A client that has not said yet what it is. */
struct visitor {
    struct visitor *next; /* the oldest one first */
    struct door *door;
    int fd;
    struct addr from;
    struct place place;
    struct watch *watch; /* both NULL until it turns out that it has to be waited for */
    struct timer *patience;
    bool expected;
    bool has_secret;
    size_t have;
    uint8_t bytes[FIRST_PACKET_MAX];
};

struct door {
    uv_loop_t *loop;
    struct listener *listener;
    enum kind kind;
    char cookie[COOKIE_LEN + 1];
    struct door_total *total;
    struct door_events events;
    struct visitor *visitors;
    struct lobby *lobby; /* NULL: no stranger came yet */
};

/* ---- visitors ------------------------------------------------------------- */

static void link_visitor(struct visitor *visitor)
{
    struct visitor **at = &visitor->door->visitors;
    while (*at) {
        at = &(*at)->next;
    }
    *at = visitor;
    visitor->door->total->visitors += !visitor->expected;
}

/* Takes the visitor out of the door's list; what it holds is not touched. */
static void unlink_visitor(struct visitor *visitor)
{
    struct visitor **at = &visitor->door->visitors;
    while (*at != visitor) {
        at = &(*at)->next;
    }
    *at = visitor->next;
    visitor->door->total->visitors -= !visitor->expected;
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
    unlink_visitor(visitor);
    visitor_free(visitor);
}

/* ---- limits --------------------------------------------------------------- */

static unsigned most_silent(const struct door *door, unsigned so_far, int newest_fd)
{
    /* When short, the number stops growing: a newcomer takes another's place, nobody else goes. */
    bool scarce = door->total->visitors >= DOOR_ALL_MAX || net_descriptors_are_short(newest_fd);
    return !scarce ? DOOR_SILENT_MAX : so_far > DOOR_RESERVED ? so_far : DOOR_RESERVED;
}

/* Somebody of the newcomer's kind goes if there is no place left. */
static void make_room(struct door *door, const struct addr *from, bool expected, int fd)
{
    struct visitor *visitors[SILENT_MAX];
    const struct place *places[SILENT_MAX];
    unsigned count = 0;
    for (struct visitor *v = door->visitors; v; v = v->next) {
        if (v->expected == expected) {
            visitors[count] = v;
            places[count++] = &v->place;
        }
    }
    struct origin origin = origin_of(from);
    unsigned most = expected ? DOOR_EXPECTED_MAX : most_silent(door, count, fd);
    int at = places_for_silent(places, count, &origin, most);
    if (at >= 0) {
        send_off(visitors[at]);
    }
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
    /* In constant time (crypto_equal()): the secret must not be guessed byte by byte. */
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
    return visitor->door->kind == KIND_RDP ? read_rdp(visitor) : read_ssh(visitor);
}

static struct lobby *lobby_of(struct door *door)
{
    if (!door->lobby) {
        const struct door_events *events = &door->events;
        const struct lobby_events lobby_events = {
            .parked = events->parked,
            .left = events->left,
            .knocking = events->knocking,
            .departed = events->departed,
            .arg = events->arg,
        };
        door->lobby = lobby_new(door->loop, door->total, &lobby_events);
    }
    return door->lobby;
}

static void let_in(void *arg, const struct newcomer *newcomer)
{
    struct door_events events = ((struct door *)arg)->events;
    uint8_t bytes[FIRST_PACKET_MAX];
    size_t len = newcomer->len;
    memcpy(bytes, newcomer->bytes, len);
    if (newcomer->has_secret) {
        len = x224_cut_line(bytes, len);
    }
    events.admitted(events.arg, newcomer->fd, &newcomer->from, newcomer->has_secret, bytes, len);
    crypto_wipe(bytes, sizeof bytes);
}

/* It has said what it is, and goes one way or another. */
static void decide(struct visitor *visitor)
{
    struct door *door = visitor->door;
    char words[WORDS_SIZE];
    (door->kind == KIND_RDP ? words_of_rdp : words_of_ssh)(visitor->bytes, visitor->have, words);
    enum verdict verdict = door->events.judge(door->events.arg, &visitor->from,
                                              visitor->has_secret);
    const struct newcomer newcomer = {
        .fd = visitor->fd,
        .from = visitor->from,
        .expected = visitor->expected,
        .has_secret = visitor->has_secret,
        .bytes = visitor->bytes,
        .len = visitor->have,
        .words = words,
    };
    struct lobby *lobby = verdict == VERDICT_ASK ? lobby_of(door) : NULL;
    /* Its descriptor is about to be another's: nothing may watch it any more. */
    unlink_visitor(visitor);
    watch_free(visitor->watch);
    visitor->watch = NULL;
    if (verdict == VERDICT_ADMIT) {
        visitor->fd = -1;
        let_in(door, &newcomer);
    } else if (lobby) {
        visitor->fd = -1;
        lobby_park(lobby, &newcomer);
    }
    visitor_free(visitor);
}

/* Reads what is there: -EAGAIN if that is not the whole packet yet; else the visitor is gone. */
static int hear(struct visitor *visitor)
{
    long missing;
    while ((missing = read_packet(visitor)) > 0) {
        ssize_t got = recv(visitor->fd, visitor->bytes + visitor->have, (size_t)missing, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            return -EAGAIN;
        }
        if (got <= 0) {
            missing = -ECONNRESET;
            break;
        }
        visitor->have += (size_t)got;
    }
    if (missing < 0) {
        send_off(visitor);
    } else {
        decide(visitor);
    }
    return 0;
}

static void on_bytes(void *arg, int events)
{
    (void)events;
    hear(arg);
}

static void let_in_silent(struct visitor *visitor)
{
    const struct newcomer newcomer = {.fd = visitor->fd, .from = visitor->from, .bytes = ""};
    struct door *door = visitor->door;
    unlink_visitor(visitor);
    watch_free(visitor->watch); /* before the descriptor is another's */
    visitor->watch = NULL;
    visitor->fd = -1;
    visitor_free(visitor);
    let_in(door, &newcomer);
}

static void on_patience_over(void *arg)
{
    struct visitor *visitor = arg;
    const struct door_events *events = &visitor->door->events;
    /* In RDP the client always speaks first, so one that is silent is no RDP client. */
    bool is_silent = visitor->door->kind == KIND_SSH && visitor->have == 0;
    if (is_silent && events->admits_silent(events->arg, &visitor->from)) {
        let_in_silent(visitor);
    } else {
        send_off(visitor);
    }
}

/* For the rest of its first packet. */
static void wait_for(struct visitor *visitor)
{
    uv_loop_t *loop = visitor->door->loop;
    visitor->watch = watch_start(loop, visitor->fd, WATCH_READ, on_bytes, visitor);
    visitor->patience = timer_new(loop, on_patience_over, visitor);
    if (!visitor->watch || !visitor->patience) {
        send_off(visitor);
        return;
    }
    timer_set(visitor->patience, DOOR_PATIENCE_MS);
}

static void on_visitor(void *arg, int fd, const struct addr *from)
{
    struct door *door = arg;
    /* Before a place is looked for: those from a user's earlier addresses have their own. */
    bool expected = door->events.expects(door->events.arg, from);
    make_room(door, from, expected, fd);
    struct visitor *visitor = calloc(1, sizeof *visitor);
    if (!visitor) {
        close(fd);
        return;
    }
    *visitor = (struct visitor){.door = door, .fd = fd, .from = *from, .expected = expected};
    visitor->place.from = origin_of(from);
    link_visitor(visitor);
    if (hear(visitor) == -EAGAIN) { /* mostly it has spoken already: no crowd comes between */
        wait_for(visitor);
    }
}

/* ---- the door ------------------------------------------------------------- */

struct door *door_new(uv_loop_t *loop, int listener, enum kind kind, const char *rdp_secret,
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
    /* Built once: each visitor's line is compared with it in constant time. */
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
        send_off(door->visitors);
    }
    lobby_free(door->lobby);
    crypto_wipe(door->cookie, sizeof door->cookie);
    free(door);
}

int door_admit(struct door *door, unsigned number)
{
    return door->lobby ? lobby_admit(door->lobby, number, let_in, door) : -ENOENT;
}

int door_block(struct door *door, unsigned number)
{
    return door->lobby ? lobby_block(door->lobby, number) : -ENOENT;
}

void door_send_off_parked(struct door *door)
{
    if (door->lobby) {
        lobby_send_off_all(door->lobby);
    }
}

unsigned door_ask_more(struct door *door, unsigned most)
{
    return door->lobby ? lobby_ask_more(door->lobby, most) : 0;
}

unsigned door_parked(const struct door *door, struct parked_view ret_views[PARKED_MAX])
{
    return door->lobby ? lobby_view(door->lobby, ret_views) : 0;
}

unsigned door_parked_count(const struct door *door)
{
    return door->lobby ? lobby_count(door->lobby) : 0;
}

void door_knocking(const struct door *door, struct knocking *ret_knocking)
{
    if (door->lobby) {
        lobby_knocking(door->lobby, ret_knocking);
    } else {
        *ret_knocking = (struct knocking){0};
    }
}
