#include "control/hello.h"

#include <errno.h>

#include "base/text.h"

enum { KEEPALIVE_SECS_MAX = 3600 };

struct message hello_make(const char *program, unsigned keepalive_secs)
{
    struct message message = {.type = MESSAGE_HELLO};
    struct message_hello *hello = &message.hello;
    struct text text = text_over(hello->program, sizeof hello->program);
    hello->min_version = PROTOCOL_MIN_VERSION;
    hello->max_version = PROTOCOL_MAX_VERSION;
    hello->keepalive_secs = (uint16_t)keepalive_secs;
    text_add(&text, "%s", program);
    return message;
}

static int say_who_is_old(const struct message_hello *ours, const struct message_hello *theirs,
                          struct why *why)
{
    /* Who speaks nothing that we still know is behind us, else we are behind. */
    bool they_are = theirs->max_version < ours->min_version;
    return why_set(why, -EPROTONOSUPPORT,
                   "%s speaks protocol versions %u to %u, %s speaks %u to %u: upgrade %s",
                   theirs->program, theirs->min_version, theirs->max_version, ours->program,
                   ours->min_version, ours->max_version,
                   they_are ? theirs->program : ours->program);
}

int hello_agree(const struct message_hello *ours, const struct message_hello *theirs,
                struct hello_terms *ret_terms, struct why *why)
{
    bool theirs_is_lower = theirs->max_version < ours->max_version;
    struct hello_terms terms = {
        .version = theirs_is_lower ? theirs->max_version : ours->max_version,
        .keepalive_secs = ours->keepalive_secs ? ours->keepalive_secs : theirs->keepalive_secs,
    };
    /* The lower maximum may lie below the other side's minimum. */
    if (terms.version < ours->min_version || terms.version < theirs->min_version) {
        return say_who_is_old(ours, theirs, why);
    }
    if (terms.keepalive_secs < 1 || terms.keepalive_secs > KEEPALIVE_SECS_MAX) {
        return why_set(why, -EPROTO, "a keepalive interval out of bounds");
    }
    *ret_terms = terms;
    return 0;
}
