/* policy_setting: POLICY_FILE: where the policy is, and what it says. */
#ifndef PAMTUNNEL_VPS_SETTINGS_POLICY_SETTING_H
#define PAMTUNNEL_VPS_SETTINGS_POLICY_SETTING_H

#include "base/setting.h"
#include "vps/policy/policy.h"
#include "vps/settings/user_list.h"

enum { POLICY_PATH_MAX = 200 };

struct policy_setting {
    char path[POLICY_PATH_MAX + 1]; /* "": there is none, and ALLOWED_USERS says who may */
    struct policy *policy;          /* NULL: none, or not read yet; owned by the settings */
};

/* Takes the path, and reads nothing yet. What differs is told by users, and the rest in a word. */
extern const struct setting_type SETTING_POLICY; /* struct policy_setting */

/* Reads the file, if one was named. 0, or -errno with why. */
int policy_setting_read(struct policy_setting *setting, struct why *why);
/*
 * With a policy, users become its people's, since the bot listens to nobody else; whom
 * ALLOWED_USERS had besides becomes a warning of the policy's.
 */
void policy_setting_name_users(struct policy_setting *setting, struct user_list *users);

#endif
