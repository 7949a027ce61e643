/*
 * Each of the sessions' news that matters later becomes one record, made from what the event
 * carries. What strangers cause is summed up when the session is over, one record for each reason,
 * or they could fill the disk. That a session is open is recorded by record.c, since its user is
 * told only when that is written.
 *
 * No state: what is to be known of a session is in its terms, its view and its parts.
 */
#include "vps/session/session_audit.h"

#include <errno.h>

#include "vps/policy/policy.h"
#include "vps/session/front.h"
#include "vps/session/record.h"
#include "vps/session/session_parts.h"
#include "vps/session/strangers.h"

static void add(const struct services *services, struct audit_entry *entry,
                const struct session_event *event)
{
    entry->at_ms = event->unix_ms;
    audit_record(services->audit, entry, NULL, NULL);
}

/* ---- without a session ------------------------------------------------------ */

static struct audit_entry entry_of_request(enum audit_event what, const struct services *services,
                                           const struct session_request *request)
{
    return (struct audit_entry){.what = what,
                                .owner = &request->owner,
                                .name = record_name(services, &request->owner),
                                .session = request->id[0] ? request->id : NULL,
                                .kind = kind_name(request->kind),
                                .gateway = request->target.gateway,
                                .user = request->target.user,
                                .host = request->target.host,
                                .port = request->target.port,
                                .target_name = request->name[0] ? request->name : NULL};
}

/* A name of the policy is not looked up yet; who types no port means the one that it has there. */
static void name_target(struct audit_entry *entry, const struct services *services,
                        const struct session_request *request)
{
    const struct policy *policy = services->settings->policy_file.policy;
    const struct policy_target *named = policy ? policy_target_named(policy, request->target.host)
                                               : NULL;
    if (!named) {
        return;
    }
    entry->target_name = named->name;
    if (named->ports[request->kind] && request->target.port == kind_row(request->kind)->port) {
        entry->port = named->ports[request->kind];
    }
}

static void on_asked(const struct services *services, const struct session_event *event)
{
    struct audit_entry entry = entry_of_request(AUDIT_SESSION_ASKED, services, event->request);
    entry.text = event->request->reason;
    name_target(&entry, services, event->request);
    if (!event->request->again) {
        add(services, &entry, event);
    }
}

/* A command that waits for its gateway is tried each second, and was refused once. */
static void on_refused(const struct services *services, const struct session_event *event)
{
    struct audit_entry entry = entry_of_request(AUDIT_SESSION_REFUSED, services, event->request);
    bool waits = event->err == -ENOTCONN || event->err == -ENOENT;
    name_target(&entry, services, event->request);
    entry.why = event->reason;
    entry.rule = event->request->rule_line;
    if (!event->request->again || !waits) {
        add(services, &entry, event);
    }
}

static void on_lock(enum audit_event what, const struct services *services,
                    const struct session_event *event)
{
    struct audit_entry entry = {.what = what,
                                .by = event->by,
                                .by_name = record_name(services, event->by),
                                .why = event->reason,
                                .count = event->number};
    if (!event->by && !event->reason) {
        entry.why = "the state file could not be read: nobody can tell whether it was locked";
    }
    add(services, &entry, event);
}

/* ---- of a session ----------------------------------------------------------- */

static const struct services *services_of(const struct session *session)
{
    return session_terms(session)->services;
}

static void on_parked(const struct session_event *event)
{
    struct audit_entry entry = record_entry(AUDIT_SESSION_PARKED, session_terms(event->session));
    struct parked_view parked[PARKED_MAX];
    unsigned count = session_parked(event->session, parked), i = 0;
    while (i < count && parked[i].number != event->number) {
        i++;
    }
    entry.number = event->number;
    if (i < count) { /* or it has left already */
        entry.address = &parked[i].from;
        entry.client = parked[i].words;
    }
    add(services_of(event->session), &entry, event);
}

static void on_decided(enum audit_event what, const struct session_event *event)
{
    const struct services *services = services_of(event->session);
    struct audit_entry entry = record_entry(what, session_terms(event->session));
    entry.address = event->address;
    entry.number = event->number;
    entry.word = event->word;
    entry.by = event->by;
    entry.by_name = record_name(services, event->by);
    add(services, &entry, event);
}

static void on_connected(enum audit_event what, const struct session_event *event)
{
    struct audit_entry entry = record_entry(what, session_terms(event->session));
    entry.address = event->view->has_client ? &event->view->client : NULL;
    add(services_of(event->session), &entry, event);
}

/* One record for each reason; the last of them says where most came from. */
static void record_strangers(const struct session_event *event)
{
    const struct strangers *strangers = front_strangers(session_front(event->session));
    const struct knocking *knocking = &event->view->knocking;
    struct audit_entry entry = record_entry(AUDIT_SESSION_VISITORS, session_terms(event->session));
    entry.text = knocking->busiest_count > 0 ? knocking->busiest[0].network : NULL;
    for (enum stranger_reason reason = 0; reason < STRANGER_REASONS; reason++) {
        entry.word = stranger_word(reason);
        entry.why = stranger_clause(reason);
        entry.count = strangers->counts[reason];
        if (entry.count > 0) {
            add(services_of(event->session), &entry, event);
        }
    }
}

/* One whose user was never told that it is open was refused. */
static void on_ended(const struct session_event *event)
{
    const struct session_view *view = event->view;
    bool was_open = view->was_ready || view->end == SESSION_END_AUDIT;
    struct audit_entry entry = record_entry(was_open ? AUDIT_SESSION_ENDED : AUDIT_SESSION_REFUSED,
                                            session_terms(event->session));
    char buffer[512];
    struct text how = text_over(buffer, sizeof buffer);
    session_end_text(event->session, &how);
    record_strangers(event);
    entry.word = session_end_word(view->end);
    entry.why = buffer;
    entry.rule = session_terms(event->session)->rule_line;
    entry.address = view->connected_unix ? &view->client : NULL;
    entry.by = view->ended_by;
    entry.by_name = record_name(services_of(event->session), view->ended_by);
    entry.is_over = was_open;
    entry.seconds = view->seconds_connected;
    entry.to_target = view->bytes_to_target;
    entry.to_client = view->bytes_to_client;
    entry.connections = view->connections_total;
    add(services_of(event->session), &entry, event);
}

static void on_changed(const struct session_event *event)
{
    if (event->to == SESSION_ENDED) {
        on_ended(event);
    } else if (event->to == SESSION_CONNECTED) {
        on_connected(event->from == SESSION_RECONNECTING ? AUDIT_SESSION_RECONNECTED
                                                         : AUDIT_SESSION_CONNECTED,
                     event);
    } else if (event->from == SESSION_CONNECTED) {
        on_connected(AUDIT_SESSION_DISCONNECTED, event);
    }
}

/* ---- all of it -------------------------------------------------------------- */

static void on_event(void *arg, const struct session_event *event)
{
    const struct services *services = arg;
    switch (event->kind) {
    case SESSION_ASKED:
        on_asked(services, event);
        break;
    case SESSION_REFUSED:
        on_refused(services, event);
        break;
    case SESSION_SERVER_LOCKED:
        on_lock(AUDIT_PANIC_BEGUN, services, event);
        break;
    case SESSION_SERVER_UNLOCKED:
        on_lock(AUDIT_PANIC_ENDED, services, event);
        break;
    case SESSION_CHANGED:
        on_changed(event);
        break;
    case SESSION_PARKED:
        on_parked(event);
        break;
    case SESSION_ADMITTED:
        on_decided(AUDIT_SESSION_ADMITTED, event);
        break;
    case SESSION_LINKED:
        on_decided(AUDIT_SESSION_LINKED, event);
        break;
    case SESSION_SPARED:
        if (event->by) {
            on_decided(AUDIT_SESSION_EXTENDED, event);
        }
        break;
    case SESSION_BLOCKED:
        on_decided(AUDIT_SESSION_BLOCKED, event);
        break;
    default: /* not a thing to look for later, or said by the others */
        break;
    }
}

struct session_watcher session_audit_watcher(struct services *services)
{
    return (struct session_watcher){.event = on_event, .arg = services};
}
