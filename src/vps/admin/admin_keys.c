#include "vps/admin/admin_keys.h"

#include <errno.h>
#include <string.h>

#include "vps/admin/admin_reply.h"

/* ---- list ----------------------------------------------------------------- */

static json_t *of_identity(const struct identity *identity)
{
    char text[IDENTITY_TEXT_MAX], sha1[2 * IDENTITY_SHA1_SIZE + 1];
    json_t *reply = json_pack("{s:s, s:s}", "fingerprint", identity_text(identity, text),
                              "algorithm", identity_algorithm(identity));
    if (!identity->key) {
        crypto_hex(identity->sha1, sizeof identity->sha1, sha1);
        json_object_set_new(reply, "sha1", json_string(sha1));
        json_object_set_new(reply, "valid_from", json_integer(identity->from));
        json_object_set_new(reply, "valid_until", json_integer(identity->until));
    }
    return reply;
}

static json_t *of_pin(const struct admin_call *call, const struct pin *pin)
{
    const struct policy *policy = people_policy(call->options->people);
    json_t *reply = of_identity(&pin->identity);
    json_object_set_new(reply, "gateway", json_string(pin->gateway));
    json_object_set_new(reply, "host", json_string(pin->host));
    json_object_set_new(reply, "port", json_integer(pin->port));
    json_object_set_new(reply, "kind", json_string(kind_name(pin->kind)));
    json_object_set_new(reply, "since", json_integer(pin->since));
    json_object_set_new(reply, "looked", json_integer(pin->looked));
    json_object_set_new(reply, "by_policy",
                        json_boolean(policy && policy_shown(policy, pin->kind, pin->gateway,
                                                            pin->host, pin->port)));
    return reply;
}

json_t *admin_key_list(struct admin_call *call, const json_t *request)
{
    const struct pins *pins = sessions_pins(call->options->sessions);
    json_t *keys = json_array(), *doubts = json_array();
    const struct pin *pin;
    const struct pin_doubt *doubt;
    (void)request;
    for (unsigned i = 0; (pin = pins_at(pins, i)); i++) {
        json_array_append_new(keys, of_pin(call, pin));
    }
    for (unsigned i = 0; (doubt = pins_doubt_at(pins, i)); i++) {
        json_t *reply = of_pin(call, &doubt->pin);
        json_object_set_new(reply, "id", json_string(doubt->id));
        json_object_set_new(reply, "shown", of_identity(&doubt->shown));
        json_array_append_new(doubts, reply);
    }
    return json_pack("{s:b, s:o, s:o}", "ok", 1, "keys", keys, "doubts", doubts);
}

/* ---- deciding -------------------------------------------------------------- */

static json_t *decide(struct admin_call *call, const json_t *request, bool accept)
{
    const struct owner by = {OWNER_LOCAL, call->uid};
    const char *id = admin_text(request, "doubt");
    struct why why;
    int err = sessions_decide_key(call->options->sessions, id, accept, &by, &why);
    if (err < 0 && err != -ENOENT) {
        return reply_errno(err, why.text);
    }
    if (err < 0) {
        return reply_error("no_such_doubt", "Nothing waits for an answer under that ID; pamctl key "
                                            "list shows what does.");
    }
    return json_pack("{s:b, s:s}", "ok", 1, "doubt", id);
}

json_t *admin_key_accept(struct admin_call *call, const json_t *request)
{
    return decide(call, request, true);
}

json_t *admin_key_leave(struct admin_call *call, const json_t *request)
{
    return decide(call, request, false);
}

json_t *admin_key_forget(struct admin_call *call, const json_t *request)
{
    const struct owner by = {OWNER_LOCAL, call->uid};
    struct target target;
    struct why why;
    unsigned forgotten = 0;
    int err = target_parse(admin_text(request, "target"), kind_row(KIND_SSH)->port, &target, &why);
    if (err < 0) {
        return reply_errno(err, why.text);
    }
    err = sessions_forget_keys(call->options->sessions, &target, &by, &forgotten);
    if (err < 0) {
        return reply_error("not_known", "No key of that machine is known; pamctl key list shows "
                                        "those that are, as GATEWAY/HOST:PORT.");
    }
    return json_pack("{s:b, s:i}", "ok", 1, "forgotten", (int)forgotten);
}
