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

/* Asks the gateway for a data channel. */
int session_request_channel(struct session *session)
{
    struct gateway *gateway = gateways_find(session->services->gateways, session->gateway);
    if (!gateway) {
        return -ENOTCONN;
    }
    struct message message = {.type = MESSAGE_OPEN_TUNNEL};
    message.open_tunnel.session = session->number;
    message.open_tunnel.channel = session->channel;
    message.open_tunnel.port = session->port;
    message.open_tunnel.data_port = session->data_port;
    strcpy(message.open_tunnel.host, session->host); /* HOST_MAX at most */
    memcpy(message.open_tunnel.token, dock_token(session->dock), sizeof message.open_tunnel.token);
    dock_expect(session->dock, session->channel);
    int err = gateway_send(gateway, &message);
    crypto_wipe(&message, sizeof message);
    session->channel_on_its_way = err == 0;
    session->channel_asked_ms = clock_ms();
    return err;
}

void session_give_up_channel(struct session *session)
{
    session->channel_on_its_way = false;
    session_drop_pending(session); /* its client will try again, and so do we */
    session_on_nothing_carried(session, false);
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
    if (session->state == SESSION_OPENING) {
        session_wait_for_last_words(session);
    } else if (session->state == SESSION_WAITING) {
        session_end(session, SESSION_END_GATEWAY);
    }
}

static void keep_spare(struct session *session, int fd)
{
    session_drop_spare(session);
    session->spare = fd;
    session->spare_watch = watch_new(session->services->loop, fd, on_spare_gone, session);
    if (session->spare_watch) {
        watch_set(session->spare_watch, WATCH_HANGUP);
    }
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
    if (session->kind == SESSION_SSH) {
        dock_free(session->dock); /* one connection, one data channel */
        session->dock = NULL;
    }
    session_set_state(session, SESSION_WAITING);
}

void session_on_docked(void *arg, uint16_t channel, int fd)
{
    struct session *session = arg;
    log_debug(log_of(session), "session %s: data channel %u is there", session->id, channel);
    session->channel_on_its_way = false;
    if (session->pending) {
        struct pending_client *pending = session->pending;
        session->pending = NULL;
        session_join(session, pending->fd, fd, pending->bytes, pending->len);
        free(pending);
        return;
    }
    keep_spare(session, fd);
    maybe_ready(session);
}

static void on_tunnel_failed(struct session *session, const struct message_tunnel_failed *failed)
{
    log_info(log_of(session), "session %s: channel %u failed: %s", session->id, failed->channel,
             failed->detail);
    if (failed->channel != session->channel) {
        return; /* a newer one was asked for since, and will speak for itself */
    }
    if (session->channel_on_its_way && session->carries) {
        session_give_up_channel(session); /* the user still works on another one */
        return;
    }
    session_explain_failure(session, failed);
    session_end(session,
                session->state == SESSION_OPENING ? SESSION_END_REFUSED : SESSION_END_TARGET);
}

void session_on_message(struct session *session, const struct message *message)
{
    if (session->state == SESSION_ENDED) {
        return;
    }
    if (message->type == MESSAGE_TUNNEL_READY && message->tunnel_ready.channel == 0) {
        log_debug(log_of(session), "session %s: %s answers at %s", session->id, session->host,
                  message->tunnel_ready.address);
        session->gateway_is_ready = true;
        maybe_ready(session);
    } else if (message->type == MESSAGE_TUNNEL_FAILED) {
        on_tunnel_failed(session, &message->tunnel_failed);
    }
}

void session_on_gateway_lost(struct session *session)
{
    if (session->state == SESSION_OPENING) {
        session_end(session, SESSION_END_GATEWAY);
    } else {
        session_give_up_channel(session);
    }
}
