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
        if (strcmp(arg, table->flags[i].name) == 0) {
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

/* "--env-file FILE" or "--env-file=FILE". True if it was that. */
static bool take_env_file(char ***argv, struct options *options)
{
    const char *arg = **argv;
    size_t len = sizeof ENV_FILE - 1;
    if (strncmp(arg, ENV_FILE, len) != 0 || (arg[len] != '\0' && arg[len] != '=')) {
        return false;
    }
    options->env_file = arg[len] == '=' ? arg + len + 1 : *++*argv;
    return true;
}

int options_parse(const struct options_table *table, int argc, char **argv,
                  struct options *ret_options, struct why *why)
{
    struct options options = {0};
    for (char **end = argv + argc; argc > 0 && ++argv < end;) {
        if (!take_env_file(&argv, &options)) {
            int err = parse_flag(table, *argv, &options, why);
            if (err < 0) {
                return err;
            }
        } else if (!options.env_file || !options.env_file[0]) {
            return why_set(why, -EINVAL, "%s takes the name of a file", ENV_FILE);
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
        printf("  %-21s %s\n", table->flags[i].name, table->flags[i].help);
    }
    for (size_t i = 0; i < COMMON_SIZE; i++) {
        printf("  %-21s %s\n", COMMON[i].name, COMMON[i].help);
    }
}
