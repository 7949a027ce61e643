#include "vps/chat/audit_news.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/timer.h"
#include "vps/audit/audit.h"
#include "vps/chat/administrators.h"
#include "vps/chat/language.h"

enum { LOOK_MS = 60000, DAY_S = 86400 };

struct audit_news {
    const struct conversation *conversation;
    struct timer *timer;
    int64_t day;      /* of Unix time: on which it was told last, or began */
    int64_t told_seq; /* of the head that was told last */
};

/* ---- in words -------------------------------------------------------------- */

static void add_advice(struct text *html, int err)
{
    if (err == -ENOSPC || err == -EDQUOT) {
        text_add(html, "Make room on the server's disk.");
    } else {
        text_add(html, "Look at the server: vps-agent tries again by itself, but its disk, or the "
                       "file state.db in STATE_DIR, may be in trouble.");
    }
}

/* about: why nothing can be recorded, -errno; 0: it can. */
static void write_change(const struct conversation *conversation, struct text *html,
                         const void *about)
{
    int err = *(const int *)about;
    char said[128];
    const char *why = language_sentence(html, strerror(-err), said, sizeof said);
    if (err == 0) {
        text_add(html, "✅ What happens is recorded again.");
    } else if (conversation->settings->audit_full == AUDIT_FULL_REFUSE) {
        text_add(
            html,
            "⚠️ What happens cannot be recorded (%s). No new session is opened until it can; "
            "those that are open go on. ",
            why);
        add_advice(html, err);
    } else {
        text_add(html,
                 "⚠️ What happens cannot be recorded (%s). Sessions are opened all the same. ",
                 why);
        add_advice(html, err);
    }
}

/* about: the head, as audit_head_text() writes it. */
static void write_head(const struct conversation *conversation, struct text *html,
                       const void *about)
{
    const char *head = about;
    (void)conversation;
    text_add(html,
             "Today the audit ends at <code>%s</code>. Forward this message, or write that down: "
             "<code>pamctl audit verify %s</code> proves later that nothing before it was changed.",
             head, head + 1);
}

void audit_news_changed(const struct audit_news *news, int err)
{
    administrators_tell(news->conversation, 0, write_change, &err);
}

/* ---- once a day ------------------------------------------------------------- */

/* At the end of a day on which something happened; by the clock, which may be set at any time. */
static void on_timer(void *arg)
{
    struct audit_news *news = arg;
    int64_t day = clock_unix() / DAY_S, seq = audit_head(news->conversation->audit).seq;
    char head[AUDIT_HEAD_TEXT_MAX];
    timer_set(news->timer, LOOK_MS);
    if (day == news->day) {
        return;
    }
    news->day = day;
    if (seq != news->told_seq) {
        news->told_seq = seq;
        audit_head_text(news->conversation->audit, head);
        administrators_tell(news->conversation, 0, write_head, head);
        log_info(news->conversation->log, "audit: ends at %s today", head);
    }
}

struct audit_news *audit_news_new(const struct conversation *conversation)
{
    struct audit_news *news = calloc(1, sizeof *news);
    if (!news) {
        return NULL;
    }
    news->conversation = conversation;
    news->day = clock_unix() / DAY_S;
    news->timer = timer_new(conversation->loop, on_timer, news);
    if (!news->timer) {
        free(news);
        return NULL;
    }
    timer_set(news->timer, LOOK_MS);
    return news;
}

void audit_news_free(struct audit_news *news)
{
    if (news) {
        timer_free(news->timer);
        free(news);
    }
}
