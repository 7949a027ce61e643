/*
 * An entry is cut into host, bits and ports first, and then each part is read, so that the
 * complaint is about the part that is wrong and shows the entry as it was written. Whatever could
 * mean two things is refused: the list is a boundary, and a guess would move it.
 */
#include "gateway/target_entry.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "gateway/target_mistakes.h"

enum { SHOWN_MAX = 80 }; /* of an entry in a message */

/* One entry's text, cut into its parts. */
struct parts {
    const char *whole; /* as it was written, for messages */
    char *host;
    char *bits; /* NULL: none */
    char *ports;
    bool bracketed;
};

/* What no wide network includes: there the gateway itself listens, or a cloud's metadata. */
static const struct {
    const char *network;
    unsigned bits;
} GUARDED[] = {
    {"0.0.0.0", 8}, {"127.0.0.0", 8}, {"169.254.0.0", 16},
    {"::", 128},    {"::1", 128},     {"fe80::", 10},
};

/* ---- parsing -------------------------------------------------------------- */

/* Reads decimal digits up to the end of the text: no sign, no space, at most max. */
static int parse_number(const char *text, unsigned long max, unsigned long *ret_value)
{
    unsigned long value = 0;
    if (*text == '\0') {
        return -EINVAL;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') {
            return -EINVAL;
        }
        /* Cannot overflow: max is checked with each digit. */
        value = value * 10 + (unsigned long)(*text - '0');
        if (value > max) {
            return -ERANGE;
        }
    }
    *ret_value = value;
    return 0;
}

static int refuse_port(const char *text, const char *whole, struct why *why)
{
    if (*text == '\0') {
        return why_set(why, -EINVAL, "\"%s\": \"\" is not a port: one is missing next to a , or -",
                       whole);
    }
    return why_set(why, -EINVAL, "\"%s\": \"%.20s\" is not a port from 1 to 65535", whole, text);
}

/* "22" or "8000-8100"; cuts the text apart. */
static int parse_range(char *text, const char *whole, struct port_range *ret_range, struct why *why)
{
    struct port_range range;
    char *dash = strchr(text, '-');
    if (dash) {
        *dash++ = '\0';
    }
    if (port_parse(text, &range.first) < 0) {
        return refuse_port(text, whole, why);
    }
    if (!dash) {
        range.last = range.first;
    } else if (port_parse(dash, &range.last) < 0) {
        return refuse_port(dash, whole, why);
    } else if (range.last < range.first) {
        return why_set(why, -EINVAL,
                       "\"%s\": the range of ports is the wrong way round: write %u-%u", whole,
                       range.last, range.first);
    }
    *ret_range = range;
    return 0;
}

static int parse_ports(const struct parts *parts, struct target_entry *entry, struct why *why)
{
    char *rest = parts->ports;
    while (rest) {
        char *one = strsep(&rest, ",");
        int err;
        if (entry->port_count == TARGET_RANGES_MAX) {
            return why_set(why, -EINVAL,
                           "\"%s\": more than %d ports and ranges: make it two entries",
                           parts->whole, TARGET_RANGES_MAX);
        }
        err = parse_range(one, parts->whole, &entry->ports[entry->port_count], why);
        if (err < 0) {
            return err;
        }
        entry->port_count++;
    }
    return 0;
}

/* "10.0.0.0/8" or "[fd00::]/8", as this list takes it. */
static int refuse_host_bits(const struct parts *parts, const struct addr *network, unsigned bits,
                            struct why *why)
{
    const char *open = parts->bracketed ? "[" : "";
    const char *close = parts->bracketed ? "]" : "";
    char text[ADDR_HOST_MAX];
    addr_host_text(network, text);
    return why_set(why, -EINVAL,
                   "\"%s\": write %s%s%s/%u for the whole network, or %s%s%s for the one machine",
                   parts->whole, open, text, close, bits, open, parts->host, close);
}

static int parse_network(const struct parts *parts, struct target_entry *entry, struct why *why)
{
    unsigned long most;
    unsigned long bits;
    struct addr network;
    if (addr_parse(parts->host, 0, &entry->network) < 0) {
        return why_set(why, -EINVAL, "\"%s\": \"%.80s\" is not an address", parts->whole,
                       parts->host);
    }
    most = entry->network.sa.sa_family == AF_INET ? 32 : 128;
    bits = most;
    if (parts->bits && parse_number(parts->bits, most, &bits) < 0) {
        return why_set(why, -EINVAL, "\"%s\": the / takes a number of bits after it, 0 to %lu",
                       parts->whole, most);
    }
    entry->bits = (unsigned)bits;
    /* 192.168.1.22/24 may mean one machine or 256: better ask than open too much. */
    network = addr_network(&entry->network, entry->bits);
    if (!addr_same_host(&network, &entry->network)) {
        return refuse_host_bits(parts, &network, entry->bits, why);
    }
    return 0;
}

static int parse_host(const struct parts *parts, struct target_entry *entry, struct why *why)
{
    enum host_kind kind = host_kind(parts->host);
    if (target_mistakes_is_range(parts->host)) {
        return why_set(why, -EINVAL,
                       "\"%s\": a range of addresses is written as a network, like 192.168.1.0/24, "
                       "or as an entry for each machine",
                       parts->whole);
    }

    if (parts->bracketed && kind != HOST_IPV6) {
        return why_set(why, -EINVAL, "\"%s\": the brackets are for one IPv6 address: [fd00::]/8:22",
                       parts->whole);
    }
    if (kind == HOST_IPV4 || kind == HOST_IPV6) {
        return parse_network(parts, entry, why);
    }
    if (kind != HOST_NAME) {
        return why_set(why, -EINVAL, "\"%s\": \"%.80s\" is neither a name nor an address",
                       parts->whole, parts->host);
    }
    if (parts->bits) {
        return why_set(why, -EINVAL, "\"%s\": only an address can have /%.20s after it",
                       parts->whole, parts->bits);
    }
    strcpy(entry->name, parts->host); /* host_kind() has checked the length */
    return 0;
}

static int refuse_form(const char *whole, struct why *why)
{
    return why_set(
        why, -EINVAL,
        "\"%s\" has no ports: an entry is NAME:PORTS, ADDRESS:PORTS or ADDRESS/BITS:PORTS", whole);
}

static int split(char *text, const char *whole, struct parts *ret_parts, struct why *why)
{
    struct parts parts = {.whole = whole, .host = text, .bracketed = *text == '['};
    char *rest = text;
    if (parts.bracketed) {
        parts.host++;
        rest = strchr(text, ']');
        if (!rest) {
            return why_set(why, -EINVAL, "\"%s\" has no ]", whole);
        }
        *rest++ = '\0';
    }
    if (!parts.bracketed) {
        rest += strcspn(rest, "/:");
    }
    if (*rest == '/') {
        *rest++ = '\0';
        parts.bits = rest;
        rest += strcspn(rest, ":");
    }
    if (*rest != ':' || rest[1] == '\0') {
        return refuse_form(whole, why);
    }
    *rest++ = '\0';
    if (strchr(rest, ':')) {
        return why_set(why, -EINVAL, "\"%s\": an IPv6 address goes in brackets: [fd00::1]:22",
                       whole);
    }
    parts.ports = rest;
    *ret_parts = parts;
    return 0;
}

int target_entry_parse(char *text, struct target_entry *ret_entry, struct why *why)
{
    char shown[SHOWN_MAX + 1];
    struct text copy = text_over(shown, sizeof shown);
    struct target_entry entry = {0};
    struct parts parts = {0};
    int err;
    /* Refused, not skipped: where an entry is missing, somebody meant one. */
    if (*text == '\0') {
        return why_set(why, -EINVAL, "there is an empty entry: a ; only goes between two entries");
    }
    text_add(&copy, "%s", text);
    err = target_mistakes_check(text, shown, why);
    err = err < 0 ? err : split(text, shown, &parts, why);
    if (err == 0) {
        err = parse_host(&parts, &entry, why);
    }
    if (err == 0) {
        err = parse_ports(&parts, &entry, why);
    }
    if (err == 0) {
        *ret_entry = entry;
    }
    return err;
}

/* ---- what it allows ------------------------------------------------------- */

bool target_entry_has_port(const struct target_entry *entry, uint16_t port)
{
    for (unsigned i = 0; i < entry->port_count; i++) {
        if (port >= entry->ports[i].first && port <= entry->ports[i].last) {
            return true;
        }
    }
    return false;
}

/* False if the address is in a GUARDED range and the entry is wider than that range. */
static bool entry_means(const struct target_entry *entry, const struct addr *addr)
{
    for (size_t i = 0; i < sizeof GUARDED / sizeof GUARDED[0]; i++) {
        struct addr range;
        /* A narrow entry means it: 127.0.0.0/8 opens loopback, 0.0.0.0/0 does not. */
        if (addr_parse(GUARDED[i].network, 0, &range) == 0 &&
            addr_in_network(addr, &range, GUARDED[i].bits) && entry->bits < GUARDED[i].bits) {
            return false;
        }
    }
    return true;
}

bool target_entry_names(const struct target_entry *entry, const char *host)
{
    return entry->name[0] && strcasecmp(entry->name, host) == 0;
}

bool target_entry_covers(const struct target_entry *entry, const struct addr *addr)
{
    return !entry->name[0] && addr_in_network(addr, &entry->network, entry->bits) &&
           entry_means(entry, addr);
}

void target_entry_write(const struct target_entry *entry, char dst[TARGET_ENTRY_MAX])
{
    struct text text = text_over(dst, TARGET_ENTRY_MAX);
    char host[ADDR_HOST_MAX];
    if (entry->name[0]) {
        text_add(&text, "%s", entry->name);
    } else {
        bool v6 = entry->network.sa.sa_family == AF_INET6;
        text_add(&text, "%s%s%s", v6 ? "[" : "", addr_host_text(&entry->network, host),
                 v6 ? "]" : "");
        if (entry->bits < (v6 ? 128u : 32u)) {
            text_add(&text, "/%u", entry->bits);
        }
    }
    for (unsigned i = 0; i < entry->port_count; i++) {
        const struct port_range *range = &entry->ports[i];
        text_add(&text, "%s%u", i == 0 ? ":" : ",", range->first);
        if (range->last > range->first) {
            text_add(&text, "-%u", range->last);
        }
    }
}
