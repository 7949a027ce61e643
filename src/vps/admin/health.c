#include "vps/admin/health.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#include "base/lines_ask.h"
#include "base/text.h"

enum {
    ANSWER_MAX = 64 * 1024,
    DEAF_MAX_S = 120, /* a bot that hears nothing for longer is of no use to anybody */
};

int health_ask(const struct vps_settings *settings, json_t **ret_status, struct why *why)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    char answer[ANSWER_MAX];
    snprintf(addr.sun_path, sizeof addr.sun_path, "%s/pamtunnel.sock", settings->state_dir);
    int err = lines_ask(&addr, sizeof addr, "{\"command\":\"status\"}\n", answer, sizeof answer,
                        why);
    if (err < 0) {
        return err;
    }
    json_t *status = json_loads(answer, 0, NULL);
    if (!json_is_true(json_object_get(status, "ok")) ||
        !json_is_string(json_object_get(status, "telegram"))) {
        json_decref(status);
        return why_set(why, -EPROTO, "the agent's answer makes no sense");
    }
    *ret_status = status;
    return 0;
}

/* "1 gateway, 0 sessions"; the Debian package looks for it, too. */
static void add_counts(struct text *text, const json_t *status)
{
    size_t gateways = json_array_size(json_object_get(status, "gateways"));
    long long sessions = json_integer_value(json_object_get(status, "sessions"));
    text_add(text, "%zu gateway%s, %lld session%s", gateways, gateways == 1 ? "" : "s", sessions,
             sessions == 1 ? "" : "s");
}

/* "healthy: Telegram online, 1 gateway, 0 sessions". */
static void say_healthy(const json_t *status, const char *trouble, const char *counts)
{
    const char *telegram = json_string_value(json_object_get(status, "telegram"));
    if (trouble) {
        printf("healthy: Telegram %s (%s), %s\n", telegram, trouble, counts);
    } else {
        printf("healthy: Telegram %s, %s\n", telegram, counts);
    }
}

static int say_deaf(json_int_t deaf_s, const char *trouble, const char *counts)
{
    char buffer[64];
    struct text span = text_over(buffer, sizeof buffer);
    text_add_seconds(&span, (uint64_t)deaf_s);
    printf("not healthy: nothing was received from Telegram for %s: %s; %s\n", buffer,
           trouble ? trouble : "?", counts);
    return -EIO;
}

static int say_status(const json_t *status)
{
    char buffer[64];
    struct text counts = text_over(buffer, sizeof buffer);
    const char *trouble = json_string_value(json_object_get(status, "telegram_trouble"));
    json_int_t deaf_s = json_integer_value(json_object_get(status, "telegram_deaf"));
    add_counts(&counts, status);
    if (deaf_s > DEAF_MAX_S) {
        return say_deaf(deaf_s, trouble, buffer);
    }
    say_healthy(status, trouble, buffer);
    return 0;
}

int health_check(const struct vps_settings *settings)
{
    json_t *status;
    struct why why;
    int err = health_ask(settings, &status, &why);
    if (err < 0) {
        printf("not healthy: %s\n", why.text);
        return err;
    }
    err = say_status(status);
    json_decref(status);
    return err;
}
