/*
 * lastwords: what a target said before it hung up, when it hung up before any login: its
 * own words in the place of SSH ("Not allowed at this time"), or a refusal of RDP's
 * negotiation. The clients show neither: to them the connection was closed.
 */
#ifndef PAMTUNNEL_VPS_SESSION_LASTWORDS_H
#define PAMTUNNEL_VPS_SESSION_LASTWORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "shared/kind.h"

/*
 * `said` is all that the target said. Adds a clause for a person, and returns true, if
 * that was no beginning of a session but a word about why there is none. The target's own
 * words are quoted as text_quote() says.
 */
bool lastwords_add(struct text *text, enum kind kind, const void *said, size_t len);

#endif
