/*
 * gateway-agent: the part of pamtunnel inside the LAN. It connects out to the VPS
 * and, on its command, joins a data channel with a machine that its own list
 * allows.
 *
 *     settings  the configuration          targets   the list of what may be dialled, with
 *                                          slips     for what is often written into it
 *     agent     loop, signals, wiring      reach     the target: look-up, list, probe
 *     uplink    the control connection     attach    the data channel: dial, proof
 *     tunnels   all of them, the relay     tunnel    the life of one
 *     failure   why one cannot be opened   health    what --health says
 *     look      a try to reach the VPS, for the two below
 *     join      --join: sets it up         doctor    --doctor: what is wrong, if something is
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
#include "gateway/agent.h"
#include "gateway/health.h"
#include "gateway/setup/doctor.h"
#include "gateway/setup/join.h"

enum { EXIT_USAGE = 2 };
enum { FLAG_JOIN = 1, FLAG_FORCE = 2, FLAG_DOCTOR = 4 };

static const struct option_flag FLAGS[] = {
    {"--join", "set up with the string that vps-agent --invite prints; - asks for it", FLAG_JOIN,
     "STRING", .action = true},
    {"--force", "with --join: write the settings even if the check fails", FLAG_FORCE, NULL,
     .with = FLAG_JOIN},
    {"--doctor", "check everything, say what to do about what is wrong, and exit", FLAG_DOCTOR,
     NULL, .action = true},
};

static const struct options_table OPTIONS = {
    .program = "gateway-agent",
    .summary = "Connects this network to pamtunnel's vps-agent, for the targets it allows.",
    .flags = FLAGS,
    .count = sizeof FLAGS / sizeof *FLAGS,
};

static int refuse(const struct why *why)
{
    log_complain("gateway-agent", why->text);
    return EXIT_USAGE;
}

static int help(void)
{
    options_describe(&OPTIONS);
    puts("\nSettings, from the environment, a NAME_FILE or the env file:");
    gateway_settings_describe();
    return EXIT_SUCCESS;
}

static int run(struct gateway_settings *settings, const char *env_file)
{
    struct log log = log_to_stderr(settings->log_level);
    struct why why;
    int err;

    startup_ignore_signals();
    net_raise_descriptor_limit();
    err = agent_run(settings, env_file, &log, &why);
    if (err < 0) {
        log_error(&log, "%s", why.text);
    }
    uv_library_shutdown();
    return err < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int join(const struct options *options)
{
    struct join_options join_options = {
        .string = options_value(options, FLAG_JOIN),
        .env_file = options->env_file,
        .force = options->flags & FLAG_FORCE,
    };
    signal(SIGPIPE, SIG_IGN);
    int status = join_run(&join_options);
    tls_library_free();
    return status;
}

int main(int argc, char **argv)
{
    struct options options;
    struct gateway_settings settings;
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
        return puts("gateway-agent " PAMTUNNEL_VERSION) < 0;
    }
    if (options.flags & FLAG_JOIN) {
        return join(&options);
    }
    if (options.flags & FLAG_DOCTOR) {
        signal(SIGPIPE, SIG_IGN);
        return doctor_run(options.env_file);
    }
    options.env_file = gateway_settings_env_file(options.env_file);
    if (gateway_settings_load(options.env_file, &settings, &why) < 0) {
        return refuse(&why);
    }
    int status = EXIT_SUCCESS;
    if (options.check) {
        startup_say_complete(gateway_settings_vocabulary(), options.env_file,
                             settings.congestion_control);
    } else if (options.health) {
        status = health_check(&settings, options.env_file) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    } else {
        startup_say_source(gateway_settings_vocabulary(), options.env_file, settings.log_level);
        status = run(&settings, options.env_file);
    }
    gateway_settings_done(&settings);
    return status;
}
