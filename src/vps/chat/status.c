/*
 * /status: whether anything is wrong, and what there is: to an administrator what pamctl status
 * says, to everybody else what concerns them. command.def has its row, command.h the declaration.
 */
#include <string.h>

#include "base/clock.h"
#include "vps/audit/audit.h"
#include "vps/chat/command.h"
#include "vps/chat/language.h"
#include "vps/chat/panic.h"
#include "vps/chat/texts.h"
#include "vps/gateways/gateways.h"
#include "vps/transport/html.h"

struct report {
    const struct conversation *conversation;
    const struct gateways *gateways; /* NULL: the agent is being stopped */
    struct text *html;
    bool to_administrator;
    bool anything_wrong;
};

static void begin_trouble(struct report *report)
{
    report->anything_wrong = true;
    text_add(report->html, "⚠️ ");
}

/* ---- what is wrong --------------------------------------------------------- */

static void add_away(struct report *report)
{
    char name_buffer[TEXTS_PART_SIZE], span[TEXTS_PART_SIZE];
    struct attendance_away away;
    unsigned at = 0;
    while (attendance_next_away(gateways_attendance(report->gateways), clock_ms(), &at, &away)) {
        struct text name = text_over(name_buffer, sizeof name_buffer);
        begin_trouble(report);
        html_add(&name, away.name);
        text_add(report->html,
                 away.from ? "Gateway %s has been away for %s.\n"
                           : "Gateway %s has not come since this server started, %s ago.\n",
                 name_buffer, texts_span(report->html, away.seconds, span));
    }
}

static void add_audit(struct report *report)
{
    int err = audit_trouble(report->conversation->audit);
    if (err < 0) {
        char said[128];
        begin_trouble(report);
        text_add(report->html, "What happens cannot be recorded (%s).\n",
                 language_sentence(report->html, strerror(-err), said, sizeof said));
    }
}

static void add_troubles(struct report *report)
{
    char words[256] = "";
    struct text trouble = text_over(words, sizeof words);
    if (lockdown_view(sessions_lockdown(report->conversation->sessions), NULL)) {
        begin_trouble(report);
        panic_add_lock(report->conversation, report->html);
        text_add(report->html, "\n");
    }
    if (sessions_are_draining(report->conversation->sessions)) {
        begin_trouble(report);
        text_add(report->html, "The server is about to be restarted and opens no new sessions.\n");
    }
    add_audit(report);
    if (report->gateways && !gateways_next(report->gateways, NULL)) {
        begin_trouble(report);
        text_add(report->html, "No gateway is online: no machine can be reached.\n");
    }
    if (report->gateways) {
        add_away(report);
    }
    transport_trouble(report->conversation->transport, &trouble);
    if (words[0] && report->to_administrator) { /* it comes through, but perhaps late */
        begin_trouble(report);
        text_add(report->html, "Telegram: ");
        html_add_sentence(report->html, words);
        text_add(report->html, "\n");
    }
    if (!report->anything_wrong) {
        text_add(report->html, "🟢 All is well.\n");
    }
}

/* ---- what there is --------------------------------------------------------- */

/* On one machine it is some microseconds. */
static void add_round_trip(struct text *html, uint64_t rtt_us)
{
    unsigned tenths = (unsigned)((rtt_us + 50) / 100);
    if (tenths == 0) {
        text_add(html, ", round trip under 0.1 ms.\n");
    } else {
        text_add(html, ", round trip %u.%u ms.\n", tenths / 10, tenths % 10);
    }
}

static void add_gateways(struct report *report)
{
    const struct gateway *gateway = NULL;
    while (report->gateways && (gateway = gateways_next(report->gateways, gateway))) {
        char name[TEXTS_PART_SIZE], span[TEXTS_PART_SIZE], from[TEXTS_PART_SIZE];
        struct gateway_view view;
        gateway_view(gateway, &view);
        texts_in_tag(report->html, "b", view.name, name);
        if (report->to_administrator) {
            texts_span(report->html, view.seconds_online, span);
            texts_client(report->html, &view.from, from);
            text_add(report->html, "Gateway %s has been online for %s, from %s", name, span, from);
            add_round_trip(report->html, view.rtt_us);
        } else {
            text_add(report->html, "Gateway %s is online.\n", name);
        }
    }
}

static void add_sessions(struct report *report, int64_t person)
{
    const struct owner reader = transport_owner(report->conversation->transport, person);
    unsigned own = 0, all = 0, connections = 0;
    struct session *session = NULL;
    while ((session = sessions_next(report->conversation->sessions, session))) {
        struct session_view view;
        session_view(session, &view);
        bool is_own = owner_equal(&view.owner, &reader);
        own += is_own;
        all++;
        connections += is_own || report->to_administrator ? view.connections : 0;
    }
    texts_status_sessions(report->html, report->to_administrator ? all : own, connections,
                          report->to_administrator);
}

static void add_agent(struct report *report)
{
    char span[TEXTS_PART_SIZE];
    uint64_t seconds = (clock_ms() - report->conversation->began_ms) / 1000;
    text_add(report->html, "\nvps-agent %s, up for %s.", PAMTUNNEL_VERSION,
             texts_span(report->html, seconds, span));
}

void status_run(struct conversation *conversation, const struct incoming *incoming,
                const struct command *command)
{
    (void)command;
    char buffer[TEXTS_SIZE];
    struct text html = conversation_text(conversation, incoming->person, buffer, sizeof buffer);
    struct report report = {
        .conversation = conversation,
        .gateways = sessions_all_gateways(conversation->sessions),
        .html = &html,
        .to_administrator = conversation_may(conversation, WHO_ADMINISTRATOR, incoming->person,
                                             NULL),
    };
    add_troubles(&report);
    add_gateways(&report);
    add_sessions(&report, incoming->person);
    if (report.to_administrator) {
        add_agent(&report);
    }
    transport_say(conversation->transport, incoming->person, buffer);
}
