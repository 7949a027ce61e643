/*
 * figures: what METRICS_LISTEN says of a vps-agent: the numbers, and what is wrong if something is.
 * It watches the sessions and wakings, and asks the other parts when somebody asks it.
 */
#ifndef PAMTUNNEL_VPS_FIGURES_FIGURES_H
#define PAMTUNNEL_VPS_FIGURES_FIGURES_H

#include "shared/monitor.h"
#include "vps/consent/holds.h"
#include "vps/gateways/gateways.h"
#include "vps/session/sessions_run.h"
#include "vps/store/store.h"
#include "vps/transport/transport.h"
#include "vps/waking/wakings.h"

struct figures;

/* All of it outlives the figures. */
struct figures_options {
    struct sessions *sessions;
    struct holds *holds;     /* may be NULL */
    struct wakings *wakings; /* may be NULL */
    const struct gateways *gateways;
    struct store *store;               /* may be NULL */
    const struct transport *transport; /* NULL with --local */
};

/* A bot that has heard nothing for longer does not answer people who write to it. */
enum { FIGURES_DEAF_MAX_S = 60 };

/* 0 or -errno. */
int figures_new(const struct figures_options *options, struct figures **ret_figures);
/* The figures outlive the monitor. */
struct monitor_subject figures_subject(struct figures *figures);
/* Accepts NULL. */
void figures_free(struct figures *figures);

#endif
