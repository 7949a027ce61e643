#include "base/settings.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/crypto.h"
#include "base/help.h"

/* ---- one value ------------------------------------------------------------ */

/* What surrounds a value and does not belong to it, in words; or NULL. */
static const char *wrapping_of(const char *name, const char *text)
{
    size_t len = strlen(text), name_len = strlen(name);
    if (strstr(text, " #") || strstr(text, "\t#")) {
        return "the comment after it is taken as part of it";
    }
    if (text[0] == '"' || text[0] == '\'' || text[len - 1] == '"' || text[len - 1] == '\'') {
        return "the quotes around it are taken as part of it";
    }
    if (strncmp(text, name, name_len) == 0 && text[name_len] == '=') {
        return "it begins with its own name";
    }
    if (isspace((unsigned char)text[0]) || isspace((unsigned char)text[len - 1])) {
        return "there is a space before or after it";
    }
    return NULL;
}

/* Parses a value, and says what is wrong with it. */
static int take(const struct setting *setting, const char *text, void *field, struct why *why)
{
    struct why closer = {""};
    int err = setting->type->parse(setting, text, field, &closer);
    if (err == 0) {
        return 0;
    }
    const char *wrapping = text[0] ? wrapping_of(setting->name, text) : NULL;
    /* The parser's reason, then what surrounds the value: often that is the cause of it. */
    char words[sizeof closer.text + 80];
    struct text reason = text_over(words, sizeof words);
    text_add(&reason, "%s%s", closer.text[0] ? ": " : "", closer.text);
    text_add(&reason, "%s%s", !wrapping ? "" : reason.len ? "; " : ": ", wrapping ? wrapping : "");
    if (setting->secret) {
        return why_set(why, err, "%s is wrong (its %zu characters are not shown)%s; it takes %s",
                       setting->name, strlen(text), words, setting->takes);
    }
    return why_set(why, err, "%s is \"%.100s\"%s; it takes %s", setting->name, text, words,
                   setting->takes);
}

/* It has no value from anywhere; somebody may have meant that. */
static int check_blank(const struct settings_source *source, const struct setting *setting,
                       struct why *why)
{
    struct settings_line line;
    /* ALLOWED_TARGETS= looks like "nothing", and its default is all private networks. */
    if (!setting->no_blank || !settings_line_of(source, setting->name, &line)) {
        return 0;
    }
    return why_set(why, -EINVAL,
                   "%s, line %u: %s is empty: give it a value, or take the line out for "
                   "the default; it takes %s",
                   line.path, line.number, setting->name, setting->takes);
}

/* Whether it may go without a value: *ret_may. */
static int may_be_unset(const struct settings_source *source, const struct setting *setting,
                        bool *ret_may, struct why *why)
{
    char value[SETTING_VALUE_MAX] = "";
    int err = setting->instead ? settings_find(source, setting->instead, value, why) : 0;
    *ret_may = setting->optional || value[0];
    crypto_wipe(value, sizeof value);
    return err;
}

static int load_one(const struct settings_source *source, const struct setting *setting,
                    void *field, char value[SETTING_VALUE_MAX], struct why *why)
{
    int err = settings_find(source, setting->name, value, why);
    if (err == -ENODATA) {
        /* Containers get a file in any case: an empty one is none, where there may be none. */
        err = setting->optional ? 0 : -EINVAL;
    }
    if (err == 0 && !value[0]) {
        err = check_blank(source, setting, why);
    }
    if (err < 0) {
        return err;
    }
    if (!value[0] && !setting->default_value) {
        bool may;
        err = may_be_unset(source, setting, &may, why);
        return err < 0 || may ? err
                              : why_set(why, -EINVAL, "%s is not set; it takes %s", setting->name,
                                        setting->takes);
    }
    return take(setting, value[0] ? value : setting->default_value, field, why);
}

/* ---- the tables ----------------------------------------------------------- */

const struct setting *settings_row(const struct settings_table *tables, size_t number,
                                   size_t *ret_offset)
{
    for (; tables->rows && number >= tables->count; tables++) {
        number -= tables->count;
    }
    if (!tables->rows) {
        return NULL;
    }
    if (ret_offset) {
        *ret_offset = tables->offset + tables->rows[number].offset;
    }
    return &tables->rows[number];
}

int settings_load(const struct settings_source *source, const struct settings_table *tables,
                  void *into, struct why *why)
{
    char value[SETTING_VALUE_MAX];
    const struct setting *row;
    size_t offset;
    int err = 0;
    for (size_t i = 0; err == 0 && (row = settings_row(tables, i, &offset)); i++) {
        err = load_one(source, row, (char *)into + offset, value, why);
    }
    crypto_wipe(value, sizeof value);
    return err;
}

int settings_take(const struct settings_table *tables, const char *name, const char *text,
                  void *into, struct why *why)
{
    const struct setting *row;
    size_t offset;
    for (size_t i = 0; (row = settings_row(tables, i, &offset)); i++) {
        if (strcmp(row->name, name) == 0) {
            return take(row, text, (char *)into + offset, why);
        }
    }
    return -ENOENT;
}

bool settings_are_given(const struct settings_table *tables)
{
    const struct setting *row;
    size_t i = 0;
    while ((row = settings_row(tables, i, NULL)) &&
           (row->default_value || row->optional || settings_is_given(row->name) ||
            (row->instead && settings_is_given(row->instead)))) {
        i++;
    }
    return !row;
}

void settings_describe(const struct settings_table *tables)
{
    const struct setting *row;
    for (size_t i = 0; (row = settings_row(tables, i, NULL)); i++) {
        char words[400];
        struct text text = text_over(words, sizeof words);
        text_add(&text, "%s", row->takes);
        if (row->default_value && row->default_value[0]) {
            text_add(&text, " (default: %s)", row->default_value);
        } else if (!row->default_value && !row->optional) {
            text_add(&text, " (required)");
        }
        help_row(HELP_COLUMN, row->name, words);
    }
}
