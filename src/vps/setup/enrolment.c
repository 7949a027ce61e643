/*
 * A gateway is enrolled by a key that both sides hold. This side puts it into TUNNEL_KEY, with a
 * time by which it must have been used once; the gateway gets it in the join string. Keys that are
 * there already stay as they are: gateways use them. So that no time is left on a key that was used
 * in time, the vps-agent that runs is asked which those are.
 */
#include "vps/setup/enrolment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/prompt.h"
#include "base/text.h"
#include "shared/gateway_name.h"
#include "shared/invite_paper.h"

/* ---- the key -------------------------------------------------------------- */

/* What was used in time is good for ever, also when STATE_DIR gets lost. */
static void drop_times(struct enrolment *enrolment)
{
    for (unsigned i = 0; i < enrolment->keys.count; i++) {
        struct gateway_key *key = &enrolment->keys.keys[i];
        const struct running_agent_key *known = running_agent_find(&enrolment->running, key->key);
        if (key->until && known && known->used) {
            key->until = 0;
        }
    }
}

/*
 * One setting at a time from the draft: --setup is what completes settings, so they cannot be
 * loaded as a whole here.
 */
int enrolment_begin(struct enrolment *enrolment, const struct draft *draft, struct why *why)
{
    char text[SETTING_VALUE_MAX];
    *enrolment = (struct enrolment){0};
    int err = draft_get(draft, "TUNNEL_KEY", text, why);
    err = err < 0 ? err : keys_read(&enrolment->keys, text, why);
    err = err < 0 ? err : draft_get(draft, "STATE_DIR", enrolment->state_dir, why);
    crypto_wipe(text, sizeof text);
    if (err < 0) {
        return err;
    }
    if (!enrolment->state_dir[0]) {
        strcpy(enrolment->state_dir, STATE_DIR_DEFAULT);
    }
    running_agent_ask(enrolment->state_dir, &enrolment->running);
    drop_times(enrolment);
    return 0;
}

/*
 * The first that waits for its gateway, by what can be seen from here: drop_times() has taken the
 * time from behind keys that were used.
 */
static const char *find_waiting(const struct keys *keys)
{
    for (unsigned i = 0; i < keys->count; i++) {
        if (keys->keys[i].until) {
            return keys->keys[i].name;
        }
    }
    return "";
}

/* None has to be: a gateway asks by itself to be let in. - is none. */
static int ask_for_name(const char *proposal, const char *question,
                        char ret_name[GATEWAY_NAME_MAX + 1], struct why *why)
{
    for (;;) {
        int err = prompt_line(question, proposal, ret_name, GATEWAY_NAME_MAX + 1);
        if (err < 0 && err != -EMSGSIZE) {
            return why_set(why, err, "nothing was written");
        }
        bool is_none = err == 0 && (!ret_name[0] || strcmp(ret_name, "-") == 0);
        if (is_none) {
            ret_name[0] = '\0';
        }
        if (is_none || (err == 0 && gateway_name_is_valid(ret_name))) {
            return 0;
        }
        fputs("vps-agent: a gateway's name is 1 to 63 letters, digits, dots, hyphens or "
              "underscores\n",
              stderr);
    }
}

int enrolment_name(const struct enrolment *enrolment, const char *given, bool ask,
                   const struct keys_wish *wish, char ret_name[GATEWAY_NAME_MAX + 1],
                   struct why *why)
{
    const struct keys *keys = &enrolment->keys;
    const char *waiting = find_waiting(keys);
    bool has_some = keys->count > 0 || enrolment->running.kept > 0;
    bool wanted = wish->renew || wish->until_said;
    /*
     * Without any, the first one asks to be paired, and a key that nobody wants would keep it from
     * being heard. A gateway in use is only proposed to whoever asked for a new key or a time.
     * Otherwise Enter, in a second --setup, would print a join string that holds a key in use.
     */
    const char *first = !has_some                                   ? ask || !wanted ? "" : "home"
                        : waiting[0] || !wanted || keys->count == 0 ? waiting
                                                                    : keys->keys[0].name;
    if (!given && ask) {
        const char *question =
            !has_some
                ? "The name of a gateway, to print a join string for it; or Enter: it asks in "
                  "the chat to be let in"
            : first[0] ? "The gateway to print a join string for, new or existing; - for none"
                       : "A name for another gateway, or Enter for none";
        return ask_for_name(first, question, ret_name, why);
    }
    struct text text = text_over(ret_name, GATEWAY_NAME_MAX + 1);
    text_add(&text, "%s", given ? given : first);
    return text.cut ? why_set(why, -EINVAL, "the gateway's name is too long") : 0;
}

/*
 * A TUNNEL_KEY that is written here would not be read by that agent, or would be read in the place
 * of the one that it has, and lock all its gateways out.
 */
bool enrolment_is_of_agent(const struct enrolment *enrolment)
{
    return enrolment->keys.count == 0 && enrolment->running.tells && enrolment->running.count == 0;
}

int enrolment_check_source(const struct enrolment *enrolment, struct why *why)
{
    if (enrolment->keys.count > 0 || enrolment->running.count == 0) {
        return 0;
    }
    return why_set(why, -EPERM,
                   "the running vps-agent has its TUNNEL_KEY from elsewhere, and none is set here: "
                   "give this command the same TUNNEL_KEY_FILE or --env-file");
}

int enrolment_choose(struct enrolment *enrolment, const char *gateway, const struct keys_wish *wish,
                     struct why *why)
{
    const struct gateway_key *key;
    unsigned before = enrolment->keys.count;
    /* One in TUNNEL_KEY would come before that, and lock the gateway out. */
    if (running_agent_keeps(&enrolment->running, gateway)) {
        return why_set(why, -EEXIST,
                       "gateway %s has a key that was added while vps-agent ran: pamctl gateway "
                       "rotate %s makes another one, and prints its join string",
                       gateway, gateway);
    }
    int err = keys_for(&enrolment->keys, gateway, wish, &key, why);
    if (err == 0) {
        enrolment->key = *key;
        /*
         * Until now this gateway may have logged in with the key that all share; once it has a key
         * of its own, vps-agent takes that alone (key_list_find()).
         */
        enrolment->takes_over = enrolment->keys.count > before &&
                                keys_have_shared(&enrolment->keys);
    }
    return err;
}

int enrolment_put(const struct enrolment *enrolment, struct draft *draft, bool back,
                  struct why *why)
{
    char text[SETTING_VALUE_MAX], now[SETTING_VALUE_MAX];
    keys_write(&enrolment->keys, text);
    int err = draft_get(draft, "TUNNEL_KEY", now, why);
    bool changes = err == 0 && strcmp(text, now) != 0;
    if (err == 0 && !back && text[0]) {
        err = draft_put(draft, "TUNNEL_KEY", text, why);
    } else if (changes && (enrolment->keys.changed || !draft_is_given("TUNNEL_KEY"))) {
        /*
         * But not for drop_times() alone where TUNNEL_KEY is in the environment: that cannot be
         * changed from here, and the error would be about nothing that anybody asked for.
         */
        err = draft_put_back(draft, "TUNNEL_KEY", text, why);
    }
    crypto_wipe(text, sizeof text);
    crypto_wipe(now, sizeof now);
    return err;
}

/* ---- the paper ------------------------------------------------------------ */

int enrolment_string(const struct enrolment *enrolment, const struct vps_settings *settings,
                     char ret_text[INVITE_TEXT_MAX], struct why *why)
{
    struct invite invite = {.port = settings->control_port, .until = enrolment->key.until};
    memcpy(invite.host, settings->vps_host, sizeof invite.host);
    memcpy(invite.gateway, enrolment->key.name, sizeof invite.gateway);
    memcpy(invite.key, enrolment->key.key, sizeof invite.key);
    int err = invite_encode(&invite, ret_text);
    crypto_wipe(&invite, sizeof invite);
    return err < 0 ? why_set(why, err, "cannot make a join string") : 0;
}

void enrolment_print(const struct enrolment *enrolment, const char *string)
{
    invite_print(enrolment->key.name, enrolment->key.until, string);
}

void enrolment_say_what_next(const struct enrolment *enrolment)
{
    char command[SETTING_VALUE_MAX + 64];
    struct text text = text_over(command, sizeof command);
    bool knows = running_agent_find(&enrolment->running, enrolment->key.key) != NULL;
    running_agent_add_reload(&text, enrolment->state_dir);
    if (enrolment->takes_over) {
        fprintf(stderr,
                "\nFrom then on %s cannot log in with the key that has no name; that one stays for "
                "gateways without a key of their own.\n",
                enrolment->key.name);
    }
    if (!enrolment->running.runs && enrolment->keys.changed) {
        fputs("\nThe key is new: vps-agent will know it when it starts. (If it is running "
              "elsewhere or with another STATE_DIR, have it read its settings again there.)\n",
              stderr);
    } else if (enrolment->running.runs &&
               (enrolment->running.tells ? !knows : enrolment->keys.changed)) {
        fprintf(stderr, "\nThe running vps-agent does not know this key yet:  %s\n", command);
    }
}

void enrolment_wipe(struct enrolment *enrolment)
{
    crypto_wipe(enrolment, sizeof *enrolment);
}
