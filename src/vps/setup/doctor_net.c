/* doctor: this server's addresses and ports. */
#include <errno.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/net.h"
#include "vps/setup/doctor.h"

enum { SAMPLES = 16, PORTS = 65536, FEW_PORTS = 32, TIME_WAIT = 0x06 };

/* ---- does VPS_HOST point here? -------------------------------------------- */

static bool is_ours(const struct addr *addr)
{
    struct ifaddrs *interfaces;
    bool found = false;
    if (getifaddrs(&interfaces) < 0) {
        return false;
    }
    for (const struct ifaddrs *i = interfaces; i && !found; i = i->ifa_next) {
        struct addr own;
        found = i->ifa_addr && addr_from(i->ifa_addr, &own) == 0 && addr_same_host(&own, addr);
    }
    freeifaddrs(interfaces);
    return found;
}

/* The whole of 127.0.0.0/8: in Debian's /etc/hosts a machine's own name is 127.0.1.1. */
static bool is_loopback(const struct addr *addr)
{
    struct addr v4, v6;
    return (addr_parse("127.0.0.0", 0, &v4) == 0 && addr_in_network(addr, &v4, 8)) ||
           (addr_parse("::1", 0, &v6) == 0 && addr_in_network(addr, &v6, 128));
}

/* FreeRDP keeps the brackets of an address in a file, and looks for a machine of that name. */
static void check_literal(struct checkup *checkup, const char *host)
{
    if (host_kind(host) == HOST_IPV6) {
        checkup_say(checkup, CHECKUP_SKIPPED, "VPS_HOST",
                    "an IPv6 address: FreeRDP cannot open .rdp files with one; use a name with an "
                    "AAAA record");
    }
}

/*
 * All addresses count, not just the first: a client may try any of them. A name that points
 * elsewhere is only an error if this server has a public address itself; behind NAT, a wrong record
 * and a forwarded one look the same from here.
 */
void doctor_check_host(struct checkup *checkup, const struct vps_settings *settings)
{
    struct addr addrs[RESOLVE_MAX], own;
    char one[ADDR_HOST_MAX], other[ADDR_HOST_MAX];
    unsigned count = checkup_name(checkup, "VPS_HOST", settings->vps_host, addrs), ours = 0;
    unsigned looped = 0;
    check_literal(checkup, settings->vps_host);
    for (unsigned i = 0; i < count; i++) {
        ours += is_ours(&addrs[i]);
        looped += is_loopback(&addrs[i]);
    }
    if (count == 0) {
        return;
    }
    if (looped > 0) {
        checkup_say(checkup, CHECKUP_SKIPPED, "VPS_HOST",
                    "%s only points to this server for programs that run on it: no client "
                    "elsewhere can reach it, so set its public name or address",
                    settings->vps_host);
    } else if (ours == count && addr_not_public(&addrs[0])) {
        checkup_say(checkup, CHECKUP_SKIPPED, "VPS_HOST",
                    "it points to this server, but %s is %s; for clients elsewhere set its public "
                    "name or address",
                    addr_host_text(&addrs[0], one), addr_not_public(&addrs[0]));
    } else if (ours == count) {
        checkup_say(checkup, CHECKUP_OK, "VPS_HOST", "it points to this server");
    } else if (ours > 0) {
        checkup_say(checkup, CHECKUP_BAD, "VPS_HOST",
                    "only %u of its %u addresses are this server's: clients that try another one "
                    "cannot reach it; correct its DNS records",
                    ours, count);
    } else if (net_own_address(addrs[0].sa.sa_family, &own) < 0) {
        checkup_say(checkup, CHECKUP_BAD, "VPS_HOST",
                    "%s is not this server's, and this server has no route out in that family",
                    addr_host_text(&addrs[0], one));
    } else if (addr_is_public(&own)) {
        checkup_say(checkup, CHECKUP_BAD, "VPS_HOST",
                    "it points to %s, but this server is %s: correct VPS_HOST or its DNS record",
                    addr_host_text(&addrs[0], one), addr_host_text(&own, other));
    } else {
        checkup_say(checkup, CHECKUP_SKIPPED, "VPS_HOST",
                    "this server is %s behind NAT: %s has to forward its ports to it",
                    addr_host_text(&own, other), addr_host_text(&addrs[0], one));
    }
}

/* ---- ports ---------------------------------------------------------------- */

/*
 * Marks the local ports of one of the kernel's tables: two files to read instead of a bind(2) for
 * each port of thousands. One in TIME_WAIT is not taken, since SO_REUSEADDR has it listened on
 * again (net_listen()).
 */
static void read_table(const char *path, bool used[PORTS])
{
    char line[512];
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        unsigned port, state;
        if (sscanf(line, "%*u: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x", &port, &state) == 2 &&
            port < PORTS && state != TIME_WAIT) {
            used[port] = true;
        }
    }
    if (file) {
        fclose(file);
    }
}

/* By listening there for a moment; on a port that is taken this fails, and disturbs nobody. */
static int try_port(const struct vps_settings *settings, uint16_t port)
{
    int fd = net_listen(settings->bind_address, port, 1);
    if (fd < 0) {
        return fd;
    }
    close(fd);
    return 0;
}

#define NEEDS_CAPABILITY \
    "a port below 1024 takes CAP_NET_BIND_SERVICE, see CONTROL_PORT in vps-agent(8)"

/* Root may listen there, and hears that the service may not by itself. */
static const char *not_by_itself(unsigned port)
{
    return port < 1024 && geteuid() == 0 ? "; for the service, " NEEDS_CAPABILITY : "";
}

static void check_control_port(struct checkup *checkup, const struct vps_settings *settings,
                               bool agent_runs)
{
    int err = try_port(settings, settings->control_port);
    if (err == 0 && agent_runs) {
        checkup_say(checkup, CHECKUP_BAD, "CONTROL_PORT",
                    "nothing is listening on %u, although vps-agent is running: was it started "
                    "with another CONTROL_PORT?",
                    settings->control_port);
    } else if (err == 0) {
        checkup_say(checkup, CHECKUP_OK, "CONTROL_PORT", "%u is free%s", settings->control_port,
                    not_by_itself(settings->control_port));
    } else if (err == -EADDRINUSE && agent_runs) {
        checkup_say(checkup, CHECKUP_OK, "CONTROL_PORT", "%u is in use by the running vps-agent",
                    settings->control_port);
    } else {
        checkup_say(checkup, CHECKUP_BAD, "CONTROL_PORT", "cannot listen on %u at %s: %s%s",
                    settings->control_port, settings->bind_address, strerror(-err),
                    err == -EADDRINUSE ? "; ss -ltnp shows what does: stop it, or set another port"
                    : err == -EADDRNOTAVAIL ? "; BIND_ADDRESS is not this server's"
                    : err == -EACCES        ? "; " NEEDS_CAPABILITY
                                            : "");
    }
}

static void check_entrance(struct checkup *checkup, const struct vps_settings *settings,
                           bool agent_runs)
{
    unsigned port = settings->entrance_port;
    int err = port == 0 ? 0 : try_port(settings, settings->entrance_port);
    if (port == 0) {
        return;
    }
    if (err == 0 || (err == -EADDRINUSE && agent_runs)) {
        checkup_say(checkup, err == 0 && agent_runs ? CHECKUP_BAD : CHECKUP_OK, "ENTRANCE_PORT",
                    err < 0 ? "%u is in use, with vps-agent running; let it through the firewall"
                    : agent_runs ? "nothing is listening on %u, although vps-agent is running: "
                                   "restart it"
                                 : "%u is free; let it through the firewall%s",
                    port, not_by_itself(port));
    } else {
        checkup_say(checkup, CHECKUP_BAD, "ENTRANCE_PORT", "cannot listen on %u at %s: %s%s", port,
                    settings->bind_address, strerror(-err),
                    err == -EADDRINUSE ? "; ss -ltnp shows what does: stop it, or set another port"
                    : err == -EACCES   ? "; " NEEDS_CAPABILITY
                                       : "");
    }
}

/* Sessions that find no port: a small range that is free is a choice, a full one a fault. */
static void say_range(struct checkup *checkup, const struct vps_settings *settings, unsigned taken)
{
    bool takes_one = settings->data_port == DATA_PORT_CONTROL;
    const char *each = takes_one ? "one" : "two";
    unsigned first = settings->port_range_start, last = settings->port_range_end;
    unsigned size = last - first + 1, room = (size - taken) / (takes_one ? 1 : 2);
    if (room == 0 || (size >= FEW_PORTS && size - taken < FEW_PORTS)) {
        checkup_say(checkup, CHECKUP_BAD, "ports",
                    "only %u of %u to %u are free, and a session takes %s: widen PORT_RANGE_START "
                    "and PORT_RANGE_END",
                    size - taken, first, last, each);
    } else if (size < FEW_PORTS) {
        checkup_say(checkup, CHECKUP_OK, "ports",
                    "%u of the %u from %u to %u are in use: room for %u more session%s, as each "
                    "takes %s and used ones rest for a minute",
                    taken, size, first, last, room, room == 1 ? "" : "s", each);
    } else {
        checkup_say(checkup, CHECKUP_OK, "ports", "%u of the %u from %u to %u are in use", taken,
                    size, first, last);
    }
}

/*
 * How many of the range are taken, and whether some of the free ones can be had: some, since a
 * range of thousands would take long, and what keeps one from being had (rights, the address) keeps
 * all.
 */
static void check_range(struct checkup *checkup, const struct vps_settings *settings,
                        const bool used[PORTS])
{
    unsigned first = settings->port_range_start, last = settings->port_range_end, taken = 0;
    for (unsigned port = first; port <= last; port++) {
        taken += used[port];
    }
    for (unsigned i = 0; i < SAMPLES; i++) {
        uint32_t offset = 0;
        crypto_random_below(last - first + 1, &offset);
        int err = used[first + offset] ? 0 : try_port(settings, (uint16_t)(first + offset));
        if (err < 0 && err != -EADDRINUSE) {
            checkup_say(checkup, CHECKUP_BAD, "ports", "cannot listen on %u at %s: %s%s",
                        first + offset, settings->bind_address, strerror(-err),
                        err == -EACCES ? "; take a range above 1023" : "");
            return;
        }
    }
    say_range(checkup, settings, taken);
}

/*
 * Where the kernel takes ports for outgoing connections from: one that it has taken cannot be
 * listened on, so that a session fails now and then, and nobody can say why. Despite its path, that
 * range holds for IPv6 as well.
 */
static void check_overlap(struct checkup *checkup, const struct vps_settings *settings)
{
    unsigned low, high;
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
    bool known = file && fscanf(file, "%u %u", &low, &high) == 2;
    if (file) {
        fclose(file);
    }
    if (known && settings->port_range_start <= high && settings->port_range_end >= low) {
        checkup_say(checkup, CHECKUP_BAD, "ports",
                    "outgoing connections of this server use ports %u to %u, which overlap with "
                    "PORT_RANGE: choose another range, or sysctl "
                    "net.ipv4.ip_local_reserved_ports=%u-%u",
                    low, high, settings->port_range_start, settings->port_range_end);
    }
}

void doctor_check_ports(struct checkup *checkup, const struct vps_settings *settings,
                        bool agent_runs)
{
    bool *used = calloc(PORTS, sizeof *used);
    check_control_port(checkup, settings, agent_runs);
    check_entrance(checkup, settings, agent_runs);
    if (used) {
        read_table("/proc/net/tcp", used);
        read_table("/proc/net/tcp6", used);
        check_range(checkup, settings, used);
        free(used);
    }
    check_overlap(checkup, settings);
}
