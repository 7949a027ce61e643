/*
 * netbios_name: a NetBIOS name in the form that goes over the wire (RFC 1001, section 14.1): 15
 * characters in capitals, filled up with blanks, and a byte that says what the machine is by that
 * name; each half of each byte is a letter from A to P.
 */
#ifndef PAMTUNNEL_GATEWAY_NAMES_NETBIOS_NAME_H
#define PAMTUNNEL_GATEWAY_NAMES_NETBIOS_NAME_H

#include <stdbool.h>
#include <stdint.h>

enum {
    NETBIOS_NAME_MAX = 15,
    NETBIOS_ENCODED_SIZE = 33,        /* with the NUL */
    NETBIOS_FLAGS_BROADCAST = 0x0110, /* recursion desired, to all */
    /* What a machine is to others by that name. */
    NETBIOS_WORKSTATION = 0x00,
    NETBIOS_FILE_SERVER = 0x20,
};

/* False: the name is too long. */
bool netbios_encode(const char *name, uint8_t suffix, char dst[NETBIOS_ENCODED_SIZE]);
/* What follows the 32 letters (a scope) is ignored. False: it is no such name. */
bool netbios_decode(const char *encoded, char dst[NETBIOS_NAME_MAX + 1], uint8_t *ret_suffix);
/* The same for the bytes as a machine lists them: 15 characters without the blanks at the end. */
void netbios_trim(const uint8_t bytes[NETBIOS_NAME_MAX], char dst[NETBIOS_NAME_MAX + 1]);

#endif
