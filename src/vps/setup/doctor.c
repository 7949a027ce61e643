/*
 * One check after the other, from what needs nothing (files) to what needs the network (the Bot
 * API), each a line or more of checkup.h. No check keeps another one from being made, but for
 * settings that cannot be read. Nothing is changed, and a vps-agent that runs is only asked: its
 * port is tried in a way that does not disturb it, and no update is taken from the bot.
 */
#include "vps/setup/doctor.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/proxy.h"
#include "base/text.h"
#include "shared/program.h"
#include "shared/service.h"
#include "vps/admin/health.h"
#include "vps/grant/publisher.h"
#include "vps/settings/settings.h"
#include "vps/setup/doctor_keys.h"
#include "vps/setup/doctor_state.h"
#include "vps/setup/firewall.h"
#include "vps/setup/sync_api.h"

enum {
    CALL_MS = 15000,
    DESCRIPTORS_PER_SESSION = 8, /* two listeners, and visitors at the door */
    DESCRIPTORS_PER_CONNECTION = 2,
    CONNECTIONS_DEFAULT = 8,
    DESCRIPTORS_OTHERS = 128,
    CLOCK_FINE_S = 30,
    COMING_BACK_S = 30, /* after a restart of either side */
};

/* ---- files ---------------------------------------------------------------- */

/*
 * Whoever can write to this folder can put another state file, or another socket, in their place.
 * errno is cleared since a path that is not a folder is no error of stat(2).
 */
static void check_state_dir(struct checkup *checkup, const char *path)
{
    struct stat folder;
    if (stat(path, &folder) < 0 && errno == ENOENT) {
        checkup_say(checkup, CHECKUP_SKIPPED, "STATE_DIR",
                    "%s does not exist yet: vps-agent makes it, if its user may", path);
    } else if (errno = 0, stat(path, &folder) < 0 || !S_ISDIR(folder.st_mode)) {
        checkup_say(checkup, CHECKUP_BAD, "STATE_DIR", "%s is not a usable folder: %s", path,
                    strerror(errno ? errno : ENOTDIR));
    } else if (folder.st_mode & 02) {
        checkup_say(checkup, CHECKUP_BAD, "STATE_DIR",
                    "everybody can write to %s (mode %04o): chmod o-w %s", path,
                    (unsigned)folder.st_mode & 07777, path);
    } else if (access(path, W_OK) < 0) {
        checkup_say(checkup, CHECKUP_BAD, "STATE_DIR",
                    "you (uid %u) cannot write to %s, which belongs to uid %u: run this, and "
                    "vps-agent, as that user or root",
                    (unsigned)geteuid(), path, (unsigned)folder.st_uid);
    } else {
        checkup_say(checkup, CHECKUP_OK, "STATE_DIR", "%s, owned by uid %u, mode %04o", path,
                    (unsigned)folder.st_uid, (unsigned)folder.st_mode & 07777);
    }
}

/* ---- the agent that runs -------------------------------------------------- */

/*
 * Whether it is one that should be here, by TUNNEL_KEY; of those that were added vps-agent says so.
 * The keys' own check tells of those not used yet.
 */
static bool is_missed(const struct vps_settings *settings, const char *name, bool was_here)
{
    const struct gateway_key *key = key_list_find(&settings->tunnel_key, name);
    return key && key->name[0] && (was_here || !key->until);
}

static void check_away(struct checkup *checkup, const struct vps_settings *settings,
                       const json_t *away)
{
    char buffer[64];
    struct text span = text_over(buffer, sizeof buffer);
    const char *name = json_string_value(json_object_get(away, "name"));
    const char *address = json_string_value(json_object_get(away, "address"));
    json_int_t seconds = json_integer_value(json_object_get(away, "seconds"));
    bool missed = name && seconds > COMING_BACK_S &&
                  (is_missed(settings, name, address) ||
                   json_is_true(json_object_get(away, "missed")));
    text_add_seconds(&span, (uint64_t)seconds);
    checkup_say(checkup, missed ? CHECKUP_BAD : CHECKUP_SKIPPED, "gateways",
                address ? "%s: away for %s (was at %s)%s"
                        : "%s: has not logged in since vps-agent started %s ago%s%s",
                name ? name : "?", buffer, address ? address : "",
                missed ? ": gateway-agent --doctor there says why" : "");
}

static void check_gateways(struct checkup *checkup, const struct vps_settings *settings,
                           const json_t *status)
{
    size_t i;
    const json_t *one;
    char names[400];
    struct text text = text_over(names, sizeof names);
    json_array_foreach(json_object_get(status, "gateways"), i, one)
    {
        const char *name = json_string_value(json_object_get(one, "name"));
        text_add(&text, "%s%s", i ? ", " : "", name ? name : "?");
    }
    if (text.len == 0) {
        checkup_say(checkup, CHECKUP_BAD, "gateways",
                    "none is online: gateway-agent --doctor on the gateway says why");
    } else {
        checkup_say(checkup, CHECKUP_OK, "gateways", "online, with the right key: %s", names);
    }
    json_array_foreach(json_object_get(status, "away"), i, one)
    {
        check_away(checkup, settings, one);
    }
}

static void say_not_running(struct checkup *checkup, const struct vps_settings *settings,
                            const char *env_file)
{
    char command[512];
    struct text text = text_over(command, sizeof command);
    if (settings->local) { /* which no service is */
        text_add(&text, "vps-agent --local%s%s", env_file ? " --env-file " : "",
                 env_file ? env_file : "");
    } else {
        service_start_command(&text, &SERVICE_VPS, env_file);
    }
    checkup_no_agent(checkup, "vps-agent", command);
}

/*
 * Returns whether one runs. The answer is what --health gets (health_ask()), so that the two never
 * disagree; the caller releases it.
 */
static bool check_agent(struct checkup *checkup, const struct vps_settings *settings,
                        const char *env_file, json_t **ret_status)
{
    json_t *status;
    struct why why;
    int err = health_ask(settings, &status, &why);
    if (err == 0) {
        const char *version = json_string_value(json_object_get(status, "version"));
        checkup_say(checkup, CHECKUP_OK, "vps-agent", "%s is running", version ? version : "?");
        check_gateways(checkup, settings, status);
        *ret_status = status;
        return true;
    }
    /*
     * Nothing listens there. After any other error somebody does, but hangs or refuses us: then
     * CONTROL_PORT is taken by that agent, and not by a stranger.
     */
    if (err == -ENOENT || err == -ECONNREFUSED || err == -ENOTDIR) {
        say_not_running(checkup, settings, env_file);
        return false;
    }
    checkup_say(checkup, CHECKUP_BAD, "vps-agent", "%s" STATE_DIR_SOCKET ": %s; %s",
                settings->state_dir, why.text,
                err == -ETIMEDOUT || err == -EAGAIN ? "its log may say why"
                                                    : "run this as its user or as root");
    return true;
}

/* ---- the bot -------------------------------------------------------------- */

static void check_clock_against(struct checkup *checkup, int64_t server_unix)
{
    int64_t off = clock_unix() - server_unix;
    /* Nobody answered, so there is no clock to compare with: only an impossible date is found. */
    if (server_unix == 0) {
        checkup_clock(checkup);
    } else if (off > CLOCK_FINE_S || off < -CLOCK_FINE_S) {
        checkup_say(checkup, CHECKUP_BAD, "clock",
                    "it is %lld s %s the Bot API's: turn on time synchronisation (timedatectl "
                    "set-ntp true); otherwise commands look stale, and codes of second factors are "
                    "wrong",
                    (long long)(off < 0 ? -off : off), off < 0 ? "behind" : "ahead of");
    } else {
        checkup_say(checkup, CHECKUP_OK, "clock", "the same as the Bot API's, within %d s",
                    CLOCK_FINE_S);
    }
}

/*
 * Telegram delivers updates to a webhook or to getUpdates, never to both, so a webhook means that
 * another program uses this bot. A bot without one is not worth a line.
 */
static void check_webhook(struct checkup *checkup, struct sync_api *sync_api)
{
    struct sync_api_answer answer;
    sync_api_call(sync_api, "getWebhookInfo", NULL, CALL_MS, &answer);
    const char *url = json_string_value(json_object_get(answer.result, "url"));
    if (!answer.done) {
        checkup_say(checkup, CHECKUP_SKIPPED, "webhook", "%s", answer.trouble);
    } else if (url && url[0]) {
        checkup_say(checkup, CHECKUP_BAD, "webhook",
                    "this bot has one, so another program gets its messages; vps-agent removes it "
                    "when it starts: is this the right bot?");
    }
    json_decref(answer.result);
}

/* Shown without its password, which neither the log nor this list may hold. */
static void check_proxy(struct checkup *checkup, const struct vps_settings *settings)
{
    const char *variable,
        *proxy = proxy_find(settings->telegram_proxy, settings->telegram_api_url, &variable);
    char shown[PROXY_SHOWN_MAX];
    if (proxy) {
        proxy_show(proxy, shown);
        checkup_say(checkup, CHECKUP_OK, "proxy", "the Bot API is reached through %s (from %s)",
                    shown, variable);
    }
}

static void check_bot(struct checkup *checkup, const struct vps_settings *settings)
{
    struct sync_api *sync_api;
    struct sync_api_answer answer = {0};
    struct why why;
    char name[SYNC_API_NAME_MAX + 1];
    int err = sync_api_new(settings, &sync_api);
    check_proxy(checkup, settings);
    if (err < 0) {
        checkup_say(checkup, CHECKUP_BAD, "Bot API", "%s", strerror(-err));
        return;
    }
    if (sync_api_get_me(sync_api, name, &answer, &why) < 0) {
        checkup_say(checkup, CHECKUP_BAD, "Bot API", "%s", why.text);
    } else {
        checkup_say(checkup, CHECKUP_OK, "Bot API", "it answers, and the bot is @%s%s%s", name,
                    answer.first_trouble[0] ? "; but not at once (over IPv6?): " : "",
                    answer.first_trouble);
        check_webhook(checkup, sync_api);
    }
    check_clock_against(checkup, answer.server_unix);
    sync_api_free(sync_api);
}

/* ---- all of it ------------------------------------------------------------ */

static void check_firewall(struct checkup *checkup, const struct vps_settings *settings)
{
    static const enum checkup_mark MARKS[] = {[FIREWALL_OPEN] = CHECKUP_OK,
                                              [FIREWALL_CLOSED] = CHECKUP_BAD,
                                              [FIREWALL_UNKNOWN] = CHECKUP_SKIPPED};
    const struct firewall_ports ports = firewall_ports_of(settings);
    char sentence[400];
    struct text text = text_over(sentence, sizeof sentence);
    enum firewall_verdict verdict = firewall_look("", &ports, &text);
    checkup_say(checkup, MARKS[verdict], "firewall", "%s", sentence);
}

/*
 * An estimate from above, for every session with as many connections as it may have at once: with
 * fewer descriptors, users would be turned away long before MAX_SESSIONS.
 */
static unsigned long most_descriptors(const struct vps_settings *settings)
{
    long connections = settings->max_connections > 0 ? settings->max_connections
                                                     : CONNECTIONS_DEFAULT;
    long each = DESCRIPTORS_PER_SESSION + DESCRIPTORS_PER_CONNECTION * connections;
    return (unsigned long)(settings->max_sessions * each + DESCRIPTORS_OTHERS);
}

static void say_signs(struct checkup *checkup, const struct rdp_certificate_view *view)
{
    char until[CLOCK_TEXT_MAX];
    checkup_say(checkup, view->doubt.text[0] ? CHECKUP_BAD : CHECKUP_OK, "signing",
                ".rdp files are signed as %s until %s%s%s%s", view->publisher,
                clock_text(view->until_unix, until), view->doubt.text[0] ? "; but " : "",
                view->doubt.text,
                view->is_rsa ? "" : "; whether Windows takes a key that is not RSA is not known");
}

/* They would do, and an agent runs that does nothing with them. */
/* They show the same certificate, if a browser would take it. */
static void say_links(struct checkup *checkup, const struct vps_settings *settings,
                      const struct rdp_certificate *certificate)
{
    bool is_for_server = rdp_certificate_is_for_server(certificate, settings->vps_host);
    checkup_say(checkup, is_for_server ? CHECKUP_OK : CHECKUP_SKIPPED, "links",
                is_for_server ? "sessions' links are https://%s"
                              : "sessions' links are http://: browsers would not take that "
                                "certificate for %s's (docs/signing.md)",
                settings->vps_host);
}

static void say_idle(struct checkup *checkup, const struct publisher_files *files)
{
    if (files->by_default) {
        checkup_say(checkup, CHECKUP_SKIPPED, "signing",
                    ".rdp files are not signed: %s would do, but vps-agent's user cannot read it. "
                    "docs/signing.md says how certbot hands it over; RDP_SIGN_CERT=off, if that is "
                    "not wanted",
                    files->certificate);
    } else {
        checkup_say(checkup, CHECKUP_BAD, "signing",
                    "vps-agent does not sign .rdp files yet: sudo pamctl reload");
    }
}

/*
 * signing: what an agent that runs says of it, or NULL. We read as whoever runs this, who may be
 * allowed what the agent's user is not, or the other way round: so its own word counts.
 */
static void check_signing(struct checkup *checkup, const struct vps_settings *settings,
                          const json_t *signing)
{
    const struct publisher_files files = publisher_files_of(
        settings->rdp_sign_cert, settings->rdp_sign_key, settings->vps_host);
    const char *trouble = json_string_value(json_object_get(signing, "trouble"));
    struct why why;
    struct rdp_certificate *certificate = publisher_read(&files, &why);
    bool signs = certificate && rdp_certificate_check_time(certificate, clock_unix(), &why) == 0;
    if (trouble) {
        checkup_say(checkup, CHECKUP_BAD, "signing", "vps-agent does not sign .rdp files: %s",
                    trouble);
    } else if (signs && json_is_null(signing)) {
        say_idle(checkup, &files);
    } else if (signs) {
        say_signs(checkup, rdp_certificate_view(certificate));
        say_links(checkup, settings, certificate);
    } else if (why.text[0] && !json_object_get(signing, "publisher")) {
        checkup_say(checkup, CHECKUP_BAD, "signing", ".rdp files are not signed: %s", why.text);
    } else if (why.text[0]) {
        checkup_say(checkup, CHECKUP_SKIPPED, "signing",
                    "vps-agent signs .rdp files; its certificate cannot be looked at from here: %s",
                    why.text);
    }
    rdp_certificate_free(certificate);
}

static void check_policy(struct checkup *checkup, const struct policy_setting *setting)
{
    const struct policy *policy = setting->policy;
    if (policy) {
        checkup_say(checkup, CHECKUP_OK, "policy", "%s: %u users, %u targets, %u rules",
                    setting->path, policy->user_count, policy->target_count, policy->rule_count);
    }
    for (unsigned i = 0; policy && i < policy->warning_count; i++) {
        checkup_say(checkup, CHECKUP_BAD, "policy", "%s", policy->warnings[i]);
    }
}

static void check_all(struct checkup *checkup, const struct vps_settings *settings,
                      const char *env_file)
{
    check_state_dir(checkup, settings->state_dir);
    check_policy(checkup, &settings->policy_file);
    doctor_check_state(checkup, settings);
    checkup_descriptors(checkup, most_descriptors(settings));
    const struct congestion_system system = congestion_look(CONGESTION_FOLDER);
    checkup_congestion(checkup, &system, settings->common.congestion_control,
                       "connections to clients and gateways", "/usr/share/pamtunnel-vps/bbr");
    checkup_multipath(checkup, settings->common.multipath);
    doctor_check_host(checkup, settings);
    /* Before the ports: whether a taken CONTROL_PORT is right depends on who has taken it. */
    json_t *status = NULL;
    bool agent_runs = check_agent(checkup, settings, env_file, &status);
    check_signing(checkup, settings, json_object_get(status, "signing"));
    json_decref(status);
    doctor_check_keys(checkup, settings);
    doctor_check_ports(checkup, settings, agent_runs);
    check_firewall(checkup, settings);
    if (settings->local) {
        checkup_clock(checkup);
    } else {
        check_bot(checkup, settings);
    }
}

int doctor_run(const char *env_file, bool local)
{
    struct vps_settings settings;
    struct checkup checkup = {0};
    struct why why;
    env_file = vps_settings_env_file(env_file, local);
    if (vps_settings_load(env_file, local, &settings, &why) < 0) {
        checkup_say(&checkup, CHECKUP_BAD, "settings", "%s", why.text);
        return EXIT_USAGE;
    }
    checkup_settings(&checkup, &VPS_VOCABULARY, env_file);
    check_all(&checkup, &settings, env_file);
    vps_settings_wipe(&settings);
    return checkup.bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
