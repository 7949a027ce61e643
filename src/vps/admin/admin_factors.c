#include "vps/admin/admin_factors.h"

#include <errno.h>
#include <string.h>

#include "base/crypto.h"
#include "base/nearest.h"
#include "base/text.h"
#include "vps/admin/admin_reply.h"

static const char *text_of(const json_t *request, const char *key)
{
    const char *text = json_string_value(json_object_get(request, key));
    return text ? text : "";
}

/* ---- whose ----------------------------------------------------------------------- */

/* "telegram:42", or anything that is no name. */
static int take_number(const struct people *people, const char *typed, char name[PEOPLE_NAME_MAX],
                       struct why *why)
{
    struct owner owner;
    if (owner_parse(typed, &owner) < 0) {
        return why_set(why, -ENOENT,
                       "There is no policy with names, and so people are known by their numbers: "
                       "pamctl totp telegram:42");
    }
    if (!people_has(people, &owner)) {
        return why_set(why, -ENOENT, "%s is nobody whom this server lets in.", typed);
    }
    people_name(people, &owner, name);
    return 0;
}

static int not_in_policy(const struct policy *policy, const char *typed, struct why *why)
{
    struct nearest nearest = nearest_to(typed);
    for (unsigned i = 0; i < policy->user_count; i++) {
        nearest_try(&nearest, policy->users[i].name);
    }
    return why_set(why, -ENOENT, "Nobody in the policy is called %.60s%s%s%s", typed,
                   nearest.word ? "; did you mean " : ".", nearest.word ? nearest.word : "",
                   nearest.word ? "?" : "");
}

/* The name of somebody who is let in, or of whoever has a second factor all the same. */
static int read_person(const struct admin_call *call, const json_t *request,
                       char name[PEOPLE_NAME_MAX], struct why *why)
{
    const struct people *people = call->options->people;
    const struct policy *policy = people_policy(people);
    const char *typed = text_of(request, "person");
    struct factor_view view;
    struct owner owner;
    bool is_name = factors_view(call->options->factors, typed, &view) ||
                   (policy && policy_user_named(policy, typed));
    if (is_name && strlen(typed) < PEOPLE_NAME_MAX) {
        strcpy(name, typed);
        return 0;
    }
    return policy && owner_parse(typed, &owner) < 0 ? not_in_policy(policy, typed, why)
                                                    : take_number(people, typed, name, why);
}

/* ---- enrolling ----------------------------------------------------------------------- */

static json_t *make_secret(const struct admin_call *call, const char *person)
{
    struct factors *factors = call->options->factors;
    uint8_t secret[TOTP_SECRET_SIZE];
    char letters[TOTP_SECRET_TEXT_MAX], uri[TOTP_URI_MAX];
    struct factor_view view;
    if (factors_enrol(factors, person, secret) < 0) {
        return reply_error("failed", "The server is out of memory or of random numbers.");
    }
    json_t *reply = json_pack("{s:b, s:s, s:s, s:s, s:b}", "ok", 1, "person", person, "secret",
                              totp_secret_text(secret, letters), "uri",
                              totp_uri(secret, person, uri), "replaces",
                              (int)factors_view(factors, person, &view));
    crypto_wipe(secret, sizeof secret);
    crypto_wipe(letters, sizeof letters);
    crypto_wipe(uri, sizeof uri);
    return reply;
}

static json_t *confirm(struct admin_call *call, const char *person, const char *typed)
{
    const struct owner by = {OWNER_LOCAL, call->uid};
    uint32_t code;
    if (!totp_parse(typed, &code)) {
        return reply_error("wrong_code", "A code is six digits.");
    }
    switch (
        factors_confirm(call->options->factors, person, code, &by, call->kept, call->kept_arg)) {
    case FACTOR_RIGHT:
        call->promised = json_pack("{s:b, s:s}", "ok", 1, "person", person);
        return NULL;
    case FACTOR_WRONG:
        return reply_error("wrong_code",
                           "That is not what the app has to show now. If it is the code that it "
                           "shows, the clock of the phone or of this server is wrong.");
    case FACTOR_NONE:
        return reply_error("too_late", "That took too long: begin again.");
    default:
        return reply_error("not_kept", "The state file cannot be written: the log of vps-agent "
                                       "says why.");
    }
}

json_t *admin_totp(struct admin_call *call, const json_t *request)
{
    char person[PEOPLE_NAME_MAX];
    struct why why = {""};
    const char *code = json_string_value(json_object_get(request, "code"));
    if (read_person(call, request, person, &why) < 0) {
        return reply_error("no_such_person", why.text);
    }
    return code ? confirm(call, person, code) : make_secret(call, person);
}

/* ---- list -------------------------------------------------------------------------------- */

static json_t *of_factor(const struct factor_view *view)
{
    return json_pack("{s:s, s:b, s:I, s:i, s:b, s:i}", "person", view->person, "enrolled", 1,
                     "since", (json_int_t)view->since, "locked_for", (int)view->locked_s,
                     "needs_unlock", (int)view->used_up, "tries_left", (int)view->tries_left);
}

json_t *admin_totp_list(struct admin_call *call, const json_t *request)
{
    const struct policy *policy = people_policy(call->options->people);
    struct factors *factors = call->options->factors;
    struct factor_view view;
    json_t *list = json_array();
    (void)request;
    for (const char *last = NULL; factors_next(factors, last, &view); last = view.person) {
        json_array_append_new(list, of_factor(&view));
    }
    for (unsigned i = 0; policy && i < policy->user_count; i++) {
        if (!factors_view(factors, policy->users[i].name, &view)) {
            json_array_append_new(
                list, json_pack("{s:s, s:b}", "person", policy->users[i].name, "enrolled", 0));
        }
    }
    return json_pack("{s:b, s:o}", "ok", 1, "people", list);
}

/* ---- remove, unlock ------------------------------------------------------------------------ */

static json_t *change(struct admin_call *call, const json_t *request,
                      int (*verb)(struct factors *factors, const char *person,
                                  const struct owner *by))
{
    const struct owner by = {OWNER_LOCAL, call->uid};
    char person[PEOPLE_NAME_MAX];
    struct why why = {""};
    if (read_person(call, request, person, &why) < 0) {
        return reply_error("no_such_person", why.text);
    }
    int err = verb(call->options->factors, person, &by);
    if (err == -ENOENT) {
        why_set(&why, err, "%s has no second factor; see pamctl totp list.", person);
        return reply_error("not_enrolled", why.text);
    }
    return err < 0 ? reply_error("not_kept",
                                 "The state file cannot be written: the log of vps-agent says why.")
                   : json_pack("{s:b, s:s}", "ok", 1, "person", person);
}

json_t *admin_totp_remove(struct admin_call *call, const json_t *request)
{
    return change(call, request, factors_remove);
}

json_t *admin_totp_unlock(struct admin_call *call, const json_t *request)
{
    return change(call, request, factors_unlock);
}
