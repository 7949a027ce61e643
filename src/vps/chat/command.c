/*
 * What is typed on a phone has capitals at its start, no-break spaces behind words, and the bot's
 * name at the command's: all of that is read. Anything else that is not quite right is no command,
 * so that suggest.c can offer what was meant and nothing runs by a guess.
 */
#include "vps/chat/command.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static const char WHY[] = "why:"; /* what it is for follows */

const struct command_row COMMANDS[COMMAND_COUNT] = {
#define KIND(NAME, number, word, greeting, gives, port, what, typed, does, ...) \
    {.name = #word,                                                             \
     .takes = (what),                                                           \
     .example = (typed),                                                        \
     .help = (does),                                                            \
     .who = WHO_ALLOWED,                                                        \
     .run = opening_run,                                                        \
     .opens = true,                                                             \
     .kind = KIND_##NAME},
#include "shared/kinds.def"
#undef KIND
#define COMMAND(word, may, does, handler) \
    {.name = #word, .takes = "", .help = (does), .who = (may), .run = (handler)},
#include "vps/chat/command.def"
#undef COMMAND
};

/* The length of the white space at `text`: ASCII's, or the no-break space that phones type. */
static size_t space_len(const char *text)
{
    if (text[0] == ' ' || (text[0] >= '\t' && text[0] <= '\r')) {
        return 1;
    }
    return strncmp(text, "\u00a0", 2) == 0 ? 2 : 0;
}

static const char *skip_space(const char *text)
{
    size_t len;
    while ((len = space_len(text)) > 0) {
        text += len;
    }
    return text;
}

static const char *skip_word(const char *text)
{
    while (*text && space_len(text) == 0) {
        text++;
    }
    return text;
}

static bool same(const char *word, size_t len, const char *name)
{
    return strlen(name) == len && strncasecmp(word, name, len) == 0;
}

static const struct command_row *find(const char *name, size_t len)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (same(name, len, COMMANDS[i].name)) {
            return &COMMANDS[i];
        }
    }
    return NULL;
}

/* How much of so many bytes is left without the white space at their end. */
static size_t trimmed(const char *text, size_t len)
{
    const char *end = text, *at = text;
    while (at < text + len) {
        end = skip_word(at);
        at = skip_space(end);
    }
    return (size_t)(end - text);
}

/* The "why:" behind the target, or the end of the text. No machine is called that. */
static const char *find_why(const char *text)
{
    for (const char *at = skip_word(text); *at; at = skip_word(at)) {
        at = skip_space(at);
        if (strncasecmp(at, WHY, strlen(WHY)) == 0) {
            return at;
        }
    }
    return text + strlen(text);
}

/* Blanks may be in a user name, and nowhere else. */
static bool has_blank(const char *text)
{
    const char *at = strrchr(text, '@');
    return *skip_word(at ? at : text) != '\0';
}

/* The one argument of a command that opens something. */
static enum command_result parse_target(const char *text, struct command *command, struct why *why)
{
    const char *start = skip_space(text), *reason = find_why(start);
    size_t len = trimmed(start, (size_t)(reason - start));
    char argument[2 * TARGET_ARGUMENT_MAX];
    if (len == 0) {
        why_set(why, 0, "Which machine?");
        return COMMAND_BAD;
    }
    if (len >= sizeof argument) {
        why_set(why, 0, "That is too long for the name of a machine.");
        return COMMAND_BAD;
    }
    memcpy(argument, start, len);
    argument[len] = '\0';
    if (has_blank(argument)) {
        why_set(why, 0,
                "One machine at a time, without spaces or options: a port goes after a "
                "colon, as in HOST:2222.");
        return COMMAND_BAD;
    }
    command->reason = *reason ? skip_space(reason + strlen(WHY)) : reason;
    int err = target_parse_for(kind_row(command->row->kind), argument, &command->target, why);
    return err < 0 ? COMMAND_BAD : COMMAND_OK;
}

enum command_result command_parse(const char *text, const char *bot_name,
                                  struct command *ret_command, struct why *why)
{
    text = skip_space(text);
    if (text[0] != '/') {
        return COMMAND_NOT;
    }
    const char *name = text + 1;
    const char *end = skip_word(name);
    const char *at = memchr(name, '@', (size_t)(end - name));
    if (at && !same(at + 1, (size_t)(end - at - 1), bot_name)) {
        return COMMAND_ELSEWHERE;
    }
    struct command command = {
        .row = find(name, (size_t)((at ? at : end) - name)), .rest = skip_space(end), .reason = ""};
    if (!command.row) {
        return COMMAND_UNKNOWN;
    }
    enum command_result result = COMMAND_OK;
    if (command.row->opens) {
        result = parse_target(end, &command, why);
    }
    *ret_command = command;
    return result;
}
