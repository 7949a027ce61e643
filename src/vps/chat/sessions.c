/* /sessions: what is open; command.def has its row, command.h the declaration. */
#include "vps/chat/command.h"
#include "vps/chat/session_list.h"

void sessions_run(struct conversation *conversation, const struct incoming *incoming,
                  const struct command *command)
{
    (void)command;
    bool sees_all = conversation_may(conversation, WHO_ADMINISTRATOR, incoming->person, NULL);
    session_lists_say(conversation->lists, incoming->person,
                      sees_all ? SESSION_LIST_ALL : SESSION_LIST_OWN, NULL);
}
