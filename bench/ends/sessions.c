/*
 * sessions WAY COUNT AT-ONCE SECONDS [hold|reconnect]: opens COUNT connections, whole sessions where
 * the way asks for them, AT-ONCE of them at a time and for at most SECONDS. Each waits for the first
 * byte from the target and is closed, or held until stdin ends. With reconnect, AT-ONCE RDP sessions
 * are opened before, and all connections go to these.
 * On stdout: ready; after a line on stdin and the run, one JSON object.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "way.h"

enum { AT_ONCE_MAX = 32, FAILURES_MAX = 20 };

struct run {
    struct way way;
    unsigned count;
    bool hold, reconnect;
    int64_t deadline;
    int64_t *took;     /* by session until the first byte; 0: not opened */
    int64_t *answered; /* until the answer to the command */
    pthread_mutex_t lock;
    char why[LINE_MAX_SIZE];
    atomic_uint next, failed, opened;
};

static void note_failure(struct run *run, const char *why)
{
    run->failed++;
    pthread_mutex_lock(&run->lock);
    if (!run->why[0]) {
        snprintf(run->why, sizeof run->why, "%s", why);
    }
    pthread_mutex_unlock(&run->lock);
}

/* One of those that run at once. */
struct worker {
    pthread_t thread;
    struct run *run;
    int asker;
    struct way_back back;
};

static void one(const struct worker *worker, unsigned number)
{
    struct run *run = worker->run;
    char why[LINE_MAX_SIZE] = "";
    char byte;
    int64_t start = now_ns();
    int fd = -1;
    if (run->reconnect) {
        fd = way_reenter(&worker->back, why);
    } else {
        uint16_t port = way_open(&run->way, worker->asker, why);
        run->answered[number] = now_ns() - start;
        fd = port ? way_connect(&run->way, port, "once", why) : -1;
    }
    if (fd < 0 || recv_all(fd, &byte, 1) < 0) {
        note_failure(run, why[0] ? why : "no byte came through");
        if (fd >= 0) {
            close(fd);
        }
        return;
    }
    run->took[number] = now_ns() - start;
    run->opened++;
    if (!run->hold) {
        close(fd);
    }
}

static void *work(void *arg)
{
    const struct worker *worker = arg;
    struct run *run = worker->run;
    while (run->failed < FAILURES_MAX && now_ns() < run->deadline) {
        unsigned number = run->next++;
        if (number >= run->count) {
            break;
        }
        one(worker, number);
    }
    return NULL;
}

static void prepare(struct run *run, struct worker *worker)
{
    char why[LINE_MAX_SIZE];
    worker->run = run;
    worker->asker = way_ask(&run->way);
    if (run->reconnect && way_open_rdp(&run->way, worker->asker, &worker->back, why) < 0) {
        fprintf(stderr, "%s\n", why);
        exit(1);
    }
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* For JSON: without what would need escaping. */
static void tame(char *text)
{
    for (; *text; text++) {
        if (*text == '"' || *text == '\\' || (unsigned char)*text < ' ') {
            *text = '\'';
        }
    }
}

/* The time that a part of those that are there did not exceed, in microseconds. Sorts them. */
static double percentile(int64_t *times, unsigned count, double part)
{
    unsigned there = 0;
    for (unsigned i = 0; i < count; i++) {
        if (times[i] > 0) {
            times[there++] = times[i];
        }
    }
    qsort(times, there, sizeof *times, compare);
    memset(times + there, 0, (count - there) * sizeof *times);
    return there ? (double)times[(unsigned)(there * part)] / 1e3 : 0;
}

static void report(struct run *run, int64_t took)
{
    tame(run->why);
    printf("{\"opened\": %u, \"failed\": %u, \"seconds\": %.6f, \"p50_us\": %.1f, "
           "\"p99_us\": %.1f, \"answer_p50_us\": %.1f, \"why\": \"%s\"}\n",
           (unsigned)run->opened, (unsigned)run->failed, (double)took / 1e9,
           percentile(run->took, run->count, 0.5), percentile(run->took, run->count, 0.99),
           percentile(run->answered, run->count, 0.5), run->why);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: sessions WAY COUNT AT-ONCE SECONDS [hold|reconnect]\n");
        return 2;
    }
    static struct run run = {.lock = PTHREAD_MUTEX_INITIALIZER};
    static struct worker workers[AT_ONCE_MAX];
    int at_once = atoi(argv[3]);
    run.way = way_parse(argv[1]);
    run.count = (unsigned)atoi(argv[2]);
    run.hold = argc > 5 && strcmp(argv[5], "hold") == 0;
    run.reconnect = argc > 5 && strcmp(argv[5], "reconnect") == 0;
    run.took = calloc(run.count, sizeof *run.took);
    run.answered = calloc(run.count, sizeof *run.answered);
    if (!run.took || !run.answered || at_once < 1 || at_once > AT_ONCE_MAX) {
        die("sessions");
    }
    for (int i = 0; i < at_once; i++) {
        prepare(&run, &workers[i]);
    }
    tell_ready_and_wait();
    int64_t start = now_ns();
    run.deadline = start + (int64_t)(atof(argv[4]) * 1e9);
    for (int i = 0; i < at_once; i++) {
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) {
            die("thread");
        }
    }
    for (int i = 0; i < at_once; i++) {
        pthread_join(workers[i].thread, NULL);
        if (workers[i].asker >= 0) {
            close(workers[i].asker); /* it is not one of the sessions */
        }
    }
    report(&run, now_ns() - start);
    while (run.hold && getchar() != EOF) {
    }
    return 0;
}
