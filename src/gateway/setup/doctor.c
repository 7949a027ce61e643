/*
 * One check after the other, each a line or more of checkup.h. The VPS is reached by the handshake
 * of a login alone, so that a gateway-agent that runs under the same name stays online. A name with
 * addresses of both families is tried over each, one after the other: an agent uses the one that
 * works, and a person would never see that the other one is broken.
 */
#include "gateway/setup/doctor.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/credentials.h"
#include "gateway/health.h"
#include "gateway/settings.h"
#include "gateway/setup/login_check.h"
#include "gateway/setup/names_check.h"
#include "gateway/targets.h"
#include "shared/checkup.h"
#include "shared/program.h"
#include "shared/service.h"

enum { DESCRIPTORS_FEW = 1024 };

struct finding {
    int err;
    struct login_check_result result;
    struct why why;
};

/* The handshake of a login, without logging in: a gateway-agent that runs is not disturbed. */
static struct finding check_login(const struct gateway_settings *settings,
                                  const struct credentials *credentials, int family)
{
    bool paired = credentials->source != CREDENTIALS_NONE;
    struct login_check_request request = {.vps_host = settings->vps_host,
                                          .control_port = settings->control_port,
                                          .proxy = &settings->proxy,
                                          .gateway_name = credentials->name,
                                          .key = paired ? credentials->key : NULL,
                                          .family = family};
    struct finding finding;
    finding.err = login_check(&request, &finding.result, &finding.why);
    return finding;
}

/* What the agent that runs with the same settings says, if one does. */
struct agent {
    int err; /* of health_ask() */
    char answer[HEALTH_ANSWER_MAX];
    struct why why;
};

static void say_agent(struct checkup *checkup, const char *env_file, const struct agent *agent)
{
    static const char NAME[] = "gateway-agent";
    char command[512];
    struct text text = text_over(command, sizeof command);
    if (agent->err == 0) {
        checkup_say(checkup, CHECKUP_OK, NAME, "running, %s", agent->answer);
    } else if (agent->err == -ECONNREFUSED || agent->err == -ENOENT) {
        service_start_command(&text, &SERVICE_GATEWAY, env_file);
        checkup_no_agent(checkup, NAME, command);
    } else if (agent->err == -ENOTCONN) {
        checkup_say(checkup, CHECKUP_BAD, NAME,
                    "running, but %s: if everything else is fine, its log says why",
                    agent->why.text);
    } else {
        checkup_say(checkup, CHECKUP_BAD, NAME, "%s; its log may say why", agent->why.text);
    }
}

static const char *taken_by(const struct finding *finding, const struct agent *agent)
{
    return !finding->result.taken ? "not online at the moment"
           : agent->err == 0
               ? "online"
               : "online; if that is another machine, two with the same name push each other out";
}

static void say_finding(struct checkup *checkup, const struct gateway_settings *settings,
                        const struct credentials *credentials, const struct finding *finding,
                        const struct agent *agent)
{
    char address[ADDR_TEXT_MAX];
    int err = finding->err;
    /* These two come from a vps-agent that was reached, so address, port and firewall are right. */
    if (err == -EACCES || err == -EPROTONOSUPPORT) {
        checkup_say(checkup, CHECKUP_OK, "VPS", "%s accepts connections on port %u",
                    settings->vps_host, settings->control_port);
    }
    if (err < 0) {
        const char *what = err == -EACCES || err == -EKEYEXPIRED || err == -EDQUOT ? "key"
                           : err == -EPROTONOSUPPORT                               ? "version"
                                                                                   : "VPS";
        checkup_say(checkup, CHECKUP_BAD, what, "%s", finding->why.text);
        return;
    }
    if (settings->proxy.host[0]) {
        checkup_say(checkup, CHECKUP_OK, "VPS", "%s answers through the proxy",
                    finding->result.program);
    } else {
        checkup_say(checkup, CHECKUP_OK, "VPS", "%s answers at %s", finding->result.program,
                    addr_text(&finding->result.vps, address));
    }
    if (credentials->source != CREDENTIALS_NONE) {
        checkup_say(checkup, CHECKUP_OK, "key", "both sides have the same one; gateway %s is %s",
                    credentials->name, taken_by(finding, agent));
    } else if (finding->result.unpaired[0]) {
        checkup_say(checkup, CHECKUP_BAD, "key", "none yet, and %s", finding->result.unpaired);
    } else {
        checkup_say(checkup, CHECKUP_SKIPPED, "key",
                    "none yet: gateway %s asks to be paired, and says a code to compare with the "
                    "one in the chat",
                    credentials->name);
    }
}

/* Of the family that does not work, beside one that does. */
static void say_other(struct checkup *checkup, int family, const struct finding *finding)
{
    const char *name = family == AF_INET6 ? "IPv6" : "IPv4";
    struct addr own;
    char address[ADDR_TEXT_MAX];
    if (finding->err == 0) {
        checkup_say(checkup, CHECKUP_OK, name, "works too, at %s",
                    addr_text(&finding->result.vps, address));
    } else if (finding->err == -EHOSTUNREACH && net_own_address(family, &own) < 0) {
        checkup_say(checkup, CHECKUP_SKIPPED, name, "this machine has no route out over it");
    } else {
        checkup_say(checkup, CHECKUP_BAD, name,
                    "%s; gateway-agent uses the other family, but may lose seconds each time it "
                    "connects",
                    finding->why.text);
    }
}

static bool has_family(const struct addr *addrs, unsigned count, int family)
{
    unsigned i = 0;
    while (i < count && addrs[i].sa.sa_family != family) {
        i++;
    }
    return i < count;
}

/* A name with addresses of both families may work over one of them alone. */
static void check_vps(struct checkup *checkup, const struct gateway_settings *settings,
                      const struct credentials *credentials, const struct agent *agent,
                      const struct addr *addrs, unsigned count)
{
    struct finding first;
    if (!has_family(addrs, count, AF_INET) || !has_family(addrs, count, AF_INET6)) {
        first = check_login(settings, credentials, AF_UNSPEC);
        say_finding(checkup, settings, credentials, &first, agent);
        return;
    }
    first = check_login(settings, credentials, AF_INET);
    struct finding second = check_login(settings, credentials, AF_INET6);
    bool v4_says = first.err == 0 || second.err < 0;
    say_finding(checkup, settings, credentials, v4_says ? &first : &second, agent);
    if (first.err == 0 || second.err == 0) {
        say_other(checkup, v4_says ? AF_INET6 : AF_INET, v4_says ? &second : &first);
    }
}

/* It is the proxy that looks the VPS up, and chooses the family. */
static void check_vps_by_proxy(struct checkup *checkup, const struct gateway_settings *settings,
                               const struct credentials *credentials, const struct agent *agent)
{
    char where[TARGET_TEXT_MAX];
    struct finding finding = check_login(settings, credentials, AF_UNSPEC);
    target_format(settings->proxy.host, settings->proxy.port, where);
    checkup_say(checkup, CHECKUP_OK, "proxy",
                "the VPS is reached through http://%s (from %s); proxies let few ports through: "
                "the VPS should have DATA_PORT=control",
                where, settings->proxy.variable);
    if (settings->vps_proxy[0] == '\0') {
        checkup_say(checkup, CHECKUP_SKIPPED, "proxy",
                    "%s is of the environment here, and a service has one of its own: there it is "
                    "VPS_PROXY in its env file that counts",
                    settings->proxy.variable);
    }
    say_finding(checkup, settings, credentials, &finding, agent);
}

/* ---- what may be reached -------------------------------------------------- */

/* An address of this machine in a network where targets may be. */
static bool is_of_a_lan(const struct ifaddrs *interface, struct addr *ret_addr)
{
    return interface->ifa_addr && !(interface->ifa_flags & IFF_LOOPBACK) &&
           (interface->ifa_flags & IFF_UP) && addr_from(interface->ifa_addr, ret_addr) == 0 &&
           !(ret_addr->sa.sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&ret_addr->v6.sin6_addr));
}

/* True if a network that this machine is in holds targets; else one that does not. */
static bool reaches_a_lan(const struct targets *targets, char ret_network[ADDR_HOST_MAX])
{
    struct ifaddrs *interfaces;
    bool reaches = false, any = false;
    if (getifaddrs(&interfaces) < 0) {
        return true;
    }
    for (const struct ifaddrs *i = interfaces; i && !reaches; i = i->ifa_next) {
        struct addr addr;
        if (is_of_a_lan(i, &addr)) {
            reaches = targets_have_network_of(targets, &addr);
            any = true;
            addr_host_text(&addr, ret_network);
        }
    }
    freeifaddrs(interfaces);
    /* Nothing is said where nothing could be seen. */
    return reaches || !any;
}

static void check_targets(struct checkup *checkup, const struct targets *targets)
{
    struct targets_summary summary;
    char network[ADDR_HOST_MAX];
    targets_sum_up(targets, &summary);
    if (summary.everything) {
        checkup_say(checkup, CHECKUP_BAD, "targets",
                    "ALLOWED_TARGETS has a /0 in it: whoever takes over the VPS can reach the "
                    "whole Internet through this network; list the networks you need instead");
    } else if (summary.names == 0 && !summary.loopback && !reaches_a_lan(targets, network)) {
        checkup_say(checkup, CHECKUP_SKIPPED, "targets",
                    "ALLOWED_TARGETS has no network that this machine is in (its address is %s): "
                    "fine if there is a route to those it has, otherwise add your network",
                    network);
    } else {
        checkup_say(checkup, CHECKUP_OK, "targets", "%u entr%s in ALLOWED_TARGETS, %u by name%s",
                    summary.entries, summary.entries == 1 ? "y" : "ies", summary.names,
                    summary.loopback ? "; this machine itself is one" : "");
    }
}

static void check_paths(struct checkup *checkup, const struct gateway_settings *settings)
{
    if (settings->common.multipath && settings->proxy.host[0]) {
        checkup_say(checkup, CHECKUP_SKIPPED, "MULTIPATH", "a proxy has one path");
    } else {
        checkup_multipath(checkup, settings->common.multipath);
    }
}

/* ---- all of it ------------------------------------------------------------ */

int doctor_run(const char *env_file)
{
    struct gateway_settings settings;
    struct credentials credentials;
    struct checkup checkup = {0};
    struct agent agent;
    struct addr addrs[RESOLVE_MAX];
    struct why why;
    env_file = gateway_settings_env_file(env_file);
    if (gateway_settings_load(env_file, &settings, &why) < 0) {
        checkup_say(&checkup, CHECKUP_BAD, "settings", "%s", why.text);
        return EXIT_USAGE;
    }
    if (credentials_load(&settings, &credentials, &why) < 0) {
        checkup_say(&checkup, CHECKUP_BAD, "key", "%s", why.text);
        gateway_settings_done(&settings);
        return EXIT_USAGE;
    }
    checkup_settings(&checkup, &GATEWAY_VOCABULARY, env_file);
    checkup_clock(&checkup);
    checkup_descriptors(&checkup, DESCRIPTORS_FEW);
    const struct congestion_system system = congestion_look(CONGESTION_FOLDER);
    checkup_congestion(&checkup, &system, settings.common.congestion_control,
                       "connections to the VPS", "/usr/share/pamtunnel-gateway/bbr");
    check_paths(&checkup, &settings);
    check_targets(&checkup, settings.allowed_targets);
    names_check(&checkup, settings.discover);
    /*
     * Asked before the VPS and said after it: only this agent can tell whether the gateway that is
     * online is itself, or another machine under the same name.
     */
    agent.err = health_ask(&settings, env_file, agent.answer, &agent.why);
    unsigned count = 0;
    if (settings.proxy.host[0]) {
        check_vps_by_proxy(&checkup, &settings, &credentials, &agent);
    } else {
        count = checkup_name(&checkup, "VPS_HOST", settings.vps_host, addrs);
    }
    if (count > 0) {
        check_vps(&checkup, &settings, &credentials, &agent, addrs, count);
    }
    say_agent(&checkup, env_file, &agent);
    credentials_wipe(&credentials);
    gateway_settings_done(&settings);
    return checkup.bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
