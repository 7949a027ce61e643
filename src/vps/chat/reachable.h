/* reachable: what a person may reach now, by the policy; the chat offers nothing else. */
#ifndef PAMTUNNEL_VPS_CHAT_REACHABLE_H
#define PAMTUNNEL_VPS_CHAT_REACHABLE_H

#include "shared/target.h"
#include "vps/chat/conversation.h"
#include "vps/policy/policy.h"

/*
 * What the policy says of it; without a policy everything is allowed. target: as it was typed, its
 * port the kind's own if none was.
 */
struct policy_answer reachable_ask(const struct conversation *conversation, int64_t person,
                                   enum kind kind, const struct target *target);
/* The same of a target of the policy, which may not be for this kind. */
struct policy_answer reachable_named(const struct conversation *conversation, int64_t person,
                                     enum kind kind, const struct policy_target *target);

#endif
