/*
 * A caller is a connection that has yet to prove itself:
 *
 *     accepted -> hello read, and answered -> final read -> welcome: handed over
 *
 * and at every step it may be sent off in silence. Its watch and its timer are made only when
 * it has to be waited for: a gateway's hello is mostly there with its connection.
 *
 * Re-entrancy: dock_fn may free the dock, and with the last expected channel the port closes
 * and every caller goes. So who is welcome leaves the list first, and neither the caller nor the
 * dock is touched after the call; hear() says whether its caller is still there.
 */
#include "vps/session/dock.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/listener.h"
#include "base/timer.h"
#include "base/watch.h"
#include "vps/admission/places.h"

enum stage { STAGE_HELLO, STAGE_FINAL };

struct caller {
    struct caller *next; /* the newest one first */
    struct dock *dock;
    int fd;
    struct place place;
    bool from_gateway;   /* as it seems */
    struct watch *watch; /* both NULL until it has to be waited for */
    struct timer *patience;
    enum stage stage;
    struct proof proof;
    size_t have;
    uint8_t bytes[PROOF_HELLO_SIZE];
};

/* An idle session has none: there may be thousands of them. */
struct port {
    struct listener *listener; /* NULL: they are brought */
    struct caller *callers;
    struct addr gateway; /* of no family: it is not known where it is */
    unsigned expected_count;
    uint16_t expected[DOCK_EXPECTED_MAX]; /* channels */
};

struct dock {
    uv_loop_t *loop;
    uint64_t session;
    uint8_t token[PROOF_TOKEN_SIZE];
    dock_fn fn;
    void *arg;
    bool stays_open;
    struct port *port; /* NULL: it is closed */
};

static void caller_free(struct caller *caller)
{
    watch_free(caller->watch);
    timer_free(caller->patience);
    if (caller->fd >= 0) {
        close(caller->fd);
    }
    proof_wipe(&caller->proof);
    free(caller);
}

static void send_off(struct caller *caller)
{
    struct caller **at = &caller->dock->port->callers;
    while (*at != caller) {
        at = &(*at)->next;
    }
    *at = caller->next;
    caller_free(caller);
}

static unsigned count_callers(const struct port *port, bool from_gateway)
{
    unsigned count = 0;
    for (const struct caller *caller = port->callers; caller; caller = caller->next) {
        count += caller->from_gateway == from_gateway;
    }
    return count;
}

/* Of those of one kind, the oldest first; returns how many. */
static unsigned collect(const struct port *port, bool from_gateway, enum stage stage,
                        struct caller **callers)
{
    unsigned count = 0;
    for (struct caller *caller = port->callers; caller; caller = caller->next) {
        if (caller->from_gateway == from_gateway && caller->stage == stage) {
            memmove(&callers[1], &callers[0], count++ * sizeof *callers);
            callers[0] = caller;
        }
    }
    return count;
}

/* Sends off one that has yet to send a right hello; if there is none, one that has. */
static void make_room(struct port *port, bool from_gateway)
{
    unsigned most = DOCK_CALLERS_MAX + port->expected_count;
    unsigned count = count_callers(port, from_gateway);
    if (count < most) {
        return;
    }
    struct caller **callers = calloc(count, sizeof *callers);
    const struct place **places = calloc(count, sizeof *places);
    if (callers && places) {
        unsigned hellos = collect(port, from_gateway, STAGE_HELLO, callers);
        for (unsigned i = 0; i < hellos; i++) {
            places[i] = &callers[i]->place;
        }
        int at = hellos > 0 ? places_of_most_crowded(places, hellos) : 0;
        if (hellos == 0) {
            collect(port, from_gateway, STAGE_FINAL, callers);
        }
        send_off(callers[at]);
    }
    free(callers);
    free(places);
}

static void shut(struct dock *dock)
{
    struct port *port = dock->port;
    while (port->callers) {
        send_off(port->callers);
    }
    listener_free(port->listener);
    free(port);
    dock->port = NULL;
}

/* Nothing is expected any more. */
static void close_port(struct dock *dock)
{
    struct port *port = dock->port;
    if (!dock->stays_open) {
        shut(dock);
        return;
    }
    while (port->callers) {
        send_off(port->callers);
    }
    port->expected_count = 0;
    port->gateway = (struct addr){.sa.sa_family = AF_UNSPEC};
}

/* ---- what is expected ----------------------------------------------------- */

/* Where among the expected ones it is; their count: nowhere. */
static unsigned place_of(const struct port *port, uint16_t channel)
{
    unsigned i = 0;
    while (i < port->expected_count && port->expected[i] != channel) {
        i++;
    }
    return i;
}

static bool is_expected(const struct port *port, uint16_t channel)
{
    return place_of(port, channel) < port->expected_count;
}

static void forget(struct port *port, unsigned at)
{
    port->expected_count--;
    memmove(&port->expected[at], &port->expected[at + 1],
            (port->expected_count - at) * sizeof *port->expected);
}

int dock_expect(struct dock *dock, uint16_t channel)
{
    struct port *port = dock->port;
    if (!port) {
        return -ENOTCONN;
    }
    if (port->expected_count == DOCK_EXPECTED_MAX) {
        forget(port, 0);
    }
    port->expected[port->expected_count++] = channel;
    return 0;
}

void dock_expect_from(struct dock *dock, const struct addr *gateway)
{
    if (dock->port) {
        dock->port->gateway = *gateway;
    }
}

void dock_expect_nothing(struct dock *dock)
{
    if (dock->port) {
        close_port(dock);
    }
}

void dock_expect_not(struct dock *dock, uint16_t channel)
{
    struct port *port = dock->port;
    if (!port || !is_expected(port, channel)) {
        return;
    }
    forget(port, place_of(port, channel));
    if (port->expected_count == 0) {
        close_port(dock);
    }
}

/* ---- the proof ------------------------------------------------------------ */

static void welcome(struct caller *caller)
{
    struct dock *dock = caller->dock;
    uint16_t channel = caller->proof.channel;
    int fd = caller->fd;
    caller->fd = -1;
    send_off(caller);
    dock_expect_not(dock, channel);
    dock->fn(dock->arg, channel, fd);
}

/* Answers a hello of a channel that is expected; anything else meets silence. */
static int answer(struct caller *caller)
{
    struct dock *dock = caller->dock;
    uint64_t session;
    uint16_t channel;
    uint8_t reply[PROOF_ANSWER_SIZE];
    if (proof_peek(caller->bytes, &session, &channel) < 0 || session != dock->session ||
        !is_expected(dock->port, channel) ||
        proof_answer(&caller->proof, caller->bytes, dock->token, reply) < 0) {
        return -EACCES;
    }
    /* A fresh connection's send buffer takes 64 bytes, or something is wrong with it. */
    ssize_t sent = send(caller->fd, reply, sizeof reply, MSG_NOSIGNAL);
    caller->stage = STAGE_FINAL;
    caller->have = 0;
    return sent == sizeof reply ? 0 : -EIO;
}

static int on_complete(struct caller *caller)
{
    if (caller->stage == STAGE_HELLO) {
        return answer(caller);
    }
    /* It may have been overtaken by another caller while it was proving. */
    if (!is_expected(caller->dock->port, caller->proof.channel) ||
        proof_check(&caller->proof, caller->bytes) < 0) {
        return -EACCES;
    }
    welcome(caller);
    return 0;
}

/* Reads what is there of the part that is due. False: the caller is gone. */
static bool hear(struct caller *caller)
{
    bool is_hello = caller->stage == STAGE_HELLO;
    size_t whole = is_hello ? PROOF_HELLO_SIZE : PROOF_FINAL_SIZE;
    ssize_t got = recv(caller->fd, caller->bytes + caller->have, whole - caller->have, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return true;
    }
    if (got > 0) {
        caller->have += (size_t)got;
    }
    bool complete = caller->have == whole;
    if (got <= 0 || (complete && on_complete(caller) < 0)) {
        send_off(caller);
        return false;
    }
    return is_hello || !complete; /* who has proven itself is a caller no more */
}

static void on_bytes(void *arg, int events)
{
    (void)events;
    hear(arg);
}

static void on_patience_over(void *arg)
{
    send_off(arg);
}

static void wait_for(struct caller *caller)
{
    uv_loop_t *loop = caller->dock->loop;
    caller->watch = watch_start(loop, caller->fd, WATCH_READ, on_bytes, caller);
    caller->patience = timer_new(loop, on_patience_over, caller);
    if (!caller->watch || !caller->patience) {
        send_off(caller);
        return;
    }
    timer_set(caller->patience, DOCK_PATIENCE_MS);
}

/* NULL when out of memory: fd is closed. */
static struct caller *receive(struct dock *dock, int fd, const struct addr *from)
{
    struct port *port = dock->port;
    bool from_gateway = port->gateway.sa.sa_family != 0 && addr_same_party(from, &port->gateway);
    make_room(port, from_gateway);
    struct caller *caller = calloc(1, sizeof *caller);
    if (!caller) {
        close(fd);
        return NULL;
    }
    *caller = (struct caller){.next = port->callers,
                              .dock = dock,
                              .fd = fd,
                              .place.from = origin_of(from),
                              .from_gateway = from_gateway};
    port->callers = caller;
    return caller;
}

static void on_guest(void *arg, int fd, const struct addr *from)
{
    const struct dock *dock = arg;
    if (dock->port->expected_count == 0 && dock->stays_open) {
        close(fd);
        return;
    }
    struct caller *caller = receive(arg, fd, from);
    if (caller && hear(caller)) { /* mostly its hello is there already */
        wait_for(caller);
    }
}

void dock_bring(struct dock *dock, int fd, const struct addr *from, const uint8_t *hello)
{
    uint64_t session;
    uint16_t channel;
    /* Who is not expected takes nobody's place. */
    bool welcome_here = dock->port && proof_peek(hello, &session, &channel) == 0 &&
                        is_expected(dock->port, channel);
    struct caller *caller = welcome_here ? receive(dock, fd, from) : NULL;
    if (!welcome_here) {
        close(fd);
    } else if (caller) {
        memcpy(caller->bytes, hello, PROOF_HELLO_SIZE);
        if (answer(caller) < 0) {
            send_off(caller);
        } else {
            wait_for(caller);
        }
    }
}

/* ---- the dock ------------------------------------------------------------- */

struct dock *dock_new(uv_loop_t *loop, int listener, uint64_t session, dock_fn fn, void *arg)
{
    struct dock *dock = calloc(1, sizeof *dock);
    if (!dock) {
        return NULL;
    }
    *dock = (struct dock){.loop = loop, .session = session, .fn = fn, .arg = arg};
    if (crypto_random(dock->token, sizeof dock->token) < 0 || dock_open(dock, listener) < 0) {
        dock_free(dock);
        return NULL;
    }
    return dock;
}

const uint8_t *dock_token(const struct dock *dock)
{
    return dock->token;
}

void dock_stay_open(struct dock *dock)
{
    dock->stays_open = true;
}

bool dock_is_open(const struct dock *dock)
{
    return dock->port != NULL;
}

int dock_open(struct dock *dock, int listener)
{
    struct port *port = calloc(1, sizeof *port);
    if (!port) {
        return -ENOMEM;
    }
    if (listener != DOCK_NO_LISTENER) {
        port->listener = listener_new(dock->loop, listener, on_guest, dock);
    }
    if (listener != DOCK_NO_LISTENER && !port->listener) {
        free(port);
        return -ENOMEM;
    }
    dock->port = port;
    return 0;
}

void dock_free(struct dock *dock)
{
    if (!dock) {
        return;
    }
    if (dock->port) {
        shut(dock);
    }
    crypto_wipe(dock->token, sizeof dock->token);
    free(dock);
}
