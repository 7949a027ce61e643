/*
 * At most one applicant is there, from the moment in which it is met; `phase` says how far it has
 * come, and APPLICANT_NOBODY that there is none. Its timer is what the phase waits for:
 *
 *     MET       its share               10 s     from a machine
 *     ASKED     a person's answer       10 min
 *     ACCEPTED  its confirmation        2 min    it writes a file, or asks a person, meanwhile
 *     KEEPING   our disk                –        its channel may be gone by then (NULL)
 *
 * Its key is on the disk when the record of its pairing is, which was handed in behind it.
 *
 * applicants_over() is the one way out: it forgets all secrets and hangs up before it tells
 * anybody. What comes after that must not touch the channel, since its owner frees it, also when
 * it is the channel that has called.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "vps/gateways/applicants_core.h"

enum {
    OPENING_MS = 10000,
    CONFIRMING_MS = 2 * 60 * 1000, /* somebody may be asked at the gateway's terminal */
};

static void on_deadline(void *arg)
{
    struct applicants *applicants = arg;
    switch (applicants->phase) {
    case APPLICANT_MET:
        applicants_turn_away(applicants, "wanted to be paired, and did not say with what in time",
                             "too slow");
        break;
    case APPLICANT_ASKED:
        applicants_over(
            applicants, APPLICANT_EXPIRED, NULL,
            "nobody there has answered for ten minutes; run pamctl gateway pair on the VPS and "
            "have somebody look into the chat");
        break;
    default:
        applicants_over(applicants, APPLICANT_FAILED,
                        "it was let in, and did not say that it has its key",
                        "it took too long to keep the key");
    }
}

/* ---- steps of the gateway's -------------------------------------------------------- */

/* By chance: the buttons of a question outlive this process, and are good for no other. */
static void draw_id(struct applicants *applicants)
{
    uint32_t id = 0;
    crypto_random_below(APPLICANT_ID_MAX, &id);
    applicants->id = id + 1;
}

void applicants_meet(struct applicants *applicants, struct channel *channel,
                     const struct addr *from)
{
    struct why why;
    if (applicants_would_hear(applicants, from, &why) < 0) {
        struct addr peer = *from; /* which is perhaps the channel's owner's */
        applicants_hang_up(applicants, channel, GOODBYE_UNPAIRED, why.text);
        applicants_say_away(applicants, &peer, NULL, why.text);
        return;
    }
    allowance_use(&applicants->tries, from, clock_ms());
    applicants->phase = APPLICANT_MET;
    applicants->channel = channel;
    applicants->from = *from;
    draw_id(applicants);
    snprintf(applicants->program, sizeof applicants->program, "%s", channel_peer_program(channel));
    timer_set(applicants->deadline, OPENING_MS);
}

static int check_name(struct applicants *applicants, const char *name, struct why *why)
{
    const char *resembles = NULL;
    if (!accord_name_is_plain(name)) {
        return why_set(why, -EINVAL,
                       "a gateway cannot be paired under that name, which is none "
                       "or could be taken for a code: give it another GATEWAY_NAME");
    }
    int err = applicants->options.check_name(applicants->options.arg, name, &applicants->replaces,
                                             &resembles, why);
    snprintf(applicants->resembles, sizeof applicants->resembles, "%s", resembles ? resembles : "");
    return err;
}

static void on_pair_commit(struct applicants *applicants, const struct message_pair_commit *commit)
{
    struct addr from = applicants->from;
    struct message answer;
    struct why why;
    if (applicants->accord.state != ACCORD_NEW) {
        applicants_turn_away(applicants, "asked twice to be paired", "that was said before");
    } else if (check_name(applicants, commit->name, &why) < 0) {
        applicants_over(applicants, APPLICANT_FAILED, NULL, why.text);
        applicants_say_away(applicants, &from, commit->name, why.text);
    } else if (accord_answer(&applicants->accord, commit, &answer) < 0) {
        applicants_turn_away(applicants, "wanted to be paired, but there are no random numbers",
                             "no answer");
    } else {
        channel_send(applicants->channel, &answer); /* if it is broken, that is told */
        applicants_count_answer(applicants);
    }
}

static void ask(struct applicants *applicants)
{
    char host[ADDR_HOST_MAX];
    struct applicant_view about;
    applicants->phase = APPLICANT_ASKED;
    applicants->answer_by_ms = clock_ms() + APPLICANTS_QUESTION_MS;
    timer_set(applicants->deadline, APPLICANTS_QUESTION_MS);
    accord_code(&applicants->accord, applicants->code);
    applicants_look(applicants, &about);
    log_warn(applicants->options.log,
             "gateway %s at %s asks to be paired, and shows %s: if its own log says the same code, "
             "pamctl gateway accept %.3s%s lets it in",
             about.name, addr_host_text(&about.from, host), about.code, about.code, about.code + 4);
    const struct applicant_event event = {.kind = APPLICANT_ASKS, .view = &about};
    applicants_tell(applicants, &event);
}

static void on_pair_open(struct applicants *applicants, const struct message_pair_open *open)
{
    if (applicants->phase != APPLICANT_MET) {
        applicants_over(applicants, APPLICANT_FAILED,
                        "it said again with what it wants to be paired", "that was said before");
    } else if (accord_opened(&applicants->accord, open) < 0) {
        applicants_turn_away(
            applicants,
            "wanted to be paired, and showed something else than it had committed to: "
            "somebody may be in between",
            "that is not what was committed to");
    } else {
        ask(applicants);
    }
}

static void take_back(struct applicants *applicants)
{
    uint8_t key[CRYPTO_KEY_SIZE];
    if (accord_key(&applicants->accord, key) == 0) {
        applicants->options.drop(applicants->options.arg, applicants->name, key);
    }
    crypto_wipe(key, sizeof key);
}

/* audit_done_fn: it can log in from now on, after a crash as well. */
static void on_kept(void *arg, int err)
{
    struct applicants *applicants = arg;
    if (err < 0) {
        take_back(applicants);
        applicants_over(applicants, APPLICANT_FAILED, "its key could not be written to STATE_DIR",
                        "the VPS cannot write to its STATE_DIR");
        return;
    }
    applicants_over(applicants, APPLICANT_PAIRED, NULL, "");
    applicants_shut(applicants, "a gateway was paired");
}

static int keep_key(struct applicants *applicants, struct why *why)
{
    uint8_t key[CRYPTO_KEY_SIZE];
    struct applicant_view about;
    int err = accord_key(&applicants->accord, key);
    err = err < 0 ? why_set(why, err, "there is no key")
                  : applicants->options.keep(applicants->options.arg, applicants->name, key, why);
    crypto_wipe(key, sizeof key);
    if (err < 0) {
        return err;
    }
    applicants_look(applicants, &about);
    const struct applicant_event event = {
        .kind = APPLICANT_PAIRED, .view = &about, .by = &applicants->by};
    err = applicants_record(applicants, AUDIT_GATEWAY_PAIRED, NULL, &event, on_kept);
    if (err < 0) {
        on_kept(applicants, err == -ENODEV ? 0 : err); /* nothing is written at all, or not this */
    }
    return 0;
}

static void on_pair_confirm(struct applicants *applicants,
                            const struct message_pair_confirm *confirm)
{
    struct why why;
    if (applicants->phase != APPLICANT_ACCEPTED ||
        accord_confirmed(&applicants->accord, confirm) < 0) {
        applicants_over(applicants, APPLICANT_FAILED, "it is not the one that was let in",
                        "wrong proof");
        return;
    }
    applicants->phase = APPLICANT_KEEPING;
    timer_stop(applicants->deadline);
    if (keep_key(applicants, &why) < 0) {
        applicants_over(applicants, APPLICANT_FAILED, why.text, why.text);
    }
}

/* Without an on_NAME() for each message that such a gateway may send, this does not compile. */
void applicants_take(struct applicants *applicants, struct channel *channel,
                     const struct message *message)
{
    if (channel != applicants->channel) {
        return; /* it was hung up on */
    }
    if (applicants->phase == APPLICANT_KEEPING) { /* what it has said holds */
        applicants->channel = NULL;
        applicants_hang_up(applicants, channel, GOODBYE_UNPAIRED, "nothing more was expected");
        return;
    }
    switch (message->type) {
#define MESSAGE_OF_GATEWAY_PAIRING(NAME, name) \
    case MESSAGE_##NAME:                       \
        on_##name(applicants, &message->name); \
        break;
#include "control/messages.def"
    default: /* no other comes while pairing */
        break;
    }
}

void applicants_lost(struct applicants *applicants, const struct channel *channel)
{
    if (channel != applicants->channel) {
        return;
    }
    applicants->channel = NULL; /* its owner is about to free it */
    if (applicants->phase == APPLICANT_MET) {
        applicants_turn_away(applicants, "wanted to be paired, and hung up", "");
    } else if (applicants->phase != APPLICANT_KEEPING) { /* there it has its key, and so will we */
        applicants_over(applicants, APPLICANT_LEFT, NULL, "");
    }
}

/* ---- a person's word --------------------------------------------------------------- */

bool applicants_view(const struct applicants *applicants, struct applicant_view *ret_view)
{
    bool asked = applicants->phase >= APPLICANT_ASKED;
    if (asked) {
        applicants_look(applicants, ret_view);
    }
    return asked;
}

bool applicants_shows(const struct applicants *applicants, const char *code)
{
    const char *shown = applicants->code;
    char joined[ACCORD_CODE_MAX];
    if (!shown[0]) {
        return false;
    }
    snprintf(joined, sizeof joined, "%.3s%s", shown, shown + 4);
    return strcmp(code, shown) == 0 || strcmp(code, joined) == 0;
}

static int find(const struct applicants *applicants, unsigned id)
{
    return applicants->phase < APPLICANT_ASKED || applicants->id != id ? -ENOENT
           : applicants->phase > APPLICANT_ASKED                       ? -EALREADY
                                                                       : 0;
}

int applicants_accept(struct applicants *applicants, unsigned id, const struct owner *by)
{
    struct message accept;
    struct applicant_view about;
    int err = find(applicants, id);
    err = err < 0 ? err : accord_accept(&applicants->accord, &accept);
    if (err < 0) {
        return err;
    }
    applicants->phase = APPLICANT_ACCEPTED;
    applicants->by = *by;
    timer_set(applicants->deadline, CONFIRMING_MS);
    channel_send(applicants->channel, &accept); /* if it is broken, that is told */
    applicants_look(applicants, &about);
    const struct applicant_event event = {.kind = APPLICANT_LET_IN, .view = &about, .by = by};
    applicants_tell(applicants, &event);
    return 0;
}

int applicants_deny(struct applicants *applicants, unsigned id, const struct owner *by)
{
    int err = find(applicants, id);
    if (err == 0) {
        applicants->by = *by;
        allowance_use(&applicants->refused, &applicants->from, clock_ms());
        applicants_over(
            applicants, APPLICANT_DENIED, NULL,
            "somebody there has refused it; run pamctl gateway pair on the VPS to be asked again");
    }
    return err;
}

/* ---- life -------------------------------------------------------------------------- */

struct applicants *applicants_new(const struct applicants_options *options)
{
    struct applicants *applicants = calloc(1, sizeof *applicants);
    if (!applicants) {
        return NULL;
    }
    applicants->options = *options;
    applicants->deadline = timer_new(options->loop, on_deadline, applicants);
    if (!applicants->deadline || applicants_begin(applicants) < 0) {
        applicants_free(applicants);
        return NULL;
    }
    return applicants;
}

void applicants_free(struct applicants *applicants)
{
    if (applicants) {
        audit_detach(applicants->options.audit, applicants);
        accord_wipe(&applicants->accord);
        timer_free(applicants->deadline);
        timer_free(applicants->shutting);
        free(applicants);
    }
}

int applicants_watch(struct applicants *applicants, struct applicant_watcher watcher)
{
    if (applicants->watcher_count == APPLICANTS_WATCHERS_MAX) {
        return -ENOSPC;
    }
    applicants->watchers[applicants->watcher_count++] = watcher;
    return 0;
}

void applicants_unwatch(struct applicants *applicants, const void *arg)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < applicants->watcher_count; i++) {
        if (applicants->watchers[i].arg != arg) {
            applicants->watchers[kept++] = applicants->watchers[i];
        }
    }
    applicants->watcher_count = kept;
}
