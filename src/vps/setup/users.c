#include "vps/setup/users.h"

#include <errno.h>
#include <inttypes.h>

#include "base/text.h"
#include "vps/settings/settings.h"

int users_add(const char *now, const char *more, char ret_list[SETTING_VALUE_MAX], struct why *why)
{
    static const struct vps_settings NONE;
    struct vps_settings there = NONE, added = NONE;
    struct text list = text_over(ret_list, SETTING_VALUE_MAX);
    int err = vps_settings_take("ALLOWED_USERS", now, &there, why);
    err = err < 0 ? err : vps_settings_take("ALLOWED_USERS", more, &added, why);
    text_add(&list, "%s", now);
    for (unsigned i = 0; err == 0 && i < added.allowed_users.count; i++) {
        int64_t id = added.allowed_users.ids[i];
        if (!user_list_has(&there.allowed_users, id)) {
            text_add(&list, ",%" PRId64, id);
        }
    }
    return err < 0 ? err : vps_settings_take("ALLOWED_USERS", ret_list, &there, why);
}
