#include "vps/session/view.h"

#include <errno.h>
#include <stddef.h>

const char *session_state_name(enum session_state state)
{
    static const char *const NAMES[] = {"opening", "waiting", "connected", "reconnecting", "ended"};
    return NAMES[state];
}

/*
 * A word never changes its meaning: programs know it from pamctl. In a clause {gateway} and the
 * limits stand for those of the session, {why} for the reason that the end has, and {by} for who
 * ended it.
 */
static const struct {
    const char *word, *clause;
} ENDS[] = {
    [SESSION_END_NONE] = {"", "disconnected"},
    [SESSION_END_REFUSED] = {"refused", "{why}"},
    [SESSION_END_GATEWAY] = {"gateway", "gateway {gateway} went offline or did not answer"},
    [SESSION_END_NOBODY] = {"nobody", "nobody connected within {timeout}"},
    [SESSION_END_DISCONNECTED] = {"disconnected", "disconnected"},
    [SESSION_END_TARGET] = {"target", "{why}"},
    [SESSION_END_CLOSED] = {"closed", "closed on request"},
    [SESSION_END_CLOSED_BY] = {"closed_by_administrator", "closed by {by}"},
    [SESSION_END_IDLE] = {"idle", "nothing was sent or received for {idle}"},
    [SESSION_END_MAX_TIME] = {"max_time", "it reached the time limit for a session: {time}"},
    [SESSION_END_USER_REMOVED] = {"user_removed", "access was taken away"},
    [SESSION_END_GATEWAY_REMOVED] = {"gateway_removed",
                                     "gateway {gateway} no longer belongs to this server"},
    [SESSION_END_RULE_REMOVED] = {"rule_removed", "the right to it was taken away"},
    [SESSION_END_IDENTITY] = {"identity", "{why}"},
    [SESSION_END_HOURS] = {"hours", "the hours in which it is allowed are over"},
    [SESSION_END_EXPIRED] = {"expired", "the time of its user's access is over"},
    [SESSION_END_LOCKED] = {"locked", "{by} locked the server"},
    [SESSION_END_SHUTDOWN] = {"shutdown", "the server is being stopped"},
    [SESSION_END_RELAY] = {"relay", "{why}"},
    [SESSION_END_AUDIT] = {"audit", "{why}"},
};
_Static_assert(sizeof ENDS / sizeof *ENDS == SESSION_END_COUNT, "an end has no word");

const char *session_end_word(enum session_end end)
{
    return ENDS[end].word;
}

const char *session_end_clause(enum session_end end)
{
    return ENDS[end].clause;
}

static const struct {
    int err;
    const char *word;
} REFUSALS[] = {
    {-EINVAL, "invalid"},         {-ENOTCONN, "no_gateway"},
    {-ENOENT, "no_such_gateway"}, {-EDQUOT, "user_limit"},
    {-ENFILE, "sessions_limit"},  {-EDESTADDRREQ, "which_gateway"},
    {-EADDRINUSE, "no_port"},     {-ESHUTDOWN, "draining"},
    {-EACCES, "not_allowed"},     {-EPERM, "locked"},
    {-ENOKEY, "no_consent"},      {-EBUSY, "requests_limit"},
    {-ENOSPC, "audit_full"},      {0, "failed"},
};
enum { REFUSALS_COUNT = sizeof REFUSALS / sizeof *REFUSALS };

const char *session_refusal_word_at(unsigned number)
{
    return number < REFUSALS_COUNT ? REFUSALS[number].word : NULL;
}

const char *session_refusal_word(int err)
{
    unsigned i = 0;
    while (REFUSALS[i].err != err && i < REFUSALS_COUNT - 1) {
        i++;
    }
    return REFUSALS[i].word;
}
