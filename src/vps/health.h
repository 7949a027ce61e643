/* health: what vps-agent --health says about the agent that runs with the same settings. */
#ifndef PAMTUNNEL_VPS_HEALTH_H
#define PAMTUNNEL_VPS_HEALTH_H

#include "vps/settings.h"

/*
 * Asks it over its admin socket, and prints one line. 0 if it answers: that
 * Telegram or the gateways cannot be reached is said, but no reason to restart an
 * agent with open sessions. -errno otherwise.
 */
int health_check(const struct vps_settings *settings);

#endif
