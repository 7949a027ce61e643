/*
 * vps-agent: the part of pamtunnel on the public server. It answers the users,
 * opens a port for each session, lets in its user, and joins them with the gateway.
 *
 *     settings    the configuration         agent    loop, signals, wiring
 *     gateways    the control port          admin    the socket for pamctl
 *     reload      the settings, read again  roster   who may do what by them
 *     keyring     whose the keys of TUNNEL_KEY are, and until when
 *     session/    what one command grants: its life, its two ports, its .rdp file
 *     admission/  who is let in at a session's public port
 *     bot/        the conversation in Telegram
 *     store/      one SQLite file, written by a thread of its own; state: what is in it
 *     setup/      --setup, --invite and --doctor, before there is an agent
 *     health      what --health says
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "base/log.h"
#include "base/net.h"
#include "base/options.h"
#include "base/startup.h"
#include "control/tls.h"
#include "vps/admin/health.h"
#include "vps/agent.h"
#include "vps/setup/doctor.h"
#include "vps/setup/setup.h"

enum { EXIT_USAGE = 2 };
enum {
    FLAG_LOCAL = 1,
    FLAG_GENERATE_KEY = 2,
    FLAG_SETUP = 4,
    FLAG_INVITE = 8,
    FLAG_NEW_KEY = 16,
    FLAG_HOST = 32,
    FLAG_USER = 64,
    FLAG_GATEWAY = 128,
    FLAG_DOCTOR = 256,
    FLAG_VALID = 512,
};

static const struct option_flag FLAGS[] = {
    {"--setup", "ask for what is needed, write the env file, and say what to do next", FLAG_SETUP,
     NULL, .action = true},
    {"--host", "with --setup: VPS_HOST", FLAG_HOST, "HOST", .with = FLAG_SETUP},
    {"--user", "with --setup: ALLOWED_USERS", FLAG_USER, "ID,...", .with = FLAG_SETUP},
    {"--gateway", "with --setup: the name of the gateway", FLAG_GATEWAY, "NAME",
     .with = FLAG_SETUP},
    {"--invite", "print the join string of the gateway NAME, whether new or known", FLAG_INVITE,
     "NAME", .action = true},
    {"--new-key", "with --invite: make a new key to replace the one it has", FLAG_NEW_KEY, NULL,
     .with = FLAG_INVITE | FLAG_SETUP},
    {"--valid", "how long a new key may wait for its first use: 24h, 30m, 7d; 0: forever",
     FLAG_VALID, "TIME", .with = FLAG_INVITE | FLAG_SETUP},
    {"--doctor", "check everything, say what to do about what is wrong, and exit", FLAG_DOCTOR,
     NULL, .action = true},
    {"--local", "run without Telegram; pamctl opens the sessions", FLAG_LOCAL, NULL,
     .with = OPTION_RUN | OPTION_CHECK | OPTION_HEALTH | FLAG_DOCTOR},
    {"--generate-key", "print a new TUNNEL_KEY and exit", FLAG_GENERATE_KEY, NULL, .action = true},
};

static const struct options_table OPTIONS = {
    .program = "vps-agent",
    .summary = "Opens RDP and SSH sessions into a LAN on command from Telegram or pamctl.",
    .flags = FLAGS,
    .count = sizeof FLAGS / sizeof *FLAGS,
    .without_file = FLAG_GENERATE_KEY,
};

static int refuse(const struct why *why)
{
    log_complain("vps-agent", why->text);
    return EXIT_USAGE;
}

static int help(void)
{
    options_describe(&OPTIONS);
    puts("\nSettings, from the environment, a NAME_FILE or the env file:");
    vps_settings_describe();
    return EXIT_SUCCESS;
}

static int generate_key(void)
{
    uint8_t key[CRYPTO_KEY_SIZE];
    char hex[2 * CRYPTO_KEY_SIZE + 1];
    if (crypto_random(key, sizeof key) < 0) {
        fputs("vps-agent: the kernel has no random numbers\n", stderr);
        return EXIT_FAILURE;
    }
    crypto_hex(key, sizeof key, hex);
    puts(hex);
    crypto_wipe(key, sizeof key);
    crypto_wipe(hex, sizeof hex);
    return EXIT_SUCCESS;
}

static int run(struct vps_settings *settings, const char *env_file)
{
    struct log log = log_to_stderr(settings->log_level);
    struct why why;
    startup_ignore_signals();
    net_raise_descriptor_limit();
    int err = agent_run(settings, env_file, &log, &why);
    if (err < 0) {
        log_error(&log, "%s", why.text);
    }
    uv_library_shutdown();
    return err < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int set_up(const struct options *options)
{
    bool invite = options->flags & FLAG_INVITE;
    struct setup_options setup = {
        .env_file = options->env_file,
        .host = options_value(options, FLAG_HOST),
        .user = options_value(options, FLAG_USER),
        .gateway = options_value(options, invite ? FLAG_INVITE : FLAG_GATEWAY),
        .new_key = options->flags & FLAG_NEW_KEY,
        .valid = options_value(options, FLAG_VALID),
    };
    signal(SIGPIPE, SIG_IGN);
    int status = invite ? setup_invite(&setup) : setup_run(&setup);
    tls_library_free();
    return status;
}

static int examine(const struct options *options)
{
    signal(SIGPIPE, SIG_IGN);
    int status = doctor_run(options->env_file, options->flags & FLAG_LOCAL);
    tls_library_free();
    return status;
}

int main(int argc, char **argv)
{
    struct options options;
    struct vps_settings settings;
    struct why why;
    struct completion completion;

    if (completion_is_asked(argc, argv, &completion)) {
        options_complete(&OPTIONS, &completion);
        return EXIT_SUCCESS;
    }
    if (options_parse(&OPTIONS, argc, argv, &options, &why) < 0) {
        return refuse(&why);
    }
    if (options.help) {
        return help();
    }
    if (options.version) {
        return puts("vps-agent " PAMTUNNEL_VERSION) < 0;
    }
    if (options.flags & FLAG_GENERATE_KEY) {
        return generate_key();
    }
    if (options.flags & (FLAG_SETUP | FLAG_INVITE)) {
        return set_up(&options);
    }
    if (options.flags & FLAG_DOCTOR) {
        return examine(&options);
    }
    options.env_file = vps_settings_env_file(options.env_file, options.flags & FLAG_LOCAL);
    if (vps_settings_load(options.env_file, options.flags & FLAG_LOCAL, &settings, &why) < 0) {
        return refuse(&why);
    }
    int status = EXIT_SUCCESS;
    if (options.check) {
        startup_say_complete(vps_settings_vocabulary(), options.env_file,
                             settings.congestion_control);
    } else if (options.health) {
        status = health_check(&settings) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    } else {
        startup_say_source(vps_settings_vocabulary(), options.env_file, settings.log_level);
        status = run(&settings, options.env_file);
    }
    vps_settings_wipe(&settings);
    return status;
}
