/*
 * libyaml's parser gives events, and its loader is not used: that resolves aliases, and would let a
 * short file become a large one. Each event becomes a node below the one that is open; `open` is
 * the way there, as deep as may be.
 *
 * All nodes belong to the document; nothing is freed before it.
 */
#include "vps/policy/document.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { SHOWN_MAX = 60 };

struct document {
    char *name, *source;
    size_t source_len;
    struct node *root;
};

struct reader {
    struct document *document;
    yaml_parser_t parser;
    struct node *open[DOCUMENT_DEPTH_MAX]; /* lists and maps, from outside to inside */
    struct node **end[DOCUMENT_DEPTH_MAX]; /* where the next one in each goes */
    unsigned depth;
    char *key; /* of the value that comes next; NULL: a key comes, or it is no map */
    unsigned key_line;
    bool begun;
    struct why *why;
};

/* ---- what is wrong ---------------------------------------------------------- */

__attribute__((format(printf, 4, 0))) static int refuse_v(const struct document *document,
                                                          unsigned line, struct why *why,
                                                          const char *format, va_list args)
{
    char sentence[sizeof why->text];
    vsnprintf(sentence, sizeof sentence, format, args);
    return why_set(why, -EINVAL, "%.120s:%u: %.180s", document->name, line, sentence);
}

int document_refuse(const struct document *document, unsigned line, struct why *why,
                    const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int err = refuse_v(document, line, why, format, args);
    va_end(args);
    return err;
}

static unsigned line_of(const yaml_event_t *event)
{
    return (unsigned)event->start_mark.line + 1;
}

/* libyaml names the place where it gave up; where it began is often the better one. */
static int refuse_syntax(struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    if (parser->error == YAML_MEMORY_ERROR) {
        return why_set(reader->why, -ENOMEM, "%.120s: out of memory", reader->document->name);
    }
    unsigned line = (unsigned)parser->problem_mark.line + 1;
    const char *context = parser->context ? parser->context : "";
    return document_refuse(reader->document, line, reader->why, "this is not YAML: %s%s%s%s",
                           parser->problem ? parser->problem : "it cannot be read",
                           *context ? ", " : "", context,
                           strstr(parser->problem ? parser->problem : "", "tab") ||
                                   strstr(parser->problem ? parser->problem : "", "start any token")
                               ? "; indent with spaces, and put what begins with a special "
                                 "character in quotes"
                               : "");
}

static int refuse_fancy(struct reader *reader, const yaml_event_t *event, const char *what,
                        const yaml_char_t *name)
{
    return document_refuse(reader->document, line_of(event), reader->why,
                           "%s \"%.*s\": a policy has none of these; write it out", what, SHOWN_MAX,
                           (const char *)name);
}

static int refuse_decorations(struct reader *reader, const yaml_event_t *event,
                              const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor) {
        return refuse_fancy(reader, event, "the anchor", anchor);
    }
    return tag ? refuse_fancy(reader, event, "the tag", tag) : 0;
}

/* ---- nodes -------------------------------------------------------------------- */

static int no_memory(struct reader *reader)
{
    return why_set(reader->why, -ENOMEM, "%.120s: out of memory", reader->document->name);
}

static bool in_map(const struct reader *reader)
{
    return reader->depth > 0 && reader->open[reader->depth - 1]->kind == NODE_MAP;
}

/* A list or a map as a key: "? [a, b]". */
static int check_place(struct reader *reader, const yaml_event_t *event)
{
    if (reader->begun && reader->depth == 0) {
        return document_refuse(reader->document, line_of(event), reader->why,
                               "a second document begins here: a policy is one");
    }
    return in_map(reader) && !reader->key
               ? document_refuse(reader->document, line_of(event), reader->why,
                                 "a key is a word, and not a list or a map")
               : 0;
}

static int add(struct reader *reader, const yaml_event_t *event, enum node_kind kind, char *text,
               struct node **ret_node)
{
    struct node *node = calloc(1, sizeof *node);
    if (!node) {
        free(text);
        return no_memory(reader);
    }
    *node = (struct node){.kind = kind,
                          .line = reader->key ? reader->key_line : line_of(event),
                          .key = reader->key,
                          .text = text};
    reader->key = NULL;
    reader->begun = true;
    if (reader->depth == 0) {
        reader->document->root = node;
    } else {
        *reader->end[reader->depth - 1] = node;
        reader->end[reader->depth - 1] = &node->next;
    }
    *ret_node = node;
    return 0;
}

static int open_node(struct reader *reader, const yaml_event_t *event, enum node_kind kind)
{
    struct node *node = NULL;
    int err = check_place(reader, event);
    if (err == 0 && reader->depth == DOCUMENT_DEPTH_MAX) {
        err = document_refuse(reader->document, line_of(event), reader->why,
                              "lists and maps are nested too deeply: %d levels are the limit",
                              DOCUMENT_DEPTH_MAX);
    }
    err = err < 0 ? err : add(reader, event, kind, NULL, &node);
    if (err == 0) {
        reader->open[reader->depth] = node;
        reader->end[reader->depth++] = &node->first;
    }
    return err;
}

static int take_key(struct reader *reader, const yaml_event_t *event, char *text)
{
    int err = 0;
    for (const struct node *n = reader->open[reader->depth - 1]->first; n && err == 0;
         n = n->next) {
        if (strcmp(n->key, text) == 0) {
            err = document_refuse(reader->document, line_of(event), reader->why,
                                  "\"%.*s\" is there twice: it is in line %u, too", SHOWN_MAX, text,
                                  n->line);
        }
    }
    if (err == 0 && strcmp(text, "<<") == 0) {
        err = document_refuse(reader->document, line_of(event), reader->why,
                              "the merge \"<<\": a policy has none of these; write it out");
    }
    if (err < 0) {
        free(text);
        return err;
    }
    reader->key = text;
    reader->key_line = line_of(event);
    return 0;
}

/* Of control characters, DEL among them, none is taken: nobody would see them. */
static bool is_visible(const yaml_event_t *event)
{
    const unsigned char *text = event->data.scalar.value;
    for (size_t i = 0; i < event->data.scalar.length; i++) {
        if (text[i] < ' ' || text[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

static int take_text(struct reader *reader, const yaml_event_t *event)
{
    struct node *node;
    int err = refuse_decorations(reader, event, event->data.scalar.anchor, event->data.scalar.tag);
    if (err == 0 && !is_visible(event)) {
        err = document_refuse(reader->document, line_of(event), reader->why,
                              "a text holds a line break or a control character");
    }
    if (err < 0) {
        return err;
    }
    char *text = strdup((const char *)event->data.scalar.value);
    if (!text) {
        return no_memory(reader);
    }
    if (in_map(reader) && !reader->key) {
        return take_key(reader, event, text);
    }
    err = check_place(reader, event);
    if (err < 0) {
        free(text);
        return err;
    }
    return add(reader, event, NODE_TEXT, text, &node);
}

static int take(struct reader *reader, const yaml_event_t *event)
{
    int err = 0;
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return refuse_fancy(reader, event, "the alias", event->data.alias.anchor);
    case YAML_SCALAR_EVENT:
        return take_text(reader, event);
    case YAML_SEQUENCE_START_EVENT:
        err = refuse_decorations(reader, event, event->data.sequence_start.anchor,
                                 event->data.sequence_start.tag);
        return err < 0 ? err : open_node(reader, event, NODE_LIST);
    case YAML_MAPPING_START_EVENT:
        err = refuse_decorations(reader, event, event->data.mapping_start.anchor,
                                 event->data.mapping_start.tag);
        return err < 0 ? err : open_node(reader, event, NODE_MAP);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        reader->depth--;
        return 0;
    default: /* the stream's and the document's begin and end */
        return 0;
    }
}

/* ---- all of it ---------------------------------------------------------------- */

static int read_events(struct reader *reader)
{
    bool over = false;
    while (!over) {
        yaml_event_t event;
        if (!yaml_parser_parse(&reader->parser, &event)) {
            return refuse_syntax(reader);
        }
        over = event.type == YAML_STREAM_END_EVENT;
        int err = take(reader, &event);
        yaml_event_delete(&event);
        if (err < 0) {
            return err;
        }
    }
    return 0;
}

static int read_all(struct document *document, struct why *why)
{
    struct reader reader = {.document = document, .why = why};
    if (!yaml_parser_initialize(&reader.parser)) {
        return no_memory(&reader);
    }
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)document->source,
                                 document->source_len);
    int err = read_events(&reader);
    yaml_parser_delete(&reader.parser);
    free(reader.key);
    if (err == 0 && !document->root && !(document->root = calloc(1, sizeof *document->root))) {
        return no_memory(&reader);
    }
    if (err == 0 && !reader.begun) {
        *document->root = (struct node){.kind = NODE_MAP, .line = 1};
    }
    return err;
}

int document_parse(const char *name, const char *text, size_t len, struct document **ret_document,
                   struct why *why)
{
    if (len > DOCUMENT_SIZE_MAX) {
        return why_set(why, -E2BIG, "%.120s: it is larger than %d KiB", name,
                       DOCUMENT_SIZE_MAX / 1024);
    }
    struct document *document = calloc(1, sizeof *document);
    if (document) {
        document->name = strdup(name);
        document->source = calloc(1, len + 1);
        document->source_len = len;
    }
    if (!document || !document->name || !document->source) {
        document_free(document);
        return why_set(why, -ENOMEM, "%.120s: out of memory", name);
    }
    memcpy(document->source, text, len);
    int err = read_all(document, why);
    if (err < 0) {
        document_free(document);
        return err;
    }
    *ret_document = document;
    return 0;
}

/* As deep as a document may be, and no deeper. */
static void free_nodes(struct node *node) // NOLINT(misc-no-recursion)
{
    while (node) {
        struct node *next = node->next;
        free_nodes(node->first);
        free((char *)node->key);
        free((char *)node->text);
        free(node);
        node = next;
    }
}

void document_free(struct document *document)
{
    if (document) {
        free_nodes(document->root);
        free(document->name);
        free(document->source);
        free(document);
    }
}

const struct node *document_root(const struct document *document)
{
    return document->root;
}

const char *document_source(const struct document *document, size_t *ret_len)
{
    *ret_len = document->source_len;
    return document->source;
}

const char *node_word(const struct node *node)
{
    static const char *const WORDS[] = {"a text", "a list", "a map of keys and values"};
    return WORDS[node->kind];
}
