#include "vps/session/explain.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- failures ------------------------------------------------------------- */

/* What a person is told; the first words are the contract's. */
void explain_failure(const struct terms *terms, const struct message_tunnel_failed *failed,
                     struct why *why)
{
    const char *host = terms->host;
    unsigned port = terms->port;
    char detail[sizeof failed->detail];
    const char *service = kind_row(terms->kind)->service;
    const struct vps_settings *settings = terms->services->settings;
    snprintf(detail, sizeof detail, "%s", failed->detail);
    text_quote(detail); /* the gateway's words stay within their marks */
    switch (failed->reason) {
    case TUNNEL_UNKNOWN_NAME:
        why_set(why, 0,
                "unknown name: gateway %s cannot find %s; check the spelling, or use its IP "
                "address",
                terms->gateway, host);
        break;
    case TUNNEL_REFUSED:
        why_set(why, 0, "refused: %s is there, but nothing listens on port %u; is %s running?",
                host, port, service);
        break;
    case TUNNEL_NO_ROUTE:
        why_set(why, 0,
                "no route: gateway %s cannot reach %s; is it switched on, and in that gateway's "
                "network?",
                terms->gateway, host);
        break;
    case TUNNEL_TIMED_OUT:
        why_set(why, 0,
                "timed out: %s does not answer on port %u; is it switched on, and does its "
                "firewall let gateway %s in?",
                host, port, terms->gateway);
        break;
    case TUNNEL_NAME_SERVERS:
        why_set(why, 0,
                "no name server answers gateway %s, so it cannot look up %s; use the IP address, "
                "or check the gateway's DNS",
                terms->gateway, host);
        break;
    case TUNNEL_NOT_ALLOWED:
        why_set(why, 0,
                "not allowed: gateway %s does not serve %s port %u; see its "
                "ALLOWED_TARGETS",
                terms->gateway, host, port);
        break;
    case TUNNEL_DATA_UNREACHABLE:
        if (settings->data_port == DATA_PORT_CONTROL) {
            why_set(why, 0,
                    "gateway %s is logged in at port %u of this server, and cannot reach it a "
                    "second time; CONTROL_PORT has to be the same on both, and what is in between "
                    "must not limit its connections",
                    terms->gateway, settings->control_port);
            break;
        }
        why_set(why, 0,
                "gateway %s cannot reach the data port of this server; let TCP ports %u to "
                "%u through its firewall",
                terms->gateway, settings->port_range_start, settings->port_range_end);
        break;
    case TUNNEL_BUSY:
        why_set(why, 0, "gateway %s has too many tunnels open (%s); close a session first",
                terms->gateway, detail);
        break;
    default:
        why_set(why, 0, "gateway %s could not open it: “%s”", terms->gateway, detail);
    }
}

int explain_no_memory(struct why *why)
{
    return why_set(why, -ENOMEM, "The server is out of memory or of random numbers.");
}

int explain_no_descriptors(struct why *why)
{
    return why_set(why, -ENFILE,
                   "This server has most of its file descriptors in use. Try again later, or "
                   "give vps-agent more (LimitNOFILE=, ulimit -n).");
}

int explain_no_port(const struct services *services, int err, struct why *why)
{
    const struct vps_settings *settings = services->settings;
    if (err != -EADDRINUSE) {
        return why_set(why, err, "No port could be opened: %s.", strerror(-err));
    }
    return why_set(why, err,
                   "No port is free between %u and %u; a used one rests for %d s. Try again in "
                   "a moment, or widen PORT_RANGE_START and PORT_RANGE_END.",
                   settings->port_range_start, settings->port_range_end,
                   PORTS_QUARANTINE_MS / 1000);
}

int explain_no_audit(int err, struct why *why)
{
    return why_set(why, -ENOSPC,
                   "This server keeps a record of every session and cannot write it at the moment "
                   "(%s), so that it opens none. Tell whoever administers it: it goes on by itself "
                   "when that works again.",
                   strerror(-err));
}

int explain_not_recorded(int err, struct why *why)
{
    return why_set(why, -ENOSPC,
                   "the server keeps a record of every session and could not write that of this "
                   "one (%s); tell whoever administers it",
                   strerror(-err));
}

/* ---- ends ----------------------------------------------------------------- */

static bool is_word(const char *at, size_t len, const char *word)
{
    return strlen(word) == len && strncmp(at, word, len) == 0;
}

/* Somebody without a name in the policy is a number, which says nothing to the session's user. */
static void add_person(struct text *text, const struct terms *terms, const struct owner *by)
{
    char name[PEOPLE_NAME_MAX];
    const struct people *people = terms->services ? terms->services->people : NULL;
    bool has_name = by && people && people_user(people, by);
    text_add(text, "%s",
             has_name ? people_name(people, by, name) : text_phrase(text, "an administrator"));
}

/* What stands between { and }. */
static void add_fact(struct text *text, const struct terms *terms, const struct why *why,
                     const struct owner *by, const char *name, size_t len)
{
    const struct session_limits *limits = &terms->limits;
    if (is_word(name, len, "gateway")) {
        text_add(text, "%s", terms->gateway);
    } else if (is_word(name, len, "why")) { /* without memory for it, it is in the log */
        text_add(text, "%s", text_phrase(text, why ? why->text : "the gateway could not open it"));
    } else if (is_word(name, len, "by")) {
        add_person(text, terms, by);
    } else if (is_word(name, len, "timeout")) {
        text_add_seconds(text, limits->timeout_s);
    } else if (is_word(name, len, "idle")) {
        text_add_seconds(text, limits->idle_s);
    } else if (is_word(name, len, "time")) {
        text_add_seconds(text, limits->time_s);
    } else { /* a test finds it */
        text_add(text, "{%.*s}", (int)len, name);
    }
}

void explain_end(const struct terms *terms, enum session_end end, const struct why *why,
                 const struct owner *by, struct text *text)
{
    const char *at = text_phrase(text, session_end_clause(end));
    while (*at) {
        size_t plain = strcspn(at, "{");
        text_add(text, "%.*s", (int)plain, at);
        at += plain;
        if (*at) {
            size_t len = strcspn(++at, "}");
            add_fact(text, terms, why, by, at, len);
            at += len + 1;
        }
    }
}
