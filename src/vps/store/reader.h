/*
 * reader: the thread that reads for the loop what is in the file, one task after the other, over a
 * connection of its own: however long that takes, it holds up neither the loop nor the writer. It
 * begins with the first task, and closes the file when there was none for a while.
 */
#ifndef PAMTUNNEL_VPS_STORE_READER_H
#define PAMTUNNEL_VPS_STORE_READER_H

#include "vps/store/task.h"

struct reader;

/* Of the file with this path, which outlives it. NULL: no memory. */
struct reader *reader_new(const char *path);
/* Takes the task: 0, or -errno, and it is the caller's: -EBUSY if there are many already. */
int reader_add(struct reader *reader, struct task *task);
/* Gives up this owner's tasks. */
void reader_detach(struct reader *reader, const void *owner);
/* Tells what came of those that are over, and frees them; who is told may add and detach. */
void reader_tell(struct reader *reader);
/* Readable when there is something to tell. The reader's. */
int reader_news_fd(const struct reader *reader);
/* Gives up all tasks, and ends the thread. Accepts NULL. */
void reader_free(struct reader *reader);

#endif
