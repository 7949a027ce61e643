/* policy_doubts: what is allowed in a policy, but hardly meant so. */
#ifndef PAMTUNNEL_VPS_POLICY_POLICY_DOUBTS_H
#define PAMTUNNEL_VPS_POLICY_POLICY_DOUBTS_H

#include "vps/policy/policy.h"

/*
 * Adds warnings to a policy that was read from the file of that name: a rule that no request
 * reaches, since one above it takes them all; a group without anybody in it. -ENOMEM.
 */
int policy_find_doubts(struct policy *policy, const char *name);

#endif
