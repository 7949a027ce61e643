/*
 * admin_askers: clients of the admin socket who asked for a session that waits for others. Each
 * line is answered by one: the first says what it waits for, and with {"command":"wait"} its client
 * asks for the next news, until that is the session, or why there is none. Who leaves withdraws.
 */
#ifndef PAMTUNNEL_VPS_ADMIN_ADMIN_ASKERS_H
#define PAMTUNNEL_VPS_ADMIN_ADMIN_ASKERS_H

#include <jansson.h>
#include <stdbool.h>
#include <uv.h>

#include "base/lines.h"
#include "vps/consent/holds.h"
#include "vps/factor/factors.h"
#include "vps/people/people.h"
#include "vps/session/sessions.h"

struct askers;

/* All of it outlives them. */
struct askers_options {
    uv_loop_t *loop;
    struct holds *holds;
    struct sessions *sessions;
    const struct people *people;
    struct factors *factors; /* or NULL */
    /* Sends an answer, whose reference it takes. The client may be gone when it returns. */
    void (*say)(void *arg, struct lines_client *client, json_t *reply);
    void *arg;
};

/* 0 or -errno. */
int askers_new(const struct askers_options *options, struct askers **ret_askers);
/* Accepts NULL. */
void askers_free(struct askers *askers);
/*
 * This client asked for that. follows: it will ask for news, and is answered at once; else it is
 * owed the end, as an older pamctl expects it. -ENOMEM.
 */
int askers_add(struct askers *askers, struct lines_client *client, struct hold *hold, bool follows);
/* It wants to hear what comes next. False: it waits for nothing. */
bool askers_wait(struct askers *askers, struct lines_client *client);
/* The same, with a code of the second factor, if it waits for that. */
bool askers_take_code(struct askers *askers, struct lines_client *client, const char *code);
/* It has left. */
void askers_gone(struct askers *askers, struct lines_client *client);

#endif
