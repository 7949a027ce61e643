/*
 * command: the commands of the bot: one table that parses, answers /help, fills the menu and has
 * the handlers (command.def, and the table of kinds).
 */
#ifndef PAMTUNNEL_VPS_CHAT_COMMAND_H
#define PAMTUNNEL_VPS_CHAT_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/why.h"
#include "shared/target.h"
#include "vps/chat/conversation.h"

struct command;
typedef void command_fn(struct conversation *conversation, const struct incoming *incoming,
                        const struct command *command);

struct command_row {
    const char *name;    /* lower case, without the slash */
    const char *takes;   /* "[USER@]HOST[:PORT]", or "" */
    const char *example; /* of its use, or NULL */
    const char *help;    /* what it does, in a few words */
    enum who who;
    command_fn *run;
    bool opens; /* a session, to the target that it takes: */
    enum kind kind;
};

command_fn opening_run; /* of all that open a session */
#define COMMAND(name, who, help, run) command_fn run;
#include "vps/chat/command.def"
#undef COMMAND

enum {
    COMMAND_LAST_OF_KINDS = KIND_COUNT - 1,
#define COMMAND(name, ...) COMMAND_OF_##name,
#include "vps/chat/command.def"
#undef COMMAND
    COMMAND_COUNT,
};
extern const struct command_row COMMANDS[COMMAND_COUNT];

struct command {
    const struct command_row *row;
    struct target target; /* of a row that opens */
    const char *reason;   /* what follows "why:" behind that, a part of the text; "": nothing */
    const char *rest;     /* what follows the name, without blanks before it; "" if nothing does */
};

enum command_result {
    COMMAND_OK,
    COMMAND_NOT,       /* it does not begin with a slash */
    COMMAND_UNKNOWN,   /* there is no such command */
    COMMAND_ELSEWHERE, /* "/rdp@other_bot": somebody else's */
    COMMAND_BAD,       /* row is set, and why says what is wrong with the rest */
};

/*
 * Reads a message. Upper and lower case are the same in the command's and the bot's
 * name; bot_name is without "@". why is in plain text.
 */
enum command_result command_parse(const char *text, const char *bot_name,
                                  struct command *ret_command, struct why *why);

#endif
