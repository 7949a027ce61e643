/*
 * ca_certificates: the certificates of the public authorities that Debian's package
 * of that name trusts with web servers. scripts/deps makes the array.
 */
#ifndef PAMTUNNEL_CA_CERTIFICATES_H
#define PAMTUNNEL_CA_CERTIFICATES_H

#include <stddef.h>

/* DER, one after the other: each says itself how long it is. */
extern const unsigned char ca_certificates[];
extern const size_t ca_certificates_len;

#endif
