/* doctor_keys: what --doctor says of the keys in TUNNEL_KEY that have a time. */
#ifndef PAMTUNNEL_VPS_SETUP_DOCTOR_KEYS_H
#define PAMTUNNEL_VPS_SETUP_DOCTOR_KEYS_H

#include "shared/checkup.h"
#include "vps/settings/settings.h"

void doctor_check_keys(struct checkup *checkup, const struct vps_settings *settings);

#endif
