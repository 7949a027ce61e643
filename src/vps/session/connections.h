/*
 * connections: all connections of one session, each from a client that is in to the end of its
 * link in the relay. They take their data channels from the rear (rear.h), and count bytes.
 *
 * What is reported may cut them all (connections_cut_all()) from inside; none may free them.
 */
#ifndef PAMTUNNEL_VPS_SESSION_CONNECTIONS_H
#define PAMTUNNEL_VPS_SESSION_CONNECTIONS_H

#include "vps/session/rear.h"
#include "vps/session/terms.h"

struct connections;

enum connection_failure {
    CONNECTION_NO_CHANNEL, /* the gateway could not be asked, or does not answer */
    CONNECTION_NO_RELAY,   /* the relay could not take it over */
};

/* A connection whose link has ended; valid during the call. */
struct connection_end {
    unsigned number; /* counted from 1 */
    uint64_t bytes_to_client;
    const void *said; /* all that the target said, if it was little: see link_head() */
    size_t said_len;
};

struct connections_events {
    /* One is gone that never came as far as the relay; err is a -errno. */
    void (*failed)(void *arg, enum connection_failure failure, int err);
    /* Some have failed since they were added: there may be none left. */
    void (*fewer)(void *arg);
    /* One is over, and not counted any more. */
    void (*ended)(void *arg, const struct connection_end *end);
};

/* NULL when out of memory. rear and events are the caller's, and outlive the connections. */
struct connections *connections_new(struct rear *rear, const struct connections_events *events,
                                    void *arg);
/* All are cut. Accepts NULL. */
void connections_free(struct connections *connections);

/*
 * Takes over a client that is in, with its first bytes, and finds it a data channel. One
 * that waits for the target's first word has none. On failure (-errno) it was sent off, and
 * `failed` was told.
 */
int connections_add(struct connections *connections, int client, const void *bytes, size_t len);
/* The oldest one makes room. */
void connections_cut_oldest(struct connections *connections);
/* Cuts them all; nobody is told. */
void connections_cut_all(struct connections *connections);

/* A data channel is there. False if no connection waits for it: it stays the caller's. */
bool connections_take_channel(struct connections *connections, uint16_t channel, int fd);
/* Those that wait for a data channel ask for another one, or go if that fails. */
void connections_ask_anew(struct connections *connections);
/* The connection that waits for this data channel, if there is one, is dropped; nobody is told. */
void connections_give_up_channel(struct connections *connections, uint16_t channel);
/* One of them has this data channel, or waits for it. */
bool connections_have_channel(const struct connections *connections, uint16_t channel);
/* There are some besides the one with this data channel. */
bool connections_have_others(const struct connections *connections, uint16_t channel);

/*
 * A link that has come back from the relay, of whichever session, or of one that ended before.
 * The link stays the caller's.
 */
void connections_on_link_ended(const struct link *link);

unsigned connections_count(const struct connections *connections);
/* With those that are over. */
unsigned connections_total(const struct connections *connections);
/* The target ended the last one that is over, without a word: see link_b_left_first(). */
bool connections_were_hung_up_on(const struct connections *connections);
/* Bytes moved so far, of links that ended and of those that run. */
void connections_count_bytes(const struct connections *connections, uint64_t *ret_to_target,
                             uint64_t *ret_to_client);
/* The number of the newest that runs and whose target has said at least `least` bytes; 0: none. */
unsigned connections_newest_working(const struct connections *connections, uint64_t least);
void connections_view(const struct connections *connections, struct session_view *view);

#endif
