/*
 * gateway_reports: brings what gateways say, and what happens to them, to the sessions that it
 * concerns, and to those who watch.
 */
#ifndef PAMTUNNEL_VPS_SESSION_GATEWAY_REPORTS_H
#define PAMTUNNEL_VPS_SESSION_GATEWAY_REPORTS_H

#include "vps/gateways/gateways.h"
#include "vps/session/services.h"
#include "vps/session/table.h"

/* All of it outlives the gateways. */
struct gateway_reports {
    const struct services *services;
    const struct table *table;
};

/* What the gateways are to call; `reports` stays where it is. */
struct gateways_events gateway_reports_events(struct gateway_reports *reports);

#endif
