/* What a session's gateway says of it, and what becomes of that. */
#include <errno.h>

#include "vps/session/connections.h"
#include "vps/session/explain.h"
#include "vps/session/front.h"
#include "vps/session/rear.h"
#include "vps/session/record.h"
#include "vps/session/session_parts.h"

/* Where a user reads what the session waits for. */
static void tell_of_gateway(struct session *session)
{
    const struct services *services = session_terms(session)->services;
    if (session_state(session) == SESSION_RECONNECTING) {
        services->touched(services->arg, session);
    }
}

void session_on_tunnel_ready(struct session *session, const struct message_tunnel_ready *ready)
{
    if (ready->channel == 0) {
        record_target(session_record(session), ready->address);
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
    explain_failure(session_terms(session), failed, &why);
    connections_give_up_channel(session_connections(session), failed->channel);
    if (others || passing) {
        session_note(session, true, "a connection could not be opened: %s", why.text);
        session_on_nothing_carried(session, false);
    } else {
        session_end_because(session,
                            session_state(session) == SESSION_OPENING ? SESSION_END_REFUSED
                                                                      : SESSION_END_TARGET,
                            &why);
    }
}

void session_on_gateway_lost(struct session *session)
{
    if (session_state(session) == SESSION_OPENING) {
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
        renew_reserve(session);
    } else {
        rear_drop_reserve(session_rear(session));
        connections_ask_anew(session_connections(session));
        tell_of_gateway(session);
    }
}
