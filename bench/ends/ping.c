/*
 * ping WAY ROUNDS BULK PINGS SIZE: round trips of SIZE bytes, one at a time. In each round BULK
 * bytes go out and back before, on the same connection. On stdout: ready; after a line on stdin and
 * the run, one JSON object. Round trips of 30 ms and more are stalls.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "way.h"

enum { STALL_NS = 30000000, SIZE_MAX_HERE = 64 * 1024 };

struct pinger {
    int fd;
    unsigned long rounds, bulk, pings, size;
    int64_t *samples;
    unsigned long count;
};

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int run_round(struct pinger *p, char *buffer)
{
    if (send_filler(p->fd, p->bulk) < 0 || recv_filler(p->fd, p->bulk) < 0) {
        return -1;
    }
    for (unsigned long i = 0; i < p->pings; i++) {
        int64_t start = now_ns();
        if (send_all(p->fd, buffer, p->size) < 0 || recv_all(p->fd, buffer, p->size) < 0) {
            return -1;
        }
        p->samples[p->count++] = now_ns() - start;
    }
    return 0;
}

static double percentile(const struct pinger *p, double part)
{
    unsigned long index = (unsigned long)((double)p->count * part);
    return p->count == 0 ? 0 : (double)p->samples[index < p->count ? index : p->count - 1] / 1e3;
}

static void report(struct pinger *p, bool complete)
{
    unsigned long stalls = 0;
    for (unsigned long i = 0; i < p->count; i++) {
        stalls += p->samples[i] >= STALL_NS;
    }
    qsort(p->samples, p->count, sizeof *p->samples, compare);
    printf("{\"complete\": %s, \"count\": %lu, \"p50_us\": %.2f, \"p99_us\": %.2f, "
           "\"p999_us\": %.2f, \"max_us\": %.2f, \"stalls\": %lu}\n",
           complete ? "true" : "false", p->count, percentile(p, 0.5), percentile(p, 0.99),
           percentile(p, 0.999), percentile(p, 1), stalls);
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: ping WAY ROUNDS BULK PINGS SIZE\n");
        return 2;
    }
    struct way way = way_parse(argv[1]);
    struct pinger p = {.rounds = strtoul(argv[2], NULL, 10),
                       .bulk = strtoul(argv[3], NULL, 10),
                       .pings = strtoul(argv[4], NULL, 10),
                       .size = strtoul(argv[5], NULL, 10)};
    static char buffer[SIZE_MAX_HERE];
    char what[LINE_MAX_SIZE / 2];
    char why[LINE_MAX_SIZE];
    p.samples = calloc(p.rounds * p.pings, sizeof *p.samples);
    if (!p.samples || p.size > sizeof buffer) {
        die("ping");
    }
    snprintf(what, sizeof what, "echo %lu %lu %lu %lu", p.rounds, p.bulk, p.pings, p.size);
    p.fd = way_enter(&way, way_ask(&way), what, why);
    if (p.fd < 0) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    tell_ready_and_wait();
    bool complete = true;
    for (unsigned long i = 0; i < p.rounds && complete; i++) {
        complete = run_round(&p, buffer) == 0;
    }
    report(&p, complete);
    return 0;
}
