/*
 * policy_file: the file that POLICY_FILE names: its keys, and what each takes
 * (docs/policy.md has them for people).
 */
#ifndef PAMTUNNEL_VPS_POLICY_POLICY_FILE_H
#define PAMTUNNEL_VPS_POLICY_POLICY_FILE_H

#include <stddef.h>

#include "vps/policy/policy.h"

/*
 * zones: ZONE_FOLDER. 0, or -errno with "FILE:LINE: the offending text, and what is expected" in
 * why. What is doubtful, such as a rule that nothing reaches, is among the policy's warnings.
 */
int policy_parse(const char *name, const char *text, size_t len, const char *zones,
                 struct policy **ret_policy, struct why *why);
/* Reads the file. -EPERM if others than root and this process's user can change it. */
int policy_load(const char *path, struct policy **ret_policy, struct why *why);

#endif
