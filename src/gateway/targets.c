/*
 * An entry is cut into parts (host, bits, ports), and each part is read by the strict parsers of
 * base: anything that could be meant in two ways is an error with the two ways in it, since this
 * list is what keeps a stolen VPS out of the LAN.
 *
 * Asking is a walk over all entries. It is done for each tunnel and not for each byte, and 1024
 * entries take microseconds.
 *
 * Pure functions but for targets_swap(): whoever holds a list sees its new entries from then on.
 */
#include "gateway/targets.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/changes.h"
#include "base/host.h"
#include "base/text.h"
#include "gateway/slips.h"

enum {
    ENTRIES_MAX = 1024,
    RANGES_MAX = 32,      /* of ports, per entry */
    ENTRY_TEXT_MAX = 512, /* a long name and many ports */
    SHOWN_MAX = 80,       /* of an entry in a message */
};

struct range {
    uint16_t first;
    uint16_t last;
};

struct entry {
    char name[HOST_MAX + 1]; /* empty: the network counts */
    struct addr network;
    unsigned bits;
    struct range ports[RANGES_MAX];
    unsigned port_count;
};

struct targets {
    struct entry *entries;
    unsigned count;
};

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
} guarded[] = {
    {"0.0.0.0", 8}, {"127.0.0.0", 8}, {"169.254.0.0", 16},
    {"::", 128},    {"::1", 128},     {"fe80::", 10},
};

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
static int parse_range(char *text, const char *whole, struct range *ret_range, struct why *why)
{
    struct range range;
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

static int parse_ports(const struct parts *parts, struct entry *entry, struct why *why)
{
    char *rest = parts->ports;
    while (rest) {
        char *one = strsep(&rest, ",");
        int err;
        if (entry->port_count == RANGES_MAX) {
            return why_set(why, -EINVAL,
                           "\"%s\": more than %d ports and ranges: make it two entries",
                           parts->whole, RANGES_MAX);
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

static int parse_network(const struct parts *parts, struct entry *entry, struct why *why)
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

static int parse_host(const struct parts *parts, struct entry *entry, struct why *why)
{
    enum host_kind kind = host_kind(parts->host);
    if (slips_is_range(parts->host)) {
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

/* Cuts text apart. */
static int parse_entry(char *text, struct entry *ret_entry, struct why *why)
{
    char shown[SHOWN_MAX + 1];
    struct text copy = text_over(shown, sizeof shown);
    struct entry entry = {0};
    struct parts parts = {0};
    int err;
    /* Refused, not skipped: where an entry is missing, somebody meant one. */
    if (*text == '\0') {
        return why_set(why, -EINVAL, "there is an empty entry: a ; only goes between two entries");
    }
    text_add(&copy, "%s", text);
    err = slips_check(text, shown, why);
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

static int add_entry(struct targets *targets, char *text, struct why *why)
{
    struct entry *entries;
    int err;
    if (targets->count == ENTRIES_MAX) {
        return why_set(why, -EINVAL, "more than %d entries", ENTRIES_MAX);
    }
    entries = realloc(targets->entries, (targets->count + 1) * sizeof *entries);
    if (!entries) {
        return why_set(why, -ENOMEM, "out of memory");
    }
    targets->entries = entries;
    err = parse_entry(text, &entries[targets->count], why);
    if (err == 0) {
        targets->count++;
    }
    return err;
}

/* Copies the len characters at text without the white space around them. */
static int take_entry(const char *text, size_t len, char dst[ENTRY_TEXT_MAX], struct why *why)
{
    while (len > 0 && isspace((unsigned char)*text)) {
        text++;
        len--;
    }
    while (len > 0 && isspace((unsigned char)text[len - 1])) {
        len--;
    }
    if (len >= ENTRY_TEXT_MAX) {
        return why_set(why, -EINVAL, "\"%.60s...\": an entry can have at most %d characters", text,
                       ENTRY_TEXT_MAX - 1);
    }
    memcpy(dst, text, len);
    dst[len] = '\0';
    return 0;
}

int targets_parse(const char *text, struct targets **ret_targets, struct why *why)
{
    struct targets *targets = calloc(1, sizeof *targets);
    bool more = true;
    if (!targets) {
        return why_set(why, -ENOMEM, "out of memory");
    }
    while (more) {
        char entry[ENTRY_TEXT_MAX];
        size_t len = strcspn(text, ";");
        int err = take_entry(text, len, entry, why);
        if (err == 0) {
            err = add_entry(targets, entry, why);
        }
        if (err < 0) {
            targets_free(targets);
            return err;
        }
        /* A ; at the end leaves one more entry, an empty one, which is refused. */
        more = text[len] == ';';
        text += len + more;
    }
    *ret_targets = targets;
    return 0;
}

void targets_free(struct targets *targets)
{
    if (!targets) {
        return;
    }
    free(targets->entries);
    free(targets);
}

static bool entry_has_port(const struct entry *entry, uint16_t port)
{
    for (unsigned i = 0; i < entry->port_count; i++) {
        if (port >= entry->ports[i].first && port <= entry->ports[i].last) {
            return true;
        }
    }
    return false;
}

bool targets_allow_name(const struct targets *targets, const char *host, uint16_t port)
{
    for (unsigned i = 0; i < targets->count; i++) {
        const struct entry *entry = &targets->entries[i];
        if (entry->name[0] != '\0' && strcasecmp(entry->name, host) == 0 &&
            entry_has_port(entry, port)) {
            return true;
        }
    }
    return false;
}

bool targets_might_allow(const struct targets *targets, const char *host, uint16_t port)
{
    for (unsigned i = 0; i < targets->count; i++) {
        const struct entry *entry = &targets->entries[i];
        if (entry_has_port(entry, port) &&
            (entry->name[0] == '\0' || strcasecmp(entry->name, host) == 0)) {
            return true;
        }
    }
    return false;
}

/* False if the address is in a guarded range and the entry is wider than that range. */
static bool entry_means(const struct entry *entry, const struct addr *addr)
{
    for (size_t i = 0; i < sizeof guarded / sizeof guarded[0]; i++) {
        struct addr range;
        /* A narrow entry means it: 127.0.0.0/8 opens loopback, 0.0.0.0/0 does not. */
        if (addr_parse(guarded[i].network, 0, &range) == 0 &&
            addr_in_network(addr, &range, guarded[i].bits) && entry->bits < guarded[i].bits) {
            return false;
        }
    }
    return true;
}

bool targets_allow_addr(const struct targets *targets, const struct addr *addr)
{
    for (unsigned i = 0; i < targets->count; i++) {
        const struct entry *entry = &targets->entries[i];
        if (entry->name[0] == '\0' && addr_in_network(addr, &entry->network, entry->bits) &&
            entry_means(entry, addr) && entry_has_port(entry, addr_port(addr))) {
            return true;
        }
    }
    return false;
}

bool targets_have_network_of(const struct targets *targets, const struct addr *addr)
{
    for (unsigned i = 0; i < targets->count; i++) {
        const struct entry *entry = &targets->entries[i];
        if (entry->name[0] == '\0' && addr_in_network(addr, &entry->network, entry->bits) &&
            entry_means(entry, addr)) {
            return true;
        }
    }
    return false;
}

void targets_sum_up(const struct targets *targets, struct targets_summary *ret_summary)
{
    struct targets_summary summary = {.entries = targets->count};
    struct addr v4, v6;
    for (unsigned i = 0; i < targets->count; i++) {
        const struct entry *entry = &targets->entries[i];
        summary.names += entry->name[0] != '\0';
        summary.everything |= entry->name[0] == '\0' && entry->bits == 0;
    }
    summary.loopback = (addr_parse("127.0.0.1", 0, &v4) == 0 &&
                        targets_have_network_of(targets, &v4)) ||
                       (addr_parse("::1", 0, &v6) == 0 && targets_have_network_of(targets, &v6));
    *ret_summary = summary;
}

/* ---- another list ------------------------------------------------------------ */

void targets_swap(struct targets *a, struct targets *b)
{
    /* By content: tunnels keep a pointer to the list that is in force. */
    struct targets kept = *a;
    *a = *b;
    *b = kept;
}

/* As it can be written; what is too long for dst is cut off. */
static void write_entry(const struct entry *entry, char dst[ENTRY_TEXT_MAX])
{
    struct text text = text_over(dst, ENTRY_TEXT_MAX);
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
        const struct range *range = &entry->ports[i];
        text_add(&text, "%s%u", i == 0 ? ":" : ",", range->first);
        if (range->last > range->first) {
            text_add(&text, "-%u", range->last);
        }
    }
}

static bool has_entry(const struct targets *targets, const char *wanted)
{
    char written[ENTRY_TEXT_MAX];
    for (unsigned i = 0; i < targets->count; i++) {
        write_entry(&targets->entries[i], written);
        /* As text: two spellings of one entry are one entry, whatever was typed. */
        if (strcasecmp(written, wanted) == 0) {
            return true;
        }
    }
    return false;
}

/* Those of the first list that are not in the second. */
static void add_missing(const struct targets *from, const struct targets *in, const char *verb,
                        struct text *text)
{
    char written[ENTRY_TEXT_MAX];
    for (unsigned i = 0; i < from->count; i++) {
        write_entry(&from->entries[i], written);
        if (!has_entry(in, written)) {
            changes_add_item(text, written, verb);
        }
    }
}

void targets_differ(const struct targets *before, const struct targets *after, struct text *text)
{
    add_missing(after, before, "added", text);
    add_missing(before, after, "removed", text);
}
