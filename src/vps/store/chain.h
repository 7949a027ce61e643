/*
 * chain: the table of what happened (audit), whose rows are only ever added and each of which
 * carries the hash of the one before it: nobody changes, drops or slips in one without every later
 * hash telling. Whoever can write the file can compute a whole chain anew, so a head is worth
 * something where it was noted elsewhere.
 *
 *     hash = SHA-256(prev[32] | seq u64 | at u64 | len u32, bytes of what, person, target,
 *                    gateway, session, body)            big-endian; at in Unix milliseconds
 *
 * over the bytes as they are stored. A text that is not there counts as one of length 0. The first
 * row has the number 1, and 32 zeros as prev.
 */
#ifndef PAMTUNNEL_VPS_STORE_CHAIN_H
#define PAMTUNNEL_VPS_STORE_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/crypto.h"
#include "vps/store/statement.h"

struct database;

enum { CHAIN_BODY_MAX = 16 * 1024 };

/*
 * What the first row of a chain says that another one came before: {"because": "damaged" or "gone",
 * "last_seq", "last_hash": its head, as far as was known, or 0}.
 */
#define CHAIN_BEGUN   "audit.begun"
/*
 * What is recorded when the chain does not end as this process left it: somebody else has written
 * to it: {"because": "altered", and as CHAIN_BEGUN has it}.
 */
#define CHAIN_TOUCHED "audit.damaged"
/*
 * What stands for rows that were removed from the beginning of the chain: {"rows": how many,
 * "before": those of before that time, in Unix milliseconds, "last_seq", "last_hash": the last of
 * them}.
 */
#define CHAIN_PRUNED  "audit.pruned"

#define CHAIN_TABLE   "audit"
/* That table with its indexes: a step of a schema. */
extern const char CHAIN_SCHEMA[];

/* The last row: its number and its hash. seq is 0, and hash all zeros, before the first. */
struct chain_head {
    int64_t seq;
    uint8_t hash[CRYPTO_HASH_SIZE];
};

/* A text may be NULL, or empty, which is the same; not what. */
struct chain_row {
    int64_t at_ms;    /* Unix time */
    const char *what; /* a word like session.ended */
    const char *person, *target, *gateway, *session;
    const char *body; /* JSON, as it is to be stored; CHAIN_BODY_MAX bytes at most */
};

/* A head that somebody noted elsewhere: its number, and as much of its hash as they noted. */
struct chain_anchor {
    int64_t seq; /* 0: none */
    uint8_t hash[CRYPTO_HASH_SIZE];
    size_t len; /* of what is known of the hash; at least 1 */
};

enum chain_finding {
    CHAIN_WHOLE,          /* and if there was an anchor, its row is there and is that one */
    CHAIN_ALTERED,        /* the row at is not as it was written */
    CHAIN_TORN,           /* the row at does not follow on the one before: some are missing */
    CHAIN_HEADLESS,       /* what was before the row at is gone, and no row tells of that */
    CHAIN_ANCHOR_DIFFERS, /* the row of the anchor's number is another one */
    CHAIN_ANCHOR_MISSING, /* the chain ends before the anchor: its end was cut off */
    CHAIN_ANCHOR_PRUNED,  /* the anchor's row was removed for its age: all that is there holds */
};

/* What came of looking at the whole chain. */
struct chain_verdict {
    enum chain_finding finding;
    int64_t at;             /* the first row that is not as it should be; 0: all are */
    int64_t rows, first;    /* that were looked at, and hold together */
    struct chain_head head; /* the last of them */
};

/* One that adds the row, but for its place in the chain. The texts are the row's. */
struct statement chain_statement(const struct chain_row *row);

/* What follows is for the thread that has the database. 0 or -errno. */

/* Where the chain ends. -EINVAL if there is no such table, -EUCLEAN if nothing can follow it. */
int chain_load(struct database *database, struct chain_head *ret_head);
/* Runs a statement of chain_statement() behind *head, and moves that on. Within a transaction. */
int chain_append(struct database *database, struct chain_head *head,
                 const struct statement *statement);
/*
 * Removes rows of before that time from the beginning of the chain, CHAIN_CUT_MAX at most, with
 * those among them that are of a time after now, and appends one that stands for them. 1 if there
 * are more of them, 0 or -errno. Within a transaction.
 */
enum { CHAIN_CUT_MAX = 5000 };
int chain_cut(struct database *database, struct chain_head *head, int64_t before_ms,
              int64_t now_ms);
/* Looks at each row. An anchor's seq may be 0. */
int chain_verify(struct database *database, const struct chain_anchor *anchor,
                 struct chain_verdict *ret_verdict);

#endif
