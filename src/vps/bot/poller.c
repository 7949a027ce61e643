#include "vps/bot/poller.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/timer.h"
#include "vps/bot/offset.h"
#include "vps/bot/trouble.h"

enum {
    POLL_S = 50, /* the longest that the Bot API allows */
    POLL_TIMEOUT_MS = (POLL_S + 15) * 1000,
    CALL_TIMEOUT_MS = 20000,
    UPDATES_AT_ONCE = 20, /* 20 of the largest stay far below HTTP_BODY_MAX */
    FIRST_WAIT_MS = 1000,
    MAX_WAIT_MS = 30000,
    REVOKED_WAIT_MS = 60000, /* the token was right once: it may be again, but not soon */
};

enum poller_state { POLLER_GREETING, POLLER_REFUSED, POLLER_POLLING, POLLER_STOPPED };

static const char *const STATE_NAMES[] = {"greeting", "refused", "polling", "stopped"};

struct poller {
    struct poller_options options;
    enum poller_state state;
    struct telegram_call *call; /* getMe or getUpdates */
    struct telegram_call *warm;
    struct timer *timer; /* until the next try */
    struct backoff backoff;
    struct trouble trouble;
    struct offset offset;
    int64_t asked; /* the offset of the poll under way */
    bool offset_unwritten;
    struct why why;
};

static void poller_set_state(struct poller *poller, enum poller_state state)
{
    log_debug(poller->options.log, "telegram: %s -> %s", STATE_NAMES[poller->state],
              STATE_NAMES[state]);
    poller->state = state;
}

static void retry_in(struct poller *poller, uint64_t ms)
{
    timer_set(poller->timer, ms);
}

static void retry(struct poller *poller, const struct telegram_reply *reply)
{
    uint64_t wait = backoff_next(&poller->backoff);
    trouble_begin(&poller->trouble, reply->trouble ? reply->trouble : "the answer makes no sense");
    retry_in(poller, reply->retry_after_s > 0 ? (uint64_t)reply->retry_after_s * 1000 : wait);
}

static bool token_is_wrong(const struct telegram_reply *reply)
{
    return reply->from_api && (reply->code == 401 || reply->code == 404);
}

/* --- getUpdates --- */

static void poll_updates(struct poller *poller);

static void on_warm(void *arg, const struct telegram_reply *reply)
{
    (void)reply;
    struct poller *poller = arg;
    poller->warm = NULL;
}

/*
 * Keeps a second connection alive beside that of the long poll: the answer to the next
 * command then goes out without the round trips of a TLS handshake.
 */
static void keep_warm(struct poller *poller)
{
    json_t *params = json_object();
    if (!poller->warm && params) {
        poller->warm = telegram_call(poller->options.telegram, "getMe", params, NULL,
                                     CALL_TIMEOUT_MS, on_warm, poller);
    }
    json_decref(params);
}

/* Before the update is dealt with: rather not at all than twice. */
static void pass(struct poller *poller, int64_t update_id)
{
    int err = offset_pass(&poller->offset, update_id, clock_unix());
    if (err < 0 && !poller->offset_unwritten) {
        log_warn(poller->options.log,
                 "telegram: cannot write %s (%s): a command may run twice after a restart",
                 poller->offset.path, strerror(-err));
    }
    poller->offset_unwritten = err < 0;
}

/* Returns how many updates were new. */
static unsigned deal_with(struct poller *poller, const json_t *result)
{
    unsigned count = 0;
    for (size_t i = 0; i < json_array_size(result) && poller->state == POLLER_POLLING; i++) {
        struct update update;
        if (update_read(result, i, &update) == 0 && update.id >= poller->asked) {
            pass(poller, update.id);
            poller->asked = update.id + 1;
            count++;
            poller->options.update(poller->options.arg, &update);
        }
    }
    return count;
}

static void on_poll_failed(struct poller *poller, const struct telegram_reply *reply)
{
    retry(poller, reply);
    if (token_is_wrong(reply)) {
        retry_in(poller, REVOKED_WAIT_MS);
    } else if (reply->code == 409 && strstr(reply->trouble, "webhook")) {
        log_info(poller->options.log, "telegram: removing the webhook of this bot");
        errands_run(poller->options.errands, "deleteWebhook", json_object());
    }
}

static void on_updates(void *arg, const struct telegram_reply *reply)
{
    struct poller *poller = arg;
    poller->call = NULL;
    if (reply->outcome != TELEGRAM_DONE || !json_is_array(reply->result)) {
        on_poll_failed(poller, reply);
        return;
    }
    bool any = json_array_size(reply->result) > 0;
    if (any && deal_with(poller, reply->result) == 0) {
        /* Not what was asked for: asking at once again would go round in circles. */
        struct telegram_reply nonsense = {.trouble = "it repeats updates, or they have no number"};
        retry(poller, &nonsense);
        return;
    }
    trouble_end(&poller->trouble);
    backoff_reset(&poller->backoff);
    if (poller->state == POLLER_POLLING) {
        /* Last, so that answers to these updates have taken the warm connections. */
        poll_updates(poller);
        if (!any) {
            keep_warm(poller);
        }
    }
}

static void poll_updates(struct poller *poller)
{
    /* After a failure a short one, to know soon whether it works again. */
    int timeout_s = poller->trouble.on ? 0 : POLL_S;
    poller->asked = offset_get(&poller->offset, clock_unix());
    json_t *params = json_pack("{s:I,s:i,s:i,s:[s,s]}", "offset", (json_int_t)poller->asked,
                               "limit", UPDATES_AT_ONCE, "timeout", timeout_s, "allowed_updates",
                               "message", "callback_query");
    if (params) {
        poller->call = telegram_call(poller->options.telegram, "getUpdates", params, NULL,
                                     POLL_TIMEOUT_MS, on_updates, poller);
        json_decref(params);
    }
    if (!poller->call) {
        retry_in(poller, backoff_next(&poller->backoff));
    }
}

/* --- getMe --- */

static void greeted(struct poller *poller, const struct telegram_reply *reply)
{
    const char *name = json_string_value(json_object_get(reply->result, "username"));
    log_info(poller->options.log, "telegram: online as @%.64s", name ? name : "?");
    trouble_end(&poller->trouble);
    backoff_reset(&poller->backoff);
    poller_set_state(poller, POLLER_POLLING);
    poller->options.online(poller->options.arg, name ? name : "");
    poll_updates(poller);
}

static void on_greeting(void *arg, const struct telegram_reply *reply)
{
    struct poller *poller = arg;
    poller->call = NULL;
    if (reply->outcome == TELEGRAM_DONE) {
        greeted(poller, reply);
    } else if (token_is_wrong(reply)) {
        why_set(&poller->why, 0,
                "Telegram refuses the bot token (%d %.60s): check TELEGRAM_TOKEN%s.", reply->code,
                reply->trouble, reply->code == 404 ? " and TELEGRAM_API_URL" : "");
        poller_set_state(poller, POLLER_REFUSED);
        retry_in(poller, 0); /* told from the timer, where the owner is free to end everything */
    } else {
        retry(poller, reply);
    }
}

static void greet(struct poller *poller)
{
    json_t *params = json_object();
    if (params) {
        poller->call = telegram_call(poller->options.telegram, "getMe", params, NULL,
                                     CALL_TIMEOUT_MS, on_greeting, poller);
        json_decref(params);
    }
    if (!poller->call) {
        retry_in(poller, backoff_next(&poller->backoff));
    }
}

static void on_timer(void *arg)
{
    struct poller *poller = arg;
    switch (poller->state) {
    case POLLER_GREETING:
        greet(poller);
        break;
    case POLLER_POLLING:
        poll_updates(poller);
        break;
    case POLLER_REFUSED:
        poller_set_state(poller, POLLER_STOPPED);
        poller->options.refused(poller->options.arg, &poller->why);
        break;
    case POLLER_STOPPED:
        break;
    }
}

/* --- life --- */

int poller_new(const struct poller_options *options, struct poller **ret_poller)
{
    struct poller *poller = calloc(1, sizeof *poller);
    if (!poller) {
        return -ENOMEM;
    }
    poller->options = *options;
    poller->backoff = (struct backoff){.first_ms = FIRST_WAIT_MS, .max_ms = MAX_WAIT_MS};
    trouble_init(&poller->trouble, options->log, "receiving");
    offset_init(&poller->offset, options->state_dir);
    poller->timer = timer_new(options->loop, on_timer, poller);
    if (!poller->timer) {
        poller_free(poller);
        return -ENOMEM;
    }
    greet(poller);
    *ret_poller = poller;
    return 0;
}

bool poller_is_online(const struct poller *poller)
{
    return poller->state == POLLER_POLLING && !poller->trouble.on;
}

void poller_stop(struct poller *poller)
{
    if (poller->state != POLLER_STOPPED) {
        poller_set_state(poller, POLLER_STOPPED);
    }
    timer_stop(poller->timer);
    telegram_cancel(poller->call);
    telegram_cancel(poller->warm);
    poller->call = poller->warm = NULL;
}

void poller_free(struct poller *poller)
{
    if (poller) {
        telegram_cancel(poller->call);
        telegram_cancel(poller->warm);
        timer_free(poller->timer);
        free(poller);
    }
}
