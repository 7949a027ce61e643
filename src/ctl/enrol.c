#include "ctl/enrol.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/prompt.h"
#include "ctl/ask.h"

static bool is_ok(const json_t *reply)
{
    return json_is_true(json_object_get(reply, "ok"));
}

static bool is_wrong_code(const json_t *reply)
{
    const char *error = json_string_value(json_object_get(reply, "error"));
    return error && strcmp(error, "wrong_code") == 0;
}

static json_t *ask_with(const char *socket_path, const json_t *request, const char *code)
{
    json_t *with = json_copy((json_t *)request);
    json_object_set_new(with, "code", json_string(code));
    json_t *reply = ask_anyhow(socket_path, with);
    json_decref(with);
    return reply;
}

/* A person may mistype; whoever is no person would not stop. */
static json_t *ask_for_code(const char *socket_path, const json_t *request)
{
    char code[64];
    json_t *reply = NULL;
    while (!reply) {
        int err = prompt_line("The six digits that the app shows", NULL, code, sizeof code);
        if (err < 0 || !code[0]) {
            return ask_failure("no_code", "No code was given, so nothing has changed.");
        }
        reply = ask_with(socket_path, request, code);
        if (is_wrong_code(reply) && prompt_is_possible()) {
            const char *message = json_string_value(json_object_get(reply, "message"));
            fprintf(stderr, "%s\n", message ? message : "That is not right.");
            json_decref(reply);
            reply = NULL;
        }
    }
    return reply;
}

json_t *enrol(const char *socket_path, const json_t *request, void (*show)(const json_t *reply))
{
    json_t *reply = ask_anyhow(socket_path, request);
    if (!is_ok(reply)) {
        return reply;
    }
    show(reply);
    json_decref(reply);
    return ask_for_code(socket_path, request);
}
