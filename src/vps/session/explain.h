/*
 * explain: what becomes of a session, in words for its user: why there is no tunnel, and how it
 * ended.
 */
#ifndef PAMTUNNEL_VPS_SESSION_EXPLAIN_H
#define PAMTUNNEL_VPS_SESSION_EXPLAIN_H

#include "base/text.h"
#include "base/why.h"
#include "control/message.h"
#include "vps/session/terms.h"

/* What a failed tunnel means for the user, and what to do about it. */
void explain_failure(const struct terms *terms, const struct message_tunnel_failed *failed,
                     struct why *ret_why);
/* Memory or random numbers have run out. Returns -ENOMEM; why: a sentence for the user. */
int explain_no_memory(struct why *why);
/* Those that are left are for the sessions there are. Returns -ENFILE; why: for the user. */
int explain_no_descriptors(struct why *why);
/* No port could be opened, for this -errno, which is returned. why: a sentence for the user. */
int explain_no_port(const struct services *services, int err, struct why *why);

/*
 * What happens cannot be recorded, for this -errno. why: a sentence for the user who asks for a
 * session, or a clause for the one whose session it was. Returns -ENOSPC.
 */
int explain_no_audit(int err, struct why *why);
int explain_not_recorded(int err, struct why *why);

/*
 * The end as a clause for a person. why, which may be NULL: the reason, where the end has one; by,
 * which may be NULL: at whose word.
 */
void explain_end(const struct terms *terms, enum session_end end, const struct why *why,
                 const struct owner *by, struct text *text);

#endif
