/*
 * lan_listing: who is there? The questions that can be asked without knowing a name: by mDNS for
 * services (RFC 6763) and for the owners of addresses (RFC 6762, section 4), by NetBIOS for
 * everybody, and then each one for its names (RFC 1002, section 4.2.17).
 */
#ifndef PAMTUNNEL_GATEWAY_NAMES_LAN_LISTING_H
#define PAMTUNNEL_GATEWAY_NAMES_LAN_LISTING_H

#include "gateway/names/lan_question.h"

enum {
    LAN_NAME_SIZE = 64,  /* of one label, with the NUL */
    LAN_LISTED_MAX = 16, /* of one answer */
    LAN_OWNERS_MAX = 20, /* in one question: they have to fit into an answer, too */
};

struct lan_listed {
    char name[LAN_NAME_SIZE]; /* "home-pc": a valid host name without a dot */
    bool has_addr;            /* else it is worth asking for */
    struct addr addr;         /* without a port */
};

/* The services that are asked for, one after the other: their number. */
unsigned lan_listing_services(void);
/* "Who offers this service?", for mDNS. Returns the length. */
size_t lan_listing_write_service(unsigned service, uint16_t id, uint8_t dst[LAN_QUESTION_MAX]);
/*
 * "Whose are these addresses?", for mDNS: so many (LAN_OWNERS_MAX) from `first` (in the order of
 * this machine's bytes), none of which leaves its block of 256.
 */
size_t lan_listing_write_owners(uint32_t first, unsigned count, uint16_t id,
                                uint8_t dst[LAN_QUESTION_MAX]);
/* Those whose names and addresses (of IPv4) are in an answer to any of these, or to A. */
unsigned lan_listing_read_services(const void *bytes, size_t len, uint16_t id,
                                   struct lan_listed ret_listed[LAN_LISTED_MAX]);

/* "Who is there?" for all of NetBIOS; the answer says nothing but that its sender is. */
size_t lan_listing_write_everybody(uint16_t id, uint8_t dst[LAN_QUESTION_MAX]);
bool lan_listing_is_somebody(const void *bytes, size_t len, uint16_t id);
/* "What are you called?" for one of them. */
size_t lan_listing_write_status(uint16_t id, uint8_t dst[LAN_QUESTION_MAX]);
/* Its name. False: it says none, or none that could be a target's. */
bool lan_listing_read_status(const void *bytes, size_t len, uint16_t id, char dst[LAN_NAME_SIZE]);

#endif
