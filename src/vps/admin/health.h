/* health: what vps-agent --health says about the agent that runs with the same settings. */
#ifndef PAMTUNNEL_VPS_ADMIN_HEALTH_H
#define PAMTUNNEL_VPS_ADMIN_HEALTH_H

#include <jansson.h>

#include "base/why.h"
#include "vps/settings/settings.h"

/* Its answer to "status", as pamctl gets it: a new reference. -errno with why; see lines_ask(). */
int health_ask(const struct vps_settings *settings, json_t **ret_status, struct why *why);

/*
 * Asks it over its admin socket, and prints one line. 0 if it answers and has heard from
 * Telegram within the last two minutes; -errno otherwise. It is for monitoring: restarting an
 * agent with open sessions gains nothing.
 */
int health_check(const struct vps_settings *settings);

#endif
