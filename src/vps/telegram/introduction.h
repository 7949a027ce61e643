/* introduction: what Telegram shows of the bot before it says anything: its menu, what it is. */
#ifndef PAMTUNNEL_VPS_TELEGRAM_INTRODUCTION_H
#define PAMTUNNEL_VPS_TELEGRAM_INTRODUCTION_H

#include <stdbool.h>

#include "vps/telegram/calls.h"
#include "vps/transport/transport.h"

enum { INTRODUCTION_LANGUAGES_MAX = 8 };

/* Is kept for as long as its calls are. */
struct introduction {
    struct calls *calls;
    struct introduction_text {
        const char *language, *description, *short_description;
    } texts[INTRODUCTION_LANGUAGES_MAX]; /* the first is everybody's */
    unsigned count, at;
    bool has_own, has_own_short; /* the owner wrote it, and it stays, in all languages */
};

/*
 * Tells Telegram, if it does not know yet, in one language: "" first, which is everybody's who has
 * none of their own. Failure is no trouble: the next start tries again. What the profile points
 * at outlives the introduction, but for the commands, which are copied.
 */
void introduction_give(struct introduction *introduction, struct calls *calls,
                       const struct transport_profile *profile);

#endif
