#include "vps/setup/handout.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/prompt.h"
#include "base/text.h"
#include "shared/gateway_name.h"

enum { SPAN_DIGITS = 4 };

/* ---- the key -------------------------------------------------------------- */

/* What was used in time is good for ever, also when STATE_DIR gets lost. */
static void drop_times(struct handout *handout)
{
    for (unsigned i = 0; i < handout->keys.count; i++) {
        struct gateway_key *key = &handout->keys.keys[i];
        const struct running_key *known = running_find(&handout->running, key->key);
        if (key->until && known && known->used) {
            key->until = 0;
        }
    }
}

int handout_begin(struct handout *handout, const struct sheet *sheet, struct why *why)
{
    char text[SETTING_VALUE_MAX];
    *handout = (struct handout){0};
    int err = sheet_get(sheet, "TUNNEL_KEY", text, why);
    err = err < 0 ? err : keys_read(&handout->keys, text, why);
    err = err < 0 ? err : sheet_get(sheet, "STATE_DIR", handout->state_dir, why);
    crypto_wipe(text, sizeof text);
    if (err < 0) {
        return err;
    }
    if (!handout->state_dir[0]) {
        strcpy(handout->state_dir, STATE_DIR_DEFAULT);
    }
    running_ask(handout->state_dir, &handout->running);
    drop_times(handout);
    return 0;
}

/* The first that waits for its gateway, by what can be seen from here. */
static const char *find_waiting(const struct keys *keys)
{
    for (unsigned i = 0; i < keys->count; i++) {
        if (keys->keys[i].until) {
            return keys->keys[i].name;
        }
    }
    return "";
}

/* Where there are gateways, another one is nothing that has to be: - is none. */
static int ask_for_name(const char *proposal, const char *question, bool may_be_none,
                        char ret_name[GATEWAY_NAME_MAX + 1], struct why *why)
{
    for (;;) {
        int err = prompt_line(question, proposal, ret_name, GATEWAY_NAME_MAX + 1);
        if (err < 0 && err != -EMSGSIZE) {
            return why_set(why, err, "nothing was written");
        }
        bool is_none = err == 0 && may_be_none && (!ret_name[0] || strcmp(ret_name, "-") == 0);
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

int handout_name(const struct handout *handout, const char *given, bool ask,
                 const struct keys_wish *wish, char ret_name[GATEWAY_NAME_MAX + 1], struct why *why)
{
    const struct keys *keys = &handout->keys;
    const char *waiting = find_waiting(keys);
    bool wanted = wish->renew || wish->until_said;
    const char *first = keys->count == 0        ? "home"
                        : waiting[0] || !wanted ? waiting
                                                : keys->keys[0].name;
    if (!given && ask) {
        const char *question =
            keys->count == 0 ? "A name for the gateway, the machine in your LAN"
            : first[0]       ? "The gateway to print a join string for, new or existing; - for none"
                             : "A name for another gateway, or Enter for none";
        return ask_for_name(first, question, keys->count > 0, ret_name, why);
    }
    struct text text = text_over(ret_name, GATEWAY_NAME_MAX + 1);
    text_add(&text, "%s", given ? given : first);
    return text.cut ? why_set(why, -EINVAL, "the gateway's name is too long") : 0;
}

int handout_check_source(const struct handout *handout, struct why *why)
{
    if (handout->keys.count > 0 || handout->running.count == 0) {
        return 0;
    }
    return why_set(why, -EPERM,
                   "the running vps-agent has its TUNNEL_KEY from elsewhere, and none is set here: "
                   "give this command the same TUNNEL_KEY_FILE or --env-file");
}

int handout_choose(struct handout *handout, const char *gateway, const struct keys_wish *wish,
                   struct why *why)
{
    const struct gateway_key *key;
    unsigned before = handout->keys.count;
    int err = keys_for(&handout->keys, gateway, wish, &key, why);
    if (err == 0) {
        handout->key = *key;
        handout->takes_over = handout->keys.count > before && keys_have_shared(&handout->keys);
    }
    return err;
}

int handout_put(const struct handout *handout, struct sheet *sheet, bool back, struct why *why)
{
    char text[SETTING_VALUE_MAX], now[SETTING_VALUE_MAX];
    keys_write(&handout->keys, text);
    int err = sheet_get(sheet, "TUNNEL_KEY", now, why);
    bool changes = err == 0 && strcmp(text, now) != 0;
    if (err == 0 && !back && text[0]) {
        err = sheet_put(sheet, "TUNNEL_KEY", text, why);
    } else if (changes && (handout->keys.changed || !sheet_is_given("TUNNEL_KEY"))) {
        err = sheet_put_back(sheet, "TUNNEL_KEY", text, why);
    }
    crypto_wipe(text, sizeof text);
    crypto_wipe(now, sizeof now);
    return err;
}

/* ---- the paper ------------------------------------------------------------ */

int handout_string(const struct handout *handout, const struct vps_settings *settings,
                   char ret_text[INVITE_TEXT_MAX], struct why *why)
{
    struct invite invite = {.port = settings->control_port, .until = handout->key.until};
    memcpy(invite.host, settings->vps_host, sizeof invite.host);
    memcpy(invite.gateway, handout->key.name, sizeof invite.gateway);
    memcpy(invite.key, handout->key.key, sizeof invite.key);
    int err = invite_encode(&invite, ret_text);
    crypto_wipe(&invite, sizeof invite);
    return err < 0 ? why_set(why, err, "cannot make a join string") : 0;
}

/* Each on a line of its own, with nothing around it: both are there to be copied. */
void handout_print(const struct handout *handout, const char *string)
{
    char when[CLOCK_TEXT_MAX], until[CLOCK_TEXT_MAX + 32] = "";
    if (handout->key.until) {
        snprintf(until, sizeof until, ", and use it before %s",
                 clock_text(handout->key.until, when));
    }
    fprintf(stderr,
            "On the gateway, run this command, and paste the string when it asks for it.\n"
            "The string holds the key of %s: show it to nobody%s.\n\n",
            handout->key.name, until);
    printf("sudo gateway-agent --join -\n\n%s\n", string);
    fflush(stdout);
}

void handout_say_what_next(const struct handout *handout)
{
    char command[SETTING_VALUE_MAX + 64];
    struct text text = text_over(command, sizeof command);
    bool knows = running_find(&handout->running, handout->key.key) != NULL;
    running_add_reload(&text, handout->state_dir);
    if (handout->takes_over) {
        fprintf(stderr,
                "\nFrom then on %s cannot log in with the key that has no name; that one stays for "
                "gateways without a key of their own.\n",
                handout->key.name);
    }
    if (!handout->running.runs && handout->keys.changed) {
        fputs("\nThe key is new: vps-agent will know it when it starts. (If it is running "
              "elsewhere or with another STATE_DIR, have it read its settings again there.)\n",
              stderr);
    } else if (handout->running.runs && (handout->running.tells ? !knows : handout->keys.changed)) {
        fprintf(stderr, "\nThe running vps-agent does not know this key yet:  %s\n", command);
    }
}

/* ---- the time ------------------------------------------------------------- */

int handout_read_span(const char *text, int64_t *ret_seconds, struct why *why)
{
    static const struct {
        char unit;
        int seconds;
    } UNITS[] = {{'m', 60}, {'h', 3600}, {'d', 86400}};
    size_t digits = strspn(text, "0123456789");
    if (strcmp(text, "0") == 0) {
        *ret_seconds = 0;
        return 0;
    }
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++) {
        if (digits > 0 && digits <= SPAN_DIGITS && text[digits] == UNITS[i].unit &&
            !text[digits + 1]) {
            *ret_seconds = strtoll(text, NULL, 10) * UNITS[i].seconds;
            return *ret_seconds > 0 ? 0 : why_set(why, -EINVAL, "--valid 0 means forever");
        }
    }
    return why_set(why, -EINVAL, "--valid takes a time like 30m, 24h or 7d, or 0 for forever");
}

void handout_wipe(struct handout *handout)
{
    crypto_wipe(handout, sizeof *handout);
}
