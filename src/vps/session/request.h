/* request: what somebody asks for when a session is to be opened. */
#ifndef PAMTUNNEL_VPS_SESSION_REQUEST_H
#define PAMTUNNEL_VPS_SESSION_REQUEST_H

#include <stdbool.h>

#include "shared/kind.h"
#include "shared/target.h"
#include "vps/grant/owner.h"

struct session_request {
    struct owner owner;
    enum kind kind;
    struct target target;
    /* A command that waits for its gateway is tried once more: nobody has asked anew. */
    bool again;
    /* From the policy's rule that decides, filled in by sessions_open(). 0: there is none, or it
       leaves that to the settings. */
    unsigned rule_line;
    long longest_s;
    long connections;
};

#endif
