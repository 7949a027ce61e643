/*
 * zone: what clocks show in one place of the world, read from the system's files of zones, or
 * given as a rule. It is read once and asked without anything of the process: neither TZ nor the
 * C library, which takes a zone that it does not find for UTC without a word.
 */
#ifndef PAMTUNNEL_VPS_POLICY_ZONE_H
#define PAMTUNNEL_VPS_POLICY_ZONE_H

#include <stddef.h>
#include <stdint.h>

#include "base/why.h"

#define ZONE_FOLDER "/usr/share/zoneinfo"

struct zone;

/*
 * "Europe/Berlin", which has to be in `folder`; "UTC"; or a rule as POSIX has it for TZ,
 * "CET-1CEST,M3.5.0,M10.5.0/3", which needs no file. 0, or -errno with a clause in why.
 */
int zone_new(const char *folder, const char *name, struct zone **ret_zone, struct why *why);
/* A file of them (RFC 9636), or -EINVAL. For tests, and for zone_new(). */
int zone_read(const uint8_t *bytes, size_t len, struct zone **ret_zone);
/* Accepts NULL. */
void zone_free(struct zone *zone);
/* What its clocks are ahead of UTC at that moment, in seconds. NULL is UTC. */
int32_t zone_offset(const struct zone *zone, int64_t unix_s);

#endif
