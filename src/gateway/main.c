/*
 * gateway-agent: the part of pamtunnel inside the LAN. It connects out to the VPS
 * and, on its command, joins a data channel with a machine that its own list
 * allows.
 *
 *     settings  the configuration          targets   the list of what may be dialled
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

#include "base/envfile.h"
#include "base/log.h"
#include "base/net.h"
#include "base/options.h"
#include "control/tls.h"
#include "gateway/agent.h"
#include "gateway/doctor.h"
#include "gateway/health.h"
#include "gateway/join.h"

enum { EXIT_USAGE = 2 };
enum { FLAG_JOIN = 1, FLAG_FORCE = 2, FLAG_DOCTOR = 4 };

static const struct option_flag FLAGS[] = {
    {"--join", "set up from the line of vps-agent --invite; -: asks for it", FLAG_JOIN, "STRING"},
    {"--force", "with --join: write the settings although the check fails", FLAG_FORCE, NULL},
    {"--doctor", "say what is well and what to do about the rest, and stop", FLAG_DOCTOR, NULL},
};

static const struct options_table OPTIONS = {
    .program = "gateway-agent",
    .summary = "Connects this network to pamtunnel's vps-agent, for the targets it allows.",
    .flags = FLAGS,
    .count = sizeof FLAGS / sizeof *FLAGS,
};

static int refuse(const struct why *why)
{
    fprintf(stderr, "gateway-agent: %s\n", why->text);
    return EXIT_USAGE;
}

static int help(void)
{
    options_describe(&OPTIONS);
    puts("\nSettings, from the environment, NAME_FILE or the env file:");
    gateway_settings_describe();
    return EXIT_SUCCESS;
}

static int run(struct gateway_settings *settings)
{
    struct log log = {.stream = stderr, .level = settings->log_level};
    struct why why;
    int err;

    signal(SIGPIPE, SIG_IGN);
    net_raise_descriptor_limit();
    err = agent_run(settings, &log, &why);
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

/* Settings decide where secrets go and who gets in. */
static void warn_if_unsafe(const char *env_file)
{
    struct log log = {.stream = stderr, .level = LOG_WARN};
    struct why why;
    if (env_file && envfile_is_safe(env_file, &why) < 0) {
        log_warn(&log, "the settings may be changed by others: %s", why.text);
    }
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
    if (gateway_settings_load(options.env_file, &settings, &why) < 0) {
        return refuse(&why);
    }
    int status = EXIT_SUCCESS;
    if (options.check) {
        puts("The configuration is complete.");
    } else if (options.health) {
        status = health_check(&settings) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    } else {
        warn_if_unsafe(options.env_file);
        status = run(&settings);
    }
    gateway_settings_done(&settings);
    return status;
}
