/*
 * firewall: which firewall this machine has, as far as files tell, and the command that
 * lets the agent's ports in. It changes nothing.
 */
#ifndef PAMTUNNEL_VPS_SETUP_FIREWALL_H
#define PAMTUNNEL_VPS_SETUP_FIREWALL_H

#include <stdint.h>

#include "base/text.h"
#include "vps/settings/settings.h"

enum firewall_verdict {
    FIREWALL_OPEN,    /* it lets the ports in */
    FIREWALL_CLOSED,  /* it does not: the text is the command */
    FIREWALL_UNKNOWN, /* that cannot be told: the text says what to look at */
};

struct firewall_ports {
    uint16_t control;
    uint16_t entrance;    /* 0: there is none */
    uint16_t first, last; /* of sessions */
};

struct firewall_ports firewall_ports_of(const struct vps_settings *settings);
/* "TCP 9000, 443 and 20000 to 30000": what has to be let in. */
void firewall_add_ports(const struct firewall_ports *ports, struct text *text);
/* root: "" for this machine; a test has another. Adds a sentence to the text. */
enum firewall_verdict firewall_look(const char *root, const struct firewall_ports *ports,
                                    struct text *text);

#endif
