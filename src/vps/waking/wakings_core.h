/*
 * wakings_core: what the files of the wakings share:
 *
 *     wakings        their states, and what is on the wire
 *     wakings_ask    who may have what woken, and how that is done
 *     wakings_audit  what is recorded
 */
#ifndef PAMTUNNEL_VPS_WAKING_WAKINGS_CORE_H
#define PAMTUNNEL_VPS_WAKING_WAKINGS_CORE_H

#include "base/list.h"
#include "base/timer.h"
#include "vps/consent/patience.h"
#include "vps/waking/wakings.h"

enum { WOKEN_MAX = 16 };

struct waking {
    struct list home;
    enum waking_state state;
    struct session_request request; /* has the id */
    char of_session[SESSION_ID_SIZE + 1];
    bool opens;
    uint8_t mac[MAC_SIZE];
    uint64_t number;     /* on the wire: who wants the same machine has the same */
    uint64_t began_ms;   /* 0: not yet */
    uint64_t expires_ms; /* as an offer */
    unsigned failed;     /* enum tunnel_failure */
    char reason[sizeof((struct why *)0)->text];
};

struct wakings {
    struct wakings_options options;
    struct macs *macs;
    struct list list;
    unsigned count;
    struct timer *timer; /* runs while there are some */
    struct patience patience;
    struct waking_watcher watchers[WAKING_WATCHERS_MAX];
    unsigned watcher_count;
    char woken[WOKEN_MAX][SESSION_ID_SIZE + 1]; /* the latest sessions that began so, in a ring */
    unsigned next_woken;
};

/* How a machine is woken. */
struct waking_means {
    uint8_t mac[MAC_SIZE];
    enum policy_wake wake;
    uint16_t port; /* at which it answered last; 0: nobody knows */
};

/* ---- wakings_ask -------------------------------------------------------------- */

/* Of a machine behind this gateway. Errors as wakings_wake() has them, with why. */
int wakings_find_means(const struct wakings *wakings, const struct target *target,
                       struct waking_means *ret_means, struct why *why);
/*
 * This person may reach it now, by one kind or another: the request's kind and target are the first
 * of them, resolved. Errors as sessions_ask().
 */
int wakings_check_reach(const struct wakings *wakings, struct session_request *request,
                        struct why *why);

/* ---- wakings_audit ------------------------------------------------------------ */

/* What has happened to it, by its state. */
void wakings_record(const struct wakings *wakings, const struct waking *waking);
void wakings_record_refusal(const struct wakings *wakings, const struct session_request *request,
                            const char *reason);

#endif
