#include "vps/admin/admin_gateways.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "shared/invite.h"
#include "shared/invite_paper.h"
#include "vps/admin/admin_reply.h"

enum { VALID_MAX_S = 9999 * 86400 }; /* as --valid can say it */

/* What keys are refused for has other words than what sessions are refused for. */
static json_t *not_done(int err, const struct why *why)
{
    const char *word = err == -EEXIST   ? "exists"
                       : err == -EPERM  ? "in_settings"
                       : err == -ENOSPC ? "gateways_limit"
                       : err == -ENOENT ? "no_such_gateway"
                       : err == -EINVAL ? "invalid"
                                        : "failed";
    return reply_error(word, why->text);
}

static const char *name_in(const json_t *request)
{
    return admin_text(request, "gateway");
}

/* ---- list ------------------------------------------------------------------------- */

static void add_online(json_t *reply, const struct gateway *gateway)
{
    json_t *view = reply_gateway(gateway);
    json_object_set_new(reply, "state", json_string("online"));
    json_object_del(view, "since"); /* of the login; "since" is the key's here */
    json_object_update_missing(reply, view);
    json_decref(view);
}

/* Since vps-agent started, it was here; that is said more closely than what the state file has. */
static void add_away(json_t *reply, const struct attendance *attendance, const char *name)
{
    struct attendance_away away;
    for (unsigned at = 0; attendance_next_away(attendance, clock_ms(), &at, &away);) {
        char host[ADDR_HOST_MAX];
        if (away.from && gateway_name_equal(away.name, name)) {
            json_object_set_new(reply, "state", json_string("away"));
            json_object_set_new(reply, "seconds", json_integer((json_int_t)away.seconds));
            json_object_set_new(reply, "address", json_string(addr_host_text(away.from, host)));
        }
    }
}

/* "online" with where from, "away" for how long, or "new": nobody has seen it. */
static void add_presence(json_t *reply, const struct gateways *gateways, const char *name,
                         int64_t seen)
{
    const struct gateway *gateway = gateways_find(gateways, name);
    if (gateway) {
        add_online(reply, gateway);
        return;
    }
    json_object_set_new(reply, "state", json_string(seen ? "away" : "new"));
    if (seen) {
        json_object_set_new(reply, "seconds", json_integer((json_int_t)(clock_unix() - seen)));
    }
    add_away(reply, gateways_attendance(gateways), name);
}

/* The newer one that is to take its place. */
static void add_next(json_t *reply, const struct keyring *keyring, unsigned number,
                     const char *gateway)
{
    struct keyring_view next;
    while (keyring_view(keyring, ++number, &next)) {
        if (next.replaces && gateway_name_equal(next.gateway, gateway)) {
            json_object_set_new(reply, "next",
                                json_pack("{s:I, s:I, s:b}", "since", (json_int_t)next.since,
                                          "until", (json_int_t)next.until, "expired",
                                          next.expired));
        }
    }
}

static json_t *of_key(const struct gateways *gateways, unsigned number,
                      const struct keyring_view *key)
{
    json_t *reply = json_pack("{s:s, s:s, s:I, s:I, s:b, s:I, s:I, s:b}", "name", key->gateway,
                              "key", key_origin_name(key->origin), "since", (json_int_t)key->since,
                              "until", (json_int_t)(key->used ? 0 : key->until), "expired",
                              key->expired, "joined", (json_int_t)key->joined, "seen",
                              (json_int_t)key->seen, "idle", key->idle);
    add_next(reply, gateways_keyring(gateways), number, key->gateway);
    if (key->gateway[0] && !key->idle) {
        add_presence(reply, gateways, key->gateway, key->seen);
    }
    return reply;
}

/* Those without a key of their own are known while they are here. */
static void add_sharing(json_t *list, const struct gateways *gateways)
{
    struct gateway *gateway = NULL;
    while ((gateway = gateways_next(gateways, gateway))) {
        struct gateway_view view;
        gateway_view(gateway, &view);
        if (!keyring_has_own(gateways_keyring(gateways), view.name)) {
            json_t *reply = json_pack("{s:s, s:s}", "name", view.name, "key", "shared");
            add_online(reply, gateway);
            json_array_append_new(list, reply);
        }
    }
}

json_t *admin_gateway_list(struct admin_call *call, const json_t *request)
{
    const struct gateways *gateways = call->options->gateways;
    struct keyring_view key;
    json_t *list = json_array();
    (void)request;
    for (unsigned i = 0; keyring_view(gateways_keyring(gateways), i, &key); i++) {
        if (!key.replaces) {
            json_array_append_new(list, of_key(gateways, i, &key));
        }
    }
    add_sharing(list, gateways);
    return json_pack("{s:b, s:o}", "ok", 1, "gateways", list);
}

/* ---- add, rotate ------------------------------------------------------------------ */

/* "valid", in seconds: until when the string has to be used; 0: whenever. */
static int read_until(const json_t *request, int64_t *ret_until, struct why *why)
{
    const json_t *valid = json_object_get(request, "valid");
    json_int_t seconds = valid ? json_integer_value(valid) : INVITE_VALID_S;
    if ((valid && !json_is_integer(valid)) || seconds < 0 || seconds > VALID_MAX_S) {
        return why_set(why, -EINVAL, "The time for which a join string is valid is 0 to %d s.",
                       VALID_MAX_S);
    }
    *ret_until = seconds ? clock_unix() + seconds : 0;
    return 0;
}

typedef int (*key_fn)(struct gateways *gateways, const struct keyring_entry *entry,
                      const struct owner *by, struct why *why);

/* The string first: a key whose string nobody has seen would be in the way of the next one. */
static int change_key(struct admin_call *call, struct invite *invite, key_fn change,
                      char string[INVITE_TEXT_MAX], struct why *why)
{
    const struct vps_settings *settings = call->options->settings;
    const struct owner by = {OWNER_LOCAL, call->uid};
    const struct keyring_entry entry = {.gateway = invite->gateway,
                                        .key = invite->key,
                                        .origin = KEY_ADDED,
                                        .until = invite->until};
    invite->port = settings->control_port;
    memcpy(invite->host, settings->vps_host, sizeof invite->host);
    if (crypto_random(invite->key, sizeof invite->key) < 0) {
        return why_set(why, -EIO, "The kernel has no random numbers.");
    }
    int err = change(call->options->gateways, &entry, &by, why);
    if (err == 0 && invite_encode(invite, string) < 0) {
        err = why_set(why, -EIO, "No join string can be made; is VPS_HOST what it should be?");
    }
    return err;
}

static json_t *invite_gateway(struct admin_call *call, const json_t *request, key_fn change,
                              const char *said)
{
    char string[INVITE_TEXT_MAX] = "";
    struct invite invite = {0};
    struct why why = {""};
    json_t *reply;
    /* One that is too long is no name: the keyring says what is. */
    struct text name = text_over(invite.gateway, sizeof invite.gateway);
    text_add(&name, "%s", strlen(name_in(request)) > GATEWAY_NAME_MAX ? "" : name_in(request));
    int err = read_until(request, &invite.until, &why);
    err = err < 0 ? err : change_key(call, &invite, change, string, &why);
    if (err < 0) {
        reply = not_done(err, &why);
    } else {
        log_info(call->options->log, "uid %u: gateway %s %s", (unsigned)call->uid, invite.gateway,
                 said);
        reply = json_pack("{s:b, s:s, s:s, s:I}", "ok", 1, "gateway", invite.gateway, "join",
                          string, "until", (json_int_t)invite.until);
    }
    crypto_wipe(&invite, sizeof invite);
    crypto_wipe(string, sizeof string);
    return reply;
}

json_t *admin_gateway_add(struct admin_call *call, const json_t *request)
{
    json_t *reply = invite_gateway(call, request, gateways_add, "was added");
    struct keyring_view key;
    const struct keyring *keyring = gateways_keyring(call->options->gateways);
    int other = keyring_find(keyring, name_in(request), 1);
    /* It may have come with the key of all until now: a person has to know that this ends. */
    if (json_is_true(json_object_get(reply, "ok"))) {
        json_object_set_new(reply, "shared",
                            json_boolean(other >= 0 &&
                                         keyring_view(keyring, (unsigned)other, &key) &&
                                         !key.gateway[0]));
    }
    return reply;
}

json_t *admin_gateway_rotate(struct admin_call *call, const json_t *request)
{
    json_t *reply = invite_gateway(call, request, gateways_rotate, "is to get another key");
    if (json_is_true(json_object_get(reply, "ok"))) {
        /* The one before, if its gateway has ever come with it. */
        json_object_set_new(reply, "replaces",
                            json_boolean(keyring_find(gateways_keyring(call->options->gateways),
                                                      name_in(request), 1) >= 0));
    }
    return reply;
}

/* ---- remove ----------------------------------------------------------------------- */

json_t *admin_gateway_remove(struct admin_call *call, const json_t *request)
{
    const struct admin_options *options = call->options;
    const struct owner by = {OWNER_LOCAL, call->uid};
    const char *name = name_in(request);
    struct why why = {""};
    unsigned before = sessions_count(options->sessions);
    int err = gateways_expel(options->gateways, name, &by, &why);
    if (err < 0) {
        return not_done(err, &why);
    }
    log_info(options->log, "uid %u: gateway %s was removed", (unsigned)call->uid, name);
    return json_pack("{s:b, s:s, s:i, s:b}", "ok", 1, "gateway", name, "sessions",
                     (int)(before - sessions_count(options->sessions)), "still",
                     (int)keyring_has(gateways_keyring(options->gateways), name));
}
