/* policy_sections: what stands below the keys of a policy file, read into reader->policy. */
#ifndef PAMTUNNEL_VPS_POLICY_POLICY_SECTIONS_H
#define PAMTUNNEL_VPS_POLICY_POLICY_SECTIONS_H

#include "vps/policy/policy_schema.h"

/* Readers of a key (policy_schema.h); `into` is not used. */
int policy_read_users(struct reader *reader, const struct node *node, void *into);
int policy_read_targets(struct reader *reader, const struct node *node, void *into);
/* After the other two, since rules name what is in those. */
int policy_read_rules(struct reader *reader, const struct node *node, void *into);

#endif
