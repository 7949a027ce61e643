/*
 * waiting: commands whose gateway is on its way, as after a restart of vps-agent or of the
 * gateway. They are tried again, a few times a second, for a few seconds.
 */
#ifndef PAMTUNNEL_VPS_CHAT_WAITING_H
#define PAMTUNNEL_VPS_CHAT_WAITING_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

enum { WAITING_MAX = 32, WAITING_EVERY_MS = 200, WAITING_TRIES = 20 };

struct waiting;

/* A command again; `last`: no more tries follow. Returns true if it needs none. */
typedef bool (*waiting_fn)(void *arg, int64_t person, const char *command, bool last);

/* NULL when out of memory. */
struct waiting *waiting_new(uv_loop_t *loop, waiting_fn fn, void *arg);
/* False if there is no room. */
bool waiting_add(struct waiting *waiting, int64_t person, const char *command);
/* Tries all of them for the last time. */
void waiting_end(struct waiting *waiting);
/* Forgets them. Accepts NULL. */
void waiting_free(struct waiting *waiting);

#endif
