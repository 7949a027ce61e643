/*
 * vps-agent: the part of pamtunnel on the public server. It answers the users,
 * opens a port for each session, lets in its user, and joins them with the gateway.
 */
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/crypto.h"
#include "base/wipe.h"
#include "control/tls.h"
#include "shared/program.h"
#include "vps/admin/health.h"
#include "vps/agent.h"
#include "vps/setup/doctor.h"
#include "vps/setup/policy_explain.h"
#include "vps/setup/rdp_maker.h"
#include "vps/setup/setup.h"

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
    FLAG_EXPLAIN = 1024,
    FLAG_RDP_CERTIFICATE = 2048,
    EXPLAIN_WORDS = 3,
};

/* ---- instead of running ---------------------------------------------------- */

static int generate_key(const struct options *options)
{
    uint8_t key[CRYPTO_KEY_SIZE];
    char hex[2 * CRYPTO_KEY_SIZE + 1];
    (void)options;
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
    int status = invite ? setup_invite(&setup) : setup_run(&setup);
    tls_library_free();
    return status;
}

static int examine(const struct options *options)
{
    int status = doctor_run(options->env_file, options->flags & FLAG_LOCAL);
    tls_library_free();
    return status;
}

static int make_rdp_certificate(const struct options *options)
{
    const struct rdp_maker_options maker = {.env_file = options->env_file,
                                            .host = options_value(options, FLAG_HOST),
                                            .folder = options_value(options, FLAG_RDP_CERTIFICATE)};
    return rdp_maker_run(&maker);
}

/* USER, and KIND TARGET [TIME] behind it. */
static int explain(const struct options *options)
{
    char *words[EXPLAIN_WORDS + 1] = {options_value(options, FLAG_EXPLAIN)};
    for (unsigned i = 0; i < options->word_count; i++) {
        words[i + 1] = options->words[i];
    }
    return policy_explain(options->env_file, words, options->word_count + 1);
}

/* ---- the command line ----------------------------------------------------- */

static const struct option_flag FLAGS[] = {
    {"--setup", "ask for what is needed, write the env file, and say what to do next", FLAG_SETUP,
     NULL, .action = set_up},
    {"--host", "with --setup: VPS_HOST; with --make-rdp-certificate: in whose name", FLAG_HOST,
     "HOST", .with = FLAG_SETUP | FLAG_RDP_CERTIFICATE},
    {"--user", "with --setup: ALLOWED_USERS", FLAG_USER, "ID,...", .with = FLAG_SETUP},
    {"--gateway", "with --setup: the name of the gateway", FLAG_GATEWAY, "NAME",
     .with = FLAG_SETUP},
    {"--invite", "print the join string of the gateway NAME, whether new or known", FLAG_INVITE,
     "NAME", .action = set_up},
    {"--new-key", "with --invite: make a new key to replace the one it has", FLAG_NEW_KEY, NULL,
     .with = FLAG_INVITE | FLAG_SETUP},
    {"--valid", "how long a new key may wait for its first use: 24h, 30m, 7d; 0: forever",
     FLAG_VALID, "TIME", .with = FLAG_INVITE | FLAG_SETUP},
    {"--doctor", "check everything, say what to do about what is wrong, and exit", FLAG_DOCTOR,
     NULL, .action = examine},
    {"--explain", "say which rule of POLICY_FILE decides, and exit", FLAG_EXPLAIN,
     "USER KIND TARGET [TIME]", .words = EXPLAIN_WORDS, .action = explain},
    {"--make-rdp-certificate",
     "make a certificate that signs .rdp files for your own PCs, and exit", FLAG_RDP_CERTIFICATE,
     "FOLDER", .action = make_rdp_certificate},
    {"--local", "run without Telegram; pamctl opens the sessions", FLAG_LOCAL, NULL,
     .with = OPTION_RUN | OPTION_CHECK | OPTION_HEALTH | FLAG_DOCTOR},
    {"--generate-key", "print a new TUNNEL_KEY and exit", FLAG_GENERATE_KEY, NULL,
     .action = generate_key},
};

static const struct program PROGRAM = {
    .options =
        {.program = "vps-agent",
         .summary =
             "Opens RDP, SSH and VNC sessions into a LAN on command from Telegram or pamctl.",
         .flags = FLAGS,
         .count = sizeof FLAGS / sizeof *FLAGS,
         .without_file = FLAG_GENERATE_KEY},
    .vocabulary = &VPS_VOCABULARY,
};

/* ---- running -------------------------------------------------------------- */

static void say_keys(const struct vps_settings *settings)
{
    if (settings->tunnel_key.count == 0) {
        puts("TUNNEL_KEY is not set: gateways are paired (pamctl gateway pair) or added (pamctl "
             "gateway add NAME) while vps-agent runs.");
    }
}

static void say_doubts(const struct vps_settings *settings)
{
    const struct policy *policy = settings->policy_file.policy;
    for (unsigned i = 0; policy && i < policy->warning_count; i++) {
        printf("But %s\n", policy->warnings[i]);
    }
}

int main(int argc, char **argv)
{
    struct options options;
    struct vps_settings settings;
    struct why why;
    int status;
    json_set_alloc_funcs(malloc, wipe_free); /* keys and .rdp files go through it */
    if (program_answers(&PROGRAM, argc, argv, &options, &status)) {
        return status;
    }
    bool local = options.flags & FLAG_LOCAL;
    const char *env_file = vps_settings_env_file(options.env_file, local);
    if (vps_settings_load(env_file, local, &settings, &why) < 0) {
        return program_refuse(&PROGRAM, &why);
    }
    if (options.check) {
        status = program_say_complete(&PROGRAM, env_file, &settings.common);
        say_keys(&settings);
        say_doubts(&settings);
    } else if (options.health) {
        status = health_check(&settings) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    } else {
        struct log log = program_start(&PROGRAM, env_file, &settings.common);
        status = program_end(&log, agent_run(&settings, env_file, &log, &why), &why);
    }
    vps_settings_wipe(&settings);
    return status;
}
