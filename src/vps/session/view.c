#include "vps/session/view.h"

const char *session_state_name(enum session_state state)
{
    static const char *const NAMES[] = {"opening", "waiting", "connected", "reconnecting", "ended"};
    return NAMES[state];
}
