#include "vps/telegram/poller_failure.h"

#include <string.h>

enum {
    MAX_UNREACHABLE_WAIT_MS = 5000, /* without a way there: a try costs nobody anything */
    REVOKED_WAIT_MS = 60000,        /* the token was right once: it may be again, but not soon */
};

/* Only by the Bot API's own word: a proxy on the way knows these numbers, too. */
bool poller_token_is_wrong(const struct api_reply *reply)
{
    return reply->from_api && (reply->code == 401 || reply->code == 404);
}

bool poller_is_conflict(const struct api_reply *reply)
{
    return reply->code == 409 && !strstr(reply->trouble, "webhook");
}

void poller_failure_text(const struct api_reply *reply, struct text *text)
{
    if (poller_token_is_wrong(reply)) {
        text_add(text, "Telegram refuses the bot token (%d %.60s): was it revoked?", reply->code,
                 reply->trouble);
    } else if (poller_is_conflict(reply)) {
        text_add(text,
                 "another program receives this bot's messages too: stop it, or give it its own "
                 "bot (%.50s)",
                 reply->trouble);
    } else {
        text_add(text, "%s", reply->trouble ? reply->trouble : "the answer makes no sense");
    }
}

uint64_t poller_failure_wait_ms(const struct api_reply *reply, struct backoff *backoff)
{
    uint64_t wait = backoff_next(backoff);
    if (reply->retry_after_s > 0) {
        return (uint64_t)reply->retry_after_s * 1000;
    }
    if (poller_token_is_wrong(reply)) {
        return REVOKED_WAIT_MS;
    }
    return reply->code == 0 && wait > MAX_UNREACHABLE_WAIT_MS ? MAX_UNREACHABLE_WAIT_MS : wait;
}
