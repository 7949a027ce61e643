/* statement: one statement of SQL with what it is given, and the rows that come of it. */
#ifndef PAMTUNNEL_VPS_STORE_STATEMENT_H
#define PAMTUNNEL_VPS_STORE_STATEMENT_H

#include <stddef.h>
#include <stdint.h>

enum { STATEMENT_VALUES_MAX = 12, ROW_COLUMNS_MAX = 16 };

struct value {
    enum { VALUE_NONE, VALUE_NUMBER, VALUE_TEXT, VALUE_BLOB } kind;
    int64_t number;   /* or the length of a blob, or of a text that was read, with all its NULs */
    const void *data; /* of a text, with its NUL, or of a blob */
};

/* The values, up to the first VALUE_NONE, are for the parameters ?1, ?2, … */
struct statement {
    const char *sql; /* a literal */
    struct value values[STATEMENT_VALUES_MAX];
};

static inline struct value value_number(int64_t number)
{
    return (struct value){.kind = VALUE_NUMBER, .number = number};
}

static inline struct value value_text(const char *text)
{
    return (struct value){.kind = VALUE_TEXT, .data = text};
}

static inline struct value value_blob(const void *data, size_t len)
{
    return (struct value){.kind = VALUE_BLOB, .number = (int64_t)len, .data = data};
}

/* How many bytes the data of these values has, for values_copy(). */
size_t values_size(const struct value *values, size_t count);
/* Copies their data to `data`, and has the values point there. */
void values_copy(struct value *values, size_t count, char *data);

/* What came of one that writes: 0 or -errno, see store_write(). */
typedef void (*statement_done_fn)(void *arg, int err);

/* Valid during the callback. Columns count from 0. */
struct row {
    size_t count; /* of columns, ROW_COLUMNS_MAX at most */
    const struct value *values;
};
typedef void (*row_fn)(void *arg, const struct row *row);
/* 0 if it is no number. */
int64_t row_number(const struct row *row, size_t column);
/* "" if it is no text. */
const char *row_text(const struct row *row, size_t column);
/* Empty if it is no blob. */
const void *row_blob(const struct row *row, size_t column, size_t *ret_len);

#endif
