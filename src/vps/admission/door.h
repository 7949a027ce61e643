/*
 * door: a session's public port. It accepts everybody, reads just the first packet of what
 * should be a client of the session's kind (greeting.h), and asks its owner about those that
 * speak the protocol: they are in, or wait in the lobby, or are dropped. Everything else is
 * dropped after DOOR_PATIENCE_MS and costs the session nothing, unless it may be a client that
 * waits for the server's first word, and the owner knows it (judge_silent()).
 *
 * Where the server may begin, silence is as good a greeting as any: who has said nothing for
 * DOOR_LISTEN_MS is asked about like the others, and who belongs to the client that is in does not
 * have to wait.
 *
 * A browser opens more connections than it uses, and leaves them idle. Who says nothing and comes
 * from where the session's page was just asked for, or is asked for meanwhile, is taken for one of
 * these: it can still ask for the page, and is neither let in nor asked about.
 *
 * Clients that have said nothing yet have places of their own (places.h). Those from
 * parties that the user came from before take none from strangers, and strangers none
 * from them. Each door keeps a few places to itself, so that a crowd at the others does
 * not close it.
 */
#ifndef PAMTUNNEL_VPS_ADMISSION_DOOR_H
#define PAMTUNNEL_VPS_ADMISSION_DOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "base/net.h"
#include "shared/kind.h"
#include "vps/admission/judge.h"
#include "vps/admission/latch_page.h"
#include "vps/admission/lobby.h"
#include "vps/grant/parked.h"

enum {
    DOOR_PATIENCE_MS = 5000,
    DOOR_LISTEN_MS = 500,  /* for who speaks first, where silence is a greeting */
    DOOR_BESIDE_MS = 1500, /* from a page to the last idle connection that goes with it */
    DOOR_IDLE_MS = 30000,  /* longer than browsers keep one that they do not use */
    DOOR_SILENT_MAX = 32,
    DOOR_EXPECTED_MAX = 16,
    DOOR_RESERVED = 4, /* of each door, whatever goes on at the others */
};

struct door_events {
    /* Whether the user came from this party before. A pure question. */
    bool (*expects)(void *arg, const struct addr *from);
    /* Whether the client that is in is of this party. A pure question. */
    bool (*has_in)(void *arg, const struct addr *from);
    /*
     * What to do with a client whose greeting is whole. It may be noted, and frees nothing. spoke:
     * it has said something; a client of a kind whose server speaks first has not.
     */
    enum verdict (*judge)(void *arg, const struct addr *from, bool has_secret, bool spoke);
    /* Whether one that has said nothing, and may be a client, is let in anyway. */
    bool (*admits_silent)(void *arg, const struct addr *from);
    /*
     * It is in: fd is the callee's, and so are the bytes read so far, which the
     * target has to get first (the secret is cut out of them). A silent one brings
     * none. The door may be freed in here.
     */
    void (*admitted)(void *arg, int fd, const struct addr *from, bool has_secret, const void *bytes,
                     size_t len);
    /* VERDICT_ASK and what comes of it: see lobby.h. */
    void (*parked)(void *arg, unsigned number);
    void (*left)(void *arg, unsigned number);
    void (*knocking)(void *arg);
    void (*departed)(void *arg, const struct addr *from, const char *words,
                     enum departure departure);
    /* Somebody who has the session's link: see latch_events. `opened` may free the door. */
    void (*page)(void *arg, const struct addr *from, bool pressed, struct latch_page *ret_page);
    void (*opened)(void *arg, const struct addr *from);
    /* One did not speak as a client does, or not to the end. May be NULL. */
    void (*unfit)(void *arg);
};

struct https;
struct door;

/*
 * Takes over the listening socket; on failure (NULL) it stays the caller's.
 * kind: the session's, with its greeting's reader. secret: "" if the kind has none; it outlives the
 * door, as latchkey (latch.h), https (may be NULL) and events do.
 */
struct door *door_new(uv_loop_t *loop, int listener, const struct kind_row *kind,
                      const char *secret, const char *latchkey, struct https *https,
                      struct door_total *total, const struct door_events *events, void *arg);
/*
 * One that came elsewhere, of whom nothing was read: all is as if it had come here, and had been
 * listened to for silent_ms without a word. The descriptor is taken over, and the door may be freed
 * in here.
 */
void door_take(struct door *door, int fd, const struct addr *from, uint64_t silent_ms);
/* Closes the port and everybody who is not in. Accepts NULL. */
void door_free(struct door *door);

/* Decides about a waiting client. -ENOENT if there is none of that number. */
int door_admit(struct door *door, unsigned number);
/* With all of its party that wait. */
int door_block(struct door *door, unsigned number);
/* Sends off all that wait: nobody else will be let in. */
void door_send_off_parked(struct door *door);
/* See lobby.h. */
unsigned door_ask_more(struct door *door, unsigned most);
unsigned door_parked(const struct door *door, struct parked_view ret_views[PARKED_MAX]);
unsigned door_parked_count(const struct door *door);
void door_knocking(const struct door *door, struct knocking *ret_knocking);

#endif
