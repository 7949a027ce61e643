/*
 * farewell: what a session's message says at last, below which stands where the audit ends. It is
 * shown when the record of that end is on the disk, so that the head is one behind it. Telegram
 * would be told no earlier in any case.
 */
#ifndef PAMTUNNEL_VPS_CHAT_FAREWELL_H
#define PAMTUNNEL_VPS_CHAT_FAREWELL_H

#include "vps/audit/audit.h"
#include "vps/chat/readers.h"
#include "vps/transport/transport.h"

struct farewell;

/* Those that wait. Zero-initialised is ready for use. */
struct farewells {
    struct farewell *first;
};

struct farewell_options {
    struct audit *audit; /* NULL: nothing is waited for, as everything below, outlives the wait */
    struct transport *transport;
    const struct readers *readers;
    int64_t person;
    struct post *post; /* is released when it has been said */
    const char *html;  /* as it is without the head */
    const char *again; /* data of that button; "": there is none */
};

/* Says it when it is time, or at once without memory for it. all: NULL does the same. */
void farewell_say(struct farewells *all, const struct farewell_options *options);
/* Nobody waits any longer: all is said as it is. */
void farewells_end(struct farewells *all);

#endif
