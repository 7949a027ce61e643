/*
 * Whatever is offered has been through command_parse(): a suggestion that does not work is worse
 * than none. What somebody says without a slash is mostly not meant for us at all, so there only
 * what is a command word exactly, or what works as it stands, is taken for one.
 */
#include "vps/chat/suggest.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/nearest.h"
#include "vps/chat/button.h"
#include "vps/transport/html.h"

/* Adds a command, if it would work. *ret_command (may be NULL) is what it says. */
__attribute__((format(printf, 4, 5))) static bool add(struct suggestions *suggestions,
                                                      const char *bot_name,
                                                      struct command *ret_command,
                                                      const char *format, ...)
{
    struct command command;
    struct why why;
    va_list args;
    if (suggestions->count == SUGGESTIONS_MAX) {
        return false;
    }
    char *dst = suggestions->commands[suggestions->count];
    struct text text = text_over(dst, SUGGESTION_SIZE);
    va_start(args, format);
    text_add_v(&text, format, args);
    va_end(args);
    if (text.cut || command_parse(dst, bot_name, &command, &why) != COMMAND_OK) {
        return false;
    }
    suggestions->count++;
    if (ret_command) {
        *ret_command = command;
    }
    return true;
}

/* ---- what was meant ---------------------------------------------------------- */

/* The command whose name is this word, or near to it. NULL: none. */
static const struct command_row *find(const char *word, bool exactly)
{
    struct nearest nearest = nearest_to(word);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcasecmp(COMMANDS[i].name, word) == 0) {
            return &COMMANDS[i];
        }
        nearest_try(&nearest, COMMANDS[i].name);
    }
    for (size_t i = 0; i < COMMAND_COUNT && !exactly; i++) {
        if (nearest.word == COMMANDS[i].name) {
            return &COMMANDS[i];
        }
    }
    return NULL;
}

/* Is it the usual port of another command than this one? */
static bool is_for_another(const struct command_row *row, uint16_t port)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (COMMANDS[i].opens && &COMMANDS[i] != row && kind_row(COMMANDS[i].kind)->port == port) {
            return true;
        }
    }
    return false;
}

/* Letters alone are more often a word than a machine. */
static bool is_a_word(const char *text)
{
    return text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0';
}

/* "ssh://nas" is said about one of them. */
static bool is_of_scheme(const struct command_row *row, const char *word)
{
    const char *end = strstr(word, "://");
    size_t len = strlen(row->name);
    return !end || ((size_t)(end - word) == len && strncasecmp(word, row->name, len) == 0);
}

/* A machine and nothing else: by every command that can open it. */
static void suggest_machine(const char *word, const char *bot_name, struct suggestions *suggestions)
{
    struct target said = {.port = 0}; /* its port as it was typed, which may be a display's */
    target_parse(word, 0, &said, NULL);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct command_row *row = &COMMANDS[i];
        struct command command;
        if (row->opens && is_of_scheme(row, word) &&
            add(suggestions, bot_name, &command, "/%s %s", row->name, word)) {
            /*
             * nas:3389 without a command is taken for RDP, though /ssh could dial it, too; and a
             * name alone is nothing for /tcp.
             */
            suggestions->count -= command.target.port == 0 ||
                                  (said.port != 0 && is_for_another(row, said.port));
        }
    }
    suggestions->may_be_a_word = suggestions->count > 0 && is_a_word(word);
}

void suggest_for(const char *typed, const char *bot_name, struct suggestions *ret_suggestions)
{
    char words[SUGGESTION_SIZE], name[64];
    struct text text = text_over(words, sizeof words);
    *ret_suggestions = (struct suggestions){0};
    text_add(&text, "%s", typed);
    if (text.cut) {
        return;
    }
    char *start = text_trim(words);
    bool slash = start[0] == '/';
    start += slash;
    size_t len = strcspn(start, " \t\r\n");
    size_t name_len = slash ? strcspn(start, "@ \t\r\n") : len;
    char *rest = text_trim(start + len);
    if (name_len > 0 && name_len < sizeof name) {
        snprintf(name, sizeof name, "%.*s", (int)name_len, start);
        /* Without a slash it could be anything: only what it says exactly, or what would work. */
        const struct command_row *row = find(name, !slash && !*rest);
        if (row && row->opens && *rest &&
            !add(ret_suggestions, bot_name, NULL, "/%s %s", row->name, rest) && !slash) {
            row = find(name, true);
        }
        ret_suggestions->nearest = row;
        if (row) {
            return;
        }
    }
    if (!slash && !*rest) {
        suggest_machine(start, bot_name, ret_suggestions);
    }
}

void suggest_command(struct suggestions *suggestions, const char *bot_name, const char *command)
{
    add(suggestions, bot_name, NULL, "%s", command);
}

void suggest_gateway(const char *typed, const char *bot_name, const char *gateway,
                     struct suggestions *suggestions)
{
    char words[SUGGESTION_SIZE];
    struct text text = text_over(words, sizeof words);
    text_add(&text, "%s", typed);
    char *start = text_trim(words);
    size_t name_len = strcspn(start, "@ \t\r\n"), len = strcspn(start, " \t\r\n");
    if (!text.cut) {
        add(suggestions, bot_name, NULL, "%.*s %s/%s", (int)name_len, start, gateway,
            text_trim(start + len));
    }
}

void suggest_machine_named(const struct command *command, const char *bot_name, const char *machine,
                           struct suggestions *suggestions)
{
    const char *user = command->target.user, *reason = command->reason;
    add(suggestions, bot_name, NULL, "/%s %s%s%s%s%s", command->row->name, user, *user ? "@" : "",
        machine, *reason ? " why: " : "", reason);
}

/* ---- saying it --------------------------------------------------------------- */

void suggest_say(const struct suggestions *suggestions, struct transport *transport, int64_t person,
                 struct text *html)
{
    char data[SUGGESTIONS_MAX][BUTTON_DATA_SIZE];
    struct button buttons[SUGGESTIONS_MAX];
    unsigned count = 0;
    for (unsigned i = 0; i < suggestions->count; i++) {
        const char *command = suggestions->commands[i];
        if (!suggestions->may_be_a_word && button_format_command(command, data[count]) == 0) {
            buttons[count] = (struct button){.label = command, .data = data[count], .wide = true};
            count++;
        } else {
            text_add(html, "\n");
            html_add_in_tag(html, "code", command);
        }
    }
    transport_say_with(transport, person, html->start, buttons, count);
}
