/*
 * warning: that a session ends soon, as a message of its own, so that the phone says so; and what
 * came of it.
 */
#ifndef PAMTUNNEL_VPS_CHAT_WARNING_H
#define PAMTUNNEL_VPS_CHAT_WARNING_H

#include "vps/session/session.h"
#include "vps/transport/transport.h"

struct readers;

/* Embedded in a card. Zero-initialised but for the first three, which outlive it. */
struct warning {
    struct transport *transport;
    const struct readers *readers;
    int64_t person;
    struct post *post; /* NULL: nobody is warned now */
};

/* It ends like this, in so many seconds. */
void warning_say(struct warning *warning, const struct session_view *view, enum session_end end,
                 unsigned seconds);
/* It goes on, or has ended: the warning says that, and its buttons go. */
void warning_over(struct warning *warning, const struct session_view *view);

#endif
