/*
 * One pass over the words, then one look at whether they go together. Options may come anywhere, so
 * the command is not known while the first ones are read: whether it takes them is checked
 * last. Nothing is kept but pointers into argv.
 */
#include "ctl/invocation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "base/text.h"
#include "shared/invite_paper.h"

enum { TIMEOUT_MAX = 1000000 }; /* s; eleven days */

#define MORE_HELP "see pamctl --help"

/* ---- what is not known ---------------------------------------------------- */

static int unknown(const char *what, const char *typed, const struct nearest *nearest,
                   struct why *why)
{
    return nearest->word ? why_set(why, -EINVAL, "unknown %s %.40s; did you mean %s?", what, typed,
                                   nearest->word)
                         : why_set(why, -EINVAL, "unknown %s %.40s; " MORE_HELP, what, typed);
}

static int unknown_command(const char *typed, struct why *why)
{
    struct nearest nearest = nearest_to(typed);
    const struct command *command = NULL;
    while ((command = commands_next(command))) {
        nearest_try(&nearest, command->name);
    }
    return unknown("command", typed, &nearest, why);
}

/* What may follow the first word, "add, list, remove"; typed is none of them, or "". */
static int not_of_group(const char *group, const char *typed, struct why *why)
{
    char list[160];
    struct text text = text_over(list, sizeof list);
    struct nearest nearest = nearest_to(typed);
    const struct command *command = NULL;
    while ((command = commands_next_of(group, command))) {
        text_add(&text, "%s%s", text.len > 0 ? ", " : "", command_second_word(command));
        nearest_try(&nearest, command->name + strlen(group) + 1);
    }
    if (!typed[0]) {
        return why_set(why, -EINVAL, "%s is not complete without one of these: %s", group, list);
    }
    return why_set(why, -EINVAL, "%s takes one of these: %s; not %.40s%s%s%s", group, list, typed,
                   nearest.word ? " (did you mean " : "", nearest.word ? nearest.word : "",
                   nearest.word ? "?)" : "");
}

static int unknown_option(const char *typed, size_t len, struct why *why)
{
    /* Without its value, which may be anything. */
    char name[64];
    size_t kept = len < sizeof name ? len : sizeof name - 1;
    memcpy(name, typed, kept);
    name[kept] = '\0';
    struct nearest nearest = nearest_to(name);
    const struct command_option *option = NULL;
    while ((option = options_next(option))) {
        nearest_try(&nearest, option->name);
    }
    return unknown("option", name, &nearest, why);
}

static int not_its_usage(const struct command *command, const char *what, const char *which,
                         struct why *why)
{
    char usage[COMMAND_USAGE_MAX];
    command_usage(command, true, usage);
    return why_set(why, -EINVAL, "%s %s %.40s; usage: pamctl %s", command->name, what, which,
                   usage);
}

/* ---- words ---------------------------------------------------------------- */

static const struct command_option *find_option(const char *arg, size_t len)
{
    const struct command_option *option = NULL;
    while ((option = options_next(option))) {
        if ((strncmp(option->name, arg, len) == 0 && option->name[len] == '\0') ||
            (option->brief && strcmp(option->brief, arg) == 0)) {
            return option;
        }
    }
    return NULL;
}

static int take_timeout(const char *value, struct invocation *invocation, struct why *why)
{
    char *end;
    long seconds = strtol(value, &end, 10);
    /* strtol(3) would take a sign and leading blanks. */
    if (strspn(value, "0123456789") != strlen(value) || *end || seconds > TIMEOUT_MAX) {
        return why_set(why, -EINVAL, "--timeout takes a number of seconds, 0 to %d; not %.40s",
                       TIMEOUT_MAX, value);
    }
    invocation->timeout_s = (int)seconds;
    /* A time-out without a wait means nothing, so it implies one. */
    invocation->options |= OPTION_WAIT;
    return 0;
}

/* Of the value, as it was typed. */
static const char **place_of(enum option_bit bit, struct invocation *invocation)
{
    switch (bit) {
    case OPTION_OUT:
        return &invocation->out;
    case OPTION_USER:
        return &invocation->user;
    case OPTION_TARGET:
        return &invocation->target;
    case OPTION_GATEWAY:
        return &invocation->gateway;
    case OPTION_SINCE:
        return &invocation->since;
    case OPTION_UNTIL:
        return &invocation->until;
    case OPTION_WHY:
        return &invocation->why;
    default:
        return &invocation->socket_path;
    }
}

static int take_value(const struct command_option *option, const char *value,
                      struct invocation *invocation, struct why *why)
{
    if (!value || !value[0]) {
        return why_set(why, -EINVAL, "%s takes a value: %s %s", option->name, option->name,
                       option->takes);
    }
    if (option->bit == OPTION_TIMEOUT) {
        return take_timeout(value, invocation, why);
    }
    if (option->bit == OPTION_VALID) {
        return invite_read_span(value, &invocation->valid_s, why);
    }
    *place_of(option->bit, invocation) = value;
    return 0;
}

/* "-h", "--out FILE", "--out=FILE". */
static int take_option(char ***argv, struct invocation *invocation, struct why *why)
{
    const char *arg = **argv;
    /* find_option() sees "-h" whole, and of "--out=FILE" what is in front of the =. */
    size_t len = strcspn(arg, "=");
    const struct command_option *option = find_option(arg, len);
    if (!option) {
        return unknown_option(arg, len, why);
    }
    invocation->options |= option->bit;
    if (!option->takes) {
        return arg[len] ? why_set(why, -EINVAL, "%s takes no value; " MORE_HELP, option->name) : 0;
    }
    return take_value(option, arg[len] ? arg + len + 1 : *++*argv, invocation, why);
}

/* "gateway add", where the first word is `group`. NULL: there is none. */
static const struct command *find_of_group(const char *group, const char *arg)
{
    const struct command *command = NULL;
    while ((command = commands_next_of(group, command)) &&
           strcmp(command_second_word(command), arg) != 0) {
    }
    return command;
}

static int take_command(const char *arg, struct invocation *invocation, struct why *why)
{
    if (invocation->group) {
        invocation->command = find_of_group(invocation->group, arg);
        return invocation->command ? 0 : not_of_group(invocation->group, arg, why);
    }
    invocation->command = command_find(arg);
    if (!invocation->command && commands_next_of(arg, NULL)) {
        invocation->group = arg;
    }
    return invocation->command || invocation->group ? 0 : unknown_command(arg, why);
}

/* The command, or one of its arguments. */
static int take_argument(const char *arg, struct invocation *invocation, struct why *why)
{
    if (!invocation->command) {
        return take_command(arg, invocation, why);
    }
    const struct command *longer = find_of_group(invocation->command->name, arg);
    if (longer && invocation->count == 0) { /* "audit" is a command, and "audit verify" another */
        invocation->command = longer;
        return 0;
    }
    if (invocation->count == command_most(invocation->command)) {
        return not_its_usage(invocation->command, "takes no more arguments:", arg, why);
    }
    invocation->args[invocation->count++] = arg;
    return 0;
}

/* ---- all of it ------------------------------------------------------------ */

static unsigned count_bits(unsigned bits)
{
    unsigned count = 0;
    for (; bits; bits &= bits - 1) {
        count++;
    }
    return count;
}

/* Each option goes with the command, and with each other. */
static int check_options(const struct invocation *invocation, struct why *why)
{
    const struct command *command = invocation->command;
    const struct command_option *option = NULL;
    while ((option = options_next(option))) {
        if (option->bit & invocation->options & ~(unsigned)OPTIONS_COMMON & ~command->options) {
            return not_its_usage(command, "takes no", option->name, why);
        }
    }
    if (count_bits(invocation->options & (OPTION_JSON | OPTION_CSV | OPTION_CEF)) > 1) {
        return why_set(why, -EINVAL, "--json, --csv and --cef are three forms: choose one");
    }
    if ((invocation->options & OPTION_FOLLOW) && (invocation->options & OPTION_UNTIL)) {
        return why_set(why, -EINVAL, "--follow has no end: leave out --until");
    }
    if ((invocation->options & OPTION_OFF) && (invocation->options & OPTION_WAIT)) {
        return why_set(why, -EINVAL, "--off opens sessions again: there is nothing to wait for");
    }
    return 0;
}

static int check(const struct invocation *invocation, struct why *why)
{
    /* Whoever asks for help has not got the rest right yet. */
    if (invocation->options & (OPTION_HELP | OPTION_VERSION)) {
        return 0; /* of whatever was begun */
    }
    if (invocation->group && !invocation->command) {
        return not_of_group(invocation->group, "", why);
    }
    if (!invocation->command) {
        return why_set(why, -EINVAL, "no command is given; " MORE_HELP);
    }
    if (invocation->count < command_least(invocation->command)) {
        return not_its_usage(invocation->command, "is not complete without",
                             invocation->command->args[invocation->count].name, why);
    }
    return check_options(invocation, why);
}

int invocation_parse(int argc, char **argv, struct invocation *ret_invocation, struct why *why)
{
    struct invocation invocation = {0};
    /* "-" alone is an argument (standard output), and so is everything after "--". */
    bool options = true;
    for (char **end = argv + argc; argc > 0 && ++argv < end;) {
        int err = 0;
        if (options && strcmp(*argv, "--") == 0) {
            options = false;
        } else if (options && argv[0][0] == '-' && argv[0][1]) {
            err = take_option(&argv, &invocation, why);
        } else {
            err = take_argument(*argv, &invocation, why);
        }
        if (err < 0) {
            return err;
        }
    }
    *ret_invocation = invocation;
    return check(&invocation, why);
}

bool invocation_wants_json(int argc, char **argv)
{
    /* Looked for apart, so that even a wrong command line is answered in JSON. */
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            return true;
        }
    }
    return false;
}
