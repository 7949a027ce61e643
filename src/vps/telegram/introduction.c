#include "vps/telegram/introduction.h"

#include <string.h>

/* The menu of commands in private chats. */
static void name_commands(struct calls *calls, const struct transport_profile *profile)
{
    json_t *list = json_array();
    for (size_t i = 0; i < profile->command_count; i++) {
        const struct transport_command *command = &profile->commands[i];
        bool has_own_button = strcmp(command->name, "start") == 0; /* in every client */
        if (!has_own_button) {
            json_array_append_new(list, json_pack("{s:s,s:s}", "command", command->name,
                                                  "description", command->help));
        }
    }
    calls_run(calls, "setMyCommands",
              json_pack("{s:o,s:{s:s}}", "commands", list, "scope", "type", "all_private_chats"));
}

/* What the owner wrote with BotFather stays: only an empty one is filled in. */
static void fill_in(struct calls *calls, const char *method, const char *name, const char *text,
                    const json_t *result)
{
    const char *has = json_string_value(json_object_get(result, name));
    if (has && !*has) {
        calls_run(calls, method, json_pack("{s:s}", name, text));
    }
}

static void on_short_description(void *arg, const json_t *result)
{
    const struct introduction *introduction = arg;
    fill_in(introduction->calls, "setMyShortDescription", "short_description",
            introduction->short_description, result);
}

/* One after the other: there is no hurry, and both at once take one connection more. */
static void on_description(void *arg, const json_t *result)
{
    struct introduction *introduction = arg;
    fill_in(introduction->calls, "setMyDescription", "description", introduction->description,
            result);
    calls_ask(introduction->calls, "getMyShortDescription", json_object(), on_short_description,
              introduction);
}

void introduction_give(struct introduction *introduction, struct calls *calls,
                       const struct transport_profile *profile)
{
    *introduction = (struct introduction){.calls = calls,
                                          .description = profile->description,
                                          .short_description = profile->short_description};
    name_commands(calls, profile);
    calls_ask(calls, "getMyDescription", json_object(), on_description, introduction);
}
