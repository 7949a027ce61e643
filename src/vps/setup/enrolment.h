/*
 * enrolment: what a person carries over to a gateway, a command and the join string, and
 * the key behind it: from TUNNEL_KEY, or a new one in it.
 */
#ifndef PAMTUNNEL_VPS_SETUP_ENROLMENT_H
#define PAMTUNNEL_VPS_SETUP_ENROLMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/draft.h"
#include "shared/gateway_name.h"
#include "shared/invite.h"
#include "vps/settings/settings.h"
#include "vps/setup/keys.h"
#include "vps/setup/running_agent.h"

struct enrolment {
    struct keys keys;
    char state_dir[SETTING_VALUE_MAX];
    struct running_agent running;
    struct gateway_key key; /* the gateway's; without a name: there is none to hand out */
    bool takes_over;        /* that gateway may have used the key without a name until now */
};

/* Which keys there are, and what the running vps-agent knows of them. 0 or -errno with why. */
int enrolment_begin(struct enrolment *enrolment, const struct draft *draft, struct why *why);
/*
 * Which gateway it is for: `given` on the command line, or, if somebody is there to be asked,
 * what they say; else the one that has not joined yet, or the first. "": none, where gateways
 * are there and nobody wants anything.
 */
int enrolment_name(const struct enrolment *enrolment, const char *given, bool ask,
                   const struct keys_wish *wish, char ret_name[GATEWAY_NAME_MAX + 1],
                   struct why *why);
/*
 * Keys of gateways are the running vps-agent's, in its state file, and TUNNEL_KEY has none: a new
 * one is its to make (running_agent_invite()).
 */
bool enrolment_is_of_agent(const struct enrolment *enrolment);
/* -EPERM with why if the vps-agent that runs has its keys from where they are not seen here. */
int enrolment_check_source(const struct enrolment *enrolment, struct why *why);
/* As keys_for(); -EEXIST for a gateway whose key is in the state file of the running vps-agent. */
int enrolment_choose(struct enrolment *enrolment, const char *gateway, const struct keys_wish *wish,
                     struct why *why);
/*
 * Puts TUNNEL_KEY down if it changes: with `back`, to where it comes from (draft_put_back()).
 * Those that have been used are written without their time.
 */
int enrolment_put(const struct enrolment *enrolment, struct draft *draft, bool back,
                  struct why *why);

/* The join string, for the server that the settings are of. */
int enrolment_string(const struct enrolment *enrolment, const struct vps_settings *settings,
                     char ret_text[INVITE_TEXT_MAX], struct why *why);
/* What the person does with it, on standard error, and the two on standard output. */
void enrolment_print(const struct enrolment *enrolment, const char *string);
/* How vps-agent learns of the key, if it does not know it, on standard error. */
void enrolment_say_what_next(const struct enrolment *enrolment);

void enrolment_wipe(struct enrolment *enrolment);

#endif
