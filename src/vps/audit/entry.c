#include "vps/audit/entry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shared/target.h"

/*
 * What a peer or a person wrote is cut off here, so that an entry has an end. They are bytes;
 * quotation marks and backslashes take two.
 */
enum { NAME_MAX_BYTES = 127, WORDS_MAX = 255, WHY_MAX = 511, ADDRESS_MAX = 63 };

static const struct audit_event_row EVENTS[] = {
#define AUDIT_EVENT(NAME, word, severity, sentence, id) \
    [AUDIT_##NAME] = {word, sentence, id, severity},
#include "vps/audit/event.def"
};

const struct audit_event_row *audit_event_row(enum audit_event event)
{
    return &EVENTS[event];
}

const struct audit_event_row *audit_event_find(const char *word)
{
    for (unsigned i = 0; i < AUDIT_EVENT_COUNT; i++) {
        if (strcmp(EVENTS[i].word, word) == 0) {
            return &EVENTS[i];
        }
    }
    return NULL;
}

/* ---- JSON ------------------------------------------------------------------ */

static void add_mark(struct text *body, const char *mark)
{
    text_put(body, mark, strlen(mark));
}

static void add_key(struct text *body, const char *key)
{
    add_mark(body, body->len > 1 ? ",\"" : "\"");
    add_mark(body, key);
    add_mark(body, "\":");
}

/* Control characters and what is no UTF-8 are gone: there is no other byte to escape. */
static void add_string(struct text *body, const char *key, const char *value, size_t most)
{
    char kept[WHY_MAX + 1];
    if (!value || !value[0]) {
        return;
    }
    struct text cut = text_over(kept, most + 1);
    text_put(&cut, value, strlen(value));
    text_make_visible(kept);
    add_key(body, key);
    add_mark(body, "\"");
    for (const char *at = kept; *at;) {
        size_t plain = strcspn(at, "\"\\");
        text_put(body, at, plain);
        at += plain;
        if (*at) {
            text_put(body, (const char[]){'\\', *at++}, 2);
        }
    }
    add_mark(body, "\"");
}

static void add_number(struct text *body, const char *key, uint64_t value)
{
    add_key(body, key);
    text_add(body, "%" PRIu64, value);
}

static void add_given(struct text *body, const char *key, uint64_t value)
{
    if (value > 0) {
        add_number(body, key, value);
    }
}

static void add_owner(struct text *body, const char *key, const struct owner *owner)
{
    char person[OWNER_TEXT_MAX];
    if (owner) {
        add_string(body, key, owner_text(owner, person), sizeof person);
    }
}

static void add_address(struct text *body, const struct addr *address)
{
    char host[ADDR_HOST_MAX];
    if (address) {
        add_string(body, "address", addr_host_text(address, host), ADDRESS_MAX);
    }
}

/* ---- entries --------------------------------------------------------------- */

char *audit_entry_target(const struct audit_entry *entry, char *dst)
{
    char target[TARGET_TEXT_MAX] = "", host[HOST_MAX + 1];
    struct text cut = text_over(host, sizeof host);
    if (entry->host && entry->host[0]) {
        text_add(&cut, "%s", entry->host);
        target_format(host, entry->port, target);
    }
    snprintf(dst, AUDIT_TARGET_MAX, "%s", target);
    return dst;
}

static void add_people(const struct audit_entry *entry, struct text *body)
{
    add_string(body, "name", entry->name, NAME_MAX_BYTES);
    add_owner(body, "by", entry->by);
    add_string(body, "by_name", entry->by_name, NAME_MAX_BYTES);
}

static void add_session(const struct audit_entry *entry, struct text *body)
{
    add_string(body, "kind", entry->kind, NAME_MAX_BYTES);
    add_string(body, "user", entry->user, NAME_MAX_BYTES);
    add_string(body, "target_name", entry->target_name, NAME_MAX_BYTES);
    add_string(body, "resolved", entry->resolved, NAME_MAX_BYTES);
    add_string(body, "found_by", entry->found_by, NAME_MAX_BYTES);
    add_given(body, "public_port", entry->public_port);
    add_given(body, "data_port", entry->data_port);
}

static void add_sum(const struct audit_entry *entry, struct text *body)
{
    add_number(body, "seconds", entry->seconds);
    add_number(body, "to_target", entry->to_target);
    add_number(body, "to_client", entry->to_client);
    add_number(body, "connections", entry->connections);
}

void audit_entry_write(const struct audit_entry *entry, struct text *body)
{
    add_mark(body, "{");
    add_people(entry, body);
    add_session(entry, body);
    add_address(body, entry->address);
    add_string(body, "client", entry->client, WORDS_MAX);
    add_given(body, "number", entry->number);
    add_given(body, "rule", entry->rule);
    add_string(body, "word", entry->word, NAME_MAX_BYTES);
    add_string(body, "why", entry->why, WHY_MAX);
    add_string(body, "text", entry->text, WORDS_MAX);
    add_given(body, "count", entry->count);
    if (entry->is_over) {
        add_sum(entry, body);
    }
    add_mark(body, "}");
}
