#include "vps/bot/bot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/sieve.h"
#include "base/timer.h"
#include "vps/bot/card.h"
#include "vps/bot/command.h"
#include "vps/bot/errands.h"
#include "vps/bot/expired.h"
#include "vps/bot/leftovers.h"
#include "vps/bot/outbox.h"
#include "vps/bot/policy.h"
#include "vps/bot/poller.h"
#include "vps/bot/press.h"
#include "vps/bot/telegram.h"
#include "vps/bot/texts.h"
#include "vps/proxy.h"

enum { COMMAND_MAX_AGE_S = 60, USER_NAME_MAX = 64 };
enum { MORE_QUESTIONS = 4 }; /* that one press of "Who waits?" brings */

struct bot {
    struct bot_options options;
    struct telegram *telegram;
    struct errands *errands;
    struct outbox *outbox;
    struct expired *expired;
    struct leftovers *leftovers;
    struct poller *poller;
    struct cards *cards;
    char user_name[USER_NAME_MAX + 1];
    struct strangers strangers;
    struct sieve *ignored; /* log lines, by who is ignored */
    bool stopping;
    struct timer *stop_timer;
    void (*stopped)(void *arg);
    void *stopped_arg;
};

/* The cards of the sessions that are open, in a list. */
struct cards {
    struct cards *next;
    struct card *card;
};

/* --- cards --- */

static struct cards **find_card(struct bot *bot, const struct session *session)
{
    struct cards **link = &bot->cards;
    while (*link && card_session((*link)->card) != session) {
        link = &(*link)->next;
    }
    return link;
}

static void drop_card(struct cards **link)
{
    struct cards *entry = *link;
    *link = entry->next;
    card_free(entry->card);
    free(entry);
}

/* Without memory for a card there is no way to tell the user: then there is no session. */
static int add_card(struct bot *bot, struct session *session, int64_t chat_id)
{
    const struct card_options options = {.loop = bot->options.loop,
                                         .outbox = bot->outbox,
                                         .settings = bot->options.settings,
                                         .chat_id = chat_id};
    struct cards *entry = malloc(sizeof *entry);
    struct card *card = card_new(&options, session);
    if (!entry || !card) {
        free(entry);
        card_free(card);
        return -ENOMEM;
    }
    *entry = (struct cards){.next = bot->cards, .card = card};
    bot->cards = entry;
    return 0;
}

static void on_session(void *arg, struct session *session, enum session_event event,
                       unsigned number)
{
    (void)event;
    (void)number;
    struct bot *bot = arg;
    struct cards **link = find_card(bot, session);
    if (!*link) {
        return; /* of a local user, or one that is not opened yet */
    }
    card_update((*link)->card);
    struct session_view view;
    session_view(session, &view);
    if (view.state == SESSION_ENDED) {
        drop_card(link);
    }
}

/* --- messages --- */

static void open_session(struct bot *bot, const struct update *update,
                         const struct command *command)
{
    struct session_request request = {
        .owner = {.kind = OWNER_TELEGRAM, .id = update->from_id},
        .kind = command->row->session,
        .target = command->target,
    };
    struct session *session;
    struct why why = {""};
    if (sessions_open(bot->options.sessions, &request, &session, &why) < 0) {
        char buffer[TEXTS_SIZE];
        struct text html = text_over(buffer, sizeof buffer);
        texts_not_opened(&html, &why);
        outbox_say(bot->outbox, update->chat_id, buffer);
    } else if (add_card(bot, session, update->chat_id) < 0) {
        log_error(bot->options.log, "telegram: out of memory for a session's message");
        session_close(session);
    }
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
        texts_unknown(&html);
    } else if (result == COMMAND_BAD) {
        texts_usage(&html, command.row, &why);
    } else if (command.row->kind == COMMAND_HELP) {
        texts_help(&html);
    } else {
        open_session(bot, update, &command);
        return;
    }
    outbox_say(bot->outbox, update->chat_id, buffer);
}

static void log_ignored(struct bot *bot, const struct update *update, const char *reason)
{
    char cause[48];
    snprintf(cause, sizeof cause, "telegram: user %" PRId64 " ignored", update->from_id);
    sieve_log(bot->ignored, cause, LOG_INFO, "telegram: %.32s of user %" PRId64 " ignored: %s",
              update->what, update->from_id, reason);
}

static void on_message(struct bot *bot, const struct update *update, enum reception reception)
{
    char buffer[TEXTS_SIZE];
    struct text html = text_over(buffer, sizeof buffer);
    switch (reception) {
    case RECEPTION_IGNORE:
        break;
    case RECEPTION_STRANGER:
        if (strangers_may_tell(&bot->strangers, update->from_id, clock_ms())) {
            texts_private(&html);
            outbox_say_to_stranger(bot->outbox, update->chat_id, buffer);
        }
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
        }
        break;
    }
}

/* --- buttons --- */

/* Returns the answer to the user. */
static const char *press(struct bot *bot, const struct update *update)
{
    struct press press;
    if (!update->data || press_parse(update->data, &press) < 0) {
        return TEXT_NO_BUTTON;
    }
    struct session *session = sessions_find(bot->options.sessions, press.id);
    struct session_view view;
    if (session) {
        session_view(session, &view);
    }
    if (!session || view.state == SESSION_ENDED) {
        /* From before a restart, perhaps: nobody else takes that button away. */
        errands_strip_buttons(bot->errands, update->chat_id, update->message_id);
        return TEXT_SESSION_GONE;
    }
    const struct owner presser = {.kind = OWNER_TELEGRAM, .id = update->from_id};
    if (!owner_equal(&view.owner, &presser)) {
        return TEXT_NOT_YOURS;
    }
    if (press.verb == PRESS_CLOSE) {
        session_close(session);
        return TEXT_CLOSED;
    }
    if (press.verb == PRESS_WHO_WAITS) {
        return session_ask_more(session, MORE_QUESTIONS) ? TEXT_ASKED : TEXT_ALL_ASKED;
    }
    struct cards **link = find_card(bot, session);
    if (*link && press.verb == PRESS_MORE) {
        return card_show_more((*link)->card);
    }
    return *link ? card_decide((*link)->card, press.number, press.verb == PRESS_ADMIT)
                 : TEXT_SESSION_GONE;
}

/* Strangers get no answer: they cannot learn anything, nor keep us busy. */
static void on_callback(struct bot *bot, const struct update *update, enum reception reception)
{
    if (reception == RECEPTION_USER) {
        const char *answer = press(bot, update);
        if (update->callback_id) {
            errands_answer(bot->errands, update->callback_id, answer);
        }
    }
}

/* --- what the poller tells --- */

static void on_update(void *arg, const struct update *update)
{
    struct bot *bot = arg;
    const struct vps_settings *settings = bot->options.settings;
    const char *reason = NULL;
    enum reception reception = policy_judge(update, settings->allowed_users.ids,
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

/* The menu of commands in private chats. */
static void name_commands(struct bot *bot)
{
    json_t *list = json_array();
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        bool has_own_button = strcmp(COMMANDS[i].name, "start") == 0; /* in every client */
        if (!has_own_button) {
            json_array_append_new(list, json_pack("{s:s,s:s}", "command", COMMANDS[i].name,
                                                  "description", COMMANDS[i].help));
        }
    }
    errands_run(bot->errands, "setMyCommands",
                json_pack("{s:o,s:{s:s}}", "commands", list, "scope", "type", "all_private_chats"));
}

static void on_online(void *arg, const char *user_name)
{
    struct bot *bot = arg;
    struct text name = text_over(bot->user_name, sizeof bot->user_name);
    text_add(&name, "%s", user_name);
    name_commands(bot);
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
    /* A token begins with the bot's number. */
    bot->leftovers = leftovers_new(options->store, bot->outbox,
                                   strtoll(options->settings->telegram_token, NULL, 10));
    if (!bot->expired || !bot->leftovers) {
        return -ENOMEM;
    }
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
    timer_set(bot->stop_timer, outbox_is_empty(bot->outbox) ? 0 : grace_ms);
}

void bot_free(struct bot *bot)
{
    if (!bot) {
        return;
    }
    sessions_unwatch(bot->options.sessions, bot);
    poller_free(bot->poller);
    while (bot->cards) {
        drop_card(&bot->cards);
    }
    timer_free(bot->stop_timer);
    sieve_free(bot->ignored);
    expired_free(bot->expired);
    leftovers_free(bot->leftovers);
    outbox_free(bot->outbox);
    errands_free(bot->errands);
    telegram_free(bot->telegram);
    free(bot);
}
