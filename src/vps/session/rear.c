/*
 * The gateway is looked up by its name each time something is to be asked: a gateway that logs
 * in anew is another struct gateway, the old one is freed in that moment, and a session outlives
 * both. So there is no pointer to keep right, and a session goes on through its gateway's
 * restarts and changes of address.
 *
 * The dock lives as long as the session, for its token; its port is open only while a channel is
 * expected. It is not closed for good with the first client, since each further connection
 * needs a channel of its own (RDP negotiates on one and works on the next). With MULTIPATH it
 * stays open: a further path joins a channel at its port, at any time.
 */
#include "vps/session/rear.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/watch.h"
#include "vps/session/dock.h"
#include "vps/session/explain.h"
#include "vps/session/shown.h"

/* A reserve that came just now needs no trial. */
enum { FRESH_MS = 1000 };

struct rear {
    const struct terms *terms;
    const struct rear_events *events;
    void *arg;
    struct dock *dock;
    struct watch *reserve_watch;
    uint64_t reserve_since_ms;
    int reserve;              /* an authenticated data channel without a client; -1: none */
    uint16_t reserve_channel; /* its number */
    uint16_t channel;         /* the latest that was asked for */
    uint16_t port;
    bool has_port;       /* of its own: its data channels do not come to the control port */
    bool target_answers; /* TUNNEL_READY of channel 0 came */
};

const struct terms *rear_terms(const struct rear *rear)
{
    return rear->terms;
}

/* ---- the gateway ----------------------------------------------------------- */

static struct gateway *gateway_of(const struct rear *rear)
{
    struct gateways *gateways = rear->terms->services->gateways;
    return gateways ? gateways_find(gateways, rear->terms->gateway) : NULL;
}

bool rear_has_gateway(const struct rear *rear)
{
    return gateway_of(rear) != NULL;
}

static int open_dock(struct rear *rear)
{
    if (dock_is_open(rear->dock)) {
        return 0;
    }
    if (!rear->has_port) {
        return dock_open(rear->dock, DOCK_NO_LISTENER);
    }
    int fd = ports_relisten(rear->terms->services->ports, rear->port);
    int err = fd < 0 ? fd : dock_open(rear->dock, fd);
    if (fd >= 0 && err < 0) {
        close(fd);
    }
    return err;
}

void rear_on_data_channel(struct rear *rear, int fd, const struct addr *from, const uint8_t *hello)
{
    dock_bring(rear->dock, fd, from, hello);
}

static void write_request(const struct rear *rear, struct message *ret_message)
{
    struct message_open_tunnel *open = &ret_message->open_tunnel;
    *ret_message = (struct message){.type = MESSAGE_OPEN_TUNNEL};
    open->session = rear->terms->number;
    open->channel = rear->channel;
    open->port = rear->terms->port;
    open->data_port = rear->port;
    strcpy(open->host, rear->terms->host); /* HOST_MAX at most */
    memcpy(open->token, dock_token(rear->dock), sizeof open->token);
    open->kind = (uint8_t)(TUNNEL_KIND_FIRST + rear->terms->kind);
    shown_ask(rear->terms, rear->channel, open);
}

static int request_channel(struct rear *rear)
{
    struct gateway *gateway = gateway_of(rear);
    if (!gateway) {
        return -ENOTCONN;
    }
    int err = open_dock(rear);
    err = err < 0 ? err : dock_expect(rear->dock, rear->channel);
    if (err == 0) {
        struct message message;
        struct gateway_view view;
        gateway_view(gateway, &view);
        dock_expect_from(rear->dock, &view.from);
        write_request(rear, &message);
        err = gateway_send(gateway, &message);
        crypto_wipe(&message, sizeof message);
    }
    if (err < 0) { /* nobody was asked, so that nothing may be open for it */
        rear_give_up(rear, rear->channel);
    }
    return err;
}

int rear_request_first(struct rear *rear)
{
    return request_channel(rear);
}

int rear_request(struct rear *rear, uint16_t *ret_channel)
{
    rear->channel = rear->channel == UINT16_MAX ? 1 : (uint16_t)(rear->channel + 1);
    *ret_channel = rear->channel;
    return request_channel(rear);
}

int rear_dial_target(struct rear *rear, uint16_t channel)
{
    struct gateway *gateway = gateway_of(rear);
    struct message message = {.type = MESSAGE_DIAL_TARGET,
                              .dial_target = {.session = rear->terms->number, .channel = channel}};
    return gateway ? gateway_send(gateway, &message) : -ENOTCONN;
}

bool rear_can_dial_target(const struct rear *rear)
{
    const struct gateway *gateway = gateway_of(rear);
    struct gateway_view view;
    if (!gateway) {
        return true;
    }
    gateway_view(gateway, &view);
    return view.version >= message_since(MESSAGE_DIAL_TARGET);
}

void rear_say_closed(struct rear *rear)
{
    struct gateway *gateway = gateway_of(rear);
    struct message message = {.type = MESSAGE_CLOSE_TUNNEL,
                              .close_tunnel.session = rear->terms->number};
    if (gateway) {
        gateway_send(gateway, &message);
    }
}

bool rear_give_up(struct rear *rear, uint16_t channel)
{
    dock_expect_not(rear->dock, channel);
    return channel == rear->channel;
}

void rear_give_up_all(struct rear *rear)
{
    dock_expect_nothing(rear->dock);
}

/* ---- the reserve ----------------------------------------------------------- */

static bool is_fresh(const struct rear *rear)
{
    return clock_ms() - rear->reserve_since_ms < FRESH_MS;
}

bool rear_has_reserve(const struct rear *rear)
{
    return rear->reserve >= 0;
}

int rear_take_reserve(struct rear *rear, uint16_t *ret_channel, bool *ret_is_fresh)
{
    int fd = rear->reserve;
    rear->reserve = -1;
    rear_drop_reserve(rear);
    *ret_channel = rear->reserve_channel;
    *ret_is_fresh = is_fresh(rear);
    return fd;
}

void rear_drop_reserve(struct rear *rear)
{
    watch_free(rear->reserve_watch);
    rear->reserve_watch = NULL;
    if (rear->reserve >= 0) {
        close(rear->reserve);
        rear->reserve = -1;
    }
}

/* Its end shows at once if the path is whole; a path that died in silence shows in a trial. */
static void on_reserve_gone(void *arg, int events)
{
    struct rear *rear = arg;
    (void)events;
    rear_drop_reserve(rear);
    rear->events->reserve_gone(rear->arg, rear->channel != rear->reserve_channel, !is_fresh(rear));
}

static void keep_reserve(struct rear *rear, uint16_t channel, int fd)
{
    rear_drop_reserve(rear);
    rear->reserve = fd;
    rear->reserve_channel = channel;
    rear->reserve_since_ms = clock_ms();
    rear->reserve_watch = watch_start(rear->terms->services->loop, fd, WATCH_HANGUP,
                                      on_reserve_gone, rear);
}

void rear_doubt_reserve(struct rear *rear)
{
    rear->reserve_since_ms = 0;
}

static void maybe_ready(struct rear *rear)
{
    if (rear->target_answers && rear->reserve >= 0) {
        rear->events->ready(rear->arg);
    }
}

static void on_docked(void *arg, uint16_t channel, int fd)
{
    struct rear *rear = arg;
    log_debug(log_of(rear->terms), "session %s: data channel %u is there", rear->terms->id,
              channel);
    if (!rear->events->docked(rear->arg, channel, fd)) {
        keep_reserve(rear, channel, fd);
        maybe_ready(rear);
    }
}

void rear_on_tunnel_ready(struct rear *rear, const struct message_tunnel_ready *ready)
{
    if (ready->channel == 0) { /* later ones speak for themselves, at the dock */
        log_debug(log_of(rear->terms), "session %s: %s answers at %s", rear->terms->id,
                  rear->terms->host, ready->address);
        rear->target_answers = true;
        maybe_ready(rear);
    }
}

/* ---- what there is to see -------------------------------------------------- */

uint16_t rear_port(const struct rear *rear)
{
    return rear->port;
}

void rear_view(const struct rear *rear, struct session_view *view)
{
    view->data_port = rear->port;
    view->gateway_is_away = !rear_has_gateway(rear);
}

/* ---- life ------------------------------------------------------------------ */

static int open_at_control_port(struct rear *rear, struct why *why)
{
    const struct services *services = rear->terms->services;
    rear->port = services->settings->control_port;
    rear->dock = dock_new(services->loop, DOCK_NO_LISTENER, rear->terms->number, on_docked, rear);
    return rear->dock ? 0 : explain_no_memory(why);
}

static int open_port(struct rear *rear, struct why *why)
{
    const struct services *services = rear->terms->services;
    if (services->settings->data_port == DATA_PORT_CONTROL) {
        return open_at_control_port(rear, why);
    }
    bool multipath = services->settings->common.multipath && net_check_multipath() == 0;
    int fd = ports_listen(services->ports, clock_ms(), multipath, &rear->port);
    if (fd < 0) {
        return explain_no_port(services, fd, why);
    }
    rear->has_port = true;
    rear->dock = dock_new(services->loop, fd, rear->terms->number, on_docked, rear);
    if (!rear->dock) {
        close(fd);
        return explain_no_memory(why);
    }
    if (multipath) {
        dock_stay_open(rear->dock);
    }
    return 0;
}

int rear_new(const struct terms *terms, const struct rear_events *events, void *arg,
             struct rear **ret_rear, struct why *why)
{
    struct rear *rear = calloc(1, sizeof *rear);
    if (!rear) {
        return explain_no_memory(why);
    }
    *rear = (struct rear){.terms = terms, .events = events, .arg = arg, .reserve = -1};
    int err = open_port(rear, why);
    if (err < 0) {
        rear_close(rear);
        rear_free(rear);
        return err;
    }
    *ret_rear = rear;
    return 0;
}

void rear_close(struct rear *rear)
{
    rear_drop_reserve(rear);
    dock_free(rear->dock);
    rear->dock = NULL;
    if (rear->has_port) {
        ports_release(rear->terms->services->ports, clock_ms(), rear->port);
    }
}

void rear_free(struct rear *rear)
{
    free(rear);
}
