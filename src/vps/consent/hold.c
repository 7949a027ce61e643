#include "vps/consent/hold.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/text.h"
#include "vps/consent/approver.h"
#include "vps/consent/hold_run.h"

struct hold {
    struct list home;
    enum hold_state state;
    struct session_request request; /* resolved; it has the id */
    char said[HOST_MAX + 1];        /* the host as it was typed, */
    uint16_t said_port;             /* and its port */
    int64_t asked_unix;
    uint64_t expires_ms;
    struct owner approved_by[POLICY_APPROVALS_MAX];
    struct owner by;
    bool has_by;
    char reason[sizeof((struct why *)0)->text];
};

/* ---- looking at it ---------------------------------------------------------- */

const char *hold_state_name(enum hold_state state)
{
    static const char *const NAMES[] = {"asking_factor", "asking_approval", "ready",     "granted",
                                        "denied",        "expired",         "withdrawn", "refused"};
    return NAMES[state];
}

bool hold_state_is_end(enum hold_state state)
{
    return state >= HOLD_GRANTED;
}

enum hold_state hold_state(const struct hold *hold)
{
    return hold->state;
}

const struct owner *hold_owner(const struct hold *hold)
{
    return &hold->request.owner;
}

uint64_t hold_expires_ms(const struct hold *hold)
{
    return hold->expires_ms;
}

bool hold_is_complete(const struct hold *hold)
{
    const struct consents *needed = &hold->request.needed, *given = &hold->request.given;
    return given->approvals >= needed->approvals &&
           (given->second_factor || !needed->second_factor);
}

bool hold_is_for(const struct hold *hold, const struct session_request *resolved)
{
    const struct target *a = &hold->request.target, *b = &resolved->target;
    return owner_equal(&hold->request.owner, &resolved->owner) &&
           hold->request.kind == resolved->kind && a->port == b->port &&
           strcasecmp(a->host, b->host) == 0 && gateway_name_equal(a->gateway, b->gateway);
}

void hold_view(const struct hold *hold, struct hold_view *ret_view)
{
    uint64_t now_ms = clock_ms();
    bool waits = !hold_state_is_end(hold->state) && hold->expires_ms > now_ms;
    *ret_view = (struct hold_view){
        .id = hold->request.id,
        .state = hold->state,
        .request = &hold->request,
        .said = hold->said,
        .asked_unix = hold->asked_unix,
        .seconds_left = waits ? (unsigned)((hold->expires_ms - now_ms + 999) / 1000) : 0,
        .approvals = hold->request.given.approvals,
        .approved_by = hold->approved_by,
        .by = hold->has_by ? &hold->by : NULL,
        .reason = hold->reason,
    };
}

/* ---- consents --------------------------------------------------------------- */

void hold_give_factor(struct hold *hold)
{
    hold->request.given.second_factor = true;
}

int hold_approve(struct hold *hold, const struct owner *by, const struct people *people)
{
    unsigned *count = &hold->request.given.approvals;
    for (unsigned i = 0; i < *count; i++) {
        if (approver_is_same(people, &hold->approved_by[i], by)) {
            return -EALREADY;
        }
    }
    if (*count < POLICY_APPROVALS_MAX) {
        hold->approved_by[(*count)++] = *by;
    }
    return 0;
}

void hold_recount(struct hold *hold, const struct people *people)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < hold->request.given.approvals; i++) {
        if (approver_check(people, &hold->request.owner, &hold->approved_by[i]) == 0) {
            hold->approved_by[kept++] = hold->approved_by[i];
        }
    }
    hold->request.given.approvals = kept;
}

void hold_renew(struct hold *hold, const struct session_request *resolved)
{
    hold->request = *resolved; /* made of hold_request(), so that it keeps what we have */
}

/* A name of the policy may stand for another machine by now: whoever opens it compares. */
struct session_request hold_request(const struct hold *hold)
{
    struct session_request request = hold->request;
    struct text host = text_over(request.target.host, sizeof request.target.host);
    text_add(&host, "%s", hold->said);
    request.target.port = hold->said_port;
    return request;
}

/* ---- states ----------------------------------------------------------------- */

void hold_move(struct hold *hold, enum hold_state to, const struct owner *by, const char *reason,
               const struct log *log)
{
    char who[OWNER_TEXT_MAX + sizeof ", by "] = "", person[OWNER_TEXT_MAX];
    struct text text = text_over(who, sizeof who);
    if (by) {
        hold->by = *by;
        hold->has_by = true;
        text_add(&text, ", by %s", owner_text(by, person));
    }
    log_info(log, "request %s: %s -> %s%s%s%s", hold->request.id, hold_state_name(hold->state),
             hold_state_name(to), who, reason ? ": " : "", reason ? reason : "");
    hold->state = to;
    struct text kept = text_over(hold->reason, sizeof hold->reason);
    text_add(&kept, "%s", reason ? reason : "");
}

/* ---- life ------------------------------------------------------------------- */

struct hold *hold_new(const struct session_request *said, const struct session_request *resolved,
                      uint64_t expires_ms)
{
    struct hold *hold = calloc(1, sizeof *hold);
    if (!hold) {
        return NULL;
    }
    list_init(&hold->home);
    hold->request = *resolved;
    hold->request.again = true; /* from now on */
    if (crypto_random_name(hold->request.id, SESSION_ID_SIZE) < 0) {
        free(hold);
        return NULL;
    }
    hold->state = HOLD_ASKING_FACTOR;
    strcpy(hold->said, said->target.host);
    hold->said_port = said->target.port;
    hold->asked_unix = clock_unix();
    hold->expires_ms = expires_ms;
    return hold;
}

void hold_free(struct hold *hold)
{
    if (hold) {
        list_remove(&hold->home);
        free(hold);
    }
}

struct list *hold_home(struct hold *hold)
{
    return &hold->home;
}

struct hold *hold_of(struct list *home)
{
    return list_owner(home, struct hold, home);
}
