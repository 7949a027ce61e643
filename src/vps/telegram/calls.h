/*
 * calls: small calls beside the messages, in no order, whose results hardly anybody needs:
 * answers to pressed buttons, the list of commands. Each is tried a few times, and
 * a few are under way at once: they never take the connections of the poll or of messages.
 */
#ifndef PAMTUNNEL_VPS_TELEGRAM_CALLS_H
#define PAMTUNNEL_VPS_TELEGRAM_CALLS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/log.h"
#include "vps/telegram/api.h"

struct calls;

/* NULL when out of memory. api outlives it. */
struct calls *calls_new(uv_loop_t *loop, const struct log *log, struct api *api);
/* Drops what is under way. Accepts NULL. */
void calls_free(struct calls *calls);

/*
 * method is a constant. Takes over params, which may be NULL when memory ran out. It is
 * dropped when too many others wait.
 */
void calls_run(struct calls *calls, const char *method, json_t *params);
/* The same, of a request that is done: its result is handed to fn, from the loop. */
void calls_ask(struct calls *calls, const char *method, json_t *params,
               void (*fn)(void *arg, const json_t *result), void *arg);
/*
 * Answers a pressed button with a line: plain text, up to 200 characters. is_alert: it is to
 * be read, and closed with a tap.
 */
void calls_answer(struct calls *calls, const char *callback_id, const char *text, bool is_alert);
/* Takes the buttons off a message that no card or question keeps. */
void calls_strip_buttons(struct calls *calls, int64_t chat_id, int64_t message_id);
/* Deletes a message that somebody wrote. Bots may do so in private chats. */
void calls_delete_message(struct calls *calls, int64_t chat_id, int64_t message_id);

#endif
