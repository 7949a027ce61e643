/* target_entry: one entry of ALLOWED_TARGETS, as targets.h has its grammar. */
#ifndef PAMTUNNEL_GATEWAY_TARGET_ENTRY_H
#define PAMTUNNEL_GATEWAY_TARGET_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/host.h"
#include "base/net.h"
#include "base/why.h"

enum {
    TARGET_ENTRY_MAX = 512, /* bytes of its text, with a NUL: a long name and many ports */
    TARGET_RANGES_MAX = 32, /* of ports */
};

struct port_range {
    uint16_t first;
    uint16_t last;
};

struct target_entry {
    char name[HOST_MAX + 1]; /* empty: the network counts */
    struct addr network;
    unsigned bits;
    struct port_range ports[TARGET_RANGES_MAX];
    unsigned port_count;
};

/*
 * Reads one, without white space around it; cuts the text apart. -EINVAL with a sentence in why
 * that names the entry and what to write instead.
 */
int target_entry_parse(char *text, struct target_entry *ret_entry, struct why *why);
/* As it can be written; what is too long for dst is cut off. */
void target_entry_write(const struct target_entry *entry, char dst[TARGET_ENTRY_MAX]);

bool target_entry_has_port(const struct target_entry *entry, uint16_t port);
/* It is of a name, and that is this one, in any case. */
bool target_entry_names(const struct target_entry *entry, const char *host);
/* It is of a network that the address is in, and means it: see targets_allow_addr(). */
bool target_entry_covers(const struct target_entry *entry, const struct addr *addr);

#endif
