/*
 * options: the command line of an agent: flags, and a few values. Everything
 * else is a setting (base/settings.h). The only option for a secret is gateway-agent's --join,
 * which wipes it; and messages repeat no value, since somebody may have tried to pass one:
 * everybody on the machine can see command lines.
 */
#ifndef PAMTUNNEL_BASE_OPTIONS_H
#define PAMTUNNEL_BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/completion.h"
#include "base/why.h"

struct options;

/* What a program does in the place of running. Returns its exit status. */
typedef int (*option_action_fn)(const struct options *options);

/* A flag that this program has in addition to the common ones. */
struct option_flag {
    const char *name; /* "--local" */
    const char *help;
    unsigned bit;            /* in `flags` below, of the lower half */
    const char *takes;       /* "NAME": a value follows; NULL: none does */
    unsigned words;          /* how many more may follow the value, none of them an option */
    option_action_fn action; /* NULL: it does not keep the program from running. One at a time */
    unsigned with; /* the bits of the actions where it has an effect; 0: any but --version… */
};

/* For `with`, beside the bits of the program's own. */
enum { OPTION_RUN = 1 << 16, OPTION_CHECK = 1 << 17, OPTION_HEALTH = 1 << 18 };

enum { OPTIONS_VALUES_MAX = 16 };

struct options_table {
    const char *program; /* "vps-agent" */
    const char *summary; /* what it is, a line or more */
    const struct option_flag *flags;
    size_t count;
    unsigned without_file; /* the bits of the actions that read no env file */
};

struct options {
    const char *env_file; /* --env-file FILE; points into argv. NULL: none */
    bool check;           /* --check */
    bool health;          /* --health */
    bool version;         /* --version */
    bool help;            /* --help */
    unsigned flags;       /* the bits of the program's own */
    char **words;         /* what follows the value of the option with `words` */
    unsigned word_count;
    char *values[OPTIONS_VALUES_MAX]; /* by the number of the bit; see options_value() */
};

/* That of the option that was given; NULL: none. */
option_action_fn options_action(const struct options_table *table, const struct options *options);
/* What followed the option of this bit, in argv; NULL if it was not given. */
char *options_value(const struct options *options, unsigned bit);

/*
 * 0, or -EINVAL with a line for the user in why; also for what has no effect together. --help
 * and --version, -h, -V and the word help go with everything.
 */
int options_parse(const struct options_table *table, int argc, char **argv,
                  struct options *ret_options, struct why *why);
/* Prints the first part of --help: usage, summary and options. */
void options_describe(const struct options_table *table);
/* Answers a shell. */
void options_complete(const struct options_table *table, const struct completion *completion);

#endif
