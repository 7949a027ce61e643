/*
 * The gateway's side of a session: what its gateway says of it, what its rear reports, and what
 * becomes of that.
 */
#include <errno.h>
#include <string.h>

#include "vps/session/connections.h"
#include "vps/session/explain.h"
#include "vps/session/front.h"
#include "vps/session/life.h"
#include "vps/session/news.h"
#include "vps/session/rear.h"
#include "vps/session/record.h"
#include "vps/session/session_parts.h"
#include "vps/session/shown.h"

/* ---- what its gateway says -------------------------------------------------- */

/* Where a user reads what the session waits for. */
static void tell_of_gateway(struct session *session)
{
    const struct services *services = session_terms(session)->services;
    if (session_state(session) == SESSION_RECONNECTING) {
        services->touched(services->arg, session);
    }
}

static void tell_mac(struct session *session, const uint8_t mac[MAC_SIZE])
{
    struct session_event event = {.kind = SESSION_MAC_SEEN};
    if (mac_is_one(mac)) { /* and not all zeros, for want of one */
        memcpy(event.mac, mac, MAC_SIZE);
        session_tell(session, event);
    }
}

/* Nobody in a LAN can prove that a name is theirs. */
static void log_who_said_so(const struct session *session, const struct message_tunnel_ready *ready)
{
    const struct terms *terms = session_terms(session);
    const char *found_by = record_found_by(ready->found_by);
    if (found_by) {
        log_info(log_of(terms), "session %s: %s is %s, as %s says in the network of gateway %s",
                 terms->id, terms->host, ready->address, found_by, terms->gateway);
    }
}

void session_on_data_channel(struct session *session, int fd, const struct addr *from,
                             const uint8_t *hello)
{
    rear_on_data_channel(session_rear(session), fd, from, hello);
}

/* A person has to decide about it first: SESSION_KEY_DOUBTED asks them. */
static void end_of_another(struct session *session, const struct why *why)
{
    session_tell(session, (struct session_event){.kind = SESSION_KEY_DOUBTED});
    session_end_because(session, SESSION_END_IDENTITY, why);
}

void session_on_tunnel_ready(struct session *session, const struct message_tunnel_ready *ready)
{
    struct why why;
    if (ready->channel == 0 && session_state(session) == SESSION_OPENING &&
        shown_take(session_shown(session), session_terms(session), ready, &why) < 0) {
        end_of_another(session, &why);
        return;
    }
    if (ready->channel == 0) {
        record_target(session_record(session), ready->address, ready->found_by);
        log_who_said_so(session, ready);
        tell_mac(session, ready->mac);
    }
    rear_on_tunnel_ready(session_rear(session), ready);
}

/*
 * It ends the session if nothing else is left of that: while others run, and when the
 * gateway has just no room, it is one connection that failed, and is said.
 */
void session_on_tunnel_failed(struct session *session, const struct message_tunnel_failed *failed)
{
    struct why why;
    log_info(log_of(session_terms(session)), "session %s: channel %u failed: %s",
             session_terms(session)->id, failed->channel, failed->detail);
    bool is_latest = rear_give_up(session_rear(session), failed->channel);
    if (!is_latest && !connections_have_channel(session_connections(session), failed->channel)) {
        return; /* a newer one was asked for since, and will speak for itself */
    }
    bool others = connections_have_others(session_connections(session), failed->channel);
    bool passing = failed->reason == TUNNEL_BUSY && front_insider(session_front(session))->is_in;
    if (failed->reason == TUNNEL_IDENTITY) {
        shown_refused(session_terms(session), failed, &why);
    } else {
        explain_failure(session_terms(session), failed, &why);
    }
    connections_give_up_channel(session_connections(session), failed->channel);
    if (others || passing) {
        session_note(session, true, "a connection could not be opened: %s", why.text);
        session_on_nothing_carried(session, false);
    } else {
        life_set_failed(session_life(session), failed->reason);
        session_end_because(session,
                            failed->reason == TUNNEL_IDENTITY           ? SESSION_END_IDENTITY
                            : session_state(session) == SESSION_OPENING ? SESSION_END_REFUSED
                                                                        : SESSION_END_TARGET,
                            &why);
    }
}

void session_on_gateway_lost(struct session *session)
{
    bool waits = session_state(session) == SESSION_WAITING;
    /* Both its connections are gone, one right behind the other: it has stopped. */
    if (session_state(session) == SESSION_OPENING ||
        (waits && !rear_has_reserve(session_rear(session)))) {
        session_end(session, SESSION_END_GATEWAY);
        return;
    }
    rear_give_up_all(
        session_rear(session)); /* those that wait for a channel get it from the next login */
    tell_of_gateway(session);
}

/* The reserve may be dead without a word: the gateway may come from another address now. */
static void renew_reserve(struct session *session)
{
    uint16_t channel;
    int err = rear_request(session_rear(session), &channel);
    if (err == -ENOTCONN) {
        session_end(session, SESSION_END_GATEWAY);
    } else if (err < 0) {
        session_end_short_of(session, -err);
    }
}

void session_on_gateway_online(struct session *session)
{
    if (session_state(session) == SESSION_OPENING) {
        session_end(session, SESSION_END_GATEWAY);
        return;
    }
    rear_give_up_all(session_rear(session));
    if (session_state(session) == SESSION_WAITING) {
        rear_doubt_reserve(session_rear(session));
        renew_reserve(session);
    } else {
        rear_drop_reserve(session_rear(session));
        connections_ask_anew(session_connections(session));
        tell_of_gateway(session);
    }
}

/* ---- what its rear reports -------------------------------------------------- */

static bool on_docked(void *arg, uint16_t channel, int fd)
{
    struct session *session = arg;
    return connections_take_channel(session_connections(session), channel, fd);
}

void session_end_unrecorded(struct session *session, int err)
{
    struct why why;
    explain_not_recorded(err, &why);
    session_end_because(session, SESSION_END_AUDIT, &why);
}

static void let_user_come(struct session *session)
{
    if (front_open(session_front(session)) < 0) {
        session_end_short_of(session, ENOMEM);
        return;
    }
    life_set(session_life(session), SESSION_WAITING);
}

/* Its reserve may have gone meanwhile; then another one is on its way, or the end. */
static void on_recorded(void *arg, int err)
{
    struct session *session = arg;
    session_record(session)->state = RECORD_OVER;
    if (err < 0 && session_terms(session)->services->settings->audit_full == AUDIT_FULL_REFUSE) {
        session_end_unrecorded(session, err);
    } else if (rear_has_reserve(session_rear(session))) {
        let_user_come(session);
    }
}

static void on_ready(void *arg)
{
    struct session *session = arg;
    if (session_state(session) == SESSION_OPENING &&
        record_opened(session_record(session), session_terms(session),
                      front_port(session_front(session)), rear_port(session_rear(session)),
                      on_recorded, session)) {
        let_user_come(session);
    }
}

/*
 * Firewalls and proxies on the way end connections that carry nothing for a while; one that ends
 * them at once will not let another one live.
 */
static void on_reserve_gone(void *arg, bool another_comes, bool was_kept)
{
    struct session *session = arg;
    if (session_state(session) == SESSION_OPENING) { /* the gateway's reason may still come */
        life_await_words(session_life(session));
    } else if (session_state(session) == SESSION_WAITING && !another_comes && was_kept) {
        renew_reserve(session);
    } else if (session_state(session) == SESSION_WAITING && !another_comes) {
        session_end(session, SESSION_END_GATEWAY);
    }
}

const struct rear_events SESSION_REAR_EVENTS = {
    .docked = on_docked,
    .ready = on_ready,
    .reserve_gone = on_reserve_gone,
};
