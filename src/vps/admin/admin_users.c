/*
 * Who is let in stands in three places: a policy, or ALLOWED_USERS where there is none, and the
 * members of people. The list says of each account where it comes from, since that is where it is
 * taken away: by pamctl user remove, or in a file.
 *
 * A link's token is made, put into the answer and wiped here. It is in no log.
 */
#include "vps/admin/admin_users.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "vps/admin/admin_reply.h"
#include "vps/people/people_run.h"

enum { LINK_MAX = 160 };

static json_t *not_done(int err, const struct why *why)
{
    const char *word = err == -EINVAL         ? "invalid"
                       : err == -ENOENT       ? "no_such_user"
                       : err == -EEXIST       ? "exists"
                       : err == -EPERM        ? "in_settings"
                       : err == -EDESTADDRREQ ? "no_administrator"
                       : err == -ENOSPC       ? "users_limit"
                                              : "failed";
    return reply_error(word, why->text);
}

static const char *name_in(const json_t *request)
{
    return admin_text(request, "user");
}

/* ---- list ----------------------------------------------------------------- */

static json_t *of_account(const struct owner *account)
{
    char text[OWNER_TEXT_MAX];
    return json_pack("{s:s}", "account", owner_text(account, text));
}

static json_t *of_member(const struct member *member)
{
    char by[OWNER_TEXT_MAX];
    json_t *account = of_account(&member->account);
    json_object_set_new(account, "since", json_integer((json_int_t)member->since));
    json_object_set_new(account, "by", json_string(owner_text(&member->by, by)));
    return account;
}

static void add_members(const struct people *people, const char *name, json_t *accounts)
{
    const struct member *member;
    for (unsigned i = 0; (member = people_member(people, i)); i++) {
        if (strcmp(member->name, name) == 0) {
            json_array_append_new(accounts, of_member(member));
        }
    }
}

static json_t *roles_of(unsigned roles)
{
    json_t *list = json_array();
    if (roles & POLICY_ADMINISTRATOR) {
        json_array_append_new(list, json_string("administrator"));
    }
    if (roles & POLICY_APPROVER) {
        json_array_append_new(list, json_string("approver"));
    }
    return list;
}

static json_t *of_user(const struct people *people, const struct policy *policy,
                       const struct policy_user *user)
{
    json_t *accounts = json_array();
    for (unsigned i = 0; i < user->account_count; i++) {
        json_array_append_new(accounts, of_account(&user->accounts[i]));
    }
    add_members(people, user->name, accounts);
    return json_pack("{s:s, s:s, s:i, s:o, s:b, s:o}", "name", user->name, "from", "policy", "line",
                     (int)user->line, "roles", roles_of(user->roles), "expired",
                     (int)policy_has_expired(policy, user, clock_unix()), "accounts", accounts);
}

static void add_policy(const struct people *people, const struct policy *policy, json_t *list)
{
    for (unsigned i = 0; i < policy->user_count; i++) {
        json_array_append_new(list, of_user(people, policy, &policy->users[i]));
    }
}

/* They have no name but their number. */
static void add_allowed(const struct vps_settings *settings, json_t *list)
{
    for (unsigned i = 0; i < settings->allowed_users.count; i++) {
        const struct owner account = {OWNER_TELEGRAM, settings->allowed_users.ids[i]};
        char name[24];
        snprintf(name, sizeof name, "%lld", (long long)account.id);
        json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:b, s:[o]}", "name", name, "from",
                                              "settings", "roles",
                                              roles_of(i == 0 ? POLICY_ADMINISTRATOR : 0),
                                              "expired", 0, "accounts", of_account(&account)));
    }
}

/* Those of a name that the policy has are with it; the others of a policy have lost access. */
static void add_invited(const struct people *people, const struct policy *policy, json_t *list)
{
    const struct member *member;
    for (unsigned i = 0; (member = people_member(people, i)); i++) {
        if (!policy || !policy_user_named(policy, member->name)) {
            json_array_append_new(list,
                                  json_pack("{s:s, s:s, s:o, s:b, s:[o]}", "name", member->name,
                                            "from", "invitation", "roles", roles_of(0), "expired",
                                            policy != NULL, "accounts", of_member(member)));
        }
    }
}

static json_t *waiting(const struct people *people)
{
    json_t *list = json_array();
    const struct invitation *invitation;
    for (unsigned at = 0; (invitation = people_next_invitation(people, &at));) {
        char by[OWNER_TEXT_MAX];
        json_array_append_new(list, json_pack("{s:s, s:I, s:s, s:b}", "name", invitation->name,
                                              "until", (json_int_t)invitation->until, "by",
                                              owner_text(&invitation->by, by), "opened",
                                              (int)invitation->is_opened));
    }
    return list;
}

json_t *admin_user_list(struct admin_call *call, const json_t *request)
{
    const struct admin_options *options = call->options;
    const struct policy *policy = people_policy(options->people);
    json_t *list = json_array();
    (void)request;
    if (policy) {
        add_policy(options->people, policy, list);
    } else if (!options->settings->local) {
        add_allowed(options->settings, list);
    }
    add_invited(options->people, policy, list);
    return json_pack("{s:b, s:o, s:o}", "ok", 1, "users", list, "invitations",
                     waiting(options->people));
}

/* ---- invite --------------------------------------------------------------- */

static int find_bot(const struct admin_call *call, struct why *why)
{
    const struct bot *bot = call->options->bot;
    if (!bot) {
        return why_set(why, -EIO, "There is no bot to come to: vps-agent runs with --local.");
    }
    return bot_name(bot)[0] ? 0
                            : why_set(why, -EIO,
                                      "Telegram has not answered yet, so that the bot's name is "
                                      "not known: try again in a moment, or see pamctl status.");
}

json_t *admin_user_invite(struct admin_call *call, const json_t *request)
{
    const struct owner by = {OWNER_LOCAL, call->uid};
    char token[INVITATION_TOKEN_SIZE] = "", link[LINK_MAX] = "";
    struct why why = {""};
    int64_t until;
    json_t *reply;
    int err = find_bot(call, &why);
    err = err < 0
              ? err
              : people_invite(call->options->people, name_in(request), &by, token, &until, &why);
    if (err < 0) {
        reply = not_done(err, &why);
    } else {
        log_info(call->options->log, "uid %u: %s was invited", (unsigned)call->uid,
                 name_in(request));
        snprintf(link, sizeof link, "https://t.me/%.64s?start=%s", bot_name(call->options->bot),
                 token);
        reply = json_pack("{s:b, s:s, s:s, s:I}", "ok", 1, "user", name_in(request), "link", link,
                          "until", (json_int_t)until);
    }
    crypto_wipe(token, sizeof token);
    crypto_wipe(link, sizeof link);
    return reply;
}

/* ---- remove --------------------------------------------------------------- */

json_t *admin_user_remove(struct admin_call *call, const json_t *request)
{
    const struct admin_options *options = call->options;
    const struct owner by = {OWNER_LOCAL, call->uid};
    struct people_removed removed;
    struct why why = {""};
    unsigned before = sessions_count(options->sessions);
    int err = people_remove(options->people, name_in(request), &by, &removed, &why);
    if (err < 0) {
        return not_done(err, &why);
    }
    return json_pack("{s:b, s:s, s:i, s:i, s:i, s:b}", "ok", 1, "user", name_in(request),
                     "accounts", (int)removed.accounts, "invitations", (int)removed.invitations,
                     "sessions", (int)(before - sessions_count(options->sessions)), "still",
                     (int)removed.still);
}
