#include "vps/store/chain.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vps/store/chain_inner.h"
#include "vps/store/database.h"

/*
 * What is not there is NULL, so that the indexes have only rows that can be asked for. `at` in each
 * of them puts the rows of one person in the order of time, and a day of theirs side by side. Every
 * index costs each row a page in the log, so there is none for what is seldom asked: three of these
 * are removed again, see state.c.
 */
const char CHAIN_SCHEMA[] =
    "CREATE TABLE audit("
    "    seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, what TEXT NOT NULL,"
    "    person TEXT, target TEXT, gateway TEXT, session TEXT, body TEXT NOT NULL,"
    "    prev BLOB NOT NULL, hash BLOB NOT NULL) STRICT;"
    "CREATE INDEX audit_at ON audit(at);"
    "CREATE INDEX audit_pruned ON audit(seq) WHERE what = 'audit.pruned';"
    "CREATE INDEX audit_person ON audit(person, at) WHERE person IS NOT NULL;"
    "CREATE INDEX audit_target ON audit(target, at) WHERE target IS NOT NULL;"
    "CREATE INDEX audit_gateway ON audit(gateway, at) WHERE gateway IS NOT NULL;"
    "CREATE INDEX audit_session ON audit(session, at) WHERE session IS NOT NULL;"
    "CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN"
    "    SELECT RAISE(ABORT, 'what happened is not changed'); END;";

static const char INSERT[] =
    "INSERT INTO audit(" CHAIN_COLUMN_NAMES ")"
    " VALUES(?1, ?2, NULLIF(?3, ''), NULLIF(?4, ''), NULLIF(?5, ''), NULLIF(?6, ''), ?7, ?8, ?9,"
    " ?10)";

static struct value text_or_none(const char *text)
{
    return value_text(text ? text : "");
}

struct statement chain_statement(const struct chain_row *row)
{
    return (struct statement){INSERT,
                              {[AT] = value_number(row->at_ms),
                               [WHAT] = text_or_none(row->what),
                               [PERSON] = text_or_none(row->person),
                               [TARGET] = text_or_none(row->target),
                               [GATEWAY] = text_or_none(row->gateway),
                               [SESSION] = text_or_none(row->session),
                               [BODY] = text_or_none(row->body)}};
}

/* ---- hashes ---------------------------------------------------------------- */

static void put_number(uint64_t number, uint8_t *dst, size_t len)
{
    for (size_t i = len; i-- > 0; number >>= 8) {
        dst[i] = (uint8_t)number;
    }
}

int chain_hash(const struct chain_head *head, const struct value *values,
               uint8_t ret_hash[CRYPTO_HASH_SIZE])
{
    enum { TEXTS = BODY - WHAT + 1, BEFORE = 3 };
    uint8_t seq[8], at[8], lengths[TEXTS][4];
    struct crypto_piece pieces[BEFORE + 2 * TEXTS] = {
        {head->hash, sizeof head->hash}, {seq, sizeof seq}, {at, sizeof at}};
    put_number((uint64_t)head->seq + 1, seq, sizeof seq);
    put_number((uint64_t)values[AT].number, at, sizeof at);
    for (unsigned i = 0; i < TEXTS; i++) {
        const char *text = values[WHAT + i].kind == VALUE_TEXT ? values[WHAT + i].data : "";
        size_t len = strlen(text);
        put_number(len, lengths[i], sizeof lengths[i]);
        pieces[BEFORE + 2 * i] = (struct crypto_piece){lengths[i], sizeof lengths[i]};
        pieces[BEFORE + 2 * i + 1] = (struct crypto_piece){text, len};
    }
    return crypto_hash(pieces, sizeof pieces / sizeof *pieces, ret_hash);
}

/* ---- the table ------------------------------------------------------------- */

void chain_take_head(void *arg, const struct row *row)
{
    struct chain_head *head = arg;
    size_t len;
    const void *hash = row_blob(row, 1, &len);
    head->seq = row_number(row, 0);
    if (len == sizeof head->hash) { /* or somebody was at it, which the next prev then tells */
        memcpy(head->hash, hash, len);
    }
}

int chain_load(struct database *database, struct chain_head *ret_head)
{
    static const struct statement LAST = {"SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1",
                                          {{0}}};
    struct chain_head head = {0};
    int err = database_run_often(database, &LAST, chain_take_head, &head);
    if (err == 0 && (head.seq < 0 || head.seq == INT64_MAX)) {
        err = -EUCLEAN; /* somebody was at it */
    }
    if (err == 0) {
        *ret_head = head;
    }
    return err;
}

int chain_append(struct database *database, struct chain_head *head,
                 const struct statement *statement)
{
    struct statement whole = *statement;
    struct chain_head next = {.seq = head->seq + 1};
    int err = chain_hash(head, whole.values, next.hash);
    if (err < 0) {
        return err;
    }
    whole.values[SEQ] = value_number(next.seq);
    whole.values[PREV] = value_blob(head->hash, sizeof head->hash);
    whole.values[HASH] = value_blob(next.hash, sizeof next.hash);
    err = database_run_often(database, &whole, NULL, NULL);
    if (err == 0) {
        *head = next;
    }
    return err;
}

/* ---- its beginning ----------------------------------------------------------- */

struct cut {
    int64_t before_ms, now_ms, end; /* rows up to there may go */
    int64_t rows;
    struct chain_head last; /* of those that go */
    int64_t ahead;          /* rows behind that one */
    bool more;
};

/*
 * Only from the beginning on: what is behind a row that stays, stays, or the chain had a gap. A row
 * of a time to come is one of a clock that was wrong: it goes with the old ones that follow it.
 */
static bool take_old(void *arg, const struct row *row)
{
    struct cut *cut = arg;
    int64_t at_ms = row_number(row, 2);
    bool is_ahead = at_ms > cut->now_ms;
    if ((at_ms >= cut->before_ms && !is_ahead) || row_number(row, 0) >= cut->end) {
        return false;
    }
    cut->more = cut->rows + cut->ahead == CHAIN_CUT_MAX;
    if (!cut->more && is_ahead) {
        cut->ahead++;
    } else if (!cut->more) {
        chain_take_head(&cut->last, row);
        cut->rows += 1 + cut->ahead;
        cut->ahead = 0;
    }
    return !cut->more;
}

static int say_cut(struct database *database, struct chain_head *head, const struct cut *cut,
                   int64_t now_ms)
{
    char hash[2 * CRYPTO_HASH_SIZE + 1], body[256];
    crypto_hex(cut->last.hash, sizeof cut->last.hash, hash);
    snprintf(body, sizeof body,
             "{\"rows\":%lld,\"before\":%lld,\"last_seq\":%lld,\"last_hash\":\"%s\"}",
             (long long)cut->rows, (long long)cut->before_ms, (long long)cut->last.seq, hash);
    struct statement statement = chain_statement(
        &(struct chain_row){.at_ms = now_ms, .what = CHAIN_PRUNED, .body = body});
    return chain_append(database, head, &statement);
}

int chain_cut(struct database *database, struct chain_head *head, int64_t before_ms, int64_t now_ms)
{
    static const struct statement FIRST_ROWS = {"SELECT seq, hash, at FROM audit ORDER BY seq",
                                                {{0}}};
    struct cut cut = {.before_ms = before_ms, .now_ms = now_ms, .end = head->seq};
    int err = database_each(database, &FIRST_ROWS, take_old, &cut);
    if (err < 0 || cut.rows == 0) {
        return err;
    }
    err = say_cut(database, head, &cut, now_ms);
    if (err == 0) {
        err = database_run(
            database,
            &(struct statement){"DELETE FROM audit WHERE seq <= ?1", {value_number(cut.last.seq)}},
            NULL, NULL);
    }
    return err < 0 ? err : cut.more;
}
