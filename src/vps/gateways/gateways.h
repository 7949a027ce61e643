/*
 * gateways: the control port of vps-agent and the gateways that are logged in,
 * by name. A new login of a gateway replaces the old one.
 *
 * Connections that have not logged in are bounded in time (CHANNEL_HANDSHAKE_MS), in
 * all, per network and per party. Where a bound is hit, one of those that have shown no
 * key makes room, of the network and the party that have the most; which one is left to
 * chance, so that the last to come does not always win. Those that have shown a key go last.
 * With DATA_PORT=control that port takes data channels as well, and hands them on.
 */
#ifndef PAMTUNNEL_VPS_GATEWAYS_GATEWAYS_H
#define PAMTUNNEL_VPS_GATEWAYS_GATEWAYS_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/log.h"
#include "base/net.h"
#include "base/why.h"
#include "control/message.h"
#include "vps/audit/audit.h"
#include "vps/gateways/applicants.h"
#include "vps/gateways/attendance.h"
#include "vps/gateways/keyring.h"
#include "vps/grant/owner.h"
#include "vps/settings/settings.h"

enum {
    GATEWAYS_UNFINISHED_MAX = 64,
    GATEWAYS_UNFINISHED_PER_NETWORK = 48,
    GATEWAYS_UNFINISHED_PER_PARTY = 32,
    /*
     * First flights with a right key of which no login came, at once and one more each
     * second: they cost a key exchange each, and may be replayed by anybody who saw one.
     */
    GATEWAYS_FALSE_STARTS_PER_PARTY = 16,
    GATEWAYS_FALSE_STARTS_PER_NETWORK = 64,
    GATEWAYS_PER_SHARED_KEY = 16, /* online with a key that has no name */
    /* Handshakes of those that have no key, at once and one more in each of these times. */
    GATEWAYS_STRANGERS = 32,
    GATEWAYS_STRANGERS_REFILL_MS = 50,
};

struct gateways;
struct gateway;

struct gateways_events {
    /* A message from the gateway of this name. */
    void (*received)(void *arg, const char *gateway, const struct message *message);
    /* It has logged in, perhaps anew: what it was asked before is not to be counted on. */
    void (*online)(void *arg, const char *gateway);
    /* It is offline; its tunnels that relay are not touched by that. */
    void (*lost)(void *arg, const char *gateway);
    /* It is none of this server's any more, whether or not it was online. */
    void (*removed)(void *arg, const char *gateway);
    /*
     * With DATA_PORT=control: the HELLO of a data channel, PROOF_HELLO_SIZE bytes, by which nobody
     * has proven anything. fd is the callee's. NULL: none is expected.
     */
    void (*data_channel)(void *arg, int fd, const struct addr *from, const uint8_t *hello);
    void *arg;
};

struct gateways_options {
    uv_loop_t *loop;
    const struct log *log;
    const struct vps_settings *settings;
    struct store *store; /* keys that were added, and which have been used; may be NULL */
    struct audit *audit; /* may be NULL */
    struct gateways_events events;
};

/* Opens the control port. On failure why says what to do. */
int gateways_new(const struct gateways_options *options, struct gateways **ret_gateways,
                 struct why *why);
/*
 * The settings have changed since `before`: a gateway that logged in with a key that is no longer
 * its own goes offline, and so does one that is about to log in. Running relays go on.
 */
void gateways_settings_changed(struct gateways *gateways, const struct vps_settings *before);
/* Says goodbye to all. Accepts NULL. */
void gateways_free(struct gateways *gateways);

/*
 * A gateway may log in from now on, with this key: as keyring_add(). With gateways_rotate() it may
 * log in with this one as well, and once it has, with this one only: as keyring_rotate(). It stays
 * online meanwhile. `by` says so, for the records.
 */
int gateways_add(struct gateways *gateways, const struct keyring_entry *entry,
                 const struct owner *by, struct why *why);
int gateways_rotate(struct gateways *gateways, const struct keyring_entry *entry,
                    const struct owner *by, struct why *why);
/*
 * Its key is gone, and it is offline at once; if no other key lets it in, it is removed. As
 * keyring_remove().
 */
int gateways_expel(struct gateways *gateways, const char *name, const struct owner *by,
                   struct why *why);

/*
 * The gateway for a target: by name, or the only one there is if name is empty.
 * -ENOTCONN, -ENOENT, -EDESTADDRREQ as sessions_open() says, with why for the user.
 */
int gateways_pick(const struct gateways *gateways, const char *name, struct gateway **ret_gateway,
                  struct why *why);
/*
 * gateways_pick() finds none of that name ("": any), and is worth another try in a few seconds:
 * after a restart on either side a gateway is on its way.
 */
bool gateways_expect(const struct gateways *gateways, const char *name);
/* The one of that name if it is online, or NULL. */
struct gateway *gateways_find(const struct gateways *gateways, const char *name);
/* One after the other: NULL to start, NULL at the end. */
struct gateway *gateways_next(const struct gateways *gateways, const struct gateway *after);

/*
 * True if a target's name alone does not say which machine it is: there are several keys, or
 * gateways of several names have logged in with the one that there is, also before a restart
 * (ssh would ask anew about host keys under other aliases). Does not become false
 * again when one goes.
 */
bool gateways_are_several(const struct gateways *gateways);

/* Which ones were here, and are away. */
const struct attendance *gateways_attendance(const struct gateways *gateways);

/* Connections at the control port that ended without a login, and were no look. */
uint64_t gateways_failures(const struct gateways *gateways);

/* Those that have no key and ask to be paired. */
struct applicants *gateways_applicants(const struct gateways *gateways);

/* The keys with which they log in. */
const struct keyring *gateways_keyring(const struct gateways *gateways);

/* 0 or -errno: it is as good as offline then. */
int gateway_send(struct gateway *gateway, const struct message *message);

struct gateway_view {
    const char *name;
    const char *program;
    struct addr from;
    int64_t since_unix;
    uint64_t seconds_online;
    uint64_t rtt_us;
    unsigned version; /* of the protocol */
};
void gateway_view(const struct gateway *gateway, struct gateway_view *ret_view);

#endif
