#include "vps/figures/session_tally.h"

#include <string.h>

#include "vps/session/session.h"

/* ---- counting ------------------------------------------------------------- */

static void count_refusal(struct session_tally *tally, const char *word)
{
    unsigned i = 0;
    while (strcmp(session_refusal_word_at(i), word) != 0) {
        i++;
    }
    if (i < SESSION_TALLY_REFUSALS) {
        tally->refused[i]++;
    }
}

static void count_end(struct session_tally *tally, const struct session_event *event)
{
    const struct session_view *view = event->view;
    const struct strangers *strangers = session_strangers(event->session);
    for (unsigned i = 0; i < STRANGER_REASONS; i++) {
        tally->strangers[i] += strangers->counts[i];
    }
    tally->ended[view->end]++;
    tally->bytes_to_target += view->bytes_to_target;
    tally->bytes_to_client += view->bytes_to_client;
}

void session_tally_event(struct session_tally *tally, const struct session_event *event)
{
    switch (event->kind) {
    case SESSION_REFUSED:
        count_refusal(tally, session_refusal_word(event->err));
        break;
    case SESSION_GATEWAY_CAME:
        tally->gateways_came++;
        break;
    case SESSION_GATEWAY_WENT:
        tally->gateways_went++;
        break;
    case SESSION_OPENED:
        tally->opened[event->view->kind]++;
        break;
    case SESSION_PARKED:
        tally->asked++;
        break;
    case SESSION_ADMITTED:
        tally->by_person += event->by != NULL;
        tally->by_itself += event->by == NULL;
        break;
    case SESSION_BLOCKED:
        tally->blocked++;
        break;
    case SESSION_CHANGED:
        if (event->to == SESSION_ENDED) {
            count_end(tally, event);
        }
        break;
    case SESSION_SERVER_LOCKED:
    case SESSION_SERVER_UNLOCKED:
    case SESSION_ASKED:
    case SESSION_ENDING:
    case SESSION_SPARED:
    case SESSION_UNPARKED:
    case SESSION_NOTED:
    case SESSION_KNOCKING:
    case SESSION_MAC_SEEN:
    case SESSION_GATEWAY_WOKE:
    case SESSION_LINKED:
    case SESSION_KEY_DOUBTED:
    case SESSION_KEY_DECIDED:
        break;
    }
}

/* ---- showing -------------------------------------------------------------- */

static void measure_openings(const struct session_tally *tally, struct metrics *metrics)
{
    const char *word;
    metrics_family(metrics, METRICS_COUNTER, "pamtunnel_sessions_opened",
                   "Sessions that were opened.");
    for (unsigned i = 0; i < KIND_COUNT; i++) {
        metrics_add(metrics, tally->opened[i], "kind", kind_name((enum kind)i), NULL);
    }
    metrics_family(metrics, METRICS_COUNTER, "pamtunnel_sessions_refused",
                   "Sessions that were asked for and not opened, by reason.");
    for (unsigned i = 0; i < SESSION_TALLY_REFUSALS && (word = session_refusal_word_at(i)); i++) {
        metrics_add(metrics, tally->refused[i], "reason", word, NULL);
    }
}

static void measure_ends(const struct session_tally *tally, struct metrics *metrics)
{
    metrics_family(metrics, METRICS_COUNTER, "pamtunnel_sessions_ended",
                   "Sessions that are over, by how they ended.");
    for (unsigned i = SESSION_END_NONE + 1; i < SESSION_END_COUNT; i++) {
        metrics_add(metrics, tally->ended[i], "end", session_end_word((enum session_end)i), NULL);
    }
}

static void measure_admissions(const struct session_tally *tally, struct metrics *metrics)
{
    metrics_family(metrics, METRICS_COUNTER, "pamtunnel_admissions",
                   "Clients that somebody was asked about, that a person admitted or blocked, and "
                   "that were let in without a question.");
    metrics_add(metrics, tally->asked, "verdict", "asked", NULL);
    metrics_add(metrics, tally->by_person, "verdict", "admitted", NULL);
    metrics_add(metrics, tally->blocked, "verdict", "blocked", NULL);
    metrics_add(metrics, tally->by_itself, "verdict", "automatic", NULL);
}

void session_tally_measure(const struct session_tally *tally, struct metrics *metrics)
{
    measure_openings(tally, metrics);
    measure_ends(tally, metrics);
    measure_admissions(tally, metrics);
    metrics_one(metrics, METRICS_COUNTER, "pamtunnel_gateway_logins", "Logins of gateways.",
                tally->gateways_came);
    metrics_one(metrics, METRICS_COUNTER, "pamtunnel_gateway_losses",
                "How often a gateway went offline.", tally->gateways_went);
}
