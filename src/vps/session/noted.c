#include "vps/session/noted.h"

#include <stdlib.h>

#include "base/timer.h"
#include "vps/session/session_run.h"

struct noted {
    struct session *first; /* by session_links()->next_noted */
    struct timer *timer;
};

static void tell_all(void *arg)
{
    struct noted *noted = arg;
    struct session *session, *next = noted->first;
    noted->first = NULL; /* what is noted meanwhile is for the next time */
    while ((session = next)) {
        next = session_links(session)->next_noted;
        session_links(session)->is_noted = false;
        if (!session_has_ended(session)) {
            session_tell(session, (struct session_event){.kind = SESSION_NOTED});
        }
    }
}

static struct session **find(struct noted *noted, const struct session *session)
{
    struct session **at = &noted->first;
    while (*at && *at != session) {
        at = &session_links(*at)->next_noted;
    }
    return at;
}

void noted_add(struct noted *noted, struct session *session)
{
    struct session_links *links = session_links(session);
    if (!links->is_noted) {
        links->is_noted = true;
        links->next_noted = NULL;
        *find(noted, NULL) = session;
        timer_set(noted->timer, 0);
    }
}

void noted_forget(struct noted *noted, struct session *session)
{
    if (session_links(session)->is_noted) {
        *find(noted, session) = session_links(session)->next_noted;
    }
}

struct noted *noted_new(uv_loop_t *loop)
{
    struct noted *noted = calloc(1, sizeof *noted);
    if (noted && !(noted->timer = timer_new(loop, tell_all, noted))) {
        free(noted);
        return NULL;
    }
    return noted;
}

void noted_free(struct noted *noted)
{
    if (noted) {
        timer_free(noted->timer);
        free(noted);
    }
}
