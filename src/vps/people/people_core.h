/* What people (who is let in) and people_run (how that changes) share. */
#ifndef PAMTUNNEL_VPS_PEOPLE_PEOPLE_CORE_H
#define PAMTUNNEL_VPS_PEOPLE_PEOPLE_CORE_H

#include "vps/people/people_run.h"

struct people {
    const struct vps_settings *settings;
    struct people_options options; /* zero until people_begin() */
    struct members *members;
    struct invitations *invitations;
};

#endif
