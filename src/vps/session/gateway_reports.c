#include "vps/session/gateway_reports.h"

#include <unistd.h>

#include "base/clock.h"
#include "data/proof.h"
#include "shared/gateway_name.h"
#include "vps/gateways/gateways_discovery.h"
#include "vps/session/news.h"
#include "vps/session/session_run.h"

/* What happens to the gateway, whatever its sessions. */
static void tell(const struct gateway_reports *reports, struct session_event event)
{
    event.unix_ms = clock_unix_ms();
    reports->services->notify(reports->services->arg, &event);
}

/* It goes through the gateway of this name. */
static bool is_of(const struct session *session, const char *gateway)
{
    return gateway_name_equal(session_terms(session)->gateway, gateway);
}

/* ---- what it says of one session. It speaks for its own only. --------------- */

static void on_tunnel_ready(const struct gateway_reports *reports, const char *gateway,
                            const struct message_tunnel_ready *ready)
{
    struct session *session = table_of_gateway(reports->table, gateway, ready->session);
    if (session) {
        session_on_tunnel_ready(session, ready);
    }
}

static void on_tunnel_failed(const struct gateway_reports *reports, const char *gateway,
                             const struct message_tunnel_failed *failed)
{
    struct session *session = table_of_gateway(reports->table, gateway, failed->session);
    if (session) {
        session_on_tunnel_failed(session, failed);
    } else { /* of a session that is over, or of a machine that was to be woken */
        tell(reports, (struct session_event){.kind = SESSION_GATEWAY_WOKE,
                                             .gateway = gateway,
                                             .number_on_wire = failed->session,
                                             .failed = failed->reason,
                                             .reason = failed->detail});
    }
}

static void on_awake(const struct gateway_reports *reports, const char *gateway,
                     const struct message_awake *awake)
{
    tell(reports, (struct session_event){.kind = SESSION_GATEWAY_WOKE,
                                         .gateway = gateway,
                                         .number_on_wire = awake->session});
}

/* It concerns no session. */
static void on_found(const struct gateway_reports *reports, const char *gateway,
                     const struct message_found *found)
{
    gateways_heard(reports->services->gateways, gateway, found);
}

/* Without an on_NAME() for each message that a gateway may send, this does not compile. */
static void on_message(void *arg, const char *gateway, const struct message *message)
{
    switch (message->type) {
#define MESSAGE_OF_GATEWAY(NAME, name)           \
    case MESSAGE_##NAME:                         \
        on_##name(arg, gateway, &message->name); \
        break;
#include "control/messages.def"
    default: /* no other comes from a gateway */
        break;
    }
}

/* Whoever says it has proven nothing: what is wrong with it meets silence. */
static void on_data_channel(void *arg, int fd, const struct addr *from, const uint8_t *hello)
{
    const struct gateway_reports *reports = arg;
    uint64_t number;
    uint16_t channel;
    struct session *session = proof_peek(hello, &number, &channel) < 0
                                  ? NULL
                                  : table_of_number(reports->table, number);
    if (session) {
        session_on_data_channel(session, fd, from, hello);
    } else {
        close(fd);
    }
}

/* ---- what happens to it ---------------------------------------------------- */

static void on_gateway_lost(void *arg, const char *gateway)
{
    const struct gateway_reports *reports = arg;
    tell(reports, (struct session_event){.kind = SESSION_GATEWAY_WENT, .gateway = gateway});
    for (struct session *s = table_next(reports->table, NULL); s;
         s = table_next(reports->table, s)) {
        if (is_of(s, gateway)) {
            session_on_gateway_lost(s);
        }
    }
}

static void on_gateway_removed(void *arg, const char *gateway)
{
    const struct gateway_reports *reports = arg;
    for (struct session *s = table_next(reports->table, NULL); s;
         s = table_next(reports->table, s)) {
        if (is_of(s, gateway)) {
            session_end(s, SESSION_END_GATEWAY_REMOVED);
        }
    }
}

static void on_gateway_online(void *arg, const char *gateway)
{
    const struct gateway_reports *reports = arg;
    for (struct session *s = table_next(reports->table, NULL); s;
         s = table_next(reports->table, s)) {
        if (is_of(s, gateway)) {
            session_on_gateway_online(s);
        }
    }
    /* Last: a session that a watcher opens now is of this login. */
    const struct gateway *there = gateways_find(reports->services->gateways, gateway);
    struct gateway_view view;
    if (there) {
        gateway_view(there, &view);
    }
    tell(reports, (struct session_event){.kind = SESSION_GATEWAY_CAME,
                                         .gateway = gateway,
                                         .address = there ? &view.from : NULL});
}

struct gateways_events gateway_reports_events(struct gateway_reports *reports)
{
    return (struct gateways_events){.received = on_message,
                                    .online = on_gateway_online,
                                    .lost = on_gateway_lost,
                                    .removed = on_gateway_removed,
                                    .data_channel = on_data_channel,
                                    .arg = reports};
}
