/*
 * session: what one /rdp or /ssh grants: one user, one target, one public port,
 * one data port, until it ends.
 *
 *     opening -> waiting -> connected -> ended
 *                              |  ^
 *                              v  |
 *                          reconnecting
 *
 * and from every state to ended, and from connected back to waiting if nobody logged in
 * (session_is_unclaimed()). While it is connected or reconnecting, the party
 * that is in may connect again, several times at once.
 *
 * This header is what the rest of vps-agent (bot, admin socket) sees of a session:
 * reading it, and the verbs of its user. Sessions are made and kept by sessions.h.
 */
#ifndef PAMTUNNEL_VPS_SESSION_SESSION_H
#define PAMTUNNEL_VPS_SESSION_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/net.h"
#include "base/text.h"
#include "base/why.h"
#include "shared/gateway_name.h"
#include "shared/kind.h"
#include "shared/target.h"
#include "vps/grant/owner.h"
#include "vps/grant/parked.h"

struct session;

enum session_state {
    SESSION_OPENING,      /* the gateway was asked */
    SESSION_WAITING,      /* the target answers; the user has not come yet */
    SESSION_CONNECTED,    /* at least one client is in */
    SESSION_RECONNECTING, /* the last one went; for a moment another may come */
    SESSION_ENDED,
};

enum session_end {
    SESSION_END_NONE,
    SESSION_END_REFUSED,      /* the gateway could not reach the target, or may not */
    SESSION_END_GATEWAY,      /* the gateway went offline or did not answer */
    SESSION_END_NOBODY,       /* the user did not come in time */
    SESSION_END_DISCONNECTED, /* the normal end */
    SESSION_END_TARGET,       /* the target could not be reached any more */
    SESSION_END_CLOSED,       /* its user or an administrator closed it */
    SESSION_END_IDLE,
    SESSION_END_MAX_TIME,
    SESSION_END_USER_REMOVED,    /* its owner is not in ALLOWED_USERS any more */
    SESSION_END_GATEWAY_REMOVED, /* its gateway has no key in TUNNEL_KEY any more */
    SESSION_END_SHUTDOWN,        /* vps-agent stops */
};

enum { SESSION_ID_SIZE = 8, SESSION_NOTE_MAX = 400 };

/* What there is to see of a session at one moment. Pointers live as long as the session. */
struct session_view {
    const char *id; /* a name, not a secret: it guards nothing by itself */
    enum kind kind;
    enum session_state state;
    struct owner owner;
    const char *host; /* the target */
    uint16_t port;
    const char *gateway;
    bool names_gateway; /* there are several: it is shown with the target */
    uint16_t public_port;
    uint16_t data_port;
    bool has_client;
    struct addr client;         /* the one that is connected, or was last */
    int64_t opened_unix;        /* when it was asked for */
    int64_t connected_unix;     /* when the user first came, 0: not yet */
    unsigned seconds_left;      /* of the state's deadline; 0: there is none */
    unsigned seconds_open;      /* since it was asked for, until now or the end */
    unsigned seconds_connected; /* since the user came, until now or the last connection's end */
    uint64_t bytes_to_target;
    uint64_t bytes_to_client;
    unsigned connections;       /* at this moment */
    unsigned connections_total; /* and with those that are over */
    const char *note;           /* what did not go well last, a clause; NULL: nothing, or past */
    unsigned notes;             /* how many there were */
    unsigned parked_count;      /* see session_parked() */
    struct knocking knocking;
    bool has_last;         /* the owner's last session had a client */
    struct addr last_from; /* ... from here */
    int64_t last_unix;     /* ... and then */
    bool was_ready;        /* its user could have connected */
    bool gateway_is_away;  /* is not online at the moment */
    enum session_end end;
};

void session_view(const struct session *session, struct session_view *ret_view);
/* Those that wait to be let in, in the order in which they came. Returns how many. */
unsigned session_parked(const struct session *session, struct parked_view ret_views[PARKED_MAX]);

const char *session_state_name(enum session_state state); /* "waiting" */
/*
 * How it ended, as a clause for a person ("nobody connected within 2 min"), for
 * an ended session; for SESSION_END_REFUSED the reason and what to do about it.
 */
void session_end_text(const struct session *session, struct text *text);

/*
 * What the user gets, valid while waiting: by its kind the line to paste into a shell, or the
 * whole .rdp file (ASCII, CRLF), which holds the one-time secret: wipe the buffer.
 */
enum { SESSION_LINE_MAX = 1536, SESSION_SSH_CONFIG_MAX = 1536, SESSION_RDP_FILE_MAX = 2048 };
void session_line(const struct session *session, struct text *text);
void session_rdp_file(const struct session *session, struct text *text);
/* More of SSH: for copying a file, and a block for ~/.ssh/config; good for as long as it lives. */
void session_scp_command(const struct session *session, struct text *text);
void session_ssh_config(const struct session *session, struct text *text);
/* "HOME-PC.rdp", with several gateways "office-HOME-PC.rdp": only [A-Za-z0-9._-]. */
enum { SESSION_FILE_NAME_SIZE = 256 };
void session_rdp_file_name(const struct session *session, char *dst);
/* For clients that take them apart. user: "" if it was not said. */
const char *session_vps_host(const struct session *session);
const char *session_user(const struct session *session);
/* "HOME-PC:22", with several gateways "office/HOME-PC:22". dst takes SESSION_TARGET_SIZE. */
enum { SESSION_TARGET_SIZE = GATEWAY_NAME_MAX + 1 + TARGET_TEXT_MAX };
void session_target_text(const struct session *session, char *dst);

/*
 * Its user ends it. The session is ended when this returns, and gone after the loop's
 * turn. An address that was admitted just before is forgotten.
 */
void session_close(struct session *session);
/*
 * A person decides about a parked client, by number: its address is known from now on,
 * or is forgotten and kept out of this session. -ENOENT if the client has left.
 */
int session_admit(struct session *session, unsigned number, const struct owner *by);
int session_block(struct session *session, unsigned number, const struct owner *by);
/*
 * The owner wants to know who is waiting: asks about up to `most` more of them now, however
 * many questions there were before. Returns how many it asks about.
 */
unsigned session_ask_more(struct session *session, unsigned most);

#endif
