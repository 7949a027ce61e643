#include "vps/chat/reception.h"

#include <stdbool.h>

static bool is_allowed(int64_t person, const int64_t *allowed, size_t allowed_count)
{
    for (size_t i = 0; i < allowed_count; i++) {
        if (allowed[i] == person) {
            return true;
        }
    }
    return false;
}

enum reception reception_judge(const struct incoming *incoming, const int64_t *allowed,
                               size_t allowed_count, const char **ret_reason)
{
    bool known = is_allowed(incoming->person, allowed, allowed_count);
    if (incoming->unfit) {
        *ret_reason = incoming->unfit;
        return RECEPTION_IGNORE;
    }
    if (!known) {
        *ret_reason = "from a user who is not in ALLOWED_USERS";
        return incoming->forwarded ? RECEPTION_IGNORE : RECEPTION_STRANGER;
    }
    if (incoming->forwarded) {
        *ret_reason = "forwarded";
        return RECEPTION_FORWARDED;
    }
    return RECEPTION_USER;
}
