/*
 * session_run: what the table of sessions and sessions.c need of a session beyond session.h.
 */
#ifndef PAMTUNNEL_VPS_SESSION_SESSION_RUN_H
#define PAMTUNNEL_VPS_SESSION_SESSION_RUN_H

#include "base/why.h"
#include "control/message.h"
#include "vps/session/news.h"
#include "vps/session/request.h"
#include "vps/session/session.h"
#include "vps/session/terms.h"

/* The table's own, inside each session. */
struct session_links {
    struct session *next, *same_bucket, *next_touched;
    bool is_touched; /* it is among those with a new note */
};

/*
 * Opens its ports and asks the gateway. On failure why is a sentence for the
 * user, as sessions_open() says.
 */
int session_new(struct services *services, const struct session_request *request,
                struct gateway *gateway, struct session **ret_session, struct why *why);
/* The session must have ended. Accepts NULL. */
void session_free(struct session *session);
/* Ends it, once; what it holds is closed when this returns. It is freed later, by the table. */
void session_end(struct session *session, enum session_end end);
/* The same at the word of a person; NULL: of its user. */
void session_end_by(struct session *session, enum session_end end, const struct owner *by);

struct session_links *session_links(struct session *session);
const struct terms *session_terms(const struct session *session);
bool session_has_ended(const struct session *session);
/* An event of this session, at this moment: tells the watchers. */
void session_tell(struct session *session, struct session_event event);

/* ---- what comes from its gateway, while it has not ended ------------------- */

void session_on_tunnel_ready(struct session *session, const struct message_tunnel_ready *ready);
void session_on_tunnel_failed(struct session *session, const struct message_tunnel_failed *failed);
void session_on_gateway_lost(struct session *session);
/* The HELLO of a data channel that names it, from anybody. fd is the callee's. */
void session_on_data_channel(struct session *session, int fd, const struct addr *from,
                             const uint8_t *hello);
/* The gateway has logged in: what it was asked before is forgotten. */
void session_on_gateway_online(struct session *session);

#endif
