/*
 * An agent that was killed, or whose machine went down, has recorded no end of what was open. The
 * next one does so, at its start: whatever begins in the audit ends there, too.
 *
 * It looks at what the last run recorded, up to LOOK_BACK rows, if that does not end with its being
 * stopped. What it appends is in the chain before its own agent.started, so that another crash
 * before that has the next one begin where this one did.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "vps/audit/audit_core.h"

enum { LOOK_BACK = 100000 };

enum { PERSON, TARGET, GATEWAY, SESSION, NAME, KIND, RULE };

/* Behind which the last run recorded; ?1 is LOOK_BACK. */
static const char BEFORE_RUN[] =
    "SELECT coalesce((SELECT seq FROM audit WHERE what = 'agent.started' AND seq > head - ?1"
    " ORDER BY seq DESC LIMIT 1), head - ?1) FROM (SELECT max(seq) AS head FROM audit)";
/*
 * ?1 words that begin something, ?2 words that end it: each between blanks; ?3 behind that row. An
 * index of sessions would lead through all that there ever were.
 */
#define OF_RUN(words) \
    "seq > ?3 AND session IS NOT NULL AND instr(" words ", ' ' || what || ' ') > 0"
#define OF_BODY(key) "CASE WHEN json_valid(body) THEN json_extract(body, '$." key "') END"
#define COLUMNS \
    "person, target, gateway, session, " OF_BODY("name") ", " OF_BODY("kind") ", " OF_BODY("rule")
#define OVER "SELECT session FROM audit NOT INDEXED WHERE " OF_RUN("?2")
static const char LEFT_OPEN[] = "SELECT " COLUMNS " FROM audit NOT INDEXED WHERE " OF_RUN(
    "?1") " AND session NOT IN (" OVER ") GROUP BY session ORDER BY min(seq)";
static const char LAST[] = "SELECT what, at FROM audit ORDER BY seq DESC LIMIT 1";

static const struct {
    const char *begins, *ends;
    enum audit_event end;
} KINDS[] = {
    {" session.opened ", " session.ended ", AUDIT_SESSION_ENDED},
    {" approval.asked factor.asked ",
     " session.opened session.refused approval.refused approval.expired approval.withdrawn ",
     AUDIT_APPROVAL_WITHDRAWN},
};

struct aftermath {
    struct audit *audit;
    bool was_stopped; /* or there was nothing */
    int64_t last_ms;  /* of the last record */
    int64_t before;   /* the last run's first one */
    enum audit_event end;
    unsigned count;
};

static void take_last(void *arg, const struct row *row)
{
    struct aftermath *aftermath = arg;
    const char *stopped = audit_event_row(AUDIT_AGENT_STOPPED)->word;
    aftermath->was_stopped = strcmp(row_text(row, 0), stopped) == 0;
    aftermath->last_ms = row_number(row, 1);
}

static void take_before(void *arg, const struct row *row)
{
    struct aftermath *aftermath = arg;
    aftermath->before = row_number(row, 0);
}

/* "HOME-PC:22", "[fd00::1]:22": the other way around. */
static void set_target(struct audit_entry *entry, const char *target, char host[AUDIT_TARGET_MAX])
{
    const char *colon = strrchr(target, ':');
    size_t len = colon ? (size_t)(colon - target) : 0;
    bool has_brackets = len > 1 && target[0] == '[' && target[len - 1] == ']';
    snprintf(host, AUDIT_TARGET_MAX, "%.*s", (int)(len - 2 * has_brackets), target + has_brackets);
    entry->host = host;
    entry->port = colon ? (uint16_t)strtoul(colon + 1, NULL, 10) : 0;
}

static void record_end(void *arg, const struct row *row)
{
    struct aftermath *aftermath = arg;
    char host[AUDIT_TARGET_MAX], when[CLOCK_TEXT_MAX], why[128];
    struct owner owner;
    struct audit_entry entry = {.what = aftermath->end,
                                .owner = owner_parse(row_text(row, PERSON), &owner) < 0 ? NULL
                                                                                        : &owner,
                                .name = row_text(row, NAME),
                                .session = row_text(row, SESSION),
                                .kind = row_text(row, KIND),
                                .gateway = row_text(row, GATEWAY),
                                .rule = (unsigned)row_number(row, RULE),
                                .word = AUDIT_END_CRASH,
                                .why = why};
    clock_text(aftermath->last_ms / 1000, when);
    snprintf(why, sizeof why, "vps-agent came to a sudden end, at %.32s or later", when);
    set_target(&entry, row_text(row, TARGET), host);
    audit_record(aftermath->audit, &entry, NULL, NULL);
    aftermath->count++;
}

static void end_all(struct aftermath *aftermath, struct store *store)
{
    store_read(store, &(struct statement){BEFORE_RUN, {value_number(LOOK_BACK)}}, take_before,
               aftermath);
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        const struct statement left_open = {LEFT_OPEN,
                                            {value_text(KINDS[i].begins), value_text(KINDS[i].ends),
                                             value_number(aftermath->before)}};
        aftermath->end = KINDS[i].end;
        store_read(store, &left_open, record_end, aftermath);
    }
}

unsigned audit_after_crash(struct audit *audit)
{
    struct aftermath aftermath = {.audit = audit, .was_stopped = true};
    struct store *store = audit ? audit->options.store : NULL;
    store_read(store, &(struct statement){LAST, {{0}}}, take_last, &aftermath);
    if (!aftermath.was_stopped) {
        end_all(&aftermath, store);
    }
    return aftermath.count;
}
