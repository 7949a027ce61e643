#include "vps/setup/hotline.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/text.h"
#include "vps/telegram/api.h"

enum { GREETING_MS = 15000 };

struct hotline {
    uv_loop_t loop;
    struct api *api;
    struct hotline_answer *answer; /* of the call under way; NULL: it is over */
};

int hotline_new(const struct vps_settings *settings, struct hotline **ret_hotline)
{
    struct hotline *hotline = calloc(1, sizeof *hotline);
    if (!hotline) {
        return -ENOMEM;
    }
    int err = uv_loop_init(&hotline->loop);
    if (err < 0) {
        free(hotline);
        return err;
    }
    err = api_new(&hotline->loop, settings->telegram_api_url, settings->telegram_token,
                  settings->telegram_proxy, &hotline->api);
    if (err < 0) {
        hotline_free(hotline);
        return err;
    }
    *ret_hotline = hotline;
    return 0;
}

void hotline_free(struct hotline *hotline)
{
    if (hotline) {
        api_free(hotline->api);
        uv_run(&hotline->loop, UV_RUN_DEFAULT);
        uv_loop_close(&hotline->loop);
        free(hotline);
    }
}

static void on_reply(void *arg, const struct api_reply *reply)
{
    struct hotline *hotline = arg;
    struct hotline_answer *answer = hotline->answer;
    *answer = (struct hotline_answer){
        .done = reply->outcome == API_DONE,
        .from_api = reply->from_api,
        .code = reply->code,
        .server_unix = reply->server_unix,
        .result = json_incref((json_t *)reply->result),
    };
    snprintf(answer->trouble, sizeof answer->trouble, "%s", reply->trouble ? reply->trouble : "");
    hotline->answer = NULL;
}

void hotline_call(struct hotline *hotline, const char *method, json_t *params, uint32_t timeout_ms,
                  struct hotline_answer *ret_answer)
{
    params = params ? params : json_object();
    *ret_answer = (struct hotline_answer){.trouble = "out of memory"};
    hotline->answer = ret_answer;
    if (!params || !api_call(hotline->api, method, params, NULL, timeout_ms, on_reply, hotline)) {
        hotline->answer = NULL;
    }
    json_decref(params);
    while (hotline->answer) {
        uv_run(&hotline->loop, UV_RUN_ONCE);
    }
}

int hotline_greet(struct hotline *hotline, char ret_name[HOTLINE_NAME_MAX + 1],
                  struct hotline_answer *ret_answer, struct why *why)
{
    struct hotline_answer answer;
    char first_trouble[sizeof answer.first_trouble] = "";
    int err = 0;
    hotline_call(hotline, "getMe", NULL, GREETING_MS, &answer);
    if (!answer.done && answer.code == 0) {
        memcpy(first_trouble, answer.trouble, sizeof first_trouble);
        hotline_call(hotline, "getMe", NULL, GREETING_MS, &answer);
        memcpy(answer.first_trouble, first_trouble, sizeof answer.first_trouble);
    }
    if (answer.done) {
        const char *name = json_string_value(json_object_get(answer.result, "username"));
        snprintf(ret_name, HOTLINE_NAME_MAX + 1, "%s", name ? name : "?");
        text_make_visible(ret_name);
    } else if (answer.from_api && (answer.code == 401 || answer.code == 404)) {
        err = why_set(why, -EACCES,
                      "Telegram does not know this token (%d %.60s): copy it again from @BotFather",
                      answer.code, answer.trouble);
    } else {
        err = why_set(why, -EHOSTUNREACH,
                      "the Bot API does not answer: %s; this server needs HTTPS to it",
                      answer.trouble);
    }
    json_decref(answer.result);
    answer.result = NULL;
    if (ret_answer) {
        *ret_answer = answer;
    }
    return err;
}
