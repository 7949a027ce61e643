/* common_settings: the settings that both agents have, as a part of the struct of each. */
#ifndef PAMTUNNEL_SHARED_COMMON_SETTINGS_H
#define PAMTUNNEL_SHARED_COMMON_SETTINGS_H

#include <stdbool.h>

#include "base/congestion.h"
#include "base/local_address.h"
#include "base/log.h"
#include "base/settings.h"

struct common_settings {
    long relay_workers; /* threads */
    char congestion_control[CONGESTION_NAME_MAX + 1];
    char metrics_listen[LOCAL_ADDRESS_MAX + 1]; /* empty: nowhere */
    bool multipath;                             /* between the agents */
    bool sandbox;
    enum log_level log_level;
};

enum { COMMON_SETTINGS_COUNT = 7 };
extern const struct setting COMMON_SETTINGS[COMMON_SETTINGS_COUNT];

/* The table in the list of an agent whose struct has them at this offset. */
#define COMMON_SETTINGS_TABLE(at)                                               \
    {                                                                           \
        .rows = COMMON_SETTINGS, .count = COMMON_SETTINGS_COUNT, .offset = (at) \
    }

/* What they are where neither a value nor a row's default says so. */
struct common_settings common_settings_default(void);

#endif
