/*
 * noted: the sessions whose users have something new to read, a note (note.h) or a gateway that
 * came or went. Notes are made in the middle of things, so that they are told from the loop, once
 * for each session.
 */
#ifndef PAMTUNNEL_VPS_SESSION_NOTED_H
#define PAMTUNNEL_VPS_SESSION_NOTED_H

#include <uv.h>

struct noted;
struct session;

/* NULL when out of memory. */
struct noted *noted_new(uv_loop_t *loop);
/* Accepts NULL. */
void noted_free(struct noted *noted);
void noted_add(struct noted *noted, struct session *session);
/* The session is about to go. */
void noted_forget(struct noted *noted, struct session *session);

#endif
