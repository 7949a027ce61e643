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
#define CHAIN_BEGUN "audit.begun"

/* The table with its indexes: a step of a schema. */
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

/* One that adds the row, but for its place in the chain. The texts are the row's. */
struct statement chain_statement(const struct chain_row *row);

/* What follows is for the thread that has the database. 0 or -errno. */

/* Where the chain ends. -EINVAL if there is no such table. */
int chain_load(struct database *database, struct chain_head *ret_head);
/* Runs a statement of chain_statement() behind *head, and moves that on. Within a transaction. */
int chain_append(struct database *database, struct chain_head *head,
                 const struct statement *statement);

#endif
