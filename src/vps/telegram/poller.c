/*
 * A poll's updates are dealt with only when the state file knows that they are (on_passed): of a
 * command that a crash interrupts, not being run is better than being run twice, since whoever sent
 * it sees the one and not the other. So there are three stays: the poll under way (call), what it
 * brought and is being noted (batch), and the wait before the next try (timer); at most one at a
 * time.
 *
 * What may go wrong, and what is done about it:
 *   the way there, the server   tried again with backoff, at first with short polls (retry)
 *   something ends long polls   they become shorter (learn_length)
 *   another program polls, too  said in the log and in the status (poller_is_conflict)
 *   a webhook is set            removed
 *   an update we cannot parse   stepped over, or it would come for ever (step_over)
 *   numbers that begin anew     taken (numbers_began_anew)
 *   a token that is refused     at the start it ends the agent; later it may have been revoked
 *                               by mistake, and is tried once a minute
 *
 * Re-entrancy: `update` may stop the poller, and the rest of the batch is then not dealt with;
 * `refused` may free it, as it is called from the timer.
 */
#include "vps/telegram/poller.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/sieve.h"
#include "base/timer.h"
#include "vps/telegram/offset.h"
#include "vps/telegram/poll_length.h"
#include "vps/telegram/poller_failure.h"
#include "vps/telegram/server_clock.h"
#include "vps/telegram/trouble.h"

enum {
    POLL_SLACK_S = 5,         /* for the way there and back */
    SHORT_TIMEOUT_MS = 10000, /* of calls that do not wait */
    UPDATES_AT_ONCE = 20,     /* 20 of the largest stay far below HTTP_BODY_MAX */
    FIRST_WAIT_MS = 1000,
    MAX_WAIT_MS = 30000,
    EMPTY_EVERY_MS = 1000, /* for servers that do not wait */
    WARM_EVERY_MS = 45000, /* servers close idle connections after a minute or more */
    UNREADABLE_MAX = 2,    /* the same poll, until updates are asked for one by one */
    CONFLICT_TOLD_MS = 10 * 60 * 1000,
    /*
     * The Bot API takes an offset beyond its newest update as an acknowledgement only if it
     * is at most 10 ahead, and starts at its oldest update otherwise.
     */
    AHEAD_MAX = 10,
};

enum poller_state { POLLER_GREETING, POLLER_REFUSED, POLLER_POLLING, POLLER_STOPPED };

static const char *const STATE_NAMES[] = {"greeting", "refused", "polling", "stopped"};

struct poller {
    struct poller_options options;
    enum poller_state state;
    struct api_call *call; /* getMe or getUpdates */
    struct api_call *warm;
    struct timer *timer; /* until the next try */
    struct backoff backoff;
    struct trouble trouble;
    struct poll_length poll_length;
    struct server_clock clock;
    struct offset offset;
    int64_t asked; /* the offset of the poll under way */
    json_t *batch; /* what it brought, until a restart would know of it */
    unsigned asked_s;
    uint64_t asked_ms, warm_ms, conflict_ms;
    unsigned unreadable; /* answers in a row that could not be parsed */
    bool one_by_one;
    bool offset_unwritten;
    struct sieve *anew;
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

static void retry(struct poller *poller, const struct api_reply *reply)
{
    char reason[TROUBLE_REASON_MAX];
    struct text text = text_over(reason, sizeof reason);
    poller_failure_text(reply, &text);
    trouble_begin(&poller->trouble, reason);
    retry_in(poller, poller_failure_wait_ms(reply, &poller->backoff));
}

/* --- getUpdates --- */

static void poll_updates(struct poller *poller);

static void on_warm(void *arg, const struct api_reply *reply)
{
    struct poller *poller = arg;
    poller->warm = NULL;
    server_clock_hear(&poller->clock, reply->server_unix);
    server_clock_compare(&poller->clock, poller->options.log);
}

/*
 * Keeps a second connection alive beside that of the long poll: the answer to the next
 * command then goes out without the round trips of a TLS handshake.
 */
static void keep_warm(struct poller *poller)
{
    if (poller->warm || (poller->warm_ms && clock_ms() - poller->warm_ms < WARM_EVERY_MS)) {
        return;
    }
    poller->warm_ms = clock_ms();
    json_t *params = json_object();
    if (params) {
        poller->warm = api_call(poller->options.api, "getMe", params, NULL, SHORT_TIMEOUT_MS,
                                on_warm, poller);
    }
    json_decref(params);
}

static void deal_with(struct poller *poller, const json_t *result)
{
    for (size_t i = 0; i < json_array_size(result) && poller->state == POLLER_POLLING; i++) {
        struct update update;
        if (update_read(result, i, &update) == 0 && update.id >= poller->asked) {
            poller->asked = update.id + 1;
            update.arrived = server_clock_now(&poller->clock);
            poller->options.update(poller->options.arg, &update);
        }
    }
}

static int64_t highest_id(const json_t *result)
{
    int64_t highest = -1;
    for (size_t i = 0; i < json_array_size(result); i++) {
        struct update update;
        if (update_read(result, i, &update) == 0 && update.id > highest) {
            highest = update.id;
        }
    }
    return highest;
}

/*
 * All of them are far below what was asked for: the queue is another one than we thought,
 * and ours would never come. What is old in it is not run anyway.
 */
static bool numbers_began_anew(struct poller *poller, int64_t highest)
{
    if (highest < 0 || highest >= poller->asked - AHEAD_MAX) {
        return false;
    }
    sieve_log(poller->anew, "telegram: update numbers that start over", LOG_INFO,
              "telegram: update numbers have started over: %" PRId64 " came, %" PRId64
              " or more was asked for",
              highest, poller->asked);
    offset_restart(&poller->offset);
    poller->asked = 0;
    return true;
}

/*
 * An update that our parser does not take would be asked for for ever: after some tries
 * updates are asked for one by one, and it is stepped over. Returns true if it was.
 */
static bool step_over(struct poller *poller, const struct api_reply *reply)
{
    if (!reply->unreadable || ++poller->unreadable < UNREADABLE_MAX) {
        return false;
    }
    int64_t id = update_scan_id(reply->unreadable, reply->unreadable_len);
    if (!poller->one_by_one || id < poller->asked) {
        poller->one_by_one = true;
        poller->unreadable = 0;
        return false;
    }
    log_warn(poller->options.log,
             "telegram: update %" PRId64 " cannot be read and is skipped: its JSON is not valid",
             id);
    poller->unreadable = 0;
    offset_pass(&poller->offset, id, server_clock_now(&poller->clock), NULL, NULL);
    return true;
}

/* Something on the way that ends requests which take long. */
static void learn_length(struct poller *poller, const struct api_reply *reply)
{
    uint64_t after_ms = clock_ms() - poller->asked_ms;
    if (poller->asked_s > 0 && after_ms < (uint64_t)poller->asked_s * 1000 &&
        (reply->code == 0 || reply->code >= 500) &&
        poll_length_cut(&poller->poll_length, after_ms)) {
        log_info(poller->options.log,
                 "telegram: something ends long polls after %" PRIu64
                 " s: asking for %u s from now on",
                 after_ms / 1000, poll_length_s(&poller->poll_length));
    }
}

static void on_poll_failed(struct poller *poller, const struct api_reply *reply)
{
    if (step_over(poller, reply)) {
        poll_updates(poller);
        return;
    }
    learn_length(poller, reply);
    retry(poller, reply);
    if (poller_is_conflict(reply)) {
        poller->conflict_ms = clock_ms();
    } else if (reply->code == 409) {
        log_info(poller->options.log, "telegram: removing the webhook of this bot");
        calls_run(poller->options.calls, "deleteWebhook", json_object());
    }
}

static void poll_worked(struct poller *poller, bool any)
{
    trouble_end(&poller->trouble);
    backoff_reset(&poller->backoff);
    if (poller->asked_s > 0) {
        poll_length_fine(&poller->poll_length);
    }
    poller->unreadable = 0;
    poller->one_by_one = poller->one_by_one && any;
    if (poller->state != POLLER_POLLING) {
        return;
    }
    uint64_t took_ms = clock_ms() - poller->asked_ms;
    if (!any && poller->asked_s > 0 && took_ms < EMPTY_EVERY_MS) {
        retry_in(poller, EMPTY_EVERY_MS - took_ms);
    } else {
        /* Last, so that answers to these updates have taken the warm connections. */
        poll_updates(poller);
    }
    if (!any) {
        keep_warm(poller);
    }
}

/* A restart knows that they are dealt with: now they can be. Rather not at all than twice. */
static void on_passed(void *arg, int err)
{
    struct poller *poller = arg;
    json_t *batch = poller->batch;
    poller->batch = NULL;
    if (err < 0 && !poller->offset_unwritten) {
        log_warn(poller->options.log,
                 "telegram: cannot save how far messages have been handled (%s): a command may run "
                 "twice after a restart",
                 strerror(-err));
    }
    poller->offset_unwritten = err < 0;
    deal_with(poller, batch);
    json_decref(batch);
    poll_worked(poller, true);
}

static void take_batch(struct poller *poller, const json_t *result, int64_t highest)
{
    poller->batch = json_incref((json_t *)result);
    int err = offset_pass(&poller->offset, highest, server_clock_now(&poller->clock), on_passed,
                          poller);
    if (err < 0) {
        on_passed(poller, err);
    }
}

static void on_updates(void *arg, const struct api_reply *reply)
{
    struct poller *poller = arg;
    poller->call = NULL;
    server_clock_hear(&poller->clock, reply->server_unix);
    if (reply->outcome != API_DONE || !json_is_array(reply->result)) {
        on_poll_failed(poller, reply);
        return;
    }
    int64_t highest = highest_id(reply->result);
    if (json_array_size(reply->result) == 0) {
        poll_worked(poller, false);
    } else if (highest >= poller->asked || numbers_began_anew(poller, highest)) {
        take_batch(poller, reply->result, highest);
    } else {
        /* Not what was asked for: asking at once again would go round in circles. */
        struct api_reply nonsense = {
            .code = 200, .trouble = "it repeats updates, or sends them without a number"};
        retry(poller, &nonsense);
    }
}

static void poll_updates(struct poller *poller)
{
    /* After a failure a short one, to know soon whether it works again. */
    poller->asked_s = poller->trouble.on ? 0 : poll_length_s(&poller->poll_length);
    poller->asked_ms = clock_ms();
    poller->asked = offset_get(&poller->offset);
    uint32_t limit_ms = poller->asked_s ? (poller->asked_s + POLL_SLACK_S) * 1000
                                        : SHORT_TIMEOUT_MS;
    json_t *params = json_pack("{s:I,s:i,s:i,s:[s,s]}", "offset", (json_int_t)poller->asked,
                               "limit", poller->one_by_one ? 1 : UPDATES_AT_ONCE, "timeout",
                               (int)poller->asked_s, "allowed_updates", "message",
                               "callback_query");
    if (params) {
        poller->call = api_call(poller->options.api, "getUpdates", params, NULL, limit_ms,
                                on_updates, poller);
        json_decref(params);
    }
    if (!poller->call) {
        retry_in(poller, backoff_next(&poller->backoff));
    }
}

/* --- getMe --- */

static void greeted(struct poller *poller, const struct api_reply *reply)
{
    const char *name = json_string_value(json_object_get(reply->result, "username"));
    json_int_t bot_id = json_integer_value(json_object_get(reply->result, "id"));
    log_info(poller->options.log, "telegram: online as @%.64s", name ? name : "?");
    server_clock_hear(&poller->clock, reply->server_unix);
    server_clock_compare(&poller->clock, poller->options.log);
    offset_load(&poller->offset, bot_id, server_clock_now(&poller->clock));
    trouble_end(&poller->trouble);
    backoff_reset(&poller->backoff);
    poller_set_state(poller, POLLER_POLLING);
    poller->options.online(poller->options.arg, name ? name : "");
    poll_updates(poller);
}

static void on_greeting(void *arg, const struct api_reply *reply)
{
    struct poller *poller = arg;
    poller->call = NULL;
    if (reply->outcome == API_DONE) {
        greeted(poller, reply);
    } else if (poller_token_is_wrong(reply)) {
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
        poller->call = api_call(poller->options.api, "getMe", params, NULL, SHORT_TIMEOUT_MS,
                                on_greeting, poller);
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
    offset_init(&poller->offset, options->store, options->state_dir, options->api_url);
    poller->anew = sieve_new(options->loop, options->log, SIEVE_BURST, SIEVE_REFILL_MS);
    poller->timer = timer_new(options->loop, on_timer, poller);
    if (trouble_init(&poller->trouble, options->loop, options->log, "receiving") < 0 ||
        !poller->anew || !poller->timer) {
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

uint64_t poller_trouble(const struct poller *poller, struct text *text)
{
    if (poller->trouble.on) {
        text_add(text, "%s", poller->trouble.reason);
        return (clock_ms() - poller->trouble.since_ms) / 1000;
    }
    if (poller->conflict_ms && clock_ms() - poller->conflict_ms < CONFLICT_TOLD_MS) {
        text_add(text, "another program receives this bot's messages too");
    }
    return 0;
}

int64_t poller_clock_offset(const struct poller *poller)
{
    return server_clock_offset(&poller->clock);
}

/* After a restart it would not come again: whoever wrote is told now, or never. */
static void deal_with_what_waits(struct poller *poller)
{
    json_t *batch = poller->batch;
    poller->batch = NULL;
    store_detach(poller->options.store, poller);
    deal_with(poller, batch);
    json_decref(batch);
}

void poller_stop(struct poller *poller)
{
    deal_with_what_waits(poller);
    if (poller->state != POLLER_STOPPED) {
        poller_set_state(poller, POLLER_STOPPED);
    }
    timer_stop(poller->timer);
    api_cancel(poller->call);
    api_cancel(poller->warm);
    poller->call = poller->warm = NULL;
}

void poller_free(struct poller *poller)
{
    if (poller) {
        api_cancel(poller->call);
        api_cancel(poller->warm);
        store_detach(poller->options.store, poller);
        offset_done(&poller->offset);
        json_decref(poller->batch);
        timer_free(poller->timer);
        sieve_free(poller->anew);
        trouble_done(&poller->trouble);
        free(poller);
    }
}
