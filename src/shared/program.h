/*
 * program: what both agents do alike around their own work: answering the command line, saying
 * where their settings come from, closing the sandbox, reading settings again, and exit statuses.
 * Each main and each agent calls these in their order; what stands between them is its own.
 */
#ifndef PAMTUNNEL_SHARED_PROGRAM_H
#define PAMTUNNEL_SHARED_PROGRAM_H

#include <stdbool.h>

#include "base/changes.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/options.h"
#include "base/sandbox.h"
#include "base/vocabulary.h"
#include "base/why.h"
#include "shared/common_settings.h"

/* The exit status of who was called wrongly, or has wrong settings; others are stdlib.h's. */
enum { EXIT_USAGE = 2 };

struct program {
    struct options_table options; /* what it is called, and its options */
    const struct vocabulary *vocabulary;
};

/* ---- main ----------------------------------------------------------------- */

/*
 * Whatever is asked of it but to run, --check and --health: to complete a command line, --help,
 * --version, the actions of its options; and a command line that is wrong. True if it was that:
 * the exit status is in ret_status. False: ret_options says how it is to go on.
 */
bool program_answers(const struct program *program, int argc, char **argv,
                     struct options *ret_options, int *ret_status);
/* Says on standard error what is wrong with the settings. Returns EXIT_USAGE. */
int program_refuse(const struct program *program, const struct why *why);
/* --check: they are complete. env_file may be NULL. Returns EXIT_SUCCESS. */
int program_say_complete(const struct program *program, const char *env_file,
                         const struct common_settings *settings);
/*
 * It is going to run: logs where the settings are from and what is doubtful there, ignores the
 * signals that must not end it before the agent watches for them, and takes all the descriptors
 * that it may have. env_file may be NULL. Returns the log.
 */
struct log program_start(const struct program *program, const char *env_file,
                         const struct common_settings *settings);
/* It ran: logs why, if err is negative. Returns the exit status. */
int program_end(const struct log *log, int err, const struct why *why);

/* ---- agent ---------------------------------------------------------------- */

/*
 * Before the loop and its threads, and before anybody can reach the agent: finds the service
 * manager, and closes the sandbox by `rules` and the files that settings come from. What cannot be
 * had is one line in the log. ret_notify may become NULL: nobody is to be told.
 */
void program_confine(const struct vocabulary *vocabulary, const char *env_file,
                     const struct common_settings *settings, struct sandbox_rules rules,
                     const struct log *log, struct notify **ret_notify);

/*
 * SIGHUP, and pamctl: `renew` reads the settings and puts them in force, all or nothing, and then
 * says its notify_status(). Whatever comes of it is one line in the log, and told to the service
 * manager. 0 with the changes, or the -errno of `renew` with why.
 */
struct program_reload {
    int (*renew)(void *arg, struct changes *ret_changes, struct why *why);
    void *arg;
    struct log *log; /* its level may change meanwhile */
    struct notify *notify;
};
int program_reload(const struct program_reload *reload, struct changes *ret_changes,
                   struct why *why);

#endif
