/*
 * All sessions, what they share, and what is asked and told of all of them. They stand in the
 * table; the clearance says whether one may be opened; gateway_reports brings them what gateways
 * report. One that has ended is freed by the reaper, a timer, when nobody is inside it any more.
 */
#include "vps/session/sessions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/timer.h"
#include "base/watch.h"
#include "vps/admission/https.h"
#include "vps/session/clearance.h"
#include "vps/session/connections.h"
#include "vps/session/entrance.h"
#include "vps/session/explain.h"
#include "vps/session/gateway_reports.h"
#include "vps/session/news.h"
#include "vps/session/permission.h"
#include "vps/session/record.h"
#include "vps/session/session_audit.h"
#include "vps/session/session_run.h"
#include "vps/session/sessions_run.h"
#include "vps/session/table.h"
#include "vps/session/touched.h"

struct sessions {
    struct services services;
    struct table table;
    struct clearance clearance;
    struct gateway_reports reports;
    struct touched *touched;
    struct lockdown *lockdown;
    struct news *news;
    struct entrance *entrance; /* NULL: there is none */
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
        table_count_out(&sessions->table);
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

/* ---- which there are ------------------------------------------------------ */

struct session *sessions_next(struct sessions *sessions, const struct session *after)
{
    return table_next(&sessions->table, after);
}

struct session *sessions_find(struct sessions *sessions, const char *id)
{
    return table_find(&sessions->table, id);
}

unsigned sessions_count(const struct sessions *sessions)
{
    return sessions->table.live;
}

static void reap(void *arg)
{
    struct sessions *sessions = arg;
    struct session *session, *next = table_take_ended(&sessions->table);
    while ((session = next)) {
        next = session_links(session)->next;
        touched_forget(sessions->touched, session);
        session_free(session);
    }
}

/* ---- opening -------------------------------------------------------------- */

int sessions_ask(struct sessions *sessions, struct session_request *request, struct why *why)
{
    char said[sizeof request->target.host];
    struct gateway *gateway;
    strcpy(said, request->target.host);
    return clearance_check(&sessions->clearance, request, said, &gateway, why);
}

int sessions_ask_reach(struct sessions *sessions, struct session_request *request, struct why *why)
{
    char said[sizeof request->target.host];
    struct gateway *gateway;
    strcpy(said, request->target.host);
    return clearance_check_reach(&sessions->clearance, request, said, &gateway, why);
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
    int err = clearance_check(&sessions->clearance, &wanted, request->target.host, &gateway, why);
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
    table_add(&sessions->table, *ret_session);
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
    return gateways && !sessions->clearance.draining && !lockdown_view(sessions->lockdown, NULL) &&
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

int sessions_discover(struct sessions *sessions, const char *gateway, const struct owner *by,
                      discovery_fn fn, void *arg, struct why *why)
{
    if (!sessions->services.gateways) {
        return why_set(why, -ENOTCONN, "The server is being stopped. Try again in a moment.");
    }
    int err = lockdown_check(sessions->clearance.lockdown, sessions->services.people, why);
    if (err < 0) {
        return err;
    }
    return gateways_discover(sessions->services.gateways, gateway, by, fn, arg, NULL, why);
}

void sessions_drain(struct sessions *sessions, bool on)
{
    sessions->clearance.draining = on;
}

bool sessions_are_draining(const struct sessions *sessions)
{
    return sessions->clearance.draining;
}

bool sessions_lock(struct sessions *sessions, const struct owner *by, unsigned *ret_ended)
{
    *ret_ended = sessions->table.live;
    if (!lockdown_begin(sessions->lockdown, by, sessions->table.live)) {
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

struct gateways_events sessions_gateway_events(struct sessions *sessions)
{
    return gateway_reports_events(&sessions->reports);
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

int sessions_new(const struct sessions_options *options, struct sessions **ret_sessions,
                 struct why *why)
{
    uv_loop_t *loop = options->loop;
    const struct vps_settings *settings = options->settings;
    struct sessions *sessions = calloc(1, sizeof *sessions);
    if (!sessions) {
        return why_set(why, -ENOMEM, "out of memory");
    }
    table_init(&sessions->table);
    struct services *services = &sessions->services;
    *services = (struct services){.loop = loop,
                                  .log = options->log,
                                  .settings = settings,
                                  .people = options->people,
                                  .publisher = options->publisher,
                                  .notify = notify,
                                  .touched = on_noted,
                                  .arg = sessions};
    services->sieve = sieve_new(loop, options->log, SIEVE_BURST, SIEVE_REFILL_MS);
    const struct lockdown_options locking = {
        .store = options->store, .log = options->log, .tell = notify, .arg = sessions};
    sessions->lockdown = lockdown_new(&locking);
    sessions->clearance = (struct clearance){
        .services = services, .table = &sessions->table, .lockdown = sessions->lockdown};
    sessions->reports = (struct gateway_reports){.services = services, .table = &sessions->table};
    services->known = known_new(options->store, settings->known_days);
    services->lately = lately_new();
    services->pins = pins_new(options->store);
    services->https = https_new(options->publisher, settings);
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
    if (err < 0 || !services->sieve || !services->known || !services->lately || !services->pins ||
        !services->https || !sessions->news || !sessions->lockdown || !sessions->touched ||
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

/* ---- who targets are ------------------------------------------------------ */

const struct pins *sessions_pins(const struct sessions *sessions)
{
    return sessions->services.pins;
}

bool sessions_may_decide_key(const struct sessions *sessions, const struct pin_doubt *doubt,
                             const struct owner *by)
{
    const struct people *people = sessions->services.people;
    return people_may(people, by, POLICY_ADMINISTRATOR) ||
           (!people_policy(people) && owner_equal(by, &doubt->owner) && people_has(people, by));
}

int sessions_decide_key(struct sessions *sessions, const char *id, bool accept,
                        const struct owner *by, struct why *why)
{
    const struct services *services = &sessions->services;
    const struct pin_doubt *doubt = pins_doubt(services->pins, id);
    int err = accept && services->settings->audit_full == AUDIT_FULL_REFUSE
                  ? audit_trouble(services->audit)
                  : 0;
    if (!doubt) {
        return -ENOENT;
    }
    if (err < 0) {
        return explain_no_audit(err, why);
    }
    struct session_event event = {
        .kind = SESSION_KEY_DECIDED, .by = by, .word = accept ? "accepted" : "left"};
    snprintf(event.doubt, sizeof event.doubt, "%s", id);
    record_decided_key(services, doubt, accept, by);
    tell(sessions, event);
    return accept ? pins_accept(services->pins, event.doubt, clock_unix())
                  : pins_leave(services->pins, event.doubt);
}

static bool is_pin_of(const struct pin *pin, const struct target *target)
{
    return pin->port == target->port && strcasecmp(pin->host, target->host) == 0 &&
           (!target->gateway[0] || gateway_name_equal(pin->gateway, target->gateway));
}

int sessions_forget_keys(struct sessions *sessions, const struct target *target,
                         const struct owner *by, unsigned *ret_forgotten)
{
    const struct services *services = &sessions->services;
    const struct pin *pin;
    unsigned forgotten = 0;
    for (unsigned i = 0; (pin = pins_at(services->pins, i));) {
        if (!is_pin_of(pin, target)) {
            i++;
            continue;
        }
        const struct pin found = *pin; /* the last one takes its place */
        const struct pin_target which = {found.gateway, found.host, found.port, found.kind};
        record_forgotten_key(services, pin, by);
        pins_forget(services->pins, &which);
        forgotten++;
    }
    *ret_forgotten = forgotten;
    return forgotten > 0 ? 0 : -ENOENT;
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
    } else {
        const struct permission_end clock = permission_ends(settings, services->people,
                                                            session_terms(session));
        if (clock.end != SESSION_END_NONE && clock.seconds == 0) {
            session_end(session, clock.end);
        }
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

const uint64_t *sessions_entrance_counts(const struct sessions *sessions)
{
    return sessions->entrance ? entrance_counts(sessions->entrance) : NULL;
}

int sessions_open_entrance(struct sessions *sessions, struct why *why)
{
    const struct vps_settings *settings = sessions->services.settings;
    return settings->entrance_port == 0
               ? 0
               : entrance_new(&sessions->services, &sessions->table, &sessions->entrance, why);
}

void sessions_end_all(struct sessions *sessions)
{
    entrance_free(sessions->entrance);
    sessions->entrance = NULL;
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
    entrance_free(sessions->entrance);
    reap(sessions);
    watch_free(sessions->relay_watch);
    touched_free(sessions->touched);
    timer_free(sessions->reaper);
    stop_relay(sessions);
    ports_free(sessions->services.ports);
    lockdown_free(sessions->lockdown);
    https_free(sessions->services.https);
    known_free(sessions->services.known);
    pins_free(sessions->services.pins);
    lately_free(sessions->services.lately);
    door_total_done(&sessions->services.door_total);
    sieve_free(sessions->services.sieve);
    news_free(sessions->news);
    free(sessions);
}
