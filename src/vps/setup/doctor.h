/* doctor: vps-agent --doctor: is everything as it has to be, and what to do if not. */
#ifndef PAMTUNNEL_VPS_SETUP_DOCTOR_H
#define PAMTUNNEL_VPS_SETUP_DOCTOR_H

#include <stdbool.h>

#include "shared/checkup.h"
#include "vps/settings/settings.h"

/*
 * env_file may be NULL: the environment, and the installed file if it is not complete.
 * local: as --local, without Telegram. Returns the exit status: 0 all is well, 1 something
 * is not, 2 the settings are wrong.
 */
int doctor_run(const char *env_file, bool local);

/* Its parts: what is in doctor_net.c. */
void doctor_check_host(struct checkup *checkup, const struct vps_settings *settings);
void doctor_check_ports(struct checkup *checkup, const struct vps_settings *settings,
                        bool agent_runs);

#endif
