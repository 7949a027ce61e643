#include "gateway/setup/join.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/envfile.h"
#include "base/log.h"
#include "base/prompt.h"
#include "base/secret_file.h"
#include "base/settings_source.h"
#include "control/accord.h"
#include "gateway/settings.h"
#include "gateway/setup/join_ask.h"
#include "gateway/setup/login_check.h"
#include "shared/draft.h"
#include "shared/invite.h"
#include "shared/program.h"
#include "shared/service.h"
#include "shared/target.h"

enum { PASTED_MAX = 4 * INVITE_TEXT_MAX, CONTROL_PORT_USUAL = 9000 };

/* ---- the string ----------------------------------------------------------- */

/* Not shown while it is pasted, and with room for what mail programs put around and into it. */
static int read_string(const struct join_options *options, char text[PASTED_MAX], struct why *why)
{
    if (strcmp(options->string, "-") == 0) {
        int err = prompt_secret_lines("Join string (will not be shown)", invite_goes_on, text,
                                      PASTED_MAX);
        return err == -EMSGSIZE ? why_set(why, err, "that is too long for a join string")
               : err < 0        ? why_set(why, err, "no join string was given")
                                : 0;
    }
    snprintf(text, PASTED_MAX, "%s", options->string);
    crypto_wipe(options->string, strlen(options->string)); /* ps does not show it any more */
    fputs("The join string was on the command line, where others on this machine and the shell's "
          "history can see it; --join - asks for it instead.\n",
          stderr);
    return 0;
}

static int read_invite(const struct join_options *options, struct invite *invite, struct why *why)
{
    char text[PASTED_MAX];
    int err = read_string(options, text, why);
    if (err == 0) {
        invite_extract(text);
        err = invite_decode(text, invite, why);
    }
    crypto_wipe(text, sizeof text);
    return err;
}

/* ---- asking for it --------------------------------------------------------- */

/* "vps.example.org:9001"; "-", and what begins as a join string does or has its length, is none. */
static bool is_host(const char *text, uint16_t usual_port, struct target *ret_target)
{
    struct why why;
    return strcmp(text, "-") != 0 && !strstr(text, "pamtunnel1.") && !strstr(text, "pamtunnel2.") &&
           strlen(text) <= HOST_MAX + sizeof ":65535" &&
           target_parse(text, usual_port, ret_target, &why) == 0 && !ret_target->gateway[0] &&
           !ret_target->user[0];
}

/* Where none stands behind the host: what is set already. */
static int choose_port(const char *path, uint16_t *ret_port, struct why *why)
{
    char value[SETTING_VALUE_MAX], *end = value;
    int err = settings_peek(envfile_installed(path), "CONTROL_PORT", value, why);
    unsigned long port = value[0] ? strtoul(value, &end, 10) : CONTROL_PORT_USUAL;
    if (err < 0) {
        return err;
    }
    if (*end || port < 1 || port > UINT16_MAX) {
        return why_set(why, -EINVAL, "CONTROL_PORT is \"%.70s\": it takes a port, 1 to 65535",
                       value);
    }
    *ret_port = (uint16_t)port;
    return 0;
}

/* What the env file has it called, or else its machine. */
static int choose_name(const char *path, char name[GATEWAY_NAME_MAX + 1], struct why *why)
{
    char host[HOST_MAX + 1] = "", value[SETTING_VALUE_MAX];
    int err = settings_peek(envfile_installed(path), "GATEWAY_NAME", value, why);
    if (err < 0) {
        return err;
    }
    gethostname(host, sizeof host - 1);
    gateway_name_from_host(host, name);
    if (value[0] && strlen(value) <= GATEWAY_NAME_MAX) {
        strcpy(name, value);
    }
    return accord_name_is_plain(name)
               ? 0
               : why_set(why, -EINVAL,
                         "GATEWAY_NAME is \"%.70s\", which is no name, or could be taken for the "
                         "code: give this gateway another one in %.100s",
                         value[0] ? value : name, path);
}

/* What the agent will take when it runs, or what the environment says here alone. */
static int choose_proxy(const char *path, const char *host, struct proxy *ret_proxy,
                        struct why *why)
{
    char value[SETTING_VALUE_MAX], where[TARGET_TEXT_MAX];
    int err = settings_peek(envfile_installed(path), "VPS_PROXY", value, why);
    err = err < 0 ? err : proxy_choose("VPS_PROXY", value, host, ret_proxy, why);
    crypto_wipe(value, sizeof value);
    if (err == 0 && ret_proxy->host[0]) {
        target_format(ret_proxy->host, ret_proxy->port, where);
        printf("Through the proxy http://%s (%s).\n", where, ret_proxy->variable);
    }
    return err;
}

/* Somebody has to say that it was they: otherwise gateway-agent can as well ask by itself. */
static int ask(const struct target *target, const char *path, struct invite *invite,
               struct proxy *ret_proxy, struct why *why)
{
    *invite = (struct invite){.port = target->port};
    strcpy(invite->host, target->host);
    int err = choose_name(path, invite->gateway, why);
    if (err == 0 && !prompt_is_possible()) {
        err = why_set(why, -ENOTTY,
                      "this asks a person, and there is no terminal: put VPS_HOST=%s into %.100s "
                      "and start gateway-agent, which then asks to be paired by itself",
                      target->host, path);
    }
    err = err < 0 ? err : choose_proxy(path, invite->host, ret_proxy, why);
    if (err == 0) {
        printf("Asking %s port %u to pair gateway %s...\n", invite->host, invite->port,
               invite->gateway);
        fflush(stdout);
        err = join_ask(invite, ret_proxy, why);
    }
    return err;
}

/* ---- the check ------------------------------------------------------------ */

/* By this machine's clock, which may be wrong: whether it is too late is the VPS's to say. */
static void warn_if_late(const struct invite *invite)
{
    char when[CLOCK_TEXT_MAX];
    if (invite->until > 0 && clock_unix() >= invite->until) {
        fprintf(stderr,
                "By this machine's clock, the join string expired at %s. Asking the VPS...\n",
                clock_text(invite->until, when));
    }
}

/* A check may fail for what will be otherwise tomorrow: a VPS that is down, a firewall. */
static bool go_on_anyway(const struct join_options *options, const char *question)
{
    if (options->force) {
        return true;
    }
    if (!prompt_is_possible()) {
        fputs("Nothing was written; --force writes it anyway.\n", stderr);
        return false;
    }
    return prompt_yes(question);
}

/* True if the settings are to be written. */
static bool check(const struct join_options *options, const struct invite *invite,
                  const struct proxy *proxy)
{
    struct login_check_request request = {.vps_host = invite->host,
                                          .control_port = invite->port,
                                          .proxy = proxy,
                                          .gateway_name = invite->gateway,
                                          .key = invite->key};
    struct login_check_result result;
    struct why why;
    char address[ADDR_TEXT_MAX];
    printf("Gateway %s of %s port %u: checking...\n", invite->gateway, invite->host, invite->port);
    fflush(stdout);
    warn_if_late(invite);
    if (login_check(&request, &result, &why) < 0) {
        log_complain("gateway-agent", why.text);
        return go_on_anyway(options, "Write the settings anyway?");
    }
    printf("%s at %s accepts the key.\n", result.program, addr_text(&result.vps, address));
    if (result.taken) {
        fprintf(stderr,
                "A gateway named %s is online already. If that is another machine, the two will "
                "push each other out: make a join string with another name there.\n",
                invite->gateway);
        return go_on_anyway(options, "Is it this machine?");
    }
    return true;
}

/* ---- the env file --------------------------------------------------------- */

/* From the environment: that of the service is another one. */
static int put_proxy(struct draft *draft, const struct proxy *proxy, struct why *why)
{
    const char *value = proxy->host[0] ? getenv(proxy->variable) : NULL;
    char url[SETTING_VALUE_MAX];
    if (!value || strcmp(proxy->variable, "VPS_PROXY") == 0) {
        return 0;
    }
    snprintf(url, sizeof url, "%s%s", strstr(value, "://") ? "" : "http://", value);
    int err = draft_put(draft, "VPS_PROXY", url, why);
    crypto_wipe(url, sizeof url);
    return err;
}

static int put_all(struct draft *draft, const struct invite *invite, const struct proxy *proxy,
                   struct why *why)
{
    char port[8], hex[2 * CRYPTO_KEY_SIZE + 1];
    snprintf(port, sizeof port, "%u", invite->port);
    crypto_hex(invite->key, sizeof invite->key, hex);
    int err = draft_put(draft, "VPS_HOST", invite->host, why);
    err = err < 0 ? err : draft_put(draft, "CONTROL_PORT", port, why);
    err = err < 0 ? err : draft_put(draft, "GATEWAY_NAME", invite->gateway, why);
    err = err < 0 ? err : draft_put(draft, "TUNNEL_KEY", hex, why);
    err = err < 0 ? err : put_proxy(draft, proxy, why);
    crypto_wipe(hex, sizeof hex);
    return err;
}

static void say_what_next(const char *path, bool changed)
{
    printf("%s %s.\n\n", changed ? "Wrote" : "Nothing has changed in", path);
    service_print_commands(&SERVICE_GATEWAY, path, NULL);
    puts("\nIt gives access to SSH and Remote Desktop in private networks; ALLOWED_TARGETS in that "
         "file changes that (for VNC, add port 5900). With DISCOVER=on there, administrators can "
         "ask which machines there are.");
}

/*
 * The key goes to where TUNNEL_KEY is kept already, be it a file of its own (draft.h), and no file
 * is touched before all values have been taken.
 */
static int save(const char *path, const struct invite *invite, const struct proxy *proxy,
                struct why *why)
{
    struct draft *draft;
    int err = draft_open(path, &draft, why);
    if (err < 0) {
        return err;
    }
    err = put_all(draft, invite, proxy, why);
    err = err < 0 ? err : draft_save(draft, why);
    if (err == 0) {
        say_what_next(path, draft_changes(draft));
    }
    draft_free(draft);
    return err;
}

/* ---- all of it ------------------------------------------------------------ */

static int refuse(const struct why *why, int status)
{
    log_complain("gateway-agent", why->text);
    return status;
}

/* By somebody who lets it in there, or by a join string: the exit status if that fails. */
static int get_invite(const struct join_options *options, const char *path, struct invite *invite,
                      struct proxy *proxy)
{
    struct why why = {""};
    struct target target;
    if (is_host(options->string, CONTROL_PORT_USUAL, &target)) {
        uint16_t port = 0;
        int err = choose_port(path, &port, &why);
        is_host(options->string, port, &target); /* as before, but for that */
        err = err < 0 ? err : ask(&target, path, invite, proxy, &why);
        return err == 0
                   ? EXIT_SUCCESS
                   : refuse(&why, err == -EINVAL || err == -ENOTTY ? EXIT_USAGE : EXIT_FAILURE);
    }
    if (read_invite(options, invite, &why) < 0 ||
        choose_proxy(path, invite->host, proxy, &why) < 0) {
        return refuse(&why, EXIT_USAGE);
    }
    return EXIT_SUCCESS;
}

int join_run(const struct join_options *options)
{
    const char *path = options->env_file ? options->env_file : GATEWAY_ENV_FILE;
    struct invite invite;
    struct proxy proxy = {.host = ""};
    struct why why = {""};
    /* The file is looked at first: nobody should paste a key for a file that cannot be written. */
    if (secret_file_check(path, &why) < 0) {
        return refuse(&why, EXIT_FAILURE);
    }
    if (vocabulary_check_file(&GATEWAY_VOCABULARY, path, &why) < 0) { /* before anybody is asked */
        return refuse(&why, EXIT_USAGE);
    }
    int status = get_invite(options, path, &invite, &proxy);
    if (status == EXIT_SUCCESS) {
        status = !check(options, &invite, &proxy)        ? EXIT_FAILURE
                 : save(path, &invite, &proxy, &why) < 0 ? refuse(&why, EXIT_FAILURE)
                                                         : EXIT_SUCCESS;
    }
    crypto_wipe(&invite, sizeof invite);
    crypto_wipe(&proxy, sizeof proxy);
    return status;
}
