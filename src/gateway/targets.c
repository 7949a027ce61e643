/*
 * The list is an array, gone through from the front: it is short, and asked once for each tunnel
 * and address. Whoever holds it goes on holding it through a reload, which swaps what is in it.
 */
#include "gateway/targets.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/changes.h"
#include "gateway/target_entry.h"

enum { ENTRIES_MAX = 1024 };

struct targets {
    struct target_entry *entries;
    unsigned count;
};

static int add_entry(struct targets *targets, char *text, struct why *why)
{
    struct target_entry *entries;
    int err;
    if (targets->count == ENTRIES_MAX) {
        return why_set(why, -EINVAL, "more than %d entries", ENTRIES_MAX);
    }
    entries = realloc(targets->entries, (targets->count + 1) * sizeof *entries);
    if (!entries) {
        return why_set(why, -ENOMEM, "out of memory");
    }
    targets->entries = entries;
    err = target_entry_parse(text, &entries[targets->count], why);
    if (err == 0) {
        targets->count++;
    }
    return err;
}

/* Copies the len characters at text without the white space around them. */
static int take_entry(const char *text, size_t len, char dst[TARGET_ENTRY_MAX], struct why *why)
{
    while (len > 0 && isspace((unsigned char)*text)) {
        text++;
        len--;
    }
    while (len > 0 && isspace((unsigned char)text[len - 1])) {
        len--;
    }
    if (len >= TARGET_ENTRY_MAX) {
        return why_set(why, -EINVAL, "\"%.60s...\": an entry can have at most %d characters", text,
                       TARGET_ENTRY_MAX - 1);
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
        char entry[TARGET_ENTRY_MAX];
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

bool targets_allow_name(const struct targets *targets, const char *host, uint16_t port)
{
    for (unsigned i = 0; i < targets->count; i++) {
        const struct target_entry *entry = &targets->entries[i];
        if (target_entry_names(entry, host) && target_entry_has_port(entry, port)) {
            return true;
        }
    }
    return false;
}

bool targets_might_allow(const struct targets *targets, const char *host, uint16_t port)
{
    for (unsigned i = 0; i < targets->count; i++) {
        const struct target_entry *entry = &targets->entries[i];
        if (target_entry_has_port(entry, port) &&
            (!entry->name[0] || target_entry_names(entry, host))) {
            return true;
        }
    }
    return false;
}

bool targets_allow_addr(const struct targets *targets, const struct addr *addr)
{
    for (unsigned i = 0; i < targets->count; i++) {
        const struct target_entry *entry = &targets->entries[i];
        if (target_entry_covers(entry, addr) && target_entry_has_port(entry, addr_port(addr))) {
            return true;
        }
    }
    return false;
}

bool targets_have_network_of(const struct targets *targets, const struct addr *addr)
{
    for (unsigned i = 0; i < targets->count; i++) {
        const struct target_entry *entry = &targets->entries[i];
        if (target_entry_covers(entry, addr)) {
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
        const struct target_entry *entry = &targets->entries[i];
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

static bool has_entry(const struct targets *targets, const char *wanted)
{
    char written[TARGET_ENTRY_MAX];
    for (unsigned i = 0; i < targets->count; i++) {
        target_entry_write(&targets->entries[i], written);
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
    char written[TARGET_ENTRY_MAX];
    for (unsigned i = 0; i < from->count; i++) {
        target_entry_write(&from->entries[i], written);
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
