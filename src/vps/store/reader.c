/*
 * A task waits, is under way, or is over and to be told of; it is freed on the loop. The thread
 * uses the database without the lock; what is below `mutex` is the lock's. Giving up is a flag of
 * the task's, which the database asks for while it reads.
 */
#include "vps/store/reader.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/thread.h"

enum {
    TASKS_MAX = 64,
    IDLE_MS = 2000, /* then the file is closed, and its memory free */
};

struct reader {
    const char *path;
    struct database *database; /* the thread's; NULL: closed */
    int news_fd;
    pthread_t thread;
    bool started;
    struct task *telling; /* the loop's: whose owner is being told */

    pthread_mutex_t mutex;
    pthread_cond_t woken;
    atomic_bool stopping;
    struct list waiting;
    struct task *running;
    struct list finished;
    unsigned count; /* of all tasks */
};

/* ---- the thread ------------------------------------------------------------ */

static bool is_in_vain(void *arg)
{
    struct reader *reader = arg;
    struct task *task = reader->running;
    return reader->stopping || (task && task->given_up);
}

static void close_database(struct reader *reader)
{
    database_close(reader->database);
    reader->database = NULL;
}

static int run(struct reader *reader, struct task *task)
{
    if (reader->database && database_has_gone(reader->database)) {
        close_database(reader);
    }
    int err = reader->database
                  ? 0
                  : database_open_reader(reader->path, is_in_vain, reader, &reader->database);
    err = err < 0 ? err : task->given_up ? -ECANCELED : task->run(task, reader->database);
    if (err < 0 && err != -ECANCELED && err != -EINVAL) {
        close_database(reader);
    }
    return err;
}

/* With the lock, which is let go meanwhile. */
static void do_next(struct reader *reader)
{
    struct task *task = list_owner(list_take(&reader->waiting), struct task, home);
    reader->running = task;
    pthread_mutex_unlock(&reader->mutex);
    task->err = run(reader, task);
    pthread_mutex_lock(&reader->mutex);
    reader->running = NULL;
    list_append(&reader->finished, &task->home);
    eventfd_write(reader->news_fd, 1);
}

/* With the lock, which is let go meanwhile. Until there is a task, or no more will come. */
static void wait_for_work(struct reader *reader)
{
    struct timespec at = thread_time_in(IDLE_MS);
    while (!reader->stopping && list_is_empty(&reader->waiting)) {
        if (!reader->database) {
            pthread_cond_wait(&reader->woken, &reader->mutex);
        } else if (thread_wait_until(&reader->woken, &reader->mutex, &at)) {
            pthread_mutex_unlock(&reader->mutex);
            close_database(reader);
            pthread_mutex_lock(&reader->mutex);
        }
    }
}

static void *thread_main(void *arg)
{
    struct reader *reader = arg;
    pthread_mutex_lock(&reader->mutex);
    for (wait_for_work(reader); !reader->stopping; wait_for_work(reader)) {
        do_next(reader);
    }
    close_database(reader);
    pthread_mutex_unlock(&reader->mutex);
    return NULL;
}

/* ---- the loop's ------------------------------------------------------------- */

static int start(struct reader *reader)
{
    int err = reader->started ? 0 : thread_start(&reader->thread, 0, thread_main, reader);
    reader->started = err == 0;
    return err;
}

int reader_add(struct reader *reader, struct task *task)
{
    int err = start(reader);
    if (err < 0) {
        return err;
    }
    pthread_mutex_lock(&reader->mutex);
    err = reader->count < TASKS_MAX ? 0 : -EBUSY;
    if (err == 0) {
        reader->count++;
        list_append(&reader->waiting, &task->home);
        pthread_cond_signal(&reader->woken);
    }
    pthread_mutex_unlock(&reader->mutex);
    return err;
}

static void give_up(struct task *task, const void *owner)
{
    if (task && task->owner == owner) {
        task->given_up = true;
    }
}

void reader_detach(struct reader *reader, const void *owner)
{
    pthread_mutex_lock(&reader->mutex);
    list_each (struct task, task, &reader->waiting, home) {
        give_up(task, owner);
    }
    list_each (struct task, task, &reader->finished, home) {
        give_up(task, owner);
    }
    give_up(reader->running, owner);
    pthread_mutex_unlock(&reader->mutex);
    give_up(reader->telling, owner);
}

static struct task *take_finished(struct reader *reader)
{
    pthread_mutex_lock(&reader->mutex);
    struct list *node = list_take(&reader->finished);
    reader->count -= node != NULL;
    pthread_mutex_unlock(&reader->mutex);
    return node ? list_owner(node, struct task, home) : NULL;
}

void reader_tell(struct reader *reader)
{
    eventfd_t ignored;
    eventfd_read(reader->news_fd, &ignored);
    while ((reader->telling = take_finished(reader))) {
        struct task *task = reader->telling;
        if (!task->given_up) {
            task->tell(task);
        }
        task->free(task);
    }
}

int reader_news_fd(const struct reader *reader)
{
    return reader->news_fd;
}

/* ---- life ------------------------------------------------------------------ */

struct reader *reader_new(const char *path)
{
    struct reader *reader = calloc(1, sizeof *reader);
    if (!reader) {
        return NULL;
    }
    reader->path = path;
    list_init(&reader->waiting);
    list_init(&reader->finished);
    pthread_mutex_init(&reader->mutex, NULL);
    thread_condition_init(&reader->woken);
    reader->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (reader->news_fd < 0) {
        reader_free(reader);
        return NULL;
    }
    return reader;
}

static void free_tasks(struct list *tasks)
{
    list_each (struct task, task, tasks, home) {
        list_remove(&task->home);
        task->free(task);
    }
}

void reader_free(struct reader *reader)
{
    if (!reader) {
        return;
    }
    pthread_mutex_lock(&reader->mutex);
    reader->stopping = true;
    pthread_cond_signal(&reader->woken);
    pthread_mutex_unlock(&reader->mutex);
    if (reader->started) {
        pthread_join(reader->thread, NULL);
    }
    free_tasks(&reader->waiting);
    free_tasks(&reader->finished);
    pthread_cond_destroy(&reader->woken);
    pthread_mutex_destroy(&reader->mutex);
    if (reader->news_fd >= 0) {
        close(reader->news_fd);
    }
    free(reader);
}
