/*
 * Every guest waits first for ASKING_STAY_MS, since scanners hang up at once. Then it joins the
 * question about its party, or is asked about when it is its turn:
 *
 *     waiting ─► asked ─► put off ─► asked ...
 *
 * and may leave at any moment: admitted, blocked with its party, hung up, to make room, or
 * since somebody else is in. Who gets a place is for places.h to say, and whose turn it is for
 * turns.h, both without a connection or a timer; here are these.
 *
 * One timer, the alarm, fires when something may be due. on_alarm() does one thing, sets the
 * alarm again and tells; so several that are due at the same time are told of one by one, and
 * each time whoever hears of it may change everything.
 *
 * Re-entrancy: every event but `departed` may free the lobby, and so may the callback of
 * lobby_admit(). They are the last thing that a function does, or all that it needs afterwards
 * are copies and a guest that is in no list any more.
 */
#include "vps/admission/lobby.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bucket.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/timer.h"
#include "vps/admission/asking.h"
#include "vps/admission/guests.h"
#include "vps/admission/knocks.h"

_Static_assert(LOBBY_STRANGERS_MAX + LOBBY_EXPECTED_MAX == PARKED_MAX, "views");

/* Of those that join a question that waits for its answer, how many are told of. */
enum { JOINS_BURST = 5, JOINS_REFILL_MS = 10000 };
enum { NAMES_AT_ONCE = 2, NAME_MS = 10000 }; /* strangers choose how long their look-ups take */

struct lobby {
    uv_loop_t *loop;
    struct door_total *total;
    struct lobby_events events;
    struct list guests;           /* the oldest one first */
    unsigned strangers, expected; /* how many of them */
    unsigned last_number;
    struct timer *alarm;
    uint64_t alarm_ms; /* 0: not set */
    struct asking asking;
    struct bucket joins; /* a neighbour must not keep the user's question in motion */

    struct knocks knocks;
    unsigned unasked; /* that are gone again */
    bool worth_telling;
    uint64_t told_ms;
};

void door_total_done(struct door_total *total)
{
    resolver_free(total->names);
    total->names = NULL;
}

/* ---- guests --------------------------------------------------------------- */

static void count_in(struct guest *guest, int more)
{
    struct lobby *lobby = guest->lobby;
    if (guest->expected) {
        lobby->expected += (unsigned)more;
    } else {
        lobby->strangers += (unsigned)more;
        lobby->total->visitors += (unsigned)more;
    }
}

static void link_guest(struct guest *guest)
{
    list_append(&guest->lobby->guests, &guest->home);
    count_in(guest, 1);
}

static void unlink_guest(struct guest *guest)
{
    list_remove(&guest->home);
    count_in(guest, -1);
}

static void set_alarm(struct lobby *lobby, uint64_t ms)
{
    uint64_t at_ms = clock_ms() + ms;
    if (lobby->alarm_ms == 0 || at_ms < lobby->alarm_ms) {
        lobby->alarm_ms = at_ms;
        timer_set(lobby->alarm, ms);
    }
}

/* ---- telling -------------------------------------------------------------- */

/* The last thing a function does: the callee may free the lobby. */
static void tell_of_knocking(struct lobby *lobby)
{
    uint64_t now = clock_ms();
    if (!lobby->worth_telling || now - lobby->told_ms >= LOBBY_KNOCKING_MS) {
        lobby->worth_telling = true;
        lobby->told_ms = now;
        lobby->events.knocking(lobby->events.arg);
    }
}

static void see_off(struct guest *guest, enum departure departure)
{
    struct lobby *lobby = guest->lobby;
    unlink_guest(guest);
    if (guest->asked) {
        set_alarm(lobby, 0); /* there is room for a question */
    } else {
        lobby->unasked += departure == DEPARTURE_UNASKED;
        lobby->events.departed(lobby->events.arg, &guest->from, guest->words, departure);
    }
    guest_free(guest);
}

/* Sends it off and tells. */
static void send_off(struct guest *guest, enum departure departure)
{
    struct lobby *lobby = guest->lobby;
    struct lobby_events events = lobby->events;
    bool asked = guest->asked;
    unsigned number = guest->number;
    see_off(guest, departure);
    if (asked) {
        events.left(events.arg, number);
    } else if (departure != DEPARTURE_UNASKED || lobby->unasked >= LOBBY_MANY) {
        tell_of_knocking(lobby);
    }
}

/* What it says stays where it is, unless it is no client at all. */
static void on_guest(void *arg, int events)
{
    struct guest *guest = arg;
    const struct lobby_events *lobby_events = &guest->lobby->events;
    if (events & WATCH_HANGUP) {
        send_off(guest, DEPARTURE_UNASKED);
        return;
    }
    watch_set(guest->watch, WATCH_HANGUP);
    if (lobby_events->spoke) {
        lobby_events->spoke(lobby_events->door, guest->number, guest->fd, guest->asked);
    }
}

static void on_name(void *arg, const char *name)
{
    struct guest *guest = arg;
    struct lobby *lobby = guest->lobby;
    guest->look_up = NULL;
    strcpy(guest->name, name ? name : "");
    if (name && guest->asked) {
        lobby->events.parked(lobby->events.arg, guest->number); /* there is more to say now */
    }
}

static void look_up_name(struct guest *guest)
{
    struct door_total *total = guest->lobby->total;
    if (!total->names) {
        total->names = resolver_new(guest->lobby->loop, NAMES_AT_ONCE);
    }
    if (total->names && !guest->look_up && !guest->name[0]) {
        guest->look_up = resolve_name_start(total->names, &guest->from, NAME_MS, on_name, guest);
    }
}

/* ---- asking --------------------------------------------------------------- */

static void ask(struct guest *guest)
{
    guest->asked = true;
    guest->asked_ms = clock_ms();
    look_up_name(guest);
}

/* It is this one's turn, and if need be another one's is over. */
static void take_turn(struct lobby *lobby, struct guest *guest)
{
    uint64_t wait;
    struct guest *ripe = turns_are_full(&lobby->guests) ? turns_find_ripe(&lobby->guests, &wait)
                                                        : NULL;
    if (ripe) {
        const struct addr party = ripe->from;
        turns_put_off(&lobby->guests, &party);
    }
    asking_note(&lobby->asking, &guest->place.from, clock_ms());
    ask(guest);
}

static void on_joined(struct lobby *lobby, struct guest *guest)
{
    ask(guest);
    set_alarm(lobby, 0);
    if (bucket_take(&lobby->joins, JOINS_BURST, JOINS_REFILL_MS, clock_ms())) {
        lobby->events.parked(lobby->events.arg, guest->number);
    }
}

static void on_turn_to_ask(struct lobby *lobby, struct guest *guest)
{
    take_turn(lobby, guest);
    set_alarm(lobby, 0);
    lobby->events.parked(lobby->events.arg, guest->number);
}

static void on_alarm(void *arg)
{
    struct lobby *lobby = arg;
    lobby->alarm_ms = 0;
    struct guest *joining = guests_find_joining(&lobby->guests);
    uint64_t wait, stay;
    struct guest *next = joining ? NULL : turns_next(&lobby->guests, &lobby->asking, false, &wait);
    if (joining) {
        on_joined(lobby, joining);
    } else if (next) {
        on_turn_to_ask(lobby, next);
    } else {
        stay = guests_until_stayed(&lobby->guests);
        wait = stay < wait ? stay : wait;
        if (wait != UINT64_MAX) {
            set_alarm(lobby, wait);
        }
        if (guests_count_unasked(&lobby->guests) > 0) {
            tell_of_knocking(lobby);
        }
    }
}

unsigned lobby_ask_more(struct lobby *lobby, unsigned most)
{
    unsigned wait_now = turns_count(&lobby->guests), count = 0, number = 0;
    struct guest *next;
    uint64_t wait;
    most = most < wait_now ? most : wait_now; /* and not those who are put off for them */
    while (count < most && (next = turns_next(&lobby->guests, &lobby->asking, true, &wait))) {
        take_turn(lobby, next);
        number = next->number;
        count++;
    }
    if (count > 0) {
        lobby->events.parked(lobby->events.arg, number);
    }
    return count;
}

/* ---- coming --------------------------------------------------------------- */

static unsigned strangers_most(const struct lobby *lobby, int newest_fd)
{
    bool scarce = lobby->total->visitors >= DOOR_ALL_MAX || net_descriptors_are_short(newest_fd);
    unsigned so_far = lobby->strangers > LOBBY_RESERVED ? lobby->strangers : LOBBY_RESERVED;
    return scarce ? so_far : LOBBY_STRANGERS_MAX;
}

/* PLACES_FREE, PLACES_NONE, or the guest that makes room: expected ones only for each other. */
static int find_place(const struct lobby *lobby, const struct newcomer *newcomer,
                      struct guest **ret_guest)
{
    struct guest *guests[PARKED_MAX];
    const struct place *places[PARKED_MAX];
    unsigned count = 0;
    list_each (struct guest, guest, &lobby->guests, home) {
        if (guest->expected == newcomer->expected) {
            guests[count] = guest;
            places[count++] = &guest->place;
        }
    }
    struct origin from = origin_of(&newcomer->from);
    unsigned most = newcomer->expected ? LOBBY_EXPECTED_MAX : strangers_most(lobby, newcomer->fd);
    int at = places_for_waiting(places, count, &from, most, clock_ms());
    *ret_guest = at >= 0 ? guests[at] : NULL;
    return at;
}

static void turn_away(struct lobby *lobby, const struct newcomer *newcomer)
{
    close(newcomer->fd);
    lobby->events.departed(lobby->events.arg, &newcomer->from, newcomer->words, DEPARTURE_NO_PLACE);
    tell_of_knocking(lobby);
}

void lobby_park(struct lobby *lobby, const struct newcomer *newcomer)
{
    struct guest *victim;
    if (!newcomer->expected) {
        knocks_count(&lobby->knocks, &newcomer->from);
    }
    int place = find_place(lobby, newcomer, &victim);
    struct guest *guest = place == PLACES_NONE ? NULL : guest_new(lobby->loop, newcomer, on_guest);
    if (!guest) {
        turn_away(lobby, newcomer);
        return;
    }
    guest->lobby = lobby;
    guest->number = ++lobby->last_number;
    link_guest(guest);
    look_up_name(guest);
    set_alarm(lobby, ASKING_STAY_MS);
    if (victim) {
        send_off(victim, DEPARTURE_MADE_ROOM);
    }
}

/* ---- deciding ------------------------------------------------------------- */

int lobby_admit(struct lobby *lobby, unsigned number,
                void (*admit)(void *arg, const struct newcomer *newcomer), void *arg)
{
    struct guest *guest = guests_find(&lobby->guests, number);
    if (!guest) {
        return -ENOENT;
    }
    unlink_guest(guest);
    const struct newcomer newcomer = {
        .fd = guest->fd,
        .from = guest->from,
        .expected = guest->expected,
        .has_secret = guest->has_secret,
        .bytes = guest->bytes,
        .len = guest->len,
        .words = guest->words,
    };
    guest->fd = -1;
    watch_free(guest->watch);
    guest->watch = NULL;
    if (guest->asked) {
        set_alarm(lobby, 0); /* there is room for a question */
    }
    admit(arg, &newcomer);
    guest_free(guest);
    return 0;
}

/* Sends off those of that party, or all, and then tells of those whom the user was asked about. */
static void send_off_party(struct lobby *lobby, const struct addr *party)
{
    struct lobby_events events = lobby->events;
    unsigned numbers[PARKED_MAX], count = 0;
    list_each (struct guest, guest, &lobby->guests, home) {
        if (!party || addr_same_party(&guest->from, party)) {
            if (guest->asked) {
                numbers[count++] = guest->number;
            }
            see_off(guest, DEPARTURE_SENT_OFF);
        }
    }
    for (unsigned i = 0; i < count; i++) {
        events.left(events.arg, numbers[i]);
    }
}

int lobby_block(struct lobby *lobby, unsigned number)
{
    struct guest *guest = guests_find(&lobby->guests, number);
    if (!guest) {
        return -ENOENT;
    }
    struct addr party = guest->from;
    send_off_party(lobby, &party);
    return 0;
}

void lobby_send_off_all(struct lobby *lobby)
{
    send_off_party(lobby, NULL);
}

/* ---- what there is to see -------------------------------------------------- */

unsigned lobby_view(const struct lobby *lobby, struct parked_view ret_views[PARKED_MAX])
{
    return guests_view(&lobby->guests, ret_views);
}

unsigned lobby_count(const struct lobby *lobby)
{
    return lobby->strangers + lobby->expected;
}

void lobby_knocking(const struct lobby *lobby, struct knocking *ret_knocking)
{
    knocks_sum_up(&lobby->knocks, ret_knocking);
    ret_knocking->worth_telling = lobby->worth_telling;
    ret_knocking->unasked = guests_count_unasked(&lobby->guests);
}

/* ---- life ----------------------------------------------------------------- */

struct lobby *lobby_new(uv_loop_t *loop, struct door_total *total,
                        const struct lobby_events *events)
{
    struct lobby *lobby = calloc(1, sizeof *lobby);
    if (!lobby) {
        return NULL;
    }
    lobby->loop = loop;
    lobby->total = total;
    lobby->events = *events;
    list_init(&lobby->guests);
    lobby->alarm = timer_new(loop, on_alarm, lobby);
    if (!lobby->alarm) {
        free(lobby);
        return NULL;
    }
    return lobby;
}

void lobby_free(struct lobby *lobby)
{
    if (!lobby) {
        return;
    }
    list_each (struct guest, guest, &lobby->guests, home) {
        unlink_guest(guest);
        guest_free(guest);
    }
    timer_free(lobby->alarm);
    free(lobby);
}
