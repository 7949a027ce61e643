/*
 * setting: one row of an agent's table of settings: the variable, its default, what it takes, in
 * words, and the field that it fills. How its text is parsed, held, compared and shown is its type.
 */
#ifndef PAMTUNNEL_BASE_SETTING_H
#define PAMTUNNEL_BASE_SETTING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "base/why.h"

struct setting {
    const char *name;
    const char *default_value; /* NULL: required, unless `optional` */
    const char *takes;         /* "a port, 1 to 65535" */
    const struct setting_type *type;
    size_t offset;       /* of the field, in the struct that the table is of */
    size_t field;        /* and its size, which fits the type: a test compares them */
    long min, max;       /* for numbers; max: the longest of a text, in bytes without the NUL */
    bool secret;         /* its value never appears in a message */
    bool optional;       /* not set: the field stays as it is */
    const char *instead; /* optional where the setting of this name is set; NULL: none */
    bool at_start;       /* read at the start only: another value takes a restart */
    bool no_blank;       /* NAME= in an env file is refused: the default opens more than nothing */
};

struct setting_type {
    /* Parses text into field. 0 or -EINVAL; it may put a closer reason into why. */
    int (*parse)(const struct setting *setting, const char *text, void *field, struct why *why);
    size_t size; /* of the field, in bytes; 0: a text that ends with NUL */
    /* Adds the value for a person. NULL: it is a text, or secret. */
    void (*show)(const struct setting *setting, const void *field, struct text *text);
    /*
     * For lists: adds what was added, removed and changed, with changes_add_item(), or nothing.
     * NULL: old → new.
     */
    void (*differ)(const void *before, const void *after, struct text *text);
};

extern const struct setting_type SETTING_NUMBER;    /* long, min to max */
extern const struct setting_type SETTING_PORT;      /* uint16_t */
extern const struct setting_type SETTING_TEXT;      /* char[max + 1] */
extern const struct setting_type SETTING_FOLDER;    /* char[max + 1], an absolute path */
extern const struct setting_type SETTING_HOST;      /* char[HOST_MAX + 1] */
extern const struct setting_type SETTING_SWITCH;    /* bool: on or off */
extern const struct setting_type SETTING_LOG_LEVEL; /* enum log_level */
/*
 * RUST_LOG, the old name of LOG_LEVEL: a row of its own, optional, in front of
 * LOG_LEVEL's. Takes the level out of forms like "info" and "warn,net=debug";
 * other programs read this variable too, so what is not understood is ignored.
 */
extern const struct setting_type SETTING_RUST_LOG; /* enum log_level */

/* The parser of SETTING_TEXT, for others that look at the text before they keep it. */
int setting_text(const struct setting *setting, const char *text, void *field, struct why *why);

#endif
