/*
 * A guest is a connection that has yet to prove itself:
 *
 *     accepted -> hello read, and answered -> final read -> welcome: handed over
 *
 * and at every step it may be sent off in silence. Its watch and its timer are made only when
 * it has to be waited for: a gateway's hello is mostly there with its connection.
 *
 * Re-entrancy: dock_fn may free the dock, and with the last expected channel the port closes
 * and every guest goes. So who is welcome leaves the list first, and neither the guest nor the
 * dock is touched after the call; hear() says whether its guest is still there.
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

struct guest {
    struct guest *next; /* the newest one first */
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

struct dock {
    uv_loop_t *loop;
    struct listener *listener;
    uint64_t session;
    uint8_t token[PROOF_TOKEN_SIZE];
    uint16_t *expected; /* channels; NULL: none */
    unsigned expected_count;
    dock_fn fn;
    void *arg;
    struct guest *guests;
    struct addr gateway; /* of no family: it is not known where it is */
};

static void guest_free(struct guest *guest)
{
    watch_free(guest->watch);
    timer_free(guest->patience);
    if (guest->fd >= 0) {
        close(guest->fd);
    }
    proof_wipe(&guest->proof);
    free(guest);
}

static void send_off(struct guest *guest)
{
    struct guest **at = &guest->dock->guests;
    while (*at != guest) {
        at = &(*at)->next;
    }
    *at = guest->next;
    guest_free(guest);
}

static unsigned count_guests(const struct dock *dock, bool from_gateway)
{
    unsigned count = 0;
    for (const struct guest *guest = dock->guests; guest; guest = guest->next) {
        count += guest->from_gateway == from_gateway;
    }
    return count;
}

/* Of those of one kind, the oldest first; returns how many. */
static unsigned collect(const struct dock *dock, bool from_gateway, enum stage stage,
                        struct guest **guests)
{
    unsigned count = 0;
    for (struct guest *guest = dock->guests; guest; guest = guest->next) {
        if (guest->from_gateway == from_gateway && guest->stage == stage) {
            memmove(&guests[1], &guests[0], count++ * sizeof *guests);
            guests[0] = guest;
        }
    }
    return count;
}

/* Sends off one that has yet to send a right hello; if there is none, one that has. */
static void make_room(struct dock *dock, bool from_gateway)
{
    unsigned most = DOCK_GUESTS_MAX + dock->expected_count;
    unsigned count = count_guests(dock, from_gateway);
    if (count < most) {
        return;
    }
    struct guest **guests = calloc(count, sizeof *guests);
    const struct place **places = calloc(count, sizeof *places);
    if (guests && places) {
        unsigned hellos = collect(dock, from_gateway, STAGE_HELLO, guests);
        for (unsigned i = 0; i < hellos; i++) {
            places[i] = &guests[i]->place;
        }
        int at = hellos > 0 ? places_of_most_crowded(places, hellos) : 0;
        if (hellos == 0) {
            collect(dock, from_gateway, STAGE_FINAL, guests);
        }
        send_off(guests[at]);
    }
    free(guests);
    free(places);
}

static void close_port(struct dock *dock)
{
    listener_free(dock->listener);
    dock->listener = NULL;
    while (dock->guests) {
        send_off(dock->guests);
    }
}

/* ---- what is expected ----------------------------------------------------- */

static bool is_expected(const struct dock *dock, uint16_t channel)
{
    unsigned i = 0;
    while (i < dock->expected_count && dock->expected[i] != channel) {
        i++;
    }
    return i < dock->expected_count;
}

static void forget(struct dock *dock, unsigned at)
{
    dock->expected_count--;
    memmove(&dock->expected[at], &dock->expected[at + 1],
            (dock->expected_count - at) * sizeof *dock->expected);
}

int dock_expect(struct dock *dock, uint16_t channel)
{
    if (dock->expected_count == DOCK_EXPECTED_MAX) {
        forget(dock, 0);
    }
    size_t size = (dock->expected_count + 1) * sizeof *dock->expected;
    uint16_t *expected = realloc(dock->expected, size);
    if (!expected) {
        return -ENOMEM;
    }
    expected[dock->expected_count++] = channel;
    dock->expected = expected;
    return 0;
}

void dock_expect_from(struct dock *dock, const struct addr *gateway)
{
    dock->gateway = *gateway;
}

void dock_expect_nothing(struct dock *dock)
{
    free(dock->expected);
    dock->expected = NULL;
    dock->expected_count = 0;
    close_port(dock);
}

void dock_expect_not(struct dock *dock, uint16_t channel)
{
    unsigned i = 0;
    while (i < dock->expected_count && dock->expected[i] != channel) {
        i++;
    }
    if (i == dock->expected_count) {
        return;
    }
    forget(dock, i);
    if (dock->expected_count == 0) {
        dock_expect_nothing(dock);
    }
}

/* ---- the proof ------------------------------------------------------------ */

static void welcome(struct guest *guest)
{
    struct dock *dock = guest->dock;
    uint16_t channel = guest->proof.channel;
    int fd = guest->fd;
    guest->fd = -1;
    send_off(guest);
    dock_expect_not(dock, channel);
    dock->fn(dock->arg, channel, fd);
}

/* Answers a hello of a channel that is expected; anything else meets silence. */
static int answer(struct guest *guest)
{
    struct dock *dock = guest->dock;
    uint64_t session;
    uint16_t channel;
    uint8_t reply[PROOF_ANSWER_SIZE];
    if (proof_peek(guest->bytes, &session, &channel) < 0 || session != dock->session ||
        !is_expected(dock, channel) ||
        proof_answer(&guest->proof, guest->bytes, dock->token, reply) < 0) {
        return -EACCES;
    }
    /* A fresh connection's send buffer takes 64 bytes, or something is wrong with it. */
    ssize_t sent = send(guest->fd, reply, sizeof reply, MSG_NOSIGNAL);
    guest->stage = STAGE_FINAL;
    guest->have = 0;
    return sent == sizeof reply ? 0 : -EIO;
}

static int on_complete(struct guest *guest)
{
    if (guest->stage == STAGE_HELLO) {
        return answer(guest);
    }
    /* It may have been overtaken by another guest while it was proving. */
    if (!is_expected(guest->dock, guest->proof.channel) ||
        proof_check(&guest->proof, guest->bytes) < 0) {
        return -EACCES;
    }
    welcome(guest);
    return 0;
}

/* Reads what is there of the part that is due. False: the guest is gone. */
static bool hear(struct guest *guest)
{
    bool is_hello = guest->stage == STAGE_HELLO;
    size_t whole = is_hello ? PROOF_HELLO_SIZE : PROOF_FINAL_SIZE;
    ssize_t got = recv(guest->fd, guest->bytes + guest->have, whole - guest->have, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return true;
    }
    if (got > 0) {
        guest->have += (size_t)got;
    }
    bool complete = guest->have == whole;
    if (got <= 0 || (complete && on_complete(guest) < 0)) {
        send_off(guest);
        return false;
    }
    return is_hello || !complete; /* who has proven itself is a guest no more */
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

static void wait_for(struct guest *guest)
{
    uv_loop_t *loop = guest->dock->loop;
    guest->watch = watch_start(loop, guest->fd, WATCH_READ, on_bytes, guest);
    guest->patience = timer_new(loop, on_patience_over, guest);
    if (!guest->watch || !guest->patience) {
        send_off(guest);
        return;
    }
    timer_set(guest->patience, DOCK_PATIENCE_MS);
}

static void on_guest(void *arg, int fd, const struct addr *from)
{
    struct dock *dock = arg;
    bool from_gateway = dock->gateway.sa.sa_family != 0 && addr_same_party(from, &dock->gateway);
    make_room(dock, from_gateway);
    struct guest *guest = calloc(1, sizeof *guest);
    if (!guest) {
        close(fd);
        return;
    }
    *guest = (struct guest){.next = dock->guests,
                            .dock = dock,
                            .fd = fd,
                            .place.from = origin_of(from),
                            .from_gateway = from_gateway};
    dock->guests = guest;
    if (hear(guest)) { /* mostly its hello is there already */
        wait_for(guest);
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
    if (crypto_random(dock->token, sizeof dock->token) == 0) {
        dock->listener = listener_new(loop, listener, on_guest, dock);
    }
    if (!dock->listener) {
        crypto_wipe(dock->token, sizeof dock->token);
        free(dock);
        return NULL;
    }
    return dock;
}

const uint8_t *dock_token(const struct dock *dock)
{
    return dock->token;
}

bool dock_is_open(const struct dock *dock)
{
    return dock->listener != NULL;
}

int dock_open(struct dock *dock, int listener)
{
    dock->listener = listener_new(dock->loop, listener, on_guest, dock);
    return dock->listener ? 0 : -ENOMEM;
}

void dock_free(struct dock *dock)
{
    if (!dock) {
        return;
    }
    dock_expect_nothing(dock);
    crypto_wipe(dock->token, sizeof dock->token);
    free(dock);
}
