/*
 * gateway_questions: a gateway that has no key asks to be paired (vps/gateways/applicants), and all
 * administrators in the chat are asked whether it shows the code that we have. The first answer
 * counts, and everybody's message says what came of it. Rows of button.def lead here.
 */
#ifndef PAMTUNNEL_VPS_CHAT_GATEWAY_QUESTIONS_H
#define PAMTUNNEL_VPS_CHAT_GATEWAY_QUESTIONS_H

#include "vps/chat/conversation.h"

struct gateway_questions;

enum { GATEWAY_QUESTIONS_ADMINISTRATORS_MAX = 64, GATEWAY_QUESTIONS_DECIDED_MAX = 16 };

/* Hears of gateways from now on. The conversation outlives it. NULL when out of memory. */
struct gateway_questions *gateway_questions_new(struct conversation *conversation);
/*
 * An administrator has begun to talk to the bot, which could not write to them before: if there is
 * a question, they are asked (once more).
 */
void gateway_questions_remind(struct conversation *conversation, int64_t person);
/* The agent stops, and the gateways are gone already: a question that is open says so. */
void gateway_questions_end(struct gateway_questions *questions);
/* Accepts NULL. */
void gateway_questions_free(struct gateway_questions *questions);

#endif
