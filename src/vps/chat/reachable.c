#include "vps/chat/reachable.h"

#include "base/clock.h"

struct policy_answer reachable_ask(const struct conversation *conversation, int64_t person,
                                   enum kind kind, const struct target *target)
{
    const struct policy *policy = conversation->settings->policy_file.policy;
    const struct owner owner = transport_owner(conversation->transport, person);
    struct target wanted = *target;
    struct why why;
    if (!policy) {
        return (struct policy_answer){.verdict = POLICY_ALLOWED};
    }
    if (policy_resolve(policy, kind, &wanted, &why) < 0) {
        return (struct policy_answer){.verdict = POLICY_NO_RULE};
    }
    const struct policy_question question = {.user = people_user(conversation->people, &owner),
                                             .kind = kind,
                                             .target = &wanted,
                                             .unix_s = clock_unix()};
    return policy_decide(policy, &question);
}

struct policy_answer reachable_named(const struct conversation *conversation, int64_t person,
                                     enum kind kind, const struct policy_target *target)
{
    struct target wanted = {.port = kind_row(kind)->port};
    struct text host = text_over(wanted.host, sizeof wanted.host);
    text_add(&host, "%s", target->name);
    return target->ports[kind] == 0 ? (struct policy_answer){.verdict = POLICY_NO_RULE}
                                    : reachable_ask(conversation, person, kind, &wanted);
}
