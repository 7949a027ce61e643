#include "vps/waking/macs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* That it was seen again is worth a write now and then only. */
enum { SEEN_EVERY_S = 24 * 3600 };

struct macs {
    struct store *store;
    unsigned count;
    struct mac_entry *entries; /* MACS_MAX; pages that hold none are never touched */
};

static const char LOAD[] = "SELECT gateway, host, mac, port, since, seen FROM mac ORDER BY seen";
static const char KEEP[] =
    "INSERT INTO mac(gateway, host, mac, port, since, seen) VALUES(?1, ?2, ?3, ?4, ?5, ?6) "
    "ON CONFLICT(gateway, host) DO UPDATE SET mac=?3, port=?4, since=?5, seen=?6";
static const char DROP[] = "DELETE FROM mac WHERE gateway=?1 AND host=?2";

/* ---- the file -------------------------------------------------------------- */

static void keep(const struct macs *macs, const struct mac_entry *entry)
{
    char mac[MAC_TEXT_SIZE];
    const struct statement statement = {
        KEEP,
        {value_text(entry->gateway), value_text(entry->host), value_text(mac_text(entry->mac, mac)),
         value_number(entry->port), value_number(entry->since), value_number(entry->seen)}};
    store_write(macs->store, &statement, NULL, NULL);
}

static void drop(const struct macs *macs, const struct mac_entry *entry)
{
    const struct statement statement = {DROP,
                                        {value_text(entry->gateway), value_text(entry->host)}};
    store_write(macs->store, &statement, NULL, NULL);
}

static void load(void *arg, const struct row *row)
{
    struct macs *macs = arg;
    struct mac_entry entry = {.since = row_number(row, 4), .seen = row_number(row, 5)};
    const char *host = row_text(row, 1);
    int64_t port = row_number(row, 3);
    if (macs->count < MACS_MAX && gateway_name_is_valid(row_text(row, 0)) &&
        host_kind(host) != HOST_INVALID && mac_parse(row_text(row, 2), entry.mac) == 0 &&
        mac_is_one(entry.mac) && port > 0 && port <= UINT16_MAX) {
        entry.port = (uint16_t)port;
        snprintf(entry.gateway, sizeof entry.gateway, "%s", row_text(row, 0));
        snprintf(entry.host, sizeof entry.host, "%s", host);
        macs->entries[macs->count++] = entry;
    }
}

struct macs *macs_new(struct store *store)
{
    const struct statement statement = {.sql = LOAD};
    struct macs *macs = calloc(1, sizeof *macs);
    if (macs) {
        macs->store = store;
        macs->entries = calloc(MACS_MAX, sizeof *macs->entries);
    }
    if (!macs || !macs->entries) {
        free(macs);
        return NULL;
    }
    store_read(store, &statement, load, macs);
    return macs;
}

void macs_free(struct macs *macs)
{
    if (macs) {
        free(macs->entries);
        free(macs);
    }
}

/* ---- what is in it ---------------------------------------------------------- */

/* Its place, or where the count ends. */
static unsigned find(const struct macs *macs, const char *gateway, const char *host)
{
    unsigned i = 0;
    while (i < macs->count && !(gateway_name_equal(macs->entries[i].gateway, gateway) &&
                                strcasecmp(macs->entries[i].host, host) == 0)) {
        i++;
    }
    return i;
}

/* A place for one more. */
static struct mac_entry *make_room(struct macs *macs)
{
    if (macs->count < MACS_MAX) {
        return &macs->entries[macs->count++];
    }
    struct mac_entry *oldest = macs->entries;
    for (unsigned i = 1; i < macs->count; i++) {
        oldest = macs->entries[i].seen < oldest->seen ? &macs->entries[i] : oldest;
    }
    drop(macs, oldest);
    return oldest;
}

static bool is_as_kept(const struct mac_entry *kept, const struct mac_entry *entry)
{
    return kept->port == entry->port && entry->seen >= kept->seen &&
           entry->seen - kept->seen < SEEN_EVERY_S;
}

bool macs_learn(struct macs *macs, const struct mac_entry *entry)
{
    unsigned at = find(macs, entry->gateway, entry->host);
    struct mac_entry *kept = at < macs->count ? &macs->entries[at] : NULL;
    if (!mac_is_one(entry->mac)) {
        return false;
    }
    bool is_news = !kept || memcmp(kept->mac, entry->mac, MAC_SIZE) != 0;
    if (!is_news && is_as_kept(kept, entry)) {
        return false;
    }
    int64_t since = is_news ? entry->seen : kept->since;
    kept = kept ? kept : make_room(macs);
    *kept = *entry;
    kept->since = since;
    keep(macs, kept);
    return is_news;
}

const struct mac_entry *macs_find(const struct macs *macs, const char *gateway, const char *host)
{
    unsigned at = find(macs, gateway, host);
    return at < macs->count ? &macs->entries[at] : NULL;
}

const struct mac_entry *macs_at(const struct macs *macs, unsigned number)
{
    return number < macs->count ? &macs->entries[number] : NULL;
}
