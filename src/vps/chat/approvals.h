/*
 * approvals: the messages about requests on hold: one to whoever asks, with what it waits for, and
 * one to each who may agree, with what to know for that. They follow the request to its end, and
 * the asker's becomes the session's. The handlers of their buttons are here, too (button.h).
 */
#ifndef PAMTUNNEL_VPS_CHAT_APPROVALS_H
#define PAMTUNNEL_VPS_CHAT_APPROVALS_H

#include "vps/chat/conversation.h"

struct approvals;

/* NULL when out of memory. conversation outlives it. */
struct approvals *approvals_new(struct conversation *conversation);
/* What was said stays in the chat. Accepts NULL. */
void approvals_free(struct approvals *approvals);

/* This person cannot be written to, which whoever waits for them is told soon. */
void approvals_miss(struct approvals *approvals, int64_t person);
/* They can be again, and are asked about what waits. */
void approvals_ask(struct approvals *approvals, int64_t person);

#endif
