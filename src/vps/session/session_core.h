/*
 * session_core: the inside of a session, for session.c (its life),
 * session_gateway.c and session_client.c (its two sides), session_view.c (what
 * others see of it) and sessions.c (the list). Everybody else uses session.h.
 */
#ifndef PAMTUNNEL_VPS_SESSION_SESSION_CORE_H
#define PAMTUNNEL_VPS_SESSION_SESSION_CORE_H

#include <uv.h>

#include "base/log.h"
#include "base/timer.h"
#include "base/watch.h"
#include "control/message.h"
#include "data/proof.h"
#include "data/relay.h"
#include "vps/admission/door.h"
#include "vps/admission/known.h"
#include "vps/gateways.h"
#include "vps/session/dock.h"
#include "vps/session/ports.h"
#include "vps/session/rdpfile.h"
#include "vps/session/sessions.h"

/* What all sessions share. Outlives them. */
struct session_services {
    uv_loop_t *loop;
    const struct log *log;
    const struct vps_settings *settings;
    struct ports *ports;
    struct gateways *gateways;
    struct relay *relay;
    struct known *known;
    struct door_total door_total;
    void (*notify)(void *arg, struct session *session, enum session_event event, unsigned number);
    void *arg;
};

/*
 * One user connection in the relay. It belongs to the session, and to nobody
 * (session NULL) when the session ended before its link did.
 */
struct carry {
    struct carry *next;
    struct session *session;
    struct link *link;
};

/* A client that is in, but whose data channel is still on its way (a reconnect). */
struct pending_client {
    int fd;
    size_t len;
    uint8_t bytes[];
};

enum { SESSION_BLOCKED_MAX = 16 };

/*
 * There may be thousands, most of them idle: small fields stand together, and
 * names take no more than they need.
 */
struct session {
    struct session *next;
    struct session_services *services;
    uint64_t number; /* on the wire */
    char id[SESSION_ID_SIZE + 1];
    bool somebody_is_in;
    bool came_without_secret;
    bool channel_on_its_way;
    bool gateway_is_ready; /* TUNNEL_READY of channel 0 came */
    uint16_t port;
    enum session_kind kind;
    enum session_state state;
    struct owner owner;
    char *host, *user, *gateway; /* in `names`; host and port are the target */

    /* public side */
    struct door *door;
    int public_listener; /* -1 once the door has it */
    uint16_t public_port;
    uint16_t data_port;
    char secret[RDPFILE_SECRET_LEN + 1];
    struct addr client;
    unsigned blocked_count;
    struct addr *blocked; /* NULL: nobody */

    /* gateway side */
    struct dock *dock;
    uint64_t channel_asked_ms;
    struct watch *spare_watch;
    int spare;        /* an authenticated data channel without a client; -1: none */
    uint16_t channel; /* the latest that was asked for */

    struct pending_client *pending; /* NULL: none */
    struct carry *carries;
    uint64_t to_target, to_client; /* bytes of the links that ended */

    struct timer *deadline; /* see session.c */
    uint64_t deadline_ms;   /* when it fires; 0: a check that nobody needs to see */
    uint64_t opened_ms, connected_ms, ended_ms;
    int64_t opened_unix, connected_unix;
    uint64_t active_ms, active_bytes; /* the last time that bytes had moved */

    enum session_end end;
    struct why *end_why; /* for SESSION_END_REFUSED and _TARGET; NULL otherwise */
    char names[];
};

/*
 * Opens its ports and asks the gateway. On failure why is a sentence for the
 * user, as sessions_open() says.
 */
int session_new(struct session_services *services, const struct session_request *request,
                struct gateway *gateway, struct session **ret_session, struct why *why);
/* The session must have ended, or never been told of. Accepts NULL. */
void session_free(struct session *session);

static inline const struct log *log_of(const struct session *session)
{
    return session->services->log;
}

/* ---- session.c: states and the end ---------------------------------------- */

/* Checks the transition, logs it, starts the state's clock, tells the watchers. */
void session_set_state(struct session *session, enum session_state state);
/* Ends it, once; what it holds is closed when this returns. */
void session_end(struct session *session, enum session_end end);
void session_on_link_ended(struct session *session, struct carry *carry);
/* No link and no client on its way to one. */
bool session_carries_nothing(const struct session *session);
/* To be called when that may have come true. maybe_last_words: the reason may still come. */
void session_on_nothing_carried(struct session *session, bool maybe_last_words);
/* A client waits for a data channel: looks in time whether it came. */
void session_expect_channel(struct session *session);
/* Its end is near; the gateway's reason may still come, and be the end. */
void session_wait_for_last_words(struct session *session);

/* ---- session_gateway.c ----------------------------------------------------- */

void session_on_message(struct session *session, const struct message *message);
void session_on_gateway_lost(struct session *session);
/* dock_fn: the gateway has proven itself on a data channel. */
void session_on_docked(void *arg, uint16_t channel, int fd);
/* Asks for the data channel of number `channel`. 0 or -errno. */
int session_request_channel(struct session *session);
/* It does not come any more; the client that waits for it goes. */
void session_give_up_channel(struct session *session);
void session_drop_spare(struct session *session);
/* Says that the session is over. */
void session_tell_gateway(struct session *session);

/* ---- session_client.c ------------------------------------------------------ */

/* Starts to let clients in. 0 or -ENOMEM. */
int session_open_door(struct session *session);
/* Gives the relay a client and a data channel; both descriptors are taken over. */
void session_join(struct session *session, int client, int data, const void *bytes, size_t len);
void session_drop_pending(struct session *session);

/* ---- session_view.c -------------------------------------------------------- */

/* Puts what a failed tunnel means for the user into end_why. */
void session_explain_failure(struct session *session, const struct message_tunnel_failed *failed);
/* Bytes moved so far, of links that ended and of those that run. */
void session_count_bytes(const struct session *session, uint64_t *ret_to_target,
                         uint64_t *ret_to_client);

#endif
