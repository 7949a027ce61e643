/*
 * lobby: the clients at a session's public port that wait for a person to let them
 * in. places.h says who gets a place, asking.h about whom the session's user is asked
 * and when; here are the connections, which are only watched for hanging up.
 *
 * All of one party count as one question: the user decides which of them it is.
 */
#ifndef PAMTUNNEL_VPS_ADMISSION_LOBBY_H
#define PAMTUNNEL_VPS_ADMISSION_LOBBY_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "base/net.h"
#include "vps/admission/newcomer.h"
#include "vps/admission/turns.h"
#include "vps/grant/parked.h"

enum {
    LOBBY_STRANGERS_MAX = 64,
    LOBBY_EXPECTED_MAX = 16, /* besides, from parties that the user came from before */
    LOBBY_RESERVED = 8,      /* of each door, whatever goes on at the others */
    /* Parties that the user is asked about at the same time: the next one puts off another. */
    LOBBY_QUESTIONS_MAX = TURNS_MAX,
    LOBBY_KNOCKING_MS = 60000,
    LOBBY_MANY = 10, /* gone again before anybody was asked: worth telling */
    DOOR_ALL_MAX = 512,
};

struct resolver;

/* What all doors of the agent share. Zero-initialised is ready for use. */
struct door_total {
    unsigned visitors; /* strangers at all doors, silent and waiting ones */
    struct resolver *names;
};
/* After the last door. */
void door_total_done(struct door_total *total);

enum departure {
    DEPARTURE_NO_PLACE,  /* too many of its party, or of all, wait already */
    DEPARTURE_MADE_ROOM, /* for another */
    DEPARTURE_SENT_OFF,  /* somebody else is in, or its party was blocked */
    DEPARTURE_UNASKED,   /* hung up before the user was asked about it */
};

struct lobby_events {
    /*
     * The user is to be asked about client `number`, or about one more of its party. Another
     * party's question may have been put off for it: see parked_view's `asked`.
     */
    void (*parked)(void *arg, unsigned number);
    /* One whom the user was asked about hung up, was blocked or made room. */
    void (*left)(void *arg, unsigned number);
    /* There are too many strangers to ask about them all; from then on at most once a minute. */
    void (*knocking)(void *arg);
    /* A client that was to wait is gone without a question. For the log. */
    void (*departed)(void *arg, const struct addr *from, const char *words,
                     enum departure departure);
    void *arg;

    /*
     * One that waited in silence has said something, which is still in its socket: it may be a
     * browser, and lobby_admit() hands it on. asked: its user was asked about it. May be NULL.
     */
    void (*spoke)(void *door, unsigned number, int fd, bool asked);
    void *door;
};

struct lobby;

/* NULL when out of memory. Every event but `departed` may free the lobby. */
struct lobby *lobby_new(uv_loop_t *loop, struct door_total *total,
                        const struct lobby_events *events);
/* Sends everybody off and tells nobody. Accepts NULL. */
void lobby_free(struct lobby *lobby);

/* Takes over the descriptor of a client that is to wait; bytes and words are copied. */
void lobby_park(struct lobby *lobby, const struct newcomer *newcomer);

/*
 * By number; -ENOENT if it is not waiting. An admitted client is handed to `admit`, with its
 * descriptor. Blocking one sends off all of its party.
 */
int lobby_admit(struct lobby *lobby, unsigned number,
                void (*admit)(void *arg, const struct newcomer *newcomer), void *arg);
int lobby_block(struct lobby *lobby, unsigned number);
void lobby_send_off_all(struct lobby *lobby);
/* Asks about up to `most` more now, whatever the rates say. Returns how many. */
unsigned lobby_ask_more(struct lobby *lobby, unsigned most);

/* Those that wait, in the order in which they came, without after_s. Returns how many. */
unsigned lobby_view(const struct lobby *lobby, struct parked_view ret_views[PARKED_MAX]);
unsigned lobby_count(const struct lobby *lobby);
void lobby_knocking(const struct lobby *lobby, struct knocking *ret_knocking);

#endif
