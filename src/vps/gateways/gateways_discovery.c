#include "vps/gateways/gateways_discovery.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/host.h"
#include "base/timer.h"
#include "vps/gateways/gateways_core.h"

struct discovery {
    struct list home;
    struct gateways *gateways;
    char gateway[GATEWAY_NAME_MAX + 1];
    struct owner by;
    uint32_t request;
    discovery_fn fn;
    void *arg;
    struct timer *timer;
    unsigned count;
    struct discovery_machine machines[DISCOVERY_MACHINES_MAX];
};

void discovery_cancel(struct discovery *discovery)
{
    if (discovery) {
        list_remove(&discovery->home);
        timer_free(discovery->timer);
        free(discovery);
    }
}

void gateways_end_discoveries(struct gateways *gateways)
{
    list_each (struct discovery, d, &gateways->discoveries, home) {
        discovery_cancel(d);
    }
}

/* ---- the end ---------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    const struct discovery_machine *one = a, *other = b;
    int order = strcasecmp(one->name, other->name);
    return order != 0 ? order : strcmp(one->address, other->address);
}

static void finish(struct discovery *discovery, const char *word, const char *failure)
{
    const struct audit_entry entry = {.what = AUDIT_GATEWAY_DISCOVERED,
                                      .gateway = discovery->gateway,
                                      .by = &discovery->by,
                                      .word = word,
                                      .count = discovery->count};
    const struct discovery_result result = {.gateway = discovery->gateway,
                                            .by = &discovery->by,
                                            .failure = failure,
                                            .machines = discovery->machines,
                                            .count = failure ? 0 : discovery->count};
    audit_record(discovery->gateways->options.audit, &entry, NULL, NULL);
    list_remove(&discovery->home);
    qsort(discovery->machines, discovery->count, sizeof *discovery->machines, by_name);
    discovery->fn(discovery->arg, &result);
    discovery_cancel(discovery);
}

static void on_timeout(void *arg)
{
    struct discovery *discovery = arg;
    char failure[200];
    snprintf(failure, sizeof failure, "Gateway %s does not say which machines it sees. Try again.",
             discovery->gateway);
    finish(discovery, "silent", failure);
}

static void end_as(struct discovery *discovery, unsigned state)
{
    char failure[300];
    if (state == FOUND_ALL) {
        finish(discovery, "found", NULL);
    } else if (state == FOUND_OFF) {
        snprintf(failure, sizeof failure,
                 "Gateway %s does not say which machines are in its network: DISCOVER is off "
                 "there. Whoever runs it can set DISCOVER=on in its env file, and reload it.",
                 discovery->gateway);
        finish(discovery, "off", failure);
    } else {
        snprintf(failure, sizeof failure,
                 "Gateway %s has looked a moment ago. Try again in a few seconds.",
                 discovery->gateway);
        finish(discovery, "busy", failure);
    }
}

/* ---- what gateways say ------------------------------------------------------ */

/* A gateway's words become commands that people press: no other than these are taken. */
static void add(struct discovery *discovery, const struct message_found *found)
{
    struct addr addr;
    if (discovery->count == DISCOVERY_MACHINES_MAX || host_kind(found->name) != HOST_NAME ||
        addr_parse(found->address, 0, &addr) < 0) {
        return;
    }
    struct discovery_machine *machine = &discovery->machines[discovery->count++];
    snprintf(machine->name, sizeof machine->name, "%s", found->name);
    snprintf(machine->address, sizeof machine->address, "%s", found->address);
    machine->found_by = found->found_by;
}

void gateways_heard(struct gateways *gateways, const char *gateway,
                    const struct message_found *found)
{
    list_each (struct discovery, d, &gateways->discoveries, home) {
        if (d->request != found->request || !gateway_name_equal(d->gateway, gateway)) {
            continue;
        }
        if (found->state == FOUND_MACHINE) {
            add(d, found);
        } else {
            end_as(d, found->state);
        }
        return;
    }
}

/* ---- asking ----------------------------------------------------------------- */

static unsigned running(const struct gateways *gateways)
{
    unsigned count = 0;
    for (const struct list *at = gateways->discoveries.next; at != &gateways->discoveries;
         at = at->next) {
        count++;
    }
    return count;
}

static int pick(const struct gateways *gateways, const char *name, struct gateway **ret_gateway,
                struct why *why)
{
    struct gateway_view view;
    int err = gateways_pick(gateways, name, ret_gateway, why);
    if (err == -EDESTADDRREQ) {
        return why_set(why, err,
                       "Several gateways are online. Say which one is to look, by its name behind "
                       "the command.");
    }
    if (err < 0) {
        return err;
    }
    gateway_view(*ret_gateway, &view);
    if (view.version < message_since(MESSAGE_DISCOVER)) {
        return why_set(why, -EPROTONOSUPPORT,
                       "Gateway %s is of a version that cannot look which machines are in its "
                       "network. Update gateway-agent there.",
                       view.name);
    }
    if (running(gateways) == DISCOVERIES_MAX) {
        return why_set(why, -EBUSY,
                       "Others are looking at the moment. Try again in a few seconds.");
    }
    return 0;
}

static int ask(struct discovery *discovery, struct gateway *gateway, struct why *why)
{
    struct message message = {.type = MESSAGE_DISCOVER};
    message.discover.request = discovery->request;
    int err = gateway_send(gateway, &message);
    return err < 0 ? why_set(why, err, "Gateway %s has just gone. Try again.", discovery->gateway)
                   : 0;
}

int gateways_discover(struct gateways *gateways, const char *name, const struct owner *by,
                      discovery_fn fn, void *arg, struct discovery **ret_discovery, struct why *why)
{
    struct gateway *gateway;
    int err = pick(gateways, name, &gateway, why);
    if (err < 0) {
        return err;
    }
    struct discovery *discovery = calloc(1, sizeof *discovery);
    if (!discovery) {
        return why_set(why, -ENOMEM, "This server is out of memory.");
    }
    list_init(&discovery->home);
    discovery->gateways = gateways;
    discovery->by = *by;
    discovery->fn = fn;
    discovery->arg = arg;
    discovery->request = ++gateways->discovery_count;
    snprintf(discovery->gateway, sizeof discovery->gateway, "%s",
             channel_peer_name(gateway->channel));
    discovery->timer = timer_new(gateways->options.loop, on_timeout, discovery);
    err = discovery->timer ? ask(discovery, gateway, why)
                           : why_set(why, -ENOMEM, "This server is out of memory.");
    if (err < 0) {
        discovery_cancel(discovery);
        return err;
    }
    timer_set(discovery->timer, DISCOVERY_WAIT_MS);
    list_append(&gateways->discoveries, &discovery->home);
    if (ret_discovery) {
        *ret_discovery = discovery;
    }
    return 0;
}
