/* startup: what both agents do and say alike before they run. */
#ifndef PAMTUNNEL_BASE_STARTUP_H
#define PAMTUNNEL_BASE_STARTUP_H

#include "base/log.h"
#include "base/vocabulary.h"

/* SIGHUP is the agent's once it runs, and must not end it before; SIGUSR1, 2 and SIGPIPE never. */
void startup_ignore_signals(void);
/* Logs where the settings come from, and what looks wrong there. env_file may be NULL. */
void startup_say_source(const struct vocabulary *vocabulary, const char *env_file,
                        enum log_level level);
/*
 * What --check prints when all is well. env_file may be NULL; congestion_control is what that
 * setting holds, since it depends on the system whether that can be had.
 */
void startup_say_complete(const struct vocabulary *vocabulary, const char *env_file,
                          const char *congestion_control);

#endif
