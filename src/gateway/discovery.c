#include "gateway/discovery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/names/lan_browse.h"

struct discovery {
    struct discovery_options options;
    struct lan_browse *browse; /* NULL: nobody has asked */
    uint32_t request;
    uint64_t rests_until_ms;
};

struct discovery *discovery_new(const struct discovery_options *options)
{
    struct discovery *discovery = calloc(1, sizeof *discovery);
    if (discovery) {
        discovery->options = *options;
    }
    return discovery;
}

void discovery_free(struct discovery *discovery)
{
    if (discovery) {
        lan_browse_cancel(discovery->browse);
        free(discovery);
    }
}

static void send_state(const struct discovery *discovery, uint32_t request, enum found_state state)
{
    struct message message = {.type = MESSAGE_FOUND};
    message.found.request = request;
    message.found.state = (uint8_t)state;
    discovery->options.send(discovery->options.arg, &message);
}

static void send_machine(const struct discovery *discovery, const struct lan_browsed *machine)
{
    struct message message = {.type = MESSAGE_FOUND};
    struct message_found *found = &message.found;
    found->request = discovery->request;
    found->state = FOUND_MACHINE;
    found->found_by = (uint8_t)machine->by;
    snprintf(found->name, sizeof found->name, "%s", machine->name);
    addr_host_text(&machine->addr, found->address);
    discovery->options.send(discovery->options.arg, &message);
}

static void on_browsed(void *arg, const struct lan_browsed *found, unsigned count)
{
    struct discovery *discovery = arg;
    discovery->browse = NULL;
    discovery->rests_until_ms = clock_ms() + DISCOVERY_PAUSE_MS;
    for (unsigned i = 0; i < count; i++) {
        send_machine(discovery, &found[i]);
    }
    send_state(discovery, discovery->request, FOUND_ALL);
    sieve_log(discovery->options.lines, "discoveries", LOG_INFO,
              "the VPS was told the %u names that answer in this network", count);
}

void discovery_ask(struct discovery *discovery, const struct message_discover *command)
{
    if (!*discovery->options.is_on) {
        sieve_log(discovery->options.lines, "discoveries", LOG_WARN,
                  "the VPS asked which machines are in this network: DISCOVER is off, and it was "
                  "told nothing");
        send_state(discovery, command->request, FOUND_OFF);
        return;
    }
    if (discovery->browse || clock_ms() < discovery->rests_until_ms) {
        send_state(discovery, command->request, FOUND_BUSY);
        return;
    }
    discovery->request = command->request;
    discovery->browse = lan_browse_start(discovery->options.loop, on_browsed, discovery);
    if (!discovery->browse) { /* no memory; nothing is found then */
        send_state(discovery, command->request, FOUND_BUSY);
    }
}
