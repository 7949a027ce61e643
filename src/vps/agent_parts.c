/*
 * The parts of the agent, how each is made and what it is told of the others. The order is that of
 * who needs whom.
 */
#include <errno.h>
#include <string.h>

#include "vps/agent_core.h"
#include "vps/store/state.h"
#include "vps/telegram/telegram.h"

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

static int start_wakings(struct agent *agent, struct why *why)
{
    const struct wakings_options options = {.loop = &agent->loop,
                                            .log = agent->log,
                                            .people = agent->people,
                                            .store = agent->store,
                                            .sessions = agent->sessions,
                                            .holds = agent->holds,
                                            .audit = agent->audit};
    int err = wakings_new(&options, &agent->wakings);
    return err < 0 ? why_set(why, err, "cannot wake machines: %s", strerror(-err)) : 0;
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

/* Telegram refuses the bot's token. */
static void on_refused(void *arg, const struct why *why)
{
    struct agent *agent = arg;
    agent->err = -EACCES;
    agent->why = *why;
    agent_stop(agent);
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
            .wakings = agent->wakings,
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
        .wakings = agent->wakings,
        .audit = agent->audit,
        .factors = agent->factors,
        .gateways = agent->gateways,
        .publisher = agent->publisher,
        .bot = agent->bot,
        .reload = agent_reload,
        .arg = agent,
    };
    return admin_new(&options, &agent->admin, why);
}

/* For METRICS_LISTEN. */
static int start_monitor(struct agent *agent, struct why *why)
{
    const struct figures_options options = {.sessions = agent->sessions,
                                            .holds = agent->holds,
                                            .wakings = agent->wakings,
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
    if (!agent->audit) {
        return why_set(why, -ENOMEM, "out of memory");
    }
    unsigned ended = audit_after_crash(agent->audit);
    if (ended > 0) {
        log_warn(agent->log,
                 "the last vps-agent came to a sudden end: %u session%s and requests that were "
                 "open are recorded as ended",
                 ended, ended == 1 ? "" : "s");
    }
    return 0;
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
    if (agent->wakings) {
        wakings_settings_changed(agent->wakings);
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

/* By which certificate .rdp files are signed, or that they are not any more. */
static void on_publisher_changed(void *arg)
{
    struct agent *agent = arg;
    const struct rdp_certificate *certificate = publisher_certificate(agent->publisher);
    const struct audit_entry entry = {
        .what = AUDIT_RDP_PUBLISHER,
        .text = certificate ? rdp_certificate_view(certificate)->sha256 : NULL,
        .why = publisher_trouble(agent->publisher)};
    audit_record(agent->audit, &entry, NULL, NULL);
    if (agent->bot && !agent->stopping) {
        bot_publisher_changed(agent->bot, publisher_trouble(agent->publisher), certificate);
    }
}

/* It reads no files yet: what it finds is something to record, and to tell. */
static int start_publisher(struct agent *agent, struct why *why)
{
    const struct publisher_options options = {
        .loop = &agent->loop, .log = agent->log, .changed = on_publisher_changed, .arg = agent};
    agent->publisher = publisher_new(&options);
    return agent->publisher ? 0 : why_set(why, -ENOMEM, "out of memory");
}

static int start_sessions(struct agent *agent, struct why *why)
{
    const struct sessions_options options = {.loop = &agent->loop,
                                             .log = agent->log,
                                             .settings = agent->settings,
                                             .people = agent->people,
                                             .publisher = agent->publisher,
                                             .store = agent->store};
    int err = sessions_new(&options, &agent->sessions, why);
    err = err < 0 ? err : sessions_use_audit(agent->sessions, agent->audit);
    return err < 0 ? err : sessions_open_entrance(agent->sessions, why);
}

int agent_make_parts(struct agent *agent, struct why *why)
{
    int err = state_open(agent->settings->state_dir, agent->log, &agent->store, why);
    err = err < 0 ? err : start_audit(agent, why);
    err = err < 0 ? err : start_people(agent, why);
    err = err < 0 ? err : start_publisher(agent, why);
    err = err < 0 ? err : start_sessions(agent, why);
    err = err < 0 ? err : start_holds(agent, why);
    err = err < 0 ? err : start_wakings(agent, why);
    err = err < 0 ? err : start_factors(agent, why);
    err = err < 0 ? err : start_gateways(agent, why);
    err = err < 0 ? err : start_bot(agent, why);
    err = err < 0 ? err : start_admin(agent, why);
    err = err < 0 ? err : start_monitor(agent, why);
    if (err == 0 && (err = store_start(agent->store, &agent->loop)) < 0) {
        err = why_set(why, err, "cannot start the thread that keeps the state: %s", strerror(-err));
    }
    return err;
}
