/*
 * Two structs of settings are compared row by row of their table. How a field is compared and
 * shown depends on the parser that filled it (its form), so a table needs no second column for
 * that. A row whose parser has no form is an error, which a test finds: otherwise a setting
 * could change without anybody hearing of it.
 *
 * No state: nothing is kept beyond a call.
 */
#include "base/changes.h"

#include <string.h>

enum { SHOWN_MAX = 161 }; /* of a text, so that the old and the new one fit */

/* ---- comparing ---------------------------------------------------------------- */

static bool is_same(const struct setting_type *type, const void *before, const void *after)
{
    return type->size == 0 ? strcmp(before, after) == 0 : memcmp(before, after, type->size) == 0;
}

static void show(const struct setting *setting, const void *field, struct text *text)
{
    char value[SHOWN_MAX];
    struct text shown = text_over(value, sizeof value);
    if (setting->type->show) {
        setting->type->show(setting, field, text);
    } else {
        text_add(&shown, "%s", *(const char *)field ? (const char *)field : "unset");
        text_add(text, "%s", value);
    }
}

static void compare(const struct setting *setting, const void *before, const void *after,
                    struct text *text)
{
    if (setting->type->differ) {
        setting->type->differ(before, after, text);
    } else if (is_same(setting->type, before, after)) {
        return;
    } else if (setting->secret) {
        text_add(text, "changed");
    } else {
        show(setting, before, text);
        text_add(text, " → ");
        show(setting, after, text);
    }
}

/* It fills the same field as the one behind it, and is not named beside that. */
static bool is_older_name(const struct settings_table *tables, size_t number, size_t offset)
{
    size_t next;
    return settings_row(tables, number + 1, &next) && next == offset;
}

void changes_find(const struct settings_table *tables, const void *before, const void *after,
                  struct changes *changes)
{
    const struct setting *row;
    size_t offset;
    for (size_t i = 0; changes->count < CHANGES_MAX && (row = settings_row(tables, i, &offset));
         i++) {
        struct change *change = &changes->list[changes->count];
        struct text text = text_over(change->text, sizeof change->text);
        if (is_older_name(tables, i, offset)) {
            continue;
        }
        compare(row, (const char *)before + offset, (const char *)after + offset, &text);
        if (text.len > 0) {
            change->name = row->name;
            change->needs_restart = row->at_start;
            changes->count++;
        }
    }
}

void changes_hold_back(const struct settings_table *tables, const void *before, void *after)
{
    const struct setting *row;
    size_t offset;
    for (size_t i = 0; (row = settings_row(tables, i, &offset)); i++) {
        const char *from = (const char *)before + offset;
        if (row->at_start) {
            memcpy((char *)after + offset, from,
                   row->type->size > 0 ? row->type->size : strlen(from) + 1);
        }
    }
}

void changes_add_item(struct text *text, const char *item, const char *verb)
{
    text_add(text, "%s%s %s", text->len > 0 ? ", " : "", item, verb);
}

/* ---- saying ------------------------------------------------------------------- */

static unsigned count_waiting(const struct changes *changes)
{
    unsigned count = 0;
    for (unsigned i = 0; i < changes->count; i++) {
        count += changes->list[i].needs_restart;
    }
    return count;
}

bool changes_in_force(const struct changes *changes)
{
    return changes->count > count_waiting(changes);
}

bool changes_have(const struct changes *changes, const char *const *names)
{
    for (; *names; names++) {
        for (unsigned i = 0; i < changes->count; i++) {
            const struct change *change = &changes->list[i];
            if (!change->needs_restart && strcmp(change->name, *names) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* "A (1 → 2) and B (3 → 4) need a restart" */
static void say_waiting(const struct changes *changes, unsigned waiting, struct text *text)
{
    unsigned said = 0;
    for (unsigned i = 0; i < changes->count; i++) {
        const struct change *change = &changes->list[i];
        if (change->needs_restart) {
            const char *comma = said == 0 ? "" : said + 1 == waiting ? " and " : ", ";
            text_add(text, "%s%s (%s)", comma, change->name, change->text);
            said++;
        }
    }
    text_add(text, " need%s a restart", waiting == 1 ? "s" : "");
}

void changes_say(const struct changes *changes, struct text *text)
{
    unsigned waiting = count_waiting(changes), said = 0;
    if (changes->count == 0) {
        text_add(text, "nothing has changed");
        return;
    }
    for (unsigned i = 0; i < changes->count; i++) {
        const struct change *change = &changes->list[i];
        if (!change->needs_restart) {
            text_add(text, "%s%s: %s", said++ > 0 ? "; " : "", change->name, change->text);
        }
    }
    if (waiting > 0) {
        text_add(text, "%s", said > 0 ? "; " : "");
        say_waiting(changes, waiting, text);
        text_add(text, "%s",
                 said > 1   ? "; the others are in force"
                 : said > 0 ? "; the other one is in force"
                            : "; nothing else has changed");
    }
}

void changes_log(const struct changes *changes, const struct log *log, enum log_level was)
{
    char buffer[900];
    struct text text = text_over(buffer, sizeof buffer);
    struct log louder = *log;
    louder.level = was > log->level ? was : log->level;
    /* A reload that turns the log down to "error" still says so in the log. */
    changes_say(changes, &text);
    log_info(&louder, "settings reloaded: %s", buffer);
}
