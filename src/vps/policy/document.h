/*
 * document: a YAML file as people write it for a policy: lists, maps and texts, each with the line
 * where it stands. A scalar is its text and nothing else: `NO` and `22:30` are what they say.
 *
 * Of YAML 1.1 there is what a reader sees at once. Anchors, aliases, merges, tags and a second
 * document are refused, as are a key that is written twice and characters that nobody sees.
 */
#ifndef PAMTUNNEL_VPS_POLICY_DOCUMENT_H
#define PAMTUNNEL_VPS_POLICY_DOCUMENT_H

#include <stddef.h>

#include "base/why.h"

enum { DOCUMENT_SIZE_MAX = 256 * 1024, DOCUMENT_DEPTH_MAX = 8 };

enum node_kind { NODE_TEXT, NODE_LIST, NODE_MAP };

struct node {
    enum node_kind kind;
    unsigned line;      /* from 1; of a map's value that of its key */
    const char *key;    /* of a map's value; else NULL */
    const char *text;   /* of NODE_TEXT; else NULL */
    struct node *next;  /* in the list or map that it is of */
    struct node *first; /* of what is in it */
};

struct document;

/*
 * name: of the file, for messages; it is copied, as is the text. An empty text is a map without
 * anything in it. 0, or -EINVAL (-E2BIG, -ENOMEM) with "NAME:LINE: what is wrong" in why.
 */
int document_parse(const char *name, const char *text, size_t len, struct document **ret_document,
                   struct why *why);
/* Accepts NULL. */
void document_free(struct document *document);

const struct node *document_root(const struct document *document);
/* The text that it was read from. *ret_len does not count the NUL after it. */
const char *document_source(const struct document *document, size_t *ret_len);
/* The sentence with "NAME:LINE: " in front. Returns -EINVAL. */
int document_refuse(const struct document *document, unsigned line, struct why *why,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));
/* What a node is, in words: "a list". */
const char *node_word(const struct node *node);

#endif
