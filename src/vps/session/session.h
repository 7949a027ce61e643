/*
 * session: what one /rdp or /ssh grants: one user, one target, one public port,
 * one data port, until it ends.
 *
 *     opening -> waiting -> connected -> ended
 *                              |  ^
 *                              v  |
 *                          reconnecting
 *
 * and from every state to ended, and from connected back to waiting if nobody logged in
 * (front_is_unclaimed()). While it is connected or reconnecting, the party
 * that is in may connect again, several times at once.
 *
 * This header is what the rest of vps-agent (bot, admin socket) sees of a session:
 * reading it, and the verbs of its user. Sessions are made and kept by sessions.h.
 */
#ifndef PAMTUNNEL_VPS_SESSION_SESSION_H
#define PAMTUNNEL_VPS_SESSION_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "shared/gateway_name.h"
#include "shared/target.h"
#include "vps/grant/owner.h"
#include "vps/grant/parked.h"
#include "vps/grant/rdp_signature.h"
#include "vps/session/view.h"

struct session;

void session_view(const struct session *session, struct session_view *ret_view);
/* Those that wait to be let in, in the order in which they came. Returns how many. */
unsigned session_parked(const struct session *session, struct parked_view ret_views[PARKED_MAX]);

/* Those who came to its port and were not let in, also when it has ended: strangers.h. */
struct strangers;
const struct strangers *session_strangers(const struct session *session);

/*
 * How it ended, as a clause for a person ("nobody connected within 2 min"), for
 * an ended session; for SESSION_END_REFUSED the reason and what to do about it. The word for
 * programs is session_end_word().
 */
void session_end_text(const struct session *session, struct text *text);

/*
 * What the user gets, valid while waiting: by its kind the line to paste into a shell, or the
 * whole .rdp file (ASCII, CRLF), which holds the one-time secret: wipe the buffer.
 */
enum {
    SESSION_LINE_MAX = 1536,
    SESSION_SSH_CONFIG_MAX = 1536,
    SESSION_RDP_FILE_MAX = 2560 + RDP_SIGNATURE_MAX,
};
void session_line(const struct session *session, struct text *text);
/* What a button copies at most (Bot API, CopyTextButton): a longer line does without the key. */
enum { SESSION_COPY_MAX = 256 };
/* The line for ~/.ssh/known_hosts, under the name that ssh is given; false if no key is known. */
bool session_known_hosts(const struct session *session, struct text *text);
/* Returns who has signed it, until the next call; NULL: nobody. */
const struct rdp_certificate_view *session_rdp_file(const struct session *session,
                                                    struct text *text);
/* Whether these and the following are for ENTRANCE_PORT, if there is one, or for its own port. */
void session_use_entrance(struct session *session, bool on);
/* More of SSH: for copying a file, and a block for ~/.ssh/config; good for as long as it lives. */
void session_scp_command(const struct session *session, struct text *text);
void session_ssh_config(const struct session *session, struct text *text);
/* "https://vps.example.com:20123/KEY", or "http://…", see admission/latch.h: a secret. */
void session_link(const struct session *session, struct text *text);
/* The line of one of its kind's hints. */
void session_hint(const struct session *session, const struct kind_hint *hint, struct text *text);
/* "HOME-PC.rdp", with several gateways "office-HOME-PC.rdp": only [A-Za-z0-9._-]. */
enum { SESSION_FILE_NAME_SIZE = 256 };
void session_rdp_file_name(const struct session *session, char *dst);
/* For clients that take them apart. user: "" if it was not said. */
const char *session_vps_host(const struct session *session);
const char *session_user(const struct session *session);
/* "HOME-PC:22", with several gateways "office/HOME-PC:22". dst takes SESSION_TARGET_SIZE. */
enum { SESSION_TARGET_SIZE = GATEWAY_NAME_MAX + 1 + TARGET_TEXT_MAX };
void session_target_text(const struct session *session, char *dst);

/*
 * Its user ends it. The session is ended when this returns, and gone after the loop's
 * turn. An address that was admitted just before is forgotten.
 */
void session_close(struct session *session);
/* The same by this person, who may be somebody else: its user is told so. */
void session_close_by(struct session *session, const struct owner *by);
/*
 * Somebody needs it for longer: the time without bytes begins anew, and so does its longest time,
 * unless a rule of the policy has fixed that (view: time_is_fixed). False if nobody is connected,
 * or there is nothing to extend.
 */
int session_extend(struct session *session, const struct owner *by);
/*
 * A person decides about a parked client, by number: its address is known from now on,
 * or is forgotten and kept out of this session. -ENOENT if the client has left.
 */
int session_admit(struct session *session, unsigned number, const struct owner *by);
int session_block(struct session *session, unsigned number, const struct owner *by);
/*
 * The owner wants to know who is waiting: asks about up to `most` more of them now, however
 * many questions there were before. Returns how many it asks about.
 */
unsigned session_ask_more(struct session *session, unsigned most);

#endif
