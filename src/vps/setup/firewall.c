/*
 * Only files are read, and no program is run. What they do not tell is never called open: a
 * firewall that was not found may be out of sight, or a provider's in front of this machine.
 */
#include "vps/setup/firewall.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static FILE *open_below(const char *root, const char *path)
{
    char whole[PATH_MAX];
    snprintf(whole, sizeof whole, "%s%s", root, path);
    return fopen(whole, "re");
}

static bool has_line(const char *root, const char *path, const char *start)
{
    char line[512];
    bool found = false;
    FILE *file = open_below(root, path);
    while (file && !found && fgets(line, sizeof line, file)) {
        found = strncmp(line, start, strlen(start)) == 0;
    }
    if (file) {
        fclose(file);
    }
    return found;
}

static bool is_there(const char *root, const char *path)
{
    char whole[PATH_MAX];
    snprintf(whole, sizeof whole, "%s%s", root, path);
    return access(whole, F_OK) == 0;
}

/* Kernel modules that have rules loaded are in use. */
static bool module_is_used(const char *root, const char *name)
{
    char path[128], line[32] = "";
    snprintf(path, sizeof path, "/sys/module/%s/refcnt", name);
    FILE *file = open_below(root, path);
    if (!file) {
        return false;
    }
    bool read = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    return read && atoi(line) > 0;
}

struct firewall_ports firewall_ports_of(const struct vps_settings *settings)
{
    return (struct firewall_ports){.control = settings->control_port,
                                   .entrance = settings->entrance_port,
                                   .first = settings->port_range_start,
                                   .last = settings->port_range_end};
}

void firewall_add_ports(const struct firewall_ports *ports, struct text *text)
{
    text_add(text, "TCP %u", ports->control);
    if (ports->entrance != 0) {
        text_add(text, ", %u", ports->entrance);
    }
    text_add(text, " and %u to %u", ports->first, ports->last);
}

/* ---- the kinds ------------------------------------------------------------ */

static bool ufw_allows(const char *root, uint16_t first, uint16_t last)
{
    char rule[64], range[8] = "";
    if (last != first) {
        snprintf(range, sizeof range, ":%u", last);
    }
    snprintf(rule, sizeof rule, "### tuple ### allow tcp %u%s ", first, range);
    return has_line(root, "/etc/ufw/user.rules", rule);
}

/*
 * ufw keeps its rules as "### tuple ### allow tcp 9000 ..." in a file that only root reads.
 * "*filter" is in each such file: where it is not found, the rules were not seen, and prove
 * nothing.
 */
static enum firewall_verdict look_at_ufw(const char *root, const struct firewall_ports *ports,
                                         struct text *text)
{
    if (ufw_allows(root, ports->control, ports->control) &&
        (ports->entrance == 0 || ufw_allows(root, ports->entrance, ports->entrance)) &&
        ufw_allows(root, ports->first, ports->last)) {
        text_add(text, "ufw lets in ");
        firewall_add_ports(ports, text);
        return FIREWALL_OPEN;
    }
    text_add(text, "ufw is on");
    if (!is_there(root, "/etc/ufw/user.rules") ||
        !has_line(root, "/etc/ufw/user.rules", "*filter")) {
        text_add(text, ", and only root sees its rules; if they lack them");
    }
    text_add(text, ": ufw allow %u/tcp; ", ports->control);
    if (ports->entrance != 0) {
        text_add(text, "ufw allow %u/tcp; ", ports->entrance);
    }
    text_add(text, "ufw allow %u:%u/tcp", ports->first, ports->last);
    return has_line(root, "/etc/ufw/user.rules", "*filter") ? FIREWALL_CLOSED : FIREWALL_UNKNOWN;
}

static enum firewall_verdict say_firewalld(const struct firewall_ports *ports, struct text *text)
{
    text_add(text,
             "firewalld is on; if these are not open yet: firewall-cmd --permanent "
             "--add-port=%u/tcp ",
             ports->control);
    if (ports->entrance != 0) {
        text_add(text, "--add-port=%u/tcp ", ports->entrance);
    }
    text_add(text, "--add-port=%u-%u/tcp && firewall-cmd --reload", ports->first, ports->last);
    return FIREWALL_UNKNOWN;
}

static enum firewall_verdict say_rules(const char *what, const char *command,
                                       const struct firewall_ports *ports, struct text *text)
{
    text_add(text, "%s may have rules; they have to let in ", what);
    firewall_add_ports(ports, text);
    text_add(text, ": see %s", command);
    return FIREWALL_UNKNOWN;
}

enum firewall_verdict firewall_look(const char *root, const struct firewall_ports *ports,
                                    struct text *text)
{
    /*
     * The two managers first: they load rules into the kernel's modules, and their own commands
     * outlive a reboot.
     */
    if (has_line(root, "/etc/ufw/ufw.conf", "ENABLED=yes")) {
        return look_at_ufw(root, ports, text);
    }
    if (is_there(root, "/run/firewalld.pid") || is_there(root, "/run/firewalld/firewalld.pid")) {
        return say_firewalld(ports, text);
    }
    if (module_is_used(root, "nf_tables")) {
        return say_rules("nftables", "nft list ruleset", ports, text);
    }
    if (module_is_used(root, "ip_tables")) {
        return say_rules("iptables", "iptables -S", ports, text);
    }
    text_add(text,
             "none found on this machine; a provider may have one in front of it, which has to "
             "let in ");
    firewall_add_ports(ports, text);
    return FIREWALL_UNKNOWN;
}
