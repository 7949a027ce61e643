/*
 * checkup: what --doctor says, a line for each thing that was looked at:
 *
 *     ok  WHAT: how it is
 *     !!  WHAT: what is wrong, and what to do about it
 *     --  WHAT: why that could not be looked at
 *
 * and the checks that both agents need. Each is bounded in time.
 */
#ifndef PAMTUNNEL_SHARED_CHECKUP_H
#define PAMTUNNEL_SHARED_CHECKUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/congestion.h"
#include "base/net.h"
#include "base/resolve.h"
#include "base/vocabulary.h"
#include "base/why.h"

enum checkup_mark { CHECKUP_OK, CHECKUP_BAD, CHECKUP_SKIPPED };

struct checkup {
    unsigned bad; /* lines with !! */
};

/* Prints a line, made visible (text.h), and counts it if it is bad. */
void checkup_say(struct checkup *checkup, enum checkup_mark mark, const char *what,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

/*
 * Settings that could be loaded: where they are from, what is doubtful about that, and whether
 * others may read the env file (may be NULL) or a file that holds a secret.
 */
void checkup_settings(struct checkup *checkup, const struct vocabulary *vocabulary,
                      const char *env_file);
/* Whether the hard limit allows as many descriptors as may be needed. */
void checkup_descriptors(struct checkup *checkup, unsigned long needed);
/*
 * What CONGESTION_CONTROL means for `ways`, "connections to the VPS". folder: see
 * congestion_add_cure().
 */
void checkup_congestion(struct checkup *checkup, const struct congestion_system *system,
                        const char *setting, const char *ways, const char *folder);
/* Where MULTIPATH is on: whether this system can do that. */
void checkup_multipath(struct checkup *checkup, bool is_on);
/* The clock by itself: small machines without a battery start in 1970. */
void checkup_clock(struct checkup *checkup);
/* No agent was found; `start` is how to start it. Process 1 of another container cannot tell. */
void checkup_no_agent(struct checkup *checkup, const char *program, const char *start);
/* Looks a name up, for 8 s at most. How many addresses there are; 0: it has said what is wrong. */
unsigned checkup_name(struct checkup *checkup, const char *what, const char *host,
                      struct addr ret_addrs[RESOLVE_MAX]);

#endif
