/*
 * agent: a whole gateway-agent from its first try to connect until a signal ends
 * it: the event loop, the uplink and the tunnels, and who tells whom.
 */
#ifndef PAMTUNNEL_GATEWAY_AGENT_H
#define PAMTUNNEL_GATEWAY_AGENT_H

#include "base/log.h"
#include "base/why.h"
#include "gateway/credentials.h"
#include "gateway/settings.h"

/*
 * Runs until SIGTERM or SIGINT, with credentials that are prepared, and change when it is paired.
 * 0, or -errno with a line in why if it could not start. SIGHUP has the settings read again, from
 * env_file (may be NULL) and all else that they came from: they are changed in place then, and so
 * is the log's level.
 */
int agent_run(struct gateway_settings *settings, struct credentials *credentials,
              const char *env_file, struct log *log, struct why *why);

#endif
