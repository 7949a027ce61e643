/*
 * touched: the sessions whose users have something new to read, a note (note.h) or a gateway that
 * came or went. Notes are made in the middle of things, so that they are told from the loop, once
 * for each session.
 */
#ifndef PAMTUNNEL_VPS_SESSION_TOUCHED_H
#define PAMTUNNEL_VPS_SESSION_TOUCHED_H

#include <uv.h>

struct touched;
struct session;

/* NULL when out of memory. */
struct touched *touched_new(uv_loop_t *loop);
/* Accepts NULL. */
void touched_free(struct touched *touched);
void touched_add(struct touched *touched, struct session *session);
/* The session is about to go. */
void touched_forget(struct touched *touched, struct session *session);

#endif
