/*
 * What a session's front asks of it and reports, and what becomes of that: a client is in, or
 * waits to be let in.
 */
#include "vps/session/front.h"

#include "base/net.h"
#include "vps/session/connections.h"
#include "vps/session/life.h"
#include "vps/session/rear.h"
#include "vps/session/session_parts.h"

static uint64_t on_bytes_to_target(void *arg)
{
    const struct session *session = arg;
    uint64_t to_target, to_client;
    connections_count_bytes(session_connections(session), &to_target, &to_client);
    return to_target;
}

static bool on_is_full(void *arg)
{
    const struct session *session = arg;
    return connections_count(session_connections(session)) >=
           session_terms(session)->limits.connections;
}

static bool on_can_dial_target(void *arg)
{
    const struct session *session = arg;
    return rear_can_dial_target(session_rear(session));
}

static void on_describe(void *arg, struct latch_page *page)
{
    session_describe(arg, page);
}

static void on_displaced(void *arg)
{
    struct session *session = arg;
    connections_cut_all(session_connections(session));
}

static void on_admitted(void *arg, int client, bool is_first, const void *bytes, size_t len)
{
    struct session *session = arg;
    life_touch(session_life(session));
    if (is_first && !session_has_ended(session)) {
        const struct insider *insider = front_insider(session_front(session));
        session_tell(session, (struct session_event){.kind = SESSION_ADMITTED,
                                                     .address = &insider->client,
                                                     .word = insider_way_word(insider),
                                                     .by = insider_admitted_by(insider)});
    }
    if (session_has_ended(session)) { /* by a watcher */
        net_reset(client);
        return;
    }
    if (!is_first && on_is_full(session)) {
        connections_cut_oldest(session_connections(session));
    }
    /* A first client counts even if it fails: its session is not for anybody else any more. */
    bool came = connections_add(session_connections(session), client, bytes, len) == 0;
    if ((came || session_state(session) == SESSION_WAITING) &&
        session_state(session) != SESSION_CONNECTED && !session_has_ended(session)) {
        life_set(session_life(session), SESSION_CONNECTED);
    }
    session_on_nothing_carried(session, false);
}

void session_tell_of_client(struct session *session, enum session_event_kind kind, unsigned number)
{
    if (!session_has_ended(session)) {
        session_tell(session, (struct session_event){.kind = kind, .number = number});
    }
}

static void on_parked(void *arg, unsigned number)
{
    session_tell_of_client(arg, SESSION_PARKED, number);
}

static void on_left(void *arg, unsigned number)
{
    session_tell_of_client(arg, SESSION_UNPARKED, number);
}

static void on_knocking(void *arg)
{
    session_tell_of_client(arg, SESSION_KNOCKING, 0);
}

static void on_blocked(void *arg, unsigned number, const struct addr *from, const struct owner *by)
{
    session_tell(arg, (struct session_event){
                          .kind = SESSION_BLOCKED, .number = number, .address = from, .by = by});
}

static void on_linked(void *arg, const struct addr *from)
{
    struct session *session = arg;
    session_tell(session, (struct session_event){.kind = SESSION_LINKED,
                                                 .address = from,
                                                 .by = &session_terms(session)->owner});
}

static void on_noted(void *arg, bool passes, const char *clause)
{
    session_note(arg, passes, "%s", clause);
}

const struct front_events SESSION_FRONT_EVENTS = {
    .bytes_to_target = on_bytes_to_target,
    .is_full = on_is_full,
    .can_dial_target = on_can_dial_target,
    .describe = on_describe,
    .displaced = on_displaced,
    .admitted = on_admitted,
    .parked = on_parked,
    .left = on_left,
    .knocking = on_knocking,
    .blocked = on_blocked,
    .linked = on_linked,
    .noted = on_noted,
};
