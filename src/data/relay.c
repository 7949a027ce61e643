#include "data/relay.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "data/link_core.h"
#include "data/worker.h"

/*
 * Measured: messages of 32 KiB are cheaper to copy, those of 64 KiB are cheaper to
 * splice; a full-size segment of loopback or of a GRO device is a little shorter.
 */
enum { BULK_STEP = 48 * 1024 };

_Static_assert((int)LINK_HEAD_MAX == (int)HEAD_MAX, "heads");

struct relay {
    pthread_mutex_t mutex;
    struct list ended; /* by link->home; guarded by the mutex */
    int events_fd;     /* an eventfd, readable as long as `ended` is not empty */
    bool keeps_heads;
    unsigned worker_count;
    struct worker *workers[];
};

/* In a worker's thread. */
static void relay_on_ended(void *arg, struct link *link)
{
    struct relay *relay = arg;
    pthread_mutex_lock(&relay->mutex);
    if (list_is_empty(&relay->ended)) {
        eventfd_write(relay->events_fd, 1);
    }
    list_append(&relay->ended, &link->home);
    pthread_mutex_unlock(&relay->mutex);
}

struct link *relay_take_ended(struct relay *relay)
{
    pthread_mutex_lock(&relay->mutex);
    struct list *node = list_take(&relay->ended);
    if (node && list_is_empty(&relay->ended)) {
        eventfd_t ignored;
        eventfd_read(relay->events_fd, &ignored);
    }
    pthread_mutex_unlock(&relay->mutex);
    return node ? list_owner(node, struct link, home) : NULL;
}

int relay_new(unsigned workers, struct relay **ret_relay)
{
    struct pipe_limits limits = pipe_limits_for(workers > 0 ? workers : 1);
    struct relay_tuning tuning = {
        .bulk_step = BULK_STEP,
        .pipe_size = limits.size,
        .pipes = limits.most,
    };
    return relay_new_tuned(workers, &tuning, ret_relay);
}

int relay_new_tuned(unsigned workers, const struct relay_tuning *tuning, struct relay **ret_relay)
{
    if (workers == 0) {
        return -EINVAL;
    }
    struct relay *relay = calloc(1, sizeof *relay + workers * sizeof relay->workers[0]);
    if (!relay) {
        return -ENOMEM;
    }
    pthread_mutex_init(&relay->mutex, NULL);
    list_init(&relay->ended);
    relay->events_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int err = relay->events_fd < 0 ? -errno : 0;
    while (err == 0 && relay->worker_count < workers) {
        err = worker_new(tuning, relay_on_ended, relay, &relay->workers[relay->worker_count]);
        relay->worker_count += err == 0;
    }
    if (err < 0) {
        relay_free(relay);
        return err;
    }
    *ret_relay = relay;
    return 0;
}

void relay_stop(struct relay *relay)
{
    while (relay->worker_count > 0) {
        worker_free(relay->workers[--relay->worker_count]);
    }
}

void relay_free(struct relay *relay)
{
    if (!relay) {
        return;
    }
    relay_stop(relay);
    struct link *link;
    while ((link = relay_take_ended(relay))) {
        link_free(link);
    }
    if (relay->events_fd >= 0) {
        close(relay->events_fd);
    }
    pthread_mutex_destroy(&relay->mutex);
    free(relay);
}

static struct worker *relay_least_loaded(const struct relay *relay)
{
    struct worker *best = relay->workers[0];
    for (unsigned i = 1; i < relay->worker_count; i++) {
        if (worker_load(relay->workers[i]) < worker_load(best)) {
            best = relay->workers[i];
        }
    }
    return best;
}

void relay_keep_heads(struct relay *relay)
{
    relay->keeps_heads = true;
}

int relay_join(struct relay *relay, int a, int b, const void *prefix, size_t prefix_len, void *arg,
               struct link **ret_link)
{
    if (prefix_len > RELAY_PREFIX_MAX) {
        return -EINVAL;
    }
    struct link *link;
    int err = link_new(a, b, prefix, prefix_len, arg, &link);
    if (err < 0) {
        return err;
    }
    if (relay->keeps_heads) {
        link_keep_head(link);
    }
    *ret_link = link;
    worker_join(relay_least_loaded(relay), link);
    return 0;
}

int relay_events_fd(const struct relay *relay)
{
    return relay->events_fd;
}

bool relay_is_alive(struct relay *relay)
{
    bool alive = true;
    for (unsigned i = 0; i < relay->worker_count; i++) {
        alive &= worker_is_alive(relay->workers[i]);
    }
    return alive;
}

unsigned relay_running(const struct relay *relay)
{
    unsigned running = 0;
    for (unsigned i = 0; i < relay->worker_count; i++) {
        running += worker_load(relay->workers[i]);
    }
    return running;
}

void link_cut(struct link *link)
{
    worker_cut(link->worker, link);
}
