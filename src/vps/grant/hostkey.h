/*
 * hostkey: the name under which ssh keeps a target's host key (HostKeyAlias): one for each
 * machine although public ports change, and never one for two.
 *
 *     [GATEWAY/]HOST[+PORT]
 *
 * in lower case, the port unless it is 22. Neither '/' nor '+' is in a gateway's name or a
 * host, so no two machines read the same. Nothing in it means anything to sh, zsh, cmd or
 * PowerShell, or in known_hosts.
 */
#ifndef PAMTUNNEL_VPS_GRANT_HOSTKEY_H
#define PAMTUNNEL_VPS_GRANT_HOSTKEY_H

#include <stdint.h>

#include "base/host.h"
#include "shared/gateway_name.h"

enum { HOSTKEY_ALIAS_SIZE = GATEWAY_NAME_MAX + 1 + HOST_MAX + 1 + 5 + 1 };

/* gateway: "" if there is but one. dst takes HOSTKEY_ALIAS_SIZE. */
void hostkey_alias(const char *gateway, const char *host, uint16_t port, char *dst);

#endif
