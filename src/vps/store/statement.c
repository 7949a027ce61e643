#include "vps/store/statement.h"

#include <string.h>

static size_t size_of(const struct value *value)
{
    return value->kind == VALUE_TEXT   ? strlen(value->data) + 1
           : value->kind == VALUE_BLOB ? (size_t)value->number
                                       : 0;
}

size_t values_size(const struct value *values, size_t count)
{
    size_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += size_of(&values[i]);
    }
    return sum;
}

void values_copy(struct value *values, size_t count, char *data)
{
    for (size_t i = 0; i < count; i++) {
        size_t size = size_of(&values[i]);
        if (size > 0) {
            values[i].data = memcpy(data, values[i].data, size);
            data += size;
        }
    }
}

static const struct value *column_of(const struct row *row, size_t column, int kind)
{
    static const struct value NONE;
    return column < row->count && (int)row->values[column].kind == kind ? &row->values[column]
                                                                        : &NONE;
}

int64_t row_number(const struct row *row, size_t column)
{
    return column_of(row, column, VALUE_NUMBER)->number;
}

const char *row_text(const struct row *row, size_t column)
{
    const char *text = column_of(row, column, VALUE_TEXT)->data;
    return text ? text : "";
}

const void *row_blob(const struct row *row, size_t column, size_t *ret_len)
{
    const struct value *value = column_of(row, column, VALUE_BLOB);
    *ret_len = (size_t)value->number;
    return value->data;
}
