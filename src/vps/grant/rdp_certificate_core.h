/*
 * rdp_certificate, inside: rdp_certificate_read makes one of two files, rdp_certificate has what it
 * is good for.
 */
#ifndef PAMTUNNEL_VPS_GRANT_RDP_CERTIFICATE_CORE_H
#define PAMTUNNEL_VPS_GRANT_RDP_CERTIFICATE_CORE_H

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

#include "vps/grant/rdp_certificate.h"

struct rdp_certificate {
    unsigned owners;
    mbedtls_x509_crt chain;
    mbedtls_pk_context key;
    struct rdp_certificate_view view;
};

#endif
