/*
 * Two structs of settings are compared row by row of their table. How a field is compared and
 * shown depends on the parser that filled it (its form), so a table needs no second column for
 * that. A row whose parser has no form is an error, which a test finds: otherwise a setting
 * could change without anybody hearing of it.
 *
 * No state: nothing is kept beyond a call.
 */
#include "base/changes.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/congestion.h"
#include "base/host.h"

enum { SHOWN_MAX = 161 }; /* of a text, so that the old and the new one fit */

/* ---- the forms of base's own parsers ---------------------------------------- */

static void show_number(const struct setting *setting, const void *field, struct text *text)
{
    long number = *(const long *)field;
    if (setting->optional && number < setting->min) {
        text_add(text, "unset");
    } else {
        text_add(text, "%ld", number);
    }
}

static void show_port(const struct setting *setting, const void *field, struct text *text)
{
    (void)setting;
    text_add(text, "%u", *(const uint16_t *)field);
}

static void show_switch(const struct setting *setting, const void *field, struct text *text)
{
    (void)setting;
    text_add(text, "%s", *(const bool *)field ? "on" : "off");
}

static void show_level(const struct setting *setting, const void *field, struct text *text)
{
    (void)setting;
    text_add(text, "%s", log_level_name(*(const enum log_level *)field));
}

static const struct setting_form FORMS[] = {
    {setting_number, sizeof(long), show_number, NULL},
    {setting_port, sizeof(uint16_t), show_port, NULL},
    {setting_switch, sizeof(bool), show_switch, NULL},
    {setting_log_level, sizeof(enum log_level), show_level, NULL},
    {setting_rust_log, sizeof(enum log_level), show_level, NULL},
    {setting_text, 0, NULL, NULL},
    {setting_host, 0, NULL, NULL},
    {setting_congestion, 0, NULL, NULL},
    {NULL, 0, NULL, NULL},
};

static const struct setting_form *find_form(const struct setting *setting,
                                            const struct setting_form *forms)
{
    const struct setting_form *lists[] = {forms, FORMS};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        for (const struct setting_form *form = lists[i]; form && form->parse; form++) {
            if (form->parse == setting->parse) {
                return form;
            }
        }
    }
    return NULL;
}

/* ---- comparing ---------------------------------------------------------------- */

static const void *field_of(const struct setting *setting, const void *settings)
{
    return (const char *)settings + setting->offset;
}

static bool is_same(const struct setting_form *form, const void *before, const void *after)
{
    return form->size == 0 ? strcmp(before, after) == 0 : memcmp(before, after, form->size) == 0;
}

static void show(const struct setting *setting, const struct setting_form *form, const void *field,
                 struct text *text)
{
    char value[SHOWN_MAX];
    struct text shown = text_over(value, sizeof value);
    if (form->show) {
        form->show(setting, field, text);
    } else {
        text_add(&shown, "%s", *(const char *)field ? (const char *)field : "unset");
        text_add(text, "%s", value);
    }
}

static void compare(const struct setting *setting, const struct setting_form *form,
                    const void *before, const void *after, struct text *text)
{
    /* Lists say for themselves what was added and removed: nobody finds that in two long lines. */
    if (form->differ) {
        form->differ(before, after, text);
    } else if (is_same(form, before, after)) {
        return;
    } else if (setting->secret) {
        text_add(text, "changed");
    } else {
        show(setting, form, before, text);
        text_add(text, " → ");
        show(setting, form, after, text);
    }
}

int changes_find(const struct setting *table, size_t count, const struct setting_form *forms,
                 const void *before, const void *after, struct changes *changes)
{
    for (size_t i = 0; i < count && changes->count < CHANGES_MAX; i++) {
        const struct setting *setting = &table[i];
        const struct setting_form *form = find_form(setting, forms);
        struct change *change = &changes->list[changes->count];
        struct text text = text_over(change->text, sizeof change->text);
        if (!form) {
            return -ENOTSUP;
        }
        if (i + 1 < count && table[i + 1].offset == setting->offset) {
            continue; /* an older name of the next one */
        }
        compare(setting, form, field_of(setting, before), field_of(setting, after), &text);
        if (text.len > 0) {
            change->name = setting->name;
            change->needs_restart = setting->at_start;
            changes->count++;
        }
    }
    return 0;
}

void changes_hold_back(const struct setting *table, size_t count, const struct setting_form *forms,
                       const void *before, void *after)
{
    for (size_t i = 0; i < count; i++) {
        /* By size: 0 is text, which ends with its NUL. */
        const struct setting_form *form = find_form(&table[i], forms);
        const void *from = field_of(&table[i], before);
        if (table[i].at_start && form) {
            memcpy((char *)after + table[i].offset, from,
                   form->size > 0 ? form->size : strlen(from) + 1);
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
