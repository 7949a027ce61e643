/* admin_commands: what pamctl may ask for, apart from the socket that it comes through. */
#ifndef PAMTUNNEL_VPS_ADMIN_ADMIN_COMMANDS_H
#define PAMTUNNEL_VPS_ADMIN_ADMIN_COMMANDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "vps/admin/admin.h"
#include "vps/admin/admin_askers.h"
#include "vps/admin/later.h"

struct admin_call {
    const struct admin_options *options;
    uint64_t started_ms; /* the agent */
    uid_t uid;           /* who asks */

    /* What the answer waits for, if there is none yet. */
    struct asked asked;  /* it has come to something */
    bool waits_on;       /* the next news of that */
    const char *code;    /* ... with this code of the second factor; NULL: none was given */
    bool draining;       /* no session is left, or nobody wants that any more */
    unsigned pairing;    /* this question, 0: none, has come to its end */
    bool at_once;        /* it tells of nothing that was done: no disk is waited for */
    struct later *later; /* whoever has it; see admin_later() */

    struct laters *laters;
    struct lines_client *client;
};

/* What a request says under that name; "" if that is no text, or not there. */
const char *admin_text(const json_t *request, const char *key);
/* The session that it names; NULL with *ret_reply, a new reference, if there is none. */
struct session *admin_session(struct admin_call *call, const json_t *request, json_t **ret_reply);
/* For a command whose answer takes a while: it returns NULL then. As later_new(). */
struct later *admin_later(struct admin_call *call, void (*gone)(void *arg), void *arg);

/* A new reference. NULL: later, or there is no memory. */
json_t *admin_run(struct admin_call *call, const json_t *request);

#endif
