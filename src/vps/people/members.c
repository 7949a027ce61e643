#include "vps/people/members.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct members {
    struct store *store;
    unsigned count;
    struct member list[MEMBERS_MAX]; /* in the order in which they came */
};

static const char LOAD[] = "SELECT account, name, since, by FROM member ORDER BY since, account";
static const char PUT[] =
    "INSERT OR REPLACE INTO member(account, name, since, by) VALUES(?1, ?2, ?3, ?4)";
static const char DROP[] = "DELETE FROM member WHERE account=?1";

/* ---- reading -------------------------------------------------------------- */

/* What nobody could have put there lets nobody in. */
static void load(void *arg, const struct row *row)
{
    struct members *members = arg;
    const char *name = row_text(row, 1);
    struct member member = {.since = row_number(row, 2)};
    size_t len = strlen(name);
    if (members->count < MEMBERS_MAX && len > 0 && len <= MEMBER_NAME_MAX &&
        owner_parse(row_text(row, 0), &member.account) == 0 &&
        owner_parse(row_text(row, 3), &member.by) == 0) {
        memcpy(member.name, name, len + 1);
        members->list[members->count++] = member;
    }
}

struct members *members_new(void)
{
    return calloc(1, sizeof(struct members));
}

void members_load(struct members *members, struct store *store)
{
    static const struct statement STATEMENT = {LOAD, {{.kind = VALUE_NONE}}};
    members->store = store;
    store_read(store, &STATEMENT, load, members);
}

void members_free(struct members *members)
{
    free(members);
}

unsigned members_count(const struct members *members)
{
    return members->count;
}

const struct member *members_at(const struct members *members, unsigned number)
{
    return &members->list[number];
}

const struct member *members_of(const struct members *members, const struct owner *account)
{
    for (unsigned i = 0; i < members->count; i++) {
        if (owner_equal(&members->list[i].account, account)) {
            return &members->list[i];
        }
    }
    return NULL;
}

const struct member *members_named(const struct members *members, const char *name)
{
    for (unsigned i = 0; i < members->count; i++) {
        if (strcasecmp(members->list[i].name, name) == 0) {
            return &members->list[i];
        }
    }
    return NULL;
}

/* ---- changing ------------------------------------------------------------- */

static void forget(struct members *members, const struct owner *account)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < members->count; i++) {
        if (!owner_equal(&members->list[i].account, account)) {
            members->list[kept++] = members->list[i];
        }
    }
    members->count = kept;
}

int members_put(struct members *members, const struct member *member)
{
    char account[OWNER_TEXT_MAX], by[OWNER_TEXT_MAX];
    const struct statement statement = {PUT,
                                        {value_text(owner_text(&member->account, account)),
                                         value_text(member->name), value_number(member->since),
                                         value_text(owner_text(&member->by, by))}};
    forget(members, &member->account);
    if (members->count == MEMBERS_MAX) {
        return -ENOSPC;
    }
    members->list[members->count++] = *member;
    store_write(members->store, &statement, NULL, NULL);
    return 0;
}

void members_drop(struct members *members, const struct owner *account)
{
    char text[OWNER_TEXT_MAX];
    const struct statement statement = {DROP, {value_text(owner_text(account, text))}};
    forget(members, account);
    store_write(members->store, &statement, NULL, NULL);
}
