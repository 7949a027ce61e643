/*
 * Two halves side by side, in whichever order they end: reach says whether the target may be
 * dialled and answers, attach has the data channel made and proven. With the second one the tunnel
 * is open.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/tunnel_core.h"

static void opened_one_half(struct tunnel *tunnel)
{
    if (!tunnel->reach && !tunnel->attach) {
        tunnel_start_waiting(tunnel);
    }
}

/* Nobody in the LAN can prove that a name is theirs: so who said so is in the log. */
static void log_who_said_so(const struct tunnel *tunnel, const struct reach_result *result)
{
    char address[ADDR_HOST_MAX], sender[ADDR_HOST_MAX];
    if (result->found_by != TUNNEL_FOUND_BY_DNS) {
        tunnel_log(tunnel, LOG_INFO, "it is %s, said %s by %s",
                   addr_host_text(&result->addrs[0], address),
                   addr_host_text(&result->said_by, sender),
                   lan_protocol_name((enum lan_protocol)result->found_by));
    }
    if (result->rival.sa.sa_family != AF_UNSPEC) {
        tunnel_log(tunnel, LOG_WARN,
                   "%s answers to this name with another address: there are two machines of one "
                   "name, or one of them lies",
                   addr_host_text(&result->rival, address));
    }
}

static void on_reached(void *arg, const struct failure *failure, const struct reach_result *result)
{
    struct tunnel *tunnel = arg;
    tunnel->reach = NULL;
    if (failure) {
        tunnel_fail(tunnel, failure);
        return;
    }
    log_who_said_so(tunnel, result);
    tunnel->found_by = result->found_by;
    tunnel->addrs = malloc(result->count * sizeof *result->addrs);
    if (!tunnel->addrs) {
        struct failure no_memory = failure_of_target(-ENOMEM, tunnel->target);
        tunnel_fail(tunnel, &no_memory);
        return;
    }
    memcpy(tunnel->addrs, result->addrs, result->count * sizeof *result->addrs);
    tunnel->addr_count = result->count;
    if (!tunnel_is_allowed(tunnel)) { /* the list has changed while it was probed */
        struct failure not_allowed = tunnel_not_allowed(tunnel);
        tunnel_fail(tunnel, &not_allowed);
        return;
    }
    opened_one_half(tunnel);
}

static void on_attached(void *arg, const struct failure *failure, int fd)
{
    struct tunnel *tunnel = arg;
    tunnel->attach = NULL;
    if (failure) {
        tunnel_fail(tunnel, failure);
        return;
    }
    tunnel->data = fd;
    if (net_descriptors_are_short(fd)) { /* what runs needs some: pipes, the target's ends */
        struct failure few = failure_make(TUNNEL_BUSY, "the gateway is short of file descriptors");
        tunnel_fail(tunnel, &few);
        return;
    }
    opened_one_half(tunnel);
}

/* Both call back from the loop only, so that the tunnel is whole by then. */
int tunnel_start_opening(struct tunnel *tunnel, const struct message_open_tunnel *command,
                         const struct addr *vps)
{
    struct reach_request reach = {
        .host = command->host,
        .port = command->port,
        .allowed = tunnel->host->allowed,
        .resolver = tunnel->host->resolver,
        .searches = tunnel->host->searches,
        .reachable = tunnel->host->reachable,
        .probe = command->channel == 0, /* later ones: the user is there, and waits */
        .sights = tunnel->host->sights,
        .lines = tunnel->host->lines,
        .kind = command->kind,
        .look = tunnel->tells_sight,
        .identity = command->identity,
    };
    struct attach_request attach = {
        .vps = *vps,
        .way = tunnel->host->way,
        .data_port = command->data_port,
        .session = command->session,
        .channel = command->channel,
        .token = command->token,
    };

    tunnel->reach = reach_start(tunnel->host->loop, &reach, on_reached, tunnel);
    if (!tunnel->reach) {
        return -ENOMEM;
    }
    return attach_start(tunnel->host->loop, &attach, on_attached, tunnel, &tunnel->attach);
}
