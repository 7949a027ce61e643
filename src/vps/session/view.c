#include "vps/session/view.h"

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
    [SESSION_END_SHUTDOWN] = {"shutdown", "the server is being stopped"},
    [SESSION_END_RELAY] = {"relay", "{why}"},
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
