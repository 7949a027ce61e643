#include "vps/agent.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/notify.h"
#include "base/sandbox.h"
#include "control/tls.h"
#include "vps/admin/admin.h"
#include "vps/chat/bot.h"
#include "vps/gateways/gateways.h"
#include "vps/reload.h"
#include "vps/session/sessions_run.h"
#include "vps/store/state.h"
#include "vps/telegram/telegram.h"

/* For the messages that tell users how their sessions ended. */
enum { FAREWELL_MS = 3000, STATUS_MAX = 128 };

/* SIGHUP is the last of them. */
static const int SIGNAL_NUMBERS[] = {SIGTERM, SIGINT, SIGHUP};
enum { SIGNALS = sizeof SIGNAL_NUMBERS / sizeof *SIGNAL_NUMBERS };

struct agent {
    struct vps_settings *settings;
    const char *env_file;
    struct log *log;
    uv_loop_t loop;
    uv_signal_t signals[SIGNALS];
    int reserved; /* STATE_DIR is ours */
    struct store *store;
    struct sessions *sessions;
    struct gateways *gateways;
    struct admin *admin;
    struct transport *transport; /* Telegram; NULL with --local, as is the bot */
    struct bot *bot;
    struct notify *notify;
    bool stopping;
    int err; /* why the agent ends, if not on request */
    struct why why;
};

/* ---- stopping ------------------------------------------------------------- */

/* The second half, when the bot has said what there was to say. */
static void finish(void *arg)
{
    struct agent *agent = arg;
    bot_free(agent->bot);
    transport_free(agent->transport);
    sessions_free(agent->sessions);
    store_stop(agent->store);
    agent->bot = NULL;
    agent->transport = NULL;
    agent->sessions = NULL;
}

/* Ends everything in order; the loop returns when the last handle is gone. */
static void stop(struct agent *agent)
{
    if (agent->stopping) {
        return;
    }
    agent->stopping = true;
    notify_stopping(agent->notify);
    for (unsigned i = 0; i < SIGNALS; i++) {
        uv_close((uv_handle_t *)&agent->signals[i], NULL);
    }
    signal(SIGHUP, SIG_IGN); /* a second SIGTERM may end it at once, but not that */
    if (agent->sessions) {
        sessions_end_all(agent->sessions);
        sessions_use_gateways(agent->sessions, NULL);
    }
    admin_free(agent->admin);
    gateways_free(agent->gateways);
    agent->admin = NULL;
    agent->gateways = NULL;
    if (agent->bot) {
        bot_stop(agent->bot, FAREWELL_MS, finish, agent);
    } else {
        finish(agent);
    }
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct agent *agent = handle->data;
    log_info(agent->log, "stopping on %s", strsignal(number));
    stop(agent);
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

/* For pamctl, and for SIGHUP. */
static int reload(void *arg, struct changes *ret_changes, struct why *why)
{
    struct agent *agent = arg;
    const struct reload parts = {.settings = agent->settings,
                                 .env_file = agent->env_file,
                                 .log = agent->log,
                                 .sessions = agent->sessions,
                                 .gateways = agent->gateways};
    notify_reloading(agent->notify);
    int err = reload_run(&parts, ret_changes, why);
    char status[sizeof why->text + STATUS_MAX];
    if (err < 0) {
        snprintf(status, sizeof status, "settings not reloaded: %s", why->text);
        notify_status(agent->notify, status);
    } else {
        say_what_it_does(agent, status, sizeof status);
    }
    notify_ready(agent->notify);
    return err;
}

static void on_hangup(uv_signal_t *handle, int number)
{
    struct changes changes;
    struct why why;
    (void)number;
    reload(handle->data, &changes, &why); /* the log has it all */
}

/* ---- starting ------------------------------------------------------------- */

static void watch_signals(struct agent *agent)
{
    for (unsigned i = 0; i < SIGNALS; i++) {
        uv_signal_init(&agent->loop, &agent->signals[i]);
        agent->signals[i].data = agent;
        uv_signal_start(&agent->signals[i], SIGNAL_NUMBERS[i] == SIGHUP ? on_hangup : on_signal,
                        SIGNAL_NUMBERS[i]);
    }
}

/* Before the loop and its threads, and before anybody can talk to us. */
static void enter_sandbox(struct agent *agent)
{
    struct sources sources = {0};
    vps_settings_sources(agent->env_file, &sources, NULL);
    const struct sandbox_rules rules = {
        .state_dir = agent->settings->state_dir,
        .files = (const char *const *)sources.paths,
        .ca_file = getenv("SSL_CERT_FILE"),
        .listens = true,
    };
    struct why missing;
    if (!agent->settings->sandbox) {
        log_warn(agent->log, "running without a sandbox: SANDBOX is off");
    } else if (sandbox_enter(&rules, &missing) < 0) {
        log_warn(agent->log, "%s", missing.text);
    }
    sources_done(&sources);
}

static int confine(struct agent *agent, struct why *why)
{
    struct why missing;
    int err = state_reserve(agent->settings->state_dir, agent->log, &agent->reserved, why);
    if (err < 0) {
        return err;
    }
    if (notify_open(&agent->notify, &missing) < 0) {
        log_warn(agent->log, "%s", missing.text);
    }
    enter_sandbox(agent);
    return 0;
}

static int start_gateways(struct agent *agent, struct why *why)
{
    struct gateways_options options = {
        .loop = &agent->loop,
        .log = agent->log,
        .settings = agent->settings,
        .store = agent->store,
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
            .sessions = agent->sessions,
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
        .sessions = agent->sessions,
        .gateways = agent->gateways,
        .bot = agent->bot,
        .reload = reload,
        .arg = agent,
    };
    return admin_new(&options, &agent->admin, why);
}

static bool is_well(void *arg)
{
    struct agent *agent = arg;
    return !agent->sessions || sessions_relay_is_alive(agent->sessions);
}

static int start(struct agent *agent, struct why *why)
{
    int err = state_open(agent->settings->state_dir, agent->log, &agent->store, why);
    if (err == 0) {
        err = sessions_new(&agent->loop, agent->log, agent->settings, agent->store,
                           &agent->sessions, why);
    }
    err = err < 0 ? err : start_gateways(agent, why);
    err = err < 0 ? err : start_bot(agent, why);
    err = err < 0 ? err : start_admin(agent, why);
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
    log_info(agent->log, "vps-agent " PAMTUNNEL_VERSION ": %s", status);
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
    watch_signals(&agent);
    err = start(&agent, why);
    if (err < 0) {
        stop(&agent);
    } else {
        say_ready(&agent);
    }
    uv_run(&agent.loop, UV_RUN_DEFAULT);
    uv_loop_close(&agent.loop);
    store_free(agent.store);
    if (agent.reserved >= 0) {
        close(agent.reserved);
    }
    notify_free(agent.notify);
    tls_library_free();
    if (err == 0 && agent.err < 0) {
        *why = agent.why;
        err = agent.err;
    }
    return err;
}
