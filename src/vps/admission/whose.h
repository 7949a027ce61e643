/*
 * whose: to which session a client goes that came to the entrance, which is no session's own. One
 * pure function decides, from what each session knows of it; the reasons are in
 * docs/threat-model.md, "The entrance".
 */
#ifndef PAMTUNNEL_VPS_ADMISSION_WHOSE_H
#define PAMTUNNEL_VPS_ADMISSION_WHOSE_H

#include <stdbool.h>

#include "vps/grant/owner.h"

/* Whether its first bytes are those of a session's kind. */
enum whose_fit {
    WHOSE_FIT_NOT,
    WHOSE_FIT_LATER, /* that takes more bytes */
    WHOSE_FIT_ANY,   /* whatever they are */
    WHOSE_FIT_OWN,
};

/* What one session says of the client. */
struct whose_claim {
    enum whose_fit fit;
    bool has_secret; /* of the session's file, or its link */
    bool is_in;      /* its party is in there, and may come again */
    bool expects;    /* nobody is in there, and its party would not be a stranger */
    struct owner owner;
};

/* Or the index of the claim. */
enum { WHOSE_NOBODY = -1, WHOSE_SEVERAL = -2, WHOSE_LATER = -3 };

/* claims: of all sessions, in the order in which they were opened. */
int whose_session(const struct whose_claim *claims, unsigned count);

#endif
