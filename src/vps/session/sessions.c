#include "vps/session/sessions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shared/gateway_name.h"
#include "vps/session/session_core.h"
#include "vps/session/sessions_run.h"

/* An event that is being told, or waits for its turn. */
struct news {
    struct news *next;
    struct session *session;
    enum session_event event;
    unsigned number;
};

/* Sessions linger for RECONNECT_GRACE, so that there may be thousands. */
enum { BUCKETS = 256 };

struct sessions {
    struct session_services services;
    struct session *list, **list_end;   /* in the order of opening */
    struct session *by_number[BUCKETS]; /* by session->same_bucket */
    struct session *noted;              /* those with note_is_new, by session->next_noted */
    unsigned live;                      /* those in the list that have not ended */
    struct session_watcher watchers[SESSION_WATCHERS_MAX];
    unsigned watcher_count;
    bool draining;
    struct news *news; /* the first one is being told */
    struct watch *relay_watch;
    struct timer *notes;  /* tells of new notes */
    struct timer *reaper; /* frees ended sessions when nobody is inside one any more */
};

/* ---- watchers ------------------------------------------------------------- */

static void tell(struct sessions *sessions, struct session *session, enum session_event event,
                 unsigned number)
{
    for (unsigned i = 0; i < sessions->watcher_count; i++) {
        sessions->watchers[i].event(sessions->watchers[i].arg, session, event, number);
    }
    if (session->state == SESSION_ENDED) {
        timer_set(sessions->reaper, 0);
    }
}

/* What a watcher causes while it is told of something waits until all have heard of that. */
static void notify(void *arg, struct session *session, enum session_event event, unsigned number)
{
    struct sessions *sessions = arg;
    struct news *news = malloc(sizeof *news), **end = &sessions->news;
    sessions->live -= event == SESSION_CHANGED && number == SESSION_ENDED;
    if (!news) {
        tell(sessions, session, event, number); /* out of order, but not lost */
        return;
    }
    *news = (struct news){NULL, session, event, number};
    bool telling = sessions->news != NULL;
    while (*end) {
        end = &(*end)->next;
    }
    *end = news;
    while (!telling && sessions->news) {
        tell(sessions, sessions->news->session, sessions->news->event, sessions->news->number);
        news = sessions->news;
        sessions->news = news->next;
        free(news);
    }
}

/* From the loop, since notes are made in the middle of things. */
static void tell_notes(void *arg)
{
    struct sessions *sessions = arg;
    struct session *session, *noted = sessions->noted;
    sessions->noted = NULL;
    while ((session = noted)) {
        noted = session->next_noted;
        session->note_is_new = false;
        if (session->state != SESSION_ENDED) {
            notify(sessions, session, SESSION_NOTED, 0);
        }
    }
}

static struct session **find_noted(struct sessions *sessions, const struct session *session)
{
    struct session **at = &sessions->noted;
    while (*at && *at != session) {
        at = &(*at)->next_noted;
    }
    return at;
}

static void on_noted(void *arg, struct session *session)
{
    struct sessions *sessions = arg;
    session->next_noted = NULL;
    *find_noted(sessions, NULL) = session;
    timer_set(sessions->notes, 0);
}

int sessions_watch(struct sessions *sessions, struct session_watcher watcher)
{
    if (sessions->watcher_count == SESSION_WATCHERS_MAX) {
        return -ENOSPC;
    }
    sessions->watchers[sessions->watcher_count++] = watcher;
    return 0;
}

void sessions_unwatch(struct sessions *sessions, const void *arg)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < sessions->watcher_count; i++) {
        if (sessions->watchers[i].arg != arg) {
            sessions->watchers[kept++] = sessions->watchers[i];
        }
    }
    sessions->watcher_count = kept;
}

/* ---- the list ------------------------------------------------------------- */

struct session *sessions_next(struct sessions *sessions, const struct session *after)
{
    struct session *session = after ? after->next : sessions->list;
    while (session && session->state == SESSION_ENDED) {
        session = session->next;
    }
    return session;
}

struct session *sessions_find(struct sessions *sessions, const char *id)
{
    struct session *session = sessions_next(sessions, NULL);
    while (session && strcmp(session->id, id) != 0) {
        session = sessions_next(sessions, session);
    }
    return session;
}

unsigned sessions_count(const struct sessions *sessions)
{
    return sessions->live;
}

static unsigned count_of_owner(const struct sessions *sessions, const struct owner *owner)
{
    unsigned count = 0;
    for (const struct session *s = sessions->list; s; s = s->next) {
        count += s->state != SESSION_ENDED && owner_equal(&s->owner, owner);
    }
    return count;
}

static struct session **bucket_of(struct sessions *sessions, uint64_t number)
{
    return &sessions->by_number[number % BUCKETS];
}

static void add(struct sessions *sessions, struct session *session)
{
    struct session **bucket = bucket_of(sessions, session->number);
    session->same_bucket = *bucket;
    *bucket = session;
    *sessions->list_end = session;
    sessions->list_end = &session->next;
    sessions->live++;
}

static void leave_bucket(struct sessions *sessions, const struct session *session)
{
    struct session **at = bucket_of(sessions, session->number);
    while (*at != session) {
        at = &(*at)->same_bucket;
    }
    *at = session->same_bucket;
}

static void reap(void *arg)
{
    struct sessions *sessions = arg;
    struct session **at = &sessions->list;
    while (*at) {
        struct session *session = *at;
        if (session->state == SESSION_ENDED) {
            *at = session->next;
            leave_bucket(sessions, session);
            if (session->note_is_new) {
                *find_noted(sessions, session) = session->next_noted;
            }
            session_free(session);
        } else {
            at = &session->next;
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

static int check_limits(const struct sessions *sessions, const struct owner *owner, struct why *why)
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

int sessions_open(struct sessions *sessions, const struct session_request *request,
                  struct session **ret_session, struct why *why)
{
    struct gateway *gateway;
    struct session *session;
    if (!sessions->services.gateways) {
        return why_set(why, -ENOTCONN, "The server is being stopped. Try again in a moment.");
    }
    if (sessions->draining) {
        return why_set(why, -ESHUTDOWN,
                       "The server is about to be restarted and opens no new sessions. Try again "
                       "in a few minutes.");
    }
    int err = check_limits(sessions, &request->owner, why);
    err = err < 0 ? err : check_target(sessions, &request->target, why);
    if (err == 0) {
        err = gateways_pick(sessions->services.gateways, request->target.gateway, &gateway, why);
    }
    if (err == 0) {
        err = session_new(&sessions->services, request, gateway, &session, why);
    }
    if (err < 0) {
        return err;
    }
    add(sessions, session);
    *ret_session = session;
    return 0;
}

bool sessions_expect_gateway(const struct sessions *sessions, const struct target *target)
{
    const struct gateways *gateways = sessions->services.gateways;
    return gateways && !sessions->draining && gateways_expect(gateways, target->gateway);
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

void sessions_drain(struct sessions *sessions, bool on)
{
    sessions->draining = on;
}

bool sessions_are_draining(const struct sessions *sessions)
{
    return sessions->draining;
}

/* ---- events --------------------------------------------------------------- */

/* NULL if there is none. A gateway speaks for its own sessions only. */
static struct session *session_of(struct sessions *sessions, const char *gateway, uint64_t number)
{
    struct session *session = *bucket_of(sessions, number);
    while (session &&
           (session->number != number || !gateway_name_equal(session->gateway, gateway))) {
        session = session->same_bucket;
    }
    return session && session->state != SESSION_ENDED ? session : NULL;
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
    for (struct session *s = sessions_next(sessions, NULL); s; s = sessions_next(sessions, s)) {
        if (gateway_name_equal(s->gateway, gateway)) {
            session_on_gateway_lost(s);
        }
    }
}

static void on_links_ended(void *arg, int events)
{
    struct sessions *sessions = arg;
    (void)events;
    struct link *link;
    while ((link = relay_take_ended(sessions->services.relay))) {
        struct connection *connection = link_arg(link);
        if (connection->session) {
            session_on_link_ended(connection->session, connection);
        }
        free(connection);
        link_free(link);
    }
}

static void on_gateway_online(void *arg, const char *gateway)
{
    struct sessions *sessions = arg;
    for (struct session *s = sessions_next(sessions, NULL); s; s = sessions_next(sessions, s)) {
        if (gateway_name_equal(s->gateway, gateway)) {
            session_on_gateway_online(s);
        }
    }
}

struct gateways_events sessions_gateway_events(struct sessions *sessions)
{
    return (struct gateways_events){.received = on_message,
                                    .online = on_gateway_online,
                                    .lost = on_gateway_lost,
                                    .arg = sessions};
}

void sessions_use_gateways(struct sessions *sessions, struct gateways *gateways)
{
    sessions->services.gateways = gateways;
}

/* ---- life ----------------------------------------------------------------- */

int sessions_new(uv_loop_t *loop, const struct log *log, const struct vps_settings *settings,
                 struct store *store, struct sessions **ret_sessions, struct why *why)
{
    struct sessions *sessions = calloc(1, sizeof *sessions);
    if (!sessions) {
        return why_set(why, -ENOMEM, "out of memory");
    }
    sessions->list_end = &sessions->list;
    struct session_services *services = &sessions->services;
    *services = (struct session_services){.loop = loop,
                                          .log = log,
                                          .settings = settings,
                                          .notify = notify,
                                          .noted = on_noted,
                                          .arg = sessions};
    services->sieve = sieve_new(loop, log, SIEVE_BURST, SIEVE_REFILL_MS);
    services->known = known_new(store, settings->known_days);
    services->lately = lately_new();
    sessions->notes = timer_new(loop, tell_notes, sessions);
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
    if (err < 0 || !services->sieve || !services->known || !services->lately || !sessions->notes ||
        !sessions->reaper || !sessions->relay_watch) {
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

static void end_without_right(struct session *session, const struct vps_settings *settings)
{
    bool of_user = session->owner.kind == OWNER_TELEGRAM;
    if (of_user && !settings->local &&
        !user_list_has(&settings->allowed_users, session->owner.id)) {
        session_end(session, SESSION_END_USER_REMOVED);
    } else if (!key_list_find(&settings->tunnel_key, session->gateway)) {
        session_end(session, SESSION_END_GATEWAY_REMOVED);
    }
}

void sessions_settings_changed(struct sessions *sessions)
{
    const struct vps_settings *settings = sessions->services.settings;
    known_set_days(sessions->services.known, settings->known_days);
    for (struct session *s = sessions_next(sessions, NULL); s; s = sessions_next(sessions, s)) {
        end_without_right(s, settings);
    }
}

void sessions_choose_congestion(struct sessions *sessions)
{
    struct session_services *services = &sessions->services;
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
    timer_free(sessions->notes);
    timer_free(sessions->reaper);
    stop_relay(sessions);
    ports_free(sessions->services.ports);
    known_free(sessions->services.known);
    lately_free(sessions->services.lately);
    door_total_done(&sessions->services.door_total);
    sieve_free(sessions->services.sieve);
    free(sessions);
}
