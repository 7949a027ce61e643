/*
 * One round of the thread: take events, run one bulk link from the queue, report what has ended.
 *
 *     inbox --adopt--> links (waiting for events, or in the queue) --over--> ended --report--> gone
 *
 * Interactive links run as soon as their event is taken. Bulk links wait for the queue, one turn
 * per round, with epoll asked in between: that bounds what a key press waits behind bulk by one
 * turn, however many links carry bulk.
 *
 * A link that is over stays in memory until the end of the round, since events of the same
 * epoll_wait() may point at its sides. After that only the callee has it; `reported`, under the
 * mutex, is what keeps worker_cut() from touching it then.
 *
 * The mutex guards the inbox and each link's inbox fields, and is never held across a callback
 * or a system call that can block.
 */
#include "data/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "data/link_core.h"

enum {
    /* A full-size segment of loopback or of a GSO device; more gains little and costs cache. */
    BUFFER_SIZE = 64 * 1024,
    EVENTS_PER_WAIT = 64,
    /* Between two looks at all links. */
    SWEEP_S = 20,
};

struct worker {
    worker_ended_fn fn;
    void *arg;
    pthread_t thread;
    bool started;
    int epoll_fd;
    int wake_fd;  /* an eventfd: the inbox has something */
    int sweep_fd; /* a timerfd: a timeout of epoll_wait() would cost each round trip 3 % */
    atomic_uint load;
    atomic_uint asked; /* for a sign of life, so often */
    atomic_uint answered;
    atomic_bool stopping;

    pthread_mutex_t mutex;
    struct list inbox; /* links to adopt or to cut: by link->command */

    /* The thread's own. */
    struct list links; /* all that run: by link->home */
    struct list ended; /* over, and not yet reported: by link->home */
    struct list queue; /* bulk, and others whose turn ended before their bytes: by link->turn */
    struct flow_kit kit;
    uint8_t buffer[BUFFER_SIZE];
};

static void worker_retire(struct worker *worker, struct link *link)
{
    list_remove(&link->turn);
    list_remove(&link->home);
    list_append(&worker->ended, &link->home);
}

static void worker_end(struct worker *worker, struct link *link, enum link_end end, int error)
{
    link_close(link, end, error);
    worker_retire(worker, link);
}

static void worker_run(struct worker *worker, struct link *link)
{
    bool more = link_run(link, &worker->kit);
    if (link->over) {
        worker_retire(worker, link);
    } else if (more) {
        list_append(&worker->queue, &link->turn);
    }
}

/*
 * One turn of bulk. Then epoll is asked again, which costs little beside it, since
 * an interactive link may have become ready that goes first.
 */
static void worker_run_queue(struct worker *worker)
{
    struct list *node = list_take(&worker->queue);
    if (node) {
        worker_run(worker, list_owner(node, struct link, turn));
    }
}

static int worker_register(struct worker *worker, struct side *side)
{
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET,
        .data.ptr = side,
    };
    /* Urgent data stays in its place in the stream; otherwise a byte would be lost. */
    int on = 1;
    setsockopt(side->fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
    return epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, side->fd, &event) < 0 ? -errno : 0;
}

static void worker_adopt(struct worker *worker, struct link *link)
{
    list_append(&worker->links, &link->home);
    for (unsigned i = 0; i < 2; i++) {
        int err = worker_register(worker, &link->side[i]);
        if (err < 0) {
            worker_end(worker, link, LINK_FAILED, -err);
            return;
        }
    }
}

static struct link *worker_next_command(struct worker *worker, bool *ret_adopt, bool *ret_cut)
{
    pthread_mutex_lock(&worker->mutex);
    struct list *node = list_take(&worker->inbox);
    struct link *link = node ? list_owner(node, struct link, command) : NULL;
    if (link) {
        *ret_adopt = !link->adopted;
        *ret_cut = link->wants_cut;
        link->adopted = true;
    }
    pthread_mutex_unlock(&worker->mutex);
    return link;
}

static void worker_read_inbox(struct worker *worker)
{
    eventfd_t ignored;
    eventfd_read(worker->wake_fd, &ignored);
    atomic_store(&worker->answered, atomic_load(&worker->asked));
    struct link *link;
    bool adopt, cut;
    while ((link = worker_next_command(worker, &adopt, &cut))) {
        if (adopt) {
            worker_adopt(worker, link);
        }
        if (cut && !link->over) {
            worker_end(worker, link, LINK_CUT, 0);
        }
    }
}

static void worker_sweep(struct worker *worker)
{
    uint64_t now = clock_ms();
    uint64_t expirations;
    if (read(worker->sweep_fd, &expirations, sizeof expirations) < 0) {
        return; /* it has not expired after all */
    }
    list_each (struct link, link, &worker->links, home) {
        link_check(link, now);
        if (link->over) {
            worker_retire(worker, link);
        }
    }
}

static void worker_take_event(struct worker *worker, const struct epoll_event *event)
{
    if (event->data.ptr == &worker->wake_fd) {
        worker_read_inbox(worker);
        return;
    }
    if (event->data.ptr == &worker->sweep_fd) {
        worker_sweep(worker);
        return;
    }
    struct side *side = event->data.ptr;
    struct link *link = side->link;
    if (link->over) {
        return; /* by an earlier event of the same wait */
    }
    link_note_events(side, event->events);
    if (!list_is_empty(&link->turn)) {
        return; /* its turn will come */
    }
    if (link_is_bulk(link)) {
        list_append(&worker->queue, &link->turn);
    } else {
        worker_run(worker, link);
    }
}

/*
 * Hands the ended links out. Not sooner than here, at the end of a round: events
 * that were fetched before may still point at them.
 */
static void worker_report(struct worker *worker)
{
    struct list *node;
    while ((node = list_take(&worker->ended))) {
        struct link *link = list_owner(node, struct link, home);
        pthread_mutex_lock(&worker->mutex);
        list_remove(&link->command);
        link->reported = true;
        pthread_mutex_unlock(&worker->mutex);
        atomic_fetch_sub_explicit(&worker->load, 1, memory_order_relaxed);
        worker->fn(worker->arg, link);
    }
}

static int worker_patience(const struct worker *worker)
{
    return list_is_empty(&worker->queue) ? -1 : 0;
}

static void worker_cut_all(struct worker *worker)
{
    worker_read_inbox(worker);
    while (!list_is_empty(&worker->links)) {
        worker_end(worker, list_owner(worker->links.next, struct link, home), LINK_CUT, 0);
    }
    worker_report(worker);
}

static void *worker_main(void *arg)
{
    struct worker *worker = arg;
    while (!atomic_load(&worker->stopping)) {
        struct epoll_event events[EVENTS_PER_WAIT];
        int count = epoll_wait(worker->epoll_fd, events, EVENTS_PER_WAIT, worker_patience(worker));
        for (int i = 0; i < count; i++) {
            worker_take_event(worker, &events[i]);
        }
        worker_run_queue(worker);
        worker_report(worker);
    }
    worker_cut_all(worker);
    return NULL;
}

static int worker_start(struct worker *worker)
{
    int err = thread_start(&worker->thread, 0, worker_main, worker);
    worker->started = err == 0;
    return err;
}

/* A descriptor of the worker's own, just opened; its events are told by its place. */
static int worker_hear(struct worker *worker, int fd, void *place)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = place};
    return fd < 0 || epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int worker_open(struct worker *worker)
{
    const struct itimerspec period = {{.tv_sec = SWEEP_S}, {.tv_sec = SWEEP_S}};
    worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    worker->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int err = worker_hear(worker, worker->wake_fd, &worker->wake_fd);
    if (err < 0) {
        return err;
    }
    worker->sweep_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    err = worker_hear(worker, worker->sweep_fd, &worker->sweep_fd);
    if (err < 0 || timerfd_settime(worker->sweep_fd, 0, &period, NULL) < 0) {
        return err < 0 ? err : -errno;
    }
    return worker_start(worker);
}

static void worker_equip(struct worker *worker, const struct relay_tuning *tuning)
{
    struct pipe_limits limits = {.size = tuning->pipe_size, .most = tuning->pipes};
    worker->kit.bulk_step = tuning->bulk_step;
    worker->kit.buffer = worker->buffer;
    worker->kit.size = sizeof worker->buffer;
    pipe_pool_init(&worker->kit.pipes, &limits);
}

int worker_new(const struct relay_tuning *tuning, worker_ended_fn fn, void *arg,
               struct worker **ret_worker)
{
    struct worker *worker = calloc(1, sizeof *worker);
    if (!worker) {
        return -ENOMEM;
    }
    worker->fn = fn;
    worker->arg = arg;
    worker->epoll_fd = worker->wake_fd = worker->sweep_fd = -1;
    worker_equip(worker, tuning);
    pthread_mutex_init(&worker->mutex, NULL);
    list_init(&worker->inbox);
    list_init(&worker->links);
    list_init(&worker->ended);
    list_init(&worker->queue);
    int err = worker_open(worker);
    if (err < 0) {
        worker_free(worker);
        return err;
    }
    *ret_worker = worker;
    return 0;
}

void worker_free(struct worker *worker)
{
    if (!worker) {
        return;
    }
    if (worker->started) {
        atomic_store(&worker->stopping, true);
        eventfd_write(worker->wake_fd, 1);
        pthread_join(worker->thread, NULL);
    }
    pipe_pool_done(&worker->kit.pipes);
    const int own[] = {worker->sweep_fd, worker->wake_fd, worker->epoll_fd};
    for (unsigned i = 0; i < 3; i++) {
        if (own[i] >= 0) {
            close(own[i]);
        }
    }
    pthread_mutex_destroy(&worker->mutex);
    free(worker);
}

void worker_join(struct worker *worker, struct link *link)
{
    link->worker = worker;
    atomic_fetch_add_explicit(&worker->load, 1, memory_order_relaxed);
    pthread_mutex_lock(&worker->mutex);
    list_append(&worker->inbox, &link->command);
    pthread_mutex_unlock(&worker->mutex);
    eventfd_write(worker->wake_fd, 1);
}

void worker_cut(struct worker *worker, struct link *link)
{
    pthread_mutex_lock(&worker->mutex);
    bool running = !link->reported;
    if (running) {
        link->wants_cut = true;
        list_remove(&link->command); /* it may be in the inbox already */
        list_append(&worker->inbox, &link->command);
    }
    pthread_mutex_unlock(&worker->mutex);
    if (running) {
        eventfd_write(worker->wake_fd, 1);
    }
}

bool worker_is_alive(struct worker *worker)
{
    bool alive = atomic_load(&worker->answered) == atomic_load(&worker->asked);
    if (alive) {
        atomic_fetch_add(&worker->asked, 1);
        eventfd_write(worker->wake_fd, 1);
    }
    return alive;
}

unsigned worker_load(const struct worker *worker)
{
    return atomic_load_explicit(&worker->load, memory_order_relaxed);
}
