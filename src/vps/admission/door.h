/*
 * door: a session's public port until its user is in. It accepts everybody,
 * reads just the first packet of what should be an RDP or SSH client, and asks
 * its owner about those who speak the protocol. Everyone else is dropped after
 * DOOR_PATIENCE_MS and costs the session nothing.
 *
 * Limits: visitors per port, per party (address; /64 for IPv6) and in all. Where
 * a limit is hit, the visitor that has been silent for longest makes room: a
 * real client speaks within a round trip. A few places each door has for itself,
 * so that a crowd at the others does not close it.
 */
#ifndef PAMTUNNEL_VPS_ADMISSION_DOOR_H
#define PAMTUNNEL_VPS_ADMISSION_DOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "base/net.h"
#include "vps/admission/judge.h"
#include "vps/session/session.h"

enum {
    DOOR_PATIENCE_MS = 5000,
    DOOR_VISITORS_MAX = 32,
    DOOR_PER_PARTY_MAX = 8,
    DOOR_ALL_MAX = 512,
    DOOR_RESERVED = 4, /* of each door, whatever goes on at the others */
    DOOR_QUESTIONS_PER_PARTY = 3,
    DOOR_QUESTIONS_MAX = 30,
};

/* Visitors of all doors of the agent. Zero-initialised is ready for use. */
struct door_total {
    unsigned visitors;
};

struct door_events {
    /* What to do with a client that speaks the protocol; a pure question. */
    enum verdict (*judge)(void *arg, const struct addr *from, bool has_secret);
    /*
     * It is in: fd is the callee's, and so are the bytes read so far, which the
     * target has to get first (an RDP secret is cut out of them). The door may
     * be freed in here.
     */
    void (*admitted)(void *arg, int fd, const struct addr *from, bool has_secret, const void *bytes,
                     size_t len);
    /* VERDICT_ASK: it waits under this number for door_admit() or door_block(). */
    void (*parked)(void *arg, unsigned number);
    /* A parked one hung up, or made room for a newer one. */
    void (*left)(void *arg, unsigned number);
    void *arg;
};

struct door;

/*
 * Takes over the listening socket; on failure (NULL) it stays the caller's.
 * rdp_secret is copied; NULL for an SSH session.
 */
struct door *door_new(uv_loop_t *loop, int listener, enum session_kind kind, const char *rdp_secret,
                      struct door_total *total, const struct door_events *events);
/* Closes the port and everybody who is not in. Accepts NULL. */
void door_free(struct door *door);

/* Decides about a parked visitor. -ENOENT if there is none of that number. */
int door_admit(struct door *door, unsigned number);
int door_block(struct door *door, unsigned number);
/* Sends off all that are parked: nobody else is to be let in. */
void door_send_off_parked(struct door *door);
/* Those who are parked, in the order of their coming. Returns how many. */
unsigned door_parked(const struct door *door, struct parked_view ret_views[SESSION_PARKED_MAX]);

#endif
