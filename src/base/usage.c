#include "base/usage.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

struct usage usage_open(void)
{
    return (struct usage){
        .memory = open("/proc/self/statm", O_RDONLY | O_CLOEXEC),
        .descriptors = opendir("/proc/self/fd"),
        .since_unix = clock_unix(),
    };
}

void usage_close(struct usage *usage)
{
    if (usage->memory > 0) {
        close(usage->memory);
    }
    if (usage->descriptors) {
        closedir(usage->descriptors);
    }
    *usage = (struct usage){.memory = -1};
}

static void measure_processor(struct metrics *metrics)
{
    struct timespec used = {0};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    metrics_family(metrics, METRICS_COUNTER, "process_cpu_seconds",
                   "Processor time of this process.");
    metrics_add_us(metrics, (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000, NULL);
}

/* In pages: all, what is in memory, … (proc(5)). */
static void measure_memory(const struct usage *usage, struct metrics *metrics)
{
    char line[128] = "";
    char *rest = line;
    if (usage->memory < 0 || pread(usage->memory, line, sizeof line - 1, 0) <= 0) {
        return;
    }
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t all = strtoull(rest, &rest, 10);
    uint64_t resident = strtoull(rest, &rest, 10);
    metrics_one(metrics, METRICS_GAUGE, "process_virtual_memory_bytes",
                "Address space of this process.", all * page);
    metrics_one(metrics, METRICS_GAUGE, "process_resident_memory_bytes", "Memory of this process.",
                resident * page);
}

static void measure_descriptors(const struct usage *usage, struct metrics *metrics)
{
    struct rlimit limit;
    unsigned count = 0;
    if (usage->descriptors) {
        rewinddir(usage->descriptors);
        for (const struct dirent *entry; (entry = readdir(usage->descriptors));) {
            count += entry->d_name[0] != '.';
        }
        metrics_one(metrics, METRICS_GAUGE, "process_open_fds", "Descriptors that are open.",
                    count);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        metrics_one(metrics, METRICS_GAUGE, "process_max_fds", "Descriptors that may be open.",
                    limit.rlim_cur);
    }
}

void usage_measure(const struct usage *usage, struct metrics *metrics)
{
    measure_processor(metrics);
    measure_memory(usage, metrics);
    measure_descriptors(usage, metrics);
    metrics_one(metrics, METRICS_GAUGE, "process_start_time_seconds",
                "When this process started, in Unix time.", (uint64_t)usage->since_unix);
}
