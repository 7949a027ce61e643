#include "gateway/setup/join.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/envfile.h"
#include "base/prompt.h"
#include "base/text.h"
#include "gateway/settings.h"
#include "gateway/setup/look.h"
#include "shared/invite.h"
#include "shared/service.h"

enum { EXIT_USAGE = 2, PASTED_MAX = 4 * INVITE_TEXT_MAX };

static void complain(const struct why *why)
{
    fprintf(stderr, "gateway-agent: %s\n", why->text);
}

/* ---- the string ----------------------------------------------------------- */

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
static bool check(const struct join_options *options, const struct invite *invite)
{
    struct look_request request = {.vps_host = invite->host,
                                   .control_port = invite->port,
                                   .gateway_name = invite->gateway,
                                   .key = invite->key};
    struct look_result result;
    struct why why;
    char address[ADDR_TEXT_MAX];
    printf("Gateway %s of %s port %u: checking...\n", invite->gateway, invite->host, invite->port);
    fflush(stdout);
    warn_if_late(invite);
    if (look(&request, &result, &why) < 0) {
        complain(&why);
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

/* A key that is kept in a file of its own stays there. */
static int set_key(struct envfile *file, const char *hex, struct why *why)
{
    char path[ENVFILE_LINE_MAX], line[2 * CRYPTO_KEY_SIZE + 2], plain[ENVFILE_LINE_MAX];
    bool in_line = envfile_get(file, "TUNNEL_KEY", plain);
    crypto_wipe(plain, sizeof plain);
    if (in_line || !envfile_get(file, "TUNNEL_KEY_FILE", path)) {
        return envfile_set(file, "TUNNEL_KEY", hex);
    }
    snprintf(line, sizeof line, "%s\n", hex);
    int err = envfile_replace(path, line, why);
    crypto_wipe(line, sizeof line);
    return err;
}

static int save(const char *path, const struct invite *invite, struct why *why)
{
    struct envfile *file;
    char port[8], hex[2 * CRYPTO_KEY_SIZE + 1];
    int err = envfile_read(path, &file, why);
    if (err < 0) {
        return err;
    }
    why_set(why, 0, "out of memory");
    snprintf(port, sizeof port, "%u", invite->port);
    crypto_hex(invite->key, sizeof invite->key, hex);
    err = envfile_set(file, "VPS_HOST", invite->host);
    err = err < 0 ? err : envfile_set(file, "CONTROL_PORT", port);
    err = err < 0 ? err : envfile_set(file, "GATEWAY_NAME", invite->gateway);
    err = err < 0 ? err : set_key(file, hex, why);
    err = err < 0 ? err : envfile_write(file, why);
    crypto_wipe(hex, sizeof hex);
    envfile_free(file);
    return err;
}

static void say_what_next(const char *path)
{
    char command[512], where[300] = "";
    struct text text = text_over(command, sizeof command);
    service_start_command(&text, "pamtunnel-gateway", "gateway-agent", path);
    if (strcmp(path, GATEWAY_ENV_FILE) != 0) {
        snprintf(where, sizeof where, " --env-file %s", path);
    }
    printf("Wrote %s.\n\nStart it:  %s\nCheck it:  %sgateway-agent --doctor%s\n\n"
           "It gives access to SSH and Remote Desktop in private networks; ALLOWED_TARGETS in that "
           "file changes that.\n",
           path, command, service_sudo(), where);
}

int join_run(const struct join_options *options)
{
    const char *path = options->env_file ? options->env_file : GATEWAY_ENV_FILE;
    struct invite invite;
    struct why why = {""};
    int status = EXIT_FAILURE;
    if (envfile_check(path, &why) < 0) {
        complain(&why);
        return EXIT_FAILURE;
    }
    if (gateway_settings_check_names(path, &why) < 0) { /* before anybody is asked */
        complain(&why);
        return EXIT_USAGE;
    }
    if (read_invite(options, &invite, &why) < 0) {
        complain(&why);
        return EXIT_USAGE;
    }
    if (check(options, &invite)) {
        if (save(path, &invite, &why) < 0) {
            complain(&why);
        } else {
            say_what_next(path);
            status = EXIT_SUCCESS;
        }
    }
    crypto_wipe(&invite, sizeof invite);
    return status;
}
