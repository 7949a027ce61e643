/* What takes the whole of the audit: to verify it, and to copy the file that it is in. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "vps/admin/admin_audit.h"
#include "vps/admin/admin_reply.h"

/* From the request to its answer, or until its client has left. */
struct errand {
    struct audit *audit;
    struct later *later;
    int64_t anchor;                /* 0: none */
    char path[STATE_DIR_MAX + 16]; /* of a copy */
};

static void on_gone(void *arg)
{
    struct errand *errand = arg;
    audit_detach(errand->audit, errand);
    free(errand);
}

static void answer(struct errand *errand, json_t *reply)
{
    struct later *later = errand->later;
    free(errand);
    later_say_at_once(later, reply);
}

/* NULL: the errand was begun. Otherwise it is gone, and that is the answer. */
static json_t *begun(struct admin_call *call, struct errand *errand, int err)
{
    errand->later = err == 0 ? admin_later(call, on_gone, errand) : NULL;
    if (errand->later) {
        return NULL;
    }
    audit_detach(errand->audit, errand);
    free(errand);
    return reply_error("no_audit", "The audit cannot be read now. Try again in a moment.");
}

/* ---- verifying ------------------------------------------------------------- */

/* For programs: a word never changes its meaning. */
static const char *word_of(enum chain_finding finding)
{
    static const char *const WORDS[] = {
        [CHAIN_WHOLE] = "whole",
        [CHAIN_ALTERED] = "altered",
        [CHAIN_TORN] = "torn",
        [CHAIN_HEADLESS] = "headless",
        [CHAIN_ANCHOR_DIFFERS] = "anchor_differs",
        [CHAIN_ANCHOR_MISSING] = "anchor_missing",
        [CHAIN_ANCHOR_PRUNED] = "anchor_pruned",
    };
    return WORDS[finding];
}

static void on_verified(void *arg, int err, const struct chain_verdict *verdict)
{
    struct errand *errand = arg;
    char hash[2 * CRYPTO_HASH_SIZE + 1], sentence[160];
    if (err < 0) {
        snprintf(sentence, sizeof sentence, "The audit cannot be read: %s.", strerror(-err));
        answer(errand, reply_error("no_audit", sentence));
        return;
    }
    crypto_hex(verdict->head.hash, sizeof verdict->head.hash, hash);
    answer(errand, json_pack("{s:b, s:s, s:I, s:I, s:I, s:I, s:{s:I, s:s}}", "ok", 1, "verdict",
                             word_of(verdict->finding), "at", (json_int_t)verdict->at, "anchor",
                             (json_int_t)errand->anchor, "records", (json_int_t)verdict->rows,
                             "first", (json_int_t)verdict->first, "head", "seq",
                             (json_int_t)verdict->head.seq, "hash", hash));
}

/* "1234" or "#1234", and as much of the hash as was noted. */
static int read_anchor(const json_t *request, struct chain_anchor *ret_anchor)
{
    const char *seq = json_string_value(json_object_get(request, "seq"));
    const char *hash = json_string_value(json_object_get(request, "hash"));
    struct chain_anchor anchor = {0};
    char *end;
    if (!seq) {
        *ret_anchor = anchor;
        return 0;
    }
    seq += seq[0] == '#';
    anchor.seq = strtoll(seq, &end, 10);
    anchor.len = hash ? strlen(hash) / 2 : 0;
    if (seq[0] < '1' || seq[0] > '9' || *end || anchor.len < 4 || strlen(hash) % 2 ||
        anchor.len > sizeof anchor.hash || crypto_unhex(hash, anchor.hash, anchor.len) < 0) {
        return -EINVAL;
    }
    *ret_anchor = anchor;
    return 0;
}

json_t *admin_audit_verify(struct admin_call *call, const json_t *request)
{
    struct chain_anchor anchor;
    if (read_anchor(request, &anchor) < 0) {
        return reply_error("invalid", "What was noted is a number and at least 8 digits of a hash, "
                                      "as in: pamctl audit verify 1234 9f2c41d2.");
    }
    struct errand *errand = calloc(1, sizeof *errand);
    if (!errand) {
        return NULL;
    }
    errand->audit = call->options->audit;
    errand->anchor = anchor.seq;
    return begun(call, errand, audit_verify(errand->audit, &anchor, on_verified, errand));
}

/* ---- a copy ------------------------------------------------------------------ */

static void on_copied(void *arg, int err)
{
    struct errand *errand = arg;
    char sentence[200];
    if (err < 0) {
        snprintf(sentence, sizeof sentence, "The state file cannot be copied to %.120s: %s.",
                 errand->path, strerror(-err));
        answer(errand, reply_error("not_copied", sentence));
    } else {
        answer(errand, json_pack("{s:b, s:s}", "ok", 1, "file", errand->path));
    }
}

/* In STATE_DIR, since the sandbox lets nothing be written elsewhere. */
json_t *admin_backup(struct admin_call *call, const json_t *request)
{
    struct errand *errand = calloc(1, sizeof *errand);
    (void)request;
    if (!errand) {
        return NULL;
    }
    errand->audit = call->options->audit;
    snprintf(errand->path, sizeof errand->path, "%s/backup.db", call->options->settings->state_dir);
    return begun(call, errand, audit_backup(errand->audit, errand->path, on_copied, errand));
}
