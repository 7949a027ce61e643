#include "vps/store/store.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/list.h"
#include "base/thread.h"
#include "base/watch.h"
#include "vps/store/database.h"

enum {
    QUEUE_MAX = 1024, /* changes that wait while the file cannot be written */
    FIRST_WAIT_MS = 1000,
    MAX_WAIT_MS = 60000,
    IDLE_MS = 2000, /* without a change: then is the time to sync the disk */
};

/* Why there is another file than before: what the log does not say yet. */
enum anew { ANEW_NOT, ANEW_DAMAGED, ANEW_GONE };

/* A change on its way. The queues are the lock's; so is `done`. */
struct change {
    struct list home; /* in one of the queues */
    struct statement statement;
    store_done_fn done; /* NULL: nobody is to be told, or was told already */
    void *arg;
    bool tried;
    int err;
    char texts[];
};

struct queue {
    struct list changes; /* the oldest one first */
    unsigned count;
};

struct store {
    struct store_options options;
    char *path;
    struct database *database; /* until the start ours, then the thread's; NULL: cannot be opened */
    int news_fd;               /* an eventfd: there is something to hear */
    struct watch *news;        /* while it is on the loop */
    pthread_t thread;
    bool started;

    pthread_mutex_t mutex;
    pthread_cond_t woken;
    bool stopping;
    struct queue waiting;  /* to be written */
    struct queue writing;  /* which the thread has under way */
    struct queue finished; /* whose owners are to be told */
    int trouble;           /* why nothing can be written; 0: all is well */
    enum anew anew;        /* for the log */
    unsigned lost;         /* changes for which there was no room */

    /* The loop's: what the log was told. */
    int said_trouble;
    bool said_lost;
};

/* ---- queues ---------------------------------------------------------------- */

static void queue_init(struct queue *queue)
{
    list_init(&queue->changes);
    queue->count = 0;
}

static void queue_append(struct queue *queue, struct change *change)
{
    list_append(&queue->changes, &change->home);
    queue->count++;
}

static struct change *queue_take(struct queue *queue)
{
    struct list *node = list_take(&queue->changes);
    queue->count -= node != NULL;
    return node ? list_owner(node, struct change, home) : NULL;
}

/* All of `from` comes behind what is in `to`. */
static void queue_move(struct queue *to, struct queue *from)
{
    struct change *change;
    while ((change = queue_take(from))) {
        queue_append(to, change);
    }
}

static void queue_free(struct queue *queue)
{
    struct change *change;
    while ((change = queue_take(queue))) {
        free(change);
    }
}

static void queue_detach(struct queue *queue, const void *arg)
{
    list_each (struct change, change, &queue->changes, home) {
        if (change->arg == arg) {
            change->done = NULL;
        }
    }
}

/* ---- the file -------------------------------------------------------------- */

/* Opens it; a damaged one is put aside, and *ret_anew says so. */
static int open_database(struct store *store, enum anew *ret_anew, struct why *why)
{
    const struct store_options *options = &store->options;
    int err = database_open(options->path, options->migrations, options->schema, &store->database,
                            why);
    if (err == -EUCLEAN) {
        err = database_put_aside(options->path);
        if (err == 0) {
            *ret_anew = ANEW_DAMAGED;
            err = database_open(options->path, options->migrations, options->schema,
                                &store->database, why);
        }
    }
    return err;
}

static int write_changes(struct database *database, const struct queue *queue)
{
    int err = database_begin(database);
    list_each (struct change, change, &queue->changes, home) {
        if (err == 0) {
            change->err = database_run(database, &change->statement, NULL, NULL);
            err = change->err == -EINVAL ? 0 : change->err; /* its own fault alone */
        }
    }
    err = err < 0 ? err : database_commit(database);
    if (err < 0) {
        database_rollback(database);
    }
    return err;
}

static void close_database(struct store *store)
{
    database_close(store->database);
    store->database = NULL;
}

/* One attempt for all that was queued. */
static int write_all(struct store *store, enum anew *ret_anew)
{
    if (store->database && database_has_gone(store->database)) {
        close_database(store);
        *ret_anew = ANEW_GONE;
    }
    int err = store->database ? 0 : open_database(store, ret_anew, NULL);
    err = err < 0 ? err : write_changes(store->database, &store->writing);
    if (err < 0 && err != -ENOSPC && err != -EBUSY) {
        close_database(store); /* opened anew, and looked through, the next time */
    }
    return err;
}

/* ---- the thread ------------------------------------------------------------ */

static void wake_loop(struct store *store)
{
    eventfd_write(store->news_fd, 1);
}

/* With the lock. What was not written goes back to the front. */
static void take_stock(struct store *store, int err)
{
    list_each (struct change, change, &store->writing.changes, home) {
        change->tried = true;
        change->err = err < 0 ? err : change->err;
    }
    if (err < 0) {
        queue_move(&store->writing, &store->waiting);
        queue_move(&store->waiting, &store->writing);
    } else {
        queue_move(&store->finished, &store->writing);
    }
    store->trouble = err;
    wake_loop(store);
}

static struct timespec time_in(uint64_t ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    at.tv_sec += (time_t)(ms / 1000) + at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    return at;
}

/* With the lock. True when it is that late; false when there may be something to do. */
static bool wait_until(struct store *store, const struct timespec *at)
{
    return pthread_cond_timedwait(&store->woken, &store->mutex, at) == ETIMEDOUT;
}

/* With the lock. Whatever comes meanwhile. */
static void rest(struct store *store, uint64_t ms)
{
    struct timespec at = time_in(ms);
    while (!store->stopping && !wait_until(store, &at)) {
    }
}

/* With the lock, which is let go meanwhile. */
static void tidy(struct store *store)
{
    pthread_mutex_unlock(&store->mutex);
    database_tidy(store->database);
    pthread_mutex_lock(&store->mutex);
}

/* With the lock. Until there is something to write, or no more will come. */
static void wait_for_work(struct store *store)
{
    while (!store->stopping && store->waiting.count == 0) {
        struct timespec at = time_in(IDLE_MS);
        if (!store->database || database_untidiness(store->database) == 0) {
            pthread_cond_wait(&store->woken, &store->mutex);
        } else if (wait_until(store, &at) && store->waiting.count == 0) {
            tidy(store);
        }
    }
}

/* With the lock, which is let go meanwhile. One attempt for all that waits. */
static int attempt(struct store *store)
{
    enum anew anew = ANEW_NOT;
    queue_move(&store->writing, &store->waiting);
    pthread_mutex_unlock(&store->mutex);
    int err = write_all(store, &anew);
    pthread_mutex_lock(&store->mutex);
    store->anew = anew ? anew : store->anew;
    take_stock(store, err);
    return err;
}

static void *thread_main(void *arg)
{
    struct store *store = arg;
    struct backoff backoff = {.first_ms = FIRST_WAIT_MS, .max_ms = MAX_WAIT_MS};
    pthread_mutex_lock(&store->mutex);
    for (;;) {
        wait_for_work(store);
        if (store->waiting.count == 0) {
            break;
        }
        int err = attempt(store);
        if (err < 0 && store->stopping) {
            break;
        }
        if (err < 0) {
            rest(store, backoff_next(&backoff));
            continue;
        }
        backoff_reset(&backoff);
        if (database_untidiness(store->database) > 1) {
            tidy(store);
        }
    }
    pthread_mutex_unlock(&store->mutex);
    return NULL;
}

/* ---- what the loop hears --------------------------------------------------- */

/* With the lock. The next one whose owner has not been told. */
static struct change *find_untold(struct queue *queue)
{
    list_each (struct change, change, &queue->changes, home) {
        if (change->tried && change->done) {
            return change;
        }
    }
    return NULL;
}

static void tell_owners(struct store *store)
{
    struct change *change;
    while ((change = find_untold(&store->finished)) || (change = find_untold(&store->waiting))) {
        store_done_fn done = change->done;
        void *arg = change->arg;
        int err = change->err;
        change->done = NULL;
        pthread_mutex_unlock(&store->mutex);
        done(arg, err); /* may write, and detach */
        pthread_mutex_lock(&store->mutex);
    }
    queue_free(&store->finished);
}

static void log_anew(const struct store_options *options, enum anew anew)
{
    if (anew == ANEW_DAMAGED) {
        log_error(options->log, "%s is damaged: it is kept as %s.damaged, and a new one is begun",
                  options->path, options->path);
    } else if (anew == ANEW_GONE) {
        log_error(options->log,
                  "%s was removed or replaced under the running agent: it is opened anew, and what "
                  "the old one held is forgotten at the next start",
                  options->path);
    }
}

static void log_state(struct store *store, int trouble, unsigned lost)
{
    const struct log *log = store->options.log;
    const char *path = store->options.path;
    if (trouble < 0 && store->said_trouble == 0) {
        log_error(log, "cannot write %s (%s): it is tried again, and a restart forgets what is new",
                  path, strerror(-trouble));
    } else if (trouble == 0 && store->said_trouble < 0) {
        log_info(log, "%s is written again", path);
        store->said_lost = false;
    }
    store->said_trouble = trouble;
    if (lost > 0 && !store->said_lost) {
        log_warn(log, "%s: too many changes wait to be written, the oldest are dropped", path);
        store->said_lost = true;
    }
}

static void on_news(void *arg, int events)
{
    struct store *store = arg;
    eventfd_t ignored;
    (void)events;
    eventfd_read(store->news_fd, &ignored);
    pthread_mutex_lock(&store->mutex);
    int trouble = store->trouble;
    unsigned lost = store->lost;
    enum anew anew = store->anew;
    store->lost = 0;
    store->anew = ANEW_NOT;
    tell_owners(store);
    pthread_mutex_unlock(&store->mutex);
    log_anew(&store->options, anew);
    log_state(store, trouble, lost);
}

/* ---- for the owners -------------------------------------------------------- */

int store_read(struct store *store, const struct statement *statement, row_fn fn, void *arg)
{
    return store && store->database ? database_run(store->database, statement, fn, arg) : 0;
}

static struct change *change_new(const struct statement *statement, store_done_fn done, void *arg)
{
    size_t len[STATEMENT_VALUES_MAX] = {0}, sum = 0;
    for (unsigned i = 0; i < STATEMENT_VALUES_MAX; i++) {
        len[i] = statement->values[i].kind == VALUE_TEXT ? strlen(statement->values[i].text) + 1
                                                         : 0;
        sum += len[i];
    }
    struct change *change = malloc(sizeof *change + sum);
    if (!change) {
        return NULL;
    }
    *change = (struct change){.statement = *statement, .done = done, .arg = arg};
    char *at = change->texts;
    for (unsigned i = 0; i < STATEMENT_VALUES_MAX; i++) {
        if (len[i] > 0) {
            change->statement.values[i].text = memcpy(at, statement->values[i].text, len[i]);
            at += len[i];
        }
    }
    return change;
}

/* With the lock. */
static void drop_oldest(struct store *store)
{
    struct change *oldest = queue_take(&store->waiting);
    oldest->tried = true;
    oldest->err = -ENOBUFS;
    queue_append(&store->finished, oldest);
    store->lost++;
    wake_loop(store);
}

int store_write(struct store *store, const struct statement *statement, store_done_fn done,
                void *arg)
{
    struct change *change = store ? change_new(statement, done, arg) : NULL;
    if (!change) {
        return store ? -ENOMEM : -ENODEV;
    }
    pthread_mutex_lock(&store->mutex);
    queue_append(&store->waiting, change);
    if (store->waiting.count > QUEUE_MAX) {
        drop_oldest(store);
    }
    if (store->trouble < 0) {
        /* The next attempt may be far, and the last one says what came of this one, too. */
        change->tried = true;
        change->err = store->trouble;
        wake_loop(store);
    }
    pthread_cond_signal(&store->woken);
    pthread_mutex_unlock(&store->mutex);
    return 0;
}

void store_detach(struct store *store, const void *arg)
{
    if (store) {
        pthread_mutex_lock(&store->mutex);
        queue_detach(&store->waiting, arg);
        queue_detach(&store->writing, arg);
        queue_detach(&store->finished, arg);
        pthread_mutex_unlock(&store->mutex);
    }
}

/* ---- life ------------------------------------------------------------------ */

static int store_new(const struct store_options *options, struct store **ret_store)
{
    struct store *store = calloc(1, sizeof *store);
    if (!store) {
        return -ENOMEM;
    }
    pthread_condattr_t attributes;
    store->options = *options;
    store->options.path = store->path = strdup(options->path);
    queue_init(&store->waiting);
    queue_init(&store->writing);
    queue_init(&store->finished);
    pthread_mutex_init(&store->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&store->woken, &attributes);
    pthread_condattr_destroy(&attributes);
    store->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!store->path || store->news_fd < 0) {
        store_free(store);
        return -ENOMEM;
    }
    *ret_store = store;
    return 0;
}

int store_open(const struct store_options *options, struct store **ret_store, struct why *why)
{
    struct store *store;
    enum anew anew = ANEW_NOT;
    int err = store_new(options, &store);
    if (err < 0) {
        return why_set(why, err, "out of memory");
    }
    err = open_database(store, &anew, why);
    log_anew(options, anew);
    if (err == -EPROTONOSUPPORT) {
        store_free(store);
        return err;
    }
    if (err < 0) {
        log_error(options->log,
                  "cannot open %s (%s): going on without what was kept in it; it is tried again",
                  options->path, strerror(-err));
        store->trouble = store->said_trouble = err;
    }
    *ret_store = store;
    return 0;
}

int store_start(struct store *store, uv_loop_t *loop)
{
    store->news = watch_start(loop, store->news_fd, WATCH_READ, on_news, store);
    if (!store->news) {
        return -ENOMEM;
    }
    int err = thread_start(&store->thread, 0, thread_main, store);
    store->started = err == 0;
    return err;
}

void store_stop(struct store *store)
{
    if (store) {
        watch_free(store->news);
        store->news = NULL;
    }
}

void store_free(struct store *store)
{
    if (!store) {
        return;
    }
    pthread_mutex_lock(&store->mutex);
    store->stopping = true;
    pthread_cond_signal(&store->woken);
    pthread_mutex_unlock(&store->mutex);
    if (store->started) {
        pthread_join(store->thread, NULL);
    } else if (store->waiting.count > 0) {
        enum anew anew;
        queue_move(&store->writing, &store->waiting);
        write_all(store, &anew);
    }
    database_close(store->database);
    queue_free(&store->waiting);
    queue_free(&store->writing);
    queue_free(&store->finished);
    pthread_cond_destroy(&store->woken);
    pthread_mutex_destroy(&store->mutex);
    if (store->news_fd >= 0) {
        close(store->news_fd);
    }
    free(store->path);
    free(store);
}
