#include <stdio.h>
#include <string.h>

#include "vps/store/chain_inner.h"
#include "vps/store/database.h"

struct walk {
    const struct chain_anchor *anchor;
    struct chain_verdict verdict;
    int err; /* of hashing */
};

/* The beginning of the chain, or what is behind rows that were removed. */
static int find_beginning(struct database *database, struct chain_head *ret_head)
{
    static const struct statement FIRST = {"SELECT seq - 1, prev FROM audit ORDER BY seq LIMIT 1",
                                           {{0}}};
    return database_run(database, &FIRST, chain_take_head, ret_head);
}

static void take_count(void *arg, const struct row *row)
{
    *(int64_t *)arg = row_number(row, 0);
}

/* Whether that is where a chain begins: there was nothing before, or a row tells what. */
static int check_beginning(struct database *database, const struct chain_head *before,
                           bool *ret_sound)
{
    static const struct chain_head NOTHING;
    char hash[2 * CRYPTO_HASH_SIZE + 1];
    int64_t told = 0;
    crypto_hex(before->hash, sizeof before->hash, hash);
    const struct statement statement = {"SELECT count(*) FROM audit WHERE what = '" CHAIN_PRUNED
                                        "' AND CASE WHEN json_valid(body)"
                                        " THEN json_extract(body, '$.last_seq') = ?1 AND "
                                        "json_extract(body, '$.last_hash') = ?2 END",
                                        {value_number(before->seq), value_text(hash)}};
    int err = database_run(database, &statement, take_count, &told);
    *ret_sound = told > 0 ||
                 (before->seq == 0 && memcmp(before->hash, NOTHING.hash, sizeof before->hash) == 0);
    return err;
}

/*
 * Behind a NUL there may be anything that the hash does not cover, and the text would be found by
 * nobody who looks for it.
 */
static bool ends_where_it_seems_to(const struct value *text)
{
    return text->kind != VALUE_TEXT || strlen(text->data) == (size_t)text->number;
}

static bool has_no_more_than_it_shows(const struct row *row)
{
    bool shows_all = true;
    for (unsigned column = WHAT; column <= BODY; column++) {
        shows_all = shows_all && ends_where_it_seems_to(&row->values[column]);
    }
    return shows_all;
}

/* Of a row behind the head. */
static enum chain_finding look_at(struct walk *walk, const struct row *row,
                                  uint8_t ret_hash[CRYPTO_HASH_SIZE])
{
    const struct chain_head *head = &walk->verdict.head;
    size_t prev_len, len;
    const void *prev = row_blob(row, PREV, &prev_len), *hash = row_blob(row, HASH, &len);
    if (row_number(row, SEQ) != head->seq + 1 || prev_len != CRYPTO_HASH_SIZE ||
        memcmp(prev, head->hash, CRYPTO_HASH_SIZE) != 0) {
        return CHAIN_TORN;
    }
    walk->err = chain_hash(head, row->values, ret_hash);
    bool is_the_one = len == CRYPTO_HASH_SIZE && memcmp(hash, ret_hash, len) == 0;
    return is_the_one && has_no_more_than_it_shows(row) ? CHAIN_WHOLE : CHAIN_ALTERED;
}

static bool is_anchored(const struct chain_anchor *anchor, const struct chain_head *head)
{
    return memcmp(anchor->hash, head->hash, anchor->len) == 0;
}

static bool take_row(void *arg, const struct row *row)
{
    struct walk *walk = arg;
    struct chain_verdict *verdict = &walk->verdict;
    struct chain_head next = {.seq = verdict->head.seq + 1};
    verdict->finding = look_at(walk, row, next.hash);
    if (verdict->finding == CHAIN_WHOLE) {
        verdict->head = next;
        verdict->rows++;
        if (walk->anchor->seq == next.seq && !is_anchored(walk->anchor, &next)) {
            verdict->finding = CHAIN_ANCHOR_DIFFERS;
        }
    }
    if (verdict->finding != CHAIN_WHOLE) {
        verdict->at = row_number(row, SEQ);
    }
    return walk->err == 0 && verdict->finding == CHAIN_WHOLE;
}

/* An anchor whose row was not met. */
static void look_for_anchor(struct walk *walk, const struct chain_head *before)
{
    const struct chain_anchor *anchor = walk->anchor;
    struct chain_verdict *verdict = &walk->verdict;
    if (anchor->seq > verdict->head.seq) {
        verdict->finding = CHAIN_ANCHOR_MISSING;
    } else if (anchor->seq > 0 && anchor->seq < before->seq) {
        verdict->finding = CHAIN_ANCHOR_PRUNED;
    } else if (anchor->seq > 0 && anchor->seq == before->seq && !is_anchored(anchor, before)) {
        verdict->finding = CHAIN_ANCHOR_DIFFERS; /* of the last one that was removed */
        verdict->at = verdict->first;
    }
}

static int walk_all(struct database *database, struct walk *walk)
{
    static const struct statement ALL = {"SELECT " CHAIN_COLUMN_NAMES " FROM audit ORDER BY seq",
                                         {{0}}};
    const struct chain_head before = walk->verdict.head;
    int err = database_each(database, &ALL, take_row, walk);
    err = err < 0 ? err : walk->err;
    if (err == 0 && walk->verdict.finding == CHAIN_WHOLE) {
        look_for_anchor(walk, &before);
    }
    return err;
}

int chain_verify(struct database *database, const struct chain_anchor *anchor,
                 struct chain_verdict *ret_verdict)
{
    struct walk walk = {.anchor = anchor};
    struct chain_verdict *verdict = &walk.verdict;
    bool sound = false;
    int err = find_beginning(database, &verdict->head);
    err = err < 0 ? err : check_beginning(database, &verdict->head, &sound);
    if (err < 0) {
        return err;
    }
    verdict->first = verdict->head.seq + 1;
    if (!sound) {
        verdict->finding = CHAIN_HEADLESS;
        verdict->at = verdict->first;
    } else {
        err = walk_all(database, &walk);
    }
    if (err == 0) {
        *ret_verdict = *verdict;
    }
    return err;
}
