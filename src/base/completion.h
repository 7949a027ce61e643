/*
 * completion: what a shell is offered when somebody presses Tab. The scripts in
 * packaging/completions ask the program itself, so that what is completed comes from
 * the tables that the command line is parsed by:
 *
 *     PROGRAM --complete WORD... TYPED
 *
 * with the words between the program and the one that is being typed, which comes last
 * and may be empty. The answer is a line for each word that fits: the word, a tab, what
 * it is for. A line of a single "/" says that a file is to be named there.
 */
#ifndef PAMTUNNEL_BASE_COMPLETION_H
#define PAMTUNNEL_BASE_COMPLETION_H

#include <stdbool.h>
#include <stddef.h>

#define COMPLETION_OPTION "--complete" /* not in --help: it is for shells */

struct completion_option {
    const char *name;  /* "--env-file" */
    const char *takes; /* "FILE" and "PATH" are completed; NULL: nothing */
    const char *help;
};

struct completion {
    char *const *words; /* in front of the one that is typed */
    int count;
    const char *typed;
};

/* True if the program is asked for that: argv[1] is --complete. */
bool completion_is_asked(int argc, char *const *argv, struct completion *ret_completion);
/* Offers the word if it begins with what was typed. help may be NULL. */
void completion_offer(const struct completion *completion, const char *word, const char *help);
/* True if a value of this option is being typed; then it is completed, if it is a file. */
bool completion_offer_value(const struct completion *completion,
                            const struct completion_option *option);
/* Offers the option, unless it was given already. */
void completion_offer_option(const struct completion *completion,
                             const struct completion_option *option);

#endif
