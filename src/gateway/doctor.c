#include "gateway/doctor.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checkup.h"
#include "base/settings.h"
#include "control/tls.h"
#include "gateway/join.h"
#include "gateway/look.h"
#include "gateway/settings.h"
#include "gateway/targets.h"

enum { EXIT_USAGE = 2, DESCRIPTORS_FEW = 1024 };

static void check_secret_files(struct checkup *checkup, const char *env_file)
{
    struct settings_source *source;
    checkup_secret_file(checkup, env_file);
    if (settings_open(env_file, &source, NULL) == 0) {
        checkup_secret_file(checkup, settings_file_of(source, "TUNNEL_KEY"));
        settings_close(source);
    }
}

/* The handshake of a login, without logging in: a gateway-agent that runs is not disturbed. */
static void check_vps(struct checkup *checkup, const struct gateway_settings *settings)
{
    struct look_request request = {.vps_host = settings->vps_host,
                                   .control_port = settings->control_port,
                                   .gateway_name = settings->gateway_name,
                                   .key = settings->tunnel_key};
    struct look_result result;
    struct why why;
    char address[ADDR_TEXT_MAX];
    int err = look(&request, &result, &why);
    if (err == -EACCES || err == -EPROTONOSUPPORT) {
        checkup_say(checkup, CHECKUP_OK, "VPS", "%s port %u takes the connection",
                    settings->vps_host, settings->control_port);
    }
    if (err < 0) {
        const char *what = err == -EACCES ? "key" : err == -EPROTONOSUPPORT ? "version" : "VPS";
        checkup_say(checkup, CHECKUP_BAD, what, "%s", why.text);
        return;
    }
    checkup_say(checkup, CHECKUP_OK, "VPS", "%s answers at %s", result.program,
                addr_text(&result.vps, address));
    checkup_say(checkup, CHECKUP_OK, "key", "both sides have the same; gateway %s is %s",
                settings->gateway_name,
                result.taken ? "online (this machine's, if gateway-agent runs here)"
                             : "not online at the moment");
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
    return reaches || !any;
}

static void check_targets(struct checkup *checkup, const struct targets *targets)
{
    struct targets_summary summary;
    char network[ADDR_HOST_MAX];
    targets_sum_up(targets, &summary);
    if (summary.everything) {
        checkup_say(checkup, CHECKUP_BAD, "targets",
                    "ALLOWED_TARGETS has a network of /0: whoever gets hold of the VPS reaches the "
                    "whole Internet through this network; name the networks you need");
    } else if (summary.names == 0 && !summary.loopback && !reaches_a_lan(targets, network)) {
        checkup_say(checkup, CHECKUP_SKIPPED, "targets",
                    "ALLOWED_TARGETS has no network that this machine is in (its address is %s): "
                    "right if there is a route to what it has, else add your network",
                    network);
    } else {
        checkup_say(checkup, CHECKUP_OK, "targets",
                    "%u entries in ALLOWED_TARGETS, %u of them names%s", summary.entries,
                    summary.names, summary.loopback ? "; this machine itself is one" : "");
    }
}

/* ---- all of it ------------------------------------------------------------ */

int doctor_run(const char *env_file)
{
    struct gateway_settings settings;
    struct checkup checkup = {0};
    struct addr addrs[RESOLVE_MAX];
    struct why why;
    if (!env_file && !getenv("VPS_HOST") && access(GATEWAY_ENV_FILE, F_OK) == 0) {
        env_file = GATEWAY_ENV_FILE;
    }
    if (gateway_settings_load(env_file, &settings, &why) < 0) {
        checkup_say(&checkup, CHECKUP_BAD, "settings", "%s", why.text);
        return EXIT_USAGE;
    }
    checkup_say(&checkup, CHECKUP_OK, "settings", "complete, from %s",
                env_file ? env_file : "the environment");
    check_secret_files(&checkup, env_file);
    checkup_clock(&checkup);
    checkup_descriptors(&checkup, DESCRIPTORS_FEW);
    check_targets(&checkup, settings.allowed_targets);
    if (checkup_name(&checkup, "VPS_HOST", settings.vps_host, addrs) > 0) {
        check_vps(&checkup, &settings);
    }
    gateway_settings_done(&settings);
    tls_library_free();
    return checkup.bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
