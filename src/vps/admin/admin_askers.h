/*
 * admin_askers: clients of the admin socket who asked for a session, or for a machine to wake, and
 * wait until that has come to something: until others agree, until a machine that sleeps is awake,
 * until the session is ready. Each line is answered by one: the first says what it waits for, and
 * with {"command":"wait"} its client asks for the next news, until that is the session, or why
 * there is none. Who leaves withdraws what waits; a session that opens stays.
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
#include "vps/waking/wakings.h"

struct askers;

/* All of it outlives them. */
struct askers_options {
    uv_loop_t *loop;
    struct holds *holds;
    struct sessions *sessions;
    struct wakings *wakings;
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
/* What a client waits for: one of the first three. */
struct asked {
    struct hold *hold;
    struct session *session;
    struct waking *waking;
    /*
     * It will ask for news: is answered at once what a request waits for, and, if it knows that,
     * that a machine is woken. Else it is owed the end, as an older pamctl expects it.
     */
    bool follows, follows_waking;
};
/* -ENOMEM. */
int askers_add(struct askers *askers, struct lines_client *client, const struct asked *asked);
/* It wants to hear what comes next. False: it waits for nothing. */
bool askers_wait(struct askers *askers, struct lines_client *client);
/* The same, with a code of the second factor, if it waits for that. */
bool askers_take_code(struct askers *askers, struct lines_client *client, const char *code);
/* It has left. */
void askers_gone(struct askers *askers, struct lines_client *client);

#endif
