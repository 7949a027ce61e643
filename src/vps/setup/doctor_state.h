/* doctor_state: what --doctor says of the state file. */
#ifndef PAMTUNNEL_VPS_SETUP_DOCTOR_STATE_H
#define PAMTUNNEL_VPS_SETUP_DOCTOR_STATE_H

#include "shared/checkup.h"
#include "vps/settings/settings.h"

/* Looks at it from outside: an agent that uses it is not disturbed, and nothing is made. */
void doctor_check_state(struct checkup *checkup, const struct vps_settings *settings);

#endif
