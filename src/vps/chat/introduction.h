/* introduction: what Telegram shows of the bot before it says anything: its commands, what it is. */
#ifndef PAMTUNNEL_VPS_CHAT_INTRODUCTION_H
#define PAMTUNNEL_VPS_CHAT_INTRODUCTION_H

#include "vps/telegram/errands.h"

/* Tells Telegram, if it does not know yet. Failure is no trouble: the next start tries again. */
void introduce(struct errands *errands);

#endif
