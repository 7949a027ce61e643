#include "ctl/approval.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/prompt.h"
#include "base/text.h"
#include "ctl/ask.h"
#include "ctl/field.h"

/* "1 of 2 (bert)" */
static void add_progress(struct text *text, const json_t *request)
{
    const json_t *names = json_object_get(request, "approved_by"), *name;
    size_t index;
    text_add(text, "%zu of %d", json_array_size(names),
             (int)json_integer_value(json_object_get(request, "needed")));
    json_array_foreach(names, index, name)
    {
        text_add(text, "%s%s", index == 0 ? " (" : ", ", json_string_value(name));
    }
    text_add(text, "%s", json_array_size(names) > 0 ? ")" : "");
}

/* All have agreed: it is about to be opened. */
static bool is_complete(const json_t *request)
{
    return strcmp(field_text(request, "state"), "asking_approval") == 0 &&
           (json_int_t)json_array_size(json_object_get(request, "approved_by")) >=
               json_integer_value(json_object_get(request, "needed"));
}

static void add_state(struct text *text, const json_t *request)
{
    const char *state = field_text(request, "state");
    if (strcmp(state, "asking_factor") == 0) {
        text_add(text, "waits for your second factor");
    } else if (strcmp(state, "ready") == 0) {
        bool needs_others = json_integer_value(json_object_get(request, "needed")) > 0;
        text_add(text, "%s gateway %s is offline, and it is opened when that comes back",
                 needs_others ? "is approved;" : "waits:", field_text(request, "gateway"));
    } else {
        text_add(text, is_complete(request) ? "is approved: " : "waits for approval: ");
        add_progress(text, request);
    }
}

/* Not on standard output, where the answer goes. */
static void say_what_it_waits_for(const json_t *request)
{
    char buffer[1024];
    struct text text = text_over(buffer, sizeof buffer);
    text_add(&text, "Request %s ", field_text(request, "id"));
    add_state(&text, request);
    if (!is_complete(request)) {
        text_add(&text, ". It expires in ");
        text_add_seconds(&text,
                         (uint64_t)json_integer_value(json_object_get(request, "expires_in")));
        text_add(&text, "; Ctrl-C withdraws it");
    }
    fprintf(stderr, "%s.\n", buffer);
}

static bool is_waking(const json_t *reply)
{
    return strcmp(field_text(json_object_get(reply, "waking"), "state"), "asleep") == 0;
}

/* It is on hold, or its machine is woken: more is to come. */
static bool waits(const json_t *reply)
{
    return json_is_object(json_object_get(reply, "request")) || is_waking(reply);
}

static void say_that_it_wakes(const json_t *waking)
{
    fprintf(stderr,
            "Waking %s, behind gateway %s, for up to two minutes. Ctrl-C ends that; what was sent "
            "until then may wake it all the same.\n",
            field_text(waking, "target"), field_text(waking, "gateway"));
}

/* Its user's second factor is missing. */
static bool needs_code(const json_t *reply)
{
    return strcmp(field_text(json_object_get(reply, "request"), "state"), "asking_factor") == 0;
}

/* A code that was not right; another one may be. */
static bool may_try_again(const json_t *reply)
{
    return strcmp(field_text(reply, "error"), "wrong_code") == 0 && prompt_is_possible();
}

/* What to ask vps-agent for next: NULL if there is nobody to give a code. */
static json_t *next_question(const json_t *reply)
{
    char code[64];
    if (!needs_code(reply)) {
        return json_pack("{s:s}", "command", "wait");
    }
    int err = prompt_line("The six digits that your authenticator app shows", NULL, code,
                          sizeof code);
    return err < 0 || !code[0] ? NULL : json_pack("{s:s, s:s}", "command", "code", "code", code);
}

static void say_news(const json_t *reply)
{
    if (field_text(reply, "error")[0]) {
        fprintf(stderr, "%s\n", field_text(reply, "message"));
    } else if (is_waking(reply)) {
        say_that_it_wakes(json_object_get(reply, "waking"));
    } else {
        say_what_it_waits_for(json_object_get(reply, "request"));
    }
}

/* An error ends it, unless there is somebody to try again. */
static bool goes_on(const json_t *reply)
{
    return waits(reply) && (!field_text(reply, "error")[0] || may_try_again(reply));
}

json_t *approval_ask(const char *socket_path, json_t *request)
{
    struct why why;
    json_t *reply = NULL;
    json_object_set_new(request, "follows", json_true());
    json_object_set_new(request, "follows_waking", json_true());
    int fd = ask_send(socket_path, request, &why);
    json_object_del(request, "follows");
    json_object_del(request, "follows_waking");
    int err = fd < 0 ? fd : ask_hear(fd, &reply, &why);
    while (err == 0 && goes_on(reply)) {
        say_news(reply);
        json_t *more = next_question(reply);
        json_decref(reply);
        reply = more ? NULL : ask_failure("no_code", "No code was given, so nothing is opened.");
        if (!more) {
            break;
        }
        err = ask_more(fd, more, &reply, &why);
        json_decref(more);
    }
    if (fd >= 0) {
        close(fd);
    }
    return err < 0 ? ask_failure("unreachable", why.text) : reply;
}
