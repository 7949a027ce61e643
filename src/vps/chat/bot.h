/*
 * bot: the conversation with the users: commands in, sessions opened, one live message per
 * session, questions about unknown clients. What carries it is a transport.
 */
#ifndef PAMTUNNEL_VPS_CHAT_BOT_H
#define PAMTUNNEL_VPS_CHAT_BOT_H

#include <uv.h>

#include "base/log.h"
#include "base/text.h"
#include "vps/audit/audit.h"
#include "vps/consent/holds.h"
#include "vps/session/sessions.h"
#include "vps/settings/settings.h"
#include "vps/transport/transport.h"
#include "vps/waking/wakings.h"

struct bot;
struct factors;

enum bot_status { BOT_CONNECTING, BOT_ONLINE };

/* All of it outlives the bot. */
struct bot_options {
    uv_loop_t *loop;
    const struct log *log;
    const struct vps_settings *settings;
    struct people *people;
    struct sessions *sessions;
    struct audit *audit; /* may be NULL */
    struct store *store; /* may be NULL; not started yet */
    struct holds *holds;
    struct wakings *wakings;
    struct factors *factors;     /* or NULL */
    struct transport *transport; /* not started yet */
    /*
     * The transport will never let us in: called once, from the loop, with what is wrong. The agent
     * then ends.
     */
    void (*refused)(void *arg, const struct why *why);
    void *arg;
};

/* Starts the transport. 0 or -errno. */
int bot_new(const struct bot_options *options, struct bot **ret_bot);
enum bot_status bot_status(const struct bot *bot);
/* Its own name at the service; "" before it was online. */
const char *bot_name(const struct bot *bot);
/*
 * Adds what is wrong between us and the people, as a clause for a person: nothing if all is well.
 * Returns for how many seconds nothing could be received.
 */
uint64_t bot_trouble(const struct bot *bot, struct text *text);
/* 0, or why nothing can be recorded from now on, -errno: administrators are told. */
void bot_audit_changed(struct bot *bot, int err);
/* See publisher_news_changed(): administrators are told. */
void bot_publisher_changed(struct bot *bot, const char *trouble, bool signs);
/*
 * Stops listening, lets the messages that are still on their way out (how sessions ended)
 * arrive for at most grace_ms, and then calls done, from the loop. Call it after all sessions
 * ended.
 */
void bot_stop(struct bot *bot, uint64_t grace_ms, void (*done)(void *arg), void *arg);
/* Before the transport. Accepts NULL. */
void bot_free(struct bot *bot);

#endif
