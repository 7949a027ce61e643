#include "vps/chat/conversation.h"

/*
 * Looked up each time: settings may have changed since a button was sent or a command began to
 * wait.
 */
bool conversation_may(const struct conversation *conversation, enum who who, int64_t person,
                      const struct owner *owner)
{
    const struct owner asking = transport_owner(conversation->transport, person);
    switch (who) {
    case WHO_ALLOWED:
        return people_has(conversation->people, &asking);
    case WHO_OWNER:
        return owner && owner_equal(owner, &asking);
    }
    return false;
}
