/*
 * What is due is told a moment later, so that gateways that go together (a line is down, the VPS
 * has another address) are one message. Told from the timer only, never from inside an event.
 */
#include "vps/chat/gateway_news.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/timer.h"
#include "vps/chat/absences.h"
#include "vps/chat/administrators.h"
#include "vps/chat/texts.h"
#include "vps/gateways/gateways.h"
#include "vps/transport/html.h"

enum {
    GATHER_MS = 2000,
    TOLD_AT_ONCE_MAX = 16, /* of gateways, in a message */
};

struct gateway_news {
    const struct conversation *conversation;
    struct timer *timer;
    struct absences absences;
    uint64_t began_ms;
    uint64_t fires_ms; /* the timer does; UINT64_MAX: it is not set */
    bool looked;       /* for those that have not come since the start */
};

/* ---- in words -------------------------------------------------------------------- */

static void add_tiding(struct text *html, const struct absence_tiding *tiding)
{
    char host[ADDR_HOST_MAX], name_buffer[8 * GATEWAY_NAME_MAX], span_buffer[64], window[64];
    struct text name = text_for_reader_of(html, name_buffer, sizeof name_buffer);
    struct text span = text_for_reader_of(html, span_buffer, sizeof span_buffer);
    struct text whole = text_for_reader_of(html, window, sizeof window);
    html_add(&name, tiding->name);
    text_add_seconds(&span, tiding->seconds);
    text_add_seconds(&whole, ABSENCE_WINDOW_MS / 1000);
    switch (tiding->kind) {
    case ABSENCE_GONE:
        text_add(html,
                 "⚠️ Gateway %s has been offline for %s: nothing behind it can be opened until "
                 "it is "
                 "back. It was last here from <code>%s</code>.",
                 name_buffer, span_buffer, addr_host_text(tiding->from, host));
        break;
    case ABSENCE_NEVER:
        text_add(
            html,
            "⚠️ Gateway %s has not come since vps-agent started %s ago: nothing behind it can "
            "be opened until it is there.",
            name_buffer, span_buffer);
        break;
    case ABSENCE_BACK:
        text_add(html, "✅ Gateway %s is back after %s.", name_buffer, span_buffer);
        break;
    case ABSENCE_UNSTEADY:
        text_add(
            html,
            "⚠️ Gateway %s is coming and going. Nothing more is said of it until it has stayed "
            "online, or offline, for %s.",
            name_buffer, window);
        break;
    case ABSENCE_STEADY:
        text_add(html, "✅ Gateway %s has been online for %s without a break.", name_buffer,
                 span_buffer);
        break;
    case ABSENCE_NONE:
        break;
    }
}

/* What is told at once. */
struct tidings {
    struct absence_tiding list[TOLD_AT_ONCE_MAX];
    unsigned count;
};

static void write_tidings(const struct conversation *conversation, struct text *html,
                          const void *about)
{
    const struct tidings *tidings = about;
    (void)conversation;
    for (unsigned i = 0; i < tidings->count; i++) {
        text_add(html, "%s", i ? "\n" : "");
        add_tiding(html, &tidings->list[i]);
    }
}

/* ---- when ------------------------------------------------------------------------ */

static const struct attendance *attendance_of(const struct gateway_news *news)
{
    const struct gateways *gateways = sessions_all_gateways(news->conversation->sessions);
    return gateways ? gateways_attendance(gateways) : NULL;
}

/* One that was removed has not gone. */
static void drop_strangers(struct gateway_news *news, const struct attendance *attendance)
{
    for (unsigned i = news->absences.count; i-- > 0;) {
        const char *name = news->absences.list[i].name;
        if (!attendance_knows(attendance, name)) {
            absences_forget(&news->absences, name);
        }
    }
}

/* Those that should be here; of the others that are away, events have told. */
static void look_for_missed(struct gateway_news *news, const struct attendance *attendance)
{
    struct attendance_away away;
    for (unsigned at = 0; attendance_next_away(attendance, clock_ms(), &at, &away);) {
        if (away.missed && !away.from) {
            absences_missed(&news->absences, away.name, news->began_ms);
        }
    }
    news->looked = true;
}

/* Never later than it was set for: one that comes and goes all the time holds up no other. */
static void set_timer(struct gateway_news *news)
{
    uint64_t now = clock_ms(), due = absences_due(&news->absences);
    uint64_t start = news->began_ms + ABSENCE_START_MS;
    due = !news->looked && start < due ? start : due;
    uint64_t fires = due == UINT64_MAX ? due : (due > now ? due : now) + GATHER_MS;
    if (fires < news->fires_ms) {
        news->fires_ms = fires;
        timer_set(news->timer, fires - now);
    }
}

static void on_timer(void *arg)
{
    struct gateway_news *news = arg;
    const struct attendance *attendance = attendance_of(news);
    struct tidings tidings = {.count = 0};
    news->fires_ms = UINT64_MAX;
    if (!attendance) { /* the agent is being stopped */
        return;
    }
    drop_strangers(news, attendance);
    if (!news->looked && clock_ms() >= news->began_ms + ABSENCE_START_MS) {
        look_for_missed(news, attendance);
    }
    while (tidings.count < TOLD_AT_ONCE_MAX &&
           absences_next(&news->absences, clock_ms(), &tidings.list[tidings.count])) {
        tidings.count++;
    }
    if (tidings.count > 0) {
        administrators_tell(news->conversation, 0, write_tidings, &tidings);
    }
    set_timer(news);
}

void gateway_news_hear(struct gateway_news *news, const struct session_event *event)
{
    if (event->kind == SESSION_GATEWAY_CAME) {
        absences_came(&news->absences, event->gateway, event->address, clock_ms());
    } else if (event->kind == SESSION_GATEWAY_WENT) {
        absences_went(&news->absences, event->gateway, clock_ms());
    } else {
        return;
    }
    set_timer(news);
}

/* ---- life ------------------------------------------------------------------------ */

struct gateway_news *gateway_news_new(const struct conversation *conversation)
{
    struct gateway_news *news = calloc(1, sizeof *news);
    if (!news) {
        return NULL;
    }
    news->conversation = conversation;
    news->began_ms = clock_ms();
    news->fires_ms = UINT64_MAX;
    news->timer = timer_new(conversation->loop, on_timer, news);
    if (!news->timer) {
        free(news);
        return NULL;
    }
    set_timer(news);
    return news;
}

void gateway_news_free(struct gateway_news *news)
{
    if (news) {
        timer_free(news->timer);
        free(news);
    }
}
