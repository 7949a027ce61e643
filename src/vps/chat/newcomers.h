/*
 * newcomers: those who have opened the link of an invitation (people_run.h), and wait for an
 * administrator's word. All administrators in the chat are asked; the first answer counts, and
 * everybody's question says then what came of it. Rows of button.def and command.def lead here.
 */
#ifndef PAMTUNNEL_VPS_CHAT_NEWCOMERS_H
#define PAMTUNNEL_VPS_CHAT_NEWCOMERS_H

#include <stdbool.h>

#include "vps/chat/conversation.h"
#include "vps/people/people_run.h"

struct newcomers;

enum { NEWCOMERS_MAX = 16, NEWCOMERS_ADMINISTRATORS_MAX = 64, NEWCOMERS_DECIDED_MAX = 32 };

/* The conversation and the people outlive them. NULL when out of memory. */
struct newcomers *newcomers_new(struct conversation *conversation, struct people *people);
/* The agent stops: questions that are open say so. */
void newcomers_end(struct newcomers *newcomers);
/* Accepts NULL. */
void newcomers_free(struct newcomers *newcomers);

/*
 * Somebody who is not let in has written this. True: it was a link that is good, and they have
 * their answer.
 */
bool newcomers_knock(struct newcomers *newcomers, const struct incoming *incoming);
/* This administrator can be written to by now: what they were to be asked is asked once more. */
void newcomers_ask(struct newcomers *newcomers, int64_t person);

#endif
