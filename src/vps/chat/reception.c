#include "vps/chat/reception.h"

#include <stdbool.h>

static bool is_allowed(int64_t id, const int64_t *allowed, size_t allowed_count)
{
    for (size_t i = 0; i < allowed_count; i++) {
        if (allowed[i] == id) {
            return true;
        }
    }
    return false;
}

/* What rules it out whoever sent it, or NULL. */
static const char *unacceptable(const struct update *update)
{
    if (update->kind == UPDATE_OTHER) {
        return "not a new message";
    }
    if (update->from_id <= 0) {
        return "without a sender";
    }
    if (update->from_is_bot) {
        return "from a bot";
    }
    if (update->sender_chat) {
        return "on behalf of a chat";
    }
    if (!update->chat_is_private || update->chat_id != update->from_id) {
        return "not in a private chat";
    }
    if (update->via_bot) {
        return "written by an inline bot";
    }
    if (update->by_business) {
        return "written by a business account's bot";
    }
    return NULL;
}

enum reception reception_judge(const struct update *update, const int64_t *allowed,
                               size_t allowed_count, const char **ret_reason)
{
    const char *reason = unacceptable(update);
    enum reception reception = RECEPTION_IGNORE;
    if (!reason) {
        bool known = is_allowed(update->from_id, allowed, allowed_count);
        if (known && !update->forwarded) {
            return RECEPTION_USER;
        }
        if (known) {
            reception = RECEPTION_FORWARDED;
        } else if (!update->forwarded) {
            reception = RECEPTION_STRANGER;
        }
        reason = known ? "forwarded" : "from a user who is not in ALLOWED_USERS";
    }
    *ret_reason = reason;
    return reception;
}
