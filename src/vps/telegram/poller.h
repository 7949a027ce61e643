/*
 * poller: receives from Telegram. First getMe, which tells whether the token is right,
 * then getUpdates, a long poll after the other. It is meant never to be deaf for long while
 * Telegram can be reached: see architecture.md.
 *
 *     greeting -> polling -> stopped
 *         '----> refused
 */
#ifndef PAMTUNNEL_VPS_TELEGRAM_POLLER_H
#define PAMTUNNEL_VPS_TELEGRAM_POLLER_H

#include <stdbool.h>
#include <uv.h>

#include "base/log.h"
#include "base/text.h"
#include "base/why.h"
#include "vps/store/store.h"
#include "vps/telegram/api.h"
#include "vps/telegram/calls.h"
#include "vps/telegram/update.h"

struct poller;

struct poller_options {
    uv_loop_t *loop;
    const struct log *log;
    struct api *api; /* this and calls outlive the poller */
    struct calls *calls;
    struct store *store; /* may be NULL; not started yet, and outlives the poller */
    const char *state_dir, *api_url;
    /* The token is right; the bot's own user name, to tell commands to it from others. */
    void (*online)(void *arg, const char *user_name);
    /* The token is wrong: nothing more will come. */
    void (*refused)(void *arg, const struct why *why);
    /* Each update once, in order; never again, not even after a restart. */
    void (*update)(void *arg, const struct update *update);
    void *arg;
};

int poller_new(const struct poller_options *options, struct poller **ret_poller);
/* True while Telegram answers. */
bool poller_is_online(const struct poller *poller);
/*
 * What is wrong, as a clause for a person, is added to text: nothing if all is well. Returns
 * for how long nothing could be received, in seconds.
 */
uint64_t poller_trouble(const struct poller *poller, struct text *text);
/* How far this machine's clock is ahead of Telegram's, in seconds. */
int64_t poller_clock_offset(const struct poller *poller);
/* Passes on what was received and only waits for the state file; after that no callback comes. */
void poller_stop(struct poller *poller);
/* Not from inside `update` and `online`. Accepts NULL. */
void poller_free(struct poller *poller);

#endif
