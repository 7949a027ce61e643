/*
 * reception: whom the bot listens to. Only the number of the sender counts, in words that the
 * sender wrote to the bot alone: a forwarded command is somebody else's.
 */
#ifndef PAMTUNNEL_VPS_CHAT_RECEPTION_H
#define PAMTUNNEL_VPS_CHAT_RECEPTION_H

#include <stdbool.h>

#include "vps/transport/transport.h"

enum reception {
    RECEPTION_IGNORE,
    RECEPTION_STRANGER,  /* somebody who is not allowed */
    RECEPTION_FORWARDED, /* an allowed user passed on what somebody else wrote */
    RECEPTION_USER,
};

/* *ret_reason says in a few words why it is not RECEPTION_USER, for the log. */
/* is_user: its sender is. */
enum reception reception_judge(const struct incoming *incoming, bool is_user,
                               const char **ret_reason);

#endif
