/*
 * press: what the bot's buttons send back: "close:ID", "more:ID", "who:ID",
 * "admit:ID:NUMBER", "block:ID:NUMBER", "run:COMMAND".
 */
#ifndef PAMTUNNEL_VPS_CHAT_PRESS_H
#define PAMTUNNEL_VPS_CHAT_PRESS_H

#include "vps/session/session.h"
#include "vps/telegram/content.h"

enum press_verb { PRESS_CLOSE, PRESS_MORE, PRESS_WHO_WAITS, PRESS_ADMIT, PRESS_BLOCK, PRESS_RUN };

struct press {
    enum press_verb verb;
    char id[SESSION_ID_SIZE + 1];
    unsigned number;     /* of the parked client; 0 for the others */
    const char *command; /* of PRESS_RUN: "/ssh HOST", a part of what was parsed; else NULL */
};

enum { PRESS_DATA_SIZE = CALLBACK_DATA_MAX + 1 };

/* dst: PRESS_DATA_SIZE. Returns dst. */
char *press_format(enum press_verb verb, const char *id, unsigned number, char *dst);
/* The same of PRESS_RUN. -EMSGSIZE if the command is too long for a button. */
int press_format_run(const char *command, char *dst);
/* -EINVAL if it is anything else. */
int press_parse(const char *data, struct press *ret_press);

#endif
