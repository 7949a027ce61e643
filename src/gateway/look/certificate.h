/*
 * certificate: how to have a Remote Desktop server show its certificate (MS-RDPBCGR, 2.2.1.1 and
 * 2.2.1.2; RFC 5246, RFC 8446): ask for TLS, and go through its handshake, so that the server
 * proves that the certificate is its own. No CredSSP and no log-in follow. Nobody has to have
 * signed it.
 *
 * Bytes in and bytes out; it knows no socket.
 */
#ifndef PAMTUNNEL_GATEWAY_LOOK_CERTIFICATE_H
#define PAMTUNNEL_GATEWAY_LOOK_CERTIFICATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/why.h"
#include "gateway/look/sight.h"

struct certificate;

/* NULL when out of memory. As host_key_new(). */
struct certificate *certificate_new(struct writer *answer);
/* Accepts NULL. */
void certificate_free(struct certificate *certificate);
/* As host_key_take(). */
int certificate_take(struct certificate *certificate, const uint8_t *data, size_t len,
                     struct writer *answer, struct sight *ret_sight, struct why *why);

#endif
