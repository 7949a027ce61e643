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

void strangers_turned_away(const struct terms *terms, const struct addr *from, const char *because)
{
    char host[ADDR_HOST_MAX], cause[CAUSE_MAX];
    sieve_log(terms->services->sieve, cause_of(terms, from, cause), LOG_INFO,
              "session %s: %s is turned away: %s", terms->id, addr_host_text(from, host), because);
}

void strangers_silent(const struct terms *terms, const struct addr *from)
{
    char host[ADDR_HOST_MAX], cause[CAUSE_MAX];
    sieve_log(terms->services->sieve, cause_of(terms, from, cause), LOG_INFO,
              "session %s: %s has said nothing for %d s and is dropped", terms->id,
              addr_host_text(from, host), DOOR_PATIENCE_MS / 1000);
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
    if (strangers->departed++ == 0) {
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
    if (door && strangers->departed > 1) {
        log_crowd(terms, door, "in all ");
    }
}
