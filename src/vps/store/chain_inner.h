/* What the parts of chain share. */
#ifndef PAMTUNNEL_VPS_STORE_CHAIN_INNER_H
#define PAMTUNNEL_VPS_STORE_CHAIN_INNER_H

#include "vps/store/chain.h"

/* The columns, in the order in which they are written and read here. */
enum { AT, WHAT, PERSON, TARGET, GATEWAY, SESSION, BODY, SEQ, PREV, HASH, CHAIN_COLUMNS };
#define CHAIN_COLUMN_NAMES "at, what, person, target, gateway, session, body, seq, prev, hash"

/* The hash of a row, AT to BODY, behind that head. */
int chain_hash(const struct chain_head *head, const struct value *values,
               uint8_t ret_hash[CRYPTO_HASH_SIZE]);

/* A row_fn: seq and hash of a row become a struct chain_head. */
void chain_take_head(void *arg, const struct row *row);

#endif
