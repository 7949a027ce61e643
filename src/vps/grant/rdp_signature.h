/*
 * rdp_signature: signs an .rdp file as Microsoft's rdpsign does. Microsoft has not published the
 * form; this is what several programs write whose files Windows takes:
 *
 *     message    those lines of the file whose settings are on a fixed list, in the list's order
 *                and as they stand in the file, then "signscope:s:" with their names; all end with
 *                CRLF, and a NUL at the end; in UTF-16LE
 *     signature  base64 of 1.1 and 1 and the length, each 32 bits LE, then PKCS #7 SignedData
 *                without the message (rdp_certificate_sign())
 *
 * A setting that is not on the list is not signed: username and domain are such.
 */
#ifndef PAMTUNNEL_VPS_GRANT_RDP_SIGNATURE_H
#define PAMTUNNEL_VPS_GRANT_RDP_SIGNATURE_H

#include "base/text.h"
#include "vps/grant/rdp_certificate.h"

/* What it adds to a file at most. */
enum { RDP_SIGNATURE_MAX = 640 + (RDP_SIGNATURE_DER_MAX + 14) / 3 * 4 * 66 / 64 + 66 };

/*
 * Adds signscope and signature to a file, which is whole and nothing else is added to. On failure
 * the file stays as it was, unsigned: -errno as of rdp_certificate_sign(), or -ENOSPC.
 */
int rdp_signature_add(struct rdp_certificate *certificate, struct text *file);

#endif
