/*
 * gateway-agent: the part of pamtunnel inside the LAN. It connects out to the VPS
 * and, on its command, joins a data channel with a machine that its own list
 * allows.
 *
 *     settings  the configuration          targets   the list of what may be dialled
 *     agent     loop, signals, wiring      reach     the target: look-up, list, probe
 *     uplink    the control connection     attach    the data channel: dial, proof
 *     credentials  name and key            applicant  how it gets a key: is paired
 *     tunnels   all of them, the relay     tunnel    the life of one
 *     failure   why one cannot be opened   health    what --health says
 *     reachable the targets that answered a moment ago
 *     setup/    --join: sets it up; --doctor: what is wrong, if something is
 */
#include <stdio.h>
#include <stdlib.h>

#include "control/tls.h"
#include "gateway/agent.h"
#include "gateway/credentials.h"
#include "gateway/health.h"
#include "gateway/setup/doctor.h"
#include "gateway/setup/join.h"
#include "shared/program.h"

enum { FLAG_JOIN = 1, FLAG_FORCE = 2, FLAG_DOCTOR = 4 };

/* ---- instead of running ---------------------------------------------------- */

static int join(const struct options *options)
{
    struct join_options join_options = {
        .string = options_value(options, FLAG_JOIN),
        .env_file = options->env_file,
        .force = options->flags & FLAG_FORCE,
    };
    int status = join_run(&join_options);
    tls_library_free();
    return status;
}

static int examine(const struct options *options)
{
    int status = doctor_run(options->env_file);
    tls_library_free();
    return status;
}

/* ---- the command line ----------------------------------------------------- */

static const struct option_flag FLAGS[] = {
    {"--join",
     "set up: asks the server of that name to be paired; or with a join string, which - asks for",
     FLAG_JOIN, "HOST", .action = join},
    {"--force", "with --join: write the settings even if the check fails", FLAG_FORCE, NULL,
     .with = FLAG_JOIN},
    {"--doctor", "check everything, say what to do about what is wrong, and exit", FLAG_DOCTOR,
     NULL, .action = examine},
};

static const struct program PROGRAM = {
    .options = {.program = "gateway-agent",
                .summary =
                    "Connects this network to pamtunnel's vps-agent, for the targets it allows.",
                .flags = FLAGS,
                .count = sizeof FLAGS / sizeof *FLAGS},
    .vocabulary = &GATEWAY_VOCABULARY,
};

/* ---- running -------------------------------------------------------------- */

static int run(struct gateway_settings *settings, const char *env_file)
{
    struct credentials credentials;
    struct why why;
    int err = credentials_load(settings, &credentials, &why);
    err = err < 0 ? err : credentials_prepare(&credentials, &why);
    if (err < 0) {
        return program_refuse(&PROGRAM, &why);
    }
    struct log log = program_start(&PROGRAM, env_file, &settings->common);
    err = agent_run(settings, &credentials, env_file, &log, &why);
    credentials_wipe(&credentials);
    return program_end(&log, err, &why);
}

static int check(const struct gateway_settings *settings, const char *env_file)
{
    struct credentials credentials;
    struct why why;
    if (credentials_load(settings, &credentials, &why) < 0) {
        return program_refuse(&PROGRAM, &why);
    }
    int status = program_say_complete(&PROGRAM, env_file, &settings->common);
    if (credentials.source == CREDENTIALS_NONE) {
        printf("It has no key yet: gateway %s will ask to be paired, and keep its key in %s.\n",
               credentials.name, credentials.folder);
    }
    credentials_wipe(&credentials);
    return status;
}

int main(int argc, char **argv)
{
    struct options options;
    struct gateway_settings settings;
    struct why why;
    int status;
    if (program_answers(&PROGRAM, argc, argv, &options, &status)) {
        return status;
    }
    const char *env_file = gateway_settings_env_file(options.env_file);
    if (gateway_settings_load(env_file, &settings, &why) < 0) {
        return program_refuse(&PROGRAM, &why);
    }
    if (options.check) {
        status = check(&settings, env_file);
    } else if (options.health) {
        status = health_check(&settings, env_file) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    } else {
        status = run(&settings, env_file);
    }
    gateway_settings_done(&settings);
    return status;
}
