/*
 * targets: the gateway's own list of what may be dialled (ALLOWED_TARGETS). It
 * is what keeps a stolen VPS out of the LAN, so it is checked here, on the
 * gateway, and against the address that is dialled afterwards.
 *
 *     list  = entry *(";" entry)
 *     entry = (NAME | IPV4["/" BITS] | "[" IPV6 "]" ["/" BITS]) ":" ports
 *     ports = (PORT | PORT "-" PORT) *("," ...)
 *
 * White space around entries is ignored. A network has to be written with its
 * first address: 192.168.1.22/24 could mean one machine or 256, and is an error.
 */
#ifndef PAMTUNNEL_GATEWAY_TARGETS_H
#define PAMTUNNEL_GATEWAY_TARGETS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/net.h"
#include "base/text.h"
#include "base/why.h"

/* SSH and RDP in the private ranges (RFC 1918, RFC 4193), and never loopback. */
#define TARGETS_DEFAULT \
    "10.0.0.0/8:22,3389;172.16.0.0/12:22,3389;192.168.0.0/16:22,3389;[fc00::]/7:22,3389"

struct targets;

/*
 * Reads a list. -EINVAL with a sentence in why that names the entry and what to
 * write instead, or -ENOMEM.
 */
int targets_parse(const char *text, struct targets **ret_targets, struct why *why);
/* Accepts NULL. */
void targets_free(struct targets *targets);

/* The host as it was asked for is listed by name, in any case, with this port. */
bool targets_allow_name(const struct targets *targets, const char *host, uint16_t port);

/*
 * What the host resolves to could be allowed, so far as that can be said without looking
 * it up: it is listed by name with this port, or there is a network with this port.
 */
bool targets_might_allow(const struct targets *targets, const char *host, uint16_t port);

/*
 * The address and its port are within a listed network. Loopback, link-local and
 * unspecified addresses are only within networks that hold nothing else: 0.0.0.0/0 does
 * not open what the gateway machine offers to itself alone, 127.0.0.0/8 does.
 *
 * The gateway machine has an address in the LAN too, and that is an address like any
 * other: with the default list, its own SSH and RDP can be reached there. (That is often
 * what is wanted. Whoever does not want that lists networks or machines without it.)
 */
bool targets_allow_addr(const struct targets *targets, const struct addr *addr);

/* Each gets what the other held: whoever asks the one goes by the other list from now on. */
void targets_swap(struct targets *a, struct targets *b);
/* Adds which entries were added and removed, or nothing. */
void targets_differ(const struct targets *before, const struct targets *after, struct text *text);

/* For --doctor: what the list is like as a whole. */
struct targets_summary {
    unsigned entries;
    unsigned names;  /* of the entries */
    bool everything; /* a network of /0 */
    bool loopback;   /* this machine itself, by 127.0.0.1 or ::1 */
};
void targets_sum_up(const struct targets *targets, struct targets_summary *ret_summary);
/* The address is within a listed network, whatever the ports. */
bool targets_have_network_of(const struct targets *targets, const struct addr *addr);

#endif
