/*
 * questions: asks the user of a session about its unknown clients, one message per
 * address, and says below each what became of it.
 */
#ifndef PAMTUNNEL_VPS_BOT_QUESTIONS_H
#define PAMTUNNEL_VPS_BOT_QUESTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "vps/bot/outbox.h"
#include "vps/session/session.h"

struct question {
    struct post *post; /* NULL: the place is free */
    unsigned number;   /* of the client that caused it */
    struct addr from;
    bool admitting, blocking; /* the user just pressed */
};

/* Embedded in a card. Parked clients are few, and so are the questions about them. */
struct questions {
    struct outbox *outbox;
    int64_t chat_id;
    bool asks_always; /* also about addresses from which the user came before */
    struct question open[SESSION_PARKED_MAX];
    struct log_sieve sieve; /* scanners must not fill the user's chat */
};

void questions_init(struct questions *questions, struct outbox *outbox, int64_t chat_id,
                    bool asks_always);
/* Asks about who is new among the parked, and closes the questions about who is not there any more. */
void questions_update(struct questions *questions, const struct session_view *view);
/*
 * The user pressed a button below the question about client `number`: admits or blocks.
 * The session's watchers are called meanwhile. Returns the answer to the user.
 */
const char *questions_decide(struct questions *questions, struct session *session, unsigned number,
                             bool admit);
/* Lets go of all; what is open is closed as gone. */
void questions_done(struct questions *questions, const struct session_view *view);

#endif
