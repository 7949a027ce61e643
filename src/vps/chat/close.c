/* /close [ID]: ends a session; command.def has its row, command.h the declaration. */
#include <string.h>

#include "vps/chat/command.h"
#include "vps/chat/session_list.h"
#include "vps/chat/texts.h"
#include "vps/transport/html.h"

/* How many are this person's, and *ret_session is one of them. */
static unsigned count_own(const struct conversation *conversation, int64_t person,
                          struct session **ret_session)
{
    const struct owner owner = transport_owner(conversation->transport, person);
    struct session *session = NULL;
    unsigned count = 0;
    while ((session = sessions_next(conversation->sessions, session))) {
        struct session_view view;
        session_view(session, &view);
        if (owner_equal(&view.owner, &owner)) {
            *ret_session = session;
            count++;
        }
    }
    return count;
}

/* By its ID, if this person may close it. NULL otherwise: whether there is one is not told. */
static struct session *find(const struct conversation *conversation, int64_t person, const char *id)
{
    struct session *session = sessions_find(conversation->sessions, id);
    struct session_view view;
    if (!session) {
        return NULL;
    }
    session_view(session, &view);
    return conversation_may(conversation, WHO_OWNER_OR_ADMINISTRATOR, person, &view.owner) ? session
                                                                                           : NULL;
}

static void close_it(struct conversation *conversation, int64_t person, struct session *session)
{
    const struct owner by = transport_owner(conversation->transport, person);
    char buffer[TEXTS_SIZE], name[PEOPLE_NAME_MAX];
    struct text html = conversation_text(conversation, person, buffer, sizeof buffer);
    struct session_view view;
    session_view(session, &view);
    bool is_own = owner_equal(&view.owner, &by);
    people_name(conversation->people, &view.owner, name);
    texts_closed(&html, is_own ? NULL : name, &view);
    session_close_by(session, &by);
    transport_say(conversation->transport, person, buffer);
}

static void say_unknown(const struct conversation *conversation, int64_t person, const char *id)
{
    char buffer[TEXTS_SIZE];
    struct text html = conversation_text(conversation, person, buffer, sizeof buffer);
    texts_no_such_session(&html, id);
    transport_say(conversation->transport, person, buffer);
}

/* "k3f9q2wx", or what stands in its place, cut; the blanks behind it are not of it. */
static void read_id(const char *rest, char *id, size_t size)
{
    struct text text = text_over(id, size);
    text_add(&text, "%s", rest);
    char *start = text_trim(id);
    memmove(id, start, strlen(start) + 1);
}

void close_run(struct conversation *conversation, const struct incoming *incoming,
               const struct command *command)
{
    struct session *session = NULL;
    char id[64];
    read_id(command->rest, id, sizeof id);
    if (id[0]) {
        session = find(conversation, incoming->person, id);
    } else if (count_own(conversation, incoming->person, &session) != 1) {
        session_lists_say(conversation->lists, incoming->person, SESSION_LIST_OWN, NULL);
        return;
    }
    if (session) {
        close_it(conversation, incoming->person, session);
    } else {
        say_unknown(conversation, incoming->person, id);
    }
}
