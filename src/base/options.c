/*
 * One pass over the arguments, then one look at all of them together. A program has its own
 * table of flags beside the common ones. Actions (--setup, --check) go alone; other flags name
 * the actions with which they have an effect, and anything else is refused: an option that is
 * silently ignored is found out too late.
 *
 * No message repeats a value: people do paste secrets into command lines, and stderr may go to a
 * journal that others read.
 */
#include "base/options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/help.h"
#include "base/nearest.h"
#include "base/text.h"

static const char ENV_FILE[] = "--env-file";

static const struct {
    const char *name;
    const char *also; /* its short form, or NULL */
    size_t offset;    /* of a bool in struct options */
    unsigned bit;     /* for `with`; 0: goes with everything */
    const char *help;
} COMMON[] = {
    {"--check", NULL, offsetof(struct options, check), OPTION_CHECK,
     "check the configuration, say what is wrong, and exit"},
    {"--health", NULL, offsetof(struct options, health), OPTION_HEALTH,
     "ask the running agent whether it is healthy, and exit"},
    {"--version", "-V", offsetof(struct options, version), 0, "print the version and exit"},
    {"--help", "-h", offsetof(struct options, help), 0, "print this and exit"},
};

enum { COMMON_SIZE = sizeof COMMON / sizeof *COMMON, NAME_MAX_TRIED = 40 };

static bool *common_field(struct options *options, size_t i)
{
    return (bool *)((char *)options + COMMON[i].offset);
}

/* ---- what is not known ---------------------------------------------------- */

/* The option that may be meant by a word with or without its hyphens; or NULL. */
static const char *nearest_option(const struct options_table *table, const char *arg)
{
    char typed[NAME_MAX_TRIED + 3];
    /* "-setup" and "setup" are mistakes as common as "--setpu". */
    const char *word = arg + strspn(arg, "-");
    size_t len = strcspn(word, "=");
    if (len == 0 || len > NAME_MAX_TRIED) {
        return NULL;
    }
    snprintf(typed, sizeof typed, "--%.*s", (int)len, word);
    struct nearest nearest = nearest_to(typed);
    nearest_try(&nearest, ENV_FILE);
    for (size_t i = 0; i < COMMON_SIZE; i++) {
        nearest_try(&nearest, COMMON[i].name);
    }
    for (size_t i = 0; i < table->count; i++) {
        nearest_try(&nearest, table->flags[i].name);
    }
    return nearest.word;
}

/* An option without a value that was given one. */
static bool is_flag_with_value(const struct options_table *table, const char *arg)
{
    size_t len = strcspn(arg, "=");
    const char *name = NULL;
    /* "--check=1": said plainly, rather than called unknown. */
    for (size_t i = 0; i < COMMON_SIZE + table->count; i++) {
        name = i < COMMON_SIZE ? COMMON[i].name : table->flags[i - COMMON_SIZE].name;
        if (arg[len] && strlen(name) == len && strncmp(arg, name, len) == 0) {
            return true;
        }
    }
    return false;
}

static int refuse_unknown(const struct options_table *table, const char *arg, struct why *why)
{
    const char *near = nearest_option(table, arg);
    const char *ask = near ? " (did you mean " : "", *mark = near ? "?)" : "";
    near = near ? near : "";
    if (arg[0] != '-') {
        return why_set(why, -EINVAL, "takes options only%s%s%s, see --help", ask, near, mark);
    }
    size_t shown = arg[1] == '-' ? strcspn(arg, "=") : 2; /* not its value: that may be a secret */
    if (is_flag_with_value(table, arg)) {
        return why_set(why, -EINVAL, "%.*s takes no value, see --help", (int)shown, arg);
    }
    return why_set(
        why, -EINVAL,
        "unknown option %.*s%s%s%s, see --help; settings come from the environment or %s",
        (int)shown, arg, ask, near, mark, ENV_FILE);
}

/* ---- one argument --------------------------------------------------------- */

static bool is_common(size_t i, const char *arg)
{
    return strcmp(arg, COMMON[i].name) == 0 || (COMMON[i].also && strcmp(arg, COMMON[i].also) == 0);
}

static int parse_flag(const struct options_table *table, const char *arg, struct options *options,
                      struct why *why)
{
    for (size_t i = 0; i < COMMON_SIZE; i++) {
        if (is_common(i, arg)) {
            *common_field(options, i) = true;
            return 0;
        }
    }
    for (size_t i = 0; i < table->count; i++) {
        if (!table->flags[i].takes && strcmp(arg, table->flags[i].name) == 0) {
            options->flags |= table->flags[i].bit;
            return 0;
        }
    }
    if (strcmp(arg, "help") == 0) {
        options->help = true;
        return 0;
    }
    return refuse_unknown(table, arg, why);
}

/*
 * "NAME VALUE" or "NAME=VALUE". True if it was that; the value is NULL or empty
 * if it is missing.
 */
static bool take_value(char ***argv, const char *name, char **ret_value)
{
    char *arg = **argv;
    size_t len = strlen(name);
    if (strncmp(arg, name, len) != 0 || (arg[len] != '\0' && arg[len] != '=')) {
        return false;
    }
    /* argv ends with NULL, so a value that is missing there reads as none. */
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

static void take_words(char ***argv, unsigned most, struct options *options)
{
    unsigned count = 0;
    while (count < most && (*argv)[1] && (*argv)[1][0] != '-') {
        ++*argv;
        count++;
    }
    if (most > 0) {
        options->words = *argv + 1 - count;
        options->word_count = count;
    }
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
            take_words(argv, value ? flag->words : 0, options);
            return value && value[0] ? 1
                                     : why_set(why, -EINVAL, "%s takes a value: %s %s", flag->name,
                                               flag->name, flag->takes);
        }
    }
    return 0;
}

/* ---- all of them together ------------------------------------------------- */

/* The bits of the actions that were given. */
static unsigned actions_of(const struct options_table *table, struct options *options)
{
    unsigned actions = 0;
    for (size_t i = 0; i < COMMON_SIZE; i++) {
        actions |= *common_field(options, i) ? COMMON[i].bit : 0;
    }
    for (size_t i = 0; i < table->count; i++) {
        actions |= table->flags[i].action ? options->flags & table->flags[i].bit : 0;
    }
    return actions;
}

option_action_fn options_action(const struct options_table *table, const struct options *options)
{
    size_t i = 0;
    while (i < table->count &&
           !(table->flags[i].action && (options->flags & table->flags[i].bit))) {
        i++;
    }
    return i < table->count ? table->flags[i].action : NULL;
}

/* "--setup, --invite" */
static void add_actions(struct text *text, const struct options_table *table, unsigned actions)
{
    size_t start = text->len;
    if (actions & OPTION_RUN) {
        text_add(text, "a plain start");
    }
    for (size_t i = 0; i < COMMON_SIZE; i++) {
        if (actions & COMMON[i].bit) {
            text_add(text, "%s%s", text->len > start ? ", " : "", COMMON[i].name);
        }
    }
    for (size_t i = 0; i < table->count; i++) {
        if (table->flags[i].action && (actions & table->flags[i].bit)) {
            text_add(text, "%s%s", text->len > start ? ", " : "", table->flags[i].name);
        }
    }
}

/* Those that have no effect with this action, each with where it would have one. */
static void add_idle(struct text *text, const struct options_table *table,
                     const struct options *options, unsigned action)
{
    if (options->env_file && (action & table->without_file)) {
        text_add(text, "%s", ENV_FILE);
    }
    for (size_t i = 0; i < table->count; i++) {
        const struct option_flag *flag = &table->flags[i];
        if ((options->flags & flag->bit) && flag->with && !(flag->with & action)) {
            text_add(text, "%s%s (goes with ", text->len ? ", " : "", flag->name);
            add_actions(text, table, flag->with);
            text_add(text, ")");
        }
    }
}

static int check_together(const struct options_table *table, struct options *options,
                          struct why *why)
{
    char names[160], idle[240];
    struct text actions_text = text_over(names, sizeof names), text = text_over(idle, sizeof idle);
    unsigned actions = actions_of(table, options);
    actions = actions ? actions : OPTION_RUN;
    add_actions(&actions_text, table, actions);
    /* More than one bit is set. */
    if (actions & (actions - 1)) {
        return why_set(why, -EINVAL, "only one of %s at a time", names);
    }
    add_idle(&text, table, options, actions);
    return text.len ? why_set(why, -EINVAL, "no effect with %s: %s", names, idle) : 0;
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
    /* Somebody who asks for help has made mistakes: that is no reason to refuse it. */
    if (!options.help && !options.version) {
        int err = check_together(table, &options, why);
        if (err < 0) {
            return err;
        }
    }
    *ret_options = options;
    return 0;
}

/* ---- help ----------------------------------------------------------------- */

void options_describe(const struct options_table *table)
{
    char name[64];
    printf("Usage: %s [OPTION]...\n%s\n\nOptions:\n", table->program, table->summary);
    snprintf(name, sizeof name, "%s FILE", ENV_FILE);
    help_row(HELP_COLUMN, name, "take settings that are not in the environment from FILE");
    for (size_t i = 0; i < table->count; i++) {
        const struct option_flag *flag = &table->flags[i];
        snprintf(name, sizeof name, "%s %s", flag->name, flag->takes ? flag->takes : "");
        help_row(HELP_COLUMN, name, flag->help);
    }
    for (size_t i = 0; i < COMMON_SIZE; i++) {
        snprintf(name, sizeof name, "%s%s%s", COMMON[i].name, COMMON[i].also ? ", " : "",
                 COMMON[i].also ? COMMON[i].also : "");
        help_row(HELP_COLUMN, name, COMMON[i].help);
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
