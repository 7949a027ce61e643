#include "vps/session/touched.h"

#include <stdlib.h>

#include "base/timer.h"
#include "vps/session/session_run.h"

struct touched {
    struct session *first; /* by session_links()->next_touched */
    struct timer *timer;
};

static void tell_all(void *arg)
{
    struct touched *touched = arg;
    struct session *session, *next = touched->first;
    touched->first = NULL; /* what is touched meanwhile is for the next time */
    while ((session = next)) {
        next = session_links(session)->next_touched;
        session_links(session)->is_touched = false;
        if (!session_has_ended(session)) {
            session_tell(session, (struct session_event){.kind = SESSION_NOTED});
        }
    }
}

static struct session **find(struct touched *touched, const struct session *session)
{
    struct session **at = &touched->first;
    while (*at && *at != session) {
        at = &session_links(*at)->next_touched;
    }
    return at;
}

void touched_add(struct touched *touched, struct session *session)
{
    struct session_links *links = session_links(session);
    if (!links->is_touched) {
        links->is_touched = true;
        links->next_touched = NULL;
        *find(touched, NULL) = session;
        timer_set(touched->timer, 0);
    }
}

void touched_forget(struct touched *touched, struct session *session)
{
    if (session_links(session)->is_touched) {
        *find(touched, session) = session_links(session)->next_touched;
    }
}

struct touched *touched_new(uv_loop_t *loop)
{
    struct touched *touched = calloc(1, sizeof *touched);
    if (touched && !(touched->timer = timer_new(loop, tell_all, touched))) {
        free(touched);
        return NULL;
    }
    return touched;
}

void touched_free(struct touched *touched)
{
    if (touched) {
        timer_free(touched->timer);
        free(touched);
    }
}
