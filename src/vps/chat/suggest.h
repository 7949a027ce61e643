/*
 * suggest: what somebody may have meant by words that are no command: "/shh nas", "ssh nas",
 * a bare address. Each suggestion is a command that would work as it stands.
 */
#ifndef PAMTUNNEL_VPS_CHAT_SUGGEST_H
#define PAMTUNNEL_VPS_CHAT_SUGGEST_H

#include <stdbool.h>

#include "vps/chat/command.h"
#include "vps/transport/transport.h"

enum { SUGGESTIONS_MAX = 8, SUGGESTION_SIZE = 400 };

struct suggestions {
    unsigned count;
    char commands[SUGGESTIONS_MAX][SUGGESTION_SIZE]; /* "/ssh nas" */
    const struct command_row *nearest; /* the command that was meant, without its target; or NULL */
    bool may_be_a_word; /* what was typed: "hello" could be a machine, but hardly is */
};

/* typed is no command. bot_name: as for command_parse(). */
void suggest_for(const char *typed, const char *bot_name, struct suggestions *ret_suggestions);
/* This command, if it works. */
void suggest_command(struct suggestions *suggestions, const char *bot_name, const char *command);
/* For a command that opens something and names no gateway: the same through this one. */
void suggest_gateway(const char *typed, const char *bot_name, const char *gateway,
                     struct suggestions *suggestions);
/* For a command that opens something: the same with this machine, and the user that was named. */
void suggest_machine_named(const struct command *command, const char *bot_name, const char *machine,
                           struct suggestions *suggestions);
/* Says html, with a button for each suggestion that fits in one; the others stand below. */
void suggest_say(const struct suggestions *suggestions, struct transport *transport, int64_t person,
                 struct text *html);

#endif
