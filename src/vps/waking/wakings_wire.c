/* What gateways are told: to wake a machine, and that nobody waits for it any more. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "vps/gateways/gateways.h"
#include "vps/waking/wakings_core.h"

bool wakings_is_of(const struct waking *waking, const char *gateway)
{
    return gateway_name_equal(waking->request.target.gateway, gateway);
}

static struct gateway *gateway_of(const struct wakings *wakings, const struct waking *waking)
{
    const struct gateways *gateways = sessions_all_gateways(wakings->options.sessions);
    return gateways ? gateways_find(gateways, waking->request.target.gateway) : NULL;
}

int wakings_send(const struct wakings *wakings, const struct waking *waking)
{
    struct gateway *gateway = gateway_of(wakings, waking);
    struct message message = {.type = MESSAGE_WAKE};
    uint64_t passed_s = (clock_ms() - waking->began_ms) / 1000;
    message.wake.session = waking->number;
    message.wake.port = waking->request.target.port;
    message.wake.patience_secs = (uint16_t)(passed_s < WAKING_PATIENCE_S
                                                ? WAKING_PATIENCE_S - passed_s
                                                : 1);
    memcpy(message.wake.mac, waking->mac, MAC_SIZE);
    strcpy(message.wake.host, waking->request.target.host); /* HOST_MAX at most */
    return gateway ? gateway_send(gateway, &message) : -ENOTCONN;
}

const struct waking *wakings_find_same(const struct wakings *wakings, const struct waking *waking)
{
    const struct target *target = &waking->request.target;
    list_each (struct waking, other, &wakings->list, home) {
        if (other != waking && other->state == WAKING_ASLEEP &&
            wakings_is_of(other, target->gateway) &&
            strcasecmp(other->request.target.host, target->host) == 0 &&
            other->request.target.port == target->port) {
            return other;
        }
    }
    return NULL;
}

void wakings_send_close(const struct wakings *wakings, const struct waking *waking)
{
    struct gateway *gateway = gateway_of(wakings, waking);
    const struct message message = {.type = MESSAGE_CLOSE_TUNNEL,
                                    .close_tunnel.session = waking->number};
    if (gateway && !wakings_find_same(wakings, waking)) {
        gateway_send(gateway, &message);
    }
}

/* One of those that share a number stands for all of them. */
static bool is_first_of_number(const struct wakings *wakings, const struct waking *waking)
{
    list_each (struct waking, other, &wakings->list, home) {
        if (other->state == WAKING_ASLEEP && other->number == waking->number) {
            return other == waking;
        }
    }
    return false;
}

void wakings_send_anew(const struct wakings *wakings, const char *gateway)
{
    list_each (struct waking, waking, &wakings->list, home) {
        if (waking->state == WAKING_ASLEEP && wakings_is_of(waking, gateway) &&
            is_first_of_number(wakings, waking)) {
            wakings_send(wakings, waking);
        }
    }
}
