/* command: the commands of the bot: one table that parses, answers /help and names them to Telegram. */
#ifndef PAMTUNNEL_VPS_CHAT_COMMAND_H
#define PAMTUNNEL_VPS_CHAT_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/why.h"
#include "shared/target.h"
#include "vps/session/session.h"

enum command_kind { COMMAND_OPEN, COMMAND_HELP };

struct command_row {
    const char *name; /* lower case, without the slash */
    enum command_kind kind;
    const char *takes;   /* "[USER@]HOST[:PORT]", or "" */
    const char *example; /* of its use, or NULL */
    const char *help;    /* what it does, in a few words */
    /* For COMMAND_OPEN: */
    enum kind session;
    uint16_t default_port;
};

extern const struct command_row COMMANDS[];
extern const size_t COMMAND_COUNT;

struct command {
    const struct command_row *row;
    struct target target; /* for COMMAND_OPEN */
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
