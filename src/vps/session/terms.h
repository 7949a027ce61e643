/*
 * terms: what a session was opened with: who asked, for which machine, through which gateway,
 * and for how long. They are settled when it is opened, and do not change: settings that come
 * meanwhile are for later sessions. Each part of a session reads them, and they outlive its
 * parts.
 */
#ifndef PAMTUNNEL_VPS_SESSION_TERMS_H
#define PAMTUNNEL_VPS_SESSION_TERMS_H

#include <stdbool.h>
#include <stdint.h>

#include "vps/session/request.h"
#include "vps/session/services.h"
#include "vps/session/view.h"

struct session_limits {
    uint32_t timeout_s, grace_s, idle_s, time_s; /* SESSION_TIMEOUT, ...; 0 as in the settings */
    uint16_t connections;                        /* at once */
    bool time_is_fixed;                          /* by a rule: Extend does not move it */
    bool ends_with_hours;                        /* of its rule */
};

/* There may be thousands: names take no more than they need, and small fields stand together. */
struct terms {
    struct services *services;
    uint64_t number; /* on the wire */
    uint64_t opened_ms;
    int64_t opened_unix;
    struct owner owner;
    char *user, *gateway; /* after `host` */
    char *name;           /* too: of the target in the policy; "": it has none */
    char *reason;         /* too: what it is for, in its user's words; "": not said */
    struct session_limits limits;
    struct consents given;
    unsigned rule_line; /* of the policy's rule that allows it; 0: there is none */
    uint16_t port;      /* with host: the target */
    bool at_entrance;   /* its user wants the line or the file for ENTRANCE_PORT */
    bool names_gateway; /* there were several when it was opened */
    enum kind kind;
    char id[SESSION_ID_SIZE + 1];
    char language[LANGUAGE_CODE_SIZE]; /* of its user, or "" */
    char host[];
};

/* Draws its number, and its id if the request has none. NULL when out of memory, or of random
   numbers. */
struct terms *terms_new(struct services *services, const struct session_request *request,
                        const struct gateway *gateway);
/* Accepts NULL. */
void terms_free(struct terms *terms);

/* RECONNECT_GRACE=0 and MAX_CONNECTIONS=1: it is one connection, and no port outlives that. */
bool terms_are_strict(const struct terms *terms);
/* Fills in who, what and where. */
void terms_view(const struct terms *terms, struct session_view *view);

static inline const struct log *log_of(const struct terms *terms)
{
    return terms->services->log;
}

#endif
