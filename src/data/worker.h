/*
 * worker: a thread with an epoll descriptor, a buffer and the links it runs.
 *
 * The control thread talks to it through an inbox (mutex and eventfd); it talks
 * back by the callback alone, from its own thread, with links that are over.
 */
#ifndef PAMTUNNEL_DATA_WORKER_H
#define PAMTUNNEL_DATA_WORKER_H

#include <stdbool.h>

#include "data/tuning.h"

struct worker;
struct link;

/* The link and its memory are the callee's from now on. */
typedef void (*worker_ended_fn)(void *arg, struct link *link);

/* Starts the thread. 0 or -errno. */
int worker_new(const struct relay_tuning *tuning, worker_ended_fn fn, void *arg,
               struct worker **ret_worker);
/* Cuts and reports all its links and joins the thread. Accepts NULL. */
void worker_free(struct worker *worker);

/* Gives it a new link, and the link's sockets. */
void worker_join(struct worker *worker, struct link *link);
/* Has a link of this worker cut; nothing happens if it has ended by itself. */
void worker_cut(struct worker *worker, struct link *link);
/*
 * Asks it for a sign of life, which comes before long. False if the one that was
 * asked for by the call before has not come.
 */
bool worker_is_alive(struct worker *worker);
/* How many links it has, those in the inbox included. */
unsigned worker_load(const struct worker *worker);

#endif
