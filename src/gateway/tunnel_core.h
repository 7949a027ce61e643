/*
 * What the parts of tunnel share:
 *
 *     tunnel           its states and life
 *     tunnel_opening   the target may be dialled and answers, and the data channel is proven
 *     tunnel_target    somebody waits for the target: it is dialled, and joined with them
 */
#ifndef PAMTUNNEL_GATEWAY_TUNNEL_CORE_H
#define PAMTUNNEL_GATEWAY_TUNNEL_CORE_H

#include "base/dial.h"
#include "base/host.h"
#include "base/timer.h"
#include "base/watch.h"
#include "gateway/attach.h"
#include "gateway/demand.h"
#include "gateway/failure.h"
#include "gateway/probe.h"
#include "gateway/reach.h"
#include "gateway/tunnel.h"

enum tunnel_state {
    STATE_OPENING,
    STATE_WAITING,
    STATE_DIALLING,
    STATE_RELAYING,
    STATE_CLOSING,
    STATE_ENDED,
};

struct tunnel {
    const struct tunnel_host *host;
    enum tunnel_state state;
    uint64_t session;
    uint16_t channel;
    bool dial_at_once;            /* tunnel_dial() */
    char target[TARGET_TEXT_MAX]; /* as it was asked for */
    uint16_t port;
    unsigned kind;        /* enum tunnel_kind */
    bool tells_sight;     /* the VPS wants to know who the target is */
    struct demand demand; /* of it, when it is dialled */
    struct addr *addrs;   /* to dial; only until that is done */
    struct addr dialled;  /* then: the one that answered */
    unsigned addr_count;
    enum tunnel_found_by found_by;
    int data; /* the data channel, -1: none (yet, or any more) */
    struct reach *reach;
    struct attach *attach;
    struct watch *watch;
    struct probe *probing; /* while dialling: what was seen there does not count any more */
    struct dial *dial;
    struct link *link;
    struct timer *linger;
    uint64_t since_ms; /* when its state began */
};

/* ---- tunnel ------------------------------------------------------------------ */

__attribute__((format(printf, 3, 4))) void tunnel_log(const struct tunnel *tunnel,
                                                      enum log_level level, const char *format,
                                                      ...);
void tunnel_set_state(struct tunnel *tunnel, enum tunnel_state state, const char *because);
/* The VPS hears of it, and nothing else happens. */
void tunnel_send_failed(const struct tunnel *tunnel, const struct failure *failure);
/* It is gone when these return; the VPS hears of a failure. */
void tunnel_end(struct tunnel *tunnel, const char *because);
void tunnel_fail(struct tunnel *tunnel, const struct failure *failure);
/* It is open. It may be gone when this returns. */
void tunnel_start_waiting(struct tunnel *tunnel);

/* ---- tunnel_opening ---------------------------------------------------------- */

/* Both halves; what comes of them comes from the loop. -errno: tunnel_free() it. */
int tunnel_start_opening(struct tunnel *tunnel, const struct message_open_tunnel *command,
                         const struct addr *vps);

/* ---- tunnel_target ----------------------------------------------------------- */

/* Whether the list allows every address that it is connected to, or may yet dial. */
bool tunnel_is_allowed(const struct tunnel *tunnel);
/* What is said if it does not. */
struct failure tunnel_not_allowed(const struct tunnel *tunnel);
/* It may be gone when these return. */
void tunnel_start_dialling(struct tunnel *tunnel);
void tunnel_dialling_failed(struct tunnel *tunnel, const struct failure *failure);

#endif
