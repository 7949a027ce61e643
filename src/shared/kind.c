#include "shared/kind.h"

#include <stddef.h>
#include <string.h>

static const struct kind_row KINDS[] = {
#define KIND(NAME, number, word, greeting, what, default_port, takes, example, help, pamctl, ...) \
    [number] = {.kind = KIND_##NAME,                                                              \
                .name = #word,                                                                    \
                .gives = KIND_GIVES_##what,                                                       \
                .port = (default_port),                                                           \
                __VA_ARGS__},
#include "shared/kinds.def"
#undef KIND
};
/* A gap would be a row of zeros: a kind without a name, a port or a reader. */
_Static_assert(sizeof KINDS / sizeof *KINDS == KIND_COUNT,
               "the numbers count from 0 without a gap");

const struct kind_row *kind_row(enum kind kind)
{
    return &KINDS[kind];
}

const char *kind_name(enum kind kind)
{
    return kind_row(kind)->name;
}

bool kind_hint_serves(const struct kind_row *row, const struct kind_hint *hint, uint16_t port)
{
    bool has_own = false;
    for (const struct kind_hint *other = row->hints; other->what; other++) {
        has_own = has_own || (port != 0 && other->port == port);
    }
    return has_own ? hint->port == port : hint->port == 0;
}

const struct kind_row *kind_find(const char *name)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (strcmp(KINDS[i].name, name) == 0) {
            return &KINDS[i];
        }
    }
    return NULL;
}
