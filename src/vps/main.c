/*
 * vps-agent: the part of pamtunnel on the public server. It answers the users,
 * opens single-use ports, lets in who may, and joins them with the gateway.
 *
 *     settings   the configuration          agent      loop, signals, wiring
 *     gateways   the control port           sessions   all grants; session: the life of one
 *     ports      the range of ports         dock       a session's data port
 *     admission/ a session's public port    bot/       the conversation in Telegram
 *     rdpfile    what an RDP user gets      admin      the socket for pamctl
 *     health     what --health says
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "base/net.h"
#include "base/options.h"
#include "vps/agent.h"
#include "vps/health.h"

enum { EXIT_USAGE = 2 };
enum { FLAG_LOCAL = 1, FLAG_GENERATE_KEY = 2 };

static const struct option_flag FLAGS[] = {
    {"--local", "run without Telegram; pamctl opens the sessions", FLAG_LOCAL},
    {"--generate-key", "print a new TUNNEL_KEY and stop", FLAG_GENERATE_KEY},
};

static const struct options_table OPTIONS = {
    .program = "vps-agent",
    .summary = "Opens RDP and SSH sessions into a LAN on command from Telegram or pamctl.",
    .flags = FLAGS,
    .count = sizeof FLAGS / sizeof *FLAGS,
};

static int refuse(const struct why *why)
{
    fprintf(stderr, "vps-agent: %s\n", why->text);
    return EXIT_USAGE;
}

static int help(void)
{
    options_describe(&OPTIONS);
    puts("\nSettings, from the environment, NAME_FILE or the env file:");
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

static int run(const struct vps_settings *settings)
{
    struct log log = {.stream = stderr, .level = settings->log_level};
    struct why why;
    signal(SIGPIPE, SIG_IGN);
    net_raise_descriptor_limit();
    int err = agent_run(settings, &log, &why);
    if (err < 0) {
        log_error(&log, "%s", why.text);
    }
    uv_library_shutdown();
    return err < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct options options;
    struct vps_settings settings;
    struct why why;

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
    if (vps_settings_load(options.env_file, options.flags & FLAG_LOCAL, &settings, &why) < 0) {
        return refuse(&why);
    }
    int status = EXIT_SUCCESS;
    if (options.check) {
        puts("The configuration is complete.");
    } else if (options.health) {
        status = health_check(&settings) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    } else {
        status = run(&settings);
    }
    vps_settings_wipe(&settings);
    return status;
}
