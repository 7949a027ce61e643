/*
 * A change is in one of three queues: it waits; it is being written, in the one transaction that
 * takes all that waited; or it is finished, and its owner is to be told. After a failure what was
 * being written waits again, in front of what came meanwhile, and its owners are told of the first
 * attempt all the same: they know by it that a restart would forget it.
 *
 * The queues and what is below `mutex` are the lock's. The file is the caller's until
 * writer_start() and then the thread's alone, which uses it without the lock, so that nobody waits
 * for the disk. An owner's callback runs on the loop, without the lock: it may add and detach.
 */
#include "vps/store/writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/thread.h"
#include "vps/store/database.h"

enum {
    /* What may wait while the file cannot be written: */
    PLAIN_MAX = 1024,   /* then the oldest is lost, */
    CHAINED_MAX = 2048, /* and of these none more is taken. */
    FIRST_WAIT_MS = 1000,
    MAX_WAIT_MS = 60000,
    IDLE_MS = 2000, /* without a change: then is the time to sync the disk */
    FULL_MS = 2000, /* until a disk that was full is looked at again */
};

struct writer {
    struct file file;
    int news_fd; /* an eventfd: there is something to hear */
    pthread_t thread;
    bool started;

    pthread_mutex_t mutex;
    pthread_cond_t woken;
    bool stopping;
    bool hurried;                 /* what waits is to be written now, and there is something */
    struct change_queue waiting;  /* to be written */
    struct change_queue writing;  /* which the thread has under way */
    struct change_queue finished; /* whose owners are to be told */
    struct writer_news news;
    uint64_t delay_us;      /* of the oldest change in the last transaction */
    struct chain_head head; /* the file's, as of the last attempt */
};

/* ---- the thread ------------------------------------------------------------ */

/* With the lock. */
static void wake(struct writer *writer)
{
    eventfd_write(writer->news_fd, 1);
}

/* With the lock. Since when the oldest change waits, by clock_us(); 0: none does. */
static uint64_t oldest_us(const struct writer *writer)
{
    const struct change_queue *queue = change_queue_is_empty(&writer->writing) ? &writer->waiting
                                                                               : &writer->writing;
    return change_queue_is_empty(queue)
               ? 0
               : list_owner(queue->changes.next, struct change, home)->added_us;
}

/* With the lock. What was not written goes back to the front. */
static void take_stock(struct writer *writer, int err)
{
    list_each (struct change, change, &writer->writing.changes, home) {
        change->tried = true;
        change->err = err < 0 ? err : change->err;
    }
    if (err < 0) {
        change_queue_move(&writer->writing, &writer->waiting);
        change_queue_move(&writer->waiting, &writer->writing);
        writer->hurried = true;
    } else {
        writer->delay_us = clock_us() - oldest_us(writer);
        change_queue_move(&writer->finished, &writer->writing);
    }
    writer->news.trouble = err;
    writer->news.full = writer->file.full;
    writer->head = writer->file.head;
    wake(writer);
}

/* With the lock. Whatever comes meanwhile. */
static void rest(struct writer *writer, uint64_t ms)
{
    struct timespec at = thread_time_in(ms);
    while (!writer->stopping && !thread_wait_until(&writer->woken, &writer->mutex, &at)) {
    }
}

/* With the lock, which is let go meanwhile. */
static void tidy(struct writer *writer)
{
    pthread_mutex_unlock(&writer->mutex);
    database_tidy(writer->file.database);
    pthread_mutex_lock(&writer->mutex);
}

/* With the lock, which is let go meanwhile. Whether a disk that was full has room again. */
static void look_for_room(struct writer *writer)
{
    pthread_mutex_unlock(&writer->mutex);
    file_keep_reserve(&writer->file);
    pthread_mutex_lock(&writer->mutex);
    if (!writer->file.full) {
        writer->news.full = false;
        wake(writer);
    }
}

/* With the lock. What there is to do when nothing comes for a while. */
static bool has_chores(const struct writer *writer)
{
    const struct file *file = &writer->file;
    return file->full || (file->database && database_untidiness(file->database) > 0);
}

/* With the lock, which is let go meanwhile. */
static void do_chores(struct writer *writer)
{
    if (writer->file.full) {
        look_for_room(writer);
    }
    if (writer->file.database && database_untidiness(writer->file.database) > 0) {
        tidy(writer);
    }
}

/* With the lock. Until something is to be written, or no more will come. */
static void wait_for_work(struct writer *writer)
{
    while (!writer->stopping && !writer->hurried) {
        struct timespec at = thread_time_in(writer->file.full ? FULL_MS : IDLE_MS);
        if (!has_chores(writer)) {
            pthread_cond_wait(&writer->woken, &writer->mutex);
        } else if (thread_wait_until(&writer->woken, &writer->mutex, &at) && !writer->hurried) {
            do_chores(writer);
        }
    }
}

/* With the lock, which is let go meanwhile. One attempt for all that waits. */
static int attempt(struct writer *writer)
{
    enum anew anew = ANEW_NOT;
    change_queue_move(&writer->writing, &writer->waiting);
    writer->hurried = false;
    pthread_mutex_unlock(&writer->mutex);
    int err = file_write(&writer->file, &writer->writing, &anew);
    pthread_mutex_lock(&writer->mutex);
    writer->news.anew = anew ? anew : writer->news.anew;
    take_stock(writer, err);
    return err;
}

static void *thread_main(void *arg)
{
    struct writer *writer = arg;
    struct backoff backoff = {.first_ms = FIRST_WAIT_MS, .max_ms = MAX_WAIT_MS};
    pthread_mutex_lock(&writer->mutex);
    for (;;) {
        wait_for_work(writer);
        if (change_queue_is_empty(&writer->waiting)) {
            break;
        }
        int err = attempt(writer);
        if (err < 0 && writer->stopping) {
            break;
        }
        if (err < 0) {
            uint64_t ms = backoff_next(&backoff);
            rest(writer, writer->file.full && ms > FULL_MS ? FULL_MS : ms);
            continue;
        }
        backoff_reset(&backoff);
        if (writer->file.full) {
            look_for_room(writer);
        }
        if (database_untidiness(writer->file.database) > 1) {
            tidy(writer);
        }
    }
    pthread_mutex_unlock(&writer->mutex);
    return NULL;
}

/* ---- the loop's ------------------------------------------------------------- */

/* With the lock. */
static void drop_oldest(struct writer *writer)
{
    struct change *oldest = change_queue_take_plain(&writer->waiting);
    oldest->tried = true;
    oldest->err = -ENOBUFS;
    change_queue_append(&writer->finished, oldest);
    writer->news.lost++;
    wake(writer);
}

/* With the lock. What an attempt took may come back, and counts. */
static bool has_room(const struct writer *writer, const struct change *change)
{
    return change->kind == CHANGE_PLAIN ||
           writer->waiting.chained + writer->writing.chained < CHAINED_MAX;
}

/* With the lock. */
static void add(struct writer *writer, struct change *change)
{
    change->added_us = clock_us();
    change_queue_append(&writer->waiting, change);
    while (writer->waiting.plain > PLAIN_MAX) { /* what an attempt took comes back, too */
        drop_oldest(writer);
    }
    if (writer->news.trouble < 0) {
        /* The next attempt may be far, and the last one says what came of this one, too. */
        change->tried = true;
        change->err = writer->news.trouble;
        wake(writer);
    }
}

int writer_add(struct writer *writer, struct change *change)
{
    pthread_mutex_lock(&writer->mutex);
    int err = has_room(writer, change) ? 0 : -ENOSPC;
    if (err == 0) {
        add(writer, change);
    }
    pthread_mutex_unlock(&writer->mutex);
    return err;
}

void writer_hurry(struct writer *writer)
{
    pthread_mutex_lock(&writer->mutex);
    bool is_new = !writer->hurried && !change_queue_is_empty(&writer->waiting);
    writer->hurried = writer->hurried || is_new;
    pthread_mutex_unlock(&writer->mutex);
    if (is_new) { /* without the lock, or the thread would wake up to wait for that */
        pthread_cond_signal(&writer->woken);
    }
}

struct chain_head writer_head(struct writer *writer)
{
    pthread_mutex_lock(&writer->mutex);
    struct chain_head head = writer->head;
    pthread_mutex_unlock(&writer->mutex);
    return head;
}

void writer_detach(struct writer *writer, const void *arg)
{
    pthread_mutex_lock(&writer->mutex);
    change_queue_detach(&writer->waiting, arg);
    change_queue_detach(&writer->writing, arg);
    change_queue_detach(&writer->finished, arg);
    pthread_mutex_unlock(&writer->mutex);
}

/* With the lock, which is let go meanwhile. */
static void tell_owner(struct writer *writer, struct change *change)
{
    statement_done_fn done = change->done;
    void *arg = change->arg;
    int err = change->err;
    change->done = NULL;
    if (done) {
        pthread_mutex_unlock(&writer->mutex);
        done(arg, err); /* may write, and detach */
        pthread_mutex_lock(&writer->mutex);
    }
}

/* With the lock, which is let go meanwhile. */
static void tell_owners(struct writer *writer)
{
    struct change *change;
    while ((change = change_queue_take(&writer->finished))) {
        tell_owner(writer, change);
        change_free(change);
    }
    while (writer->news.trouble < 0 && (change = change_queue_find_untold(&writer->waiting))) {
        tell_owner(writer, change);
    }
}

struct writer_news writer_tell(struct writer *writer)
{
    eventfd_t ignored;
    eventfd_read(writer->news_fd, &ignored);
    pthread_mutex_lock(&writer->mutex);
    struct writer_news news = writer->news;
    writer->news.lost = 0;
    writer->news.anew = ANEW_NOT;
    tell_owners(writer);
    pthread_mutex_unlock(&writer->mutex);
    return news;
}

struct writer_view writer_view(struct writer *writer)
{
    pthread_mutex_lock(&writer->mutex);
    uint64_t oldest = oldest_us(writer);
    struct writer_view view = {
        .plain = writer->waiting.plain + writer->writing.plain,
        .chained = writer->waiting.chained + writer->writing.chained,
        .delay_us = oldest > 0 ? clock_us() - oldest : writer->delay_us,
        .trouble = writer->news.trouble < 0 ? writer->news.trouble
                   : writer->news.full      ? -ENOSPC
                                            : 0,
    };
    pthread_mutex_unlock(&writer->mutex);
    return view;
}

/* ---- life ------------------------------------------------------------------ */

struct writer *writer_new(const struct file *file)
{
    struct writer *writer = calloc(1, sizeof *writer);
    if (!writer) {
        return NULL;
    }
    writer->file = *file;
    change_queue_init(&writer->waiting);
    change_queue_init(&writer->writing);
    change_queue_init(&writer->finished);
    pthread_mutex_init(&writer->mutex, NULL);
    thread_condition_init(&writer->woken);
    writer->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (writer->news_fd < 0) {
        writer_free(writer);
        return NULL;
    }
    return writer;
}

int writer_open(struct writer *writer, enum anew *ret_anew, struct why *why)
{
    int err = file_open(&writer->file, ret_anew, why);
    writer->news.trouble = err;
    writer->news.full = writer->file.full;
    writer->head = writer->file.head;
    return err;
}

int writer_read(struct writer *writer, const struct statement *statement, row_fn fn, void *arg)
{
    return writer->file.database ? database_run(writer->file.database, statement, fn, arg) : 0;
}

int writer_start(struct writer *writer)
{
    int err = thread_start(&writer->thread, 0, thread_main, writer);
    writer->started = err == 0;
    return err;
}

int writer_news_fd(const struct writer *writer)
{
    return writer->news_fd;
}

void writer_free(struct writer *writer)
{
    if (!writer) {
        return;
    }
    pthread_mutex_lock(&writer->mutex);
    writer->stopping = true;
    pthread_cond_signal(&writer->woken);
    pthread_mutex_unlock(&writer->mutex);
    if (writer->started) {
        pthread_join(writer->thread, NULL);
    } else if (!change_queue_is_empty(&writer->waiting)) {
        enum anew anew;
        change_queue_move(&writer->writing, &writer->waiting);
        file_write(&writer->file, &writer->writing, &anew);
    }
    file_close(&writer->file);
    change_queue_clear(&writer->waiting);
    change_queue_clear(&writer->writing);
    change_queue_clear(&writer->finished);
    pthread_cond_destroy(&writer->woken);
    pthread_mutex_destroy(&writer->mutex);
    if (writer->news_fd >= 0) {
        close(writer->news_fd);
    }
    free(writer);
}
