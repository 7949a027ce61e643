/*
 * changes: what differs between two structs of settings of the same table, in words for a
 * person, and which of it has to wait for a restart. Secret values are not shown.
 *
 *     ALLOWED_USERS: 777 added          SESSION_TIMEOUT: 120 → 60
 */
#ifndef PAMTUNNEL_BASE_CHANGES_H
#define PAMTUNNEL_BASE_CHANGES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"
#include "base/settings.h"
#include "base/text.h"

enum { CHANGES_MAX = 48, CHANGE_TEXT_MAX = 400 };

struct change {
    const char *name;
    bool needs_restart;
    char text[CHANGE_TEXT_MAX];
};

struct changes {
    unsigned count;
    struct change list[CHANGES_MAX];
};

/* Adds what differs between two of the structs that the tables are of. */
void changes_find(const struct settings_table *tables, const void *before, const void *after,
                  struct changes *changes);
/* Settings that are only read at startup get their old value in `after`. */
void changes_hold_back(const struct settings_table *tables, const void *before, void *after);

/* At least one takes effect without a restart. */
bool changes_in_force(const struct changes *changes);
/* One of the names, a list that ends with NULL, is among those in force. */
bool changes_have(const struct changes *changes, const char *const *names);
/* All of them as one sentence, without a full stop. */
void changes_say(const struct changes *changes, struct text *text);

/*
 * Logs them in one line. was: the log's level before, so that a new level that hides the line
 * does not keep it from being logged.
 */
void changes_log(const struct changes *changes, const struct log *log, enum log_level was);

/* For a type's `differ`: adds ", " if something stands there, and then an item and what became of
 * it. */
void changes_add_item(struct text *text, const char *item, const char *verb);

#endif
