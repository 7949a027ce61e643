/*
 * approver: who may agree to what others ask for. People count, not accounts: nobody approves their
 * own request, and nobody twice, whatever account they use. So with a policy an approver is one of
 * its people, also at the admin socket, where the uid says who it is.
 */
#ifndef PAMTUNNEL_VPS_CONSENT_APPROVER_H
#define PAMTUNNEL_VPS_CONSENT_APPROVER_H

#include <stdbool.h>

#include "vps/people/people.h"

/* Two accounts of one person. */
bool approver_is_same(const struct people *people, const struct owner *a, const struct owner *b);
/*
 * 0 if `by` may decide about what the asker wants; -EPERM: it is their own; -EACCES: they are no
 * approver; -ENOENT: nobody in the policy has that uid.
 */
int approver_check(const struct people *people, const struct owner *asker, const struct owner *by);
/* How many people may. */
unsigned approvers_count(const struct people *people, const struct owner *asker);

#endif
