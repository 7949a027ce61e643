#include "vps/admin/admin_discovery.h"

#include <errno.h>
#include <stdlib.h>

#include "vps/admin/admin_reply.h"
#include "vps/gateways/gateways_discovery.h"

/* While the gateway looks. */
struct inquiry {
    struct later *later;
    struct discovery *discovery;
};

static void on_gone(void *arg)
{
    struct inquiry *inquiry = arg;
    discovery_cancel(inquiry->discovery);
    free(inquiry);
}

static json_t *of_machine(const struct discovery_machine *machine)
{
    static const char *const WORDS[] = {[TUNNEL_FOUND_BY_MDNS] = "mdns",
                                        [TUNNEL_FOUND_BY_LLMNR] = "llmnr",
                                        [TUNNEL_FOUND_BY_NETBIOS] = "netbios"};
    bool known = machine->found_by < sizeof WORDS / sizeof *WORDS && WORDS[machine->found_by];
    return json_pack("{s:s, s:s, s:s}", "name", machine->name, "address", machine->address,
                     "found_by", known ? WORDS[machine->found_by] : "?");
}

static void on_discovered(void *arg, const struct discovery_result *result)
{
    struct inquiry *inquiry = arg;
    struct later *later = inquiry->later;
    json_t *reply = result->failure ? reply_error("not_discovered", result->failure) : NULL;
    free(inquiry);
    if (!reply) {
        json_t *machines = json_array();
        for (unsigned i = 0; i < result->count; i++) {
            json_array_append_new(machines, of_machine(&result->machines[i]));
        }
        reply = json_pack("{s:b, s:s, s:o}", "ok", 1, "gateway", result->gateway, "machines",
                          machines);
    }
    later_say(later, reply);
}

json_t *admin_discover(struct admin_call *call, const json_t *request)
{
    const char *gateway = json_string_value(json_object_get(request, "gateway"));
    const struct owner by = {OWNER_LOCAL, call->uid};
    struct inquiry *inquiry = calloc(1, sizeof *inquiry);
    struct why why;
    if (!inquiry) {
        return NULL;
    }
    int err = gateways_discover(call->options->gateways, gateway ? gateway : "", &by, on_discovered,
                                inquiry, &inquiry->discovery, &why);
    if (err < 0) {
        free(inquiry);
        return reply_errno(err, why.text);
    }
    inquiry->later = admin_later(call, on_gone, inquiry);
    if (!inquiry->later) {
        on_gone(inquiry);
    }
    return NULL;
}
