/* service: how the person at the terminal starts and stops an agent, as far as one can tell. */
#ifndef PAMTUNNEL_SHARED_SERVICE_H
#define PAMTUNNEL_SHARED_SERVICE_H

#include "base/text.h"

/* Where the services take the agents' settings from. */
#define VPS_ENV_FILE     "/etc/pamtunnel/vps-agent.env"
#define GATEWAY_ENV_FILE "/etc/pamtunnel/gateway-agent.env"

/*
 * Adds the command line: of systemd or of an init script if the service of this name is
 * installed and env_file is the one that it reads, else of the program itself. env_file may
 * be NULL: the settings are in the environment.
 */
void service_start_command(struct text *text, const char *service, const char *program,
                           const char *env_file);

/* How it is stopped: the command line, or words. */
void service_stop_command(struct text *text, const char *service);

/*
 * What goes in front of a command for root: "sudo " for whoever came here by sudo, or is not
 * root at all; else "".
 */
const char *service_sudo(void);

#endif
