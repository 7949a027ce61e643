/*
 * roster: who may do what by the settings: users (ALLOWED_USERS) and gateways (TUNNEL_KEY).
 * How the lists are written, who is on them, and what differs between two, for a person.
 */
#ifndef PAMTUNNEL_VPS_SETTINGS_ROSTER_H
#define PAMTUNNEL_VPS_SETTINGS_ROSTER_H

#include "base/settings.h"
#include "base/text.h"
#include "vps/settings/settings.h"

/* Parsers of settings; fields are a struct user_list and a struct key_list of the settings. */
int roster_parse_users(const struct setting *s, const char *text, void *field, struct why *why);
int roster_parse_keys(const struct setting *s, const char *text, void *field, struct why *why);

bool roster_has_user(const struct vps_settings *settings, int64_t user);
/* The key of the gateway of this name: its own, or else one without a name. NULL: none. */
const struct gateway_key *roster_key(const struct vps_settings *settings, const char *gateway);
/* The gateway may log in with the same key by both. */
bool roster_keeps_key(const struct vps_settings *before, const struct vps_settings *after,
                      const char *gateway);

/* All of the keys are the same. */
bool roster_same_keys(const struct vps_settings *before, const struct vps_settings *after);

/* For setting_form: of a struct user_list, and of a struct key_list. */
void roster_users_differ(const void *before, const void *after, struct text *text);
void roster_keys_differ(const void *before, const void *after, struct text *text);

#endif
