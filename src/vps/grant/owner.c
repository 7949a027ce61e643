#include "vps/grant/owner.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool owner_equal(const struct owner *a, const struct owner *b)
{
    return a->kind == b->kind && a->id == b->id;
}

char *owner_text(const struct owner *owner, char *dst)
{
    snprintf(dst, OWNER_TEXT_MAX, "%s:%" PRId64, owner->kind == OWNER_TELEGRAM ? "telegram" : "uid",
             owner->id);
    return dst;
}

int owner_parse(const char *text, struct owner *ret_owner)
{
    /* These texts are in the state file: they can be added to, not changed. */
    static const char *const PREFIXES[] = {[OWNER_TELEGRAM] = "telegram:", [OWNER_LOCAL] = "uid:"};
    for (unsigned i = 0; i < sizeof PREFIXES / sizeof *PREFIXES; i++) {
        size_t len = strlen(PREFIXES[i]);
        /* 18 digits at most, which always fit in 64 bits: sscanf(3) does not report an overflow. */
        int64_t id;
        int end = 0;
        if (strncmp(text, PREFIXES[i], len) == 0 &&
            sscanf(text + len, "%18" SCNd64 "%n", &id, &end) == 1 && !text[len + (size_t)end]) {
            *ret_owner = (struct owner){.kind = (enum owner_kind)i, .id = id};
            return 0;
        }
    }
    return -EINVAL;
}
