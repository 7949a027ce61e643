/*
 * key_questions: a target shows another key or certificate than before, and those who may decide
 * about it are asked: administrators, and without a policy whose session it was. The first answer
 * counts, and everybody's message says what came of it. Rows of button.def lead here.
 */
#ifndef PAMTUNNEL_VPS_CHAT_KEY_QUESTIONS_H
#define PAMTUNNEL_VPS_CHAT_KEY_QUESTIONS_H

#include "vps/chat/conversation.h"

enum { KEY_QUESTIONS_MAX = 128 }; /* messages; the oldest one's buttons stay, and are told so */

struct key_questions;

/* The conversation outlives it. NULL when out of memory. */
struct key_questions *key_questions_new(const struct conversation *conversation);
/* Something happened: a doubt asks, a decision is shown. */
void key_questions_event(struct key_questions *questions, const struct session_event *event);
/* Accepts NULL. */
void key_questions_free(struct key_questions *questions);

#endif
