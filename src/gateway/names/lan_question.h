/*
 * lan_question: who has this name? In the words of the three ways in which the machines of a LAN
 * ask each other: mDNS (RFC 6762, as a querier that is not on port 5353: section 6.7), LLMNR (RFC
 * 4795) and NetBIOS over UDP (RFC 1002, section 4.2.12).
 */
#ifndef PAMTUNNEL_GATEWAY_NAMES_LAN_QUESTION_H
#define PAMTUNNEL_GATEWAY_NAMES_LAN_QUESTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/net.h"

enum lan_protocol { LAN_MDNS = 1, LAN_LLMNR = 2, LAN_NETBIOS = 3 };

enum {
    LAN_PROTOCOLS = 3,
    LAN_QUESTION_MAX = 300, /* bytes of one */
    LAN_ADDRS_MAX = 16,     /* of one answer */
};

struct lan_question {
    enum lan_protocol protocol;
    const char *name; /* as the user wrote it, of any case */
    int family;       /* of the addresses that are asked for; NetBIOS has AF_INET alone */
    uint16_t id;      /* that the answer repeats */
    uint8_t suffix;   /* NetBIOS: see netbios_name.h */
};

/* "mDNS", "LLMNR", "NetBIOS" */
const char *lan_protocol_name(enum lan_protocol protocol);
/* Where questions go to and answers come from. */
uint16_t lan_protocol_port(enum lan_protocol protocol);
/* The group of those who answer, with the port. -EAFNOSUPPORT: there is none, it is broadcast. */
int lan_protocol_group(enum lan_protocol protocol, int family, struct addr *ret_addr);

/*
 * A name that the LAN may be asked for: one without a dot, or under .local. Others are DNS's
 * affair, and who mistypes one does not want to be sent to whoever answers to it; "localhost" is
 * nobody else's name.
 */
bool lan_question_is_for(const char *name);
/* Returns its length, or 0 if this protocol has no such names. */
size_t lan_question_write(const struct lan_question *question, uint8_t dst[LAN_QUESTION_MAX]);
/*
 * What a datagram says in answer to it, without ports: how many addresses. 0 if it answers
 * something else, is a refusal, or broken.
 */
unsigned lan_question_read(const struct lan_question *question, const void *bytes, size_t len,
                           struct addr ret_addrs[LAN_ADDRS_MAX]);

#endif
