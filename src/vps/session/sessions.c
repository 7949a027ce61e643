/*
 * The table of sessions, and what they share. Sessions stand in a list, in the order of opening,
 * and by the number that gateways know them by in buckets; both run through the sessions
 * themselves (session_links()), so that the table needs no memory for one.
 *
 * A session that has ended stays in the table until the loop's turn is over: it may end inside
 * any call, while somebody further up still looks at it. Until then nobody finds it
 * (sessions_next() passes it over), and the reaper frees it from a timer, when nobody is inside.
 */
#include "vps/session/sessions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/timer.h"
#include "base/watch.h"
#include "shared/gateway_name.h"
#include "vps/session/connections.h"
#include "vps/session/explain.h"
#include "vps/session/news.h"
#include "vps/session/permission.h"
#include "vps/session/session_audit.h"
#include "vps/session/session_run.h"
#include "vps/session/sessions_run.h"
#include "vps/session/touched.h"

/* Sessions linger for RECONNECT_GRACE, so that there may be thousands. */
enum { BUCKETS = 256 };

struct sessions {
    struct services services;
    struct session *list, **list_end;   /* in the order of opening */
    struct session *by_number[BUCKETS]; /* by session_links()->same_bucket */
    struct touched *touched;
    unsigned live; /* those in the list that have not ended */
    bool draining;
    struct lockdown *lockdown;
    struct news *news;
    struct watch *relay_watch;
    struct timer *reaper; /* frees ended sessions when nobody is inside one any more */
};

/* ---- events --------------------------------------------------------------- */

int sessions_watch(struct sessions *sessions, struct session_watcher watcher)
{
    return news_watch(sessions->news, watcher);
}

void sessions_unwatch(struct sessions *sessions, const void *arg)
{
    news_unwatch(sessions->news, arg);
}

static void notify(void *arg, const struct session_event *event)
{
    struct sessions *sessions = arg;
    if (event->kind == SESSION_CHANGED && event->to == SESSION_ENDED) {
        sessions->live--;
        timer_set(sessions->reaper, 0);
    }
    news_tell(sessions->news, event);
}

static void on_noted(void *arg, struct session *session)
{
    struct sessions *sessions = arg;
    touched_add(sessions->touched, session);
}

/* What happens without a session. */
static void tell(struct sessions *sessions, struct session_event event)
{
    event.unix_ms = clock_unix_ms();
    news_tell(sessions->news, &event);
}

/* ---- the list ------------------------------------------------------------- */

static struct session *next_of(const struct session *session)
{
    return session_links((struct session *)session)->next;
}

/* It goes through the gateway of this name. */
static bool is_of(const struct session *session, const char *gateway)
{
    return gateway_name_equal(session_terms(session)->gateway, gateway);
}

struct session *sessions_next(struct sessions *sessions, const struct session *after)
{
    struct session *session = after ? next_of(after) : sessions->list;
    while (session && session_has_ended(session)) {
        session = next_of(session);
    }
    return session;
}

struct session *sessions_find(struct sessions *sessions, const char *id)
{
    struct session *session = sessions_next(sessions, NULL);
    while (session && strcmp(session_terms(session)->id, id) != 0) {
        session = sessions_next(sessions, session);
    }
    return session;
}

unsigned sessions_count(const struct sessions *sessions)
{
    return sessions->live;
}

static unsigned count_of_owner(struct sessions *sessions, const struct owner *owner)
{
    unsigned count = 0;
    for (struct session *s = sessions_next(sessions, NULL); s; s = sessions_next(sessions, s)) {
        count += owner_equal(&session_terms(s)->owner, owner);
    }
    return count;
}

static struct session **bucket_of(struct sessions *sessions, uint64_t number)
{
    return &sessions->by_number[number % BUCKETS];
}

static void add(struct sessions *sessions, struct session *session)
{
    struct session_links *links = session_links(session);
    struct session **bucket = bucket_of(sessions, session_terms(session)->number);
    links->same_bucket = *bucket;
    *bucket = session;
    *sessions->list_end = session;
    sessions->list_end = &links->next;
    sessions->live++;
}

static void leave_bucket(struct sessions *sessions, struct session *session)
{
    struct session **at = bucket_of(sessions, session_terms(session)->number);
    while (*at != session) {
        at = &session_links(*at)->same_bucket;
    }
    *at = session_links(session)->same_bucket;
}

static void reap(void *arg)
{
    struct sessions *sessions = arg;
    struct session **at = &sessions->list;
    while (*at) {
        struct session *session = *at;
        struct session_links *links = session_links(session);
        if (session_has_ended(session)) {
            *at = links->next;
            leave_bucket(sessions, session);
            touched_forget(sessions->touched, session);
            session_free(session);
        } else {
            at = &links->next;
        }
    }
    sessions->list_end = at;
}

/* ---- opening -------------------------------------------------------------- */

/* "office/": a gateway, and no machine. */
static int check_target(const struct sessions *sessions, const struct target *target,
                        struct why *why)
{
    const struct attendance *attendance = gateways_attendance(sessions->services.gateways);
    if (!target->slash || target->gateway[0] || !attendance_knows(attendance, target->host)) {
        return 0;
    }
    return why_set(why, -EINVAL,
                   "Which machine? %.64s is a gateway: write %.64s/HOST for a machine behind it, "
                   "or %.64s without the / for one of that name.",
                   target->host, target->host, target->host);
}

/* Whatever is opened now could not be recorded. */
static int check_audit(const struct sessions *sessions, struct why *why)
{
    int err = audit_trouble(sessions->services.audit);
    bool refuses = sessions->services.settings->audit_full == AUDIT_FULL_REFUSE;
    return err < 0 && refuses ? explain_no_audit(err, why) : 0;
}

static int check_limits(struct sessions *sessions, const struct owner *owner, struct why *why)
{
    const struct vps_settings *settings = sessions->services.settings;
    unsigned long most = (unsigned long)settings->max_sessions_per_user;
    if (sessions->live >= most && count_of_owner(sessions, owner) >= most) {
        return why_set(why, -EDQUOT,
                       "You have too many sessions open: %ld is the limit. Close one first.",
                       settings->max_sessions_per_user);
    }
    if (sessions_count(sessions) >= (unsigned long)settings->max_sessions) {
        return why_set(why, -ENFILE,
                       "Too many sessions are open on this server: %ld is the limit. Try again "
                       "later.",
                       settings->max_sessions);
    }
    return 0;
}

/* With the gateway that it is, a rule for another one does not fit any more. */
static int ask_again(struct sessions *sessions, struct session_request *request, const char *said,
                     const struct gateway *gateway, struct why *why)
{
    struct gateway_view view;
    gateway_view(gateway, &view);
    struct text name = text_over(request->target.gateway, sizeof request->target.gateway);
    text_add(&name, "%s", view.name);
    return permission_ask(sessions->services.settings, sessions->services.people, request, said,
                          why);
}

/* All that stands in its way. The consents come last: nobody is asked for what cannot be. */
static int check(struct sessions *sessions, struct session_request *request, const char *said,
                 struct gateway **ret_gateway, struct why *why)
{
    const struct vps_settings *settings = sessions->services.settings;
    if (!sessions->services.gateways) {
        return why_set(why, -ENOTCONN, "The server is being stopped. Try again in a moment.");
    }
    int err = lockdown_check(sessions->lockdown, sessions->services.people, why);
    if (err < 0) {
        return err;
    }
    if (sessions->draining) {
        return why_set(why, -ESHUTDOWN,
                       "The server is about to be restarted and opens no new sessions. Try again "
                       "in a few minutes.");
    }
    err = check_limits(sessions, &request->owner, why);
    err = err < 0 ? err : check_audit(sessions, why);
    err = err < 0 ? err : permission_resolve(settings, request, why);
    err = err < 0 ? err : check_target(sessions, &request->target, why);
    err = err < 0 ? err : permission_ask(settings, sessions->services.people, request, said, why);
    if (err == 0 || err == -ENOKEY) {
        err = gateways_pick(sessions->services.gateways, request->target.gateway, ret_gateway, why);
    }
    return err < 0 ? err : ask_again(sessions, request, said, *ret_gateway, why);
}

int sessions_ask(struct sessions *sessions, struct session_request *request, struct why *why)
{
    char said[sizeof request->target.host];
    struct gateway *gateway;
    strcpy(said, request->target.host);
    return check(sessions, request, said, &gateway, why);
}

void sessions_refuse(struct sessions *sessions, const struct session_request *request, int err,
                     const char *reason)
{
    tell(sessions, (struct session_event){
                       .kind = SESSION_REFUSED, .request = request, .err = err, .reason = reason});
}

int sessions_open(struct sessions *sessions, const struct session_request *request,
                  struct session **ret_session, struct why *why)
{
    struct session_request wanted = *request;
    struct gateway *gateway;
    tell(sessions, (struct session_event){.kind = SESSION_ASKED, .request = request});
    int err = check(sessions, &wanted, request->target.host, &gateway, why);
    if (err == 0) {
        err = session_new(&sessions->services, &wanted, gateway, ret_session, why);
    }
    if (err == -ENOKEY) { /* that is no answer yet */
        return err;
    }
    if (err < 0) {
        sessions_refuse(sessions, &wanted, err, why->text);
        return err;
    }
    add(sessions, *ret_session);
    if (wanted.reason[0]) {
        log_info(sessions->services.log, "session %s: why: %s", session_terms(*ret_session)->id,
                 wanted.reason);
    }
    session_tell(*ret_session, (struct session_event){.kind = SESSION_OPENED, .request = &wanted});
    return 0;
}

bool sessions_expect_gateway(const struct sessions *sessions, const struct target *target)
{
    const struct gateways *gateways = sessions->services.gateways;
    return gateways && !sessions->draining && !lockdown_view(sessions->lockdown, NULL) &&
           gateways_expect(gateways, target->gateway);
}

unsigned sessions_gateways(const struct sessions *sessions, const char *ret_names[], unsigned most)
{
    const struct gateways *gateways = sessions->services.gateways;
    struct gateway *gateway = NULL;
    unsigned count = 0;
    while (gateways && (gateway = gateways_next(gateways, gateway))) {
        struct gateway_view view;
        gateway_view(gateway, &view);
        if (count < most) {
            ret_names[count] = view.name;
        }
        count++;
    }
    return count;
}

const struct gateways *sessions_all_gateways(const struct sessions *sessions)
{
    return sessions->services.gateways;
}

void sessions_drain(struct sessions *sessions, bool on)
{
    sessions->draining = on;
}

bool sessions_are_draining(const struct sessions *sessions)
{
    return sessions->draining;
}

bool sessions_lock(struct sessions *sessions, const struct owner *by, unsigned *ret_ended)
{
    *ret_ended = sessions->live;
    if (!lockdown_begin(sessions->lockdown, by, sessions->live)) {
        return false;
    }
    for (struct session *s = sessions_next(sessions, NULL); s; s = sessions_next(sessions, s)) {
        session_end_by(s, SESSION_END_LOCKED, by);
    }
    return true;
}

bool sessions_unlock(struct sessions *sessions, const struct owner *by)
{
    return lockdown_lift(sessions->lockdown, by);
}

const struct lockdown *sessions_lockdown(const struct sessions *sessions)
{
    return sessions->lockdown;
}

/* ---- gateways ------------------------------------------------------------- */

/* NULL if there is none. A gateway speaks for its own sessions only. */
static struct session *session_of(struct sessions *sessions, const char *gateway, uint64_t number)
{
    struct session *session = *bucket_of(sessions, number);
    while (session && (session_terms(session)->number != number || !is_of(session, gateway))) {
        session = session_links(session)->same_bucket;
    }
    return session && !session_has_ended(session) ? session : NULL;
}

static void on_tunnel_ready(struct sessions *sessions, const char *gateway,
                            const struct message_tunnel_ready *ready)
{
    struct session *session = session_of(sessions, gateway, ready->session);
    if (session) {
        session_on_tunnel_ready(session, ready);
    }
}

static void on_tunnel_failed(struct sessions *sessions, const char *gateway,
                             const struct message_tunnel_failed *failed)
{
    struct session *session = session_of(sessions, gateway, failed->session);
    if (session) {
        session_on_tunnel_failed(session, failed);
    }
}

/* Without an on_NAME() for each message that a gateway may send, this does not compile. */
static void on_message(void *arg, const char *gateway, const struct message *message)
{
    switch (message->type) {
#define MESSAGE_OF_GATEWAY(NAME, name)           \
    case MESSAGE_##NAME:                         \
        on_##name(arg, gateway, &message->name); \
        break;
#include "control/messages.def"
    default: /* no other comes from a gateway */
        break;
    }
}

static void on_gateway_lost(void *arg, const char *gateway)
{
    struct sessions *sessions = arg;
    tell(sessions, (struct session_event){.kind = SESSION_GATEWAY_WENT, .gateway = gateway});
    for (struct session *s = sessions_next(sessions, NULL); s; s = sessions_next(sessions, s)) {
        if (is_of(s, gateway)) {
            session_on_gateway_lost(s);
        }
    }
}

static void on_gateway_removed(void *arg, const char *gateway)
{
    struct sessions *sessions = arg;
    for (struct session *s = sessions_next(sessions, NULL); s; s = sessions_next(sessions, s)) {
        if (is_of(s, gateway)) {
            session_end(s, SESSION_END_GATEWAY_REMOVED);
        }
    }
}

static void on_links_ended(void *arg, int events)
{
    struct sessions *sessions = arg;
    (void)events;
    struct link *link;
    while ((link = relay_take_ended(sessions->services.relay))) {
        connections_on_link_ended(link);
        link_free(link);
    }
}

static void on_gateway_online(void *arg, const char *gateway)
{
    struct sessions *sessions = arg;
    for (struct session *s = sessions_next(sessions, NULL); s; s = sessions_next(sessions, s)) {
        if (is_of(s, gateway)) {
            session_on_gateway_online(s);
        }
    }
    /* Last: a session that a watcher opens now is of this login. */
    const struct gateway *there = gateways_find(sessions->services.gateways, gateway);
    struct gateway_view view;
    if (there) {
        gateway_view(there, &view);
    }
    tell(sessions, (struct session_event){.kind = SESSION_GATEWAY_CAME,
                                          .gateway = gateway,
                                          .address = there ? &view.from : NULL});
}

struct gateways_events sessions_gateway_events(struct sessions *sessions)
{
    return (struct gateways_events){.received = on_message,
                                    .online = on_gateway_online,
                                    .lost = on_gateway_lost,
                                    .removed = on_gateway_removed,
                                    .arg = sessions};
}

void sessions_use_gateways(struct sessions *sessions, struct gateways *gateways)
{
    sessions->services.gateways = gateways;
}

int sessions_use_audit(struct sessions *sessions, struct audit *audit)
{
    sessions->services.audit = audit;
    return sessions_watch(sessions, session_audit_watcher(&sessions->services));
}

/* ---- life ----------------------------------------------------------------- */

int sessions_new(const struct sessions_options *options, struct sessions **ret_sessions,
                 struct why *why)
{
    uv_loop_t *loop = options->loop;
    const struct vps_settings *settings = options->settings;
    struct sessions *sessions = calloc(1, sizeof *sessions);
    if (!sessions) {
        return why_set(why, -ENOMEM, "out of memory");
    }
    sessions->list_end = &sessions->list;
    struct services *services = &sessions->services;
    *services = (struct services){.loop = loop,
                                  .log = options->log,
                                  .settings = settings,
                                  .people = options->people,
                                  .notify = notify,
                                  .touched = on_noted,
                                  .arg = sessions};
    services->sieve = sieve_new(loop, options->log, SIEVE_BURST, SIEVE_REFILL_MS);
    const struct lockdown_options locking = {
        .store = options->store, .log = options->log, .tell = notify, .arg = sessions};
    sessions->lockdown = lockdown_new(&locking);
    services->known = known_new(options->store, settings->known_days);
    services->lately = lately_new();
    sessions->news = news_new();
    sessions->touched = touched_new(loop);
    sessions->reaper = timer_new(loop, reap, sessions);
    int err = ports_new(settings->bind_address, settings->port_range_start,
                        settings->port_range_end, &services->ports);
    if (err == 0) {
        err = relay_new((unsigned)settings->common.relay_workers, &services->relay);
    }
    if (err == 0) {
        relay_keep_heads(services->relay); /* for lastwords.h */
        sessions->relay_watch = watch_new(loop, relay_events_fd(services->relay), on_links_ended,
                                          sessions);
    }
    if (err < 0 || !services->sieve || !services->known || !services->lately || !sessions->news ||
        !sessions->lockdown || !sessions->touched || !sessions->reaper || !sessions->relay_watch) {
        sessions_free(sessions);
        return why_set(why, err < 0 ? err : -ENOMEM, "cannot start the relay: %s",
                       strerror(err < 0 ? -err : ENOMEM));
    }
    lately_learn(services->lately, services->known);
    sessions_choose_congestion(sessions);
    watch_set(sessions->relay_watch, WATCH_READ);
    *ret_sessions = sessions;
    return 0;
}

int sessions_use_ports(struct sessions *sessions, uint16_t first, uint16_t last)
{
    return ports_use_range(sessions->services.ports, first, last);
}

static void end_without_right(struct session *session, const struct services *services)
{
    const struct vps_settings *settings = services->settings;
    if (!settings->local && !people_has(services->people, &session_terms(session)->owner)) {
        session_end(session, SESSION_END_USER_REMOVED);
    } else if (services->gateways && !keyring_has(gateways_keyring(services->gateways),
                                                  session_terms(session)->gateway)) {
        session_end(session, SESSION_END_GATEWAY_REMOVED);
    } else if (!permission_holds(settings, services->people, session_terms(session))) {
        session_end(session, SESSION_END_RULE_REMOVED);
    }
}

void sessions_settings_changed(struct sessions *sessions)
{
    const struct vps_settings *settings = sessions->services.settings;
    known_set_days(sessions->services.known, settings->known_days);
    for (struct session *s = sessions_next(sessions, NULL); s; s = sessions_next(sessions, s)) {
        end_without_right(s, &sessions->services);
    }
}

void sessions_choose_congestion(struct sessions *sessions)
{
    struct services *services = &sessions->services;
    congestion_update(&services->congestion, services->settings->common.congestion_control,
                      services->log);
}

void sessions_end_all(struct sessions *sessions)
{
    for (struct session *s = sessions_next(sessions, NULL); s; s = sessions_next(sessions, s)) {
        session_end(s, SESSION_END_SHUTDOWN);
    }
}

struct known *sessions_known(struct sessions *sessions)
{
    return sessions->services.known;
}

bool sessions_relay_is_alive(struct sessions *sessions)
{
    return relay_is_alive(sessions->services.relay);
}

unsigned sessions_relay_pairs(const struct sessions *sessions)
{
    return relay_running(sessions->services.relay);
}

/* Takes back every link before the relay goes: their connections are ours. */
static void stop_relay(struct sessions *sessions)
{
    if (sessions->services.relay) {
        relay_stop(sessions->services.relay);
        on_links_ended(sessions, 0);
        relay_free(sessions->services.relay);
    }
}

void sessions_free(struct sessions *sessions)
{
    if (!sessions) {
        return;
    }
    reap(sessions);
    watch_free(sessions->relay_watch);
    touched_free(sessions->touched);
    timer_free(sessions->reaper);
    stop_relay(sessions);
    ports_free(sessions->services.ports);
    lockdown_free(sessions->lockdown);
    known_free(sessions->services.known);
    lately_free(sessions->services.lately);
    door_total_done(&sessions->services.door_total);
    sieve_free(sessions->services.sieve);
    news_free(sessions->news);
    free(sessions);
}
