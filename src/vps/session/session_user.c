/* What a session's user does with it, and with those who wait at its port. */
#include "vps/session/front.h"
#include "vps/session/session_parts.h"

void session_close(struct session *session)
{
    front_forget_hasty_admit(session_front(session));
    session_end(session, SESSION_END_CLOSED);
}

/* With pamctl it is "closed on request", as programs know it; whose request is kept with it. */
void session_close_by(struct session *session, const struct owner *by)
{
    bool is_own = owner_equal(by, &session_terms(session)->owner);
    front_forget_hasty_admit(session_front(session));
    session_end_by(session,
                   is_own || by->kind == OWNER_LOCAL ? SESSION_END_CLOSED : SESSION_END_CLOSED_BY,
                   is_own ? NULL : by);
}

int session_admit(struct session *session, unsigned number, const struct owner *by)
{
    int err = front_admit(session_front(session), number, by);
    if (err == 0) {
        session_tell_of_client(session, SESSION_UNPARKED, number);
    }
    return err;
}

int session_block(struct session *session, unsigned number, const struct owner *by)
{
    return front_block(session_front(session), number, by);
}

unsigned session_ask_more(struct session *session, unsigned most)
{
    return front_ask_more(session_front(session), most);
}

unsigned session_parked(const struct session *session, struct parked_view ret_views[PARKED_MAX])
{
    return front_parked(session_front(session), ret_views);
}

const struct strangers *session_strangers(const struct session *session)
{
    return front_strangers(session_front(session));
}
