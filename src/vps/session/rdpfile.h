/*
 * rdpfile: the .rdp file that the user opens. ASCII, CRLF, lower-case keys, no
 * byte order mark: the form that every client reads. All redirections that some
 * client switches on by default are switched off.
 */
#ifndef PAMTUNNEL_VPS_SESSION_RDPFILE_H
#define PAMTUNNEL_VPS_SESSION_RDPFILE_H

#include <stdint.h>

#include "base/text.h"

/* "Cookie: mstshash=SECRET", which the client sends in its first packet. */
#define RDPFILE_COOKIE "Cookie: mstshash="
/*
 * 5 bits each, 135 in all; odd, since Microsoft wants the whole line with CRLF
 * to be of even length.
 */
enum { RDPFILE_SECRET_LEN = 27 };

/* host: VPS_HOST, checked by host_kind(). */
void rdpfile_write(struct text *text, const char *host, uint16_t port, const char *secret);
/* "HOME-PC.rdp": everything outside of [A-Za-z0-9._-] becomes '-'. dst takes HOST_MAX + 5. */
void rdpfile_name(const char *target_host, char *dst);

#endif
