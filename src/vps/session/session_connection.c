/*
 * A session's connections, from a client that is in to the end of its link.
 *
 *     admitted --+-- takes the reserve, which is fresh ----------+
 *                |                                               v
 *                +-- takes the reserve, on trial (trial.h) --> relay --> over
 *                |       | it is dead                            ^
 *                |       v                                       |
 *                +-- asks for a channel, waits until it is there +
 *
 * A client that waits for the target's first word always asks for a channel: without bytes
 * a reserve cannot be tried.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "vps/session/session_core.h"
#include "vps/session/trial.h"

enum {
    /* A reserve that came just now needs no trial: its proof was one. */
    FRESH_MS = 1000,
    CHANNEL_MS = 20000,
};

/* What a connection is until the relay has it. */
struct arrival {
    int client;
    int data;               /* a reserve, on trial; -1: its channel is on its way */
    struct trial *trial;    /* of data */
    struct timer *patience; /* for the channel that is on its way */
    bool silent;            /* the client waits for the target's first word */
    size_t len;             /* of what the client said, and the target has to get first */
    uint8_t bytes[];
};

/* ---- one of them ---------------------------------------------------------- */

/* Resets what it still holds. */
static void arrival_free(struct arrival *arrival)
{
    trial_free(arrival->trial);
    timer_free(arrival->patience);
    if (arrival->client >= 0) {
        net_reset(arrival->client);
    }
    if (arrival->data >= 0) {
        net_reset(arrival->data);
    }
    free(arrival);
}

static void unlink_connection(struct connection *connection)
{
    struct connection **at = &connection->session->connections;
    while (*at != connection) {
        at = &(*at)->next;
    }
    *at = connection->next;
}

/* Sends off a client that has not got as far as the relay. */
static void drop(struct connection *connection)
{
    unlink_connection(connection);
    arrival_free(connection->arrival);
    free(connection);
}

/* The same, and says so. Whoever hears of it may close the session. */
static void fail(struct connection *connection, int err)
{
    struct session *session = connection->session;
    drop(connection);
    session_note(session, "a connection could not be opened: %s",
                 err == -ENOTCONN    ? "the gateway is offline"
                 : err == -ETIMEDOUT ? "the gateway does not answer"
                                     : strerror(-err));
}

/* The same, when it may be all that the session had. */
static void give_up(struct connection *connection, int err)
{
    struct session *session = connection->session;
    fail(connection, err);
    session_on_nothing_carried(session, false);
}

static void cut(struct connection *connection)
{
    if (connection->link) {
        connection->session->to_target += link_bytes_a_to_b(connection->link);
        connection->session->to_client += link_bytes_b_to_a(connection->link);
        unlink_connection(connection);
        connection->session = NULL; /* freed when the relay gives its link back */
        link_cut(connection->link);
    } else {
        drop(connection);
    }
}

/* ---- to the relay --------------------------------------------------------- */

/* Gives the relay the client and a data channel, which is taken over. */
static int join(struct connection *connection, int data)
{
    struct arrival *arrival = connection->arrival;
    const struct session_services *services = connection->session->services;
    congestion_apply(&services->congestion, arrival->client);
    congestion_apply(&services->congestion, data);
    int err = relay_join(services->relay, arrival->client, data, arrival->bytes, arrival->len,
                         connection, &connection->link);
    if (err < 0) {
        net_reset(data);
        return err;
    }
    arrival->client = -1;
    arrival_free(arrival);
    connection->arrival = NULL;
    return 0;
}

static void on_overdue(void *arg)
{
    give_up(arg, -ETIMEDOUT); /* its client will try again, and so do we */
}

static int ask_for_channel(struct connection *connection)
{
    struct session *session = connection->session;
    int err = session_request_channel(session);
    connection->channel = session->channel;
    if (err == 0 && connection->arrival->silent) {
        err = session_dial_target(session, connection->channel);
    }
    if (err == 0) {
        timer_set(connection->arrival->patience, CHANNEL_MS);
    }
    return err;
}

/*
 * What killed its reserve has mostly taken the gateway's login as well, and that one is back in
 * some seconds: session_ask_anew().
 */
static int ask_for_another(struct connection *connection)
{
    int err = ask_for_channel(connection);
    if (err != -ENOTCONN) {
        return err;
    }
    timer_set(connection->arrival->patience, CHANNEL_MS);
    return 0;
}

static int use_spare(struct connection *connection);

static void on_tried(void *arg, bool alive)
{
    struct connection *connection = arg;
    struct session *session = connection->session;
    struct arrival *arrival = connection->arrival;
    int data = arrival->data, err;
    arrival->data = -1;
    trial_free(arrival->trial);
    arrival->trial = NULL;
    if (alive) {
        arrival->len = 0; /* these are there */
        err = join(connection, data);
    } else {
        log_warn(log_of(session), "session %s: channel %u does not answer, another one is taken",
                 session->id, connection->channel);
        net_reset(data);
        err = session->spare >= 0 ? use_spare(connection) : ask_for_another(connection);
    }
    if (err < 0) {
        give_up(connection, err);
    }
}

static int use_spare(struct connection *connection)
{
    struct session *session = connection->session;
    struct arrival *arrival = connection->arrival;
    bool fresh = clock_ms() - session->spare_since_ms < FRESH_MS;
    int data = session->spare;
    session->spare = -1;
    session_drop_spare(session);
    connection->channel = session->spare_channel;
    if (!fresh) {
        arrival->trial = trial_new(session->services->loop, data, arrival->bytes, arrival->len,
                                   on_tried, connection);
    }
    if (!arrival->trial) {
        return join(connection, data);
    }
    arrival->data = data;
    return 0;
}

static struct arrival *arrival_new(int client, const void *bytes, size_t len)
{
    struct arrival *arrival = malloc(sizeof *arrival + len);
    if (arrival) {
        *arrival = (struct arrival){.client = client, .data = -1, .silent = len == 0, .len = len};
        memcpy(arrival->bytes, bytes, len);
    }
    return arrival;
}

static struct connection *connection_new(struct session *session, int client, const void *bytes,
                                         size_t len)
{
    struct connection *connection = calloc(1, sizeof *connection);
    struct arrival *arrival = arrival_new(client, bytes, len);
    if (connection && arrival) {
        arrival->patience = timer_new(session->services->loop, on_overdue, connection);
    }
    if (!connection || !arrival || !arrival->patience) {
        free(connection);
        free(arrival);
        return NULL;
    }
    *connection = (struct connection){
        .next = session->connections, .session = session, .arrival = arrival};
    session->connections = connection;
    return connection;
}

int session_connect(struct session *session, int client, const void *bytes, size_t len)
{
    struct connection *connection = connection_new(session, client, bytes, len);
    if (!connection) {
        net_reset(client);
        return -ENOMEM;
    }
    connection->number = ++session->connections_total;
    bool has_channel = session->spare >= 0 && !connection->arrival->silent;
    int err = has_channel ? use_spare(connection) : ask_for_channel(connection);
    if (err < 0) {
        fail(connection, err);
    }
    return err;
}

/* ---- all of them ---------------------------------------------------------- */

unsigned session_count_connections(const struct session *session)
{
    unsigned count = 0;
    for (const struct connection *c = session->connections; c; c = c->next) {
        count++;
    }
    return count;
}

struct connection *session_find_channel(const struct session *session, uint16_t channel)
{
    struct connection *connection = session->connections;
    while (connection && connection->channel != channel) {
        connection = connection->next;
    }
    return connection;
}

void session_cut_oldest(struct session *session)
{
    struct connection *oldest = session->connections;
    while (oldest && oldest->next) {
        oldest = oldest->next;
    }
    if (oldest) {
        cut(oldest);
    }
}

void session_cut_all(struct session *session)
{
    while (session->connections) {
        cut(session->connections);
    }
}

/* ---- those that wait for a channel ---------------------------------------- */

static bool waits_for_channel(const struct connection *connection)
{
    return connection->arrival && !connection->arrival->trial;
}

bool session_take_channel(struct session *session, uint16_t channel, int fd)
{
    struct connection *connection = session_find_channel(session, channel);
    if (!connection || !waits_for_channel(connection)) {
        return false;
    }
    int err = join(connection, fd);
    if (err < 0) {
        give_up(connection, err);
    }
    return true;
}

static struct connection *find_waiting(const struct session *session)
{
    struct connection *connection = session->connections;
    while (connection && !waits_for_channel(connection)) {
        connection = connection->next;
    }
    return connection;
}

void session_ask_anew(struct session *session)
{
    int err = 0;
    for (struct connection *c = session->connections; c && err == 0; c = c->next) {
        if (waits_for_channel(c)) {
            err = ask_for_channel(c);
        }
    }
    struct connection *connection;
    while (err < 0 && (connection = find_waiting(session))) {
        fail(connection, err);
    }
    session_on_nothing_carried(session, false);
}

void session_give_up_channel(struct session *session, uint16_t channel)
{
    struct connection *connection = session_find_channel(session, channel);
    if (connection && waits_for_channel(connection)) {
        drop(connection);
    }
}
