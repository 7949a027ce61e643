/*
 * wakings_core: what the files of the wakings share:
 *
 *     wakings           their states
 *     wakings_view      what there is to see of one
 *     wakings_sessions  what sessions tell, and gateways by them
 *     wakings_wire      what gateways are told
 *     wakings_ask       who may have what woken, how that is done, and how often
 *     wakings_audit     what is recorded
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

/* ---- wakings ------------------------------------------------------------------ */

/* NULL: there is no room, or no memory. */
struct waking *wakings_add(struct wakings *wakings, const struct session_request *request,
                           const struct waking_means *means);
/* From now on its gateway wakes it, or does so already. Errors as wakings_wake() has them. */
int wakings_begin(struct wakings *wakings, struct waking *waking, struct why *why);
/* What its gateway says: 0, it answers; or the enum tunnel_failure. It is gone afterwards. */
void wakings_settle(struct wakings *wakings, struct waking *waking, unsigned failed);
/* Nobody waits for it any more. The same. */
void wakings_end(struct wakings *wakings, struct waking *waking, const char *reason);
void wakings_end_each(struct wakings *wakings, const char *reason);
/* The state is an end. The same. */
void wakings_finish(struct wakings *wakings, struct waking *waking, enum waking_state state,
                    struct waking_event event);
/* Records it, and then tells the watchers. */
void wakings_tell(struct wakings *wakings, struct waking *waking, struct waking_event event);
void waking_give_reason(struct waking *waking, const char *reason);

/* ---- wakings_sessions --------------------------------------------------------- */

/* A session_watcher's. */
void wakings_on_session(void *arg, const struct session_event *event);

/* ---- wakings_wire --------------------------------------------------------------- */

bool wakings_is_of(const struct waking *waking, const char *gateway);
/* Another one that waits for the same machine, or NULL. */
const struct waking *wakings_find_same(const struct wakings *wakings, const struct waking *waking);
/* 0, or -ENOTCONN. */
int wakings_send(const struct wakings *wakings, const struct waking *waking);
/* A new login of a gateway that was online knows nothing of what it was asked. */
void wakings_send_anew(const struct wakings *wakings, const char *gateway);
/* The gateway need not go on, unless somebody else waits for that. */
void wakings_send_close(const struct wakings *wakings, const struct waking *waking);

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

/* Of the request, which is resolved then, as wakings_wake() has it. Counts. */
int wakings_prepare(struct wakings *wakings, struct session_request *request,
                    struct waking_means *ret_means, struct why *why);
/* Whether the session could be opened is asked now, so that nothing wakes in vain. Counts. */
int wakings_check_offer(struct wakings *wakings, const struct waking *waking, struct why *why);

/* ---- wakings_audit ------------------------------------------------------------ */

/* What has happened to it, by its state. */
void wakings_record(const struct wakings *wakings, const struct waking *waking);
void wakings_record_refusal(const struct wakings *wakings, const struct session_request *request,
                            const char *reason);

#endif
