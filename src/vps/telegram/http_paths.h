/*
 * http_paths: what the failures of HTTP requests teach about the ways to the server.
 *
 * Connections that libcurl keeps for later die together, and silently, when a NAT forgets
 * them or when the machine's address changes: after a failure no older one is used
 * again. And where IPv6 connects but carries nothing, the next requests take IPv4 for some
 * minutes: Happy Eyeballs ends at connect() and would choose IPv6 each time.
 */
#ifndef PAMTUNNEL_VPS_TELEGRAM_HTTP_PATHS_H
#define PAMTUNNEL_VPS_TELEGRAM_HTTP_PATHS_H

#include <stdbool.h>
#include <stdint.h>

#include <curl/curl.h>

#include "vps/telegram/http_sockets.h"

/* Zero-initialised is ready for use. It outlives libcurl's handles. */
struct http_paths {
    struct http_sockets sockets;
    uint64_t broken_ms;        /* when a request last failed; 0: never */
    uint64_t without_v6_until; /* 0: both families are good */
    unsigned silent_v4;        /* failures of IPv4 in its place, one after the other */
};

/* What one request did; outlives it. Zero-initialised is ready for use. */
struct http_paths_try {
    struct http_paths *paths;
    uint64_t began_ms;
    bool opened_v4, opened_v6; /* a connection of its own, or one that was to be */
};

/* Sets a request that is about to start. False when out of memory. */
bool http_paths_prepare(struct http_paths *paths, CURL *easy, struct http_paths_try *attempt);
/*
 * What came of a request. True if it failed for want of IPv6, which http_paths_prepare() had
 * ruled out: nothing was sent yet, and it is to be prepared and started once more.
 */
bool http_paths_learn(struct http_paths *paths, CURL *easy, const struct http_paths_try *attempt,
                      CURLcode code);

#endif
