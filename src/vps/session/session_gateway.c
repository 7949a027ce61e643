/*
 * A session's dealings with its gateway: asking for data channels, receiving
 * them at the dock, and what the gateway says about the target.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "vps/session/session_core.h"

bool session_has_gateway(const struct session *session)
{
    const struct gateways *gateways = session->services->gateways;
    return gateways && gateways_find(gateways, session->gateway);
}

/* The data port is open only while a channel is expected. */
static int open_dock(struct session *session)
{
    if (dock_is_open(session->dock)) {
        return 0;
    }
    int fd = ports_relisten(session->services->ports, session->data_port);
    int err = fd < 0 ? fd : dock_open(session->dock, fd);
    if (fd >= 0 && err < 0) {
        close(fd);
    }
    return err;
}

static void write_request(const struct session *session, struct message *ret_message)
{
    struct message_open_tunnel *open = &ret_message->open_tunnel;
    *ret_message = (struct message){.type = MESSAGE_OPEN_TUNNEL};
    open->session = session->number;
    open->channel = session->channel;
    open->port = session->port;
    open->data_port = session->data_port;
    strcpy(open->host, session->host); /* HOST_MAX at most */
    memcpy(open->token, dock_token(session->dock), sizeof open->token);
}

static int request_channel(struct session *session)
{
    /* By name, each time: a new login is another struct gateway. */
    struct gateway *gateway = gateways_find(session->services->gateways, session->gateway);
    if (!gateway) {
        return -ENOTCONN;
    }
    int err = open_dock(session);
    err = err < 0 ? err : dock_expect(session->dock, session->channel);
    if (err == 0) {
        struct message message;
        struct gateway_view view;
        gateway_view(gateway, &view);
        dock_expect_from(session->dock, &view.from);
        write_request(session, &message);
        err = gateway_send(gateway, &message);
        crypto_wipe(&message, sizeof message);
    }
    return err;
}

int session_request_channel(struct session *session)
{
    session->channel = session->channel == UINT16_MAX ? 1 : (uint16_t)(session->channel + 1);
    return request_channel(session);
}

int session_request_first_channel(struct session *session)
{
    return request_channel(session);
}

int session_dial_target(struct session *session, uint16_t channel)
{
    struct gateway *gateway = gateways_find(session->services->gateways, session->gateway);
    struct message message = {.type = MESSAGE_DIAL_TARGET,
                              .dial_target = {.session = session->number, .channel = channel}};
    return gateway ? gateway_send(gateway, &message) : -ENOTCONN;
}

bool session_can_dial_target(const struct session *session)
{
    const struct gateway *gateway = gateways_find(session->services->gateways, session->gateway);
    struct gateway_view view;
    if (!gateway) {
        return true;
    }
    gateway_view(gateway, &view);
    return view.version >= message_since(MESSAGE_DIAL_TARGET);
}

void session_drop_spare(struct session *session)
{
    watch_free(session->spare_watch);
    session->spare_watch = NULL;
    if (session->spare >= 0) {
        close(session->spare);
        session->spare = -1;
    }
}

void session_tell_gateway(struct session *session)
{
    struct gateway *gateway = gateways_find(session->services->gateways, session->gateway);
    struct message message = {.type = MESSAGE_CLOSE_TUNNEL,
                              .close_tunnel.session = session->number};
    if (gateway) {
        gateway_send(gateway, &message);
    }
}

static void on_spare_gone(void *arg, int events)
{
    struct session *session = arg;
    (void)events;
    session_drop_spare(session);
    bool another_comes = session->channel != session->spare_channel;
    if (session->state == SESSION_OPENING) {
        session_wait_for_last_words(session);
    } else if (session->state == SESSION_WAITING && !another_comes) {
        session_end(session, SESSION_END_GATEWAY);
    }
}

static void keep_spare(struct session *session, uint16_t channel, int fd)
{
    session_drop_spare(session);
    session->spare = fd;
    session->spare_channel = channel;
    session->spare_since_ms = clock_ms();
    session->spare_watch = watch_start(session->services->loop, fd, WATCH_HANGUP, on_spare_gone,
                                       session);
}

/* The gateway says that the target answers, and its data channel is there. */
static void maybe_ready(struct session *session)
{
    if (session->state != SESSION_OPENING || !session->gateway_is_ready || session->spare < 0) {
        return;
    }
    if (session_open_door(session) < 0) {
        session_end(session, SESSION_END_GATEWAY);
        return;
    }
    session_set_state(session, SESSION_WAITING);
}

void session_on_docked(void *arg, uint16_t channel, int fd)
{
    struct session *session = arg;
    log_debug(log_of(session), "session %s: data channel %u is there", session->id, channel);
    if (!session_take_channel(session, channel, fd)) {
        keep_spare(session, channel, fd); /* for the next client */
        maybe_ready(session);
    }
}

static void end_without_target(struct session *session, const struct why *why)
{
    session->end_why = malloc(sizeof *why); /* without memory the reason stays in the log */
    if (session->end_why) {
        *session->end_why = *why;
    }
    session_end(session,
                session->state == SESSION_OPENING ? SESSION_END_REFUSED : SESSION_END_TARGET);
}

static bool has_others(const struct session *session, const struct connection *connection)
{
    return session->connections && (session->connections != connection || connection->next);
}

/*
 * It ends the session if nothing else is left of that: while others run, and when the
 * gateway has just no room, it is one connection that failed, and is said.
 */
void session_on_tunnel_failed(struct session *session, const struct message_tunnel_failed *failed)
{
    struct connection *connection = session_find_channel(session, failed->channel);
    struct why why;
    log_info(log_of(session), "session %s: channel %u failed: %s", session->id, failed->channel,
             failed->detail);
    dock_expect_not(session->dock, failed->channel);
    if (!connection && failed->channel != session->channel) {
        return; /* a newer one was asked for since, and will speak for itself */
    }
    bool others = has_others(session, connection);
    bool passing = failed->reason == TUNNEL_BUSY && session->somebody_is_in;
    session_explain_failure(session, failed, &why);
    session_give_up_channel(session, failed->channel);
    if (!others && !passing) {
        end_without_target(session, &why);
        return;
    }
    session_note(session, "a connection could not be opened: %s", why.text);
    session_on_nothing_carried(session, false);
}

void session_on_tunnel_ready(struct session *session, const struct message_tunnel_ready *ready)
{
    if (ready->channel == 0) { /* later ones speak for themselves, at the dock */
        log_debug(log_of(session), "session %s: %s answers at %s", session->id, session->host,
                  ready->address);
        session->gateway_is_ready = true;
        maybe_ready(session);
    }
}

/* Where a user reads what the session waits for. */
static void tell_of_gateway(struct session *session)
{
    if (session->state == SESSION_RECONNECTING) {
        session_tell(session);
    }
}

void session_on_gateway_lost(struct session *session)
{
    if (session->state == SESSION_OPENING) {
        session_end(session, SESSION_END_GATEWAY);
        return;
    }
    dock_expect_nothing(
        session->dock); /* those that wait for a channel get it from the next login */
    tell_of_gateway(session);
}

/* The reserve may be dead without a word: the gateway may come from another address now. */
static void renew_spare(struct session *session)
{
    if (session_request_channel(session) < 0) {
        session_end(session, SESSION_END_GATEWAY);
    }
}

void session_on_gateway_online(struct session *session)
{
    if (session->state == SESSION_OPENING) {
        session_end(session, SESSION_END_GATEWAY);
        return;
    }
    dock_expect_nothing(session->dock);
    if (session->state == SESSION_WAITING) {
        renew_spare(session);
    } else {
        session_drop_spare(session);
        session_ask_anew(session);
        tell_of_gateway(session);
    }
}
