/* user_list: ALLOWED_USERS, the Telegram users that the bot obeys. */
#ifndef PAMTUNNEL_VPS_SETTINGS_USER_LIST_H
#define PAMTUNNEL_VPS_SETTINGS_USER_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/setting.h"

/* In ALLOWED_USERS, and in a policy. */
enum { USERS_MAX = 64, USER_LIST_SIZE = 1024 };

struct user_list {
    int64_t ids[USER_LIST_SIZE]; /* in the order in which they are written */
    unsigned count;
    bool is_of_policy; /* they are the policy's, and not the env file's */
};

extern const struct setting_type SETTING_USER_LIST; /* struct user_list */

bool user_list_has(const struct user_list *users, int64_t user);

#endif
