#include "base/options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char ENV_FILE[] = "--env-file";

static const struct {
    const char *name;
    size_t offset; /* of a bool in struct options */
    const char *help;
} COMMON[] = {
    {"--check", offsetof(struct options, check), "read the configuration, say what is wrong, stop"},
    {"--health", offsetof(struct options, health),
     "ask the running agent whether it is well, stop"},
    {"--version", offsetof(struct options, version), "print the version and stop"},
    {"--help", offsetof(struct options, help), "print this and stop"},
};

enum { COMMON_SIZE = sizeof COMMON / sizeof *COMMON };

static int parse_flag(const struct options_table *table, const char *arg, struct options *options,
                      struct why *why)
{
    for (size_t i = 0; i < COMMON_SIZE; i++) {
        if (strcmp(arg, COMMON[i].name) == 0) {
            *(bool *)((char *)options + COMMON[i].offset) = true;
            return 0;
        }
    }
    for (size_t i = 0; i < table->count; i++) {
        if (!table->flags[i].takes && strcmp(arg, table->flags[i].name) == 0) {
            options->flags |= table->flags[i].bit;
            return 0;
        }
    }
    if (arg[0] != '-') {
        return why_set(why, -EINVAL, "takes options only, see --help");
    }
    size_t shown = arg[1] == '-' ? strcspn(arg, "=") : 2; /* not its value: that may be a secret */
    return why_set(why, -EINVAL,
                   "unknown option %.*s, see --help; settings come from the environment or %s",
                   (int)shown, arg, ENV_FILE);
}

/* "NAME VALUE" or "NAME=VALUE". True if it was that; the value is NULL or empty if it is missing. */
static bool take_value(char ***argv, const char *name, char **ret_value)
{
    char *arg = **argv;
    size_t len = strlen(name);
    if (strncmp(arg, name, len) != 0 || (arg[len] != '\0' && arg[len] != '=')) {
        return false;
    }
    *ret_value = arg[len] == '=' ? arg + len + 1 : *++*argv;
    return true;
}

static unsigned number_of(unsigned bit)
{
    return (unsigned)__builtin_ctz(bit);
}

char *options_value(const struct options *options, unsigned bit)
{
    return options->values[number_of(bit)];
}

/* 1 if it was an option with a value, 0 if not, or -EINVAL. */
static int parse_value(const struct options_table *table, char ***argv, struct options *options,
                       struct why *why)
{
    char *value;
    if (take_value(argv, ENV_FILE, &value)) {
        options->env_file = value;
        return value && value[0] ? 1
                                 : why_set(why, -EINVAL, "%s takes the name of a file", ENV_FILE);
    }
    for (size_t i = 0; i < table->count; i++) {
        const struct option_flag *flag = &table->flags[i];
        if (flag->takes && take_value(argv, flag->name, &value)) {
            options->flags |= flag->bit;
            options->values[number_of(flag->bit)] = value;
            return value && value[0] ? 1
                                     : why_set(why, -EINVAL, "%s takes a value: %s %s", flag->name,
                                               flag->name, flag->takes);
        }
    }
    return 0;
}

int options_parse(const struct options_table *table, int argc, char **argv,
                  struct options *ret_options, struct why *why)
{
    struct options options = {0};
    for (char **end = argv + argc; argc > 0 && ++argv < end;) {
        int err = parse_value(table, &argv, &options, why);
        if (err == 0) {
            err = parse_flag(table, *argv, &options, why);
        }
        if (err < 0) {
            return err;
        }
    }
    *ret_options = options;
    return 0;
}

void options_describe(const struct options_table *table)
{
    printf("Usage: %s [OPTION]...\n%s\n\nOptions:\n", table->program, table->summary);
    printf("  %s FILE       take settings that the environment does not have from FILE\n",
           ENV_FILE);
    for (size_t i = 0; i < table->count; i++) {
        const struct option_flag *flag = &table->flags[i];
        char name[64];
        snprintf(name, sizeof name, "%s %s", flag->name, flag->takes ? flag->takes : "");
        printf("  %-21s %s\n", name, flag->help);
    }
    for (size_t i = 0; i < COMMON_SIZE; i++) {
        printf("  %-21s %s\n", COMMON[i].name, COMMON[i].help);
    }
}

/* The option of that number: --env-file, the common ones, the program's own. False: no more. */
static bool option_of_number(const struct options_table *table, size_t number,
                             struct completion_option *ret_option)
{
    struct completion_option option = {.name = ENV_FILE, .takes = "FILE", .help = "settings"};
    if (number > COMMON_SIZE) {
        size_t own = number - COMMON_SIZE - 1;
        if (own >= table->count) {
            return false;
        }
        const struct option_flag *flag = &table->flags[own];
        option = (struct completion_option){flag->name, flag->takes, flag->help};
    } else if (number > 0) {
        option = (struct completion_option){COMMON[number - 1].name, NULL, COMMON[number - 1].help};
    }
    *ret_option = option;
    return true;
}

void options_complete(const struct options_table *table, const struct completion *completion)
{
    struct completion_option option;
    for (size_t i = 0; option_of_number(table, i, &option); i++) {
        if (completion_offer_value(completion, &option)) {
            return;
        }
    }
    for (size_t i = 0; option_of_number(table, i, &option); i++) {
        completion_offer_option(completion, &option);
    }
}
