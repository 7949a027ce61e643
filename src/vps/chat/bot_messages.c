/*
 * What people write: command looks up what it is in its table, and the row's handler acts. Said
 * here is only what no handler says: to strangers, about what is too old, forwarded, or no command.
 */
#include "base/clock.h"
#include "vps/chat/bot_core.h"
#include "vps/chat/code.h"
#include "vps/chat/command.h"
#include "vps/chat/expired.h"
#include "vps/chat/machines.h"
#include "vps/chat/suggest.h"
#include "vps/chat/texts.h"

enum {
    /* Above the 30 s after which a poll that died is noticed, and its retry. */
    COMMAND_MAX_AGE_S = 60,
    STRANGER_EVERY_MS = 3600 * 1000,
    ONLY_TEXT_EVERY_MS = 10 * 1000,
};

static void say(struct bot *bot, const struct incoming *incoming, const char *html)
{
    transport_say(bot->options.transport, incoming->person, html);
}

static void answer_unknown(struct bot *bot, const struct incoming *incoming)
{
    char buffer[TEXTS_SIZE];
    struct text html = conversation_text(&bot->conversation, incoming->person, buffer,
                                         sizeof buffer);
    struct suggestions suggestions;
    suggest_for(incoming->text, bot->name, &suggestions);
    if (suggestions.count > 0 || suggestions.nearest) {
        texts_did_you_mean(&html, &suggestions);
    } else {
        texts_unknown(&html);
    }
    suggest_say(&suggestions, bot->options.transport, incoming->person, &html);
}

static void answer_not_allowed(struct bot *bot, const struct incoming *incoming)
{
    char buffer[TEXTS_SIZE];
    struct text html = conversation_text(&bot->conversation, incoming->person, buffer,
                                         sizeof buffer);
    texts_administrators_only(&html);
    say(bot, incoming, buffer);
}

/* asks_where: nothing was said but the command, so that the machine can be chosen. */
static void answer_usage(struct bot *bot, const struct incoming *incoming,
                         const struct command_row *row, const struct why *why, bool asks_where)
{
    char buffer[TEXTS_SIZE];
    struct text html = conversation_text(&bot->conversation, incoming->person, buffer,
                                         sizeof buffer);
    struct suggestions suggestions = {0};
    const char *none[1];
    texts_usage(&html, row, why, sessions_gateways(bot->options.sessions, none, 0) > 1);
    if (asks_where) {
        machines_suggest(&bot->conversation, incoming->person, row, &suggestions);
    }
    suggest_say(&suggestions, bot->options.transport, incoming->person, &html);
}

/* Whatever is too old is not run: its user may have given up on it, or asked again. */
static void on_text(struct bot *bot, const struct incoming *incoming)
{
    struct command command;
    struct why why;
    enum command_result result = command_parse(incoming->text, bot->name, &command, &why);
    bool expired = incoming->age_s > COMMAND_MAX_AGE_S;
    if (result == COMMAND_NOT && code_take(&bot->conversation, incoming, expired)) {
        return;
    }
    if (result == COMMAND_ELSEWHERE || (result == COMMAND_NOT && expired)) {
        return;
    }
    if (expired) {
        expired_add(bot->expired, incoming->person, incoming->age_s);
    } else if (result == COMMAND_NOT || result == COMMAND_UNKNOWN) {
        answer_unknown(bot, incoming);
    } else if (!conversation_may(&bot->conversation, command.row->who, incoming->person, NULL)) {
        conversation_refuse(&bot->conversation, incoming->person, command.row->name);
        answer_not_allowed(bot, incoming);
    } else if (result == COMMAND_BAD) {
        answer_usage(bot, incoming, command.row, &why, command.rest[0] == '\0');
    } else {
        command.row->run(&bot->conversation, incoming, &command);
    }
}

/* Not met with silence, but an album of ten photos is ten messages. */
static void on_attached(struct bot *bot, const struct incoming *incoming)
{
    char buffer[TEXTS_SIZE];
    struct text html = conversation_text(&bot->conversation, incoming->person, buffer,
                                         sizeof buffer);
    if (incoming->age_s <= COMMAND_MAX_AGE_S &&
        cooldown_allows(&bot->only_text, incoming->person, ONLY_TEXT_EVERY_MS, clock_ms())) {
        texts_only_text(&html, incoming->caption);
        say(bot, incoming, buffer);
    }
}

/*
 * Answered at all, because that is how new users learn their number; once an hour, since whoever
 * floods the bot must not use up the rate that its users need.
 */
static void on_stranger(struct bot *bot, const struct incoming *incoming)
{
    char buffer[TEXTS_SIZE];
    struct text html = language_text(language_of(incoming->language), buffer, sizeof buffer);
    if (cooldown_allows(&bot->strangers, incoming->person, STRANGER_EVERY_MS, clock_ms())) {
        texts_private(&html, incoming->person);
        transport_say_to_stranger(bot->options.transport, incoming->person, buffer);
    }
}

/* Somebody else chose the words: an address that looks right may lead to another machine. */
static void on_forwarded(struct bot *bot, const struct incoming *incoming)
{
    char buffer[TEXTS_SIZE];
    struct text html = conversation_text(&bot->conversation, incoming->person, buffer,
                                         sizeof buffer);
    if (incoming->text && incoming->text[0] == '/') {
        texts_forwarded(&html);
        say(bot, incoming, buffer);
    }
}

void bot_take_message(struct bot *bot, const struct incoming *incoming, enum reception reception)
{
    switch (reception) {
    case RECEPTION_IGNORE:
        break;
    case RECEPTION_STRANGER:
        on_stranger(bot, incoming);
        break;
    case RECEPTION_FORWARDED:
        on_forwarded(bot, incoming);
        break;
    case RECEPTION_USER:
        if (incoming->text) {
            on_text(bot, incoming);
        } else if (incoming->attached) {
            on_attached(bot, incoming);
        }
        break;
    }
}
