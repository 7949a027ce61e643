/*
 * policy_schema: what a policy file's keys take, and what is said about anything else. All of these
 * return 0 or a negative errno, with "FILE:LINE: …" in the reader's why.
 */
#ifndef PAMTUNNEL_VPS_POLICY_POLICY_SCHEMA_H
#define PAMTUNNEL_VPS_POLICY_POLICY_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vps/policy/document.h"
#include "vps/policy/policy.h"

struct reader {
    struct policy *policy; /* so far */
    const char *zones;
    struct why *why;
};

typedef int schema_fn(struct reader *reader, const struct node *node, void *into);

/* One key of a map. */
struct key {
    const char *name;
    schema_fn *read;
    const char *missing; /* what it takes, if it has to be there; else NULL */
};

enum { SCHEMA_NAME_MAX = POLICY_NAME_MAX };

#define schema_refuse(reader, node, ...) \
    document_refuse((reader)->policy->document, (node)->line, (reader)->why, __VA_ARGS__)
int schema_no_memory(struct reader *reader);

/* node is of that kind; what: its name in the sentence. */
int schema_expect(struct reader *reader, const struct node *node, enum node_kind kind,
                  const char *what, const char *takes);
/* How many are in it. */
unsigned schema_count(const struct node *node);
/* A text that is one of these words, by its place; or -1. */
int schema_word(struct reader *reader, const struct node *node, const char *what,
                const char *const *words, unsigned count);
int schema_number(struct reader *reader, const struct node *node, int64_t least, int64_t most,
                  int64_t *ret_number);
/* What people type, and put into rules. */
bool schema_is_name(const char *text);
int schema_check_name(struct reader *reader, const struct node *node, const char *name,
                      const char *what);
/* A list of texts, or one text by itself: each goes to `take`. */
int schema_texts(struct reader *reader, const struct node *node, const char *takes, schema_fn *take,
                 void *into);
/* How many texts schema_texts() is going to hand out, so that there is room for them. */
size_t schema_room(const struct node *node);
/* The bit of a kind of session, or of a role (enum policy_role), by its name; or 0. */
unsigned schema_kind(struct reader *reader, const struct node *node, const char *name);
unsigned schema_role(struct reader *reader, const struct node *node, const char *name);

/* Every key of the map is in the table; they are read in the table's order. */
int schema_map(struct reader *reader, const struct node *node, const char *what,
               const struct key *keys, unsigned count, void *into);
#define SCHEMA_MAP(reader, node, what, keys, into) \
    schema_map(reader, node, what, keys, sizeof(keys) / sizeof *(keys), into)

#endif
