/*
 * view: what there is to see of a session at one moment, for the bot, the admin socket and
 * whoever else watches, and the names of states and ends. Each part of a session fills in what it
 * knows.
 */
#ifndef PAMTUNNEL_VPS_SESSION_VIEW_H
#define PAMTUNNEL_VPS_SESSION_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/net.h"
#include "shared/kind.h"
#include "vps/grant/identity.h"
#include "vps/grant/owner.h"
#include "vps/grant/parked.h"

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
    SESSION_END_CLOSED,       /* its user closed it, or somebody with pamctl */
    SESSION_END_CLOSED_BY,    /* an administrator closed it in the chat: somebody else's */
    SESSION_END_IDLE,
    SESSION_END_MAX_TIME,
    SESSION_END_USER_REMOVED,    /* its owner is not in ALLOWED_USERS any more */
    SESSION_END_GATEWAY_REMOVED, /* its gateway has no key in TUNNEL_KEY any more */
    SESSION_END_RULE_REMOVED,    /* no rule of the policy allows it any more */
    SESSION_END_IDENTITY,        /* the target shows another key or certificate than before */
    SESSION_END_HOURS,           /* those of its rule are over */
    SESSION_END_EXPIRED,         /* its owner's time in the policy is */
    SESSION_END_LOCKED,          /* an administrator has locked the server */
    SESSION_END_SHUTDOWN,        /* vps-agent stops */
    SESSION_END_RELAY,           /* nothing can be relayed: the server has run out of something */
    SESSION_END_AUDIT,           /* it could not be recorded, and without that none is opened */
    SESSION_END_COUNT,
};

enum {
    SESSION_ID_SIZE = 8,
    SESSION_NOTE_MAX = 400,
    SESSION_LINKS_MAX = 16, /* presses of its button that let somebody in */
    SESSION_LINKED_MAX = 4, /* more addresses than a person has: the first one has to press again */
};

/*
 * What there is to see of a session at one moment. Pointers live as long as the session, but for
 * `note`, which the next one replaces.
 */
struct session_view {
    const char *id; /* a name, not a secret: it guards nothing by itself */
    enum kind kind;
    enum session_state state;
    struct owner owner;
    const char *name;     /* of the target in the policy; "" or NULL: it has none */
    const char *reason;   /* what it is for, in its user's words; "" or NULL: not said */
    const char *language; /* that its user reads; "": nobody knows */
    const char *host;     /* the target */
    uint16_t port;
    const char *gateway;
    bool names_gateway;     /* there are several: it is shown with the target */
    uint16_t entrance_port; /* ENTRANCE_PORT; 0: there is none */
    bool at_entrance;       /* its line or file are for that */
    uint16_t public_port;
    uint16_t data_port;
    bool has_client;
    struct addr client; /* the one that is connected, or was last */
    bool is_by_link;    /* ... let in by the session's link */
    bool is_by_person;  /* ... or by a person's word */
    struct addr
        linked[SESSION_LINKED_MAX]; /* where the link's button was pressed, the latest last */
    unsigned linked_count;
    unsigned links;             /* how often it let somebody in */
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
    unsigned failed; /* enum tunnel_failure: what the gateway said of the target; 0: none */
    unsigned approvals_given; /* what others had consented to when it was opened */
    bool factor_given;
    unsigned idle_left_s;  /* until it ends for want of bytes; 0: that does not end it */
    unsigned time_left_s;  /* until its longest time is over; 0: it has none */
    uint32_t idle_limit_s; /* these when they begin */
    uint32_t time_limit_s;
    bool time_is_fixed;              /* by a rule: session_extend() does not move it */
    const struct identity *identity; /* what the target has shown; NULL: nothing is known */
    int64_t identity_since;          /* ... for how long it is known, Unix time */
    bool identity_is_new, identity_is_renewed;
    const struct owner *ended_by; /* whose word it was; NULL: nobody's, or its user's */
};

const char *session_state_name(enum session_state state); /* "waiting" */
/* For programs: a stable word, as docs/protocol.md has them; "" for SESSION_END_NONE. */
const char *session_end_word(enum session_end end);
/*
 * Why sessions_open() refused, for programs, by its -errno; "failed" for others. The words are
 * numbered from 0: NULL behind the last one.
 */
const char *session_refusal_word(int err);
const char *session_refusal_word_at(unsigned number);
/* For people, with {gateway} and the like in it: explain.h and session_end_text() put that in. */
const char *session_end_clause(enum session_end end);

#endif
