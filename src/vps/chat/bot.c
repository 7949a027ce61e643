#include "vps/chat/bot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/proxy.h"
#include "base/sieve.h"
#include "base/timer.h"
#include "base/told.h"
#include "vps/chat/cards.h"
#include "vps/chat/command.h"
#include "vps/chat/expired.h"
#include "vps/chat/introduction.h"
#include "vps/chat/press.h"
#include "vps/chat/reception.h"
#include "vps/chat/refusal.h"
#include "vps/chat/suggest.h"
#include "vps/chat/texts.h"
#include "vps/chat/waiting.h"
#include "vps/telegram/errands.h"
#include "vps/telegram/leftovers.h"
#include "vps/telegram/outbox.h"
#include "vps/telegram/poller.h"
#include "vps/telegram/telegram.h"

enum {
    COMMAND_MAX_AGE_S = 60,
    SUGGESTION_MAX_AGE_S = 120, /* it takes a moment to read, too */
    STRANGER_EVERY_MS = 3600 * 1000,
    ONLY_TEXT_EVERY_MS = 10 * 1000,
    MORE_QUESTIONS = 4, /* that one press of "Who waits?" brings */
    USER_NAME_MAX = 64,
    NAME_SHOWN_MAX = 64,
};

struct bot {
    struct bot_options options;
    struct telegram *telegram;
    struct errands *errands;
    struct outbox *outbox;
    struct expired *expired;
    struct leftovers *leftovers;
    struct poller *poller;
    struct waiting *waiting;
    struct cards cards;
    char user_name[USER_NAME_MAX + 1];
    struct told strangers, only_text; /* who was told what, by user */
    struct told pressed;              /* suggestions that were taken, by their messages */
    struct sieve *ignored;            /* log lines, by who is ignored */
    bool stopping;
    struct timer *stop_timer;
    void (*stopped)(void *arg);
    void *stopped_arg;
};

/* --- sessions --- */

static void on_session(void *arg, struct session *session, enum session_event event,
                       unsigned number)
{
    (void)event;
    (void)number;
    struct bot *bot = arg;
    cards_update(&bot->cards, session);
}

static void add_card(struct bot *bot, struct session *session, int64_t chat_id)
{
    const struct card_options options = {.loop = bot->options.loop,
                                         .outbox = bot->outbox,
                                         .settings = bot->options.settings,
                                         .chat_id = chat_id};
    if (cards_add(&bot->cards, &options, session) < 0) {
        log_error(bot->options.log, "telegram: out of memory for a session's message");
        session_close(session);
    }
}

/*
 * text: the command as it was sent, by the user whose private chat this is. Returns false,
 * having done nothing, if it may_wait for a gateway that is on its way.
 */
static bool open_session(struct bot *bot, int64_t chat_id, const char *text,
                         const struct command *command, bool may_wait)
{
    const struct session_request request = {
        .owner = {.kind = OWNER_TELEGRAM, .id = chat_id},
        .kind = command->row->session,
        .target = command->target,
    };
    struct session *session;
    struct why why = {""};
    int err = sessions_open(bot->options.sessions, &request, &session, &why);
    if (err == 0) {
        add_card(bot, session, chat_id);
        return true;
    }
    if (may_wait && (err == -ENOTCONN || err == -ENOENT) &&
        sessions_expect_gateway(bot->options.sessions, &command->target)) {
        return false;
    }
    const struct refusal refusal = {.outbox = bot->outbox,
                                    .sessions = bot->options.sessions,
                                    .bot_name = bot->user_name,
                                    .chat_id = chat_id,
                                    .command = text};
    refusal_say(&refusal, err, &why);
    return true;
}

/* A command that was understood before. Its user may have lost the right to it since. */
static bool open_again(void *arg, int64_t chat_id, const char *text, bool last)
{
    struct bot *bot = arg;
    struct command command;
    struct why why;
    return !user_list_has(&bot->options.settings->allowed_users, chat_id) ||
           command_parse(text, bot->user_name, &command, &why) != COMMAND_OK ||
           open_session(bot, chat_id, text, &command, !last);
}

static void open_soon(struct bot *bot, int64_t chat_id, const char *text,
                      const struct command *command)
{
    if (!open_session(bot, chat_id, text, command, true) &&
        !waiting_add(bot->waiting, chat_id, text)) {
        open_session(bot, chat_id, text, command, false);
    }
}

/* --- messages --- */

static void answer_unknown(struct bot *bot, const struct update *update)
{
    char buffer[TEXTS_SIZE];
    struct text html = text_over(buffer, sizeof buffer);
    struct suggestions suggestions;
    suggest_for(update->text, bot->user_name, &suggestions);
    if (suggestions.count > 0 || suggestions.nearest) {
        texts_did_you_mean(&html, &suggestions);
    } else {
        texts_unknown(&html);
    }
    suggest_say(&suggestions, bot->outbox, update->chat_id, &html);
}

static void on_text(struct bot *bot, const struct update *update)
{
    char buffer[TEXTS_SIZE];
    struct text html = text_over(buffer, sizeof buffer);
    struct command command;
    struct why why;
    enum command_result result = command_parse(update->text, bot->user_name, &command, &why);
    int64_t age = update->arrived - update->date;

    if (result == COMMAND_ELSEWHERE || (result == COMMAND_NOT && age > COMMAND_MAX_AGE_S)) {
        return;
    }
    if (age > COMMAND_MAX_AGE_S) {
        expired_add(bot->expired, update->chat_id, age);
        return;
    }
    if (result == COMMAND_NOT || result == COMMAND_UNKNOWN) {
        answer_unknown(bot, update);
        return;
    }
    if (result == COMMAND_BAD) {
        const char *none[1];
        texts_usage(&html, command.row, &why,
                    sessions_gateways(bot->options.sessions, none, 0) > 1);
    } else if (command.row->kind == COMMAND_HELP) {
        texts_help(&html);
    } else {
        open_soon(bot, update->chat_id, update->text, &command);
        return;
    }
    outbox_say(bot->outbox, update->chat_id, buffer);
}

/* An album of ten photos is ten messages. */
static void on_attached(struct bot *bot, const struct update *update)
{
    char buffer[TEXTS_SIZE];
    struct text html = text_over(buffer, sizeof buffer);
    if (update->arrived - update->date <= COMMAND_MAX_AGE_S &&
        told_may_tell(&bot->only_text, update->from_id, ONLY_TEXT_EVERY_MS, clock_ms())) {
        texts_only_text(&html, update->caption);
        outbox_say(bot->outbox, update->chat_id, buffer);
    }
}

/* By number, and with the name that they gave themselves: there may be many of one name. */
static void log_ignored(struct bot *bot, const struct update *update, const char *reason)
{
    char cause[48], name[NAME_SHOWN_MAX + 1], called[NAME_SHOWN_MAX + 24] = "";
    if (update->first_name) {
        struct text text = text_over(name, sizeof name);
        text_add(&text, "%s", update->first_name);
        text_quote(name);
        snprintf(called, sizeof called, " (who goes by “%s”)", name);
    }
    snprintf(cause, sizeof cause, "telegram: user %" PRId64 " ignored", update->from_id);
    sieve_log(bot->ignored, cause, LOG_INFO, "telegram: %.32s of user %" PRId64 " ignored: %s%s",
              update->what, update->from_id, reason, called);
}

static void on_stranger(struct bot *bot, const struct update *update)
{
    char buffer[TEXTS_SIZE];
    struct text html = text_over(buffer, sizeof buffer);
    if (told_may_tell(&bot->strangers, update->from_id, STRANGER_EVERY_MS, clock_ms())) {
        texts_private(&html, update->from_id);
        outbox_say_to_stranger(bot->outbox, update->chat_id, buffer);
    }
}

static void on_message(struct bot *bot, const struct update *update, enum reception reception)
{
    char buffer[TEXTS_SIZE];
    struct text html = text_over(buffer, sizeof buffer);
    switch (reception) {
    case RECEPTION_IGNORE:
        break;
    case RECEPTION_STRANGER:
        on_stranger(bot, update);
        break;
    case RECEPTION_FORWARDED:
        if (update->text && update->text[0] == '/') {
            texts_forwarded(&html);
            outbox_say(bot->outbox, update->chat_id, buffer);
        }
        break;
    case RECEPTION_USER:
        if (update->text) {
            on_text(bot, update);
        } else if (update->attached) {
            on_attached(bot, update);
        }
        break;
    }
}

/* --- buttons --- */

/* A suggestion: the same as sending that command, for as long as it is fresh, and once. */
static enum toast run_suggestion(struct bot *bot, const struct update *update, const char *text)
{
    struct command command;
    struct why why;
    if (command_parse(text, bot->user_name, &command, &why) != COMMAND_OK ||
        command.row->kind != COMMAND_OPEN) {
        return TOAST_NO_BUTTON;
    }
    errands_strip_buttons(bot->errands, update->chat_id, update->message_id);
    if (update->arrived - update->date > SUGGESTION_MAX_AGE_S) {
        return TOAST_TOO_OLD;
    }
    if (!told_may_tell(&bot->pressed, update->message_id, SUGGESTION_MAX_AGE_S * 1000,
                       clock_ms())) {
        return TOAST_RUNNING_ALREADY;
    }
    open_soon(bot, update->chat_id, text, &command);
    return TOAST_RUNNING;
}

static enum toast press_session(struct bot *bot, const struct update *update,
                                const struct press *press)
{
    struct session *session = sessions_find(bot->options.sessions, press->id);
    struct session_view view;
    if (session) {
        session_view(session, &view);
    }
    if (!session || view.state == SESSION_ENDED) {
        /* From before a restart, perhaps: nobody else takes that button away. */
        errands_strip_buttons(bot->errands, update->chat_id, update->message_id);
        return press->verb == PRESS_ADMIT ? TOAST_OVER_NOBODY_ADMITTED : TOAST_SESSION_OVER;
    }
    const struct owner presser = {.kind = OWNER_TELEGRAM, .id = update->from_id};
    if (!owner_equal(&view.owner, &presser)) {
        return TOAST_NOT_YOURS;
    }
    if (press->verb == PRESS_CLOSE) {
        session_close(session);
        return TOAST_CLOSED;
    }
    if (press->verb == PRESS_WHO_WAITS) {
        return session_ask_more(session, MORE_QUESTIONS) ? TOAST_ASKED : TOAST_ALL_ASKED;
    }
    struct card *card = cards_find(&bot->cards, session);
    if (card && press->verb == PRESS_MORE) {
        return card_show_more(card);
    }
    return card ? card_decide(card, press->number, press->verb == PRESS_ADMIT) : TOAST_SESSION_OVER;
}

/* Returns the answer to the user. */
static enum toast press(struct bot *bot, const struct update *update)
{
    struct press press;
    if (!update->data || press_parse(update->data, &press) < 0) {
        return TOAST_NO_BUTTON;
    }
    return press.command ? run_suggestion(bot, update, press.command)
                         : press_session(bot, update, &press);
}

/* Strangers get no answer: they cannot learn anything, nor keep us busy. */
static void on_callback(struct bot *bot, const struct update *update, enum reception reception)
{
    if (reception == RECEPTION_USER) {
        const struct toast_text *toast = &TOASTS[press(bot, update)];
        if (update->callback_id) {
            errands_answer(bot->errands, update->callback_id, toast->text, toast->is_alert);
        }
    }
}

/* --- what the poller tells --- */

static void on_update(void *arg, const struct update *update)
{
    struct bot *bot = arg;
    const struct vps_settings *settings = bot->options.settings;
    const char *reason = NULL;
    enum reception reception = reception_judge(update, settings->allowed_users.ids,
                                               settings->allowed_users.count, &reason);
    if (reception != RECEPTION_USER) {
        log_ignored(bot, update, reason);
    }
    if (update->kind == UPDATE_MESSAGE) {
        on_message(bot, update, reception);
    } else if (update->kind == UPDATE_CALLBACK) {
        on_callback(bot, update, reception);
    }
}

static void on_online(void *arg, const char *user_name)
{
    struct bot *bot = arg;
    struct text name = text_over(bot->user_name, sizeof bot->user_name);
    text_add(&name, "%s", user_name);
    introduce(bot->errands);
    unsigned left = leftovers_put_right(bot->leftovers);
    if (left > 0) {
        log_info(bot->options.log,
                 "telegram: correcting %u message%s that the last vps-agent left behind", left,
                 left == 1 ? "" : "s");
    }
}

static void on_refused(void *arg, const struct why *why)
{
    struct bot *bot = arg;
    bot->options.refused(bot->options.arg, why);
}

/* --- life --- */

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

/* The owner may free everything when it is told: not from inside the outbox. */
static void on_outbox_empty(void *arg)
{
    struct bot *bot = arg;
    if (bot->stopping) {
        timer_set(bot->stop_timer, 0);
    }
}

static void say_proxy(const struct bot_options *options)
{
    const struct vps_settings *settings = options->settings;
    const char *variable,
        *proxy = proxy_find(settings->telegram_proxy, settings->telegram_api_url, &variable);
    char shown[PROXY_SHOWN_MAX];
    if (proxy) {
        proxy_show(proxy, shown);
        log_info(options->log, "telegram: through the proxy %s (%s)", shown, variable);
    }
}

static int make_parts(struct bot *bot)
{
    const struct bot_options *options = &bot->options;
    int err = telegram_new(options->loop, options->settings->telegram_api_url,
                           options->settings->telegram_token, options->settings->telegram_proxy,
                           &bot->telegram);
    if (err < 0) {
        return err;
    }
    say_proxy(options);
    bot->errands = errands_new(options->loop, options->log, bot->telegram);
    bot->outbox = outbox_new(options->loop, options->log, bot->telegram);
    bot->ignored = sieve_new(options->loop, options->log, SIEVE_BURST, SIEVE_REFILL_MS);
    bot->stop_timer = timer_new(options->loop, stop_done, bot);
    if (!bot->ignored || !bot->errands || !bot->outbox || !bot->stop_timer) {
        return -ENOMEM;
    }
    bot->expired = expired_new(options->loop, options->log, bot->outbox);
    bot->waiting = waiting_new(options->loop, open_again, bot);
    /* A token begins with the bot's number. */
    bot->leftovers = leftovers_new(options->store, bot->outbox,
                                   strtoll(options->settings->telegram_token, NULL, 10));
    if (!bot->expired || !bot->waiting || !bot->leftovers) {
        return -ENOMEM;
    }
    outbox_on_stuck(bot->outbox, texts_file_stuck);
    outbox_on_empty(bot->outbox, on_outbox_empty, bot);
    return 0;
}

static int start(struct bot *bot)
{
    const struct poller_options options = {
        .loop = bot->options.loop,
        .log = bot->options.log,
        .telegram = bot->telegram,
        .errands = bot->errands,
        .store = bot->options.store,
        .state_dir = bot->options.settings->state_dir,
        .api_url = bot->options.settings->telegram_api_url,
        .online = on_online,
        .refused = on_refused,
        .update = on_update,
        .arg = bot,
    };
    int err = poller_new(&options, &bot->poller);
    if (err < 0) {
        return err;
    }
    return sessions_watch(bot->options.sessions,
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
    if (err < 0) {
        goto fail;
    }
    err = start(bot);
    if (err < 0) {
        goto fail;
    }
    if (!telegram_ca_file(bot->telegram)[0] &&
        strncasecmp(options->settings->telegram_api_url, "https:", 6) == 0) {
        log_info(options->log,
                 "telegram: found no certificates of public authorities on this system: "
                 "trusting those built in; SSL_CERT_FILE names others");
    }
    *ret_bot = bot;
    return 0;
fail:
    bot_free(bot);
    return err;
}

enum bot_status bot_status(const struct bot *bot)
{
    return poller_is_online(bot->poller) ? BOT_ONLINE : BOT_CONNECTING;
}

uint64_t bot_trouble(const struct bot *bot, struct text *text)
{
    size_t len = text->len;
    uint64_t deaf_s = poller_trouble(bot->poller, text);
    if (text->len == len) {
        outbox_trouble(bot->outbox, text);
    }
    return deaf_s;
}

void bot_stop(struct bot *bot, uint64_t grace_ms, void (*done)(void *arg), void *arg)
{
    bot->stopping = true;
    bot->stopped = done;
    bot->stopped_arg = arg;
    poller_stop(bot->poller);
    waiting_end(bot->waiting);
    timer_set(bot->stop_timer, outbox_is_empty(bot->outbox) ? 0 : grace_ms);
}

void bot_free(struct bot *bot)
{
    if (!bot) {
        return;
    }
    sessions_unwatch(bot->options.sessions, bot);
    poller_free(bot->poller);
    cards_free(&bot->cards);
    timer_free(bot->stop_timer);
    sieve_free(bot->ignored);
    expired_free(bot->expired);
    waiting_free(bot->waiting);
    leftovers_free(bot->leftovers);
    outbox_free(bot->outbox);
    errands_free(bot->errands);
    telegram_free(bot->telegram);
    free(bot);
}
