/* introduction: what Telegram shows of the bot before it says anything: its menu, what it is. */
#ifndef PAMTUNNEL_VPS_TELEGRAM_INTRODUCTION_H
#define PAMTUNNEL_VPS_TELEGRAM_INTRODUCTION_H

#include "vps/telegram/calls.h"
#include "vps/transport/transport.h"

/* Is kept for as long as its calls are. */
struct introduction {
    struct calls *calls;
    const char *description, *short_description;
};

/*
 * Tells Telegram, if it does not know yet. Failure is no trouble: the next start tries again.
 * The profile's descriptions outlive the introduction; the rest of it is copied.
 */
void introduction_give(struct introduction *introduction, struct calls *calls,
                       const struct transport_profile *profile);

#endif
