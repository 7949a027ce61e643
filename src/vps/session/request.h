/* request: what somebody asks for when a session is to be opened. */
#ifndef PAMTUNNEL_VPS_SESSION_REQUEST_H
#define PAMTUNNEL_VPS_SESSION_REQUEST_H

#include <stdbool.h>

#include "shared/kind.h"
#include "shared/target.h"
#include "vps/grant/owner.h"
#include "vps/policy/policy.h"
#include "vps/session/view.h"

/* What a rule asks for before it opens. */
struct consents {
    unsigned approvals; /* of so many other people */
    bool second_factor; /* of who asks */
};

enum { REASON_MAX = 200, LANGUAGE_CODE_SIZE = 4 };

struct session_request {
    struct owner owner;
    enum kind kind;
    struct target target;
    char name[POLICY_NAME_MAX + 1]; /* of the target in the policy, filled in by sessions_open() */
    char reason[REASON_MAX + 1]; /* what it is for, in its user's words: one line; "": not said */
    /* It was asked before, and waits for its gateway, or for consents: nobody asks anew. */
    bool again;
    char language[LANGUAGE_CODE_SIZE]; /* its user reads this one: "de"; "": nobody knows */
    bool at_entrance;                  /* its user wants the line or the file for ENTRANCE_PORT */
    char id[SESSION_ID_SIZE + 1]; /* that it had while it waited, and the session keeps; "": none */
    struct consents given;        /* by those whom vps/consent has asked */
    /* From the policy's rule that decides, filled in by sessions_open(). 0: there is none, or it
       leaves that to the settings. */
    unsigned rule_line;
    long longest_s;
    long connections;
    bool ends_with_hours;
    struct consents needed;
};

/*
 * Takes what somebody wrote: one line without what nobody sees, and cut, visibly, if it is too
 * long.
 */
void request_take_reason(struct session_request *request, const char *typed);

#endif
