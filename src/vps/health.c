#include "vps/health.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#include "base/probe.h"
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
    int err = probe(&addr, sizeof addr, "{\"command\":\"status\"}\n", answer, sizeof answer, why);
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

/* "healthy: Telegram online, 1 gateway, 0 sessions". */
static void say_status(const json_t *status)
{
    size_t gateways = json_array_size(json_object_get(status, "gateways"));
    json_int_t sessions = json_integer_value(json_object_get(status, "sessions"));
    const char *trouble = json_string_value(json_object_get(status, "telegram_trouble"));
    printf("healthy: Telegram %s%s%s%s, %zu gateway%s, %lld session%s\n",
           json_string_value(json_object_get(status, "telegram")), trouble ? " (" : "",
           trouble ? trouble : "", trouble ? ")" : "", gateways, gateways == 1 ? "" : "s",
           (long long)sessions, sessions == 1 ? "" : "s");
}

static int say_deaf(const json_t *status, json_int_t deaf_s)
{
    const char *trouble = json_string_value(json_object_get(status, "telegram_trouble"));
    char buffer[64];
    struct text span = text_over(buffer, sizeof buffer);
    text_add_seconds(&span, (uint64_t)deaf_s);
    printf("not healthy: nothing could be received from Telegram for %s: %s\n", buffer,
           trouble ? trouble : "?");
    return -EIO;
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
    json_int_t deaf_s = json_integer_value(json_object_get(status, "telegram_deaf"));
    if (deaf_s > DEAF_MAX_S) {
        err = say_deaf(status, deaf_s);
    } else {
        say_status(status);
    }
    json_decref(status);
    return err;
}
