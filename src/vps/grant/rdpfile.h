/*
 * rdpfile: the .rdp file that the user opens. ASCII, CRLF, lower-case keys, no
 * byte order mark: the form that every client reads. All redirections that some
 * client switches on by default are switched off.
 */
#ifndef PAMTUNNEL_VPS_GRANT_RDPFILE_H
#define PAMTUNNEL_VPS_GRANT_RDPFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "vps/grant/rdp_certificate.h"

/* "Cookie: mstshash=SECRET", which the client sends in its first packet. */
#define RDPFILE_COOKIE "Cookie: mstshash="
/*
 * 5 bits each, 135 in all; odd, since Microsoft wants the whole line with CRLF
 * to be of even length.
 */
enum { RDPFILE_SECRET_LEN = 27 };

struct rdpfile {
    const char *host; /* VPS_HOST, checked by host_kind() */
    uint16_t port;
    const char *secret;
    const char *user; /* as target_parse() takes it; "": the client asks for it */
    bool clipboard;
    struct rdp_certificate *signer; /* NULL: it is not signed */
};

/*
 * text is empty before. Returns whether the file is signed: without room or memory for that it is
 * whole all the same.
 */
bool rdpfile_write(const struct rdpfile *file, struct text *text);

/*
 * "HOME-PC.rdp", or "office-HOME-PC.rdp" with a gateway: everything outside of
 * [A-Za-z0-9._-] becomes '-', and a name that Windows keeps for a device gets a prefix.
 * dst takes RDPFILE_NAME_SIZE.
 */
enum { RDPFILE_NAME_SIZE = 256 };
void rdpfile_name(const char *gateway, const char *target_host, char *dst);

#endif
