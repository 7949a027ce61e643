/*
 * learn: who the owner of the bot is. They show it by sending a one-time code, which only
 * the terminal showed, to the bot in a private chat.
 */
#ifndef PAMTUNNEL_VPS_SETUP_LEARN_H
#define PAMTUNNEL_VPS_SETUP_LEARN_H

#include <stdint.h>

#include "base/why.h"
#include "vps/setup/hotline.h"
#include "vps/telegram/update.h"

enum { LEARN_CODE_LEN = 6, LEARN_WRONG_MAX = 5, LEARN_S = 300 };

/* What a message is to somebody who waits for "/start CODE"; LEARN_BARE: without the code. */
enum learn_verdict { LEARN_NOTHING, LEARN_BARE, LEARN_WRONG, LEARN_RIGHT };
enum learn_verdict learn_judge(const struct update *update, const char *code);

/*
 * Tells the person on standard error what to send, and waits LEARN_S seconds for it. The
 * messages that were waiting for the bot are taken along. -ETIMEDOUT, -EACCES after too
 * many wrong codes, -EBUSY if another program receives the bot's messages, or another
 * -errno; why is a sentence.
 */
int learn_user(struct hotline *hotline, const char *bot_name, int64_t *ret_user, struct why *why);

#endif
