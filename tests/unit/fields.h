/* fields: that each setting fills a field which is its own and of its type's size. */
#ifndef PAMTUNNEL_TESTS_FIELDS_H
#define PAMTUNNEL_TESTS_FIELDS_H

#include <string.h>

#include "base/settings.h"

/* RUST_LOG is the old name of LOG_LEVEL, in front of it. */
static inline bool fields_are_shared(const struct setting *a, const struct setting *b)
{
    return strcmp(a->name, "RUST_LOG") == 0 && strcmp(b->name, "LOG_LEVEL") == 0;
}

static inline void fields_fit(const struct settings_table *tables)
{
    const struct setting *row, *other;
    size_t offset, other_offset;
    for (size_t i = 0; (row = settings_row(tables, i, &offset)); i++) {
        size_t size = row->type->size;
        if (size > 0 ? row->field != size : row->field < (size_t)row->max + 1) {
            fail_msg("%s has a field of %zu bytes, which is not its type's", row->name, row->field);
        }
        for (size_t j = i + 1; (other = settings_row(tables, j, &other_offset)); j++) {
            bool apart = offset + row->field <= other_offset ||
                         other_offset + other->field <= offset;
            if (!apart && !fields_are_shared(row, other)) {
                fail_msg("%s and %s have one field", row->name, other->name);
            }
        }
    }
}

#endif
