/*
 * A visitor is here until its first bytes say whose it is, or its patience is over. They are only
 * peeked at, so that the door that gets it reads them itself:
 *
 *     on_visitor ─► look ──► hand_on, or nothing
 *                   ▲  │
 *            on_bytes  └───► wait_for ─► on_patience_over ─► look once more, or nothing
 *
 * More bytes than there were wake it (SO_RCVLOWAT): those that were peeked at are still there.
 *
 * Re-entrancy: hand_on() may change every session. So a visitor is in no list and freed before,
 * and nothing touches the entrance afterwards.
 */
#include "vps/session/entrance.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "base/listener.h"
#include "base/timer.h"
#include "base/watch.h"
#include "vps/admission/door.h"
#include "vps/admission/greeting.h"
#include "vps/admission/places.h"
#include "vps/admission/whose.h"
#include "vps/session/front_core.h"
#include "vps/session/session_parts.h"
#include "vps/session/table.h"

enum { BACKLOG = 128, VISITORS_MAX = ENTRANCE_STRANGERS_MAX + ENTRANCE_EXPECTED_MAX };

struct visitor {
    struct list home;
    struct entrance *entrance;
    int fd;
    struct addr from;
    struct place place;
    struct watch *watch;
    struct timer *patience;
    bool expected;  /* a session knows its party */
    bool was_heard; /* it had its time to say something */
    size_t seen;    /* bytes at the last look */
};

struct entrance {
    struct services *services;
    const struct table *table;
    struct listener *listener;
    struct list visitors; /* the oldest one first */
    struct whose_claim *claims;
    unsigned room; /* for so many of them */
    uint64_t counts[ENTRANCE_RESULTS];
    struct latch *latch; /* for TLS, whose request says which session's page is meant */
};

static void visitor_free(struct visitor *visitor)
{
    watch_free(visitor->watch);
    timer_free(visitor->patience);
    if (visitor->fd >= 0) {
        close(visitor->fd);
    }
    free(visitor);
}

const char *entrance_word(enum entrance_result result)
{
    static const char *const WORDS[ENTRANCE_RESULTS] = {"taken", "nobodys", "several", "left",
                                                        "made_room"};
    return WORDS[result];
}

const uint64_t *entrance_counts(const struct entrance *entrance)
{
    return entrance->counts;
}

static void send_off(struct visitor *visitor, enum entrance_result result)
{
    visitor->entrance->counts[result]++;
    list_remove(&visitor->home);
    visitor_free(visitor);
}

/* ---- whose it is ------------------------------------------------------------- */

static bool make_claims_room(struct entrance *entrance)
{
    unsigned live = entrance->table->live;
    if (live > entrance->room) {
        struct whose_claim *claims = realloc(entrance->claims, live * sizeof *claims);
        if (!claims) {
            return false;
        }
        entrance->claims = claims;
        entrance->room = live;
    }
    return true;
}

/* WHOSE_NOBODY and so on, or 0 with the session. */
static int find(struct entrance *entrance, const struct addr *from, const void *bytes, size_t len,
                bool is_over, struct session **ret_session)
{
    unsigned count = 0;
    if (!make_claims_room(entrance)) {
        return WHOSE_NOBODY;
    }
    for (struct session *s = table_next(entrance->table, NULL); s && count < entrance->room;
         s = table_next(entrance->table, s)) {
        front_claim(session_front(s), from, bytes, len, is_over, &entrance->claims[count++]);
    }
    int index = whose_session(entrance->claims, count);
    struct session *session = index < 0 ? NULL : table_next(entrance->table, NULL);
    for (int i = 0; i < index; i++) {
        session = table_next(entrance->table, session);
    }
    *ret_session = session;
    return index < 0 ? index : 0;
}

/* It could be for several: each of them says so to its user, who can say which. */
static void tell_of_several(struct entrance *entrance, const struct addr *from)
{
    char host[ADDR_HOST_MAX];
    for (struct session *s = table_next(entrance->table, NULL); s;
         s = table_next(entrance->table, s)) {
        if (front_knows_party(session_front(s), from)) {
            session_note(s, true,
                         "a client at %s came to port %u and could be for several sessions: use "
                         "the port of this one",
                         addr_host_text(from, host),
                         (unsigned)entrance->services->settings->entrance_port);
        }
    }
}

/* Takes the visitor away; its descriptor is left. */
static int release(struct visitor *visitor)
{
    int fd = visitor->fd;
    list_remove(&visitor->home);
    watch_free(visitor->watch); /* before the descriptor is another's */
    visitor->watch = NULL;
    visitor->fd = -1;
    visitor_free(visitor);
    setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &(int){1}, sizeof(int));
    return fd;
}

static void hand_on(struct visitor *visitor, struct session *session, bool is_over)
{
    uint64_t silent_ms = visitor->seen > 0 ? 0 : is_over ? DOOR_PATIENCE_MS : DOOR_LISTEN_MS;
    const struct addr from = visitor->from;
    visitor->entrance->counts[ENTRANCE_TAKEN]++;
    front_take(session_front(session), release(visitor), &from, silent_ms);
}

static void begin_tls(struct visitor *visitor)
{
    struct latch *latch = visitor->entrance->latch;
    const struct addr from = visitor->from;
    latch_take_tls(latch, release(visitor), &from, (const uint8_t *)"", 0);
}

/* -EAGAIN: it has to be waited for; else the visitor is gone. */
static int look(struct visitor *visitor, bool is_over)
{
    uint8_t bytes[GREETING_MAX];
    struct entrance *entrance = visitor->entrance;
    struct session *session = NULL;
    ssize_t got = recv(visitor->fd, bytes, sizeof bytes, MSG_PEEK);
    bool is_silent = got < 0 && (errno == EAGAIN || errno == EINTR);
    if ((got <= 0 && !is_silent) ||
        (visitor->seen > 0 && (size_t)got == visitor->seen && !is_over)) {
        send_off(visitor, ENTRANCE_LEFT); /* it hung up, perhaps in the middle */
        return 0;
    }
    if (is_silent && !visitor->was_heard) {
        return -EAGAIN;
    }
    visitor->seen = is_silent ? 0 : (size_t)got;
    int whose = find(entrance, &visitor->from, bytes, visitor->seen, is_over, &session);
    long tls = whose == WHOSE_NOBODY && !is_silent
                   ? latch_missing_of_tls(entrance->latch, bytes, visitor->seen)
                   : -EBADMSG;
    if (!session && !is_over && (is_silent || whose == WHOSE_LATER || tls > 0)) {
        return -EAGAIN;
    }
    if (whose == WHOSE_SEVERAL) {
        tell_of_several(entrance, &visitor->from);
    }
    if (session) {
        hand_on(visitor, session, is_over);
    } else if (tls == 0) {
        begin_tls(visitor);
    } else {
        send_off(visitor, whose == WHOSE_SEVERAL ? ENTRANCE_SEVERAL : ENTRANCE_NOBODYS);
    }
    return 0;
}

/* ---- waiting ------------------------------------------------------------------ */

static void wait_for_more(struct visitor *visitor)
{
    int more = (int)visitor->seen + 1;
    setsockopt(visitor->fd, SOL_SOCKET, SO_RCVLOWAT, &more, sizeof more);
}

static void on_bytes(void *arg, int events)
{
    struct visitor *visitor = arg;
    (void)events;
    if (look(visitor, false) == -EAGAIN) {
        wait_for_more(visitor);
    }
}

/* First who says nothing may be somebody all the same; then time is over. */
static void on_patience_over(void *arg)
{
    struct visitor *visitor = arg;
    if (visitor->was_heard) {
        look(visitor, true);
        return;
    }
    visitor->was_heard = true;
    if (visitor->seen > 0 || look(visitor, false) == -EAGAIN) {
        timer_set(visitor->patience, DOOR_PATIENCE_MS - DOOR_LISTEN_MS);
    }
}

static void wait_for(struct visitor *visitor)
{
    uv_loop_t *loop = listener_loop(visitor->entrance->listener);
    wait_for_more(visitor);
    visitor->watch = watch_start(loop, visitor->fd, WATCH_READ, on_bytes, visitor);
    visitor->patience = timer_new(loop, on_patience_over, visitor);
    if (!visitor->watch || !visitor->patience) {
        send_off(visitor, ENTRANCE_MADE_ROOM);
        return;
    }
    timer_set(visitor->patience, visitor->seen > 0 ? DOOR_PATIENCE_MS : DOOR_LISTEN_MS);
}

/* ---- who comes ------------------------------------------------------------------ */

static bool is_expected(const struct entrance *entrance, const struct addr *from)
{
    const struct session *session = NULL;
    while ((session = table_next(entrance->table, session))) {
        if (front_knows_party(session_front(session), from)) {
            return true;
        }
    }
    return false;
}

/* As at a session's door: shared among providers, networks and parties, and who is known apart. */
static void make_room(struct entrance *entrance, const struct visitor *newcomer)
{
    struct visitor *visitors[VISITORS_MAX];
    const struct place *places[VISITORS_MAX];
    unsigned count = 0;
    list_each (struct visitor, v, &entrance->visitors, home) {
        if (v->expected == newcomer->expected) {
            visitors[count] = v;
            places[count++] = &v->place;
        }
    }
    unsigned most = newcomer->expected ? ENTRANCE_EXPECTED_MAX : ENTRANCE_STRANGERS_MAX;
    if (net_descriptors_are_short(newcomer->fd) && count < most) {
        most = count > DOOR_RESERVED ? count : DOOR_RESERVED;
    }
    int at = places_for_silent(places, count, &newcomer->place.from, most);
    if (at >= 0) {
        send_off(visitors[at], ENTRANCE_MADE_ROOM);
    }
}

static void on_visitor(void *arg, int fd, const struct addr *from)
{
    struct entrance *entrance = arg;
    struct visitor *visitor = calloc(1, sizeof *visitor);
    if (!visitor) {
        close(fd);
        return;
    }
    *visitor = (struct visitor){
        .entrance = entrance, .fd = fd, .from = *from, .expected = is_expected(entrance, from)};
    visitor->place.from = origin_of(from);
    make_room(entrance, visitor);
    list_append(&entrance->visitors, &visitor->home);
    if (look(visitor, false) == -EAGAIN) {
        wait_for(visitor);
    }
}

/* ---- pages over TLS -------------------------------------------------------------- */

/* All are compared, whichever it is. NULL: no session has that key. */
static struct front *find_front(const struct entrance *entrance, const char *key)
{
    struct front *found = NULL;
    for (struct session *s = table_next(entrance->table, NULL); s;
         s = table_next(entrance->table, s)) {
        found = front_has_latchkey(session_front(s), key) ? session_front(s) : found;
    }
    return found;
}

static bool on_page(void *arg, const struct latch_visit *visit, struct latch_page *ret_page)
{
    struct entrance *entrance = arg;
    struct front *front = find_front(entrance, visit->key);
    if (front) {
        entrance->counts[ENTRANCE_TAKEN]++;
        front_page(front, visit->from, visit->pressed, ret_page);
    }
    return front;
}

static void on_opened(void *arg, const struct latch_visit *visit)
{
    struct front *front = find_front(arg, visit->key);
    if (front) {
        front_opened(front, visit->from);
    }
}

static void on_unfit(void *arg)
{
    struct entrance *entrance = arg;
    entrance->counts[ENTRANCE_NOBODYS]++;
}

static const struct latch_events LATCH_EVENTS = {
    .page = on_page, .opened = on_opened, .unfit = on_unfit};

/* ---- life ------------------------------------------------------------------------ */

static int listen_at(struct entrance *entrance, const struct vps_settings *settings,
                     struct why *why)
{
    int fd = net_listen(settings->bind_address, settings->entrance_port, BACKLOG);
    if (fd < 0) {
        return why_set(why, fd, "cannot listen on ENTRANCE_PORT %u at BIND_ADDRESS %s: %s%s",
                       settings->entrance_port, settings->bind_address, strerror(-fd),
                       fd == -EACCES ? "; a port below 1024 takes CAP_NET_BIND_SERVICE, see "
                                       "ENTRANCE_PORT in vps-agent(8)"
                                     : "");
    }
    entrance->listener = listener_new(entrance->services->loop, fd, on_visitor, entrance);
    if (!entrance->listener) {
        close(fd);
        return why_set(why, -ENOMEM, "out of memory");
    }
    return 0;
}

int entrance_new(struct services *services, const struct table *table,
                 struct entrance **ret_entrance, struct why *why)
{
    struct entrance *entrance = calloc(1, sizeof *entrance);
    if (!entrance) {
        return why_set(why, -ENOMEM, "out of memory");
    }
    entrance->services = services;
    entrance->table = table;
    list_init(&entrance->visitors);
    entrance->latch = latch_new(services->loop, NULL, services->https, &LATCH_EVENTS, entrance);
    int err = entrance->latch ? listen_at(entrance, services->settings, why)
                              : why_set(why, -ENOMEM, "out of memory");
    if (err < 0) {
        entrance_free(entrance);
        return err;
    }
    *ret_entrance = entrance;
    return 0;
}

void entrance_free(struct entrance *entrance)
{
    if (!entrance) {
        return;
    }
    listener_free(entrance->listener);
    list_each (struct visitor, visitor, &entrance->visitors, home) {
        send_off(visitor, ENTRANCE_LEFT);
    }
    latch_free(entrance->latch);
    free(entrance->claims);
    free(entrance);
}
