#include "vps/admin/admin_factors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/nearest.h"
#include "base/text.h"
#include "vps/admin/admin_reply.h"
#include "vps/admin/later.h"
#include "vps/people/members.h"

/* ---- whose ----------------------------------------------------------------------- */

/* Names of people who are let in, one after the other: of the policy, then of invitations. */
static const char *name_at(const struct people *people, unsigned number)
{
    const struct policy *policy = people_policy(people);
    unsigned count = policy ? policy->user_count : 0;
    if (number < count) {
        return policy->users[number].name;
    }
    const struct member *member = people_member(people, number - count);
    return member ? member->name : NULL;
}

static bool is_name(const struct people *people, const char *typed)
{
    const char *name;
    for (unsigned i = 0; (name = name_at(people, i)); i++) {
        if (strcmp(name, typed) == 0) {
            return true;
        }
    }
    return false;
}

static int nobody(const struct people *people, const char *typed, struct why *why)
{
    struct nearest nearest = nearest_to(typed);
    const char *name;
    for (unsigned i = 0; (name = name_at(people, i)); i++) {
        nearest_try(&nearest, name);
    }
    if (!name_at(people, 0)) {
        return why_set(why, -ENOENT,
                       "Nobody here has a name, and so people are known by their numbers: pamctl "
                       "totp telegram:42");
    }
    return why_set(why, -ENOENT, "Nobody here is called %.60s%s%s%s", typed,
                   nearest.word ? "; did you mean " : ".", nearest.word ? nearest.word : "",
                   nearest.word ? "?" : "");
}

/* The name of somebody who is let in, or of whoever has a second factor all the same. */
static int read_person(const struct admin_call *call, const json_t *request,
                       char name[PEOPLE_NAME_MAX], struct why *why)
{
    const struct people *people = call->options->people;
    const char *typed = admin_text(request, "person");
    struct factor_view view;
    struct owner owner;
    if (strlen(typed) < PEOPLE_NAME_MAX &&
        (is_name(people, typed) || factors_view(call->options->factors, typed, &view))) {
        strcpy(name, typed);
        return 0;
    }
    if (owner_parse(typed, &owner) < 0) {
        return nobody(people, typed, why);
    }
    if (!people_has(people, &owner)) {
        return why_set(why, -ENOENT, "%.60s is nobody whom this server lets in.", typed);
    }
    people_name(people, &owner, name);
    return 0;
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

/* While it is being written that a code was right. */
struct confirmation {
    struct factors *factors;
    struct later *later;
    char person[PEOPLE_NAME_MAX];
};

static void on_gone(void *arg)
{
    struct confirmation *confirmation = arg;
    factors_detach(confirmation->factors, confirmation);
    free(confirmation);
}

static void on_kept(void *arg, const struct owner *by, int err)
{
    struct confirmation *confirmation = arg;
    struct later *later = confirmation->later;
    (void)by;
    json_t *reply = err < 0 ? reply_error("not_kept",
                                          "The code was right, but that cannot be written down "
                                          "now: the log of vps-agent says why.")
                            : json_pack("{s:b, s:s}", "ok", 1, "person", confirmation->person);
    free(confirmation);
    later_say(later, reply);
}

/* NULL: later. */
static json_t *refused(enum factor_result result)
{
    switch (result) {
    case FACTOR_RIGHT:
        return NULL;
    case FACTOR_WRONG:
        return reply_error("wrong_code",
                           "That is not what the app has to show now. If it is the code that it "
                           "shows, the clock of the phone or of this server is wrong.");
    case FACTOR_NONE:
        return reply_error("too_late", "That took too long: begin again.");
    default:
        return reply_error("not_kept",
                           "The state file cannot be written: the log of vps-agent says why.");
    }
}

static json_t *confirm(struct admin_call *call, const char *person, const char *typed)
{
    const struct owner by = {OWNER_LOCAL, call->uid};
    struct factors *factors = call->options->factors;
    uint32_t code;
    if (!totp_parse(typed, &code)) {
        return reply_error("wrong_code", "A code is six digits.");
    }
    struct confirmation *confirmation = calloc(1, sizeof *confirmation);
    if (!confirmation) {
        return NULL;
    }
    confirmation->factors = factors;
    strcpy(confirmation->person, person);
    json_t *reply = refused(factors_confirm(factors, person, code, &by, on_kept, confirmation));
    confirmation->later = reply ? NULL : admin_later(call, on_gone, confirmation);
    if (!confirmation->later) {
        on_gone(confirmation);
    }
    return reply;
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

/* Somebody of the policy may have come with an invitation, too. */
static bool is_named_before(const struct people *people, unsigned number)
{
    for (unsigned i = 0; i < number; i++) {
        if (strcmp(name_at(people, i), name_at(people, number)) == 0) {
            return true;
        }
    }
    return false;
}

json_t *admin_totp_list(struct admin_call *call, const json_t *request)
{
    const struct people *people = call->options->people;
    struct factors *factors = call->options->factors;
    struct factor_view view;
    const char *name;
    json_t *list = json_array();
    (void)request;
    for (const char *last = NULL; factors_next(factors, last, &view); last = view.person) {
        json_array_append_new(list, of_factor(&view));
    }
    for (unsigned i = 0; (name = name_at(people, i)); i++) {
        if (!factors_view(factors, name, &view) && !is_named_before(people, i)) {
            json_array_append_new(list, json_pack("{s:s, s:b}", "person", name, "enrolled", 0));
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
