/*
 * commands: the table of what pamctl can be told. The command line, the help, what
 * shells complete, and the tests of the man page and the README go by it.
 */
#ifndef PAMTUNNEL_CTL_COMMANDS_H
#define PAMTUNNEL_CTL_COMMANDS_H

#include <jansson.h>
#include <stdbool.h>

enum { ARGS_MAX = 2 };

enum option_bit {
    OPTION_JSON = 1,
    OPTION_SOCKET = 2,
    OPTION_HELP = 4,
    OPTION_VERSION = 8,
    OPTION_OUT = 16,
    OPTION_FORCE = 32,
    OPTION_WAIT = 64,
    OPTION_TIMEOUT = 128,
    OPTION_OFF = 256,
    OPTION_VALID = 512,
    OPTION_USER = 1024,
    OPTION_TARGET = 2048,
    OPTION_GATEWAY = 4096,
    OPTION_SINCE = 8192,
    OPTION_UNTIL = 16384,
    OPTION_FOLLOW = 32768,
    OPTION_CSV = 65536,
    OPTION_CEF = 131072,
    OPTION_WHY = 262144,
    OPTION_ENTRANCE = 524288,
};

/* These go with each command, and without one. */
enum { OPTIONS_COMMON = OPTION_JSON | OPTION_SOCKET | OPTION_HELP | OPTION_VERSION };

/* What an argument is: what a shell can complete it with. */
enum argument_kind {
    ARGUMENT_TARGET,
    ARGUMENT_ID,
    ARGUMENT_REQUEST, /* that waits for others */
    ARGUMENT_WAITING,
    ARGUMENT_KNOWN,
    ARGUMENT_GATEWAY, /* one whose key was added here */
    ARGUMENT_PERSON,  /* of the policy, or with a second factor */
    ARGUMENT_NAME,    /* a new one: there is nothing to offer */
    ARGUMENT_USER,    /* somebody of the chat */
    ARGUMENT_CODE,    /* of the gateway that asks to be paired; its log has it, not the VPS */
    ARGUMENT_COMMAND
};

struct argument {
    const char *name; /* "ID", for help; NULL: there is none */
    const char *key;  /* of the request */
    enum argument_kind kind;
    bool optional;
};

struct command {
    const char *name; /* of one word or two: "gateway add" is one of the group "gateway" */
    const char *help;
    struct argument args[ARGS_MAX];
    unsigned options;                  /* beside the common ones */
    void (*show)(const json_t *reply); /* NULL: vps-agent is not asked */
};

struct command_option {
    const char *name;  /* "--out" */
    const char *brief; /* "-h", or NULL */
    const char *takes; /* "FILE", or NULL */
    const char *help;
    enum option_bit bit;
};

/* One after the other: NULL to start, NULL at the end. */
const struct command *commands_next(const struct command *after);
const struct command_option *options_next(const struct command_option *after);

/* NULL if there is none of that name. */
const struct command *command_find(const char *name);
/* The next one of two words of which `group` is the first. As commands_next(). */
const struct command *commands_next_of(const char *group, const struct command *after);
/* Its second word, or NULL if it has one. */
const char *command_second_word(const struct command *command);
/* How many arguments it takes at most, and at least. */
int command_most(const struct command *command);
int command_least(const struct command *command);
/* "rdp [USER@]HOST[:PORT]", and with `options` what else it takes: " [--out FILE] [--force]". */
enum { COMMAND_USAGE_MAX = 192 };
void command_usage(const struct command *command, bool options, char dst[COMMAND_USAGE_MAX]);

#endif
