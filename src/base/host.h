/*
 * host: names of machines as people type them, checked before they go anywhere.
 *
 * A host is a name of RFC 1123 (letters, digits, hyphens, underscores tolerated
 * inside a label because Windows machine names have them; labels of 1 to 63
 * characters, 253 in all, no number at the end), an IPv4 address (four
 * decimal octets) or an IPv6 address. No scope ids, no brackets: those belong to
 * the forms with a port.
 */
#ifndef PAMTUNNEL_BASE_HOST_H
#define PAMTUNNEL_BASE_HOST_H

#include <stdbool.h>
#include <stdint.h>

enum { HOST_MAX = 253 };

enum host_kind { HOST_INVALID, HOST_NAME, HOST_IPV4, HOST_IPV6 };

/* HOST_INVALID if it is none of them. */
enum host_kind host_kind(const char *text);
/* For a text that is HOST_INVALID: what to write instead, a clause. Static; never NULL. */
const char *host_explain(const char *text);

/* A port in decimal digits only: no sign, no space, no "22abc", no 0. 0 or -EINVAL. */
int port_parse(const char *text, uint16_t *ret_port);

/* "HOST:PORT", with brackets around an IPv6 address. dst: TARGET_TEXT_MAX. */
enum { TARGET_TEXT_MAX = HOST_MAX + 16 };
void target_format(const char *host, uint16_t port, char *dst);

#endif
