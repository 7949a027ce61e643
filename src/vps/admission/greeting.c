#include "vps/admission/greeting.h"

const struct greeting_reader *greeting_reader(enum kind kind)
{
    static const struct greeting_reader *const READERS[] = {
#define KIND(NAME, number, word, greeting, ...) [number] = &greeting_##greeting,
#include "shared/kinds.def"
#undef KIND
    };
    _Static_assert(sizeof READERS / sizeof *READERS == KIND_COUNT, "each kind has its reader");
    return READERS[kind];
}
