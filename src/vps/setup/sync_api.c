/*
 * A loop of its own that runs only while a call is under way, so that --setup and --doctor can wait
 * for an answer in the middle of a function, and still go the way that vps-agent goes
 * (telegram/api).
 */
#include "vps/setup/sync_api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/text.h"
#include "vps/telegram/api.h"

enum { GREETING_MS = 15000 };

struct sync_api {
    uv_loop_t loop;
    struct api *api;
    struct sync_api_answer *answer; /* of the call under way; NULL: it is over */
};

int sync_api_new(const struct vps_settings *settings, struct sync_api **ret_sync_api)
{
    struct sync_api *sync_api = calloc(1, sizeof *sync_api);
    if (!sync_api) {
        return -ENOMEM;
    }
    int err = uv_loop_init(&sync_api->loop);
    if (err < 0) {
        free(sync_api);
        return err;
    }
    err = api_new(&sync_api->loop, settings->telegram_api_url, settings->telegram_token,
                  settings->telegram_proxy, &sync_api->api);
    if (err < 0) {
        sync_api_free(sync_api);
        return err;
    }
    *ret_sync_api = sync_api;
    return 0;
}

void sync_api_free(struct sync_api *sync_api)
{
    if (sync_api) {
        /* libuv closes handles in the next turns of the loop: it is run until none is left. */
        api_free(sync_api->api);
        uv_run(&sync_api->loop, UV_RUN_DEFAULT);
        uv_loop_close(&sync_api->loop);
        free(sync_api);
    }
}

static void on_reply(void *arg, const struct api_reply *reply)
{
    struct sync_api *sync_api = arg;
    struct sync_api_answer *answer = sync_api->answer;
    *answer = (struct sync_api_answer){
        .done = reply->outcome == API_DONE,
        .from_api = reply->from_api,
        .code = reply->code,
        .server_unix = reply->server_unix,
        /* The reply is api.c's and gone after this call; its result is kept by a reference. */
        .result = json_incref((json_t *)reply->result),
    };
    snprintf(answer->trouble, sizeof answer->trouble, "%s", reply->trouble ? reply->trouble : "");
    sync_api->answer = NULL;
}

/* The answer is filled in by the callback; that it is no longer pending is what ends the loop. */
void sync_api_call(struct sync_api *sync_api, const char *method, json_t *params,
                   uint32_t timeout_ms, struct sync_api_answer *ret_answer)
{
    params = params ? params : json_object();
    *ret_answer = (struct sync_api_answer){.trouble = "out of memory"};
    sync_api->answer = ret_answer;
    if (!params || !api_call(sync_api->api, method, params, NULL, timeout_ms, on_reply, sync_api)) {
        sync_api->answer = NULL;
    }
    json_decref(params);
    while (sync_api->answer) {
        uv_run(&sync_api->loop, UV_RUN_ONCE);
    }
}

int sync_api_get_me(struct sync_api *sync_api, char ret_name[SYNC_API_NAME_MAX + 1],
                    struct sync_api_answer *ret_answer, struct why *why)
{
    struct sync_api_answer answer;
    /*
     * The second try takes the other family, as vps-agent would: so --doctor says what it will see,
     * and that the first way is broken.
     */
    char first_trouble[sizeof answer.first_trouble] = "";
    int err = 0;
    sync_api_call(sync_api, "getMe", NULL, GREETING_MS, &answer);
    if (!answer.done && answer.code == 0) { /* no word from anybody: the second goes another way */
        memcpy(first_trouble, answer.trouble, sizeof first_trouble);
        sync_api_call(sync_api, "getMe", NULL, GREETING_MS, &answer);
        memcpy(answer.first_trouble, first_trouble, sizeof answer.first_trouble);
    }
    if (answer.done) {
        const char *name = json_string_value(json_object_get(answer.result, "username"));
        snprintf(ret_name, SYNC_API_NAME_MAX + 1, "%s", name ? name : "?");
        text_make_visible(ret_name);
    } else if (answer.from_api && (answer.code == 401 || answer.code == 404)) {
        /* Only if the Bot API itself says so (from_api): a proxy on the way may answer 404, too. */
        err = why_set(why, -EACCES,
                      "Telegram does not know this token (%d %.60s): copy it again from @BotFather",
                      answer.code, answer.trouble);
    } else {
        err = why_set(why, -EHOSTUNREACH,
                      "the Bot API does not answer: %s; this server has to reach it over HTTPS",
                      answer.trouble);
    }
    json_decref(answer.result);
    answer.result = NULL;
    if (ret_answer) {
        *ret_answer = answer;
    }
    return err;
}
