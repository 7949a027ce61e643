#include "vps/session/strangers.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/origin.h"
#include "base/text.h"

enum { TOLD_EVERY_S = 600, CAUSE_MAX = 96 };

/* For the sieve: clients of one network at one session. Returns dst. */
static char *cause_of(const struct terms *terms, const struct addr *from, char dst[CAUSE_MAX])
{
    char network[NETWORK_TEXT_MAX];
    snprintf(dst, CAUSE_MAX, "session %s: clients of %s", terms->id,
             origin_network_text(from, network));
    return dst;
}

/* A word never changes its meaning: programs know it from the audit. */
static const struct {
    const char *word, *clause;
} REASONS[] = {
    [STRANGER_BLOCKED] = {"blocked", "blocked"},
    [STRANGER_TOO_LATE] = {"too_late", "somebody else is in"},
    [STRANGER_TOO_MANY] = {"too_many", "as many are connected as may be at once"},
    [STRANGER_ELSEWHERE] = {"elsewhere", "the right secret, but another address"},
    [STRANGER_SILENT] = {"silent", "it said nothing"},
    [STRANGER_UNFIT] = {"unfit", "it did not speak as a client does"},
    [STRANGER_NO_PLACE] = {"no_place", "too many were waiting already"},
    [STRANGER_MADE_ROOM] = {"made_room", "it made room for another one"},
    [STRANGER_SENT_OFF] = {"sent_off", "it was sent off without a question"},
    [STRANGER_UNASKED] = {"unasked", "it hung up before the user was asked about it"},
};
_Static_assert(sizeof REASONS / sizeof *REASONS == STRANGER_REASONS, "a reason has no word");

const char *stranger_word(enum stranger_reason reason)
{
    return REASONS[reason].word;
}

const char *stranger_clause(enum stranger_reason reason)
{
    return REASONS[reason].clause;
}

void strangers_count(struct strangers *strangers, enum stranger_reason reason)
{
    strangers->counts[reason] += strangers->counts[reason] < UINT32_MAX;
}

void strangers_turned_away(struct strangers *strangers, const struct terms *terms,
                           const struct addr *from, enum stranger_reason reason)
{
    char host[ADDR_HOST_MAX], cause[CAUSE_MAX];
    strangers_count(strangers, reason);
    sieve_log(terms->services->sieve, cause_of(terms, from, cause), LOG_INFO,
              "session %s: %s is turned away: %s", terms->id, addr_host_text(from, host),
              stranger_clause(reason));
}

void strangers_silent(struct strangers *strangers, const struct terms *terms,
                      const struct addr *from)
{
    char host[ADDR_HOST_MAX], cause[CAUSE_MAX];
    strangers_count(strangers, STRANGER_SILENT);
    sieve_log(terms->services->sieve, cause_of(terms, from, cause), LOG_INFO,
              "session %s: %s has said nothing for %d s and is dropped", terms->id,
              addr_host_text(from, host), DOOR_PATIENCE_MS / 1000);
}

static const enum stranger_reason OF_DEPARTURE[] = {
    [DEPARTURE_NO_PLACE] = STRANGER_NO_PLACE,
    [DEPARTURE_MADE_ROOM] = STRANGER_MADE_ROOM,
    [DEPARTURE_SENT_OFF] = STRANGER_SENT_OFF,
    [DEPARTURE_UNASKED] = STRANGER_UNASKED,
};

/* That went without a question. */
static uint64_t count_departed(const struct strangers *strangers)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < sizeof OF_DEPARTURE / sizeof *OF_DEPARTURE; i++) {
        count += strangers->counts[OF_DEPARTURE[i]];
    }
    return count;
}

static const char *departure_text(enum departure departure)
{
    switch (departure) {
    case DEPARTURE_NO_PLACE:
        return "is turned away: too many are waiting already";
    case DEPARTURE_MADE_ROOM:
        return "is sent off to make room for another one";
    case DEPARTURE_SENT_OFF:
        return "is sent off, without a question";
    case DEPARTURE_UNASKED:
        break;
    }
    return "hung up before the user was asked about it";
}

void strangers_departed(struct strangers *strangers, const struct terms *terms,
                        const struct addr *from, const char *words, enum departure departure)
{
    char line[400], host[ADDR_HOST_MAX], cause[CAUSE_MAX];
    struct text text = text_over(line, sizeof line);
    text_add(&text, "session %s: %s%s%s%s %s", terms->id, addr_host_text(from, host),
             words[0] ? " (" : "", words, words[0] ? ")" : "", departure_text(departure));
    /* The first one of a session is always worth a line; the rest go through the sieve. */
    strangers_count(strangers, OF_DEPARTURE[departure]);
    if (count_departed(strangers) == 1) {
        log_info(log_of(terms), "%s", line);
    } else {
        sieve_log(terms->services->sieve, cause_of(terms, from, cause), LOG_INFO, "%s", line);
    }
}

static void add_busiest(struct text *text, const struct knocking *knocking)
{
    for (unsigned i = 0; i < knocking->busiest_count; i++) {
        text_add(text, "%s%s (%u)", i == 0 ? ", most from " : ", ", knocking->busiest[i].network,
                 knocking->busiest[i].clients);
    }
}

static void log_crowd(const struct terms *terms, const struct door *door, const char *prefix)
{
    char buffer[400];
    struct text text = text_over(buffer, sizeof buffer);
    struct knocking knocking;
    door_knocking(door, &knocking);
    text_add(&text, "%u unknown client%s from %s%u network%s", knocking.clients,
             knocking.clients == 1 ? "" : "s", knocking.more_networks ? "more than " : "",
             knocking.networks, knocking.networks == 1 ? "" : "s");
    add_busiest(&text, &knocking);
    log_info(log_of(terms), "session %s: %s%s; %u wait unasked", terms->id, prefix, buffer,
             knocking.unasked);
}

void strangers_knocking(struct strangers *strangers, const struct terms *terms,
                        const struct door *door)
{
    uint32_t now = (uint32_t)(clock_ms() / 1000);
    if (strangers->told_s == 0 || now - strangers->told_s >= TOLD_EVERY_S) {
        strangers->told_s = now;
        log_crowd(terms, door, "strangers are knocking: ");
    }
}

void strangers_sum_up(const struct strangers *strangers, const struct terms *terms,
                      const struct door *door)
{
    if (door && count_departed(strangers) > 1) {
        log_crowd(terms, door, "in all ");
    }
}
