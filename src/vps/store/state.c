#include "vps/store/state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vps/store/lock.h"

static const char RESERVE[] = "/audit.reserve";

/*
 * The n-th leads from schema n - 1 to schema n; one that was released is never changed.
 * Owners are texts like "telegram:42", times seconds of Unix time.
 */
static const char *const MIGRATIONS[] = {
    /* since is when it was first admitted; address the last one of the party. */
    "CREATE TABLE known("
    "    owner TEXT NOT NULL, party TEXT NOT NULL, address TEXT NOT NULL,"
    "    admitted_by TEXT NOT NULL, since INTEGER NOT NULL, used INTEGER NOT NULL,"
    "    PRIMARY KEY(owner, party)) STRICT, WITHOUT ROWID;"
    /* How far the updates of a bot at a Bot API server are dealt with. */
    "CREATE TABLE queue("
    "    bot INTEGER NOT NULL, api_url TEXT NOT NULL, next INTEGER NOT NULL, at INTEGER NOT NULL,"
    "    PRIMARY KEY(bot, api_url)) STRICT, WITHOUT ROWID;"
    /* Messages of a bot that show an open session, and what they say if it is over ("": gone). */
    "CREATE TABLE message("
    "    bot INTEGER NOT NULL, chat INTEGER NOT NULL, message INTEGER NOT NULL,"
    "    correction TEXT NOT NULL, at INTEGER NOT NULL,"
    "    PRIMARY KEY(bot, chat, message)) STRICT, WITHOUT ROWID;",
    /* Keys with a time that a gateway has used before it; key tells which, and is not it. */
    "CREATE TABLE joined("
    "    key TEXT NOT NULL PRIMARY KEY, gateway TEXT NOT NULL, at INTEGER NOT NULL)"
    "    STRICT, WITHOUT ROWID;",
    /* Keys without a name that gateways of several names have logged in with. */
    "CREATE TABLE shared("
    "key TEXT NOT NULL PRIMARY KEY, at INTEGER NOT NULL)"
    " STRICT, WITHOUT ROWID;",
    /* What happened. */
    CHAIN_SCHEMA,
    /*
     * Keys of gateways that were added or paired while vps-agent ran, the newer one of a gateway
     * last. until: the first use has to come before; joined: it did; seen: when its gateway came or
     * went last; 0 for none of these.
     */
    "CREATE TABLE gateway_key("
    "    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE,"
    "    gateway TEXT NOT NULL COLLATE NOCASE, origin TEXT NOT NULL, since INTEGER NOT NULL,"
    "    until INTEGER NOT NULL, joined INTEGER NOT NULL, seen INTEGER NOT NULL) STRICT;",
    /* Somebody has locked the server: there is one row, or none. */
    "CREATE TABLE lockdown("
    "    id INTEGER NOT NULL PRIMARY KEY CHECK(id = 1), by TEXT NOT NULL, since INTEGER NOT NULL)"
    "    STRICT;",
    /*
     * Second factors, by people's names. since: of its enrolment; step: the last that was taken, of
     * 30 s of Unix time; what follows are wrong codes (vps/factor/tries.h).
     */
    "CREATE TABLE factor("
    "    person TEXT NOT NULL PRIMARY KEY, secret BLOB NOT NULL, since INTEGER NOT NULL,"
    "    step INTEGER NOT NULL, in_a_row INTEGER NOT NULL, of_day INTEGER NOT NULL,"
    "    day INTEGER NOT NULL, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;",
    /* People who were let in through an invitation, and invitations, by the hash of their token. */
    "CREATE TABLE member("
    "    account TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, since INTEGER NOT NULL,"
    "    by TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE invitation("
    "    hash TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, until INTEGER NOT NULL,"
    "    by TEXT NOT NULL, opened_by TEXT NOT NULL) STRICT, WITHOUT ROWID;",
    /* The machines that people were at last: what they typed, and in which order. */
    "CREATE TABLE recent("
    "    owner TEXT NOT NULL, kind TEXT NOT NULL, target TEXT NOT NULL, number INTEGER NOT NULL,"
    "    PRIMARY KEY(owner, kind, target)) STRICT, WITHOUT ROWID;",
    /* No question is answered by these, and each cost a row a page in the log. */
    "DROP INDEX audit_target; DROP INDEX audit_gateway; DROP INDEX audit_session;",
    /*
     * MAC addresses of machines behind gateways. port: at which it answered last; since: it was
     * first seen with this one; seen: last, give or take a day.
     */
    "CREATE TABLE mac("
    "    gateway TEXT NOT NULL COLLATE NOCASE, host TEXT NOT NULL COLLATE NOCASE,"
    "    mac TEXT NOT NULL, port INTEGER NOT NULL, since INTEGER NOT NULL, seen INTEGER NOT NULL,"
    "    PRIMARY KEY(gateway, host)) STRICT, WITHOUT ROWID;",
    /*
     * What targets have shown. key: of SSH, else "" and it is a certificate; sha1 and the times are
     * of that. since: it is known; looked: it was seen last.
     */
    "CREATE TABLE pin("
    "    gateway TEXT NOT NULL COLLATE NOCASE, host TEXT NOT NULL COLLATE NOCASE,"
    "    port INTEGER NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, sha256 TEXT NOT NULL,"
    "    sha1 TEXT NOT NULL, valid_from INTEGER NOT NULL, valid_until INTEGER NOT NULL,"
    "    since INTEGER NOT NULL, looked INTEGER NOT NULL,"
    "    PRIMARY KEY(gateway, host, port, kind)) STRICT, WITHOUT ROWID;",
};

char *state_path(const char *state_dir, char *dst)
{
    snprintf(dst, STATE_PATH_MAX, "%s/state.db", state_dir);
    return dst;
}

unsigned state_schema(void)
{
    return sizeof MIGRATIONS / sizeof *MIGRATIONS;
}

int state_reserve(const char *state_dir, const struct log *log, int *ret_fd, struct why *why)
{
    int err = state_dir_make("vps-agent", state_dir, why);
    if (err < 0) {
        return err;
    }
    int fd = lock_folder(state_dir);
    if (fd == -EWOULDBLOCK) {
        return why_set(why, fd,
                       "another vps-agent is running with this STATE_DIR, %s: stop it, or give "
                       "this one a folder of its own",
                       state_dir);
    }
    if (fd < 0 && fd != -ENOLCK && fd != -EOPNOTSUPP && fd != -EBADF) {
        return why_set(why, fd, "cannot use STATE_DIR %s: %s", state_dir, strerror(-fd));
    }
    if (fd < 0) { /* file systems of a network may know no such locks */
        log_warn(log, "cannot reserve STATE_DIR %s (%s): make sure that no other vps-agent uses it",
                 state_dir, strerror(-fd));
    }
    *ret_fd = fd;
    return 0;
}

int state_open(const char *state_dir, const struct log *log, struct store **ret_store,
               struct why *why)
{
    char path[STATE_PATH_MAX], reserve[STATE_DIR_MAX + sizeof RESERVE];
    snprintf(reserve, sizeof reserve, "%s%s", state_dir, RESERVE);
    const struct store_options options = {.path = state_path(state_dir, path),
                                          .log = log,
                                          .migrations = MIGRATIONS,
                                          .schema = state_schema(),
                                          .reserve = reserve};
    return store_open(&options, ret_store, why);
}
