#include "vps/admin/admin_waking.h"

/* ---- list ----------------------------------------------------------------- */

static void add_of_policy(const struct policy *policy, json_t *machines)
{
    for (unsigned i = 0; policy && i < policy->target_count; i++) {
        const struct policy_target *target = &policy->targets[i];
        if (target->mac) {
            json_array_append_new(machines,
                                  json_pack("{s:s, s:s, s:s, s:s, s:s}", "from", "policy", "name",
                                            target->name, "host", target->address, "gateway",
                                            target->gateway, "mac", target->mac));
        }
    }
}

static json_t *of_learnt(const struct mac_entry *entry)
{
    char mac[MAC_TEXT_SIZE];
    return json_pack("{s:s, s:n, s:s, s:s, s:s, s:i, s:I, s:I}", "from", "learnt", "name", "host",
                     entry->host, "gateway", entry->gateway, "mac", mac_text(entry->mac, mac),
                     "port", (int)entry->port, "since", (json_int_t)entry->since, "seen",
                     (json_int_t)entry->seen);
}

json_t *admin_wake_list(struct admin_call *call, const json_t *request)
{
    const struct macs *macs = wakings_macs(call->options->wakings);
    const struct mac_entry *entry;
    json_t *machines = json_array();
    (void)request;
    add_of_policy(people_policy(call->options->people), machines);
    for (unsigned i = 0; (entry = macs_at(macs, i)); i++) {
        json_array_append_new(machines, of_learnt(entry));
    }
    return json_pack("{s:b, s:o}", "ok", 1, "machines", machines);
}
