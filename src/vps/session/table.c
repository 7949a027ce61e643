#include "vps/session/table.h"

#include <string.h>

#include "shared/gateway_name.h"
#include "vps/session/session_run.h"

static struct session *next_of(const struct session *session)
{
    return session_links((struct session *)session)->next;
}

void table_init(struct table *table)
{
    *table = (struct table){0};
    table->list_end = &table->list;
}

/* ---- who is there ----------------------------------------------------------- */

struct session *table_next(const struct table *table, const struct session *after)
{
    struct session *session = after ? next_of(after) : table->list;
    while (session && session_has_ended(session)) {
        session = next_of(session);
    }
    return session;
}

struct session *table_find(const struct table *table, const char *id)
{
    struct session *session = table_next(table, NULL);
    while (session && strcmp(session_terms(session)->id, id) != 0) {
        session = table_next(table, session);
    }
    return session;
}

struct session *table_of_number(const struct table *table, uint64_t number)
{
    struct session *session = table->by_number[number % TABLE_BUCKETS];
    while (session && session_terms(session)->number != number) {
        session = session_links(session)->same_bucket;
    }
    return session && !session_has_ended(session) ? session : NULL;
}

struct session *table_of_gateway(const struct table *table, const char *gateway, uint64_t number)
{
    struct session *session = table_of_number(table, number);
    return session && gateway_name_equal(session_terms(session)->gateway, gateway) ? session : NULL;
}

unsigned table_count_of(const struct table *table, const struct owner *owner)
{
    unsigned count = 0;
    for (struct session *s = table_next(table, NULL); s; s = table_next(table, s)) {
        count += owner_equal(&session_terms(s)->owner, owner);
    }
    return count;
}

/* ---- they come and go ------------------------------------------------------- */

static struct session **bucket_of(struct table *table, const struct session *session)
{
    return &table->by_number[session_terms(session)->number % TABLE_BUCKETS];
}

void table_add(struct table *table, struct session *session)
{
    struct session_links *links = session_links(session);
    struct session **bucket = bucket_of(table, session);
    links->same_bucket = *bucket;
    *bucket = session;
    *table->list_end = session;
    table->list_end = &links->next;
    table->live++;
}

void table_count_out(struct table *table)
{
    table->live--;
}

static void leave_bucket(struct table *table, struct session *session)
{
    struct session **at = bucket_of(table, session);
    while (*at != session) {
        at = &session_links(*at)->same_bucket;
    }
    *at = session_links(session)->same_bucket;
}

struct session *table_take_ended(struct table *table)
{
    struct session *ended = NULL, **ended_end = &ended, **at = &table->list;
    while (*at) {
        struct session *session = *at;
        struct session_links *links = session_links(session);
        if (session_has_ended(session)) {
            *at = links->next;
            leave_bucket(table, session);
            *ended_end = session;
            ended_end = &links->next;
        } else {
            at = &links->next;
        }
    }
    *ended_end = NULL;
    table->list_end = at;
    return ended;
}
