/*
 * --setup settles one thing after the other: the bot, who may use it, this server's name, a
 * gateway's key. Answers go into the draft, and no file is changed before the last one is known:
 * whoever breaks off has changed nothing. --invite is the last of these steps alone.
 *
 * Everything waits here, and nothing runs beside it. Questions and notes go to standard error; what
 * is worth keeping or copying goes to standard output, so that it can be redirected.
 */
#include "vps/setup/setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/prompt.h"
#include "base/secret_file.h"
#include "base/text.h"
#include "shared/gateway_name.h"
#include "shared/invite.h"
#include "shared/invite_paper.h"
#include "shared/program.h"
#include "shared/service.h"
#include "shared/target.h"
#include "vps/settings/settings.h"
#include "vps/setup/enrolment.h"
#include "vps/setup/firewall.h"
#include "vps/setup/interview.h"
#include "vps/setup/own_host.h"
#include "vps/setup/sync_api.h"
#include "vps/setup/users.h"

enum { CONTROL_PORT_USUAL = 9000 };

struct setup {
    struct setup_options options;
    struct interview interview;
    struct sync_api *sync_api;
    char bot_name[SYNC_API_NAME_MAX + 1];
    struct keys_wish wish;
    struct enrolment enrolment;
};

/* ---- the bot -------------------------------------------------------------- */

/*
 * Settings that were given in the environment are meant to last: the service will not have them
 * there. Those that are asked for are kept when they are settled.
 */
static int keep_given(struct setup *setup, struct why *why)
{
    static const char *const NAMES[] = {"TELEGRAM_API_URL", "TELEGRAM_PROXY", "CONTROL_PORT",
                                        "PORT_RANGE_START", "PORT_RANGE_END", "BIND_ADDRESS",
                                        "STATE_DIR",        "ADMIT",          "SESSION_TIMEOUT"};
    int err = 0;
    for (unsigned i = 0; err == 0 && i < sizeof NAMES / sizeof *NAMES; i++) {
        char value[SETTING_VALUE_MAX];
        if (draft_is_given(NAMES[i])) {
            err = draft_get(setup->interview.draft, NAMES[i], value, why);
            err = err < 0 ? err
                          : vps_settings_take(NAMES[i], value, &setup->interview.settings, why);
            err = err < 0 ? err : draft_put(setup->interview.draft, NAMES[i], value, why);
        }
    }
    return err;
}

/* Which server it is, and the proxy on the way there. */
static int find_api(struct setup *setup, char *value, struct why *why)
{
    int err = draft_get(setup->interview.draft, "TELEGRAM_API_URL", value, why);
    if (err == 0) {
        err = vps_settings_take("TELEGRAM_API_URL", value[0] ? value : "https://api.telegram.org",
                                &setup->interview.settings, why);
    }
    err = err < 0 ? err : draft_get(setup->interview.draft, "TELEGRAM_PROXY", value, why);
    if (err == 0 && value[0]) {
        err = vps_settings_take("TELEGRAM_PROXY", value, &setup->interview.settings, why);
    }
    return err;
}

/* Anew for each token: the connection is of one bot. */
static int greet(struct setup *setup, struct why *why)
{
    sync_api_free(setup->sync_api);
    setup->sync_api = NULL;
    int err = sync_api_new(&setup->interview.settings, &setup->sync_api);
    if (err < 0) {
        return why_set(why, err, "cannot talk to the Bot API: %s", strerror(-err));
    }
    err = sync_api_get_me(setup->sync_api, setup->bot_name, NULL, why);
    if (err == 0) {
        printf("That is @%s.\n", setup->bot_name);
        fflush(stdout);
    }
    return err;
}

/* Whether a token is right only Telegram can say, so it is asked for again after that. */
static int settle_bot(struct setup *setup, struct why *why)
{
    const struct question question = {
        .name = "TELEGRAM_TOKEN", .text = "Bot token from @BotFather", .secret = true};
    char answer[SETTING_VALUE_MAX];
    int err = find_api(setup, answer, why);
    while (err == 0) {
        err = interview_settle(&setup->interview, &question, answer, why);
        if (err == 0 && !answer[0] && !interview_can_ask_again(&setup->interview, &question)) {
            err = interview_say_missing("TELEGRAM_TOKEN", " (or TELEGRAM_TOKEN_FILE)", why);
        }
        if (err < 0 || !answer[0]) {
            continue;
        }
        err = greet(setup, why);
        if (err == 0 || !interview_can_ask_again(&setup->interview, &question)) {
            break;
        }
        log_complain("vps-agent", why->text);
        err = 0;
    }
    crypto_wipe(answer, sizeof answer);
    return err;
}

/* ---- the users and the host ----------------------------------------------- */

static int settle_users(struct setup *setup, struct why *why)
{
    const struct users_request request = {
        .interview = &setup->interview,
        .option = setup->options.user,
        .sync_api = setup->sync_api,
        .bot_name = setup->bot_name,
        .agent_runs = setup->enrolment.running.runs,
    };
    return users_settle(&request, why);
}

/* An address that clients elsewhere do not reach is right in a VPN or for a try: who means it? */
static bool is_meant(const struct setup *setup, const struct question *question, const char *before,
                     const char *host)
{
    const char *what = own_host_not_public(host);
    if (!what) {
        return true;
    }
    fprintf(stderr,
            "Note: %s is %s. Clients and gateways elsewhere need the public name or address of "
            "this server.\n",
            host, what);
    return !interview_can_ask_again(&setup->interview, question) || strcmp(before, host) == 0 ||
           prompt_yes("Use it anyway?");
}

static int settle_host(struct setup *setup, struct why *why)
{
    char proposal[ADDR_HOST_MAX], answer[SETTING_VALUE_MAX] = "", before[SETTING_VALUE_MAX];
    struct question question = {.name = "VPS_HOST",
                                .text = "Public name or IP address of this server",
                                .option = setup->options.host,
                                .proposal = proposal};
    int err = draft_get(setup->interview.draft, "VPS_HOST", before, why);
    proposal[0] = '\0';
    if (err == 0 && !before[0] && interview_can_ask_again(&setup->interview, &question)) {
        own_host_propose(proposal);
    }
    do {
        err = err < 0 ? err : interview_settle(&setup->interview, &question, answer, why);
    } while (err == 0 && (answer[0] ? !is_meant(setup, &question, before, answer)
                                    : interview_can_ask_again(&setup->interview, &question)));
    return err == 0 && !answer[0] ? interview_say_missing("VPS_HOST", " or --host HOST", why) : err;
}

/* ---- the gateway ---------------------------------------------------------- */

/* Keys that are there stay: gateways use them. */
static int settle_key(struct setup *setup, struct why *why)
{
    char name[GATEWAY_NAME_MAX + 1];
    int err = enrolment_name(&setup->enrolment, setup->options.gateway, setup->interview.ask,
                             &setup->wish, name, why);
    if (err == 0 && name[0]) {
        err = enrolment_choose(&setup->enrolment, name, &setup->wish, why);
        if (err == -EKEYEXPIRED) { /* nothing else depends on it */
            log_complain("vps-agent", why->text);
            err = 0;
        }
    }
    return err < 0 ? err : enrolment_put(&setup->enrolment, setup->interview.draft, false, why);
}

/* ---- what comes next ------------------------------------------------------ */

static void say_firewall(const struct vps_settings *settings)
{
    const struct firewall_ports ports = firewall_ports_of(settings);
    char buffer[64];
    struct text text = text_over(buffer, sizeof buffer);
    firewall_add_ports(&ports, &text);
    printf("Firewall:  let in %s\n", buffer);
}

/* Where the join string cannot be shown, since this is written to a file. */
static void say_how_to_invite(const struct setup *setup, const char *path)
{
    char where[512] = "";
    struct text text = text_over(where, sizeof where);
    service_add_env_file(&text, &SERVICE_VPS, path);
    printf("Gateway:   %svps-agent --invite %s%s prints its join string\n", service_sudo(),
           setup->enrolment.key.name, where);
}

/* There is none yet, and none was named: the first one asks by itself. */
static void say_how_to_pair(const struct vps_settings *settings)
{
    char where[TARGET_TEXT_MAX];
    bool usual = settings->control_port == CONTROL_PORT_USUAL;
    target_format(settings->vps_host, settings->control_port, where);
    printf("Gateway:   sudo gateway-agent --join %s\n"
           "           on a Linux machine in your LAN, within ten minutes of the start: it shows a "
           "code,\n           and the bot asks you whether that is the same as its own\n",
           usual ? settings->vps_host : where);
}

static void say_how_to_start(const struct setup *setup, const char *path,
                             const struct vps_settings *settings)
{
    char reload[512];
    struct text text = text_over(reload, sizeof reload);
    running_agent_add_reload(&text, settings->state_dir);
    printf("%s %s.\n\n", draft_changes(setup->interview.draft) ? "Wrote" : "Nothing has changed in",
           path);
    say_firewall(settings);
    service_print_commands(&SERVICE_VPS, path, setup->enrolment.running.runs ? reload : NULL);
    if (host_kind(settings->vps_host) == HOST_IPV6) {
        puts("VPS_HOST:  FreeRDP cannot open .rdp files with an IPv6 address; a name is better");
    }
    if (!isatty(STDOUT_FILENO) && setup->enrolment.key.name[0]) {
        say_how_to_invite(setup, path);
    }
    if (setup->enrolment.keys.count == 0 && setup->enrolment.running.kept == 0) {
        say_how_to_pair(settings);
    }
}

/* Read back from the file: what the agent will read is what the person is told. */
static int say_what_next(const struct setup *setup, const char *path, struct why *why)
{
    struct vps_settings settings = {0};
    char string[INVITE_TEXT_MAX];
    bool hands_out = setup->enrolment.key.name[0];
    /* Without what the bot needs: the token may have come from standard input. */
    int err = vps_settings_load(path, true, &settings, why);
    if (err == 0 && hands_out) {
        err = enrolment_string(&setup->enrolment, &settings, string, why);
    }
    if (err == 0) {
        say_how_to_start(setup, path, &settings);
        fflush(stdout);
        if (hands_out && isatty(STDOUT_FILENO)) {
            fputs("\n", stderr);
            enrolment_print(&setup->enrolment, string);
        }
    }
    crypto_wipe(string, sizeof string);
    vps_settings_wipe(&settings);
    return err;
}

/* ---- the two verbs -------------------------------------------------------- */

/* What is wrong with the command line or the file is said before anybody is asked anything. */
static int begin(struct setup *setup, const struct setup_options *options, struct why *why)
{
    *setup = (struct setup){.options = *options, .interview.ask = prompt_is_possible()};
    if (!setup->options.env_file) {
        setup->options.env_file = VPS_ENV_FILE;
    }
    int64_t valid_s = INVITE_VALID_S;
    int err = options->valid ? invite_read_span(options->valid, &valid_s, why) : 0;
    setup->wish = (struct keys_wish){
        .renew = options->new_key, .until_said = options->valid != NULL, .now = clock_unix()};
    setup->wish.until = valid_s ? setup->wish.now + valid_s : 0;
    err = err < 0 ? err : vocabulary_check_file(&VPS_VOCABULARY, setup->options.env_file, why);
    err = err < 0 ? err : draft_open(setup->options.env_file, &setup->interview.draft, why);
    if (err == -EACCES && geteuid() != 0) {
        fputs("Run it as root, with sudo.\n", stderr);
    }
    return err;
}

static int end(struct setup *setup, int err, const struct why *why)
{
    sync_api_free(setup->sync_api);
    draft_free(setup->interview.draft);
    vps_settings_wipe(&setup->interview.settings);
    enrolment_wipe(&setup->enrolment);
    crypto_wipe(setup, sizeof *setup);
    if (err == 0) {
        return EXIT_SUCCESS;
    }
    log_complain("vps-agent", why->text);
    return err == -EINVAL ? EXIT_USAGE : EXIT_FAILURE;
}

int setup_run(const struct setup_options *options)
{
    struct setup setup;
    struct why why = {""};
    int err = begin(&setup, options, &why);
    /*
     * The file is checked before anything is asked, so that nobody types in a secret for nothing.
     * The running agent is asked about (enrolment_begin()) before the users, since it would get
     * their messages.
     */
    err = err < 0 ? err : secret_file_check(setup.options.env_file, &why);
    err = err < 0 ? err : keep_given(&setup, &why);
    err = err < 0 ? err : enrolment_begin(&setup.enrolment, setup.interview.draft, &why);
    err = err < 0 ? err : settle_bot(&setup, &why);
    err = err < 0 ? err : settle_users(&setup, &why);
    err = err < 0 ? err : settle_host(&setup, &why);
    err = err < 0 ? err : settle_key(&setup, &why);
    err = err < 0 ? err : draft_save(setup.interview.draft, &why);
    err = err < 0 ? err : say_what_next(&setup, setup.options.env_file, &why);
    return end(&setup, err, &why);
}

/* What the settings will be when the key is written. The environment comes before the file. */
static int load_with_key(const struct setup *setup, struct vps_settings *ret_settings,
                         struct why *why)
{
    char hex[2 * CRYPTO_KEY_SIZE + 1];
    const char *path = setup->options.env_file;
    crypto_hex(setup->enrolment.key.key, sizeof setup->enrolment.key.key, hex);
    int err = setenv("TUNNEL_KEY", hex, 1) < 0 ? why_set(why, -ENOMEM, "out of memory") : 0;
    err = err < 0
              ? err
              : vps_settings_load(access(path, F_OK) < 0 ? NULL : path, true, ret_settings, why);
    unsetenv("TUNNEL_KEY");
    crypto_wipe(hex, sizeof hex);
    return err;
}

/*
 * In a container TUNNEL_KEY comes from the environment or a read-only file, which no command can
 * change from inside.
 */
static void say_how_by_hand(const char *gateway)
{
    fprintf(stderr,
            "Add \",%s:KEY\" to what is there already (or replace its key), with a KEY from "
            "vps-agent --generate-key; then this prints the join string.\n",
            gateway);
}

/* It knows the new key at once, and no reload is needed. */
static int invite_by_agent(const struct setup *setup, struct why *why)
{
    const struct keys_wish *wish = &setup->wish;
    const struct running_agent_wish asked = {.gateway = setup->options.gateway,
                                             .renew = wish->renew,
                                             .valid_s = wish->until ? wish->until - wish->now : 0};
    return running_agent_invite(setup->enrolment.state_dir, &asked, why);
}

/*
 * The string is made from settings that can be loaded with the new key, and only then is the key
 * written: a key in TUNNEL_KEY whose string nobody has seen would have to be taken out by hand.
 */
int setup_invite(const struct setup_options *options)
{
    struct setup setup;
    struct vps_settings settings = {0};
    char string[INVITE_TEXT_MAX];
    struct why why = {""};
    bool is_given = draft_is_given("TUNNEL_KEY");
    int err = begin(&setup, options, &why);
    err = err < 0 ? err : enrolment_begin(&setup.enrolment, setup.interview.draft, &why);
    if (err == 0 && enrolment_is_of_agent(&setup.enrolment)) {
        err = invite_by_agent(&setup, &why);
        return end(&setup, err, &why);
    }
    err = err < 0 ? err : enrolment_check_source(&setup.enrolment, &why);
    err = err < 0 ? err : enrolment_choose(&setup.enrolment, options->gateway, &setup.wish, &why);
    int unwritten = err < 0 ? 0
                            : enrolment_put(&setup.enrolment, setup.interview.draft, true, &why);
    err = err < 0 ? err : unwritten;
    err = err < 0 ? err : load_with_key(&setup, &settings, &why);
    err = err < 0 ? err : enrolment_string(&setup.enrolment, &settings, string, &why);
    unwritten = err < 0 ? unwritten
                        : draft_save(setup.interview.draft, &why); /* not before it is made */
    err = err < 0 ? err : unwritten;
    if (err == 0) {
        enrolment_print(&setup.enrolment, string);
        enrolment_say_what_next(&setup.enrolment);
    }
    crypto_wipe(string, sizeof string);
    vps_settings_wipe(&settings);
    int status = end(&setup, err, &why);
    if (unwritten < 0 && is_given) {
        say_how_by_hand(options->gateway);
    }
    return status;
}
