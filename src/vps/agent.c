/*
 * The agent owns everything, and wires it: gateways tell the sessions who is there, the bot and the
 * admin socket ask for sessions and watch them, and all of them read the same struct of settings,
 * which a reload changes in place.
 *
 *     confine -> loop -> state, sessions, holds, gateways, bot, admin -> ready -> stop -> finish
 *
 * It stops in two halves. stop() ends the sessions, and with them the ports; the bot then has
 * FAREWELL_MS to tell their users, and finish() takes away what it needed for that. Either half is
 * safe where only some of the parts were made, and stop() may come from the callback of any part
 * that is still there.
 */
#include "vps/agent.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/journal.h"
#include "base/notify.h"
#include "base/signals.h"
#include "control/tls.h"
#include "shared/monitor.h"
#include "shared/program.h"
#include "vps/admin/admin.h"
#include "vps/audit/audit.h"
#include "vps/chat/bot.h"
#include "vps/consent/holds.h"
#include "vps/factor/factors.h"
#include "vps/figures/figures.h"
#include "vps/gateways/gateways.h"
#include "vps/people/people_run.h"
#include "vps/reload.h"
#include "vps/session/sessions_run.h"
#include "vps/store/state.h"
#include "vps/telegram/telegram.h"

/* For the messages that tell users how their sessions ended. */
enum { FAREWELL_MS = 3000, STATUS_MAX = 128 };

struct agent {
    struct vps_settings *settings;
    const char *env_file;
    struct log *log;
    uv_loop_t loop;
    struct signals *signals;
    int reserved; /* STATE_DIR is ours */
    struct store *store;
    struct journal *journal; /* NULL: there is none */
    struct audit *audit;
    struct people *people;
    struct sessions *sessions;
    struct holds *holds;
    struct factors *factors;
    struct gateways *gateways;
    struct admin *admin;
    struct transport *transport; /* Telegram; NULL with --local, as is the bot */
    struct bot *bot;
    struct figures *figures; /* of METRICS_LISTEN, as the next two; or NULL */
    struct monitor *monitor;
    struct monitor_place metrics; /* until `monitor` has it */
    struct notify *notify;
    bool stopping;
    int err; /* why the agent ends, if not on request */
    struct why why;
};

/* ---- what is recorded of it ------------------------------------------------- */

static void record(struct agent *agent, enum audit_event what, const char *text, const char *why)
{
    const struct audit_entry entry = {.what = what, .text = text, .why = why};
    audit_record(agent->audit, &entry, NULL, NULL);
}

/* ---- stopping ------------------------------------------------------------- */

/* The second half, when the bot has said what there was to say. */
static void finish(void *arg)
{
    struct agent *agent = arg;
    bot_free(agent->bot);
    transport_free(agent->transport);
    holds_free(agent->holds);
    factors_free(agent->factors);
    sessions_free(agent->sessions);
    store_stop(agent->store);
    audit_free(agent->audit);
    agent->bot = NULL;
    agent->transport = NULL;
    agent->holds = NULL;
    agent->factors = NULL;
    agent->sessions = NULL;
    agent->audit = NULL;
}

/* Ends everything in order; the loop returns when the last handle is gone. */
static void stop(struct agent *agent)
{
    if (agent->stopping) {
        return;
    }
    agent->stopping = true;
    notify_stopping(agent->notify);
    signals_free(agent->signals);
    if (agent->holds) {
        holds_end_all(agent->holds);
    }
    if (agent->sessions) {
        sessions_end_all(agent->sessions);
        sessions_use_gateways(agent->sessions, NULL);
    }
    record(agent, AUDIT_AGENT_STOPPED, NULL, agent->err < 0 ? agent->why.text : NULL);
    admin_free(agent->admin);
    monitor_free(agent->monitor);
    figures_free(agent->figures);
    gateways_free(agent->gateways);
    agent->admin = NULL;
    agent->gateways = NULL;
    if (agent->bot) {
        bot_stop(agent->bot, FAREWELL_MS, finish, agent);
    } else {
        finish(agent);
    }
}

static void on_refused(void *arg, const struct why *why)
{
    struct agent *agent = arg;
    agent->err = -EACCES;
    agent->why = *why;
    stop(agent);
}

/* ---- other settings -------------------------------------------------------- */

static void say_what_it_does(struct agent *agent, char *ret_status, size_t size)
{
    const struct vps_settings *settings = agent->settings;
    snprintf(ret_status, size, "gateways on port %u, sessions on ports %u to %u%s",
             settings->control_port, settings->port_range_start, settings->port_range_end,
             settings->local ? ", without Telegram" : "");
    notify_status(agent->notify, ret_status);
}

/* Of the policy that is in force from now on. */
static void say_doubts(const struct agent *agent)
{
    const struct policy *policy = agent->settings->policy_file.policy;
    for (unsigned i = 0; policy && i < policy->warning_count; i++) {
        log_warn(agent->log, "%s", policy->warnings[i]);
    }
}

/* Who may log in, where that is not what somebody will think. */
static void say_keys(const struct agent *agent)
{
    const struct keyring *keyring = gateways_keyring(agent->gateways);
    struct keyring_view key;
    if (!keyring_has(keyring, "")) {
        log_warn(agent->log,
                 "no gateway can log in yet: %s, or pamctl gateway add NAME prints a join string "
                 "for one",
                 applicants_open_for(gateways_applicants(agent->gateways)) > 0
                     ? "start gateway-agent with nothing but VPS_HOST in the next ten minutes"
                     : "after pamctl gateway pair, one that has nothing but VPS_HOST is heard");
    }
    for (unsigned i = 0; keyring_view(keyring, i, &key); i++) {
        if (key.idle) {
            log_warn(agent->log,
                     "gateway %s has a key in TUNNEL_KEY, which is the one that counts: the one "
                     "that was added with pamctl is not used (pamctl gateway remove %s)",
                     key.gateway, key.gateway);
        }
    }
}

/* Reads and applies them, and says what the agent does from then on. */
static int renew(void *arg, struct changes *ret_changes, struct why *why)
{
    struct agent *agent = arg;
    const struct reload parts = {.settings = agent->settings,
                                 .env_file = agent->env_file,
                                 .log = agent->log,
                                 .sessions = agent->sessions,
                                 .holds = agent->holds,
                                 .gateways = agent->gateways};
    char status[STATUS_MAX];
    int err = reload_run(&parts, ret_changes, why);
    if (err < 0) {
        record(agent, AUDIT_SETTINGS_RELOADED, NULL, why->text);
    } else {
        reload_record(agent->audit, agent->settings, ret_changes);
        say_what_it_does(agent, status, sizeof status);
        say_doubts(agent);
        say_keys(agent);
    }
    return err;
}

/* For pamctl, and for SIGHUP. */
static int reload(void *arg, struct changes *ret_changes, struct why *why)
{
    struct agent *agent = arg;
    const struct program_reload steps = {
        .renew = renew, .arg = agent, .log = agent->log, .notify = agent->notify};
    return program_reload(&steps, ret_changes, why);
}

static void on_signal(void *arg, int number)
{
    struct agent *agent = arg;
    struct changes changes;
    struct why why;
    if (number == SIGHUP) {
        reload(agent, &changes, &why); /* the log has it all */
    } else {
        log_info(agent->log, "stopping on %s", strsignal(number));
        stop(agent);
    }
}

/* ---- starting ------------------------------------------------------------- */

static int confine(struct agent *agent, struct why *why)
{
    const struct vps_settings *settings = agent->settings;
    const struct sandbox_rules rules = {
        .state_dir = settings->state_dir,
        .rules_file = settings->policy_file.path[0] ? settings->policy_file.path : NULL,
        .ca_file = getenv("SSL_CERT_FILE"),
        .listens = true,
    };
    int err = state_reserve(settings->state_dir, agent->log, &agent->reserved, why);
    if (err == 0) {
        agent->metrics = monitor_open(settings->common.metrics_listen, agent->log);
        agent->journal = journal_open(JOURNAL_PATH);
        program_confine(&VPS_VOCABULARY, agent->env_file, &settings->common, rules, agent->log,
                        &agent->notify);
    }
    return err;
}

static int start_holds(struct agent *agent, struct why *why)
{
    const struct holds_options options = {.loop = &agent->loop,
                                          .log = agent->log,
                                          .settings = agent->settings,
                                          .people = agent->people,
                                          .sessions = agent->sessions,
                                          .audit = agent->audit};
    int err = holds_new(&options, &agent->holds);
    return err < 0 ? why_set(why, err, "cannot keep requests on hold: %s", strerror(-err)) : 0;
}

static int start_factors(struct agent *agent, struct why *why)
{
    const struct factors_options options = {.log = agent->log,
                                            .settings = agent->settings,
                                            .people = agent->people,
                                            .store = agent->store,
                                            .audit = agent->audit};
    agent->factors = factors_new(&options);
    if (!agent->factors) {
        return why_set(why, -ENOMEM, "out of memory");
    }
    holds_use_factor(agent->holds,
                     (struct holds_factor){.check = factors_check, .arg = agent->factors});
    return 0;
}

static int start_gateways(struct agent *agent, struct why *why)
{
    struct gateways_options options = {
        .loop = &agent->loop,
        .log = agent->log,
        .settings = agent->settings,
        .store = agent->store,
        .audit = agent->audit,
        .events = sessions_gateway_events(agent->sessions),
    };
    int err = gateways_new(&options, &agent->gateways, why);
    if (err == 0) {
        sessions_use_gateways(agent->sessions, agent->gateways);
    }
    return err;
}

static int new_telegram(struct agent *agent)
{
    const struct telegram_options options = {
        .loop = &agent->loop,
        .log = agent->log,
        .store = agent->store,
        .audit = agent->audit,
        .state_dir = agent->settings->state_dir,
        .api_url = agent->settings->telegram_api_url,
        .token = agent->settings->telegram_token,
        .proxy = agent->settings->telegram_proxy,
    };
    return telegram_new(&options, &agent->transport);
}

static int start_bot(struct agent *agent, struct why *why)
{
    if (agent->settings->local) {
        return 0;
    }
    int err = new_telegram(agent);
    if (err == 0) {
        const struct bot_options options = {
            .loop = &agent->loop,
            .log = agent->log,
            .settings = agent->settings,
            .people = agent->people,
            .sessions = agent->sessions,
            .audit = agent->audit,
            .store = agent->store,
            .holds = agent->holds,
            .factors = agent->factors,
            .transport = agent->transport,
            .refused = on_refused,
            .arg = agent,
        };
        err = bot_new(&options, &agent->bot);
    }
    return err < 0 ? why_set(why, err, "cannot start the bot: %s", strerror(-err)) : 0;
}

static int start_admin(struct agent *agent, struct why *why)
{
    struct admin_options options = {
        .loop = &agent->loop,
        .log = agent->log,
        .settings = agent->settings,
        .people = agent->people,
        .sessions = agent->sessions,
        .holds = agent->holds,
        .audit = agent->audit,
        .factors = agent->factors,
        .gateways = agent->gateways,
        .bot = agent->bot,
        .reload = reload,
        .arg = agent,
    };
    return admin_new(&options, &agent->admin, why);
}

/* For METRICS_LISTEN. */
static int start_monitor(struct agent *agent, struct why *why)
{
    const struct figures_options options = {.sessions = agent->sessions,
                                            .holds = agent->holds,
                                            .gateways = agent->gateways,
                                            .store = agent->store,
                                            .transport = agent->transport};
    if (agent->metrics.socket < 0) {
        return 0;
    }
    int err = figures_new(&options, &agent->figures);
    if (err == 0) {
        const struct monitor_subject subject = figures_subject(agent->figures);
        agent->monitor = monitor_new(&agent->loop, &agent->metrics, &subject);
        err = agent->monitor ? 0 : -ENOMEM;
    }
    return err < 0 ? why_set(why, err, "cannot serve METRICS_LISTEN: %s", strerror(-err)) : 0;
}

/* The log has it from the store. */
static void on_audit_changed(void *arg, int err)
{
    struct agent *agent = arg;
    if (agent->bot && !agent->stopping) {
        bot_audit_changed(agent->bot, err);
    }
}

static int start_audit(struct agent *agent, struct why *why)
{
    const struct audit_options options = {.loop = &agent->loop,
                                          .store = agent->store,
                                          .journal = agent->journal,
                                          .log = agent->log,
                                          .days = &agent->settings->audit_days,
                                          .changed = on_audit_changed,
                                          .arg = agent};
    agent->audit = audit_new(&options);
    return agent->audit ? 0 : why_set(why, -ENOMEM, "out of memory");
}

/* Whoever has lost access loses what they have open. */
static void on_lost_access(void *arg)
{
    struct agent *agent = arg;
    if (agent->sessions) {
        sessions_settings_changed(agent->sessions);
    }
    if (agent->holds) {
        holds_settings_changed(agent->holds);
    }
}

static int start_people(struct agent *agent, struct why *why)
{
    const struct people_options options = {.log = agent->log,
                                           .store = agent->store,
                                           .audit = agent->audit,
                                           .lost = on_lost_access,
                                           .arg = agent};
    agent->people = people_new(agent->settings);
    if (!agent->people) {
        return why_set(why, -ENOMEM, "out of memory");
    }
    people_begin(agent->people, &options);
    return 0;
}

static int start_sessions(struct agent *agent, struct why *why)
{
    const struct sessions_options options = {.loop = &agent->loop,
                                             .log = agent->log,
                                             .settings = agent->settings,
                                             .people = agent->people,
                                             .store = agent->store};
    int err = sessions_new(&options, &agent->sessions, why);
    return err < 0 ? err : sessions_use_audit(agent->sessions, agent->audit);
}

static bool is_well(void *arg)
{
    struct agent *agent = arg;
    return !agent->sessions || sessions_relay_is_alive(agent->sessions);
}

static int start(struct agent *agent, struct why *why)
{
    int err = signals_catch(&agent->loop, on_signal, agent, &agent->signals);
    if (err < 0) {
        return why_set(why, err, "cannot catch signals: %s", strerror(-err));
    }
    err = state_open(agent->settings->state_dir, agent->log, &agent->store, why);
    err = err < 0 ? err : start_audit(agent, why);
    err = err < 0 ? err : start_people(agent, why);
    err = err < 0 ? err : start_sessions(agent, why);
    err = err < 0 ? err : start_holds(agent, why);
    err = err < 0 ? err : start_factors(agent, why);
    err = err < 0 ? err : start_gateways(agent, why);
    err = err < 0 ? err : start_bot(agent, why);
    err = err < 0 ? err : start_admin(agent, why);
    err = err < 0 ? err : start_monitor(agent, why);
    if (err == 0 && (err = store_start(agent->store, &agent->loop)) < 0) {
        err = why_set(why, err, "cannot start the thread that keeps the state: %s", strerror(-err));
    }
    if (err == 0 && notify_beat(agent->notify, &agent->loop, is_well, agent) < 0) {
        err = why_set(why, -ENOMEM, "out of memory");
    }
    return err;
}

static void say_ready(struct agent *agent)
{
    char status[STATUS_MAX];
    say_what_it_does(agent, status, sizeof status);
    say_doubts(agent);
    record(agent, AUDIT_AGENT_STARTED, PAMTUNNEL_VERSION, NULL);
    reload_record_policy(agent->audit, agent->settings);
    log_info(agent->log, "vps-agent " PAMTUNNEL_VERSION ": %s", status);
    say_keys(agent);
    notify_ready(agent->notify);
}

int agent_run(struct vps_settings *settings, const char *env_file, struct log *log, struct why *why)
{
    struct agent agent = {.settings = settings, .env_file = env_file, .log = log, .reserved = -1};
    int err = confine(&agent, why);
    if (err < 0) {
        return err;
    }
    err = uv_loop_init(&agent.loop);
    if (err < 0) {
        return why_set(why, err, "cannot start the event loop: %s", uv_strerror(err));
    }
    err = start(&agent, why);
    if (err < 0) {
        stop(&agent);
    } else {
        say_ready(&agent);
    }
    uv_run(&agent.loop, UV_RUN_DEFAULT);
    uv_loop_close(&agent.loop);
    store_free(agent.store);
    journal_close(agent.journal);
    people_free(agent.people);
    if (agent.reserved >= 0) {
        close(agent.reserved);
    }
    monitor_close(&agent.metrics);
    notify_free(agent.notify);
    tls_library_free();
    if (err == 0 && agent.err < 0) {
        *why = agent.why;
        err = agent.err;
    }
    return err;
}
