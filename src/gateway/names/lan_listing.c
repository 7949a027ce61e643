#include "gateway/names/lan_listing.h"

#include <string.h>
#include <strings.h>

#include "base/host.h"
#include "gateway/names/dns_message.h"
#include "gateway/names/netbios_name.h"

enum { STATUS_FLAGS = 0, STATUS_ENTRY = 18, OF_GROUP = 0x8000, SRV_HEAD = 6 };

/* By which machines that can be worked on make themselves known. */
static const char *const SERVICES[] = {"_workstation._tcp.local", "_ssh._tcp.local",
                                       "_rdp._tcp.local", "_rfb._tcp.local", "_smb._tcp.local"};

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
