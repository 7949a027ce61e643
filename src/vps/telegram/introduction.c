/*
 * The menu is ours alone, and simply set. The descriptions are asked for first, one after the other
 * and language by language: there is no hurry, and all at once take more connections. Telegram
 * answers with everybody's where there is none in a language.
 */
#include "vps/telegram/introduction.h"

#include <string.h>

static json_t *with_language(json_t *params, const char *language)
{
    if (params && language[0]) {
        json_object_set_new(params, "language_code", json_string(language));
    }
    return params;
}

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
    json_t *params = json_pack("{s:o,s:{s:s}}", "commands", list, "scope", "type",
                               "all_private_chats");
    calls_run(calls, "setMyCommands", with_language(params, profile->language));
}

/*
 * What the owner wrote with BotFather stays: only what is empty, or ours in everybody's language,
 * is filled in. *has_own: it is the owner's.
 */
static void fill_in(const struct introduction *introduction, const char *method, const char *name,
                    const char *text, const char *everybodys, bool *has_own, const json_t *result)
{
    const struct introduction_text *now = &introduction->texts[introduction->at];
    const char *has = json_string_value(json_object_get(result, name));
    bool is_everybodys = now->language[0] == '\0';
    bool is_free = has && (!*has || (!is_everybodys && strcmp(has, everybodys) == 0));
    if (is_everybodys) {
        *has_own = has && *has && strcmp(has, everybodys) != 0;
    }
    if (is_free && !*has_own) {
        calls_run(introduction->calls, method,
                  with_language(json_pack("{s:s}", name, text), now->language));
    }
}

static void ask_next(struct introduction *introduction);

static void on_short_description(void *arg, const json_t *result)
{
    struct introduction *introduction = arg;
    fill_in(introduction, "setMyShortDescription", "short_description",
            introduction->texts[introduction->at].short_description,
            introduction->texts[0].short_description, &introduction->has_own_short, result);
    introduction->at++;
    ask_next(introduction);
}

static void on_description(void *arg, const json_t *result)
{
    struct introduction *introduction = arg;
    const char *language = introduction->texts[introduction->at].language;
    fill_in(introduction, "setMyDescription", "description",
            introduction->texts[introduction->at].description, introduction->texts[0].description,
            &introduction->has_own, result);
    calls_ask(introduction->calls, "getMyShortDescription", with_language(json_object(), language),
              on_short_description, introduction);
}

static void ask_next(struct introduction *introduction)
{
    if (introduction->at < introduction->count) {
        calls_ask(introduction->calls, "getMyDescription",
                  with_language(json_object(), introduction->texts[introduction->at].language),
                  on_description, introduction);
    }
}

void introduction_give(struct introduction *introduction, struct calls *calls,
                       const struct transport_profile *profile)
{
    name_commands(calls, profile);
    if (profile->language[0] == '\0') {
        *introduction = (struct introduction){.calls = calls};
    }
    if (introduction->count == INTRODUCTION_LANGUAGES_MAX) {
        return;
    }
    introduction->texts[introduction->count++] = (struct introduction_text){
        profile->language, profile->description, profile->short_description};
    if (introduction->count == 1) {
        ask_next(introduction);
    }
}
