/*
 * Nothing is kept here but the tally of what happened: gauges are read from the parts when somebody
 * asks, so that they cannot be wrong for longer than that. What sessions have carried is that of
 * those that are over (session_tally) and of those that run; a session is one or the other, since
 * the table passes over those that have ended.
 *
 * A scrape comes from the loop, never from inside an event: it sees everything settled.
 */
#include "vps/figures/figures.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "vps/figures/session_tally.h"
#include "vps/session/entrance.h"

struct figures {
    struct figures_options options;
    struct session_tally tally;
    uint64_t woken[WAKING_EXPIRED]; /* machines that were to wake, by what came of it */
};

/* ---- sessions ------------------------------------------------------------- */

/* What those that run add up to. */
struct running {
    uint64_t sessions[SESSION_ENDED][KIND_COUNT];
    uint64_t connections, parked;
    uint64_t bytes_to_target, bytes_to_client;
    uint64_t strangers[STRANGER_REASONS];
};

static void add_strangers(struct running *running, const struct strangers *strangers)
{
    for (unsigned i = 0; i < STRANGER_REASONS; i++) {
        running->strangers[i] += strangers->counts[i];
    }
}

static struct running add_up(struct sessions *sessions)
{
    struct running running = {0};
    struct session *session = NULL;
    while ((session = sessions_next(sessions, session))) {
        struct session_view view;
        session_view(session, &view);
        running.sessions[view.state][view.kind]++;
        running.connections += view.connections;
        running.parked += view.parked_count;
        running.bytes_to_target += view.bytes_to_target;
        running.bytes_to_client += view.bytes_to_client;
        add_strangers(&running, session_strangers(session));
    }
    return running;
}

static void measure_states(const struct running *running, struct metrics *metrics)
{
    metrics_family(metrics, METRICS_GAUGE, "pamtunnel_sessions",
                   "Sessions that are open, by state and kind.");
    for (unsigned state = 0; state < SESSION_ENDED; state++) {
        for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
            metrics_add(metrics, running->sessions[state][kind], "state",
                        session_state_name((enum session_state)state), "kind",
                        kind_name((enum kind)kind), NULL);
        }
    }
}

static void measure_strangers(const struct session_tally *past, const struct running *running,
                              struct metrics *metrics)
{
    metrics_family(metrics, METRICS_COUNTER, "pamtunnel_strangers",
                   "Clients at sessions' ports that were not let in, by reason.");
    for (unsigned i = 0; i < STRANGER_REASONS; i++) {
        metrics_add(metrics, past->strangers[i] + running->strangers[i], "reason",
                    stranger_word((enum stranger_reason)i), NULL);
    }
}

static void measure_holds(struct holds *holds, struct metrics *metrics)
{
    struct hold *hold = NULL;
    unsigned count = 0;
    while (holds && (hold = holds_next(holds, hold))) {
        count++;
    }
    metrics_one(metrics, METRICS_GAUGE, "pamtunnel_requests_on_hold",
                "Requests that wait for approvals or a second factor.", count);
}

static void measure_wakings(const struct figures *figures, struct metrics *metrics)
{
    metrics_family(metrics, METRICS_COUNTER, "pamtunnel_wakings",
                   "Machines that were to wake, once for each who wanted it, by what came of it.");
    for (unsigned state = WAKING_AWAKE; state < WAKING_EXPIRED; state++) {
        metrics_add(metrics, figures->woken[state], "result",
                    waking_state_name((enum waking_state)state), NULL);
    }
}

static void measure_entrance(struct sessions *sessions, struct metrics *metrics)
{
    const uint64_t *counts = sessions_entrance_counts(sessions);
    if (!counts) {
        return;
    }
    metrics_family(metrics, METRICS_COUNTER, "pamtunnel_entrance",
                   "Clients at ENTRANCE_PORT: that went on to their session, and that were "
                   "dropped, by reason.");
    for (unsigned i = 0; i < ENTRANCE_RESULTS; i++) {
        metrics_add(metrics, counts[i], "result", entrance_word((enum entrance_result)i), NULL);
    }
}

static void measure_sessions(const struct figures *figures, struct metrics *metrics)
{
    struct sessions *sessions = figures->options.sessions;
    const struct session_tally *past = &figures->tally;
    const struct running running = add_up(sessions);
    measure_states(&running, metrics);
    metrics_one(metrics, METRICS_GAUGE, "pamtunnel_connections",
                "Users' connections, with those whose target is being dialled.",
                running.connections);
    metrics_one(metrics, METRICS_GAUGE, "pamtunnel_clients_waiting",
                "Unknown clients that a person is asked about.", running.parked);
    measure_holds(figures->options.holds, metrics);
    metrics_one(metrics, METRICS_GAUGE, "pamtunnel_relay_pairs",
                "Pairs of connections that the relay carries.", sessions_relay_pairs(sessions));
    metrics_one(metrics, METRICS_GAUGE, "pamtunnel_draining", "1 while no new session is opened.",
                sessions_are_draining(sessions));
    metrics_family(metrics, METRICS_COUNTER, "pamtunnel_relayed_bytes",
                   "Bytes that were carried, by direction.");
    metrics_add(metrics, past->bytes_to_target + running.bytes_to_target, "to", "target", NULL);
    metrics_add(metrics, past->bytes_to_client + running.bytes_to_client, "to", "client", NULL);
    measure_strangers(past, &running, metrics);
    session_tally_measure(past, metrics);
    measure_entrance(sessions, metrics);
}

/* ---- gateways ------------------------------------------------------------- */

static void measure_presence(const struct gateways *gateways, struct metrics *metrics)
{
    const struct gateway *gateway = NULL;
    struct gateway_view view;
    struct attendance_away away;
    unsigned at = 0;
    metrics_family(metrics, METRICS_GAUGE, "pamtunnel_gateway_up",
                   "1 of a gateway that is online, 0 of one that was here or has a key of its "
                   "own.");
    while ((gateway = gateways_next(gateways, gateway))) {
        gateway_view(gateway, &view);
        metrics_add(metrics, 1, "gateway", view.name, NULL);
    }
    while (attendance_next_away(gateways_attendance(gateways), clock_ms(), &at, &away)) {
        metrics_add(metrics, 0, "gateway", away.name, NULL);
    }
}

static void measure_gateways(const struct gateways *gateways, struct metrics *metrics)
{
    const struct gateway *gateway = NULL;
    struct gateway_view view;
    unsigned online = 0;
    metrics_family(metrics, METRICS_GAUGE, "pamtunnel_gateway_round_trip_seconds",
                   "The last round trip to a gateway and back; absent before one was measured.");
    while ((gateway = gateways_next(gateways, gateway))) {
        gateway_view(gateway, &view);
        if (view.rtt_us > 0) {
            metrics_add_us(metrics, view.rtt_us, "gateway", view.name, NULL);
        }
        online++;
    }
    metrics_one(metrics, METRICS_GAUGE, "pamtunnel_gateways", "Gateways that are online.", online);
    measure_presence(gateways, metrics);
    metrics_one(metrics, METRICS_COUNTER, "pamtunnel_control_port_failures",
                "Connections at the control port that came to no login.",
                gateways_failures(gateways));
}

/* ---- the bot and the state file -------------------------------------------- */

/* How long it has heard nothing; the reason goes to `text`. */
static uint64_t deaf_for(const struct figures *figures, struct text *text)
{
    const struct transport *transport = figures->options.transport;
    return transport ? transport_trouble(transport, text) : 0;
}

static void measure_bot(const struct figures *figures, struct metrics *metrics)
{
    const struct transport *transport = figures->options.transport;
    char reason[256];
    struct text text = text_over(reason, sizeof reason);
    if (!transport) {
        return;
    }
    metrics_one(metrics, METRICS_GAUGE, "pamtunnel_bot_up", "1 while Telegram answers.",
                transport_is_online(transport));
    metrics_one(metrics, METRICS_GAUGE, "pamtunnel_bot_deaf_seconds",
                "How long nothing could be received from Telegram; 0 if all is well.",
                deaf_for(figures, &text));
    transport_measure(transport, metrics);
}

static void measure_store(struct store *store, struct metrics *metrics)
{
    const struct store_view view = store_view(store);
    metrics_one(metrics, METRICS_GAUGE, "pamtunnel_store_up",
                "1 while the state file can be written.", view.trouble == 0);
    metrics_one(metrics, METRICS_GAUGE, "pamtunnel_store_waiting",
                "Changes that are not in the state file yet.", view.changes);
    metrics_one(metrics, METRICS_GAUGE, "pamtunnel_audit_waiting",
                "Records that are not in the audit yet.", view.records);
    metrics_family(metrics, METRICS_GAUGE, "pamtunnel_store_delay_seconds",
                   "How long the oldest change or record has waited for the disk, or else how long "
                   "the last one took.");
    metrics_add_us(metrics, view.delay_us, NULL);
}

/* ---- who asks ------------------------------------------------------------- */

static void measure(void *arg, struct metrics *metrics)
{
    const struct figures *figures = arg;
    measure_sessions(figures, metrics);
    measure_wakings(figures, metrics);
    measure_gateways(figures->options.gateways, metrics);
    measure_bot(figures, metrics);
    measure_store(figures->options.store, metrics);
}

static void complain_of_bot(const struct figures *figures, struct text *text)
{
    char reason[256], span[64];
    struct text why = text_over(reason, sizeof reason), since = text_over(span, sizeof span);
    uint64_t deaf_s = deaf_for(figures, &why);
    if (deaf_s > FIGURES_DEAF_MAX_S) {
        text_add_seconds(&since, deaf_s);
        text_make_visible(reason); /* it may quote a server or a proxy */
        text_add(text, "nothing was received from Telegram for %s: %s\n", span, reason);
    }
}

static void complain(void *arg, struct text *text)
{
    const struct figures *figures = arg;
    const struct store_view store = store_view(figures->options.store);
    complain_of_bot(figures, text);
    if (store.trouble < 0) {
        text_add(text, "the state file cannot be written: %s\n", strerror(-store.trouble));
    }
    if (!gateways_next(figures->options.gateways, NULL)) {
        text_add(text, "no gateway is online\n");
    }
}

struct monitor_subject figures_subject(struct figures *figures)
{
    return (struct monitor_subject){
        .program = "vps-agent", .measure = measure, .complain = complain, .arg = figures};
}

/* ---- life ----------------------------------------------------------------- */

static void on_session_event(void *arg, const struct session_event *event)
{
    struct figures *figures = arg;
    session_tally_event(&figures->tally, event);
}

/* An offer that nobody took is none. */
static void on_waking(void *arg, const struct waking_event *event)
{
    struct figures *figures = arg;
    enum waking_state state = event->view->state;
    if (event->from == WAKING_ASLEEP && !event->is_new && state < WAKING_EXPIRED) {
        figures->woken[state]++;
    }
}

int figures_new(const struct figures_options *options, struct figures **ret_figures)
{
    struct figures *figures = calloc(1, sizeof *figures);
    if (!figures) {
        return -ENOMEM;
    }
    figures->options = *options;
    int err = sessions_watch(options->sessions,
                             (struct session_watcher){.event = on_session_event, .arg = figures});
    if (err == 0 && options->wakings) {
        err = wakings_watch(options->wakings,
                            (struct waking_watcher){.event = on_waking, .arg = figures});
    }
    if (err < 0) {
        figures_free(figures);
        return err;
    }
    *ret_figures = figures;
    return 0;
}

void figures_free(struct figures *figures)
{
    if (figures) {
        sessions_unwatch(figures->options.sessions, figures);
        if (figures->options.wakings) {
            wakings_unwatch(figures->options.wakings, figures);
        }
        free(figures);
    }
}
