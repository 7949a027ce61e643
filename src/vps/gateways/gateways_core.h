/*
 * What the parts of gateways share:
 *
 *     gateways         the list, and who is picked of it; their life
 *     gateways_login   what happens from a login to the end of its channel
 *     gateways_keys    keys come and go
 *     gateways_applicants  those that have none yet
 *     gateways_discovery   what gateways are asked about their networks
 *     gateways_port    the control port, and who has to make room at it
 *     gateways_arrivals  who it is, where data channels come to it as well
 */
#ifndef PAMTUNNEL_VPS_GATEWAYS_GATEWAYS_CORE_H
#define PAMTUNNEL_VPS_GATEWAYS_GATEWAYS_CORE_H

#include "base/addresses.h"
#include "base/allowance.h"
#include "base/bucket.h"
#include "base/list.h"
#include "base/listener.h"
#include "base/sieve.h"
#include "control/channel.h"
#include "control/tls.h"
#include "shared/gateway_name.h"
#include "vps/gateways/applicants.h"
#include "vps/gateways/attendance.h"
#include "vps/gateways/gateways.h"

struct undecided;

/* A connection at the control port; a gateway once its channel is open. */
struct gateway {
    struct list home; /* in the list of all */
    struct gateways *gateways;
    struct undecided *undecided; /* it has not said yet what it is, and has no channel; or NULL */
    struct channel *channel;
    struct addr from;
    uint64_t came_ms; /* the connection */
    int64_t since_unix;
    uint64_t since_ms;
    bool open;
    bool met;                    /* it has no key, and is the applicants' */
    char key_id[KEYRING_ID_MAX]; /* of the key with which it logged in */
    bool shares;                 /* it is the one without a name */
};

struct gateways {
    struct gateways_options options;
    struct keyring *keyring;
    struct applicants *applicants;
    struct bucket strangers; /* handshakes of those without a key */
    struct tls_config *tls;
    struct listener *listener;
    struct addresses *addresses;           /* this machine's; NULL: the kernel does not tell */
    struct list list;                      /* the newest one first */
    char first_name[GATEWAY_NAME_MAX + 1]; /* of the first to log in */
    bool more_names;                       /* others have logged in since */
    struct attendance attendance;
    struct allowance party_starts, network_starts;       /* false ones */
    struct allowance party_strangers, network_strangers; /* handshakes without a key */
    /* Log lines about strangers: failures by network, and what does not hide behind them. */
    struct sieve *failures, *attacks;
    uint64_t failure_count;
    struct list discoveries; /* that gateways have not answered yet */
    uint32_t discovery_count;
    struct sieve *logins; /* about who has a key, by its number */
};

/* Out of the list, with its channel. */
void gateways_remove(struct gateway *gateway);
/* This name has logged in: see gateways_are_several(). */
void gateways_note_name(struct gateways *gateways, const char *name);

/* ---- gateways_login ---------------------------------------------------------- */

extern const struct channel_events GATEWAY_CHANNEL_EVENTS;
/* A tls_key_fn; arg is the gateways. */
int gateways_key_of(void *arg, int fd, const char *identity, unsigned nth,
                    uint8_t ret_key[CRYPTO_KEY_SIZE]);
/* And one about whose connection led to nothing, which is counted. */
void gateways_say_failure(struct gateways *gateways, const struct addr *from, const char *text);
/* A line about somebody who has shown no key. */
void gateways_say_stranger(struct sieve *sieve, const char *cause, const struct addr *from,
                           const char *text);

/* ---- gateways_keys ----------------------------------------------------------- */

/* Which key they have shown, or will, may not be what it was: they have to begin anew. */
void gateways_drop_unfinished(struct gateways *gateways);
/* An applicant's, in the place of what it has here; who records that is the applicants. */
int gateways_keep(struct gateways *gateways, const struct keyring_entry *entry, struct why *why);
/* That one again: what it was to replace is as good as before. */
void gateways_take_back(struct gateways *gateways, const char *name,
                        const uint8_t key[CRYPTO_KEY_SIZE]);
/* It is about to be offline: whoever keeps count of that hears of it, but for the events' owner. */
void gateways_note_gone(const struct gateway *gateway, const char *why);

/* ---- gateways_applicants ----------------------------------------------------- */

/* NULL: out of memory. Open if no gateway has a key. */
struct applicants *gateways_new_applicants(struct gateways *gateways);

/* ---- gateways_port ----------------------------------------------------------- */

/* A login begins. Takes over the connection. */
void gateways_begin_login(struct gateways *gateways, int fd, const struct addr *from);
/* If there is no place for one more that has not logged in, one of them goes. */
void gateways_make_room(struct gateways *gateways, const struct addr *from);
/* 0, or -errno with what to do in why. */
int gateways_open_port(struct gateways *gateways, struct why *why);
/* Its channel is at an end: a login that was begun with a right key and not finished is counted. */
void gateways_count_false_start(struct gateways *gateways, const struct gateway *gateway);
/* An address of this machine is gone; arg is the gateways. */
void gateways_address_gone(void *arg, const struct addr *addr);

/* ---- gateways_arrivals ------------------------------------------------------- */

/* A listener_fn: in the place of gateways_begin_login() with DATA_PORT=control. */
void gateways_on_arrival(void *arg, int fd, const struct addr *from);
/* With its connection. Accepts NULL. */
void gateways_undecided_free(struct undecided *undecided);

#endif
