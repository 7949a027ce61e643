/* admin_reply: the JSON that pamctl gets (docs/protocol.md, "Admin socket"). */
#ifndef PAMTUNNEL_VPS_ADMIN_ADMIN_REPLY_H
#define PAMTUNNEL_VPS_ADMIN_ADMIN_REPLY_H

#include <jansson.h>

#include "base/changes.h"
#include "vps/admission/known.h"
#include "vps/audit/audit.h"
#include "vps/chat/bot.h"
#include "vps/gateways/gateways.h"
#include "vps/grant/publisher.h"
#include "vps/people/people.h"
#include "vps/session/sessions.h"

/* All return a new reference, or NULL when out of memory. */
json_t *reply_error(const char *word, const char *sentence);
/* For a failure of sessions_open(). */
json_t *reply_errno(int err, const char *sentence);
json_t *reply_ok(void);
/* Whether new sessions are opened, and how many are left. */
json_t *reply_drain(const struct sessions *sessions);
/* By whom the server is locked, and since when; null: it is not. */
json_t *reply_lock(const struct sessions *sessions);
json_t *reply_session(const struct session *session);
/* What somebody is called, for whoever reads a list: "alice", or "telegram:42". */
void reply_add_person(json_t *reply, const struct people *people, const struct owner *owner);
/* What its user gets, by its kind: the line to paste, or the file and its name. */
json_t *reply_opened(const struct session *session);
/* The same, if it is open; or that it is not, and why. */
json_t *reply_became(const struct session *session);
/* What has changed, each by itself and all in a sentence. */
json_t *reply_reloaded(const struct changes *changes);
json_t *reply_known(const struct known *known, const struct people *people);
json_t *reply_gateway(const struct gateway *gateway);
/* Those that are away. */
json_t *reply_away(const struct attendance *attendance);
/* The keys of gateways, without what is secret. */
json_t *reply_keys(const struct keyring *keyring);
/* Where the audit ends, and whether it can go on. */
json_t *reply_audit(const struct audit *audit, const struct vps_settings *settings);
/* Who signs .rdp files, or why nobody does that should; null: nobody. */
json_t *reply_signing(struct publisher *publisher);
/* What is wrong with Telegram, and for how long nothing came from there. bot may be NULL. */
void reply_add_telegram(json_t *reply, const struct bot *bot);

#endif
