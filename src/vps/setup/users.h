/* users: ALLOWED_USERS: who may use the bot, and who else. */
#ifndef PAMTUNNEL_VPS_SETUP_USERS_H
#define PAMTUNNEL_VPS_SETUP_USERS_H

#include <stdbool.h>

#include "base/why.h"
#include "vps/setup/interview.h"
#include "vps/setup/sync_api.h"

/*
 * "42,43" and "43,44" are "42,43,44": those that are there stay as they are written. -EINVAL
 * with why if that cannot be.
 */
int users_add(const char *now, const char *more, char ret_list[SETTING_VALUE_MAX], struct why *why);

struct users_request {
    struct interview *interview;
    const char *option; /* their numbers from the command line, or NULL */
    struct sync_api *sync_api;
    const char *bot_name;
    bool agent_runs; /* a vps-agent, which gets the messages to the bot */
};
/*
 * Puts them into the draft: the first is the owner, who may also show who they are by a message
 * to the bot; if there are users, another one is asked for. 0, or -errno with why.
 */
int users_settle(const struct users_request *request, struct why *why);

#endif
