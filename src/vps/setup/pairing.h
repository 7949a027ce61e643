/*
 * pairing: who the owner of the bot is. They show it by sending a one-time code, which only
 * the terminal showed, to the bot in a private chat.
 */
#ifndef PAMTUNNEL_VPS_SETUP_PAIRING_H
#define PAMTUNNEL_VPS_SETUP_PAIRING_H

#include <stdint.h>

#include "base/why.h"
#include "vps/setup/sync_api.h"
#include "vps/telegram/update.h"

enum { PAIRING_CODE_LEN = 6, PAIRING_WRONG_MAX = 5, PAIRING_S = 300 };

/* What a message is to somebody who waits for "/start CODE"; PAIRING_BARE: without the code. */
enum pairing_verdict { PAIRING_NOTHING, PAIRING_BARE, PAIRING_WRONG, PAIRING_RIGHT };
enum pairing_verdict pairing_judge(const struct update *update, const char *code);

/*
 * Tells the person on standard error what to send, and waits PAIRING_S seconds for it. The
 * messages that were waiting for the bot are taken along. -ETIMEDOUT, -EACCES after too
 * many wrong codes, -EBUSY if another program receives the bot's messages, or another
 * -errno; why is a sentence.
 */
int pairing_wait(struct sync_api *sync_api, const char *bot_name, int64_t *ret_user,
                 struct why *why);

#endif
