#include "gateway/names/lan_listing.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/host.h"
#include "gateway/names/dns_message.h"
#include "gateway/names/netbios_name.h"

enum { STATUS_FLAGS = 0, STATUS_ENTRY = 18, OF_GROUP = 0x8000, SRV_HEAD = 6 };

/* By which machines that can be worked on make themselves known. */
static const char *const SERVICES[] = {"_workstation._tcp.local", "_ssh._tcp.local",
                                       "_rdp._tcp.local", "_rfb._tcp.local", "_smb._tcp.local"};

/* Behind an address, backwards. */
#define REVERSE   ".in-addr.arpa"

/* "*" and fifteen zeros, as letters. */
#define EVERYBODY "CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

/* ---- questions -------------------------------------------------------------- */

static size_t write_question(const char *name, uint16_t id, uint16_t flags, uint16_t type,
                             uint8_t dst[LAN_QUESTION_MAX])
{
    struct writer w = writer_over(dst, LAN_QUESTION_MAX);
    dns_write_head(&w, id, flags, 1);
    dns_write_name(&w, name);
    write_u16(&w, type);
    write_u16(&w, DNS_CLASS_IN);
    return w.failed ? 0 : LAN_QUESTION_MAX - w.left;
}

unsigned lan_listing_services(void)
{
    return sizeof SERVICES / sizeof *SERVICES;
}

size_t lan_listing_write_service(unsigned service, uint16_t id, uint8_t dst[LAN_QUESTION_MAX])
{
    return write_question(SERVICES[service], id, 0, DNS_TYPE_PTR, dst);
}

/* As a label; returns its size. */
static size_t write_octet(struct writer *w, uint32_t octet)
{
    char digits[4];
    int len = snprintf(digits, sizeof digits, "%u", octet & 0xff);
    write_u8(w, (uint8_t)len);
    write_bytes(w, digits, (size_t)len);
    return 1 + (size_t)len;
}

size_t lan_listing_write_owners(uint32_t first, unsigned count, uint16_t id,
                                uint8_t dst[LAN_QUESTION_MAX])
{
    char block[sizeof "255.255.255" REVERSE];
    size_t rest = DNS_HEAD_SIZE;
    struct writer w = writer_over(dst, LAN_QUESTION_MAX);
    dns_write_head(&w, id, 0, (uint16_t)count);
    snprintf(block, sizeof block, "%u.%u.%u" REVERSE, first >> 8 & 0xff, first >> 16 & 0xff,
             first >> 24);
    for (unsigned i = 0; i < count; i++) {
        size_t label = write_octet(&w, first + i);
        if (i == 0) {
            rest += label;
            dns_write_name(&w, block);
        } else {
            dns_write_pointer(&w, rest);
        }
        write_u16(&w, DNS_TYPE_PTR);
        write_u16(&w, DNS_CLASS_IN);
    }
    return w.failed ? 0 : LAN_QUESTION_MAX - w.left;
}

size_t lan_listing_write_everybody(uint16_t id, uint8_t dst[LAN_QUESTION_MAX])
{
    return write_question(EVERYBODY, id, NETBIOS_FLAGS_BROADCAST, DNS_TYPE_NB, dst);
}

size_t lan_listing_write_status(uint16_t id, uint8_t dst[LAN_QUESTION_MAX])
{
    return write_question(EVERYBODY, id, STATUS_FLAGS, DNS_TYPE_NBSTAT, dst);
}

/* ---- answers of mDNS -------------------------------------------------------- */

/* "home-pc.local" as "home-pc". False: it is another kind of name. */
static bool take_name(const char *name, char dst[LAN_NAME_SIZE])
{
    size_t len = strcspn(name, ".");
    if (len >= LAN_NAME_SIZE || strcasecmp(name + len, ".local") != 0) {
        return false;
    }
    memcpy(dst, name, len);
    dst[len] = '\0';
    return host_kind(dst) == HOST_NAME;
}

/* Its place, made if there is room; NULL: there is none. */
static struct lan_listed *place_of(const char *name, struct lan_listed *listed, unsigned *count)
{
    struct lan_listed fresh = {.has_addr = false};
    if (!take_name(name, fresh.name)) {
        return NULL;
    }
    for (unsigned i = 0; i < *count; i++) {
        if (strcasecmp(listed[i].name, fresh.name) == 0) {
            return &listed[i];
        }
    }
    if (*count == LAN_LISTED_MAX) {
        return NULL;
    }
    listed[*count] = fresh;
    return &listed[(*count)++];
}

static void read_address(struct dns_record *record, struct lan_listed *place)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    read_copy(&record->data, &v4.sin_addr, sizeof v4.sin_addr);
    if (place && reader_is_done(&record->data)) {
        place->has_addr = addr_from((const struct sockaddr *)&v4, &place->addr) == 0;
    }
}

/* The name of an address, as "22.1.168.192.in-addr.arpa". */
static bool read_reverse(const char *name, struct addr *ret_addr)
{
    unsigned octets[4];
    int len = 0;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    if (sscanf(name, "%3u.%3u.%3u.%3u%n", &octets[0], &octets[1], &octets[2], &octets[3], &len) !=
            4 ||
        strcasecmp(name + len, REVERSE) != 0) {
        return false;
    }
    for (unsigned i = 0; i < 4; i++) {
        if (octets[i] > 0xff) {
            return false;
        }
        v4.sin_addr.s_addr |= htonl(octets[i] << 8 * i);
    }
    return addr_from((const struct sockaddr *)&v4, ret_addr) == 0;
}

/* A service's names lead nowhere by themselves, an address's does. */
static void read_pointer(const struct dns_message *message, struct dns_record *record,
                         struct lan_listed *listed, unsigned *count)
{
    char owner[DNS_NAME_SIZE];
    struct addr addr;
    struct lan_listed *place;
    if (read_reverse(record->name, &addr) && dns_message_name(message, &record->data, owner) &&
        (place = place_of(owner, listed, count))) {
        place->has_addr = true;
        place->addr = addr;
    }
}

unsigned lan_listing_read_services(const void *bytes, size_t len, uint16_t id,
                                   struct lan_listed ret_listed[LAN_LISTED_MAX])
{
    struct dns_message message;
    struct dns_record record;
    unsigned count = 0;
    if (dns_message_open(bytes, len, &message) < 0 || message.id != id) {
        return 0;
    }
    while (dns_message_next(&message, &record)) {
        char target[DNS_NAME_SIZE];
        if (record.class != DNS_CLASS_IN) {
            continue;
        }
        if (record.type == DNS_TYPE_A) {
            read_address(&record, place_of(record.name, ret_listed, &count));
        } else if (record.type == DNS_TYPE_PTR) {
            read_pointer(&message, &record, ret_listed, &count);
        } else if (record.type == DNS_TYPE_SRV && read_bytes(&record.data, SRV_HEAD) &&
                   dns_message_name(&message, &record.data, target)) {
            place_of(target, ret_listed, &count);
        }
    }
    return count;
}

/* ---- answers of NetBIOS ----------------------------------------------------- */

/* The first record, if it is of that type. */
static bool read_record(const void *bytes, size_t len, uint16_t id, uint16_t type,
                        struct dns_record *ret_record)
{
    struct dns_message message;
    return dns_message_open(bytes, len, &message) == 0 && message.id == id &&
           dns_message_next(&message, ret_record) && ret_record->type == type &&
           ret_record->class == DNS_CLASS_IN;
}

bool lan_listing_is_somebody(const void *bytes, size_t len, uint16_t id)
{
    struct dns_record record;
    return read_record(bytes, len, id, DNS_TYPE_NB, &record);
}

bool lan_listing_read_status(const void *bytes, size_t len, uint16_t id, char dst[LAN_NAME_SIZE])
{
    struct dns_record record;
    bool found = false;
    if (!read_record(bytes, len, id, DNS_TYPE_NBSTAT, &record)) {
        return false;
    }
    for (unsigned left = read_u8(&record.data); left > 0 && !found; left--) {
        char name[NETBIOS_NAME_MAX + 1];
        const uint8_t *entry = read_bytes(&record.data, STATUS_ENTRY);
        if (!entry) {
            return false;
        }
        uint8_t suffix = entry[NETBIOS_NAME_MAX];
        bool of_group = entry[NETBIOS_NAME_MAX + 1] & (OF_GROUP >> 8);
        netbios_trim(entry, name);
        found = !of_group && host_kind(name) == HOST_NAME && !strchr(name, '.') &&
                (suffix == NETBIOS_WORKSTATION || suffix == NETBIOS_FILE_SERVER);
        if (found) {
            memcpy(dst, name, sizeof name);
        }
    }
    return found;
}
