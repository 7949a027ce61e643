/*
 * agent: a whole vps-agent from the opening of its ports until a signal ends it:
 * event loop, gateways, sessions, bot, admin socket, and who tells whom.
 */
#ifndef PAMTUNNEL_VPS_AGENT_H
#define PAMTUNNEL_VPS_AGENT_H

#include "base/log.h"
#include "base/why.h"
#include "vps/settings/settings.h"

/*
 * SIGHUP and pamctl have the settings read again, from env_file (may be NULL) and all else
 * that they came from: reload.h. They are changed in place then, and so is the log's level.
 *
 * Runs until SIGTERM or SIGINT, or until Telegram refuses the bot's token. 0, or
 * -errno with a line in why.
 */
int agent_run(struct vps_settings *settings, const char *env_file, struct log *log,
              struct why *why);

#endif
