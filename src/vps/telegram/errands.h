/*
 * errands: small calls beside the messages, in no order, whose results hardly anybody needs:
 * answers to pressed buttons, the list of commands. Each is tried a few times, and
 * a few are under way at once: they never take the connections of the poll or of messages.
 */
#ifndef PAMTUNNEL_VPS_TELEGRAM_ERRANDS_H
#define PAMTUNNEL_VPS_TELEGRAM_ERRANDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/log.h"
#include "vps/telegram/telegram.h"

struct errands;

/* NULL when out of memory. telegram outlives it. */
struct errands *errands_new(uv_loop_t *loop, const struct log *log, struct telegram *telegram);
/* Drops what is under way. Accepts NULL. */
void errands_free(struct errands *errands);

/*
 * method is a constant. Takes over params, which may be NULL when memory ran out. It is
 * dropped when too many others wait.
 */
void errands_run(struct errands *errands, const char *method, json_t *params);
/* The same, of a call that is done: its result is handed to fn, from the loop. */
void errands_ask(struct errands *errands, const char *method, json_t *params,
                 void (*fn)(void *arg, const json_t *result), void *arg);
/*
 * Answers a pressed button with a line: plain text, up to 200 characters. is_alert: it is to
 * be read, and closed with a tap.
 */
void errands_answer(struct errands *errands, const char *callback_id, const char *text,
                    bool is_alert);
/* Takes the buttons off a message that no card or question keeps. */
void errands_strip_buttons(struct errands *errands, int64_t chat_id, int64_t message_id);

#endif
