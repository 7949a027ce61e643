/*
 * attendance: which gateways vps-agent has seen since it started, and since when the others have
 * been away. So a user who asks for one of those is told more than that it is not there.
 */
#ifndef PAMTUNNEL_VPS_GATEWAYS_ATTENDANCE_H
#define PAMTUNNEL_VPS_GATEWAYS_ATTENDANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/host.h"
#include "base/net.h"
#include "base/text.h"
#include "shared/gateway_name.h"
#include "vps/gateways/keyring.h"

enum {
    ATTENDANCE_MAX = 48,          /* remembered; the one that has been away longest makes room */
    ATTENDANCE_RETURN_MS = 10000, /* after a restart on either side it is back within that time */
};

struct attendance {
    const struct keyring *keyring; /* who has a key */
    uint64_t began_ms;
    unsigned count;
    struct attendant {
        char name[GATEWAY_NAME_MAX + 1];
        struct addr from;
        bool is_here;
        uint64_t left_ms; /* if it is not here */
    } seen[ATTENDANCE_MAX];
};

/* Starts with nobody seen. The keyring must outlive it. */
void attendance_begin(struct attendance *attendance, const struct keyring *keyring,
                      uint64_t now_ms);
/* It has logged in, from there. Without a place (all are here) it is not remembered. */
void attendance_came(struct attendance *attendance, const char *name, const struct addr *from);
/* It is offline; the name need not be known. */
void attendance_left(struct attendance *attendance, const char *name, uint64_t now_ms);
/* Forgets those that no key lets in any more. */
void attendance_keys_changed(struct attendance *attendance);

/* There is one of that name, here or away: it was here, or has a key of its own. */
bool attendance_knows(const struct attendance *attendance, const char *name);
/*
 * A gateway of that name (""; any) is away, and will most likely be back in a moment: it was
 * here a moment ago, or vps-agent itself has only just started.
 */
bool attendance_expects(const struct attendance *attendance, const char *name, uint64_t now_ms);
/* One that is away. */
struct attendance_away {
    const char *name;
    uint64_t seconds;        /* since it left, or since vps-agent started */
    const struct addr *from; /* where it was; NULL: it was not here since vps-agent started */
    bool missed;             /* it should be here: it has a key of its own, and has used it */
};
/*
 * Each once: those that were here, and those that have a key of their own. *at is 0 for the
 * first one. False at the end.
 */
bool attendance_next_away(const struct attendance *attendance, uint64_t now_ms, unsigned *at,
                          struct attendance_away *ret_away);
/*
 * Adds a clause about one gateway that is away, without its name: "was last here 5 min ago,
 * from 198.51.100.7". False, and nothing, if there is no reason to think that it exists.
 */
bool attendance_say(const struct attendance *attendance, const char *name, uint64_t now_ms,
                    struct text *text);
/* Adds sentences about all that are away. */
void attendance_say_all(const struct attendance *attendance, uint64_t now_ms, struct text *text);

#endif
