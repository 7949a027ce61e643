/*
 * Entries stand in the order of their use, the latest last. Order is all that the file has of time:
 * a number that grows, since the clock may be set.
 */
#include "vps/chat/recents.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct recent {
    struct owner owner;
    enum kind kind;
    char target[RECENTS_TARGET_MAX + 1];
    char *reason; /* NULL: none is known */
};

struct recents {
    struct store *store;
    int64_t newest; /* the number of the latest */
    unsigned count;
    struct recent *entries; /* RECENTS_MAX */
};

static const char LOAD[] = "SELECT owner, kind, target, number FROM recent ORDER BY number";
static const char KEEP[] = "INSERT INTO recent(owner, kind, target, number) VALUES(?1, ?2, ?3, ?4) "
                           "ON CONFLICT(owner, kind, target) DO UPDATE SET number=?4";
static const char DROP[] = "DELETE FROM recent WHERE owner=?1 AND kind=?2 AND target=?3";

/* ---- the file -------------------------------------------------------------- */

static void keep(const struct recents *recents, const struct recent *recent)
{
    char owner[OWNER_TEXT_MAX];
    const struct statement statement = {
        KEEP,
        {value_text(owner_text(&recent->owner, owner)), value_text(kind_name(recent->kind)),
         value_text(recent->target), value_number(recents->newest)}};
    store_write(recents->store, &statement, NULL, NULL);
}

static void drop(const struct recents *recents, const struct recent *recent)
{
    char owner[OWNER_TEXT_MAX];
    const struct statement statement = {DROP,
                                        {value_text(owner_text(&recent->owner, owner)),
                                         value_text(kind_name(recent->kind)),
                                         value_text(recent->target)}};
    store_write(recents->store, &statement, NULL, NULL);
}

static void load(void *arg, const struct row *row)
{
    struct recents *recents = arg;
    struct recent recent = {.reason = NULL};
    const struct kind_row *kind = kind_find(row_text(row, 1));
    const char *target = row_text(row, 2);
    int64_t number = row_number(row, 3);
    if (recents->count < RECENTS_MAX && kind && number >= 0 && number < INT64_MAX &&
        strlen(target) <= RECENTS_TARGET_MAX && owner_parse(row_text(row, 0), &recent.owner) == 0) {
        recent.kind = kind->kind;
        snprintf(recent.target, sizeof recent.target, "%s", target);
        recents->entries[recents->count++] = recent;
        recents->newest = number;
    }
}

struct recents *recents_new(struct store *store)
{
    const struct statement statement = {.sql = LOAD};
    struct recents *recents = calloc(1, sizeof *recents);
    if (!recents) {
        return NULL;
    }
    recents->store = store;
    /* Pages that hold none are never touched. */
    recents->entries = calloc(RECENTS_MAX, sizeof *recents->entries);
    if (!recents->entries) {
        free(recents);
        return NULL;
    }
    store_read(store, &statement, load, recents);
    return recents;
}

void recents_free(struct recents *recents)
{
    if (recents) {
        for (unsigned i = 0; i < recents->count; i++) {
            free(recents->entries[i].reason);
        }
        free(recents->entries);
        free(recents);
    }
}

/* ---- what is in it ---------------------------------------------------------- */

static bool is_of(const struct recent *recent, const struct owner *owner, enum kind kind)
{
    return recent->kind == kind && owner_equal(&recent->owner, owner);
}

static void take_out(struct recents *recents, unsigned at)
{
    free(recents->entries[at].reason);
    recents->count--;
    memmove(&recents->entries[at], &recents->entries[at + 1],
            (recents->count - at) * sizeof *recents->entries);
}

/* Of the same, or the oldest of as many as there may be. recents->count: none. */
static unsigned one_too_many(const struct recents *recents, const struct owner *owner,
                             enum kind kind)
{
    unsigned found = 0, oldest = recents->count;
    for (unsigned i = recents->count; i-- > 0;) {
        if (is_of(&recents->entries[i], owner, kind)) {
            oldest = i;
            found++;
        }
    }
    return found >= RECENTS_EACH ? oldest : recents->count == RECENTS_MAX ? 0 : recents->count;
}

static unsigned find(const struct recents *recents, const struct owner *owner, enum kind kind,
                     const char *target)
{
    unsigned i = 0;
    while (i < recents->count && !(is_of(&recents->entries[i], owner, kind) &&
                                   strcmp(recents->entries[i].target, target) == 0)) {
        i++;
    }
    return i;
}

void recents_add(struct recents *recents, const struct owner *owner, enum kind kind,
                 const char *target, const char *reason)
{
    unsigned at = find(recents, owner, kind, target);
    if (strlen(target) > RECENTS_TARGET_MAX) {
        return;
    }
    if (at < recents->count) {
        take_out(recents, at);
    } else if ((at = one_too_many(recents, owner, kind)) < recents->count) {
        drop(recents, &recents->entries[at]);
        take_out(recents, at);
    }
    struct recent *recent = &recents->entries[recents->count++];
    *recent = (struct recent){.owner = *owner, .kind = kind};
    strcpy(recent->target, target);
    recent->reason = reason[0] ? strdup(reason) : NULL;
    recents->newest++;
    keep(recents, recent);
}

const char *recents_reason(const struct recents *recents, const struct owner *owner, enum kind kind,
                           const char *target)
{
    unsigned at = find(recents, owner, kind, target);
    bool is_known = at < recents->count && recents->entries[at].reason;
    return is_known ? recents->entries[at].reason : "";
}

const char *recents_next(const struct recents *recents, const struct owner *owner, enum kind kind,
                         unsigned *at)
{
    while (*at < recents->count) {
        const struct recent *recent = &recents->entries[recents->count - ++*at];
        if (is_of(recent, owner, kind)) {
            return recent->target;
        }
    }
    return NULL;
}
