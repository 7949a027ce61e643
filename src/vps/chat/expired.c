#include "vps/chat/expired.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/timer.h"
#include "vps/chat/texts.h"

/*
 * After an outage everything comes in one batch or two: a notice for each command would fill the
 * chat and stand in front of the answers to those that are still fresh.
 */
enum { NOTICE_AFTER_MS = 1000 }; /* after the last one that came */

struct expired {
    const struct log *log;
    struct transport *transport;
    const struct readers *readers;
    struct timer *timer;
    struct notice *notices;
};

/* Of one chat: at most one per user. */
struct notice {
    struct notice *next;
    int64_t person;
    unsigned count;
    int64_t age_s; /* of the youngest */
};

static void send_notice(struct expired *expired, const struct notice *notice)
{
    char buffer[TEXTS_SIZE];
    struct text html = readers_text(expired->readers, notice->person, buffer, sizeof buffer);
    log_info(expired->log,
             "%s: %u command%s of user %" PRId64 " expired, the last one %" PRId64 " s old",
             transport_name(expired->transport), notice->count, notice->count == 1 ? "" : "s",
             notice->person, notice->age_s);
    texts_expired(&html, notice->count, notice->age_s);
    transport_say(expired->transport, notice->person, buffer);
}

static struct notice *take_notice(struct expired *expired)
{
    struct notice *notice = expired->notices;
    if (notice) {
        expired->notices = notice->next;
    }
    return notice;
}

static void on_timer(void *arg)
{
    struct expired *expired = arg;
    struct notice *notice;
    while ((notice = take_notice(expired))) {
        send_notice(expired, notice);
        free(notice);
    }
}

struct expired *expired_new(uv_loop_t *loop, const struct log *log, struct transport *transport,
                            const struct readers *readers)
{
    struct expired *expired = malloc(sizeof *expired);
    if (!expired) {
        return NULL;
    }
    *expired = (struct expired){.log = log, .transport = transport, .readers = readers};
    expired->timer = timer_new(loop, on_timer, expired);
    if (!expired->timer) {
        free(expired);
        return NULL;
    }
    return expired;
}

void expired_free(struct expired *expired)
{
    if (!expired) {
        return;
    }
    struct notice *notice;
    while ((notice = take_notice(expired))) {
        free(notice);
    }
    timer_free(expired->timer);
    free(expired);
}

static struct notice *notice_for(struct expired *expired, int64_t person)
{
    for (struct notice *notice = expired->notices; notice; notice = notice->next) {
        if (notice->person == person) {
            return notice;
        }
    }
    struct notice *notice = malloc(sizeof *notice);
    if (notice) {
        *notice = (struct notice){.next = expired->notices, .person = person, .age_s = INT64_MAX};
        expired->notices = notice;
    }
    return notice;
}

void expired_add(struct expired *expired, int64_t person, int64_t age_s)
{
    struct notice *notice = notice_for(expired, person);
    if (notice) {
        notice->count++;
        notice->age_s = age_s < notice->age_s ? age_s : notice->age_s;
        timer_set(expired->timer, NOTICE_AFTER_MS);
    }
}
