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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/tls.h"
#include "shared/program.h"
#include "vps/agent_core.h"
#include "vps/reload.h"
#include "vps/store/state.h"

/* For the messages that tell users how their sessions ended. */
enum { FAREWELL_MS = 3000, STATUS_MAX = 128 };

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
    wakings_free(agent->wakings);
    holds_free(agent->holds);
    factors_free(agent->factors);
    sessions_free(agent->sessions);
    publisher_free(agent->publisher);
    store_stop(agent->store);
    audit_free(agent->audit);
    agent->bot = NULL;
    agent->transport = NULL;
    agent->holds = NULL;
    agent->wakings = NULL;
    agent->factors = NULL;
    agent->sessions = NULL;
    agent->publisher = NULL;
    agent->audit = NULL;
}

void agent_stop(struct agent *agent)
{
    if (agent->stopping) {
        return;
    }
    agent->stopping = true;
    notify_stopping(agent->notify);
    signals_free(agent->signals);
    if (agent->wakings) {
        wakings_end_all(agent->wakings);
    }
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

/* ---- other settings -------------------------------------------------------- */

static void say_what_it_does(struct agent *agent, char *ret_status, size_t size)
{
    const struct vps_settings *settings = agent->settings;
    snprintf(ret_status, size, "gateways%s on port %u, sessions on ports %u to %u%s",
             settings->data_port == DATA_PORT_CONTROL ? " and data channels" : "",
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

static void use_publisher(struct agent *agent)
{
    const struct vps_settings *settings = agent->settings;
    const struct publisher_files files = publisher_files_of(
        settings->rdp_sign_cert, settings->rdp_sign_key, settings->vps_host);
    publisher_use(agent->publisher, &files);
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
                                 .wakings = agent->wakings,
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
        use_publisher(agent);
    }
    return err;
}

int agent_reload(void *arg, struct changes *ret_changes, struct why *why)
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
        agent_reload(agent, &changes, &why); /* the log has it all */
    } else {
        log_info(agent->log, "stopping on %s", strsignal(number));
        agent_stop(agent);
    }
}

/* ---- starting ------------------------------------------------------------- */

static int confine(struct agent *agent, struct why *why)
{
    const struct vps_settings *settings = agent->settings;
    const char *const signing[] = {settings->rdp_sign_cert[0] == '/' ? settings->rdp_sign_cert
                                                                     : NULL,
                                   settings->rdp_sign_key, NULL};
    const struct sandbox_rules rules = {
        .state_dir = settings->state_dir,
        .rules_file = settings->policy_file.path[0] ? settings->policy_file.path : NULL,
        .ca_file = getenv("SSL_CERT_FILE"),
        .other_files = signing,
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
    err = agent_make_parts(agent, why);
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
    use_publisher(agent);
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
        agent_stop(&agent);
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
