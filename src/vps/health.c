#include "vps/health.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#include "base/probe.h"

enum { ANSWER_MAX = 64 * 1024 };

/* "healthy: Telegram online, 1 gateway, 0 sessions". -EPROTO if the answer is none. */
static int say_status(const char *answer)
{
    json_t *reply = json_loads(answer, 0, NULL);
    const char *telegram = json_string_value(json_object_get(reply, "telegram"));
    size_t gateways = json_array_size(json_object_get(reply, "gateways"));
    json_int_t sessions = json_integer_value(json_object_get(reply, "sessions"));
    int err = json_is_true(json_object_get(reply, "ok")) && telegram ? 0 : -EPROTO;
    if (err == 0) {
        printf("healthy: Telegram %s, %zu gateway%s, %lld session%s\n", telegram, gateways,
               gateways == 1 ? "" : "s", (long long)sessions, sessions == 1 ? "" : "s");
    }
    json_decref(reply);
    return err;
}

int health_check(const struct vps_settings *settings)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    snprintf(addr.sun_path, sizeof addr.sun_path, "%s/pamtunnel.sock", settings->state_dir);
    char answer[ANSWER_MAX];
    struct why why = {"the agent's answer makes no sense"};
    int err = probe(&addr, sizeof addr, "{\"command\":\"status\"}\n", answer, sizeof answer, &why);
    err = err < 0 ? err : say_status(answer);
    if (err < 0) {
        printf("not healthy: %s\n", why.text);
    }
    return err;
}
