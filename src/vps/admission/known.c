/*
 * All entries are in memory, the most recently used one first, and each change goes to the
 * state file as well: a look-up takes no disk, and a restart forgets nobody.
 *
 * What is hard about it is time. Entries expire by the wall clock, which may be wrong when the
 * agent starts, or be set while it runs. So whether an entry counts is judged by the clock as
 * it is (is_alive()), but nothing is thrown away before the clock has gone on for an hour
 * without a jump (clock_is_steady()): a wrong clock makes people be asked about once more, and
 * does not make the agent forget them.
 *
 * Nothing here calls back, so anything may be called from anywhere on the loop.
 */
#include "vps/admission/known.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum {
    DAY_S = 86400,
    FUTURE_S = 600, /* as far as a clock may have been set back since */
    /* A clock that was wrong is set right within minutes of a start. */
    STEADY_MS = 3600 * 1000,
    FRESH_S = 60, /* a use so soon after the last one need not be written */
};

/* Times beyond are of another hand than ours, and not to be reckoned with. */
static const int64_t FARTHEST_S = INT64_C(1) << 53;

struct entry {
    struct owner owner, by;
    struct addr addr;
    int64_t since, used;
};

struct known {
    struct store *store;
    int64_t life_s;
    int64_t clocks_differ_s; /* Unix time and the monotonic clock, as last seen */
    uint64_t steady_since_ms;
    unsigned count;
    struct entry entries[KNOWN_MAX]; /* the most recently used one first */
};

static const char LOAD[] = "SELECT owner, address, admitted_by, since, used FROM known "
                           "ORDER BY used DESC";
static const char KEEP[] =
    "INSERT INTO known(owner, party, address, admitted_by, since, used) "
    "VALUES(?1, ?2, ?3, ?4, ?5, ?6) "
    "ON CONFLICT(owner, party) DO UPDATE SET address=?3, admitted_by=?4, since=?5, used=?6";
static const char DROP[] = "DELETE FROM known WHERE owner=?1 AND party=?2";

/* ---- the file -------------------------------------------------------------- */

static const char *party_text(const struct addr *addr, char dst[KNOWN_PARTY_MAX])
{
    char host[ADDR_HOST_MAX];
    bool v6 = addr->sa.sa_family == AF_INET6;
    struct addr party = addr_network(addr, v6 ? PARTY_V6_BITS : PARTY_V4_BITS);
    snprintf(dst, KNOWN_PARTY_MAX, "%s%s", addr_host_text(&party, host), v6 ? "/64" : "");
    return dst;
}

static void keep(const struct known *known, const struct entry *entry)
{
    char owner[OWNER_TEXT_MAX], by[OWNER_TEXT_MAX], party[KNOWN_PARTY_MAX], host[ADDR_HOST_MAX];
    const struct statement statement = {
        KEEP,
        {value_text(owner_text(&entry->owner, owner)), value_text(party_text(&entry->addr, party)),
         value_text(addr_host_text(&entry->addr, host)), value_text(owner_text(&entry->by, by)),
         value_number(entry->since), value_number(entry->used)}};
    store_write(known->store, &statement, NULL, NULL);
}

static void drop(struct known *known, unsigned at)
{
    char owner[OWNER_TEXT_MAX], party[KNOWN_PARTY_MAX];
    const struct entry *entry = &known->entries[at];
    const struct statement statement = {DROP,
                                        {value_text(owner_text(&entry->owner, owner)),
                                         value_text(party_text(&entry->addr, party))}};
    store_write(known->store, &statement, NULL, NULL);
    known->count--;
    memmove(&known->entries[at], &known->entries[at + 1],
            (known->count - at) * sizeof known->entries[0]);
}

static void load(void *arg, const struct row *row)
{
    struct known *known = arg;
    struct entry entry = {.since = row_number(row, 3), .used = row_number(row, 4)};
    bool sane = entry.since >= 0 && entry.used >= 0 && entry.used <= FARTHEST_S;
    if (sane && known->count < KNOWN_MAX && owner_parse(row_text(row, 0), &entry.owner) == 0 &&
        addr_parse(row_text(row, 1), 0, &entry.addr) == 0 &&
        owner_parse(row_text(row, 2), &entry.by) == 0) {
        known->entries[known->count++] = entry;
    }
}

/* ---- time ------------------------------------------------------------------ */

/* A time in the future is that of a clock that was wrong, and is worth nothing. */
static bool is_alive(const struct known *known, const struct entry *entry, int64_t now)
{
    int64_t age = now - entry->used;
    return age >= -FUTURE_S && age < known->life_s;
}

/* Whether the clock has gone on without a jump for long enough. */
static bool clock_is_steady(struct known *known)
{
    uint64_t now_ms = clock_ms();
    int64_t differ_s = clock_unix() - (int64_t)(now_ms / 1000);
    int64_t jump_s = differ_s - known->clocks_differ_s;
    if (jump_s > FUTURE_S || jump_s < -FUTURE_S) {
        known->clocks_differ_s = differ_s;
        known->steady_since_ms = now_ms;
    }
    return now_ms - known->steady_since_ms >= STEADY_MS;
}

static void drop_expired(struct known *known)
{
    int64_t now = clock_unix();
    if (!clock_is_steady(known)) {
        return;
    }
    for (unsigned i = known->count; i-- > 0;) {
        if (!is_alive(known, &known->entries[i], now)) {
            drop(known, i);
        }
    }
}

/* ---- entries --------------------------------------------------------------- */

static unsigned find(const struct known *known, const struct owner *owner, const struct addr *addr)
{
    unsigned i = 0;
    while (i < known->count && !(owner_equal(&known->entries[i].owner, owner) &&
                                 addr_same_party(&known->entries[i].addr, addr))) {
        i++;
    }
    return i;
}

static void make_room(struct known *known, const struct owner *owner)
{
    unsigned of_owner = 0, last = 0;
    for (unsigned i = 0; i < known->count; i++) {
        if (owner_equal(&known->entries[i].owner, owner)) {
            of_owner++;
            last = i;
        }
    }
    if (of_owner >= KNOWN_OWNER_MAX) {
        drop(known, last);
    } else if (known->count == KNOWN_MAX) {
        drop(known, known->count - 1);
    }
}

/* Puts it to the front, where `at` is its place, or the count if it is new. */
static void put_first(struct known *known, unsigned at, const struct entry *entry)
{
    known->count += at == known->count;
    memmove(&known->entries[1], &known->entries[0], at * sizeof known->entries[0]);
    known->entries[0] = *entry;
}

void known_add(struct known *known, const struct owner *owner, const struct owner *by,
               const struct addr *addr)
{
    int64_t now = clock_unix();
    struct entry entry = {.owner = *owner, .by = *by, .addr = *addr, .since = now, .used = now};
    drop_expired(known);
    unsigned at = find(known, owner, addr);
    if (at < known->count && is_alive(known, &known->entries[at], now)) {
        entry.since = known->entries[at].since;
    } else if (at == known->count) {
        make_room(known, owner);
        at = known->count;
    }
    put_first(known, at, &entry);
    keep(known, &entry);
}

void known_use(struct known *known, const struct owner *owner, const struct addr *addr)
{
    int64_t now = clock_unix();
    drop_expired(known);
    unsigned at = find(known, owner, addr);
    if (at == known->count || !is_alive(known, &known->entries[at], now)) {
        return;
    }
    struct entry entry = known->entries[at];
    bool fresh = addr_same_host(&entry.addr, addr) && now - entry.used < FRESH_S;
    entry.addr = *addr;
    entry.used = fresh ? entry.used : now;
    put_first(known, at, &entry);
    if (!fresh) {
        keep(known, &entry);
    }
}

bool known_has(const struct known *known, const struct owner *owner, const struct addr *addr)
{
    unsigned at = find(known, owner, addr);
    return at < known->count && is_alive(known, &known->entries[at], clock_unix());
}

unsigned known_forget(struct known *known, const struct owner *owner, const struct addr *addr)
{
    unsigned gone = 0;
    for (unsigned i = known->count; i-- > 0;) {
        const struct entry *entry = &known->entries[i];
        if ((!owner || owner_equal(&entry->owner, owner)) && addr_same_party(&entry->addr, addr)) {
            gone += is_alive(known, entry, clock_unix());
            drop(known, i);
        }
    }
    return gone;
}

bool known_next(const struct known *known, unsigned *at, struct known_view *ret_view)
{
    int64_t now = clock_unix();
    while (*at < known->count) {
        const struct entry *entry = &known->entries[(*at)++];
        if (is_alive(known, entry, now)) {
            *ret_view = (struct known_view){.owner = entry->owner,
                                            .admitted_by = entry->by,
                                            .since_unix = entry->since,
                                            .used_unix = entry->used,
                                            .until_unix = entry->used + known->life_s};
            party_text(&entry->addr, ret_view->party);
            return true;
        }
    }
    return false;
}

/* ---- life ------------------------------------------------------------------ */

void known_set_days(struct known *known, long days)
{
    known->life_s = (int64_t)days * DAY_S;
}

struct known *known_new(struct store *store, long days)
{
    struct known *known = calloc(1, sizeof *known);
    if (known) {
        known->store = store;
        known_set_days(known, days);
        known->steady_since_ms = clock_ms();
        known->clocks_differ_s = clock_unix() - (int64_t)(known->steady_since_ms / 1000);
        store_read(store, &(struct statement){LOAD, {{0}}}, load, known);
    }
    return known;
}

void known_free(struct known *known)
{
    free(known);
}
