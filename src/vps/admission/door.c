/*
 * A visitor is here until it has said enough to be told from a scanner, or its patience is
 * over. Then it is let in, which hands its descriptor to the session; parked, which hands it
 * to the lobby; or dropped:
 *
 *     enter ─► hear ──► decide ─► let_in, lobby_park, or nothing; or latch_take
 *              ▲  │
 *       on_bytes  └───► wait_for ─► on_patience_over ─► let_in_silent, decide, or nothing
 *                          ▲              │
 *                          └──────────────┘ once more, for a browser's idle connection
 *
 * Most clients have spoken before the loop sees them: so hear() comes first, and who says all
 * at once costs neither a watch nor a timer, nor is it ever one of a crowd.
 *
 * Re-entrancy: `admitted` and the lobby's events may free the door. So a visitor leaves the
 * list before its fate is told, its watch goes before its descriptor is another's, and nothing
 * touches the door after these calls. `expects`, `has_in`, `judge` and `admits_silent` are
 * questions and free nothing.
 *
 * No protocol is known here: what kinds of sessions differ in comes from the kind's row
 * (shared/kinds.def) and from its greeting's reader.
 */
#include "vps/admission/door_core.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/list.h"
#include "base/listener.h"
#include "base/timer.h"
#include "base/watch.h"
#include "vps/admission/greeting.h"
#include "vps/admission/latch.h"
#include "vps/admission/places.h"

enum { SILENT_MAX = DOOR_SILENT_MAX + DOOR_EXPECTED_MAX };

/* ---- visitors ------------------------------------------------------------- */

static const struct greeting_reader *greeting_of(const struct door *door)
{
    return greeting_reader(door->kind->kind);
}

static void link_visitor(struct visitor *visitor)
{
    list_append(&visitor->door->visitors, &visitor->home);
    visitor->door->total->visitors += !visitor->expected;
}

void door_unlink_visitor(struct visitor *visitor)
{
    list_remove(&visitor->home);
    visitor->door->total->visitors -= !visitor->expected;
}

void door_free_visitor(struct visitor *visitor)
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
    door_unlink_visitor(visitor);
    door_free_visitor(visitor);
}

static void send_off_unfit(struct visitor *visitor)
{
    const struct door *door = visitor->door;
    send_off(visitor);
    if (door->events->unfit) {
        door->events->unfit(door->arg);
    }
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
    list_each (struct visitor, v, &door->visitors, home) {
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

/* ---- the greeting --------------------------------------------------------- */

static struct lobby *lobby_of(struct door *door)
{
    if (!door->lobby) {
        const struct door_events *events = door->events;
        const struct lobby_events lobby_events = {
            .parked = events->parked,
            .left = events->left,
            .knocking = events->knocking,
            .departed = events->departed,
            .arg = door->arg,
            .spoke = door_on_parked_spoke,
            .door = door,
        };
        door->lobby = lobby_new(listener_loop(door->listener), door->total, &lobby_events);
    }
    return door->lobby;
}

static void let_in(void *arg, const struct newcomer *newcomer)
{
    const struct door *door = arg;
    uint8_t bytes[GREETING_MAX];
    size_t len = newcomer->len;
    memcpy(bytes, newcomer->bytes, len);
    if (newcomer->has_secret) {
        len = greeting_of(door)->cut_secret(bytes, len);
    }
    door->events->admitted(door->arg, newcomer->fd, &newcomer->from, newcomer->has_secret, bytes,
                           len);
    crypto_wipe(bytes, sizeof bytes);
}

static bool has_secret(const struct visitor *visitor)
{
    const struct door *door = visitor->door;
    return door->kind->has_secret &&
           greeting_of(door)->has_secret(visitor->bytes, visitor->have, door->secret);
}

/* It has said what it is, and goes one way or another. */
static void decide(struct visitor *visitor)
{
    struct door *door = visitor->door;
    char words[WORDS_SIZE];
    bool knows_secret = has_secret(visitor);
    greeting_of(door)->words(visitor->bytes, visitor->have, words);
    enum verdict verdict = door->events->judge(door->arg, &visitor->from, knows_secret,
                                               visitor->have > 0);
    const struct newcomer newcomer = {
        .fd = visitor->fd,
        .from = visitor->from,
        .expected = visitor->expected,
        .has_secret = knows_secret,
        .bytes = visitor->bytes,
        .len = visitor->have,
        .words = words,
    };
    struct lobby *lobby = verdict == VERDICT_ASK ? lobby_of(door) : NULL;
    door_unlink_visitor(visitor);
    watch_free(visitor->watch);
    visitor->watch = NULL;
    if (verdict == VERDICT_ADMIT) {
        visitor->fd = -1;
        let_in(door, &newcomer);
    } else if (lobby) {
        visitor->fd = -1;
        lobby_park(lobby, &newcomer);
    }
    door_free_visitor(visitor);
}

/*
 * How many bytes more tell a browser that has the link, or else a client, from a stranger. What
 * begins like TLS is a browser where no client begins so.
 */
static long missing_of(const struct visitor *visitor, enum errand *ret_errand)
{
    const struct door *door = visitor->door;
    const uint8_t *bytes = visitor->bytes;
    size_t have = visitor->have;
    long missing = have > 0 ? latch_missing(door->latch, bytes, have) : -EBADMSG;
    *ret_errand = ERRAND_PAGE;
    if (missing < 0) {
        missing = greeting_of(door)->missing(bytes, have);
        *ret_errand = ERRAND_TARGET;
    }
    if (missing < 0 && have > 0) {
        missing = latch_missing_of_tls(door->latch, bytes, have);
        *ret_errand = ERRAND_TLS;
    }
    return missing;
}

/* Reads what is there: -EAGAIN if that is not the whole greeting yet; else the visitor is gone. */
static int hear(struct visitor *visitor)
{
    long missing;
    enum errand errand;
    while ((missing = missing_of(visitor, &errand)) > 0) {
        size_t room = sizeof visitor->bytes - visitor->have;
        size_t most = (size_t)missing < room ? (size_t)missing : room;
        ssize_t got = recv(visitor->fd, visitor->bytes + visitor->have, most, 0);
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
        send_off_unfit(visitor);
    } else if (errand != ERRAND_TARGET) {
        door_show_page(visitor, errand);
    } else {
        decide(visitor);
    }
    return 0;
}

static void wait_for(struct visitor *visitor, uint64_t ms);

static void on_bytes(void *arg, int events)
{
    (void)events;
    hear(arg);
}

static void let_in_silent(struct visitor *visitor)
{
    const struct newcomer newcomer = {.fd = visitor->fd, .from = visitor->from, .bytes = ""};
    struct door *door = visitor->door;
    door_unlink_visitor(visitor);
    watch_free(visitor->watch); /* before the descriptor is another's */
    visitor->watch = NULL;
    visitor->fd = -1;
    door_free_visitor(visitor);
    let_in(door, &newcomer);
}

static bool is_whole(const struct visitor *visitor)
{
    const struct door *door = visitor->door;
    return visitor->have == 0 ? door->kind->server_may_begin
                              : greeting_of(door)->missing(visitor->bytes, visitor->have) == 0;
}

static void on_patience_over(void *arg)
{
    struct visitor *visitor = arg;
    const struct door *door = visitor->door;
    bool is_silent = visitor->have == 0;
    if (is_silent && visitor->is_idle) {
        send_off(visitor);
        return;
    }
    if (door_is_beside_page(visitor)) {
        visitor->is_idle = true;
        wait_for(visitor, DOOR_IDLE_MS);
    } else if (is_whole(visitor)) { /* perhaps it began like a browser, and said no more */
        decide(visitor);
    } else if (!is_silent || !door->kind->may_be_silent) {
        send_off_unfit(visitor);
    } else if (door->events->admits_silent(door->arg, &visitor->from)) {
        let_in_silent(visitor);
    } else {
        send_off(visitor);
    }
}

static uint64_t patience_ms(const struct visitor *visitor)
{
    bool may_be_all = visitor->have == 0 && visitor->door->kind->server_may_begin;
    return may_be_all ? DOOR_LISTEN_MS : DOOR_PATIENCE_MS;
}

/* For the rest of its greeting. */
static void wait_for(struct visitor *visitor, uint64_t ms)
{
    uv_loop_t *loop = listener_loop(visitor->door->listener);
    if (!visitor->watch) {
        visitor->watch = watch_start(loop, visitor->fd, WATCH_READ, on_bytes, visitor);
        visitor->patience = timer_new(loop, on_patience_over, visitor);
    }
    if (!visitor->watch || !visitor->patience) {
        send_off(visitor);
        return;
    }
    timer_set(visitor->patience, ms);
}

/* It has not said all yet. With one of its party in there is nothing to find out. */
static void await(struct visitor *visitor, uint64_t silent_ms)
{
    const struct door *door = visitor->door;
    uint64_t ms = patience_ms(visitor);
    bool is_silent = visitor->have == 0;
    bool has_in = is_silent && door->kind->server_may_begin &&
                  door->events->has_in(door->arg, &visitor->from);
    if (has_in || (is_silent && silent_ms >= ms)) {
        on_patience_over(visitor);
    } else {
        wait_for(visitor, ms);
    }
}

static void enter(struct door *door, int fd, const struct addr *from, uint64_t silent_ms)
{
    /* Before a place is looked for: those from a user's earlier addresses have their own. */
    bool expected = door->events->expects(door->arg, from);
    make_room(door, from, expected, fd);
    struct visitor *visitor = calloc(1, sizeof *visitor);
    if (!visitor) {
        close(fd);
        return;
    }
    *visitor = (struct visitor){.door = door, .fd = fd, .from = *from, .expected = expected};
    visitor->place = (struct place){origin_of(from), clock_ms() - silent_ms};
    link_visitor(visitor);
    if (hear(visitor) < 0) { /* mostly it has spoken already: no crowd comes between */
        await(visitor, silent_ms);
    }
}

static void on_visitor(void *arg, int fd, const struct addr *from)
{
    enter(arg, fd, from, 0);
}

/* ---- the door ------------------------------------------------------------- */

struct door *door_new(uv_loop_t *loop, int listener, const struct kind_row *kind,
                      const char *secret, const char *latchkey, struct https *https,
                      struct door_total *total, const struct door_events *events, void *arg)
{
    struct door *door = calloc(1, sizeof *door);
    if (!door) {
        return NULL;
    }
    door->kind = kind;
    door->total = total;
    door->events = events;
    door->arg = arg;
    list_init(&door->visitors);
    door->secret = secret;
    door->latch = latch_new(loop, latchkey, https, &DOOR_LATCH_EVENTS, door);
    door->listener = door->latch ? listener_new(loop, listener, on_visitor, door) : NULL;
    if (!door->listener) {
        latch_free(door->latch);
        free(door);
        return NULL;
    }
    return door;
}

void door_take(struct door *door, int fd, const struct addr *from, uint64_t silent_ms)
{
    enter(door, fd, from, silent_ms);
}

void door_free(struct door *door)
{
    if (!door) {
        return;
    }
    listener_free(door->listener);
    list_each (struct visitor, visitor, &door->visitors, home) {
        send_off(visitor);
    }
    lobby_free(door->lobby);
    latch_free(door->latch);
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
