/*
 * What the parts of uplink share:
 *
 *     uplink           its states and rests; the way to a connection; its life
 *     uplink_channel   what happens over a connection, from its greeting to its end
 */
#ifndef PAMTUNNEL_GATEWAY_UPLINK_CORE_H
#define PAMTUNNEL_GATEWAY_UPLINK_CORE_H

#include "base/addresses.h"
#include "base/backoff.h"
#include "base/dial_history.h"
#include "base/host.h"
#include "base/resolve.h"
#include "base/sieve.h"
#include "base/timer.h"
#include "control/accord.h"
#include "control/channel.h"
#include "control/tls.h"
#include "gateway/applicant.h"
#include "gateway/approach.h"
#include "gateway/uplink.h"

/*
 * The policy of the connection. Its one timer means that it is time to try again
 * (resting). channel.h has the deadline of the greeting and the keepalive.
 */
enum {
    UPLINK_REST_FIRST_MS = 1000,
    UPLINK_REST_MAX_MS = 15000, /* somebody may be waiting for a machine behind this gateway */
    UPLINK_LONG_REST_MS = 60000,
};

enum uplink_state {
    UPLINK_RESTING,
    UPLINK_RESOLVING,
    UPLINK_DIALLING,
    UPLINK_GREETING,
    UPLINK_PAIRING,
    UPLINK_OPEN,
};

struct uplink {
    uv_loop_t *loop;
    struct uplink_options options; /* vps_host and proxy are these: */
    char vps_host[HOST_MAX + 1];
    struct proxy proxy;
    enum uplink_state state;
    struct tls_config *tls;
    struct timer *timer;
    struct resolver *resolver; /* its own: targets' look-ups do not get into its way */
    struct resolve *resolve;
    struct approach *approach;
    struct channel *channel;
    struct applicant *applicant; /* while pairing */
    char code[ACCORD_CODE_MAX];  /* that it has shown */
    struct backoff backoff;
    struct dial_history history; /* of the addresses of VPS_HOST */
    struct addresses *addresses; /* this machine's; NULL: the kernel does not tell */
    bool impatient;              /* resting for something that a new address may change */
    bool moved;                  /* the connection ends since its own address is gone */
    struct addr dialled[RESOLVE_MAX];
    unsigned dialled_count;
    bool dialled_all;            /* that VPS_HOST has */
    struct addr vps;             /* since the dial succeeded */
    char where[TARGET_TEXT_MAX]; /* VPS_HOST:CONTROL_PORT */
    uint64_t opened_ms;
    unsigned logins;
    char said[400]; /* to be wrong, since it was open last; and when */
    uint64_t said_ms;
    struct sieve *sieve;
};

/* ---- uplink ------------------------------------------------------------------ */

void uplink_set_state(struct uplink *uplink, enum uplink_state state);
/* Says what the trouble is, if it is new, and tries again after that time. */
void uplink_rest(struct uplink *uplink, uint32_t rest_ms, const char *trouble);
/* The same, after a time that doubles. */
__attribute__((format(printf, 2, 3))) void uplink_fail(struct uplink *uplink, const char *format,
                                                       ...);

/* ---- uplink_channel ---------------------------------------------------------- */

extern const struct channel_events UPLINK_CHANNEL_EVENTS;

#endif
