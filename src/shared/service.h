/* service: how the person at the terminal starts and stops an agent, as far as one can tell. */
#ifndef PAMTUNNEL_SHARED_SERVICE_H
#define PAMTUNNEL_SHARED_SERVICE_H

#include "base/text.h"

/* Where the services take the agents' settings from. */
#define VPS_ENV_FILE     "/etc/pamtunnel/vps-agent.env"
#define GATEWAY_ENV_FILE "/etc/pamtunnel/gateway-agent.env"

struct service {
    const char *unit;     /* of systemd, or an init script: "pamtunnel-vps" */
    const char *program;  /* "vps-agent" */
    const char *env_file; /* that it reads */
};
extern const struct service SERVICE_VPS, SERVICE_GATEWAY;

/*
 * Adds the command line: of systemd or of an init script if the service is installed and
 * env_file is the one that it reads, else of the program itself. env_file may be NULL: the
 * settings are in the environment.
 */
void service_start_command(struct text *text, const struct service *service, const char *env_file);
/* How it is stopped: the command line, or words. */
void service_stop_command(struct text *text, const struct service *service);
/* Adds " --env-file FILE" if that is not the one that the service reads. */
void service_add_env_file(struct text *text, const struct service *service, const char *env_file);
/*
 * Prints how it is started with this env file, or, if `reload` is not NULL, that command in its
 * place; and how it is checked.
 */
void service_print_commands(const struct service *service, const char *env_file,
                            const char *reload);

/*
 * What goes in front of a command for root: "sudo " for whoever came here by sudo, or is not
 * root at all; else "".
 */
const char *service_sudo(void);

#endif
