/* newcomer: a client that has said what it is, on its way from the door to where it is to wait. */
#ifndef PAMTUNNEL_VPS_ADMISSION_NEWCOMER_H
#define PAMTUNNEL_VPS_ADMISSION_NEWCOMER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/net.h"

/* Borrowed from the door, for the time of a call; its descriptor is taken over. */
struct newcomer {
    int fd;
    struct addr from;
    bool expected; /* from a party that the user came from before */
    bool has_secret;
    const void *bytes;
    size_t len;
    const char *words; /* what it says about itself, cleaned */
};

#endif
