/*
 * questions: asks the user of a session about its unknown clients, with one message
 * per party, which later says what became of it, and one message about strangers when there
 * are too many to ask about them all. The door decides who is asked about, and how often.
 */
#ifndef PAMTUNNEL_VPS_CHAT_QUESTIONS_H
#define PAMTUNNEL_VPS_CHAT_QUESTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "vps/chat/answer.h"
#include "vps/chat/readers.h"
#include "vps/session/session.h"
#include "vps/transport/transport.h"

enum { QUESTIONS_MAX = 16, QUESTIONS_KNOCKING_MS = 60000, QUESTIONS_DECIDED_MAX = 16 };

struct question {
    struct post *post; /* NULL: the place is free */
    struct addr from;
    bool admitting, blocking; /* the user just pressed */
};

/* Embedded in a card. */
struct questions {
    struct transport *transport;
    const struct readers *readers;
    int64_t person;
    struct session *session;
    bool asks_always; /* also about addresses from which the user came before */
    struct question open[QUESTIONS_MAX];
    /* The latest decisions, in a ring: a second press is told so. */
    struct {
        unsigned number; /* of the client; 0: none yet */
        bool admitted;
    } decided[QUESTIONS_DECIDED_MAX];
    unsigned next_decided;
    struct post *knocking; /* NULL: nothing was said about strangers */
    uint64_t knocking_ms;  /* when that was said last */
    bool knocking_is_open; /* the user could still admit one of them */
};

void questions_init(struct questions *questions, struct transport *transport,
                    const struct readers *readers, int64_t person, struct session *session,
                    bool asks_always);
/* Asks about those who are to be asked about, and closes the questions about those who left. */
void questions_update(struct questions *questions, const struct session_view *view);
/*
 * The user pressed a button below a question: admits client `number`, or blocks its party.
 * The session's watchers are called meanwhile. Returns the answer to the user.
 */
enum answer questions_decide(struct questions *questions, struct session *session, unsigned number,
                             bool admit);
/* Lets go of all; what is open is closed as gone. */
void questions_done(struct questions *questions, const struct session_view *view);

#endif
