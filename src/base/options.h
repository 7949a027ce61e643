/*
 * options: the command line of an agent: flags, and a few values. Everything
 * else is a setting (base/settings.h). There is no option for a secret but
 * gateway-agent's --join, which wipes it; and messages repeat no value, since
 * somebody may have tried to pass one: command lines are seen by everyone on the
 * machine.
 */
#ifndef PAMTUNNEL_BASE_OPTIONS_H
#define PAMTUNNEL_BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/completion.h"
#include "base/why.h"

/* A flag that this program has beside the common ones. */
struct option_flag {
    const char *name; /* "--local" */
    const char *help;
    unsigned bit;      /* in `flags` below */
    const char *takes; /* "NAME": a value follows; NULL: none does */
};

enum { OPTIONS_VALUES_MAX = 16 };

struct options_table {
    const char *program; /* "vps-agent" */
    const char *summary; /* what it is, a line or more */
    const struct option_flag *flags;
    size_t count;
};

struct options {
    const char *env_file;             /* --env-file FILE; points into argv. NULL: none */
    bool check;                       /* --check */
    bool health;                      /* --health */
    bool version;                     /* --version */
    bool help;                        /* --help */
    unsigned flags;                   /* the bits of the program's own */
    char *values[OPTIONS_VALUES_MAX]; /* by the number of the bit; see options_value() */
};

/* What followed the option of this bit, in argv; NULL if it was not given. */
char *options_value(const struct options *options, unsigned bit);

/* 0, or -EINVAL with a line for the user in why. */
int options_parse(const struct options_table *table, int argc, char **argv,
                  struct options *ret_options, struct why *why);
/* Prints the first part of --help: usage, summary and options. */
void options_describe(const struct options_table *table);
/* Answers a shell. */
void options_complete(const struct options_table *table, const struct completion *completion);

#endif
