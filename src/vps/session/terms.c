#include "vps/session/terms.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"

static void set_names(struct terms *terms, const struct session_request *request,
                      const char *gateway)
{
    const struct target *target = &request->target;
    terms->user = stpcpy(terms->host, target->host) + 1;
    terms->gateway = stpcpy(terms->user, target->user) + 1;
    terms->name = stpcpy(terms->gateway, gateway) + 1;
    terms->reason = stpcpy(terms->name, request->name) + 1;
    strcpy(terms->reason, request->reason);
}

/* What others have agreed to, or a second factor was given for, is what was said then. */
static bool has_fixed_time(const struct session_request *request)
{
    return request->longest_s != 0 || request->needed.approvals > 0 ||
           request->needed.second_factor;
}

/*
 * Copied, since a reload may change the settings at any time: the user of an open session keeps
 * what it was opened with.
 */
static struct session_limits limits_for(const struct vps_settings *settings,
                                        const struct session_request *request)
{
    long most = request->connections ? request->connections : settings->max_connections;
    long longest = request->longest_s ? request->longest_s : settings->max_session_time;
    return (struct session_limits){
        .timeout_s = (uint32_t)settings->session_timeout,
        .grace_s = (uint32_t)settings->reconnect_grace,
        .idle_s = (uint32_t)settings->idle_timeout,
        .time_s = (uint32_t)longest,
        .time_is_fixed = has_fixed_time(request),
        .ends_with_hours = request->ends_with_hours,
        .connections = most > 0 ? (uint16_t)most : kind_row(request->kind)->most_connections,
    };
}

struct terms *terms_new(struct services *services, const struct session_request *request,
                        const struct gateway *gateway)
{
    const struct target *target = &request->target;
    struct gateway_view view;
    gateway_view(gateway, &view);
    /*
     * One block, as long as its names are: with room for the longest host in each, 5,000 idle
     * sessions held 1.8 MB of zeros.
     */
    size_t names = strlen(target->host) + strlen(target->user) + strlen(view.name) +
                   strlen(request->name) + strlen(request->reason) + 5;
    struct terms *terms = calloc(1, offsetof(struct terms, host) + names);
    if (!terms) {
        return NULL;
    }
    set_names(terms, request, view.name);
    terms->services = services;
    terms->kind = request->kind;
    terms->limits = limits_for(services->settings, request);
    terms->owner = request->owner;
    terms->port = target->port;
    terms->rule_line = request->rule_line;
    terms->given = request->given;
    terms->at_entrance = request->at_entrance;
    terms->names_gateway = gateways_are_several(services->gateways);
    terms->opened_ms = clock_ms();
    terms->opened_unix = clock_unix();
    strcpy(terms->id, request->id);
    strcpy(terms->language, request->language);
    if ((!terms->id[0] && crypto_random_name(terms->id, SESSION_ID_SIZE) < 0) ||
        crypto_random(&terms->number, sizeof terms->number) < 0) {
        free(terms);
        return NULL;
    }
    return terms;
}

void terms_free(struct terms *terms)
{
    free(terms);
}

bool terms_are_strict(const struct terms *terms)
{
    return terms->limits.grace_s == 0 && terms->limits.connections == 1;
}

void terms_view(const struct terms *terms, struct session_view *view)
{
    view->id = terms->id;
    view->kind = terms->kind;
    view->owner = terms->owner;
    view->approvals_given = terms->given.approvals;
    view->factor_given = terms->given.second_factor;
    view->host = terms->host;
    view->name = terms->name;
    view->reason = terms->reason;
    view->language = terms->language;
    view->port = terms->port;
    view->gateway = terms->gateway;
    view->names_gateway = terms->names_gateway;
    view->opened_unix = terms->opened_unix;
}
