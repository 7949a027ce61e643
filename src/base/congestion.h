/*
 * congestion: the congestion control of connections that leave the machine, the setting
 * CONGESTION_CONTROL. bbr does not take a lost packet for a full line: behind one that loses 1 %, a
 * client gets many times what reno or cubic would send it (docs/benchmarks.md, "Bad lines").
 *
 *     auto    bbr where the system lets anybody choose it, on long paths only
 *     system  the system's default
 *     NAME    this one, on all paths to other machines
 *
 * A connection that stays on the machine always keeps the system's: on loopback, bbr is many
 * times slower. So does the path from a gateway to its targets, which is a LAN.
 */
#ifndef PAMTUNNEL_BASE_CONGESTION_H
#define PAMTUNNEL_BASE_CONGESTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/setting.h"
#include "base/text.h"
#include "base/why.h"

enum {
    CONGESTION_NAME_MAX = 15, /* the kernel's TCP_CA_NAME_MAX, less the zero */
    CONGESTION_LIST_MAX = 511,
    /* auto: a path with a round trip of this or more is long. */
    CONGESTION_FAR_US = 5000,
};

/* Where the kernel says what it has. */
#define CONGESTION_FOLDER "/proc/sys/net/ipv4"

/* What the kernel has; an empty text where it does not say. */
struct congestion_system {
    char usual[CONGESTION_NAME_MAX + 1];     /* what connections get */
    char available[CONGESTION_LIST_MAX + 1]; /* that are loaded */
    char allowed[CONGESTION_LIST_MAX + 1];   /* of these: for anybody to choose */
};

/* What connections to other machines are given. */
struct congestion {
    char name[CONGESTION_NAME_MAX + 1]; /* empty: they keep the system's */
    uint32_t from_us;                   /* those with a shorter round trip keep it, too */
};

extern const struct setting_type SETTING_CONGESTION; /* char[CONGESTION_NAME_MAX + 1] */

/* Reads what the kernel has, from CONGESTION_FOLDER. */
struct congestion_system congestion_look(const char *folder);
/* `list` has names with spaces between them. */
bool congestion_is_in(const char *list, const char *name);
/*
 * Decides. 0; or -EPERM or -ENOENT with why, and the system's in ret_congestion: this program
 * may not choose the one that was named, or there is none of that name.
 */
int congestion_choose(const char *setting, const struct congestion_system *system,
                      struct congestion *ret_congestion, struct why *why);
/*
 * What an unprivileged agent would object to in the setting: -EPERM or -ENOENT with why, for a
 * check from outside, perhaps as root. 0: nothing.
 */
int congestion_doubt(const char *setting, const struct congestion_system *system, struct why *why);
/*
 * Adds the command that lets programs without privileges choose it. folder has files to copy
 * to /etc, if it is there, for bbr.
 */
void congestion_add_cure(struct text *text, const char *name,
                         const struct congestion_system *system, const char *folder);
/* Decides for an agent that starts or reloads, and logs what is new. */
void congestion_update(struct congestion *congestion, const char *setting, const struct log *log);
/* Sets it on a connected socket, if the path is one that it is meant for. */
void congestion_apply(const struct congestion *congestion, int fd);

#endif
