#include "shared/program.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/congestion.h"
#include "base/net.h"
#include "base/secret_file.h"
#include "base/sources.h"
#include "shared/multipath.h"

/* ---- main ----------------------------------------------------------------- */

static int help(const struct program *program)
{
    options_describe(&program->options);
    puts("\nSettings, from the environment, a NAME_FILE or the env file:");
    settings_describe(program->vocabulary->tables);
    return EXIT_SUCCESS;
}

static int say_version(const struct program *program)
{
    return printf("%s %s\n", program->options.program, PAMTUNNEL_VERSION) < 0;
}

/* They write to terminals, pipes and sockets alike: an error is enough to end a line of those. */
static int act(option_action_fn action, const struct options *options)
{
    signal(SIGPIPE, SIG_IGN);
    return action(options);
}

bool program_answers(const struct program *program, int argc, char **argv,
                     struct options *ret_options, int *ret_status)
{
    struct completion completion;
    struct why why;
    option_action_fn action;
    net_keep_standard_descriptors();
    if (completion_is_asked(argc, argv, &completion)) {
        options_complete(&program->options, &completion);
        *ret_status = EXIT_SUCCESS;
    } else if (options_parse(&program->options, argc, argv, ret_options, &why) < 0) {
        *ret_status = program_refuse(program, &why);
    } else if (ret_options->help) {
        *ret_status = help(program);
    } else if (ret_options->version) {
        *ret_status = say_version(program);
    } else if ((action = options_action(&program->options, ret_options))) {
        *ret_status = act(action, ret_options);
    } else {
        return false;
    }
    return true;
}

int program_refuse(const struct program *program, const struct why *why)
{
    log_complain(program->options.program, why->text);
    return EXIT_USAGE;
}

int program_say_complete(const struct program *program, const char *env_file,
                         const struct common_settings *settings)
{
    struct congestion_system system = congestion_look(CONGESTION_FOLDER);
    struct why why;
    printf("The configuration is complete. It comes from %s.\n",
           env_file ? env_file : "the environment");
    if (vocabulary_doubts(program->vocabulary, env_file, &why)) {
        printf("But %s\n", why.text);
    }
    if (congestion_doubt(settings->congestion_control, &system, &why) < 0) {
        printf("But CONGESTION_CONTROL is \"%s\", and %s: --doctor says how to allow it.\n",
               settings->congestion_control, why.text);
    }
    if (settings->multipath && multipath_check(&why) < 0) {
        printf("But MULTIPATH is on, and %s.\n", why.text);
    }
    return EXIT_SUCCESS;
}

/* Settings decide where secrets go and who gets in. */
static void say_source(const struct program *program, const char *env_file, const struct log *log)
{
    struct why why;
    if (env_file) {
        log_info(log, "settings: from %s and the environment", env_file);
    }
    if (env_file && secret_file_is_safe(env_file, &why) < 0) {
        log_warn(log, "others can change the settings: %s", why.text);
    }
    if (vocabulary_doubts(program->vocabulary, env_file, &why)) {
        log_warn(log, "%s", why.text);
    }
}

/* SIGHUP is for the agent once it runs; until then it must not end it, and SIGUSR1 and 2 never. */
static void ignore_signals(void)
{
    /*
     * SIGPIPE: a peer that hangs up is an error of send(2), not the end of the agent. SIGXFSZ: so
     * is a limit to the size of files, of write(2).
     */
    static const int NUMBERS[] = {SIGPIPE, SIGXFSZ, SIGHUP, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < sizeof NUMBERS / sizeof *NUMBERS; i++) {
        signal(NUMBERS[i], SIG_IGN);
    }
}

struct log program_start(const struct program *program, const char *env_file,
                         const struct common_settings *settings)
{
    struct log log = log_to_stderr(settings->log_level);
    say_source(program, env_file, &log);
    ignore_signals();
    net_raise_descriptor_limit();
    return log;
}

int program_end(const struct log *log, int err, const struct why *why)
{
    if (err < 0) {
        log_error(log, "%s", why->text);
    }
    return err < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- agent ---------------------------------------------------------------- */

/*
 * Before the first thread: Landlock and seccomp bind the thread that calls them, and those that it
 * starts later.
 */
void program_confine(const struct vocabulary *vocabulary, const char *env_file,
                     const struct common_settings *settings, struct sandbox_rules rules,
                     const struct log *log, struct notify **ret_notify)
{
    struct sources sources = {0};
    struct why why;
    /* They were read a moment ago: what is wrong with a file now is told when it is read anew. */
    sources_find(&sources, env_file, vocabulary, NULL);
    rules.multipath = settings->multipath;
    rules.files = (const char *const *)sources.paths;
    if (notify_open(ret_notify, &why) < 0) {
        log_warn(log, "%s", why.text);
    }
    if (settings->multipath && multipath_check(&why) < 0) {
        log_warn(log, "MULTIPATH is on, but %s", why.text);
    }
    if (!settings->sandbox) {
        log_warn(log, "running without a sandbox: SANDBOX is off");
    } else if (sandbox_enter(&rules, &why) < 0) {
        log_warn(log, "%s", why.text);
    }
    sources_done(&sources);
}

/* READY=1 comes whatever came of it: to the manager RELOADING=1 has to end (sd_notify(3)). */
int program_reload(const struct program_reload *reload, struct changes *ret_changes,
                   struct why *why)
{
    struct changes changes = {0};
    /*
     * The line about the reload goes by the level from before it: one that hides such lines is no
     * reason not to say that it has been set.
     */
    enum log_level was = reload->log->level;
    notify_reloading(reload->notify);
    int err = reload->renew(reload->arg, &changes, why);
    if (err < 0) {
        char status[sizeof why->text + 32];
        snprintf(status, sizeof status, "settings not reloaded: %s", why->text);
        log_error(reload->log, "settings not reloaded, the old ones stay in force: %s", why->text);
        notify_status(reload->notify, status);
    } else {
        changes_log(&changes, reload->log, was);
        *ret_changes = changes;
    }
    notify_ready(reload->notify);
    return err;
}
