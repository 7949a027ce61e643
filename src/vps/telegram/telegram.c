/*
 * Everything here passes on: what the poller tells becomes events of the conversation, and what the
 * conversation asks for becomes posts and calls. Parts are made from the bottom up and freed from
 * the top down, since each uses those that were made before it.
 *
 * Re-entrancy: events come from the poller and the outbox. A listener may call everything in the
 * table of ops but `free`, even where a part would allow that: others of these parts are on the
 * stack. After `refused`, nothing more comes.
 */
#include "vps/telegram/telegram.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "base/proxy.h"
#include "vps/telegram/api.h"
#include "vps/telegram/calls.h"
#include "vps/telegram/introduction.h"
#include "vps/telegram/leftovers.h"
#include "vps/telegram/outbox.h"
#include "vps/telegram/poller.h"

struct telegram {
    struct transport transport; /* first: the one is the other */
    struct telegram_options options;
    struct transport_events events;
    struct api *api;
    struct calls *calls;
    struct outbox *outbox;
    struct leftovers *leftovers;
    struct introduction introduction;
    struct poller *poller; /* NULL until it is started */
};

static struct telegram *of(struct transport *transport)
{
    return (struct telegram *)transport;
}

static const struct telegram *of_const(const struct transport *transport)
{
    return (const struct telegram *)transport;
}

/* ---- what the poller tells ------------------------------------------------- */

/* What was left behind is edited and deleted, which gives way to answers: it may begin at once. */
static void on_online(void *arg, const char *user_name)
{
    struct telegram *telegram = arg;
    telegram->events.online(telegram->events.arg, user_name);
    unsigned left = leftovers_put_right(telegram->leftovers);
    if (left > 0) {
        log_info(telegram->options.log,
                 "telegram: correcting %u message%s that the last vps-agent left behind", left,
                 left == 1 ? "" : "s");
    }
}

static void on_refused(void *arg, const struct why *why)
{
    struct telegram *telegram = arg;
    telegram->events.refused(telegram->events.arg, why);
}

static void on_update(void *arg, const struct update *update)
{
    struct telegram *telegram = arg;
    struct incoming incoming;
    update_as_incoming(update, &incoming);
    telegram->events.incoming(telegram->events.arg, &incoming);
}

/* ---- what the conversation asks for ---------------------------------------- */

static int start(struct transport *transport, const struct transport_events *events)
{
    struct telegram *telegram = of(transport);
    const struct poller_options options = {
        .loop = telegram->options.loop,
        .log = telegram->options.log,
        .api = telegram->api,
        .calls = telegram->calls,
        .store = telegram->options.store,
        .state_dir = telegram->options.state_dir,
        .api_url = telegram->options.api_url,
        .online = on_online,
        .refused = on_refused,
        .update = on_update,
        .arg = telegram,
    };
    telegram->events = *events;
    outbox_on_stuck(telegram->outbox, events->file_stuck, events->arg);
    outbox_on_shut(telegram->outbox, events->unreachable, events->arg);
    outbox_on_empty(telegram->outbox, events->idle, events->arg);
    return poller_new(&options, &telegram->poller);
}

static void stop(struct transport *transport)
{
    poller_stop(of(transport)->poller);
}

static void telegram_free(struct transport *transport)
{
    struct telegram *telegram = of(transport);
    poller_free(telegram->poller);
    leftovers_free(telegram->leftovers);
    outbox_free(telegram->outbox);
    calls_free(telegram->calls);
    api_free(telegram->api);
    free(telegram);
}

static bool is_online(const struct transport *transport)
{
    return poller_is_online(of_const(transport)->poller);
}

static bool is_idle(const struct transport *transport)
{
    return outbox_is_empty(of_const(transport)->outbox);
}

/* What keeps us from hearing comes first: it is what people notice. */
static uint64_t trouble(const struct transport *transport, struct text *text)
{
    const struct telegram *telegram = of_const(transport);
    size_t len = text->len;
    uint64_t deaf_s = poller_trouble(telegram->poller, text);
    if (text->len == len) {
        outbox_trouble(telegram->outbox, text);
    }
    return deaf_s;
}

static void measure(const struct transport *transport, struct metrics *metrics)
{
    const struct telegram *telegram = of_const(transport);
    api_measure(telegram->api, metrics);
    metrics_one(metrics, METRICS_GAUGE, "pamtunnel_outbox_messages",
                "Messages that are to be sent, changed or deleted.",
                outbox_length(telegram->outbox));
    metrics_one(metrics, METRICS_GAUGE, "pamtunnel_clock_offset_seconds",
                "How far this machine's clock is from Telegram's, either way.",
                (uint64_t)llabs(poller_clock_offset(telegram->poller)));
}

static void introduce(struct transport *transport, const struct transport_profile *profile)
{
    struct telegram *telegram = of(transport);
    introduction_give(&telegram->introduction, telegram->calls, profile);
}

static struct post *post(struct transport *transport, int64_t person)
{
    return post_new(of(transport)->outbox, person);
}

static struct post *post_file(struct transport *transport, int64_t person,
                              const struct transport_file *file)
{
    return post_new_file(of(transport)->outbox, person, file);
}

static void say_to_stranger(struct transport *transport, int64_t person, const char *html)
{
    outbox_say_to_stranger(of(transport)->outbox, person, html);
}

static void answer(struct transport *transport, const char *press, const char *text, bool is_alert)
{
    calls_answer(of(transport)->calls, press, text, is_alert);
}

static void strip(struct transport *transport, int64_t person, int64_t message_id)
{
    calls_strip_buttons(of(transport)->calls, person, message_id);
}

static void take_away(struct transport *transport, int64_t person, int64_t message_id)
{
    calls_delete_message(of(transport)->calls, person, message_id);
}

static const struct transport_ops OPS = {
    .name = "telegram",
    .people = OWNER_TELEGRAM,
    .start = start,
    .stop = stop,
    .free = telegram_free,
    .is_online = is_online,
    .is_idle = is_idle,
    .trouble = trouble,
    .measure = measure,
    .introduce = introduce,
    .post = post,
    .post_file = post_file,
    .set = post_set,
    .keep = post_keep,
    .release = post_release,
    .delete = post_delete,
    .say_to_stranger = say_to_stranger,
    .answer = answer,
    .strip = strip,
    .remove = take_away,
};

/* ---- life ------------------------------------------------------------------ */

static void say_proxy(const struct telegram_options *options)
{
    const char *variable, *proxy = proxy_find(options->proxy, options->api_url, &variable);
    char shown[PROXY_SHOWN_MAX];
    if (proxy) {
        proxy_show(proxy, shown);
        log_info(options->log, "telegram: through the proxy %s (%s)", shown, variable);
    }
}

static void say_authorities(const struct telegram *telegram)
{
    if (strncasecmp(telegram->options.api_url, "https:", 6) == 0 &&
        !api_ca_file(telegram->api)[0]) {
        log_info(telegram->options.log,
                 "telegram: found no certificates of public authorities on this system: "
                 "trusting those built in; SSL_CERT_FILE names others");
    }
}

static int make_parts(struct telegram *telegram)
{
    const struct telegram_options *options = &telegram->options;
    int err = api_new(options->loop, options->api_url, options->token, options->proxy,
                      &telegram->api);
    if (err < 0) {
        return err;
    }
    if (options->audit) {
        api_use_audit(telegram->api, options->audit);
    }
    telegram->calls = calls_new(options->loop, options->log, telegram->api);
    telegram->outbox = outbox_new(options->loop, options->log, telegram->api);
    if (!telegram->calls || !telegram->outbox) {
        return -ENOMEM;
    }
    /* A token begins with the bot's number. */
    int64_t bot_id = strtoll(options->token, NULL, 10);
    telegram->leftovers = leftovers_new(options->store, telegram->outbox, bot_id);
    return telegram->leftovers ? 0 : -ENOMEM;
}

int telegram_new(const struct telegram_options *options, struct transport **ret_transport)
{
    struct telegram *telegram = calloc(1, sizeof *telegram);
    if (!telegram) {
        return -ENOMEM;
    }
    telegram->transport.ops = &OPS;
    telegram->options = *options;
    int err = make_parts(telegram);
    if (err < 0) {
        telegram_free(&telegram->transport);
        return err;
    }
    say_proxy(options);
    say_authorities(telegram);
    *ret_transport = &telegram->transport;
    return 0;
}
