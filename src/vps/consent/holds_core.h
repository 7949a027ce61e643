/* holds_core: what holds.c and holds_ask.c share. */
#ifndef PAMTUNNEL_VPS_CONSENT_HOLDS_CORE_H
#define PAMTUNNEL_VPS_CONSENT_HOLDS_CORE_H

#include "base/list.h"
#include "base/timer.h"
#include "vps/consent/hold_run.h"
#include "vps/consent/holds.h"
#include "vps/consent/patience.h"

enum { FATES_MAX = 64 };

struct holds {
    struct holds_options options;
    struct holds_factor factor;
    struct list list;
    unsigned count;
    struct timer *timer; /* of the one that expires next */
    struct patience patience;
    struct hold_watcher watchers[HOLD_WATCHERS_MAX];
    unsigned watcher_count;
    struct {
        char id[SESSION_ID_SIZE + 1];
        enum hold_state state;
    } fates[FATES_MAX]; /* of the latest, in a ring */
    unsigned next_fate;
};

/* How one ends. */
struct hold_end {
    enum hold_state state;
    const struct owner *by;
    const char *reason;
    struct session *session;
};

void holds_tell(struct holds *holds, struct hold *hold, struct hold_event event);
/* Of the one that expires next; after one has come, or another timeout. */
void holds_set_timer(struct holds *holds);
/* Tells it, and frees it. */
void holds_finish(struct holds *holds, struct hold *hold, const struct hold_end *end);

#endif
