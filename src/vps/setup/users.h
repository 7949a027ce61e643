/* users: the value of ALLOWED_USERS, and more of them. */
#ifndef PAMTUNNEL_VPS_SETUP_USERS_H
#define PAMTUNNEL_VPS_SETUP_USERS_H

#include "base/settings.h"
#include "base/why.h"

/*
 * "42,43" and "43,44" are "42,43,44": those that are there stay as they are written. -EINVAL
 * with why if that cannot be.
 */
int users_add(const char *now, const char *more, char ret_list[SETTING_VALUE_MAX], struct why *why);

#endif
