/*
 * bulk WAY COUNTER-FILE up|down STREAMS WARM-UP-S SECONDS [zero]: as many bytes as go. Counts where
 * they arrive, in the middle of the run, so that neither a slow start nor full buffers matter.
 * On stdout: ready; after a line on stdin and the run, one JSON object.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pump.h"
#include "way.h"

static void run_until(struct pump *pump, int64_t deadline_ns)
{
    for (int64_t left; (left = deadline_ns - now_ns()) > 0;) {
        pump_turn(pump, (int)(left / 1000000) + 1);
    }
}

int main(int argc, char **argv)
{
    if (argc < 7) {
        fprintf(stderr, "usage: bulk WAY COUNTER-FILE up|down STREAMS WARM-UP SECONDS [zero]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    struct way way = way_parse(argv[1]);
    bool up = strcmp(argv[3], "up") == 0;
    bool zero = argc > 7 && strcmp(argv[7], "zero") == 0;
    _Atomic uint64_t here = 0;
    _Atomic uint64_t *received = up ? counter_at(argv[2]) : &here;
    struct pump *pump = pump_new(&here);
    int asker = way_ask(&way);
    int streams = atoi(argv[4]);
    int *sockets = calloc((size_t)streams, sizeof *sockets);
    for (int i = 0; sockets && i < streams; i++) {
        char what[32];
        char why[LINE_MAX_SIZE];
        snprintf(what, sizeof what, "%s%s", up ? "sink" : "source", zero ? " zero" : "");
        sockets[i] = way_enter(&way, asker, what, why);
        if (sockets[i] < 0) {
            fprintf(stderr, "%s\n", why);
            return 1;
        }
    }
    tell_ready_and_wait();
    uint64_t at_start = *received;
    int64_t started = now_ns();
    for (int i = 0; sockets && i < streams; i++) {
        pump_add(pump, sockets[i], up ? PUMP_SOURCE : PUMP_SINK, zero);
    }
    run_until(pump, started + (int64_t)(atof(argv[5]) * 1e9));
    uint64_t before = *received;
    int64_t from = now_ns();
    run_until(pump, from + (int64_t)(atof(argv[6]) * 1e9));
    uint64_t after = *received;
    int64_t to = now_ns();
    printf("{\"bytes\": %lu, \"seconds\": %.6f, \"bytes_in_all\": %lu}\n", after - before,
           (double)(to - from) / 1e9, after - at_start);
    fflush(stdout);
    while (getchar() != EOF) { /* what a relay used is looked at before it sees the end */
    }
    return 0;
}
