/*
 * policy: who may reach what, when, for how long and on what conditions; and what that comes to
 * for one request. The first rule that fits decides. Where none fits, nobody gets in.
 *
 * Nothing here reads a file or a clock: policy_file.h makes a policy, and whoever asks says when.
 */
#ifndef PAMTUNNEL_VPS_POLICY_POLICY_H
#define PAMTUNNEL_VPS_POLICY_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/crypto.h"
#include "base/net.h"
#include "base/text.h"
#include "shared/kind.h"
#include "shared/target.h"
#include "vps/grant/owner.h"
#include "vps/policy/document.h"
#include "vps/policy/hours.h"
#include "vps/policy/zone.h"

enum {
    POLICY_ACCOUNTS_MAX = 4,
    POLICY_USERS_MAX = 256,
    POLICY_NAME_MAX = 63, /* bytes of a user's, a group's or a target's name */
    POLICY_WARNINGS_MAX = 16,
    POLICY_APPROVALS_MAX = 9,
};

enum policy_role {
    POLICY_USER = 1, /* everybody has it */
    POLICY_APPROVER = 2,
    POLICY_ADMINISTRATOR = 4,
};

/* Texts are the document's. */
struct policy_user {
    const char *name;
    unsigned line;
    struct owner accounts[POLICY_ACCOUNTS_MAX];
    unsigned account_count;
    unsigned roles; /* enum policy_role */
    const char **groups;
    unsigned group_count;
    int64_t until;       /* of the local clock: the first moment when it is expired; 0: never */
    const char *expires; /* as it is written */
    bool second_factor;  /* whatever a rule says */
};

enum policy_wake {
    POLICY_WAKE_ASK,  /* it is offered */
    POLICY_WAKE_AUTO, /* at once */
    POLICY_WAKE_OFF,
};

struct policy_target {
    const char *name;
    unsigned line;
    const char *gateway; /* "": whichever is there */
    const char *address;
    uint16_t ports[KIND_COUNT];                  /* 0: not of this kind */
    const char *mac;                             /* NULL: not said */
    bool shows[KIND_COUNT];                      /* it is said what it has to show: */
    uint8_t shown[KIND_COUNT][CRYPTO_HASH_SIZE]; /* the SHA-256 of its host key or certificate */
    enum policy_wake wake;                       /* if it sleeps */
};

/* One of a rule's `who`. */
struct policy_who {
    enum { WHO_EVERYBODY, WHO_NAMED, WHO_GROUP, WHO_ROLE } form;
    const char *name; /* of a user or a group */
    enum policy_role role;
};

/* One of a rule's `targets`. */
struct policy_place {
    enum { PLACE_ANY, PLACE_TARGET, PLACE_HOST, PLACE_NETWORK } form;
    const struct policy_target *target;
    const char *host; /* a name */
    struct addr network;
    unsigned bits;
    char gateway[GATEWAY_NAME_MAX + 1]; /* only behind this one; "": any */
};

struct policy_rule {
    unsigned line;
    struct policy_who *who;
    struct policy_place *places;
    struct hours *hours; /* none: always */
    unsigned who_count, place_count, hours_count;
    unsigned kinds;     /* a bit for each enum kind */
    long longest_s;     /* 0: as the settings say */
    long connections;   /* 0: as the settings say */
    unsigned approvals; /* of how many people */
    bool second_factor;
    bool ends_with_hours; /* a session that runs, too */
};

struct policy {
    struct document *document;
    struct zone *zone; /* NULL: UTC */
    struct policy_user *users;
    struct policy_target *targets;
    struct policy_rule *rules;
    unsigned user_count, target_count, rule_count;
    char *warnings[POLICY_WARNINGS_MAX]; /* "FILE:LINE: …" */
    unsigned warning_count;
};

/* Accepts NULL. */
void policy_free(struct policy *policy);

/* ---- people and targets ----------------------------------------------------- */

/* NULL: nobody of the policy has this account; or has that name. */
const struct policy_user *policy_user_of(const struct policy *policy, const struct owner *account);
const struct policy_user *policy_user_named(const struct policy *policy, const char *name);
/* The last day of this user's access is over. */
bool policy_has_expired(const struct policy *policy, const struct policy_user *user,
                        int64_t unix_s);
/* Upper and lower case are the same. NULL: none. */
const struct policy_target *policy_target_named(const struct policy *policy, const char *name);

/* The first one that is this machine, at whatever port. NULL: none. */
const struct policy_target *policy_target_of(const struct policy *policy, const char *gateway,
                                             const char *host);

/* What this machine has to show, whoever asks for it and by which name; NULL: nothing is said. */
const uint8_t *policy_shown(const struct policy *policy, enum kind kind, const char *gateway,
                            const char *host, uint16_t port);

/*
 * A target's friendly name becomes its address, port and gateway; anything else stays. -EINVAL
 * with a sentence if the named target is not for this kind, or not at that port or gateway, and if
 * the port that was typed is a named target's for another kind.
 */
int policy_resolve(const struct policy *policy, enum kind kind, struct target *target,
                   struct why *why);

/* ---- deciding --------------------------------------------------------------- */

enum policy_verdict {
    POLICY_ALLOWED,
    POLICY_STRANGER, /* nobody of the policy asks */
    POLICY_EXPIRED,  /* the time of who asks is over */
    POLICY_NO_RULE,  /* none fits */
    POLICY_NOT_NOW,  /* `rule` would allow it at other hours */
};

struct policy_question {
    const struct policy_user *user; /* NULL: a stranger */
    enum kind kind;
    const struct target *target; /* resolved. Its gateway "": whichever; rules for one may fit */
    const char *said; /* the host as it was typed, for refusals; NULL: the resolved one */
    int64_t unix_s;
    bool whenever; /* the hours and expiry do not matter: for sessions that run */
};

struct policy_answer {
    enum policy_verdict verdict;
    const struct policy_rule *rule; /* of ALLOWED and NOT_NOW, else NULL */
};

struct policy_answer policy_decide(const struct policy *policy,
                                   const struct policy_question *question);
/*
 * The name of a target that may have been meant by a host that none has, of those that its user may
 * reach at some hour. NULL: none.
 */
const char *policy_nearest(const struct policy *policy, const struct policy_question *question);
/* A sentence for who asked about an answer that is not ALLOWED. */
void policy_say(const struct policy *policy, const struct policy_question *question,
                const struct policy_answer *answer, struct text *text);
/* "mon-fri 08:00-18:00, sat 10:00-12:00", or "always" */
void policy_add_hours(const struct policy_rule *rule, struct text *text);

#endif
