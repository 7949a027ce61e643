/*
 * A connection, from a client that is in to the end of its link:
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
 *
 * One that came as far as the relay is freed when its link comes back, whatever became of its
 * session meanwhile: `all` is NULL then. A report may cut every connection, so that nothing of
 * one is touched after it.
 */
#include "vps/session/connections.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/timer.h"
#include "vps/session/trial.h"

enum { CHANNEL_MS = 20000 };

/* It belongs to all those of its session, and to nobody (NULL) when that ended before its link. */
struct connection {
    struct connection *next; /* the newest one first */
    struct connections *all;
    struct link *link;       /* in the relay; NULL: not yet */
    struct arrival *arrival; /* until then; NULL: no more */
    uint16_t channel;
    unsigned number;
};

struct connections {
    struct rear *rear;
    const struct connections_events *events;
    void *arg;
    struct connection *first;
    uint64_t to_target, to_client; /* bytes of the links that ended */
    unsigned total;
    bool hung_up_on;
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

static const struct terms *terms_of(const struct connections *connections)
{
    return rear_terms(connections->rear);
}

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
    struct connection **at = &connection->all->first;
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

/* The same, and says so. */
static void fail(struct connection *connection, enum connection_failure failure, int err)
{
    struct connections *all = connection->all;
    drop(connection);
    all->events->failed(all->arg, failure, err);
}

/* The same, some time after it was added. */
static void give_up(struct connection *connection, enum connection_failure failure, int err)
{
    struct connections *all = connection->all;
    fail(connection, failure, err);
    all->events->fewer(all->arg);
}

static void count_link(struct connections *all, const struct link *link)
{
    all->to_target += link_bytes_a_to_b(link);
    all->to_client += link_bytes_b_to_a(link);
}

static void cut(struct connection *connection)
{
    if (connection->link) {
        count_link(connection->all, connection->link);
        unlink_connection(connection);
        connection->all = NULL; /* freed when the relay gives its link back */
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
    const struct services *services = terms_of(connection->all)->services;
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
    /* Its client will try again, and so do we. */
    give_up(arg, CONNECTION_NO_CHANNEL, -ETIMEDOUT);
}

static int ask_for_channel(struct connection *connection)
{
    struct rear *rear = connection->all->rear;
    int err = rear_request(rear, &connection->channel);
    if (err == 0 && connection->arrival->silent) {
        err = rear_dial_target(rear, connection->channel);
    }
    if (err == 0) {
        timer_set(connection->arrival->patience, CHANNEL_MS);
    }
    return err;
}

/*
 * What killed its reserve has mostly taken the gateway's login as well, and that one is back in
 * some seconds: connections_ask_anew().
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

static int use_reserve(struct connection *connection);

/* 0, or -errno with what failed. */
static int go_on(struct connection *connection, bool alive, int data,
                 enum connection_failure *ret_failure)
{
    const struct terms *terms = terms_of(connection->all);
    *ret_failure = CONNECTION_NO_RELAY;
    if (alive) {
        connection->arrival->len = 0; /* these are there */
        return join(connection, data);
    }
    log_warn(log_of(terms), "session %s: channel %u does not answer, another one is taken",
             terms->id, connection->channel);
    net_reset(data);
    if (rear_has_reserve(connection->all->rear)) {
        return use_reserve(connection);
    }
    *ret_failure = CONNECTION_NO_CHANNEL;
    return ask_for_another(connection);
}

static void on_tried(void *arg, bool alive)
{
    struct connection *connection = arg;
    struct arrival *arrival = connection->arrival;
    enum connection_failure failure;
    int data = arrival->data;
    arrival->data = -1;
    trial_free(arrival->trial);
    arrival->trial = NULL;
    int err = go_on(connection, alive, data, &failure);
    if (err < 0) {
        give_up(connection, failure, err);
    }
}

static int use_reserve(struct connection *connection)
{
    struct arrival *arrival = connection->arrival;
    bool is_fresh;
    int data = rear_take_reserve(connection->all->rear, &connection->channel, &is_fresh);
    if (!is_fresh) {
        arrival->trial = trial_new(terms_of(connection->all)->services->loop, data, arrival->bytes,
                                   arrival->len, on_tried, connection);
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

static struct connection *connection_new(struct connections *all, int client, const void *bytes,
                                         size_t len)
{
    struct connection *connection = calloc(1, sizeof *connection);
    struct arrival *arrival = arrival_new(client, bytes, len);
    if (connection && arrival) {
        arrival->patience = timer_new(terms_of(all)->services->loop, on_overdue, connection);
    }
    if (!connection || !arrival || !arrival->patience) {
        free(connection);
        free(arrival);
        return NULL;
    }
    *connection = (struct connection){
        .next = all->first, .all = all, .arrival = arrival, .number = ++all->total};
    all->first = connection;
    return connection;
}

int connections_add(struct connections *connections, int client, const void *bytes, size_t len)
{
    struct connection *connection = connection_new(connections, client, bytes, len);
    if (!connection) {
        net_reset(client);
        connections->events->failed(connections->arg, CONNECTION_NO_RELAY, -ENOMEM);
        return -ENOMEM;
    }
    bool has_channel = rear_has_reserve(connections->rear) && len > 0;
    int err = has_channel ? use_reserve(connection) : ask_for_channel(connection);
    if (err < 0) {
        fail(connection, has_channel ? CONNECTION_NO_RELAY : CONNECTION_NO_CHANNEL, err);
    }
    return err;
}

/* ---- those that wait for a channel ---------------------------------------- */

static bool waits_for_channel(const struct connection *connection)
{
    return connection->arrival && !connection->arrival->trial;
}

static struct connection *find_channel(const struct connections *connections, uint16_t channel)
{
    struct connection *connection = connections->first;
    while (connection && connection->channel != channel) {
        connection = connection->next;
    }
    return connection;
}

static struct connection *find_waiting(const struct connections *connections)
{
    struct connection *connection = connections->first;
    while (connection && !waits_for_channel(connection)) {
        connection = connection->next;
    }
    return connection;
}

bool connections_take_channel(struct connections *connections, uint16_t channel, int fd)
{
    struct connection *connection = find_channel(connections, channel);
    if (!connection || !waits_for_channel(connection)) {
        return false;
    }
    int err = join(connection, fd);
    if (err < 0) {
        give_up(connection, CONNECTION_NO_RELAY, err);
    }
    return true;
}

void connections_ask_anew(struct connections *connections)
{
    int err = 0;
    for (struct connection *c = connections->first; c && err == 0; c = c->next) {
        if (waits_for_channel(c)) {
            err = ask_for_channel(c);
        }
    }
    struct connection *connection;
    while (err < 0 && (connection = find_waiting(connections))) {
        fail(connection, CONNECTION_NO_CHANNEL, err);
    }
    connections->events->fewer(connections->arg);
}

void connections_give_up_channel(struct connections *connections, uint16_t channel)
{
    struct connection *connection = find_channel(connections, channel);
    if (connection && waits_for_channel(connection)) {
        drop(connection);
    }
}

bool connections_have_channel(const struct connections *connections, uint16_t channel)
{
    return find_channel(connections, channel) != NULL;
}

bool connections_have_others(const struct connections *connections, uint16_t channel)
{
    const struct connection *first = connections->first;
    return first && (first != find_channel(connections, channel) || first->next);
}

/* ---- all of them ---------------------------------------------------------- */

struct connections *connections_new(struct rear *rear, const struct connections_events *events,
                                    void *arg)
{
    struct connections *connections = malloc(sizeof *connections);
    if (connections) {
        *connections = (struct connections){.rear = rear, .events = events, .arg = arg};
    }
    return connections;
}

void connections_free(struct connections *connections)
{
    free(connections);
}

void connections_cut_oldest(struct connections *connections)
{
    struct connection *oldest = connections->first;
    while (oldest && oldest->next) {
        oldest = oldest->next;
    }
    if (oldest) {
        cut(oldest);
    }
}

void connections_cut_all(struct connections *connections)
{
    while (connections->first) {
        cut(connections->first);
    }
}

void connections_on_link_ended(const struct link *link)
{
    struct connection *connection = link_arg(link);
    struct connections *all = connection->all;
    if (all) {
        struct connection_end end = {.number = connection->number,
                                     .bytes_to_client = link_bytes_b_to_a(link)};
        end.said = link_head(link, &end.said_len);
        log_debug(log_of(terms_of(all)), "session %s: connection %u ended (%d, %s)",
                  terms_of(all)->id, connection->channel, (int)link_end(link),
                  strerror(link_error(link)));
        unlink_connection(connection);
        count_link(all, link);
        all->hung_up_on = end.bytes_to_client == 0 && link_b_left_first(link);
        all->events->ended(all->arg, &end);
    }
    free(connection);
}

unsigned connections_count(const struct connections *connections)
{
    unsigned count = 0;
    for (const struct connection *c = connections->first; c; c = c->next) {
        count++;
    }
    return count;
}

unsigned connections_total(const struct connections *connections)
{
    return connections->total;
}

bool connections_were_hung_up_on(const struct connections *connections)
{
    return connections->hung_up_on;
}

void connections_count_bytes(const struct connections *connections, uint64_t *ret_to_target,
                             uint64_t *ret_to_client)
{
    uint64_t to_target = connections->to_target, to_client = connections->to_client;
    for (const struct connection *c = connections->first; c; c = c->next) {
        to_target += c->link ? link_bytes_a_to_b(c->link) : 0;
        to_client += c->link ? link_bytes_b_to_a(c->link) : 0;
    }
    *ret_to_target = to_target;
    *ret_to_client = to_client;
}

unsigned connections_newest_working(const struct connections *connections, uint64_t least)
{
    const struct connection *c = connections->first;
    while (c && !(c->link && link_bytes_b_to_a(c->link) >= least)) {
        c = c->next;
    }
    return c ? c->number : 0;
}

void connections_view(const struct connections *connections, struct session_view *view)
{
    view->connections = connections_count(connections);
    view->connections_total = connections->total;
    connections_count_bytes(connections, &view->bytes_to_target, &view->bytes_to_client);
}
