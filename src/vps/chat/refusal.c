#include "vps/chat/refusal.h"

#include <errno.h>

#include "base/clock.h"
#include "vps/chat/panic.h"
#include "vps/chat/session_list.h"
#include "vps/chat/suggest.h"
#include "vps/chat/texts.h"
#include "vps/policy/policy.h"

static void say_gateways(const struct conversation *conversation, int64_t person,
                         const char *command, struct text *html)
{
    const char *names[SUGGESTIONS_MAX];
    struct suggestions suggestions = {0};
    unsigned count = sessions_gateways(conversation->sessions, names, SUGGESTIONS_MAX);
    for (unsigned i = 0; i < count && i < SUGGESTIONS_MAX; i++) {
        suggest_gateway(command, conversation->bot_name, names[i], &suggestions);
    }
    suggest_say(&suggestions, conversation->transport, person, html);
}

/* A name of the policy that may have been meant: a button that does it. */
static void say_nearest(const struct conversation *conversation, int64_t person, const char *typed,
                        struct text *html)
{
    const struct policy *policy = conversation->settings->policy_file.policy;
    const struct owner owner = transport_owner(conversation->transport, person);
    struct suggestions suggestions = {0};
    struct command command;
    struct why why;
    if (policy && command_parse(typed, conversation->bot_name, &command, &why) == COMMAND_OK) {
        const struct policy_question question = {.user = people_user(conversation->people, &owner),
                                                 .kind = command.row->kind,
                                                 .target = &command.target,
                                                 .unix_s = clock_unix()};
        const char *near = policy_nearest(policy, &question);
        if (near) {
            suggest_machine_named(&command, conversation->bot_name, near, &suggestions);
        }
    }
    suggest_say(&suggestions, conversation->transport, person, html);
}

void refusal_say(const struct conversation *conversation, int64_t person, const char *command,
                 int err, const struct why *why)
{
    char buffer[TEXTS_SIZE];
    struct text html = conversation_text(conversation, person, buffer, sizeof buffer);
    if (!panic_add_lock(conversation, &html)) {
        texts_not_opened(&html, why);
    }
    if (err == -EDESTADDRREQ) { /* several gateways, and none was named */
        say_gateways(conversation, person, command, &html);
    } else if (err == -EACCES) { /* no rule of the policy allows it */
        say_nearest(conversation, person, command, &html);
    } else if (err == -EDQUOT) { /* the user's own limit: closing one makes room */
        session_lists_say(conversation->lists, person, SESSION_LIST_OWN, buffer);
    } else {
        transport_say(conversation->transport, person, buffer);
    }
}
