/*
 * Rows are on their way from audit_record() until the store tells what came of them, in the order
 * in which they were recorded. A barrier stands behind the last row that there was when it was
 * put up, and opens when no row in front of it is under way. The store tells of a row's first
 * attempt alone, so that a disk that is full holds nobody up for longer than that; and one that
 * says nothing at all for AUDIT_PATIENCE_MS has a barrier open by itself, or nobody would be told
 * of anything any more.
 *
 * Re-entrancy: done and fn may record, put up barriers and detach. Rows and barriers are taken out
 * of their lists before they are told, and whoever walks a list begins at its front each time.
 */
#include "vps/audit/audit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "vps/audit/audit_core.h"

/* ---- what the store tells -------------------------------------------------- */

static bool is_open(const struct audit *audit, const struct barrier *barrier)
{
    const struct list *first = audit->rows.next;
    return first == &audit->rows ||
           list_owner(first, struct row_under_way, home)->number > barrier->behind;
}

static struct barrier *first_barrier(const struct audit *audit)
{
    struct list *first = audit->barriers.next;
    return first == &audit->barriers ? NULL : list_owner(first, struct barrier, home);
}

static void take_down(struct barrier *barrier, int err)
{
    audit_done_fn fn = barrier->fn;
    void *arg = barrier->arg;
    list_remove(&barrier->home);
    free(barrier);
    fn(arg, err);
}

static void watch_first(struct audit *audit)
{
    const struct barrier *barrier = first_barrier(audit);
    uint64_t now = clock_ms();
    if (barrier) {
        timer_set(audit->timer, barrier->until_ms > now ? barrier->until_ms - now : 0);
    } else {
        timer_stop(audit->timer);
    }
}

static void open_barriers(struct audit *audit, int err)
{
    struct barrier *barrier;
    while ((barrier = first_barrier(audit)) && is_open(audit, barrier)) {
        take_down(barrier, err);
    }
    watch_first(audit);
}

static void on_patience_over(void *arg)
{
    struct audit *audit = arg;
    struct barrier *barrier;
    while ((barrier = first_barrier(audit)) && clock_ms() >= barrier->until_ms) {
        take_down(barrier, -ETIMEDOUT);
    }
    watch_first(audit);
}

static void on_written(void *arg, int err)
{
    struct row_under_way *row = arg;
    struct audit *audit = row->audit;
    audit_done_fn done = row->done;
    void *done_arg = row->arg;
    list_remove(&row->home);
    free(row);
    if (done) {
        done(done_arg, err);
    }
    open_barriers(audit, err);
}

/*
 * Of a full disk there is a reserve, so that this is on it at once. Everything else that keeps the
 * store from writing is told of when that is over.
 */
static void on_change(void *arg, int err)
{
    struct audit *audit = arg;
    const struct audit_options *options = &audit->options;
    const struct audit_entry entry = {.what = err < 0 ? AUDIT_AUDIT_FULL : AUDIT_AUDIT_RECOVERED,
                                      .why = err < 0 ? strerror(-err) : NULL};
    audit_record(audit, &entry, NULL, NULL);
    if (options->changed) {
        options->changed(options->arg, err);
    }
}

/* ---- recording ------------------------------------------------------------- */

/* syslog's, of what CEF calls severity. */
static const char *priority_of(unsigned severity)
{
    return severity >= 9 ? "3" : severity >= 7 ? "4" : severity >= 5 ? "5" : "6";
}

static void say_in_journal(const struct audit *audit, const struct audit_entry *entry,
                           const struct chain_row *row)
{
    const struct audit_event_row *event = audit_event_row(entry->what);
    char message[256], address[ADDR_HOST_MAX];
    snprintf(message, sizeof message, "%s: %s%s%s", event->word, event->sentence,
             row->person[0] ? ": " : "", row->person);
    const struct journal_field fields[] = {
        {"MESSAGE", message},
        {"MESSAGE_ID", event->id},
        {"PRIORITY", priority_of(event->severity)},
        {"SYSLOG_IDENTIFIER", "vps-agent"},
        {"PAMTUNNEL_EVENT", event->word},
        {"PAMTUNNEL_SESSION", row->session},
        {"PAMTUNNEL_USER", row->person},
        {"PAMTUNNEL_TARGET", row->target},
        {"PAMTUNNEL_GATEWAY", row->gateway},
        {"PAMTUNNEL_ADDRESS", entry->address ? addr_host_text(entry->address, address) : NULL},
        {"PAMTUNNEL_RECORD", row->body},
    };
    journal_send(audit->options.journal, fields, sizeof fields / sizeof *fields);
}

/* Columns are read by programs that trust them, so that nothing hidden gets in. */
static const char *bounded(const char *text, char *dst, size_t cap)
{
    struct text copy = text_over(dst, cap);
    text_put(&copy, text ? text : "", text ? strlen(text) : 0);
    text_make_visible(dst);
    return dst;
}

static int append(struct audit *audit, const struct audit_entry *entry, struct row_under_way *row)
{
    char person[OWNER_TEXT_MAX] = "", target[AUDIT_TARGET_MAX], gateway[128], session[64];
    char body[AUDIT_BODY_MAX];
    struct text text = text_over(body, sizeof body);
    audit_entry_write(entry, &text);
    const struct chain_row columns = {
        .at_ms = entry->at_ms ? entry->at_ms : clock_unix_ms(),
        .what = audit_event_row(entry->what)->word,
        .person = entry->owner ? owner_text(entry->owner, person) : person,
        .target = audit_entry_target(entry, target),
        .gateway = bounded(entry->gateway, gateway, sizeof gateway),
        .session = bounded(entry->session, session, sizeof session),
        .body = body,
    };
    if (audit->options.journal) {
        say_in_journal(audit, entry, &columns);
    }
    return store_append(audit->options.store, &columns, on_written, row);
}

int audit_record(struct audit *audit, const struct audit_entry *entry, audit_done_fn done,
                 void *arg)
{
    if (!audit) {
        return -ENODEV;
    }
    struct row_under_way *row = malloc(sizeof *row);
    int err = row ? append(audit, entry, row) : -ENOMEM;
    if (err < 0) {
        free(row);
        log_error(audit->options.log, "audit: %s is lost: %s", audit_event_row(entry->what)->word,
                  strerror(-err));
        return err;
    }
    *row = (struct row_under_way){
        .audit = audit, .number = ++audit->recorded, .done = done, .arg = arg};
    list_append(&audit->rows, &row->home);
    if (done) {
        store_hurry(audit->options.store);
    }
    return 0;
}

/* Without memory for it nobody waits: who is told too early is better off than who is not told. */
bool audit_barrier(struct audit *audit, audit_done_fn fn, void *arg)
{
    bool waits = audit && !list_is_empty(&audit->rows);
    struct barrier *barrier = waits ? malloc(sizeof *barrier) : NULL;
    if (!barrier) {
        return true;
    }
    *barrier = (struct barrier){.behind = audit->recorded,
                                .until_ms = clock_ms() + AUDIT_PATIENCE_MS,
                                .fn = fn,
                                .arg = arg};
    list_append(&audit->barriers, &barrier->home);
    watch_first(audit);
    store_hurry(audit->options.store);
    return false;
}

int audit_verify(struct audit *audit, const struct chain_anchor *anchor, verify_done_fn done,
                 void *arg)
{
    return audit ? store_verify(audit->options.store, anchor, done, arg) : -ENODEV;
}

int audit_backup(struct audit *audit, const char *path, audit_done_fn done, void *arg)
{
    return audit ? store_backup(audit->options.store, path, done, arg) : -ENODEV;
}

int audit_trouble(const struct audit *audit)
{
    return audit ? store_can_write(audit->options.store) : 0;
}

struct chain_head audit_head(const struct audit *audit)
{
    return store_head(audit ? audit->options.store : NULL);
}

char *audit_head_text(const struct audit *audit, char dst[AUDIT_HEAD_TEXT_MAX])
{
    const struct chain_head head = audit_head(audit);
    char hex[CRYPTO_HASH_SIZE + 1] = "";
    crypto_hex(head.hash, CRYPTO_HASH_SIZE / 2, hex);
    snprintf(dst, AUDIT_HEAD_TEXT_MAX, "#%" PRId64 " %s", head.seq, hex);
    if (head.seq == 0) {
        dst[0] = '\0';
    }
    return dst;
}

void audit_detach(struct audit *audit, const void *arg)
{
    if (!audit) {
        return;
    }
    list_each (struct row_under_way, row, &audit->rows, home) {
        row->done = row->arg == arg ? NULL : row->done;
    }
    list_each (struct barrier, barrier, &audit->barriers, home) {
        if (barrier->arg == arg) {
            list_remove(&barrier->home);
            free(barrier);
        }
    }
    audit_question_forget(audit, arg);
    store_detach(audit->options.store, arg);
}

/* ---- life ------------------------------------------------------------------ */

struct audit *audit_new(const struct audit_options *options)
{
    struct audit *audit = calloc(1, sizeof *audit);
    if (!audit) {
        return NULL;
    }
    audit->options = *options;
    list_init(&audit->rows);
    list_init(&audit->barriers);
    list_init(&audit->asked);
    audit->timer = timer_new(options->loop, on_patience_over, audit);
    if (!audit->timer) {
        free(audit);
        return NULL;
    }
    if (audit_prune_start(audit) < 0) {
        audit_free(audit);
        return NULL;
    }
    store_on_change(options->store, on_change, audit);
    return audit;
}

void audit_free(struct audit *audit)
{
    if (!audit) {
        return;
    }
    list_each (struct row_under_way, row, &audit->rows, home) {
        store_detach(audit->options.store, row);
        list_remove(&row->home);
        free(row);
    }
    list_each (struct barrier, barrier, &audit->barriers, home) {
        list_remove(&barrier->home);
        free(barrier);
    }
    audit_question_forget(audit, NULL);
    store_on_change(audit->options.store, NULL, NULL);
    store_detach(audit->options.store, audit);
    timer_free(audit->prune_timer);
    timer_free(audit->timer);
    free(audit);
}
