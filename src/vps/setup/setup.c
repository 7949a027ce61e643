#include "vps/setup/setup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/envfile.h"
#include "base/prompt.h"
#include "base/text.h"
#include "shared/gateway_name.h"
#include "shared/invite.h"
#include "shared/service.h"
#include "vps/settings/settings.h"
#include "vps/setup/handout.h"
#include "vps/setup/hotline.h"
#include "vps/setup/learn.h"
#include "vps/setup/own_host.h"
#include "vps/setup/sheet.h"
#include "vps/setup/users.h"

enum { EXIT_USAGE = 2, VALID_S = 24 * 3600 };

struct setup {
    struct setup_options options;
    struct sheet *sheet;
    bool ask;                     /* somebody is at the terminal */
    struct vps_settings settings; /* what was settled so far */
    struct hotline *hotline;
    char bot_name[HOTLINE_NAME_MAX + 1];
    struct keys_wish wish;
    struct handout handout;
};

static void complain(const struct why *why)
{
    fprintf(stderr, "vps-agent: %s\n", why->text);
}

/* ---- one setting ---------------------------------------------------------- */

struct question {
    const char *name; /* of the setting */
    const char *text;
    const char *option;   /* its value on the command line, or NULL */
    const char *proposal; /* if it is not set yet */
    bool secret;
};

static int ask_once(const struct question *question, const char *now, char *answer, struct why *why)
{
    char text[200];
    int err;
    if (question->secret) {
        snprintf(text, sizeof text, "%s (not shown%s)", question->text,
                 now[0] ? "; Enter keeps the current one" : "");
        err = prompt_secret(text, answer, SETTING_VALUE_MAX);
    } else {
        err = prompt_line(question->text, now[0] ? now : question->proposal, answer,
                          SETTING_VALUE_MAX);
    }
    if (err == 0 && !answer[0]) {
        snprintf(answer, SETTING_VALUE_MAX, "%s", now);
    }
    return err < 0 ? why_set(why, err, "nothing was written") : 0;
}

/*
 * Where an answer comes from: the command line, the environment, the person (who sees what
 * is set now), or, without one, what is set now. Empty if it is nowhere.
 */
static int find_answer(const struct setup *setup, const struct question *question, char *answer,
                       struct why *why)
{
    char now[SETTING_VALUE_MAX];
    if (question->option) {
        snprintf(answer, SETTING_VALUE_MAX, "%s", question->option);
        return 0;
    }
    int err = sheet_get(setup->sheet, question->name, now, why);
    if (err == 0 && setup->ask && !sheet_is_given(question->name)) {
        err = ask_once(question, now, answer, why);
    } else if (err == 0) {
        snprintf(answer, SETTING_VALUE_MAX, "%s", now);
    }
    crypto_wipe(now, sizeof now);
    return err;
}

/* True if it makes sense to ask again. */
static bool can_ask_again(const struct setup *setup, const struct question *question)
{
    return setup->ask && !question->option && !sheet_is_given(question->name);
}

/* Settles it, but for an empty answer, which is left to the caller. */
static int settle(struct setup *setup, const struct question *question, char *answer,
                  struct why *why)
{
    for (;;) {
        int err = find_answer(setup, question, answer, why);
        if (err < 0 || !answer[0]) {
            return err;
        }
        err = vps_settings_take(question->name, answer, &setup->settings, why);
        if (err == 0 || !can_ask_again(setup, question)) {
            return err < 0 ? err : sheet_put(setup->sheet, question->name, answer, why);
        }
        complain(why);
    }
}

static int say_missing(const char *name, const char *option, struct why *why)
{
    return why_set(why, -EINVAL,
                   "%s is not set, and there is no terminal to ask on: set it in the environment%s",
                   name, option);
}

/* ---- the bot -------------------------------------------------------------- */

/* Settings that were given in the environment are meant to last. */
static int keep_given(struct setup *setup, struct why *why)
{
    static const char *const NAMES[] = {"TELEGRAM_API_URL", "TELEGRAM_PROXY", "CONTROL_PORT",
                                        "PORT_RANGE_START", "PORT_RANGE_END", "BIND_ADDRESS",
                                        "STATE_DIR",        "ADMIT",          "SESSION_TIMEOUT"};
    int err = 0;
    for (unsigned i = 0; err == 0 && i < sizeof NAMES / sizeof *NAMES; i++) {
        char value[SETTING_VALUE_MAX];
        if (sheet_is_given(NAMES[i])) {
            err = sheet_get(setup->sheet, NAMES[i], value, why);
            err = err < 0 ? err : vps_settings_take(NAMES[i], value, &setup->settings, why);
            err = err < 0 ? err : sheet_put(setup->sheet, NAMES[i], value, why);
        }
    }
    return err;
}

/* Which server it is, and the proxy on the way there. */
static int find_api(struct setup *setup, char *value, struct why *why)
{
    int err = sheet_get(setup->sheet, "TELEGRAM_API_URL", value, why);
    if (err == 0) {
        err = vps_settings_take("TELEGRAM_API_URL", value[0] ? value : "https://api.telegram.org",
                                &setup->settings, why);
    }
    err = err < 0 ? err : sheet_get(setup->sheet, "TELEGRAM_PROXY", value, why);
    if (err == 0 && value[0]) {
        err = vps_settings_take("TELEGRAM_PROXY", value, &setup->settings, why);
    }
    return err;
}

static int greet(struct setup *setup, struct why *why)
{
    hotline_free(setup->hotline);
    setup->hotline = NULL;
    int err = hotline_new(&setup->settings, &setup->hotline);
    if (err < 0) {
        return why_set(why, err, "cannot talk to the Bot API: %s", strerror(-err));
    }
    err = hotline_greet(setup->hotline, setup->bot_name, NULL, why);
    if (err == 0) {
        printf("That is @%s.\n", setup->bot_name);
        fflush(stdout);
    }
    return err;
}

static int settle_bot(struct setup *setup, struct why *why)
{
    const struct question question = {
        .name = "TELEGRAM_TOKEN", .text = "Bot token from @BotFather", .secret = true};
    char answer[SETTING_VALUE_MAX];
    int err = find_api(setup, answer, why);
    while (err == 0) {
        err = settle(setup, &question, answer, why);
        if (err == 0 && !answer[0] && !can_ask_again(setup, &question)) {
            err = say_missing("TELEGRAM_TOKEN", " (or TELEGRAM_TOKEN_FILE)", why);
        }
        if (err < 0 || !answer[0]) {
            continue;
        }
        err = greet(setup, why);
        if (err == 0 || !can_ask_again(setup, &question)) {
            break;
        }
        complain(why);
        err = 0;
    }
    crypto_wipe(answer, sizeof answer);
    return err;
}

/* ---- the owner and the host ----------------------------------------------- */

static int learn(struct setup *setup, char answer[SETTING_VALUE_MAX], struct why *why)
{
    int64_t user;
    int err = learn_user(setup->hotline, setup->bot_name, &user, why);
    if (err == 0) {
        snprintf(answer, SETTING_VALUE_MAX, "%" PRId64, user);
    }
    return err;
}

/* A vps-agent that runs gets the messages; the bot tells everybody who is not let in. */
static int learn_another(struct setup *setup, char answer[SETTING_VALUE_MAX], struct why *why)
{
    if (setup->handout.running.runs) {
        return why_set(why, -EBUSY,
                       "vps-agent is running and gets the bot's messages: have them write to the "
                       "bot, which answers with their number, and enter that");
    }
    return learn(setup, answer, why);
}

/* Somebody may use the bot already: that stays, whoever comes. */
static int add_users(struct setup *setup, const char *now, struct why *why)
{
    char answer[SETTING_VALUE_MAX], list[SETTING_VALUE_MAX];
    const char *question = setup->handout.running.runs
                               ? "Another user: their numeric Telegram ID, which the bot tells "
                                 "anyone who writes to it, or Enter for nobody else"
                               : "Another user: their numeric Telegram ID, + to learn it from a "
                                 "message to the bot, or Enter for nobody else";
    for (;;) {
        int err = prompt_line(question, now, answer, sizeof answer);
        if (err < 0) {
            return why_set(why, err, "nothing was written");
        }
        err = strcmp(answer, "+") == 0 ? learn_another(setup, answer, why) : 0;
        err = err < 0 ? err : users_add(now, answer, list, why);
        if (err == 0) {
            return sheet_put(setup->sheet, "ALLOWED_USERS", list, why);
        }
        complain(why);
    }
}

static int settle_users(struct setup *setup, struct why *why)
{
    const struct question question = {
        .name = "ALLOWED_USERS",
        .text = "Your numeric Telegram user ID, or Enter to learn it from a message to the bot",
        .option = setup->options.user};
    char answer[SETTING_VALUE_MAX];
    int err = sheet_get(setup->sheet, "ALLOWED_USERS", answer, why);
    if (err == 0 && answer[0] && can_ask_again(setup, &question)) {
        return add_users(setup, answer, why);
    }
    err = err < 0 ? err : settle(setup, &question, answer, why);
    if (err == 0 && !answer[0]) {
        err = setup->ask ? learn(setup, answer, why)
                         : say_missing("ALLOWED_USERS", " or --user ID", why);
        err = err < 0 ? err : sheet_put(setup->sheet, "ALLOWED_USERS", answer, why);
    }
    return err;
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
    return !can_ask_again(setup, question) || strcmp(before, host) == 0 ||
           prompt_yes("Use it anyway?");
}

static int settle_host(struct setup *setup, struct why *why)
{
    char proposal[ADDR_HOST_MAX], answer[SETTING_VALUE_MAX] = "", before[SETTING_VALUE_MAX];
    struct question question = {.name = "VPS_HOST",
                                .text = "Public name or IP address of this server",
                                .option = setup->options.host,
                                .proposal = proposal};
    int err = sheet_get(setup->sheet, "VPS_HOST", before, why);
    proposal[0] = '\0';
    if (err == 0 && !before[0] && can_ask_again(setup, &question)) {
        own_host_propose(proposal);
    }
    do {
        err = err < 0 ? err : settle(setup, &question, answer, why);
    } while (err == 0 && (answer[0] ? !is_meant(setup, &question, before, answer)
                                    : can_ask_again(setup, &question)));
    return err == 0 && !answer[0] ? say_missing("VPS_HOST", " or --host HOST", why) : err;
}

/* ---- the gateway ---------------------------------------------------------- */

/* Keys that are there stay: gateways use them. */
static int settle_key(struct setup *setup, struct why *why)
{
    char name[GATEWAY_NAME_MAX + 1];
    int err = handout_name(&setup->handout, setup->options.gateway, setup->ask, &setup->wish, name,
                           why);
    if (err == 0 && name[0]) {
        err = handout_choose(&setup->handout, name, &setup->wish, why);
        if (err == -EKEYEXPIRED) { /* nothing else depends on it */
            complain(why);
            err = 0;
        }
    }
    return err < 0 ? err : handout_put(&setup->handout, setup->sheet, false, why);
}

/* ---- what comes next ------------------------------------------------------ */

static void say_how_to_start(const struct setup *setup, const char *path,
                             const struct vps_settings *settings)
{
    char command[512], where[300] = "";
    const char *sudo = service_sudo();
    bool runs = setup->handout.running.runs;
    struct text text = text_over(command, sizeof command);
    if (runs) {
        running_add_reload(&text, settings->state_dir);
    } else {
        service_start_command(&text, "pamtunnel-vps", "vps-agent", path);
    }
    if (strcmp(path, VPS_ENV_FILE) != 0) {
        snprintf(where, sizeof where, " --env-file %s", path);
    }
    printf("%s %s.\n\n"
           "Firewall:  let in TCP %u and %u to %u\n"
           "%-10s %s\n"
           "Check it:  %svps-agent --doctor%s\n",
           sheet_changes(setup->sheet) ? "Wrote" : "Nothing has changed in", path,
           settings->control_port, settings->port_range_start, settings->port_range_end,
           runs ? "Reload it:" : "Start it:", command, sudo, where);
    if (host_kind(settings->vps_host) == HOST_IPV6) {
        puts("VPS_HOST:  FreeRDP cannot open .rdp files with an IPv6 address; a name is better");
    }
    if (!isatty(STDOUT_FILENO) && setup->handout.key.name[0]) {
        printf("Gateway:   %svps-agent --invite %s%s prints its join string\n", sudo,
               setup->handout.key.name, where);
    }
}

static int say_what_next(const struct setup *setup, const char *path, struct why *why)
{
    struct vps_settings settings;
    char string[INVITE_TEXT_MAX];
    bool hands_out = setup->handout.key.name[0];
    /* Without what the bot needs: the token may have come from standard input. */
    int err = vps_settings_load(path, true, &settings, why);
    if (err == 0 && hands_out) {
        err = handout_string(&setup->handout, &settings, string, why);
    }
    if (err == 0) {
        say_how_to_start(setup, path, &settings);
        fflush(stdout);
        if (hands_out && isatty(STDOUT_FILENO)) {
            fputs("\n", stderr);
            handout_print(&setup->handout, string);
        }
    }
    crypto_wipe(string, sizeof string);
    vps_settings_wipe(&settings);
    return err;
}

/* ---- the two verbs -------------------------------------------------------- */

static int begin(struct setup *setup, const struct setup_options *options, struct why *why)
{
    *setup = (struct setup){.options = *options, .ask = prompt_is_possible()};
    if (!setup->options.env_file) {
        setup->options.env_file = VPS_ENV_FILE;
    }
    int64_t valid_s = VALID_S;
    int err = options->valid ? handout_read_span(options->valid, &valid_s, why) : 0;
    setup->wish = (struct keys_wish){
        .renew = options->new_key, .until_said = options->valid != NULL, .now = clock_unix()};
    setup->wish.until = valid_s ? setup->wish.now + valid_s : 0;
    err = err < 0 ? err : vps_settings_check_names(setup->options.env_file, why);
    err = err < 0 ? err : sheet_open(setup->options.env_file, &setup->sheet, why);
    if (err == -EACCES && geteuid() != 0) {
        fputs("Run it as root, with sudo.\n", stderr);
    }
    return err;
}

static int end(struct setup *setup, int err, const struct why *why)
{
    hotline_free(setup->hotline);
    sheet_free(setup->sheet);
    vps_settings_wipe(&setup->settings);
    handout_wipe(&setup->handout);
    crypto_wipe(setup, sizeof *setup);
    if (err == 0) {
        return EXIT_SUCCESS;
    }
    complain(why);
    return err == -EINVAL ? EXIT_USAGE : EXIT_FAILURE;
}

int setup_run(const struct setup_options *options)
{
    struct setup setup;
    struct why why = {""};
    int err = begin(&setup, options, &why);
    err = err < 0 ? err : envfile_check(setup.options.env_file, &why);
    err = err < 0 ? err : keep_given(&setup, &why);
    err = err < 0 ? err : handout_begin(&setup.handout, setup.sheet, &why);
    err = err < 0 ? err : settle_bot(&setup, &why);
    err = err < 0 ? err : settle_users(&setup, &why);
    err = err < 0 ? err : settle_host(&setup, &why);
    err = err < 0 ? err : settle_key(&setup, &why);
    err = err < 0 ? err : sheet_save(setup.sheet, &why);
    err = err < 0 ? err : say_what_next(&setup, setup.options.env_file, &why);
    return end(&setup, err, &why);
}

/* What the settings will be when the key is written. The environment comes before the file. */
static int load_with_key(const struct setup *setup, struct vps_settings *ret_settings,
                         struct why *why)
{
    char hex[2 * CRYPTO_KEY_SIZE + 1];
    const char *path = setup->options.env_file;
    crypto_hex(setup->handout.key.key, sizeof setup->handout.key.key, hex);
    int err = setenv("TUNNEL_KEY", hex, 1) < 0 ? why_set(why, -ENOMEM, "out of memory") : 0;
    err = err < 0
              ? err
              : vps_settings_load(access(path, F_OK) < 0 ? NULL : path, true, ret_settings, why);
    unsetenv("TUNNEL_KEY");
    crypto_wipe(hex, sizeof hex);
    return err;
}

/* A container's key, for one. */
static void say_how_by_hand(const char *gateway)
{
    fprintf(stderr,
            "Add \",%s:KEY\" to what is there already (or replace its key), with a KEY from "
            "vps-agent --generate-key; then this prints the join string.\n",
            gateway);
}

int setup_invite(const struct setup_options *options)
{
    struct setup setup;
    struct vps_settings settings = {0};
    char string[INVITE_TEXT_MAX];
    struct why why = {""};
    bool is_given = sheet_is_given("TUNNEL_KEY");
    int err = begin(&setup, options, &why);
    err = err < 0 ? err : handout_begin(&setup.handout, setup.sheet, &why);
    err = err < 0 ? err : handout_check_source(&setup.handout, &why);
    err = err < 0 ? err : handout_choose(&setup.handout, options->gateway, &setup.wish, &why);
    int unwritten = err < 0 ? 0 : handout_put(&setup.handout, setup.sheet, true, &why);
    err = err < 0 ? err : unwritten;
    err = err < 0 ? err : load_with_key(&setup, &settings, &why);
    err = err < 0 ? err : handout_string(&setup.handout, &settings, string, &why);
    unwritten = err < 0 ? unwritten : sheet_save(setup.sheet, &why); /* not before it is made */
    err = err < 0 ? err : unwritten;
    if (err == 0) {
        handout_print(&setup.handout, string);
        handout_say_what_next(&setup.handout);
    }
    crypto_wipe(string, sizeof string);
    vps_settings_wipe(&settings);
    int status = end(&setup, err, &why);
    if (unwritten < 0 && is_given) {
        say_how_by_hand(options->gateway);
    }
    return status;
}
