#include "vps/chat/reception.h"

enum reception reception_judge(const struct incoming *incoming, bool is_user,
                               const char **ret_reason)
{
    if (incoming->unfit) {
        *ret_reason = incoming->unfit;
        return RECEPTION_IGNORE;
    }
    if (!is_user) {
        *ret_reason = "from a user who is not in ALLOWED_USERS";
        return incoming->forwarded ? RECEPTION_IGNORE : RECEPTION_STRANGER;
    }
    if (incoming->forwarded) {
        *ret_reason = "forwarded";
        return RECEPTION_FORWARDED;
    }
    return RECEPTION_USER;
}
