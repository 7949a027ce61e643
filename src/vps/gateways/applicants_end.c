/* Who hears of an applicant, and how one comes to its end. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "vps/gateways/applicants_core.h"

/* ---- telling ------------------------------------------------------------------- */

void applicants_look(const struct applicants *applicants, struct applicant_view *ret_view)
{
    uint64_t now = clock_ms(), end = applicants->answer_by_ms;
    *ret_view = (struct applicant_view){
        .id = applicants->id,
        .name = applicants->name,
        .code = applicants->code,
        .program = applicants->program,
        .from = applicants->from,
        .seconds_left = now < end ? (unsigned)((end - now + 999) / 1000) : 0,
        .let_in = applicants->phase > APPLICANT_ASKED,
        .replaces = applicants->replaces,
        .resembles = applicants->resembles[0] ? applicants->resembles : NULL,
    };
}

int applicants_record(struct applicants *applicants, enum audit_event what, const char *word,
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
        bool is_recorded;
        enum audit_event what;
        const char *word;
    } ROWS[] = {
        [APPLICANT_ASKS] = {true, AUDIT_GATEWAY_PENDING, NULL},
        [APPLICANT_DENIED] = {true, AUDIT_GATEWAY_DENIED, "denied"},
        [APPLICANT_EXPIRED] = {true, AUDIT_GATEWAY_DENIED, "expired"},
        [APPLICANT_LEFT] = {true, AUDIT_GATEWAY_DENIED, "left"},
        [APPLICANT_FAILED] = {true, AUDIT_GATEWAY_DENIED, "failed"},
    };
    bool is_there = event->kind < sizeof ROWS / sizeof *ROWS && ROWS[event->kind].is_recorded;
    if (is_there) {
        applicants_record(applicants, ROWS[event->kind].what, ROWS[event->kind].word, event, NULL);
    }
}

void applicants_tell(struct applicants *applicants, const struct applicant_event *event)
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
    applicants->phase = APPLICANT_NOBODY;
    applicants->channel = NULL;
    applicants->code[0] = applicants->name[0] = '\0';
}

void applicants_hang_up(struct applicants *applicants, struct channel *channel,
                        enum goodbye_reason reason, const char *text)
{
    channel_goodbye(channel, reason, text);
    applicants->options.hang_up(applicants->options.arg, channel);
}

void applicants_over(struct applicants *applicants, enum applicant_event_kind kind, const char *why,
                     const char *farewell)
{
    struct channel *channel = applicants->channel;
    bool asked = applicants->phase >= APPLICANT_ASKED;
    char name[GATEWAY_NAME_MAX + 1], code[ACCORD_CODE_MAX];
    struct owner by = applicants->by;
    struct applicant_view about;
    bool has_by = kind == APPLICANT_PAIRED || kind == APPLICANT_DENIED;
    applicants_look(applicants, &about);
    memcpy(name, applicants->name, sizeof name);
    memcpy(code, applicants->code, sizeof code);
    about.name = name;
    about.code = code;
    forget(applicants);
    if (channel) {
        applicants_hang_up(applicants, channel,
                           kind == APPLICANT_PAIRED ? GOODBYE_PAIRED : GOODBYE_UNPAIRED, farewell);
    }
    if (asked) {
        const struct applicant_event event = {
            .kind = kind, .view = &about, .by = has_by ? &by : NULL, .why = why};
        say_end(applicants, &event);
        applicants_tell(applicants, &event);
    }
}

void applicants_say_away(const struct applicants *applicants, const struct addr *from,
                         const char *name, const char *why)
{
    char line[512];
    struct text text = text_over(line, sizeof line);
    text_add(&text, "wanted to be paired%s%s%s, and was told: %s", name ? " as \"" : "",
             name ? name : "", name ? "\"" : "", why);
    applicants->options.turned_away(applicants->options.arg, from, line);
}

void applicants_turn_away(struct applicants *applicants, const char *text, const char *farewell)
{
    struct addr from = applicants->from;
    if (applicants->phase == APPLICANT_MET && applicants->name[0]) { /* it counts as a try */
        struct applicant_view about;
        applicants_look(applicants, &about);
        const struct applicant_event event = {
            .kind = APPLICANT_FAILED, .view = &about, .why = text};
        record_event(applicants, &event);
    }
    applicants_over(applicants, APPLICANT_FAILED, text, farewell);
    applicants->options.turned_away(applicants->options.arg, &from, text);
}
