/* The lines of the log in which somebody may look for a whole session later. */
#include <inttypes.h>

#include "vps/session/front.h"
#include "vps/session/rear.h"
#include "vps/session/session_parts.h"

void session_log_birth(const struct session *session)
{
    const struct terms *terms = session_terms(session);
    char target[TARGET_TEXT_MAX], person[OWNER_TEXT_MAX];
    target_format(terms->host, terms->port, target);
    log_info(log_of(terms),
             "session %s: opening %s to %s for %s through gateway %s (tunnel %016" PRIx64
             "), ports %u and %u",
             terms->id, kind_name(terms->kind), target, owner_text(&terms->owner, person),
             terms->gateway, terms->number, front_port(session_front(session)),
             rear_port(session_rear(session)));
}

static void add_traffic(const struct session *session, struct text *text)
{
    struct session_view view;
    char host[ADDR_HOST_MAX];
    session_view(session, &view);
    text_add(text, ", from %s (", addr_host_text(&view.client, host));
    insider_add_way_in(front_insider(session_front(session)), text);
    text_add(text, "), ");
    text_add_seconds(text, view.seconds_connected);
    text_add(text, ", %u connection%s, ", view.connections_total,
             view.connections_total == 1 ? "" : "s");
    text_add_bytes(text, view.bytes_to_target);
    text_add(text, " to the target, ");
    text_add_bytes(text, view.bytes_to_client);
    text_add(text, " to the client");
}

/* One line with everything that somebody may look for later. */
void session_log_end(const struct session *session)
{
    const struct terms *terms = session_terms(session);
    char buffer[1024], target[TARGET_TEXT_MAX], person[OWNER_TEXT_MAX];
    struct text text = text_over(buffer, sizeof buffer);
    session_end_text(session, &text);
    target_format(terms->host, terms->port, target);
    text_add(&text, "; %s to %s for %s through gateway %s", kind_name(terms->kind), target,
             owner_text(&terms->owner, person), terms->gateway);
    if (front_insider(session_front(session))->is_in) {
        add_traffic(session, &text);
    }
    log_info(log_of(terms), "session %s: over: %s", terms->id, buffer);
}
