#include "ctl/complete.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ask.h"
#include "ctl/commands.h"
#include "ctl/field.h"

enum { PATIENCE_S = 1 };

/* What stands in front of the word that is being typed. */
struct line {
    const struct command *command; /* NULL: none yet, or none that is known */
    const char *group;             /* the first word of commands; it may be one itself */
    const char *args[ARGS_MAX];
    int count;
    const char *socket_path;
    bool unknown;    /* there is a command, and it is not known */
    bool no_options; /* behind a "--" */
};

static struct completion_option form_of(const struct command_option *option)
{
    /* base/completion knows nothing of this program's tables. */
    return (struct completion_option){
        .name = option->name, .takes = option->takes, .help = option->help};
}

/* ---- what was typed so far ------------------------------------------------ */

static const struct command_option *option_named(const char *word)
{
    const struct command_option *option = NULL;
    size_t len = strcspn(word, "=");
    while ((option = options_next(option))) {
        if (strncmp(option->name, word, len) == 0 && option->name[len] == '\0') {
            return option;
        }
    }
    return NULL;
}

/* "gateway add" behind "gateway". NULL: there is none. */
static const struct command *find_longer(const struct line *line, const char *word)
{
    const struct command *command = NULL;
    while (line->group && (command = commands_next_of(line->group, command)) &&
           strcmp(command_second_word(command), word) != 0) {
    }
    return command;
}

static void take_word(struct line *line, const char *word)
{
    const struct command *longer = line->count == 0 ? find_longer(line, word) : NULL;
    if (longer) {
        line->command = longer;
        line->group = NULL;
    } else if (!line->command && !line->unknown) {
        line->command = command_find(word);
        line->group = commands_next_of(word, NULL) && !line->group ? word : NULL;
        line->unknown = !line->command && !line->group;
    } else if (line->count < ARGS_MAX) {
        line->args[line->count++] = word;
    }
}

static struct line read_line(const struct completion *completion)
{
    struct line line = {0};
    /* Lenient, unlike invocation_parse(): a half-typed line is always wrong somehow. */
    for (int i = 0; i < completion->count; i++) {
        const char *word = completion->words[i], *value = strchr(word, '=');
        const struct command_option *option = line.no_options ? NULL : option_named(word);
        if (!line.no_options && strcmp(word, "--") == 0) {
            line.no_options = true;
        } else if (line.no_options || word[0] != '-') {
            take_word(&line, word);
        } else if (option && option->takes) {
            value = value ? value + 1 : i + 1 < completion->count ? completion->words[++i] : NULL;
            line.socket_path = option->bit == OPTION_SOCKET ? value : line.socket_path;
        }
    }
    return line;
}

/* ---- what may come next --------------------------------------------------- */

static void offer_options(const struct completion *completion, const struct line *line)
{
    /* Before a command is typed, any option may come. */
    unsigned bits = line->command ? line->command->options | OPTIONS_COMMON : ~0U;
    const struct command_option *option = NULL;
    while (!line->no_options && (option = options_next(option))) {
        struct completion_option form = form_of(option);
        if (option->bit & bits) {
            completion_offer_option(completion, &form);
        }
    }
}

static bool offer_value(const struct completion *completion, const struct line *line)
{
    const struct command_option *option = NULL;
    /* True even if there is nothing to offer: then nothing else fits there either. */
    while (!line->no_options && (option = options_next(option))) {
        struct completion_option form = form_of(option);
        if (completion_offer_value(completion, &form)) {
            return true;
        }
    }
    return false;
}

/* The first word of a command of two, unless it is a command by itself. */
static void offer_group(const struct completion *completion, const struct command *command)
{
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)strcspn(command->name, " "), command->name);
    if (!command_find(word)) {
        completion_offer(completion, word, command->help);
    }
}

static void offer_commands(const struct completion *completion)
{
    const struct command *command = NULL;
    const char *group = "";
    size_t len = 0;
    while ((command = commands_next(command))) {
        if (!command_second_word(command)) {
            completion_offer(completion, command->name, command->help);
        } else if (len == 0 || strncmp(command->name, group, len + 1) != 0) {
            offer_group(completion, command); /* those of one group stand together */
            group = command->name;
            len = strcspn(group, " ");
        }
    }
}

static void offer_second_words(const struct completion *completion, const struct line *line)
{
    const struct command *command = NULL;
    while (line->group && (command = commands_next_of(line->group, command))) {
        completion_offer(completion, command_second_word(command), command->help);
    }
}

static void offer_id(const struct completion *completion, const json_t *session)
{
    char help[320];
    snprintf(help, sizeof help, "%s %s, %s, %s", field_text(session, "kind"),
             field_text(session, "target"), field_text(session, "state"),
             field_text(session, "owner"));
    completion_offer(completion, field_text(session, "id"), help);
}

/* "203.0.113.7", or "203.0.113.7#2" where several wait at one address. */
static void offer_waiting(const struct completion *completion, const json_t *session)
{
    size_t index;
    json_t *client;
    json_array_foreach(json_object_get(session, "waiting"), index, client)
    {
        char word[128];
        const char *address = field_text(client, "address");
        snprintf(word, sizeof word, "%s", address);
        /* As pamctl admit takes it: the number only where it is needed. */
        if (json_integer_value(json_object_get(client, "of_its_address")) > 1) {
            snprintf(word, sizeof word, "%s#%d", address,
                     (int)json_integer_value(json_object_get(client, "number")));
        }
        completion_offer(completion, word, field_text(client, "words"));
    }
}

/* Those in TUNNEL_KEY are for the env file. */
static void offer_gateway(const struct completion *completion, const json_t *gateway)
{
    const char *key = field_text(gateway, "key");
    if (strcmp(key, "settings") != 0 && strcmp(key, "shared") != 0) {
        completion_offer(completion, field_text(gateway, "name"), field_text(gateway, "state"));
    }
}

static void offer_request(const struct completion *completion, const json_t *request)
{
    char help[320];
    snprintf(help, sizeof help, "%s %s for %s", field_text(request, "kind"),
             field_text(request, "said"), field_text(request, "name"));
    completion_offer(completion, field_text(request, "id"), help);
}

static void offer_of_agent(const struct completion *completion, const struct line *line,
                           enum argument_kind kind)
{
    /* ask_anyhow(): an unreachable agent completes to nothing, without a word in the prompt. */
    char path[256];
    size_t index;
    json_t *entry;
    /* What is asked, and where in the answer the list is. */
    static const struct {
        const char *asked, *list;
    } LISTS[] = {
        [ARGUMENT_ID] = {"sessions", "sessions"},
        [ARGUMENT_WAITING] = {"sessions", "sessions"},
        [ARGUMENT_KNOWN] = {"known", "known"},
        [ARGUMENT_GATEWAY] = {"gateway list", "gateways"},
        [ARGUMENT_USER] = {"user list", "users"},
        [ARGUMENT_PERSON] = {"totp list", "people"},
        [ARGUMENT_REQUEST] = {"approvals", "approvals"},
    };
    ask_path(line->socket_path, path, sizeof path);
    json_t *request = json_pack("{s:s}", "command", LISTS[kind].asked);
    json_t *reply = ask_anyhow(path, request);
    json_array_foreach(json_object_get(reply, LISTS[kind].list), index, entry)
    {
        if (kind == ARGUMENT_ID) {
            offer_id(completion, entry);
        } else if (kind == ARGUMENT_KNOWN) {
            completion_offer(completion, field_text(entry, "address"), field_text(entry, "owner"));
        } else if (kind == ARGUMENT_REQUEST) {
            offer_request(completion, entry);
        } else if (kind == ARGUMENT_PERSON) {
            bool enrolled = json_is_true(json_object_get(entry, "enrolled"));
            completion_offer(completion, field_text(entry, "person"),
                             enrolled ? "has a second factor" : "has no second factor");
        } else if (kind == ARGUMENT_GATEWAY) {
            offer_gateway(completion, entry);
        } else if (kind == ARGUMENT_USER) {
            completion_offer(completion, field_text(entry, "name"), field_text(entry, "from"));
        } else if (strcmp(field_text(entry, "id"), line->args[0]) == 0) {
            offer_waiting(completion, entry);
        }
    }
    json_decref(request);
    json_decref(reply);
}

static void offer_argument(const struct completion *completion, const struct line *line)
{
    enum argument_kind kind = line->command->args[line->count].kind;
    if (kind == ARGUMENT_COMMAND) {
        offer_commands(completion);
    } else if (kind != ARGUMENT_TARGET && kind != ARGUMENT_NAME && kind != ARGUMENT_CODE) {
        offer_of_agent(completion, line, kind);
    }
}

void complete(const struct completion *completion)
{
    struct line line = read_line(completion);
    /* Somebody presses Tab and waits: no completion is better than a late one. */
    alarm(PATIENCE_S); /* and if vps-agent takes longer than that, this program is gone */
    if (offer_value(completion, &line) || line.unknown) {
        return;
    }
    /* With all arguments there, only options are left to offer. */
    bool full = line.command && line.count == command_most(line.command);
    if (line.count == 0 && completion->typed[0] != '-') {
        offer_second_words(completion, &line);
    }
    if (full || completion->typed[0] == '-') {
        offer_options(completion, &line);
    } else if (line.command) {
        offer_argument(completion, &line);
    } else if (!line.group) {
        offer_commands(completion);
    }
}
