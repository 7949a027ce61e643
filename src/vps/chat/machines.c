#include "vps/chat/machines.h"

#include <string.h>

#include "vps/chat/reachable.h"
#include "vps/chat/recents.h"

static bool is_there(const struct suggestions *suggestions, const char *command)
{
    unsigned i = 0;
    while (i < suggestions->count && strcmp(suggestions->commands[i], command) != 0) {
        i++;
    }
    return i < suggestions->count;
}

/* Something that was allowed once may not be any more. */
static void add(const struct conversation *conversation, int64_t person,
                const struct command_row *row, const char *target, struct suggestions *suggestions)
{
    char typed[SUGGESTION_SIZE];
    struct text text = text_over(typed, sizeof typed);
    struct command command;
    struct why why;
    text_add(&text, "/%s %s", row->name, target);
    if (!text.cut && !is_there(suggestions, typed) &&
        command_parse(typed, conversation->bot_name, &command, &why) == COMMAND_OK &&
        reachable_ask(conversation, person, row->kind, &command.target).verdict == POLICY_ALLOWED) {
        suggest_command(suggestions, conversation->bot_name, typed);
    }
}

void machines_suggest(const struct conversation *conversation, int64_t person,
                      const struct command_row *row, struct suggestions *suggestions)
{
    const struct owner owner = transport_owner(conversation->transport, person);
    const struct policy *policy = conversation->settings->policy_file.policy;
    const char *recent;
    unsigned at = 0;
    while ((recent = recents_next(conversation->recents, &owner, row->kind, &at))) {
        add(conversation, person, row, recent, suggestions);
    }
    for (unsigned i = 0; policy && i < policy->target_count; i++) {
        if (policy->targets[i].ports[row->kind] != 0) {
            add(conversation, person, row, policy->targets[i].name, suggestions);
        }
    }
}
