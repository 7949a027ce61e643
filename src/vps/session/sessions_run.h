/*
 * sessions_run: how the agent starts and feeds its sessions. Those who only use
 * sessions (bot, admin socket) need nothing but sessions.h.
 */
#ifndef PAMTUNNEL_VPS_SESSION_SESSIONS_RUN_H
#define PAMTUNNEL_VPS_SESSION_SESSIONS_RUN_H

#include <stdbool.h>
#include <uv.h>

#include "control/message.h"
#include "vps/admission/known.h"
#include "vps/audit/audit.h"
#include "vps/gateways/gateways.h"
#include "vps/grant/publisher.h"
#include "vps/people/people.h"
#include "vps/session/sessions.h"
#include "vps/settings/settings.h"
#include "vps/store/store.h"

/* All of it outlives the sessions. */
struct sessions_options {
    uv_loop_t *loop;
    const struct log *log;
    const struct vps_settings *settings;
    const struct people *people;
    struct store *store;         /* NULL: addresses are forgotten at a restart */
    struct publisher *publisher; /* NULL: .rdp files are not signed */
};

/* 0, or -errno with why. Takes no gateways yet: see sessions_use_gateways(). */
int sessions_new(const struct sessions_options *options, struct sessions **ret_sessions,
                 struct why *why);
/* Gateways report to the sessions, and sessions ask the gateways: this closes the circle. */
struct gateways_events sessions_gateway_events(struct sessions *sessions);
/* NULL: nothing can be opened (any more). */
void sessions_use_gateways(struct sessions *sessions, struct gateways *gateways);
/*
 * What happens from now on is recorded there, before those who watch are told: call it before
 * anybody watches. The audit outlives the sessions. -ENOSPC as sessions_watch().
 */
int sessions_use_audit(struct sessions *sessions, struct audit *audit);
/* The addresses that its users may come from without a question. */
struct known *sessions_known(struct sessions *sessions);
/* For a watchdog: see relay_is_alive(). */
bool sessions_relay_is_alive(struct sessions *sessions);
/* How many pairs of connections the relay carries at this moment. */
unsigned sessions_relay_pairs(const struct sessions *sessions);
/* Listens at ENTRANCE_PORT, if there is one. 0, or -errno with why. */
int sessions_open_entrance(struct sessions *sessions, struct why *why);
/* Who came there, by enum entrance_result; NULL: there is none. */
const uint64_t *sessions_entrance_counts(const struct sessions *sessions);
/* New sessions take their ports from here. -ENOMEM. */
int sessions_use_ports(struct sessions *sessions, uint16_t first, uint16_t last);
/*
 * The settings are others now. Ends the sessions of users and of gateways that are not in
 * them any more; the others keep what they were opened with.
 */
void sessions_settings_changed(struct sessions *sessions);
/*
 * Decides about the congestion control of connections from now on: by the settings, and by
 * what the system allows now.
 */
void sessions_choose_congestion(struct sessions *sessions);
/* Ends all of them, telling the watchers. */
void sessions_end_all(struct sessions *sessions);
/* All must have ended. Accepts NULL. */
void sessions_free(struct sessions *sessions);

#endif
