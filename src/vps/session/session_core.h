/*
 * session_core: the inside of a session, for session.c (its life),
 * session_gateway.c and session_client.c (its two sides), session_connection.c
 * (what joins them), session_lobby.c (its unknown clients), session_view.c (what
 * others see of it) and sessions.c (the list). Everybody else uses session.h.
 */
#ifndef PAMTUNNEL_VPS_SESSION_SESSION_CORE_H
#define PAMTUNNEL_VPS_SESSION_SESSION_CORE_H

#include <uv.h>

#include "base/congestion.h"
#include "base/log.h"
#include "base/sieve.h"
#include "base/timer.h"
#include "base/watch.h"
#include "control/message.h"
#include "data/proof.h"
#include "data/relay.h"
#include "vps/admission/door.h"
#include "vps/admission/known.h"
#include "vps/admission/lately.h"
#include "vps/gateways/gateways.h"
#include "vps/grant/rdpfile.h"
#include "vps/session/dock.h"
#include "vps/session/ports.h"
#include "vps/session/sessions.h"

/* What all sessions share. Outlives them. */
struct session_services {
    uv_loop_t *loop;
    const struct log *log;
    const struct vps_settings *settings;
    struct ports *ports;
    struct gateways *gateways;
    struct relay *relay;
    struct congestion congestion; /* of clients' connections and data channels */
    struct known *known;
    struct lately *lately;
    struct door_total door_total;
    struct sieve *sieve; /* log lines that strangers cause, by session and network */
    void (*notify)(void *arg, struct session *session, enum session_event event, unsigned number);
    void (*noted)(void *arg, struct session *session); /* it has a note that is to be told */
    void *arg;
};

struct arrival; /* session_connection.c */

/*
 * One user connection, from its admission to its end. It belongs to the session, and
 * to nobody (session NULL) when the session ended before its link did.
 */
struct connection {
    struct connection *next; /* the newest one first */
    struct session *session;
    struct link *link;       /* in the relay; NULL: not yet */
    struct arrival *arrival; /* until then; NULL: no more */
    uint16_t channel;
    unsigned number; /* counted from 1 */
};

enum { SESSION_BLOCKED_MAX = 16 };

/* By what its first client was let in. */
enum way_in { WAY_NONE, WAY_SECRET, WAY_KNOWN, WAY_AUTO, WAY_PERSON };

/* By the settings when it was asked for; others that come meanwhile are for later ones. */
struct session_limits {
    uint32_t timeout_s, grace_s, idle_s, time_s; /* SESSION_TIMEOUT, ...; 0 as in the settings */
    uint16_t connections;
};

/*
 * There may be thousands, most of them idle: small fields stand together, and
 * names take no more than they need.
 */
struct session {
    struct session *next, *same_bucket, *next_noted; /* the table's, sessions.c */
    struct session_services *services;
    uint64_t number; /* on the wire */
    char id[SESSION_ID_SIZE + 1];
    bool somebody_is_in;
    bool gateway_is_ready; /* TUNNEL_READY of channel 0 came */
    bool note_is_new;      /* and not yet told: the table knows */
    bool note_passes;      /* session_note(): it is past once a later connection works */
    bool was_ready;        /* its user could have connected */
    bool told_of_other;    /* its user was told that the secret came from elsewhere */
    bool was_hung_up_on;   /* by the target, in its last connection, without a word */
    bool names_gateway;    /* there were several when it was opened */
    bool silent_is_in;    /* who is in came without a word, by ADMIT=auto: session_is_unclaimed() */
    uint64_t silent_from; /* what had gone to the target before that one came */
    uint8_t way_in;       /* of the first client: an enum way_in */
    uint16_t port;
    enum kind kind;
    enum session_state state;
    struct session_limits limits;
    struct owner owner;
    struct owner admitted_by;    /* WAY_PERSON */
    char *host, *user, *gateway; /* in `names`; host and port are the target */

    /* public side */
    struct door *door;
    int public_listener; /* -1 once the door has it */
    uint16_t public_port;
    uint16_t data_port;
    char secret[RDPFILE_SECRET_LEN + 1];
    struct addr client;   /* the party that is in, by its latest address */
    uint64_t admitted_ms; /* WAY_PERSON: when */
    unsigned blocked_count;
    struct addr *blocked;     /* NULL: nobody */
    unsigned departed;        /* unknown clients that went without a question */
    uint64_t knocking_log_ms; /* when the log heard of strangers; 0: not yet */

    /* gateway side */
    struct dock *dock;
    struct watch *spare_watch;
    uint64_t spare_since_ms;
    int spare;              /* an authenticated data channel without a client; -1: none */
    uint16_t spare_channel; /* its number */
    uint16_t channel;       /* the latest that was asked for */

    struct connection *connections;
    unsigned connections_total;    /* those that are over, too */
    uint64_t to_target, to_client; /* bytes of the links that ended */
    char *note;                    /* session_note(); NULL: none */
    unsigned notes;
    unsigned note_at; /* connections_total when it was made */

    struct timer *deadline; /* see session.c */
    uint64_t deadline_ms;   /* when it fires; 0: a check that nobody needs to see */
    uint64_t opened_ms, connected_ms, ended_ms;
    uint64_t left_ms; /* when the last connection went, while none has come since */
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
void session_on_link_ended(struct session *session, struct connection *connection);
/* Call it when there may be no connection left. maybe_last_words: the reason may still come. */
void session_on_nothing_carried(struct session *session, bool maybe_last_words);
/* Its end is near; the gateway's reason may still come, and be the end. */
void session_wait_for_last_words(struct session *session);
/* RECONNECT_GRACE=0 and MAX_CONNECTIONS=1: it is one connection, and no port outlives that. */
bool session_is_strict(const struct session *session);
/*
 * Who is in was let in by ADMIT=auto, without a word, and has not said more since than an
 * identification string may have (255 bytes, RFC 4253, section 4.2; a key exchange has more):
 * it may be a scanner. The first client that speaks takes its place, and when it goes the
 * session waits for its user again.
 */
bool session_is_unclaimed(const struct session *session);
/* How many connections it may have at once. */
unsigned session_most_connections(const struct session *session);

/* ---- session_gateway.c ----------------------------------------------------- */

/* What the gateway says of it; it has not ended yet. */
void session_on_tunnel_ready(struct session *session, const struct message_tunnel_ready *ready);
void session_on_tunnel_failed(struct session *session, const struct message_tunnel_failed *failed);
void session_on_gateway_lost(struct session *session);
/* dock_fn: the gateway has proven itself on a data channel. */
void session_on_docked(void *arg, uint16_t channel, int fd);
/* The gateway has logged in: what it was asked before is forgotten. */
void session_on_gateway_online(struct session *session);
/* It is online. */
bool session_has_gateway(const struct session *session);
/* Asks for data channel 0, or for one more, whose number is in `channel` then. 0 or -errno. */
int session_request_first_channel(struct session *session);
int session_request_channel(struct session *session);
/* The target of that channel is to be dialled without a first byte. 0 or -errno. */
int session_dial_target(struct session *session, uint16_t channel);
/* Its gateway knows how to do that, or is offline. */
bool session_can_dial_target(const struct session *session);
void session_drop_spare(struct session *session);
/* Says that the session is over. */
void session_tell_gateway(struct session *session);

/* ---- session_client.c ------------------------------------------------------ */

/* Within so long after Admit, Close takes it back: the address is forgotten. */
enum { SESSION_HASTY_MS = 60000 };

/* Starts to let clients in. 0 or -ENOMEM. */
int session_open_door(struct session *session);
/* Its user closes it: see SESSION_HASTY_MS. */
void session_forget_hasty_admit(struct session *session);

/* ---- session_connection.c -------------------------------------------------- */

/*
 * Takes over a client that is in, with its first bytes, and finds it a data channel. One
 * that waits for the target's first word has none. On failure (-errno) it was sent off.
 */
int session_connect(struct session *session, int client, const void *bytes, size_t len);
/* The oldest one makes room. */
void session_cut_oldest(struct session *session);
/* Cuts them all; nobody is told. */
void session_cut_all(struct session *session);
/* A data channel is there. False if no connection waits for it: it stays the caller's. */
bool session_take_channel(struct session *session, uint16_t channel, int fd);
/* Those that wait for a data channel ask for another one, or go if that fails. */
void session_ask_anew(struct session *session);
/* The connection that waits for this data channel, if there is one, is dropped. */
void session_give_up_channel(struct session *session, uint16_t channel);
struct connection *session_find_channel(const struct session *session, uint16_t channel);
unsigned session_count_connections(const struct session *session);

/* ---- session_lobby.c ------------------------------------------------------- */

/* What door.h asks and reports about unknown clients. */
/* For the sieve: clients of one network at one session. Returns dst. */
enum { SESSION_CAUSE_MAX = 96 };
char *session_cause(const struct session *session, const struct addr *from,
                    char dst[SESSION_CAUSE_MAX]);

/* What door.h wants to know and tells about unknown clients. */
bool session_expects(void *arg, const struct addr *from);
void session_on_knocking(void *arg);
void session_on_departed(void *arg, const struct addr *from, const char *words,
                         enum departure departure);
/* A silent client was not let in. */
void session_on_silent(struct session *session, const struct visit *visit, const struct addr *from);
/* At the session's end: how many unknown clients came. */
void session_log_knocks(const struct session *session);
/* Fills in how many wait, and where the owner came from last. */
void session_view_lobby(const struct session *session, struct session_view *view);

/* ---- session_view.c -------------------------------------------------------- */

/* What a failed tunnel means for the user. */
void session_explain_failure(const struct session *session,
                             const struct message_tunnel_failed *failed, struct why *ret_why);
/*
 * Tells the log, and once the session's user, of something that did not go well but
 * is not the session's end: a sentence. It is past once a connection that came later works.
 */
void session_note(struct session *session, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same for what a connection that works says nothing about. */
void session_note_for_good(struct session *session, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* What its user sees of it has changed: told from the loop, once. */
void session_tell(struct session *session);
/* Forgets the note if that connection has proven it past. */
void session_review_note(struct session *session, const struct connection *connection);
/* From its first client until now, its end, or the end of its last connection. 0: none came. */
uint64_t session_connected_ms(const struct session *session);
/* "admitted by telegram:42", "known address": how the client came in, for the log. */
void session_way_in_text(const struct session *session, struct text *text);
/* Bytes moved so far, of links that ended and of those that run. */
void session_count_bytes(const struct session *session, uint64_t *ret_to_target,
                         uint64_t *ret_to_client);

#endif
