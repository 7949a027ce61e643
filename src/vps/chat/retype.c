#include "vps/chat/retype.h"

#include <string.h>
#include <strings.h>

#include "vps/policy/policy.h"

static bool is_it(const struct policy_target *target, const struct session_view *view)
{
    return target->ports[view->kind] == view->port &&
           strcasecmp(target->address, view->host) == 0 &&
           (!target->gateway[0] || gateway_name_equal(target->gateway, view->gateway));
}

/* NULL: it has no name. */
static const struct policy_target *named(const struct vps_settings *settings,
                                         const struct session_view *view)
{
    const struct policy *policy = settings->policy_file.policy;
    for (unsigned i = 0; policy && i < policy->target_count; i++) {
        if (is_it(&policy->targets[i], view)) {
            return &policy->targets[i];
        }
    }
    return NULL;
}

static void add_address(const struct session_view *view, struct text *text)
{
    char address[TARGET_TEXT_MAX];
    bool is_v6 = strchr(view->host, ':') != NULL;
    target_format(view->host, view->port, address);
    text_add(text, "%s", view->port == kind_row(view->kind)->port && !is_v6 ? view->host : address);
}

void retype_target(const struct vps_settings *settings, const struct session *session,
                   struct text *text)
{
    struct session_view view;
    session_view(session, &view);
    const struct policy_target *target = named(settings, &view);
    const char *user = session_user(session);
    text_add(text, "%s%s", user, user[0] ? "@" : "");
    if (view.names_gateway && !(target && target->gateway[0])) {
        text_add(text, "%s/", view.gateway);
    }
    if (target) {
        text_add(text, "%s", target->name);
    } else {
        add_address(&view, text);
    }
}
