/*
 * At most one applicant is there, from the moment in which it is met; `phase` says how far it has
 * come, and NOBODY that there is none. Its timer is what the phase waits for:
 *
 *     MET       its share               10 s     from a machine
 *     ASKED     a person's answer       10 min
 *     LET_IN    its confirmation        2 min    it writes a file, or asks a person, meanwhile
 *     KEEPING   our disk                –        its channel may be gone by then (NULL)
 *
 * Its key is on the disk when the record of its pairing is, which was handed in behind it.
 *
 * over() is the one way out: it forgets all secrets and hangs up before it tells anybody. What
 * comes after hang_up() must not touch the channel, since its owner frees it, also when it is the
 * channel that has called.
 */
#include "vps/gateways/applicants.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/allowance.h"
#include "base/clock.h"
#include "base/origin.h"
#include "base/text.h"
#include "base/timer.h"

enum {
    OPENING_MS = 10000,
    CONFIRMING_MS = 2 * 60 * 1000, /* somebody may be asked at the gateway's terminal */
    NETWORK_REFILL_MS = 2 * 60 * 1000,
};

enum phase { NOBODY, MET, ASKED, LET_IN, KEEPING };

struct applicants {
    struct applicants_options options;
    struct applicant_watcher watchers[APPLICANTS_WATCHERS_MAX];
    unsigned watcher_count;

    uint64_t open_until_ms; /* 0: shut */
    struct timer *shutting;
    unsigned questions;       /* since it was opened */
    struct allowance tries;   /* by network */
    struct allowance refused; /* since it was opened */

    enum phase phase;
    struct timer *deadline;
    struct channel *channel;
    struct addr from;
    struct accord accord;
    unsigned id;
    char code[ACCORD_CODE_MAX];
    char program[64];
    char resembles[GATEWAY_NAME_MAX + 1];
    bool replaces;
    uint64_t answer_by_ms;
    struct owner by;
};

/* ---- telling ------------------------------------------------------------------- */

static void view(const struct applicants *applicants, struct applicant_view *ret_view)
{
    uint64_t now = clock_ms(), end = applicants->answer_by_ms;
    *ret_view = (struct applicant_view){
        .id = applicants->id,
        .name = applicants->accord.name,
        .code = applicants->code,
        .program = applicants->program,
        .from = applicants->from,
        .seconds_left = now < end ? (unsigned)((end - now + 999) / 1000) : 0,
        .let_in = applicants->phase > ASKED,
        .replaces = applicants->replaces,
        .resembles = applicants->resembles[0] ? applicants->resembles : NULL,
    };
}

/* -errno: done, which may be NULL, is not called. */
static int record(struct applicants *applicants, enum audit_event what, const char *word,
                  const struct applicant_event *event, audit_done_fn done)
{
    const struct applicant_view *about = event->view;
    const struct audit_entry entry = {.what = what,
                                      .word = word,
                                      .gateway = about->name,
                                      .address = &about->from,
                                      .client = about->program,
                                      .text = about->code,
                                      .by = event->by,
                                      .why = event->why};
    return audit_record(applicants->options.audit, &entry, done, applicants);
}

/* What is told; that one is paired is recorded before that (keep_key()). */
static void record_event(struct applicants *applicants, const struct applicant_event *event)
{
    static const struct {
        enum audit_event what;
        const char *word;
    } ROWS[] = {
        [APPLICANT_ASKS] = {AUDIT_GATEWAY_PENDING, NULL},
        [APPLICANT_DENIED] = {AUDIT_GATEWAY_DENIED, "denied"},
        [APPLICANT_EXPIRED] = {AUDIT_GATEWAY_DENIED, "expired"},
        [APPLICANT_LEFT] = {AUDIT_GATEWAY_DENIED, "left"},
        [APPLICANT_FAILED] = {AUDIT_GATEWAY_DENIED, "failed"},
    };
    if (event->kind != APPLICANT_LET_IN && event->kind != APPLICANT_PAIRED) {
        record(applicants, ROWS[event->kind].what, ROWS[event->kind].word, event, NULL);
    }
}

static void tell(struct applicants *applicants, const struct applicant_event *event)
{
    record_event(applicants, event);
    for (unsigned i = 0; i < applicants->watcher_count; i++) {
        applicants->watchers[i].event(applicants->watchers[i].arg, event);
    }
}

static void say_end(const struct applicants *applicants, const struct applicant_event *event)
{
    static const char *const CLAUSES[] = {
        [APPLICANT_PAIRED] = "is paired",
        [APPLICANT_DENIED] = "was refused",
        [APPLICANT_EXPIRED] = "was not answered in time; it asks again if it is heard",
        [APPLICANT_LEFT] = "has gone before it was paired; it asks again if it is heard",
        [APPLICANT_FAILED] = "was not paired",
    };
    const struct applicant_view *about = event->view;
    char by[OWNER_TEXT_MAX] = "", host[ADDR_HOST_MAX];
    if (event->by) {
        owner_text(event->by, by);
    }
    log_write(applicants->options.log, event->kind == APPLICANT_PAIRED ? LOG_INFO : LOG_WARN,
              "gateway %s at %s, which showed %s, %s%s%s%s%s", about->name,
              addr_host_text(&about->from, host), about->code, CLAUSES[event->kind],
              by[0] ? " by " : "", by, event->why ? ": " : "", event->why ? event->why : "");
}

/* ---- the end of one -------------------------------------------------------------- */

static void forget(struct applicants *applicants)
{
    timer_stop(applicants->deadline);
    accord_wipe(&applicants->accord);
    applicants->phase = NOBODY;
    applicants->channel = NULL;
    applicants->code[0] = '\0';
}

static void hang_up(struct applicants *applicants, struct channel *channel,
                    enum goodbye_reason reason, const char *text)
{
    channel_goodbye(channel, reason, text);
    applicants->options.hang_up(applicants->options.arg, channel);
}

/* The name outlives the accord that it is from. */
static void over(struct applicants *applicants, enum applicant_event_kind kind, const char *why,
                 const char *farewell)
{
    struct channel *channel = applicants->channel;
    bool asked = applicants->phase >= ASKED;
    char name[GATEWAY_NAME_MAX + 1], code[ACCORD_CODE_MAX];
    struct owner by = applicants->by;
    struct applicant_view about;
    bool has_by = kind == APPLICANT_PAIRED || kind == APPLICANT_DENIED;
    view(applicants, &about);
    memcpy(name, applicants->accord.name, sizeof name);
    memcpy(code, applicants->code, sizeof code);
    about.name = name;
    about.code = code;
    forget(applicants);
    if (channel) {
        hang_up(applicants, channel, kind == APPLICANT_PAIRED ? GOODBYE_PAIRED : GOODBYE_UNPAIRED,
                farewell);
    }
    if (asked) {
        const struct applicant_event event = {
            .kind = kind, .view = &about, .by = has_by ? &by : NULL, .why = why};
        say_end(applicants, &event);
        tell(applicants, &event);
    }
}

/* A line for the log, about somebody who was told why. name may be NULL. */
static void say_away(const struct applicants *applicants, const struct addr *from, const char *name,
                     const char *why)
{
    char line[512];
    struct text text = text_over(line, sizeof line);
    text_add(&text, "wanted to be paired%s%s%s, and was told: %s", name ? " as \"" : "",
             name ? name : "", name ? "\"" : "", why);
    applicants->options.turned_away(applicants->options.arg, from, line);
}

/* Before anybody was asked about it: only the log hears of it. */
static void turn_away(struct applicants *applicants, const char *text, const char *farewell)
{
    struct addr from = applicants->from;
    over(applicants, APPLICANT_LEFT, NULL, farewell);
    applicants->options.turned_away(applicants->options.arg, &from, text);
}

static void on_deadline(void *arg)
{
    struct applicants *applicants = arg;
    switch (applicants->phase) {
    case MET:
        turn_away(applicants, "wanted to be paired, and did not say with what in time", "too slow");
        break;
    case ASKED:
        over(applicants, APPLICANT_EXPIRED, NULL,
             "nobody there has answered for ten minutes; run pamctl gateway pair on the VPS and "
             "have somebody look into the chat");
        break;
    default:
        over(applicants, APPLICANT_FAILED, "it was let in, and did not say that it has its key",
             "it took too long to keep the key");
    }
}

/* ---- opening -------------------------------------------------------------------- */

static void shut(struct applicants *applicants, const char *because)
{
    if (applicants->open_until_ms > 0) {
        applicants->open_until_ms = 0;
        timer_stop(applicants->shutting);
        log_info(applicants->options.log,
                 "gateways without a key are not heard any more: %s; pamctl gateway pair hears "
                 "them again",
                 because);
    }
}

static void on_time_over(void *arg)
{
    shut(arg, "ten minutes are over");
}

void applicants_open(struct applicants *applicants)
{
    applicants->open_until_ms = clock_ms() + APPLICANTS_OPEN_MS;
    applicants->questions = 0;
    applicants->refused = (struct allowance){
        .v4_bits = NETWORK_V4_BITS, .v6_bits = NETWORK_V6_BITS, .most = 1, .refill_ms = UINT32_MAX};
    timer_set(applicants->shutting, APPLICANTS_OPEN_MS);
    log_info(applicants->options.log, "gateways that have no key and ask to be paired are heard "
                                      "for ten minutes");
}

unsigned applicants_open_for(const struct applicants *applicants)
{
    uint64_t now = clock_ms();
    return now < applicants->open_until_ms
               ? (unsigned)((applicants->open_until_ms - now + 999) / 1000)
               : 0;
}

int applicants_would_hear(const struct applicants *applicants, const struct addr *from,
                          struct why *why)
{
    uint64_t now = clock_ms();
    if (applicants_open_for(applicants) == 0) {
        return why_set(why, -EPERM,
                       "no gateways are paired there at the moment: run pamctl "
                       "gateway pair on the VPS, which allows it for ten minutes");
    }
    if (allowance_is_used_up(&applicants->refused, from, now)) {
        return why_set(why, -EACCES,
                       "somebody there has refused a gateway from here: run pamctl "
                       "gateway pair on the VPS to be asked again");
    }
    if (allowance_is_used_up(&applicants->tries, from, now)) {
        return why_set(why, -EAGAIN,
                       "too many have asked to be paired from here: wait two minutes");
    }
    if (applicants->phase != NOBODY) {
        return why_set(why, -EBUSY, "another gateway is being paired there at the moment");
    }
    return 0;
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
        hang_up(applicants, channel, GOODBYE_UNPAIRED, why.text);
        say_away(applicants, &peer, NULL, why.text);
        return;
    }
    allowance_use(&applicants->tries, from, clock_ms());
    applicants->phase = MET;
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
        turn_away(applicants, "asked twice to be paired", "that was said before");
    } else if (check_name(applicants, commit->name, &why) < 0) {
        over(applicants, APPLICANT_FAILED, NULL, why.text);
        say_away(applicants, &from, commit->name, why.text);
    } else if (accord_answer(&applicants->accord, commit, &answer) < 0) {
        turn_away(applicants, "wanted to be paired, but there are no random numbers", "no answer");
    } else {
        channel_send(applicants->channel, &answer); /* if it is broken, that is told */
    }
}

static void ask(struct applicants *applicants)
{
    char host[ADDR_HOST_MAX];
    struct applicant_view about;
    applicants->phase = ASKED;
    applicants->answer_by_ms = clock_ms() + APPLICANTS_QUESTION_MS;
    timer_set(applicants->deadline, APPLICANTS_QUESTION_MS);
    accord_code(&applicants->accord, applicants->code);
    view(applicants, &about);
    log_warn(applicants->options.log,
             "gateway %s at %s asks to be paired, and shows %s: if its own log says the same code, "
             "pamctl gateway accept %.3s%s lets it in",
             about.name, addr_host_text(&about.from, host), about.code, about.code, about.code + 4);
    const struct applicant_event event = {.kind = APPLICANT_ASKS, .view = &about};
    tell(applicants, &event);
    if (++applicants->questions >= APPLICANTS_QUESTIONS) {
        shut(applicants, "too many have asked");
    }
}

static void on_pair_open(struct applicants *applicants, const struct message_pair_open *open)
{
    if (applicants->phase != MET) {
        over(applicants, APPLICANT_FAILED, "it said again with what it wants to be paired",
             "that was said before");
    } else if (accord_opened(&applicants->accord, open) < 0) {
        turn_away(applicants,
                  "wanted to be paired, and showed something else than it had committed to: "
                  "somebody may be in between",
                  "that is not what was committed to");
    } else {
        ask(applicants);
    }
}

/* audit_done_fn: it can log in from now on, after a crash as well. */
static void on_kept(void *arg, int err)
{
    struct applicants *applicants = arg;
    if (err < 0) {
        applicants->options.drop(applicants->options.arg, applicants->accord.name);
        over(applicants, APPLICANT_FAILED, "its key could not be written to STATE_DIR",
             "the VPS cannot write to its STATE_DIR");
        return;
    }
    over(applicants, APPLICANT_PAIRED, NULL, "");
    shut(applicants, "a gateway was paired");
}

static int keep_key(struct applicants *applicants, struct why *why)
{
    uint8_t key[CRYPTO_KEY_SIZE];
    struct applicant_view about;
    int err = accord_key(&applicants->accord, key);
    err = err < 0 ? why_set(why, err, "there is no key")
                  : applicants->options.keep(applicants->options.arg, applicants->accord.name, key,
                                             why);
    crypto_wipe(key, sizeof key);
    if (err < 0) {
        return err;
    }
    view(applicants, &about);
    const struct applicant_event event = {
        .kind = APPLICANT_PAIRED, .view = &about, .by = &applicants->by};
    if (record(applicants, AUDIT_GATEWAY_PAIRED, NULL, &event, on_kept) < 0) {
        on_kept(applicants, 0); /* nothing is written at all */
    }
    return 0;
}

static void on_pair_confirm(struct applicants *applicants,
                            const struct message_pair_confirm *confirm)
{
    struct why why;
    if (applicants->phase != LET_IN || accord_confirmed(&applicants->accord, confirm) < 0) {
        over(applicants, APPLICANT_FAILED, "it is not the one that was let in", "wrong proof");
        return;
    }
    applicants->phase = KEEPING;
    timer_stop(applicants->deadline);
    if (keep_key(applicants, &why) < 0) {
        over(applicants, APPLICANT_FAILED, why.text, why.text);
    }
}

/* Without an on_NAME() for each message that such a gateway may send, this does not compile. */
void applicants_take(struct applicants *applicants, struct channel *channel,
                     const struct message *message)
{
    if (channel != applicants->channel) {
        return; /* it was hung up on */
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
    if (applicants->phase == MET) {
        turn_away(applicants, "wanted to be paired, and hung up", "");
    } else if (applicants->phase != KEEPING) { /* there it has its key, and so will we */
        over(applicants, APPLICANT_LEFT, NULL, "");
    }
}

/* ---- a person's word --------------------------------------------------------------- */

bool applicants_view(const struct applicants *applicants, struct applicant_view *ret_view)
{
    bool asked = applicants->phase >= ASKED;
    if (asked) {
        view(applicants, ret_view);
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
    return applicants->phase < ASKED || applicants->id != id ? -ENOENT
           : applicants->phase > ASKED                       ? -EALREADY
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
    applicants->phase = LET_IN;
    applicants->by = *by;
    timer_set(applicants->deadline, CONFIRMING_MS);
    channel_send(applicants->channel, &accept); /* if it is broken, that is told */
    view(applicants, &about);
    const struct applicant_event event = {.kind = APPLICANT_LET_IN, .view = &about, .by = by};
    tell(applicants, &event);
    return 0;
}

int applicants_deny(struct applicants *applicants, unsigned id, const struct owner *by)
{
    int err = find(applicants, id);
    if (err == 0) {
        applicants->by = *by;
        allowance_use(&applicants->refused, &applicants->from, clock_ms());
        over(applicants, APPLICANT_DENIED, NULL,
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
    applicants->tries = (struct allowance){.v4_bits = NETWORK_V4_BITS,
                                           .v6_bits = NETWORK_V6_BITS,
                                           .most = APPLICANTS_PER_NETWORK,
                                           .refill_ms = NETWORK_REFILL_MS};
    applicants->deadline = timer_new(options->loop, on_deadline, applicants);
    applicants->shutting = timer_new(options->loop, on_time_over, applicants);
    if (!applicants->deadline || !applicants->shutting) {
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
