/*
 * usage: what this process uses of the machine: processor, memory, descriptors. A sandbox leaves
 * nothing of /proc to open, so that what is read there is opened before, and stays open.
 */
#ifndef PAMTUNNEL_BASE_USAGE_H
#define PAMTUNNEL_BASE_USAGE_H

#include <dirent.h>

#include "base/metrics.h"

struct usage {
    int memory;       /* /proc/self/statm; -1: there is none */
    DIR *descriptors; /* /proc/self/fd; NULL: there is none */
    int64_t since_unix;
};

/* Before the sandbox. A machine without /proc has fewer numbers. */
struct usage usage_open(void);
/* Also of one that was not opened. */
void usage_close(struct usage *usage);

/* Adds the families that all programs have: process_cpu_seconds and so on. */
void usage_measure(const struct usage *usage, struct metrics *metrics);

#endif
