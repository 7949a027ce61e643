/*
 * age WAY AGES-FILE down|up WARM-UP-S SECONDS [PAUSE-AT-S PAUSE-S]: how old bytes are when they
 * arrive, behind a sender that never pauses. With a pause, which there is only down, the client
 * reads nothing for that long. On stdout: ready; after a line on stdin and the run, one JSON object
 * with the ages in ms after warming up, and all of it as a series of [second, age, Mbit/s].
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "stamps.h"
#include "way.h"

#define STEP_NS 200000000LL

struct run {
    int fd;
    bool up;
    struct ages *ages;
    int64_t started, warm, end;
    struct pause pause;
};

static void *move(void *arg)
{
    struct run *run = arg;
    if (run->up) {
        stamps_send(run->fd, run->end);
    } else {
        stamps_receive(run->fd, run->ages, &run->pause);
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The age that a part of the samples from..to does not exceed, in ms. */
static double percentile(const struct ages *ages, uint32_t from, uint32_t to, double part)
{
    static int64_t sorted[AGES_MAX];
    uint32_t count = to - from;
    if (count == 0) {
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        sorted[i] = ages->of[from + i].age;
    }
    qsort(sorted, count, sizeof *sorted, compare);
    uint32_t index = (uint32_t)(part * count);
    return (double)sorted[index < count ? index : count - 1] / 1e6;
}

static double mbps(const struct ages *ages, uint32_t from, uint32_t to)
{
    if (to - from < 2) {
        return 0;
    }
    const struct age *a = &ages->of[from];
    const struct age *b = &ages->of[to - 1];
    return (double)(b->bytes - a->bytes) * 8e3 / (double)(b->at - a->at);
}

/* The first sample at that time or later. */
static uint32_t find(const struct ages *ages, uint32_t count, int64_t at)
{
    uint32_t i = 0;
    while (i < count && ages->of[i].at < at) {
        i++;
    }
    return i;
}

static void report_series(const struct run *run, uint32_t count)
{
    const char *comma = "";
    uint64_t before = 0;
    for (int64_t at = run->started; at < run->end; at += STEP_NS) {
        uint32_t from = find(run->ages, count, at);
        uint32_t to = find(run->ages, count, at + STEP_NS);
        if (from < to) {
            uint64_t bytes = run->ages->of[to - 1].bytes;
            printf("%s[%.1f, %.1f, %.2f]", comma, (double)(at - run->started) / 1e9,
                   percentile(run->ages, from, to, 0.5), (double)(bytes - before) * 8e3 / STEP_NS);
            before = bytes;
            comma = ", ";
        }
    }
}

static void report(const struct run *run)
{
    uint32_t count = run->ages->count;
    uint32_t warm = find(run->ages, count, run->warm);
    printf("{\"samples\": %u, \"p50_ms\": %.2f, \"p99_ms\": %.2f, \"last_ms\": %.2f, "
           "\"mbps\": %.2f, \"series\": [",
           count - warm, percentile(run->ages, warm, count, 0.5),
           percentile(run->ages, warm, count, 0.99),
           count ? (double)run->ages->of[count - 1].age / 1e6 : 0, mbps(run->ages, warm, count));
    report_series(run, count);
    puts("]}");
    fflush(stdout);
}

static int64_t seconds(const char *text)
{
    return (int64_t)(atof(text) * 1e9);
}

int main(int argc, char **argv)
{
    if (argc != 6 && argc != 8) {
        fprintf(stderr, "usage: age WAY AGES-FILE down|up WARM-UP SECONDS [PAUSE-AT PAUSE]\n");
        return 2;
    }
    struct way way = way_parse(argv[1]);
    struct run run = {.up = strcmp(argv[3], "up") == 0, .ages = ages_at(argv[2])};
    pthread_t thread;
    char why[LINE_MAX_SIZE];
    int asker = way_ask(&way);
    uint16_t port = way_open(&way, asker, why);
    tell_ready_and_wait();
    run.started = now_ns();
    run.warm = run.started + seconds(argv[4]);
    run.end = run.warm + seconds(argv[5]);
    if (argc == 8) {
        run.pause.from = run.started + seconds(argv[6]);
        run.pause.until = run.pause.from + seconds(argv[7]);
    }
    run.fd = port ? way_connect(&way, port, run.up ? "ages" : "stamps", why) : -1;
    if (run.fd < 0) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    if (pthread_create(&thread, NULL, move, &run) != 0) {
        die("thread");
    }
    for (int64_t left; (left = run.end - now_ns()) > 0;) {
        nanosleep(&(struct timespec){left / 1000000000, left % 1000000000}, NULL);
    }
    report(&run);
    while (getchar() != EOF) { /* what a relay holds is looked at before it sees the end */
    }
    return 0;
}
