#include "vps/admin/admin_applicants.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vps/admin/admin_reply.h"

static struct applicants *applicants_of(const struct admin_call *call)
{
    return gateways_applicants(call->options->gateways);
}

static json_t *reply_applicant(const struct applicant_view *view)
{
    char host[ADDR_HOST_MAX];
    json_t *reply = json_pack("{s:s, s:s, s:s, s:s, s:i, s:b, s:b}", "name", view->name, "code",
                              view->code, "address", addr_host_text(&view->from, host), "version",
                              view->program, "expires_in", (int)view->seconds_left, "let_in",
                              view->let_in, "replaces", view->replaces);
    json_object_set_new(reply, "resembles",
                        view->resembles ? json_string(view->resembles) : json_null());
    return reply;
}

json_t *admin_gateway_pair(struct admin_call *call, const json_t *request)
{
    (void)request;
    applicants_open(applicants_of(call));
    return admin_gateway_pending(call, request);
}

json_t *admin_gateway_pending(struct admin_call *call, const json_t *request)
{
    struct applicants *applicants = applicants_of(call);
    struct applicant_view view;
    (void)request;
    return json_pack("{s:b, s:i, s:o}", "ok", 1, "open_for", (int)applicants_open_for(applicants),
                     "pending",
                     applicants_view(applicants, &view) ? reply_applicant(&view) : json_null());
}

/* As it is shown, or as two words, or without the blank. */
static void read_code(const json_t *request, char code[32])
{
    const char *first = json_string_value(json_object_get(request, "code"));
    const char *rest = json_string_value(json_object_get(request, "rest"));
    snprintf(code, 32, "%.15s%.15s", first ? first : "", rest ? rest : "");
}

/* The question that this code is the answer to: false, and why not. */
static bool find_question(struct admin_call *call, const json_t *request,
                          struct applicant_view *ret_view, json_t **ret_error)
{
    struct applicants *applicants = applicants_of(call);
    char code[32];
    read_code(request, code);
    if (!applicants_view(applicants, ret_view)) {
        *ret_error = reply_error("nobody_waits", "No gateway asks to be paired; pamctl gateway "
                                                 "pair has those heard that do.");
    } else if (!applicants_shows(applicants, code)) {
        char sentence[200];
        log_warn(
            call->options->log,
            "uid %u has answered with another code than the %s that gateway %s shows: somebody "
            "may be in between",
            (unsigned)call->uid, ret_view->code, ret_view->name);
        snprintf(sentence, sizeof sentence,
                 "Gateway %s shows %s here. If its own log says another code, somebody is in "
                 "between: pamctl gateway deny %.3s%s.",
                 ret_view->name, ret_view->code, ret_view->code, ret_view->code + 4);
        *ret_error = reply_error("another_code", sentence);
    } else {
        return true;
    }
    return false;
}

static json_t *decided(int err)
{
    return err == -EALREADY ? reply_error("decided", "Somebody has let it in already.")
           : err < 0        ? reply_error("nobody_waits", "It has gone meanwhile.")
                            : NULL;
}

json_t *admin_gateway_accept(struct admin_call *call, const json_t *request)
{
    const struct owner by = {OWNER_LOCAL, call->uid};
    struct applicant_view view;
    json_t *error = NULL;
    if (find_question(call, request, &view, &error)) {
        call->pairing = view.id;
        error = decided(applicants_accept(applicants_of(call), view.id, &by));
    }
    return error;
}

json_t *admin_gateway_deny(struct admin_call *call, const json_t *request)
{
    const struct owner by = {OWNER_LOCAL, call->uid};
    struct applicant_view view;
    json_t *error = NULL;
    if (find_question(call, request, &view, &error)) {
        json_t *reply = json_pack("{s:b, s:s}", "ok", 1, "gateway", view.name);
        error = decided(applicants_deny(applicants_of(call), view.id, &by));
        if (!error) {
            return reply;
        }
        json_decref(reply);
    }
    return error;
}

json_t *admin_applicant_became(const struct applicant_event *event)
{
    char sentence[400];
    switch (event->kind) {
    case APPLICANT_ASKS:
    case APPLICANT_LET_IN:
    case APPLICANT_CROWD:
        return NULL;
    case APPLICANT_PAIRED:
        return json_pack("{s:b, s:s}", "ok", 1, "gateway", event->view->name);
    default:
        snprintf(sentence, sizeof sentence, "It was let in, but %s.",
                 event->why ? event->why
                            : "its connection has ended before it had its key; its own log "
                              "says why, and it asks again");
        return reply_error("not_paired", sentence);
    }
}
