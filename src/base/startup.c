#include "base/startup.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>

#include "base/congestion.h"
#include "base/envfile.h"
#include "base/vocabulary.h"

void startup_ignore_signals(void)
{
    /* SIGPIPE: a peer that hangs up is an error of send(2), not the end of the agent. */
    static const int NUMBERS[] = {SIGPIPE, SIGHUP, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < sizeof NUMBERS / sizeof *NUMBERS; i++) {
        signal(NUMBERS[i], SIG_IGN);
    }
}

/* Settings decide where secrets go and who gets in. */
void startup_say_source(const struct vocabulary *vocabulary, const char *env_file,
                        enum log_level level)
{
    /* The agent's own log is made later, when the settings have been taken. */
    struct log log = log_to_stderr(level);
    struct why why;
    if (env_file) {
        log_info(&log, "settings: from %s and the environment", env_file);
    }
    if (env_file && envfile_is_safe(env_file, &why) < 0) {
        log_warn(&log, "others can change the settings: %s", why.text);
    }
    if (vocabulary_doubts(vocabulary, env_file, &why)) {
        log_warn(&log, "%s", why.text);
    }
}

void startup_say_complete(const struct vocabulary *vocabulary, const char *env_file,
                          const char *congestion_control)
{
    struct congestion_system system = congestion_look(CONGESTION_FOLDER);
    struct why why;
    printf("The configuration is complete. It comes from %s.\n",
           env_file ? env_file : "the environment");
    if (vocabulary_doubts(vocabulary, env_file, &why)) {
        printf("But %s\n", why.text);
    }
    if (congestion_doubt(congestion_control, &system, &why) < 0) {
        printf("But CONGESTION_CONTROL is \"%s\", and %s: --doctor says how to allow it.\n",
               congestion_control, why.text);
    }
}
