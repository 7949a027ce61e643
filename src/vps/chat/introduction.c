#include "vps/chat/introduction.h"

#include <string.h>

#include "vps/chat/command.h"
#include "vps/chat/texts.h"

/* The menu of commands in private chats. */
static void name_commands(struct errands *errands)
{
    json_t *list = json_array();
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        bool has_own_button = strcmp(COMMANDS[i].name, "start") == 0; /* in every client */
        if (!has_own_button) {
            json_array_append_new(list, json_pack("{s:s,s:s}", "command", COMMANDS[i].name,
                                                  "description", COMMANDS[i].help));
        }
    }
    errands_run(errands, "setMyCommands",
                json_pack("{s:o,s:{s:s}}", "commands", list, "scope", "type", "all_private_chats"));
}

/* What the owner wrote with BotFather stays: only an empty one is filled in. */
static void fill_in(struct errands *errands, const char *method, const char *name, const char *text,
                    const json_t *result)
{
    const char *has = json_string_value(json_object_get(result, name));
    if (has && !*has) {
        errands_run(errands, method, json_pack("{s:s}", name, text));
    }
}

static void on_short_description(void *arg, const json_t *result)
{
    fill_in(arg, "setMyShortDescription", "short_description", TEXT_SHORT_DESCRIPTION, result);
}

/* One after the other: there is no hurry, and each at once takes a connection more. */
static void on_description(void *arg, const json_t *result)
{
    struct errands *errands = arg;
    fill_in(errands, "setMyDescription", "description", TEXT_DESCRIPTION, result);
    errands_ask(errands, "getMyShortDescription", json_object(), on_short_description, errands);
}

void introduce(struct errands *errands)
{
    name_commands(errands);
    errands_ask(errands, "getMyDescription", json_object(), on_description, errands);
}
