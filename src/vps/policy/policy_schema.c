#include "vps/policy/policy_schema.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "shared/kind.h"

int schema_no_memory(struct reader *reader)
{
    return why_set(reader->why, -ENOMEM, "out of memory");
}

/* ---- forms of values ---------------------------------------------------------- */

static const struct node *child_of(const struct node *map, const char *key)
{
    const struct node *node = map->first;
    while (node && strcmp(node->key, key) != 0) {
        node = node->next;
    }
    return node;
}

unsigned schema_count(const struct node *node)
{
    unsigned count = 0;
    for (const struct node *child = node->first; child; child = child->next) {
        count++;
    }
    return count;
}

int schema_expect(struct reader *reader, const struct node *node, enum node_kind kind,
                  const char *what, const char *takes)
{
    if (node->kind == kind) {
        return 0;
    }
    if (node->kind == NODE_TEXT) {
        return schema_refuse(reader, node, "%s is \"%.60s\"; it takes %s", what, node->text, takes);
    }
    return schema_refuse(reader, node, "%s is %s; it takes %s", what, node_word(node), takes);
}

/* A text that is one of these words, by its place. -1: it is not; why says so. */
int schema_word(struct reader *reader, const struct node *node, const char *what,
                const char *const *words, unsigned count)
{
    struct nearest nearest = nearest_to(node->text);
    char list[120];
    struct text text = text_over(list, sizeof list);
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(node->text, words[i]) == 0) {
            return (int)i;
        }
        nearest_try(&nearest, words[i]);
        text_add(&text, "%s%s", i == 0 ? "" : i + 1 == count ? " or " : ", ", words[i]);
    }
    schema_refuse(reader, node, "\"%.40s\" is no %s%s%s%s; there is %s", node->text, what,
                  nearest.word ? ": did you mean \"" : "", nearest.word ? nearest.word : "",
                  nearest.word ? "\"" : "", list);
    return -1;
}

int schema_number(struct reader *reader, const struct node *node, int64_t least, int64_t most,
                  int64_t *ret_number)
{
    char *end = NULL;
    errno = 0;
    long long number = node->kind == NODE_TEXT && isdigit((unsigned char)node->text[0])
                           ? strtoll(node->text, &end, 10)
                           : -1;
    if (!end || *end || errno || number < least || number > most) {
        char takes[64];
        snprintf(takes, sizeof takes, "a number, %" PRId64 " to %" PRId64, least, most);
        int err = schema_expect(reader, node, NODE_TEXT, node->key ? node->key : "this", takes);
        return err < 0 ? err
                       : schema_refuse(reader, node, "%s is \"%.40s\"; it takes %s",
                                       node->key ? node->key : "this", node->text, takes);
    }
    *ret_number = number;
    return 0;
}

/* Names are what people type and put into rules: "all" of YAML's texts would be too much. */
bool schema_is_name(const char *text)
{
    size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return len > 0 && !text[len] && len <= SCHEMA_NAME_MAX && isalnum((unsigned char)text[0]);
}

int schema_check_name(struct reader *reader, const struct node *node, const char *name,
                      const char *what)
{
    return schema_is_name(name)
               ? 0
               : schema_refuse(reader, node,
                               "\"%.63s\" is no name of a %s: it takes letters, digits, '.', "
                               "'_' and '-', at most %d",
                               name, what, SCHEMA_NAME_MAX);
}

/* A list of texts, or one text by itself. Each goes to `take`, with its number. */
int schema_texts(struct reader *reader, const struct node *node, const char *takes,
                 int (*take)(struct reader *reader, const struct node *node, void *into),
                 void *into)
{
    if (node->kind == NODE_TEXT && node->text[0]) {
        return take(reader, node, into);
    }
    if (node->kind != NODE_LIST || !node->first) {
        return schema_refuse(reader, node, "%s is %s; it takes %s", node->key,
                             node->kind == NODE_MAP ? node_word(node) : "empty", takes);
    }
    int err = 0;
    for (const struct node *child = node->first; err == 0 && child; child = child->next) {
        err = child->kind == NODE_TEXT && child->text[0]
                  ? take(reader, child, into)
                  : schema_refuse(reader, child, "in %s stands %s; it takes %s", node->key,
                                  child->kind == NODE_TEXT ? "nothing" : node_word(child), takes);
    }
    return err;
}

/* How many texts schema_texts() is going to hand out, so that there is room for them. */
size_t schema_room(const struct node *node)
{
    return node->kind == NODE_LIST ? schema_count(node) : 1;
}

/* "rdp", or "*" for all of them. Returns bits, 0 if it is none; why says so. */
unsigned schema_kind(struct reader *reader, const struct node *node, const char *name)
{
    const char *words[KIND_COUNT];
    const struct node said = {.kind = NODE_TEXT, .line = node->line, .text = name};
    for (unsigned i = 0; i < KIND_COUNT; i++) {
        words[i] = kind_name((enum kind)i);
    }
    int kind = schema_word(reader, &said, "kind of session", words, KIND_COUNT);
    return kind < 0 ? 0 : 1U << kind;
}

/* "approver". 0 if it is none; why says so. */
unsigned schema_role(struct reader *reader, const struct node *node, const char *name)
{
    static const char *const ROLES[] = {"user", "approver", "administrator"};
    const struct node said = {.kind = NODE_TEXT, .line = node->line, .text = name};
    int role = schema_word(reader, &said, "role", ROLES, sizeof ROLES / sizeof *ROLES);
    return role < 0 ? 0 : 1U << role;
}

/* ---- maps ------------------------------------------------------------------------ */

static int refuse_key(struct reader *reader, const struct node *node, const char *what,
                      const struct key *keys, unsigned count)
{
    char list[160];
    struct text text = text_over(list, sizeof list);
    struct nearest nearest = nearest_to(node->key);
    for (unsigned i = 0; i < count; i++) {
        nearest_try(&nearest, keys[i].name);
        text_add(&text, "%s%s", i == 0 ? "" : i + 1 == count ? " and " : ", ", keys[i].name);
    }
    if (nearest.word) {
        return schema_refuse(reader, node, "\"%.40s\" is no key of %s: did you mean \"%s\"?",
                             node->key, what, nearest.word);
    }
    return schema_refuse(reader, node, "\"%.40s\" is no key of %s; there is %s", node->key, what,
                         list);
}

static bool has_key(const struct key *keys, unsigned count, const char *name)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(keys[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

int schema_map(struct reader *reader, const struct node *node, const char *what,
               const struct key *keys, unsigned count, void *into)
{
    int err = schema_expect(reader, node, NODE_MAP, what, "keys with values, one a line");
    for (const struct node *child = node->first; err == 0 && child; child = child->next) {
        err = has_key(keys, count, child->key) ? 0 : refuse_key(reader, child, what, keys, count);
    }
    for (unsigned i = 0; err == 0 && i < count; i++) {
        const struct node *child = child_of(node, keys[i].name);
        if (child) {
            err = keys[i].read(reader, child, into);
        } else if (keys[i].missing) {
            err = schema_refuse(reader, node, "%s has no \"%s\": it takes %s", what, keys[i].name,
                                keys[i].missing);
        }
    }
    return err;
}

#define SCHEMA_MAP(reader, node, what, keys, into) \
    schema_map(reader, node, what, keys, sizeof(keys) / sizeof *(keys), into)
