/*
 * What comes in goes one way: reception decides whether it is listened to at all, command and
 * button look up what it is in their tables, and the row's handler acts.
 *
 * Re-entrancy: events of the transport and of sessions come from the loop. A handler may end a
 * session, whose event comes back here (on_session) before the handler returns; nothing here
 * frees the bot or the transport meanwhile. That is done by whoever bot_stop() calls back, which
 * happens from a timer of the bot's own, never from inside the transport.
 */
#include "vps/chat/bot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/sieve.h"
#include "base/timer.h"
#include "vps/chat/approvals.h"
#include "vps/chat/audit_news.h"
#include "vps/chat/awakenings.h"
#include "vps/chat/bot_core.h"
#include "vps/chat/button.h"
#include "vps/chat/expired.h"
#include "vps/chat/gateway_news.h"
#include "vps/chat/gateway_questions.h"
#include "vps/chat/history.h"
#include "vps/chat/key_questions.h"
#include "vps/chat/newcomers.h"
#include "vps/chat/opening.h"
#include "vps/chat/panic.h"
#include "vps/chat/profile.h"
#include "vps/chat/recents.h"
#include "vps/chat/retype.h"
#include "vps/chat/session_list.h"
#include "vps/chat/source.h"
#include "vps/chat/texts.h"
#include "vps/chat/unreached.h"
#include "vps/factor/factors.h"

enum { NAME_SHOWN_MAX = 64 };

/* ---- buttons ---------------------------------------------------------------- */

/* Strangers get no answer: they cannot learn anything, nor keep us busy. */
static void on_press(struct bot *bot, const struct incoming *incoming, enum reception reception)
{
    if (reception == RECEPTION_USER) {
        const struct answer_row *answer = &ANSWERS[button_run(&bot->conversation, incoming)];
        if (incoming->press) {
            enum language language = readers_language(&bot->readers, incoming->person);
            transport_answer(bot->options.transport, incoming->press,
                             language_phrase(language, answer->text), answer->is_alert);
        }
    }
}

/* ---- what the transport tells ----------------------------------------------- */

/* By number, and with the name that they gave themselves: there may be many of one name. */
static void log_ignored(struct bot *bot, const struct incoming *incoming, const char *reason)
{
    const char *service = transport_name(bot->options.transport);
    char cause[64], name[NAME_SHOWN_MAX + 1], called[NAME_SHOWN_MAX + 24] = "";
    if (incoming->name) {
        struct text text = text_over(name, sizeof name);
        text_add(&text, "%s", incoming->name);
        text_quote(name);
        snprintf(called, sizeof called, " (who goes by “%s”)", name);
    }
    snprintf(cause, sizeof cause, "%.16s: user %" PRId64 " ignored", service, incoming->person);
    sieve_log(bot->ignored, cause, LOG_INFO, "%s: %.32s of user %" PRId64 " ignored: %s%s", service,
              incoming->what, incoming->person, reason, called);
}

static void on_incoming(void *arg, const struct incoming *incoming)
{
    struct bot *bot = arg;
    const struct owner sender = transport_owner(bot->options.transport, incoming->person);
    const char *reason = NULL;
    enum reception reception = reception_judge(incoming, people_has(bot->options.people, &sender),
                                               &reason);
    if (reception == RECEPTION_STRANGER && incoming->kind == INCOMING_MESSAGE &&
        newcomers_knock(bot->conversation.newcomers, incoming)) {
        return;
    }
    if (reception == RECEPTION_STRANGER && bot->options.settings->policy_file.policy) {
        reason = "from a user who is not in the policy";
    }
    if (reception != RECEPTION_USER) {
        log_ignored(bot, incoming, reason);
    } else {
        readers_learn(&bot->readers, incoming->person, language_of(incoming->language));
        if (unreached_forget(bot->unreached, incoming->person)) {
            approvals_ask(bot->approvals, incoming->person);
            newcomers_ask(bot->conversation.newcomers, incoming->person);
        }
    }
    switch (incoming->kind) {
    case INCOMING_MESSAGE:
        bot_take_message(bot, incoming, reception);
        break;
    case INCOMING_PRESS:
        on_press(bot, incoming, reception);
        break;
    case INCOMING_OTHER:
        break;
    }
}

static void on_online(void *arg, const char *bot_name)
{
    struct bot *bot = arg;
    struct text name = text_over(bot->name, sizeof bot->name);
    text_add(&name, "%s", bot_name);
    profile_show(bot->options.transport);
}

static void on_refused(void *arg, const struct why *why)
{
    struct bot *bot = arg;
    bot->options.refused(bot->options.arg, why);
}

/* The owner may free everything when it is told: not from inside the transport. */
static void on_idle(void *arg)
{
    struct bot *bot = arg;
    if (bot->stopping) {
        timer_set(bot->stop_timer, 0);
    }
}

static void on_file_stuck(void *arg, int64_t person, struct text *html, const char *file_name)
{
    const struct bot *bot = arg;
    *html = readers_text(&bot->readers, person, html->start, html->cap); /* nothing is in it yet */
    texts_file_stuck(html, file_name);
}

static void on_unreachable(void *arg, int64_t person)
{
    struct bot *bot = arg;
    unreached_add(bot->unreached, person);
    approvals_miss(bot->approvals, person);
}

/* ---- what sessions tell ------------------------------------------------------ */

/* Where somebody's session was ready, they may want to go again. */
static void note_target(const struct bot *bot, const struct session_event *event)
{
    char target[SUGGESTION_SIZE];
    struct text text = text_over(target, sizeof target);
    const struct owner *owner = &event->view->owner;
    if (owner->kind != OWNER_LOCAL) {
        retype_target(bot->options.settings, event->session, &text);
        recents_add(bot->conversation.recents, owner, event->view->kind, target,
                    event->view->reason ? event->view->reason : "");
    }
}

static void show_on_card(struct bot *bot, const struct session_event *event)
{
    struct card *card = cards_find(&bot->cards, event->session);
    if (card && event->kind == SESSION_ENDING) {
        card_warn(card, event->end, event->number);
    } else if (card && event->kind == SESSION_SPARED) {
        card_calm(card);
    } else {
        cards_update(&bot->cards, event->session);
    }
}

static void on_session(void *arg, const struct session_event *event)
{
    struct bot *bot = arg;
    gateway_news_hear(bot->gateway_news, event);
    key_questions_event(bot->key_questions, event);
    if (event->session) {
        show_on_card(bot, event);
    }
    if (event->kind == SESSION_CHANGED && event->to == SESSION_WAITING) {
        note_target(bot, event);
    } else if (event->kind == SESSION_CHANGED && event->to == SESSION_ENDED) {
        session_lists_update(bot->conversation.lists);
    } else if (event->kind == SESSION_SERVER_LOCKED || event->kind == SESSION_SERVER_UNLOCKED) {
        panic_tell(&bot->conversation, event);
    }
}

/* ---- life -------------------------------------------------------------------- */

/* Delivered, or out of time. */
static void stop_done(void *arg)
{
    struct bot *bot = arg;
    void (*stopped)(void *arg) = bot->stopped;
    bot->stopped = NULL;
    if (stopped) {
        stopped(bot->stopped_arg);
    }
}

static int make_parts(struct bot *bot)
{
    const struct bot_options *options = &bot->options;
    bot->conversation = (struct conversation){.loop = options->loop,
                                              .log = options->log,
                                              .settings = options->settings,
                                              .people = options->people,
                                              .sessions = options->sessions,
                                              .audit = options->audit,
                                              .holds = options->holds,
                                              .wakings = options->wakings,
                                              .factors = options->factors,
                                              .transport = options->transport,
                                              .cards = &bot->cards,
                                              .readers = &bot->readers,
                                              .began_ms = clock_ms(),
                                              .bot_name = bot->name};
    bot->ignored = sieve_new(options->loop, options->log, SIEVE_BURST, SIEVE_REFILL_MS);
    bot->stop_timer = timer_new(options->loop, stop_done, bot);
    bot->expired = expired_new(options->loop, options->log, options->transport, &bot->readers);
    bot->conversation.sieve = bot->ignored;
    bot->conversation.opening = opening_new(&bot->conversation);
    bot->approvals = approvals_new(&bot->conversation);
    bot->awakenings = awakenings_new(&bot->conversation);
    bot->unreached = unreached_new(&bot->conversation);
    bot->conversation.lists = session_lists_new(&bot->conversation);
    bot->conversation.history = history_new(&bot->conversation);
    bot->gateway_news = gateway_news_new(&bot->conversation);
    bot->publisher_news.conversation = &bot->conversation;
    bot->audit_news = audit_news_new(&bot->conversation);
    bot->conversation.newcomers = newcomers_new(&bot->conversation, options->people);
    bot->conversation.gateway_questions = gateway_questions_new(&bot->conversation);
    bot->key_questions = key_questions_new(&bot->conversation);
    bot->conversation.recents = recents_new(options->store);
    bot->conversation.names = resolver_new(options->loop, SOURCE_LOOK_UPS_MAX);
    return bot->ignored && bot->stop_timer && bot->expired && bot->conversation.opening &&
                   bot->approvals && bot->awakenings && bot->key_questions && bot->unreached &&
                   bot->conversation.lists && bot->conversation.history && bot->gateway_news &&
                   bot->audit_news && bot->conversation.newcomers && bot->conversation.recents &&
                   bot->conversation.names && bot->conversation.gateway_questions
               ? 0
               : -ENOMEM;
}

/* Nothing comes from either before the loop runs, so that the order does not matter. */
static int start(struct bot *bot)
{
    const struct transport_events events = {.online = on_online,
                                            .refused = on_refused,
                                            .incoming = on_incoming,
                                            .idle = on_idle,
                                            .file_stuck = on_file_stuck,
                                            .unreachable = on_unreachable,
                                            .arg = bot};
    int err = transport_start(bot->options.transport, &events);
    return err < 0 ? err
                   : sessions_watch(bot->options.sessions,
                                    (struct session_watcher){.event = on_session, .arg = bot});
}

int bot_new(const struct bot_options *options, struct bot **ret_bot)
{
    struct bot *bot = calloc(1, sizeof *bot);
    if (!bot) {
        return -ENOMEM;
    }
    bot->options = *options;
    int err = make_parts(bot);
    if (err == 0) {
        err = start(bot);
    }
    if (err < 0) {
        bot_free(bot);
        return err;
    }
    *ret_bot = bot;
    return 0;
}

enum bot_status bot_status(const struct bot *bot)
{
    return transport_is_online(bot->options.transport) ? BOT_ONLINE : BOT_CONNECTING;
}

const char *bot_name(const struct bot *bot)
{
    return bot->name;
}

uint64_t bot_trouble(const struct bot *bot, struct text *text)
{
    return transport_trouble(bot->options.transport, text);
}

void bot_audit_changed(struct bot *bot, int err)
{
    audit_news_changed(bot->audit_news, err);
}

void bot_publisher_changed(struct bot *bot, const char *trouble, bool signs)
{
    publisher_news_changed(&bot->publisher_news, trouble, signs);
}

void bot_stop(struct bot *bot, uint64_t grace_ms, void (*done)(void *arg), void *arg)
{
    bot->stopping = true;
    bot->stopped = done;
    bot->stopped_arg = arg;
    cards_end(&bot->cards);
    transport_stop(bot->options.transport);
    opening_end(bot->conversation.opening);
    newcomers_end(bot->conversation.newcomers);
    gateway_questions_end(bot->conversation.gateway_questions);
    timer_set(bot->stop_timer, transport_is_idle(bot->options.transport) ? 0 : grace_ms);
}

void bot_free(struct bot *bot)
{
    if (!bot) {
        return;
    }
    sessions_unwatch(bot->options.sessions, bot);
    factors_detach(bot->options.factors, &bot->conversation);
    approvals_free(bot->approvals);
    awakenings_free(bot->awakenings);
    unreached_free(bot->unreached);
    cards_free(&bot->cards);
    timer_free(bot->stop_timer);
    sieve_free(bot->ignored);
    expired_free(bot->expired);
    gateway_news_free(bot->gateway_news);
    audit_news_free(bot->audit_news);
    gateway_questions_free(bot->conversation.gateway_questions);
    key_questions_free(bot->key_questions);
    opening_free(bot->conversation.opening);
    session_lists_free(bot->conversation.lists);
    history_free(bot->conversation.history);
    newcomers_free(bot->conversation.newcomers);
    recents_free(bot->conversation.recents);
    resolver_free(bot->conversation.names);
    free(bot);
}
