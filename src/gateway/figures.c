#include "gateway/figures.h"

static const char *const REASONS[] = {
    [TUNNEL_UNKNOWN_NAME] = "unknown_name",
    [TUNNEL_REFUSED] = "refused",
    [TUNNEL_NO_ROUTE] = "no_route",
    [TUNNEL_TIMED_OUT] = "timed_out",
    [TUNNEL_NOT_ALLOWED] = "not_allowed",
    [TUNNEL_DATA_UNREACHABLE] = "data_port",
    [TUNNEL_BUSY] = "busy",
    [TUNNEL_ERROR] = "error",
    [TUNNEL_NAME_SERVERS] = "name_servers",
    [TUNNEL_IDENTITY] = "identity",
};
_Static_assert(sizeof REASONS / sizeof *REASONS == TUNNEL_REASON_MAX + 1, "a reason has no word");

static const char *const WAYS[] = {
    [TUNNEL_FOUND_BY_DNS] = "dns",
    [TUNNEL_FOUND_BY_MDNS] = "mdns",
    [TUNNEL_FOUND_BY_LLMNR] = "llmnr",
    [TUNNEL_FOUND_BY_NETBIOS] = "netbios",
};
_Static_assert(sizeof WAYS / sizeof *WAYS == TUNNEL_FOUND_BY_MAX + 1, "a way has no word");

static void measure_uplink(const struct uplink *uplink, struct metrics *metrics)
{
    metrics_one(metrics, METRICS_GAUGE, "pamtunnel_uplink_up",
                "1 while this gateway is connected to the VPS.", uplink_is_open(uplink));
    metrics_family(metrics, METRICS_GAUGE, "pamtunnel_uplink_round_trip_seconds",
                   "The last round trip to the VPS and back; absent before one was measured.");
    if (uplink_rtt_us(uplink) > 0) {
        metrics_add_us(metrics, uplink_rtt_us(uplink), NULL);
    }
    metrics_one(metrics, METRICS_COUNTER, "pamtunnel_uplink_logins",
                "Logins of this gateway at the VPS.", uplink_logins(uplink));
}

static void measure_dials(const struct tunnels_tally *tally, struct metrics *metrics)
{
    metrics_family(metrics, METRICS_COUNTER, "pamtunnel_dials",
                   "Targets that were connected, and tunnels that failed, by reason.");
    metrics_add(metrics, tally->connected, "result", "connected", NULL);
    for (unsigned i = 1; i <= TUNNEL_REASON_MAX; i++) {
        metrics_add(metrics, tally->failed[i], "result", REASONS[i], NULL);
    }
}

static void measure_names(const struct tunnels_tally *tally, struct metrics *metrics)
{
    metrics_family(metrics, METRICS_COUNTER, "pamtunnel_targets_found",
                   "Targets that answered, by what knew where they are: name servers (or no name "
                   "was needed), or a machine in the network.");
    for (unsigned i = 0; i <= TUNNEL_FOUND_BY_MAX; i++) {
        metrics_add(metrics, tally->found[i], "by", WAYS[i], NULL);
    }
}

static void measure_tunnels(const struct tunnels *tunnels, struct metrics *metrics)
{
    const struct tunnels_tally tally = tunnels_tally(tunnels);
    metrics_one(metrics, METRICS_GAUGE, "pamtunnel_tunnels", "Tunnels in any state.",
                tunnels_count(tunnels));
    metrics_one(metrics, METRICS_GAUGE, "pamtunnel_relay_pairs",
                "Pairs of connections that the relay carries.", tally.running);
    measure_dials(&tally, metrics);
    measure_names(&tally, metrics);
    metrics_family(metrics, METRICS_COUNTER, "pamtunnel_relayed_bytes",
                   "Bytes that were carried, by direction.");
    metrics_add(metrics, tally.bytes_to_target, "to", "target", NULL);
    metrics_add(metrics, tally.bytes_to_client, "to", "client", NULL);
}

static void measure(void *arg, struct metrics *metrics)
{
    const struct figures *figures = arg;
    measure_uplink(figures->uplink, metrics);
    measure_tunnels(figures->tunnels, metrics);
}

static void complain(void *arg, struct text *text)
{
    const struct figures *figures = arg;
    if (!uplink_is_open(figures->uplink)) {
        text_add(text, "not connected to the VPS\n");
    }
}

struct monitor_subject figures_subject(struct figures *figures)
{
    return (struct monitor_subject){
        .program = "gateway-agent", .measure = measure, .complain = complain, .arg = figures};
}
