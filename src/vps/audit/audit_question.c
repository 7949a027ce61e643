/*
 * The records of one person are found by an index that is in the order of time, and so are all of
 * a span of time; whatever else is asked for is looked at one by one on the way, so that all the
 * pages of a question together are one walk, whatever it asks for. A page begins behind a place
 * and not after a number of rows: nothing is shown twice, or left out, for what is recorded
 * meanwhile.
 */
#include "vps/audit/audit_question.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vps/audit/audit_core.h"

/* ---- SQL ------------------------------------------------------------------- */

enum { SEQ, AT, WHAT, PERSON, TARGET, GATEWAY, SESSION, BODY, HASH };

#define SELECT \
    "SELECT seq, at, what, person, target, gateway, session, body, hash FROM audit WHERE "
/*
 * Of several accounts, or of none: ?1 is a list with blanks around each of them. A name is the
 * first that a body has: ?12 is how it begins then.
 */
#define ONE_PERSON(person) person " = ?1 AND ?12 = ''"
#define ANYBODY                                                      \
    "((?1 = '' AND ?12 = '') OR instr(?1, ' ' || person || ' ') > 0" \
    " OR (?12 <> '' AND substr(body, 1, length(?12)) = ?12 COLLATE NOCASE))"
#define THE_REST(at)                                                                     \
    " AND (?2 = '' OR (target >= ?2 AND target < ?3) OR (target >= ?4 AND target < ?5))" \
    " AND (?6 = '' OR gateway = ?6 COLLATE NOCASE) AND " at " >= ?7 AND " at " < ?8"     \
    " AND (?11 = '' OR instr(?11, ' ' || what || ' ') > 0)"
#define IN_TIME THE_REST("at") " AND (at, seq) > (?9, ?10) ORDER BY at, seq"
/* What has a + is not looked for by an index, whose rows would have to be sorted by seq. */
#define NEWER   THE_REST("+at") " AND seq > ?10 ORDER BY seq"

/* ?9 and ?10 are of no account, but have to be in it. */
#define LATEST  THE_REST("at") " AND ?9 IS NOT NULL AND ?10 IS NOT NULL ORDER BY at DESC, seq DESC"

enum { ORDER_TIME, ORDER_NEWER, ORDER_LATEST };

static const char *const SQL[3][2] = {
    [ORDER_TIME] = {SELECT ANYBODY IN_TIME, SELECT ONE_PERSON("person") IN_TIME},
    [ORDER_NEWER] = {SELECT ANYBODY NEWER, SELECT ONE_PERSON("+person") NEWER},
    [ORDER_LATEST] = {SELECT ANYBODY LATEST, SELECT ONE_PERSON("person") LATEST},
};

/* All that is in `target` from `from` on, and before `before`. */
struct span {
    char from[AUDIT_TARGET_MAX], before[AUDIT_TARGET_MAX];
};

/*
 * "HOME-PC:22" alone, or "HOME-PC:" and whatever follows; an IPv6 address has its brackets in the
 * column.
 */
static struct span span_of(const char *target)
{
    struct span span = {"", ""};
    const char *first = target ? strchr(target, ':') : NULL;
    const char *last = target ? strrchr(target, ':') : NULL;
    if (!target || !target[0]) {
        return span;
    }
    bool is_bare_ip6 = first != last && target[0] != '[';
    bool has_port = last && !is_bare_ip6 && (target[0] != '[' || last[-1] == ']');
    struct text from = text_over(span.from, sizeof span.from);
    struct text before = text_over(span.before, sizeof span.before);
    text_add(&from, "%s%s%s%s", is_bare_ip6 ? "[" : "", target, is_bare_ip6 ? "]" : "",
             has_port ? "" : ":");
    /* One character more, or the one that follows the colon. */
    text_add(&before, "%.*s%s", (int)(from.len - !has_port), span.from, has_port ? "\x01" : ";");
    return span;
}

enum { WORDS_MAX = 640 };

static bool is_one_account(const struct audit_question *question)
{
    return question->account_count == 1 && !question->name;
}

/* {"name":"anna" */
static const char *begin_body(const struct audit_question *question, char dst[AUDIT_BODY_MAX])
{
    const struct audit_entry entry = {.name = question->name};
    struct text text = text_over(dst, AUDIT_BODY_MAX);
    if (question->name) {
        audit_entry_write(&entry, &text);
        dst[strlen(dst) - 1] = '\0'; /* it goes on */
    }
    return dst;
}

static const char *list_accounts(const struct audit_question *question, char dst[WORDS_MAX])
{
    struct text text = text_over(dst, WORDS_MAX);
    char person[OWNER_TEXT_MAX];
    if (is_one_account(question)) {
        return owner_text(&question->accounts[0], dst);
    }
    for (unsigned i = 0; i < question->account_count && i < AUDIT_ACCOUNTS_MAX; i++) {
        text_add(&text, "%s%s ", i == 0 ? " " : "", owner_text(&question->accounts[i], person));
    }
    return dst;
}

static const char *list_events(const struct audit_question *question, char dst[WORDS_MAX])
{
    struct text text = text_over(dst, WORDS_MAX);
    for (unsigned i = 0; i < AUDIT_EVENTS_MAX && question->events[i]; i++) {
        text_add(&text, "%s%s ", i == 0 ? " " : "", question->events[i]);
    }
    return dst;
}

/* ---- answers --------------------------------------------------------------- */

static void on_row(void *arg, const struct row *row)
{
    const struct asked *asked = arg;
    size_t len;
    const uint8_t *hash = row_blob(row, HASH, &len);
    const struct audit_record_view view = {
        .seq = row_number(row, SEQ),
        .at_ms = row_number(row, AT),
        .what = row_text(row, WHAT),
        .person = row_text(row, PERSON),
        .target = row_text(row, TARGET),
        .gateway = row_text(row, GATEWAY),
        .session = row_text(row, SESSION),
        .body = row_text(row, BODY),
        .hash = len == CRYPTO_HASH_SIZE ? hash : NULL,
    };
    asked->answer.record(asked->arg, &view);
}

static void on_done(void *arg, int err, bool more)
{
    struct asked *asked = arg;
    struct audit_answer answer = asked->answer;
    void *answer_arg = asked->arg;
    list_remove(&asked->home);
    free(asked);
    answer.done(answer_arg, err, more);
}

int audit_ask(struct audit *audit, const struct audit_question *question,
              const struct audit_answer *answer, void *arg)
{
    char accounts[WORDS_MAX] = "", events[WORDS_MAX] = "", begin[AUDIT_BODY_MAX] = "";
    const struct span spans[] = {span_of(question->targets[0]), span_of(question->targets[1])};
    struct asked *asked = audit ? malloc(sizeof *asked) : NULL;
    if (!asked) {
        return audit ? -ENOMEM : -ENODEV;
    }
    *asked = (struct asked){.answer = *answer, .arg = arg};
    /* Said twice, since SQLite begins a walk through an index at the one alone. */
    int64_t since_ms = question->since_ms > question->after_ms || question->newer
                           ? question->since_ms
                           : question->after_ms;
    unsigned order = question->latest ? ORDER_LATEST : question->newer ? ORDER_NEWER : ORDER_TIME;
    const struct query query = {
        .statement =
            {SQL[order][is_one_account(question)],
             {value_text(list_accounts(question, accounts)), value_text(spans[0].from),
              value_text(spans[0].before), value_text(spans[1].from), value_text(spans[1].before),
              value_text(question->gateway ? question->gateway : ""), value_number(since_ms),
              value_number(question->until_ms ? question->until_ms : INT64_MAX),
              value_number(question->after_ms), value_number(question->after_seq),
              value_text(list_events(question, events)), value_text(begin_body(question, begin))}},
        .rows = AUDIT_PAGE_MAX,
        .row = on_row,
        .done = on_done,
    };
    int err = store_ask(audit->options.store, &query, asked);
    if (err < 0) {
        free(asked);
        return err;
    }
    list_append(&audit->asked, &asked->home);
    return 0;
}

void audit_question_forget(struct audit *audit, const void *arg)
{
    list_each (struct asked, asked, &audit->asked, home) {
        if (!arg || asked->arg == arg) {
            store_detach(audit->options.store, asked);
            list_remove(&asked->home);
            free(asked);
        }
    }
}
