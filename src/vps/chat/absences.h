/*
 * absences: which comings and goings of gateways are worth telling a person, and when. All of its
 * times are here. It has no clock of its own.
 *
 *     away for ABSENCE_TOLD_MS         it is told, and so is its return; a shorter absence is not
 *     ABSENCE_MANY of any length       within ABSENCE_WINDOW_MS: it is said once that the gateway
 *                                      is coming and going, and then nothing until it has stayed
 *                                      here, or away, for ABSENCE_WINDOW_MS
 *     not here ABSENCE_START_MS        after the start, although it should be: it is told
 */
#ifndef PAMTUNNEL_VPS_CHAT_ABSENCES_H
#define PAMTUNNEL_VPS_CHAT_ABSENCES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/net.h"
#include "shared/gateway_name.h"
#include "vps/gateways/attendance.h"

enum {
    ABSENCES_MAX = ATTENDANCE_MAX,
    ABSENCE_TOLD_MS = 30 * 1000,
    ABSENCE_START_MS = 2 * 60 * 1000, /* gateways try again each minute at the latest */
    ABSENCE_MANY = 4,
    ABSENCE_WINDOW_MS = 15 * 60 * 1000,
};

struct absence {
    char name[GATEWAY_NAME_MAX + 1];
    struct addr from; /* where it was last */
    bool was_here;    /* since the start: `from` is known */
    bool away;
    uint64_t since_ms; /* it has been so */
    uint64_t left_ms;  /* when the absence began that was told */
    bool told;         /* of this absence */
    bool unsteady;     /* so it was said: nothing more for now */
    uint64_t went_ms[ABSENCE_MANY];
    unsigned wents; /* of them, the latest at (wents - 1) % ABSENCE_MANY */
};

/* Zero-initialised is ready for use. */
struct absences {
    unsigned count;
    struct absence list[ABSENCES_MAX];
};

/* It has logged in, perhaps anew; from may be NULL. */
void absences_came(struct absences *absences, const char *name, const struct addr *from,
                   uint64_t now_ms);
void absences_went(struct absences *absences, const char *name, uint64_t now_ms);
/* It should be here, and has not been since the start at began_ms. */
void absences_missed(struct absences *absences, const char *name, uint64_t began_ms);
/* There is no such gateway any more. */
void absences_forget(struct absences *absences, const char *name);

enum absence_kind {
    ABSENCE_NONE,
    ABSENCE_GONE,     /* away for so long */
    ABSENCE_NEVER,    /* not here since the start, that long ago */
    ABSENCE_BACK,     /* after so long */
    ABSENCE_UNSTEADY, /* coming and going */
    ABSENCE_STEADY,   /* no longer: it has been here for so long */
};

/* What is to be told now. The name and the address are valid until anything changes. */
struct absence_tiding {
    enum absence_kind kind;
    const char *name;
    uint64_t seconds;
    const struct addr *from; /* of ABSENCE_GONE */
};

/* One after the other, each once; false: nothing is to be told now. */
bool absences_next(struct absences *absences, uint64_t now_ms, struct absence_tiding *ret_tiding);
/* When there may be something to tell, if nothing happens before; UINT64_MAX: never. */
uint64_t absences_due(const struct absences *absences);

#endif
