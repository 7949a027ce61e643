#include "shared/common_settings.h"

#include <stddef.h>
#include <uv.h>

enum { WORKERS_DEFAULT_MAX = 4, WORKERS_MAX = 64 };

#define FIELD(name)                                   \
    .offset = offsetof(struct common_settings, name), \
    .field = sizeof(((struct common_settings *)0)->name)

/*
 * Worker threads and the sandbox are made once, before the first connection, what the sandbox has
 * given up cannot be had back (MPTCP's sockets among it), and the monitor's socket is bound before
 * it: those take a restart.
 */
const struct setting COMMON_SETTINGS[COMMON_SETTINGS_COUNT] = {
    {"RELAY_WORKERS",
     .takes = "a number of threads for users' traffic, 1 to 64; if unset, one per core, at most 4",
     .type = &SETTING_NUMBER, FIELD(relay_workers), .min = 1, .max = WORKERS_MAX, .optional = true,
     .at_start = true},
    {"CONGESTION_CONTROL", "auto",
     "auto, system, or one that the kernel has, like cubic or bbr: for connections between "
     "client, VPS and gateway",
     &SETTING_CONGESTION, FIELD(congestion_control)},
    {"METRICS_LISTEN",
     .takes = "ADDRESS:PORT with a loopback address, like 127.0.0.1:9477, or the path of a Unix "
              "socket: metrics are served there",
     .type = &SETTING_LOCAL_ADDRESS, FIELD(metrics_listen), .max = LOCAL_ADDRESS_MAX,
     .optional = true, .at_start = true},
    {"MULTIPATH", "off",
     "on or off: whether connections between VPS and gateway may take several paths (MPTCP)",
     &SETTING_SWITCH, FIELD(multipath), .at_start = true},
    {"SANDBOX", "on", "on, or off for debugging", &SETTING_SWITCH, FIELD(sandbox),
     .at_start = true},
    {"RUST_LOG", .takes = "the old name of LOG_LEVEL", .type = &SETTING_RUST_LOG, FIELD(log_level),
     .optional = true},
    {"LOG_LEVEL", .takes = "error, warn, info, debug or trace; info if unset",
     .type = &SETTING_LOG_LEVEL, FIELD(log_level), .optional = true},
};

struct common_settings common_settings_default(void)
{
    /* Not the machine's cores: a container or taskset(1) may allow fewer. */
    unsigned cores = uv_available_parallelism();
    return (struct common_settings){
        .relay_workers = cores < WORKERS_DEFAULT_MAX ? (long)cores : WORKERS_DEFAULT_MAX,
        .log_level = LOG_INFO,
    };
}
