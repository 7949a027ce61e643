/*
 * The agent owns everything and holds no state of its own: uplink and tunnels do not know each
 * other, commands go from the one to the other here, and answers back. Losing the control
 * connection touches no tunnel that relays.
 *
 * The order of the start is the order of trust: the files are read and --health's socket is bound
 * first, then the sandbox closes, and only then come the loop, threads, and the first connection.
 * The end goes the other way, and waits on the loop for what closes late.
 */
#include "gateway/agent.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/net.h"
#include "base/notify.h"
#include "base/signals.h"
#include "control/tls.h"
#include "gateway/figures.h"
#include "gateway/health.h"
#include "gateway/tunnels.h"
#include "gateway/uplink.h"
#include "shared/monitor.h"
#include "shared/program.h"

#define PROGRAM "gateway-agent " PAMTUNNEL_VERSION

struct agent {
    struct gateway_settings *settings;
    const char *env_file;
    struct log *log;
    struct congestion congestion;
    uv_loop_t loop;
    struct signals *signals;
    struct credentials *credentials;
    struct uplink *uplink;
    struct tunnels *tunnels;
    struct health *health;
    int health_fds[HEALTH_ADDRESSES]; /* until `health` has them; -1: none */
    struct figures figures;
    struct monitor *monitor;      /* of METRICS_LISTEN, or NULL */
    struct monitor_place metrics; /* until `monitor` has it */
    struct notify *notify;
};

/* A tunnel that opens has up to three descriptors; some are left for everything else. */
enum { DESCRIPTORS_PER_TUNNEL = 3, DESCRIPTORS_RESERVED = 64, TUNNELS_MAX = 10000 };

static unsigned tunnels_for_descriptors(void)
{
    /* A VPS could ask for any number of tunnels; what they may use must leave the agent alive. */
    unsigned long descriptors = net_raise_descriptor_limit();
    unsigned long most = descriptors > DESCRIPTORS_RESERVED
                             ? (descriptors - DESCRIPTORS_RESERVED) / DESCRIPTORS_PER_TUNNEL
                             : 1;
    return most < TUNNELS_MAX ? (unsigned)most : TUNNELS_MAX;
}

/* ---- who tells whom -------------------------------------------------------- */

static void on_command(void *arg, const struct message *message, const struct addr *vps)
{
    struct agent *agent = arg;
    tunnels_command(agent->tunnels, message, vps);
}

static void say_connected(const struct agent *agent)
{
    const char *code = uplink_code(agent->uplink);
    char text[64];
    snprintf(text, sizeof text, "waits to be let in; its code is %s", code);
    notify_status(agent->notify, uplink_is_open(agent->uplink) ? "connected to the VPS"
                                 : code[0]                     ? text
                                                               : "not connected to the VPS");
}

static void on_waits(void *arg, const char *code)
{
    (void)code;
    say_connected(arg);
}

static void on_opened(void *arg)
{
    say_connected(arg);
}

static void on_lost(void *arg)
{
    struct agent *agent = arg;
    notify_status(agent->notify, "not connected to the VPS");
    tunnels_control_lost(agent->tunnels);
}

static void on_answer(void *arg, const struct message *message)
{
    struct agent *agent = arg;
    int err = uplink_send(agent->uplink, message);
    if (err < 0) {
        log_debug(agent->log, "%s was not sent: %s", message_name(message->type), strerror(-err));
    }
}

static const struct uplink_events UPLINK_EVENTS = {
    .received = on_command, .opened = on_opened, .lost = on_lost, .waits = on_waits};

/* ---- other settings --------------------------------------------------------- */

static struct uplink_options uplink_options_for(struct agent *agent,
                                                const struct gateway_settings *settings)
{
    return (struct uplink_options){
        .log = agent->log,
        .vps_host = settings->vps_host,
        .control_port = settings->control_port,
        .proxy = &settings->proxy,
        .credentials = agent->credentials,
        .keepalive_secs = (unsigned)settings->keepalive_secs,
        .multipath = settings->common.multipath,
        .program = PROGRAM,
        .events = &UPLINK_EVENTS,
        .arg = agent,
    };
}

/* Nothing fails here. The credentials are those of `after`. */
static void apply(struct agent *agent, struct gateway_settings *after,
                  const struct changes *changes, const struct credentials *credentials)
{
    static const char *const OF_UPLINK[] = {
        "VPS_HOST",       "CONTROL_PORT", "TUNNEL_KEY", "GATEWAY_NAME",
        "KEEPALIVE_SECS", "VPS_PROXY",    NULL};
    struct uplink_options uplink = uplink_options_for(agent, after);
    if (changes_have(changes, OF_UPLINK)) {
        *agent->credentials = *credentials;
        uplink_move(agent->uplink, &uplink);
    }
    /* The list of targets keeps its address; tunnels are asked to look at it again below. */
    gateway_settings_replace(agent->settings, after);
    agent->log->level = agent->settings->common.log_level;
    tunnels_targets_changed(agent->tunnels);
}

/* By the settings, and by what the system allows now. */
static void choose_congestion(struct agent *agent)
{
    congestion_update(&agent->congestion, agent->settings->common.congestion_control, agent->log);
}

static int renew(void *arg, struct changes *ret_changes, struct why *why)
{
    struct agent *agent = arg;
    struct gateway_settings after;
    int err = gateway_settings_renew(agent->env_file, agent->settings, &after, ret_changes, why);
    if (err < 0) {
        return err;
    }
    struct credentials credentials = {0};
    err = credentials_renew(&after, agent->credentials, &credentials, why);
    if (err == 0) {
        apply(agent, &after, ret_changes, &credentials);
    }
    gateway_settings_done(&after);
    credentials_wipe(&credentials);
    if (err < 0) {
        return err;
    }
    choose_congestion(agent);
    say_connected(agent);
    return 0;
}

static void reload(struct agent *agent)
{
    const struct program_reload steps = {
        .renew = renew, .arg = agent, .log = agent->log, .notify = agent->notify};
    struct changes changes;
    struct why why;
    program_reload(&steps, &changes, &why); /* the log has it all */
}

/* ---- life ------------------------------------------------------------------ */

static void on_signal(void *arg, int number)
{
    struct agent *agent = arg;
    if (number == SIGHUP) {
        reload(agent);
    } else {
        log_info(agent->log, "stopping: %s", number == SIGINT ? "interrupted" : "terminated");
        uv_stop(&agent->loop);
    }
}

static void confine(struct agent *agent)
{
    const struct gateway_settings *settings = agent->settings;
    /* It listens nowhere, and writes no file, but for the key that it has yet to get. */
    const struct sandbox_rules rules = {
        .state_dir = credentials_need_folder(agent->credentials) ? settings->state_dir : NULL};
    int err = health_listen(settings, agent->env_file, agent->health_fds);
    if (err < 0) {
        log_warn(agent->log, "--health will not find this agent: %s%s", strerror(-err),
                 err == -EADDRINUSE ? "; another one runs with these settings" : "");
    }
    agent->metrics = monitor_open(settings->common.metrics_listen, agent->log);
    program_confine(&GATEWAY_VOCABULARY, agent->env_file, &settings->common, rules, agent->log,
                    &agent->notify);
}

static bool is_well(void *arg)
{
    struct agent *agent = arg;
    return tunnels_relay_is_alive(agent->tunnels);
}

/* For METRICS_LISTEN. */
static int start_monitor(struct agent *agent)
{
    if (agent->metrics.socket < 0) {
        return 0;
    }
    agent->figures = (struct figures){.uplink = agent->uplink, .tunnels = agent->tunnels};
    const struct monitor_subject subject = figures_subject(&agent->figures);
    agent->monitor = monitor_new(&agent->loop, &agent->metrics, &subject);
    return agent->monitor ? 0 : -ENOMEM;
}

/* What others see of it. */
static int start_telling(struct agent *agent)
{
    int err = start_monitor(agent);
    if (err < 0) {
        return err;
    }
    if (agent->health_fds[0] >= 0) {
        agent->health = health_new(&agent->loop, agent->health_fds, agent->uplink, agent->tunnels);
        if (!agent->health) {
            return -ENOMEM;
        }
        agent->health_fds[0] = agent->health_fds[1] = -1;
    }
    return notify_beat(agent->notify, &agent->loop, is_well, agent);
}

static int start(struct agent *agent)
{
    const struct gateway_settings *settings = agent->settings;
    struct tunnels_options tunnels = {
        .log = agent->log,
        .allowed = settings->allowed_targets,
        .discover = &agent->settings->discover,
        .congestion = &agent->congestion,
        .way = {.host = settings->vps_host,
                .proxy = &settings->proxy,
                .multipath = settings->common.multipath},
        .workers = (unsigned)settings->common.relay_workers,
        .most = tunnels_for_descriptors(),
        .send = on_answer,
        .arg = agent,
    };
    struct uplink_options uplink = uplink_options_for(agent, settings);
    int err = signals_catch(&agent->loop, on_signal, agent, &agent->signals);
    choose_congestion(agent);
    if (err == 0) {
        err = tunnels_new(&agent->loop, &tunnels, &agent->tunnels);
    }
    if (err == 0) {
        err = uplink_new(&agent->loop, &uplink, &agent->uplink);
    }
    if (err == 0) {
        err = start_telling(agent);
    }
    return err;
}

/* Takes half-started ones too. A look-up that is under way is waited for. */
static void stop(struct agent *agent)
{
    health_free(agent->health);
    monitor_free(agent->monitor);
    notify_stopping(agent->notify);
    uplink_free(agent->uplink);
    tunnels_free(agent->tunnels);
    signals_free(agent->signals);
    /* Once more, for the callbacks that close handles. */
    uv_run(&agent->loop, UV_RUN_DEFAULT);
    uv_loop_close(&agent->loop);
    notify_free(agent->notify);
    for (unsigned i = 0; i < HEALTH_ADDRESSES; i++) {
        if (agent->health_fds[i] >= 0) {
            close(agent->health_fds[i]);
        }
    }
    monitor_close(&agent->metrics);
    tls_library_free();
}

static void say_who(const struct agent *agent)
{
    const char *name = agent->credentials->name;
    log_info(agent->log, PROGRAM " started as gateway %s", name);
    if (agent->settings->proxy.host[0]) {
        char where[TARGET_TEXT_MAX];
        target_format(agent->settings->proxy.host, agent->settings->proxy.port, where);
        log_info(agent->log, "to the VPS through the proxy http://%s (%s)", where,
                 agent->settings->proxy.variable);
    }
    if (!gateway_name_equal(name, agent->settings->gateway_name)) {
        char path[CREDENTIALS_PATH_MAX];
        log_warn(agent->log,
                 "it was paired as %s, and goes on under that name; to be paired as %s, remove %s "
                 "and restart it",
                 name, agent->settings->gateway_name, credentials_path(agent->credentials, path));
    }
}

int agent_run(struct gateway_settings *settings, struct credentials *credentials,
              const char *env_file, struct log *log, struct why *why)
{
    struct agent agent = {
        .settings = settings, .credentials = credentials, .env_file = env_file, .log = log};
    confine(&agent);
    int err = uv_loop_init(&agent.loop);
    if (err < 0) {
        return why_set(why, err, "cannot start: %s", strerror(-err));
    }
    err = start(&agent);
    if (err < 0) {
        why_set(why, err, "cannot start: %s", strerror(-err));
    } else {
        say_who(&agent);
        notify_status(agent.notify, "not connected to the VPS");
        notify_ready(agent.notify);
        uv_run(&agent.loop, UV_RUN_DEFAULT);
    }
    stop(&agent);
    return err;
}
