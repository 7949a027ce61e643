/*
 * figures: what METRICS_LISTEN says of a gateway: the numbers, and what is wrong if something is.
 */
#ifndef PAMTUNNEL_GATEWAY_FIGURES_H
#define PAMTUNNEL_GATEWAY_FIGURES_H

#include "gateway/tunnels.h"
#include "gateway/uplink.h"
#include "shared/monitor.h"

/* What they are of. */
struct figures {
    const struct uplink *uplink;
    const struct tunnels *tunnels;
};

/* The figures outlive the monitor. */
struct monitor_subject figures_subject(struct figures *figures);

#endif
