/*
 * The loop's side: what owners hand in goes to the writer, and what comes of it is told to them,
 * and to the log, when the writer has news. Everything here is the loop's alone; the lock,
 * and what it guards, is the writer's.
 */
#include "vps/store/store.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/timer.h"
#include "base/watch.h"
#include "vps/store/backup.h"
#include "vps/store/change_queue.h"
#include "vps/store/reader.h"
#include "vps/store/reserve.h"
#include "vps/store/writer.h"

/* Of what is chained and nobody waits for: more may come meanwhile. */
enum { LINGER_MS = 50 };

/* When what was handed in since the last time is given to the disk. */
enum due { DUE_NOT, DUE_SOON, DUE_NOW };

struct store {
    struct store_options options;
    char *path, *reserve; /* the options' */
    struct writer *writer;
    struct reader *reader;
    /* NULL: not on the loop (any more). */
    struct watch *news;    /* of the writer's */
    struct watch *answers; /* of the reader's */
    struct timer *timer;   /* of what is due */
    enum due due;
    /* What the log was told. */
    int said_trouble;
    bool said_full, said_lost;
    int told; /* who listens, of what store_can_write() says */
    store_changed_fn changed;
    void *changed_arg;
    bool has_forgotten; /* what was in the file at the start */
    store_anew_fn anew;
    void *anew_arg;
};

/* ---- what the loop hears --------------------------------------------------- */

static void log_anew(const struct store_options *options, enum anew anew)
{
    if (anew == ANEW_DAMAGED) {
        log_error(
            options->log,
            "%s is damaged: it is kept as %s.damaged (or .damaged.2 and so on, where there was one "
            "already), and a new one is started",
            options->path, options->path);
    } else if (anew == ANEW_GONE) {
        log_error(options->log,
                  "%s was removed or replaced under the running agent: it is opened anew, and what "
                  "the old one held is forgotten at the next start",
                  options->path);
    } else if (anew == ANEW_ALTERED) {
        log_error(options->log,
                  "the audit in %s does not end as vps-agent left it: somebody else has written to "
                  "it; pamctl audit verify says what is still whole",
                  options->path);
    }
}

static void log_state(struct store *store, const struct writer_news *news)
{
    const struct log *log = store->options.log;
    const char *path = store->options.path;
    if (news->trouble < 0 && store->said_trouble == 0) {
        log_error(
            log,
            "cannot write %s (%s): trying again; a restart before that works forgets what is new",
            path, strerror(-news->trouble));
    } else if (news->trouble == 0 && news->full && !store->said_full) {
        log_error(
            log,
            "the disk of %s is full: what happens is recorded in the %u KiB that were kept for "
            "that; make room, and it goes on as before by itself",
            path, RESERVE_SIZE / 1024);
    } else if (news->trouble == 0 && !news->full && (store->said_trouble < 0 || store->said_full)) {
        log_info(log, "%s can be written again", path);
        store->said_lost = false;
    }
    store->said_trouble = news->trouble;
    store->said_full = news->full;
    if (news->lost > 0 && !store->said_lost) {
        log_warn(log, "%s: too many changes wait to be written, the oldest are dropped", path);
        store->said_lost = true;
    }
}

static void tell_changed(struct store *store)
{
    int err = store_can_write(store);
    if (err != store->told) {
        store->told = err;
        if (store->changed) {
            store->changed(store->changed_arg, err);
        }
    }
}

static void on_news(void *arg, int events)
{
    struct store *store = arg;
    (void)events;
    struct writer_news news = writer_tell(store->writer);
    log_anew(&store->options, news.anew);
    if (store->anew && (news.anew == ANEW_DAMAGED || news.anew == ANEW_GONE)) {
        store->anew(store->anew_arg);
    }
    log_state(store, &news);
    tell_changed(store);
}

static void on_answers(void *arg, int events)
{
    struct store *store = arg;
    (void)events;
    reader_tell(store->reader);
}

/* ---- when it is written ---------------------------------------------------- */

static void on_due(void *arg)
{
    struct store *store = arg;
    store->due = DUE_NOT;
    writer_hurry(store->writer);
}

/*
 * At the end of this turn of the loop at the soonest: a sync of the disk, and waking the thread up,
 * cost more than all else about a change, and what one turn brings shares them.
 */
static void expect(struct store *store, enum due due)
{
    if (store->timer && due > store->due) {
        store->due = due;
        timer_set(store->timer, due == DUE_NOW ? 0 : LINGER_MS);
    }
}

/* ---- for the owners -------------------------------------------------------- */

bool store_has_forgotten(const struct store *store)
{
    return store && store->has_forgotten;
}

void store_on_anew(struct store *store, store_anew_fn fn, void *arg)
{
    if (store) {
        store->anew = fn;
        store->anew_arg = arg;
    }
}

int store_read(struct store *store, const struct statement *statement, row_fn fn, void *arg)
{
    return store ? writer_read(store->writer, statement, fn, arg) : 0;
}

static int add(struct store *store, enum change_kind kind, const struct statement *statement,
               statement_done_fn done, void *arg)
{
    struct change *change = store ? change_new(kind, statement, done, arg) : NULL;
    if (!change) {
        return store ? -ENOMEM : -ENODEV;
    }
    int err = writer_add(store->writer, change);
    if (err < 0) {
        change_free(change);
    } else {
        expect(store, kind == CHANGE_PLAIN ? DUE_NOW : DUE_SOON);
    }
    return err;
}

int store_write(struct store *store, const struct statement *statement, statement_done_fn done,
                void *arg)
{
    return add(store, CHANGE_PLAIN, statement, done, arg);
}

int store_append(struct store *store, const struct chain_row *row, statement_done_fn done,
                 void *arg)
{
    struct statement statement = chain_statement(row);
    return row->body && strlen(row->body) > CHAIN_BODY_MAX
               ? -EMSGSIZE
               : add(store, CHANGE_ROW, &statement, done, arg);
}

int store_prune(struct store *store, int64_t before_ms, statement_done_fn done, void *arg)
{
    const struct statement cut = {NULL, {value_number(before_ms)}};
    return add(store, CHANGE_CUT, &cut, done, arg);
}

/* Takes the task, or NULL: no memory for it. */
static int read_beside(struct store *store, struct task *task)
{
    int err = task ? reader_add(store->reader, task) : -ENOMEM;
    if (task && err < 0) {
        task->free(task);
    }
    return err;
}

int store_ask(struct store *store, const struct query *query, void *arg)
{
    return store ? read_beside(store, query_task(query, arg)) : -ENODEV;
}

int store_verify(struct store *store, const struct chain_anchor *anchor, verify_done_fn done,
                 void *arg)
{
    static const struct chain_anchor NONE;
    return store ? read_beside(store, verify_task(anchor ? anchor : &NONE, done, arg)) : -ENODEV;
}

int store_backup(struct store *store, const char *path, statement_done_fn done, void *arg)
{
    return store ? read_beside(store, backup_task(path, done, arg)) : -ENODEV;
}

void store_hurry(struct store *store)
{
    if (store && store->due == DUE_SOON) {
        expect(store, DUE_NOW);
    }
}

struct chain_head store_head(struct store *store)
{
    return store ? writer_head(store->writer) : (struct chain_head){0};
}

struct store_view store_view(struct store *store)
{
    if (!store) {
        return (struct store_view){0};
    }
    const struct writer_view view = writer_view(store->writer);
    return (struct store_view){.changes = view.plain,
                               .records = view.chained,
                               .delay_us = view.delay_us,
                               .trouble = view.trouble};
}

int store_can_write(struct store *store)
{
    return store ? store_view(store).trouble : -ENODEV;
}

void store_on_change(struct store *store, store_changed_fn fn, void *arg)
{
    if (store) {
        store->changed = fn;
        store->changed_arg = arg;
    }
}

void store_detach(struct store *store, const void *arg)
{
    if (store) {
        writer_detach(store->writer, arg);
        reader_detach(store->reader, arg);
    }
}

/* ---- life ------------------------------------------------------------------ */

static struct store *store_new(const struct store_options *options)
{
    struct store *store = calloc(1, sizeof *store);
    if (!store) {
        return NULL;
    }
    store->options = *options;
    store->options.path = store->path = strdup(options->path);
    store->options.reserve = store->reserve = options->reserve ? strdup(options->reserve) : NULL;
    const struct file file = {.path = store->path,
                              .migrations = options->migrations,
                              .schema = options->schema,
                              .reserve = store->reserve};
    bool copied = store->path && !store->reserve == !options->reserve;
    store->writer = copied ? writer_new(&file) : NULL;
    store->reader = store->writer ? reader_new(store->path) : NULL;
    if (!store->reader) {
        store_free(store);
        return NULL;
    }
    return store;
}

/* Whatever is there and is no empty file: a folder in its place, too. */
static bool has_something(const char *path)
{
    struct stat file;
    return lstat(path, &file) == 0 ? !S_ISREG(file.st_mode) || file.st_size > 0 : errno != ENOENT;
}

int store_open(const struct store_options *options, struct store **ret_store, struct why *why)
{
    enum anew anew = ANEW_NOT;
    bool had_something = has_something(options->path);
    struct store *store = store_new(options);
    if (!store) {
        return why_set(why, -ENOMEM, "out of memory");
    }
    int err = writer_open(store->writer, &anew, why);
    log_anew(options, anew);
    store->has_forgotten = anew == ANEW_DAMAGED || (err < 0 && had_something);
    if (err == -EPROTONOSUPPORT) {
        store_free(store);
        return err;
    }
    if (err < 0) {
        log_error(options->log,
                  "cannot open %s (%s): going on without what was kept in it, and trying again",
                  options->path, strerror(-err));
        store->said_trouble = err;
    }
    store->told = store_can_write(store);
    log_state(store, &(struct writer_news){.trouble = err, .full = err == 0 && store->told < 0});
    *ret_store = store;
    return 0;
}

int store_start(struct store *store, uv_loop_t *loop)
{
    store->news = watch_start(loop, writer_news_fd(store->writer), WATCH_READ, on_news, store);
    store->answers = watch_start(loop, reader_news_fd(store->reader), WATCH_READ, on_answers,
                                 store);
    store->timer = timer_new(loop, on_due, store);
    if (!store->news || !store->answers || !store->timer) {
        return -ENOMEM;
    }
    writer_hurry(store->writer); /* what was handed in before */
    return writer_start(store->writer);
}

void store_stop(struct store *store)
{
    if (store) {
        watch_free(store->news);
        watch_free(store->answers);
        timer_free(store->timer);
        store->news = store->answers = NULL;
        store->timer = NULL;
    }
}

void store_free(struct store *store)
{
    if (!store) {
        return;
    }
    reader_free(store->reader); /* first: the writer tidies up when nobody reads */
    writer_free(store->writer);
    free(store->reserve);
    free(store->path);
    free(store);
}
