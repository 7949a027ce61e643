/*
 * handout: what a person carries over to a gateway, a command and the join string, and
 * the key behind it: from TUNNEL_KEY, or a new one in it.
 */
#ifndef PAMTUNNEL_VPS_SETUP_HANDOUT_H
#define PAMTUNNEL_VPS_SETUP_HANDOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/gateway_name.h"
#include "shared/invite.h"
#include "vps/settings/settings.h"
#include "vps/setup/keys.h"
#include "vps/setup/running.h"
#include "vps/setup/sheet.h"

struct handout {
    struct keys keys;
    char state_dir[SETTING_VALUE_MAX];
    struct running running;
    struct gateway_key key; /* the gateway's; without a name: there is none to hand out */
    bool takes_over;        /* that gateway may have used the key without a name until now */
};

/* Which keys there are, and what the running vps-agent knows of them. 0 or -errno with why. */
int handout_begin(struct handout *handout, const struct sheet *sheet, struct why *why);
/*
 * Which gateway it is for: `given` on the command line, or, if somebody is there to be asked,
 * what they say; else the one that has not joined yet, or the first. "": none, where gateways
 * are there and nobody wants anything.
 */
int handout_name(const struct handout *handout, const char *given, bool ask,
                 const struct keys_wish *wish, char ret_name[GATEWAY_NAME_MAX + 1],
                 struct why *why);
/* -EPERM with why if the vps-agent that runs has its keys from where they are not seen here. */
int handout_check_source(const struct handout *handout, struct why *why);
/* As keys_for(). */
int handout_choose(struct handout *handout, const char *gateway, const struct keys_wish *wish,
                   struct why *why);
/*
 * Puts TUNNEL_KEY down if it changes: with `back`, to where it comes from (sheet_put_back()).
 * Those that have been used are written without their time.
 */
int handout_put(const struct handout *handout, struct sheet *sheet, bool back, struct why *why);

/* The join string, for the server that the settings are of. */
int handout_string(const struct handout *handout, const struct vps_settings *settings,
                   char ret_text[INVITE_TEXT_MAX], struct why *why);
/* What the person does with it, on standard error, and the two on standard output. */
void handout_print(const struct handout *handout, const char *string);
/* How vps-agent learns of the key, if it does not know it, on standard error. */
void handout_say_what_next(const struct handout *handout);

/* "24h", "30m", "7d", or "0" for ever; 0 or -EINVAL with why. */
int handout_read_span(const char *text, int64_t *ret_seconds, struct why *why);

void handout_wipe(struct handout *handout);

#endif
