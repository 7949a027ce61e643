/* A protocol is a row of PROTOCOLS. The format of their answers is dns_message's. */
#include "gateway/names/lan_question.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "gateway/names/dns_message.h"
#include "gateway/names/netbios_name.h"

enum { FLAGS_DNS = 0, NB_GROUP = 0x8000, NB_ENTRY = 6, ALIASES_MAX = 2 };

static const struct protocol {
    const char *name;
    uint16_t port;
    const char *group_v4, *group_v6; /* NULL: broadcast */
} PROTOCOLS[LAN_PROTOCOLS + 1] = {
    [LAN_MDNS] = {"mDNS", 5353, "224.0.0.251", "ff02::fb"},
    [LAN_LLMNR] = {"LLMNR", 5355, "224.0.0.252", "ff02::1:3"},
    [LAN_NETBIOS] = {"NetBIOS", 137, NULL, NULL},
};

const char *lan_protocol_name(enum lan_protocol protocol)
{
    return PROTOCOLS[protocol].name;
}

uint16_t lan_protocol_port(enum lan_protocol protocol)
{
    return PROTOCOLS[protocol].port;
}

int lan_protocol_group(enum lan_protocol protocol, int family, struct addr *ret_addr)
{
    const struct protocol *row = &PROTOCOLS[protocol];
    const char *group = family == AF_INET ? row->group_v4 : row->group_v6;
    return group ? addr_parse(group, row->port, ret_addr) : -EAFNOSUPPORT;
}

/* ---- names ------------------------------------------------------------------ */

static bool is_local(const char *name)
{
    static const char SUFFIX[] = ".local";
    size_t len = strlen(name), suffix = sizeof SUFFIX - 1;
    return len > suffix && strcasecmp(name + len - suffix, SUFFIX) == 0;
}

bool lan_question_is_for(const char *name)
{
    return (!strchr(name, '.') && strcasecmp(name, "localhost") != 0) || is_local(name);
}

/* As this protocol has it. False: it has no such names. */
static bool full_name(const struct lan_question *question, char dst[DNS_NAME_SIZE])
{
    static const char SUFFIX[] = ".local";
    size_t len = strlen(question->name);
    bool local = is_local(question->name);
    bool add = question->protocol == LAN_MDNS && !local;
    if (!lan_question_is_for(question->name) || (local && question->protocol != LAN_MDNS) ||
        len + sizeof SUFFIX > DNS_NAME_SIZE) {
        return false;
    }
    memcpy(dst, question->name, len + 1);
    if (add) {
        memcpy(dst + len, SUFFIX, sizeof SUFFIX);
    }
    return true;
}

/* ---- asking ----------------------------------------------------------------- */

size_t lan_question_write(const struct lan_question *question, uint8_t dst[LAN_QUESTION_MAX])
{
    char name[DNS_NAME_SIZE];
    struct writer w = writer_over(dst, LAN_QUESTION_MAX);
    if (!full_name(question, name)) {
        return 0;
    }
    if (question->protocol == LAN_NETBIOS) {
        char encoded[NETBIOS_ENCODED_SIZE];
        if (question->family != AF_INET || !netbios_encode(name, question->suffix, encoded)) {
            return 0;
        }
        dns_write_head(&w, question->id, NETBIOS_FLAGS_BROADCAST, 1);
        dns_write_name(&w, encoded);
        write_u16(&w, DNS_TYPE_NB);
    } else {
        dns_write_head(&w, question->id, FLAGS_DNS, 1);
        dns_write_name(&w, name);
        write_u16(&w, question->family == AF_INET ? DNS_TYPE_A : DNS_TYPE_AAAA);
    }
    write_u16(&w, DNS_CLASS_IN);
    return w.failed ? 0 : LAN_QUESTION_MAX - w.left;
}

/* ---- answers ---------------------------------------------------------------- */

static void add_v4(struct reader *reader, struct addr addrs[LAN_ADDRS_MAX], unsigned *count)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    read_copy(reader, &v4.sin_addr, sizeof v4.sin_addr);
    if (!reader->failed && *count < LAN_ADDRS_MAX) {
        *count += addr_from((const struct sockaddr *)&v4, &addrs[*count]) == 0;
    }
}

static void add_v6(struct reader *reader, struct addr addrs[LAN_ADDRS_MAX], unsigned *count)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    read_copy(reader, &v6.sin6_addr, sizeof v6.sin6_addr);
    if (!reader->failed && *count < LAN_ADDRS_MAX) {
        *count += addr_from((const struct sockaddr *)&v6, &addrs[*count]) == 0;
    }
}

/* A group's name is a workgroup's, which many machines answer to. */
static void add_netbios(struct reader *reader, struct addr addrs[LAN_ADDRS_MAX], unsigned *count)
{
    while (reader->left >= NB_ENTRY) {
        uint16_t flags = read_u16(reader);
        if (flags & NB_GROUP) {
            read_u32(reader);
        } else {
            add_v4(reader, addrs, count);
        }
    }
}

/* Of either suffix: the answer to the first question may come after the second was asked. */
static bool is_its_netbios_name(const char *asked, const char *encoded)
{
    char name[NETBIOS_NAME_MAX + 1];
    uint8_t suffix;
    return netbios_decode(encoded, name, &suffix) && strcasecmp(name, asked) == 0 &&
           (suffix == NETBIOS_WORKSTATION || suffix == NETBIOS_FILE_SERVER);
}

static void read_record(const struct lan_question *question, const char *name,
                        struct dns_record *record, struct addr addrs[LAN_ADDRS_MAX],
                        unsigned *count)
{
    if (record->class != DNS_CLASS_IN) {
        return;
    }
    if (question->protocol == LAN_NETBIOS) {
        if (record->type == DNS_TYPE_NB && is_its_netbios_name(name, record->name)) {
            add_netbios(&record->data, addrs, count);
        }
        return;
    }
    if (strcasecmp(record->name, name) != 0) {
        return;
    }
    if (record->type == DNS_TYPE_A && question->family == AF_INET && record->data.left == 4) {
        add_v4(&record->data, addrs, count);
    } else if (record->type == DNS_TYPE_AAAA && question->family == AF_INET6 &&
               record->data.left == 16) {
        add_v6(&record->data, addrs, count);
    }
}

/* What another name stands for, in the same message. False: there is none. */
static bool follow_alias(struct dns_message message, char name[DNS_NAME_SIZE])
{
    struct dns_record record;
    while (dns_message_next(&message, &record)) {
        if (record.type == DNS_TYPE_CNAME && record.class == DNS_CLASS_IN &&
            strcasecmp(record.name, name) == 0) {
            return dns_message_name(&message, &record.data, name);
        }
    }
    return false;
}

static unsigned read_all(const struct lan_question *question, struct dns_message message,
                         const char *name, struct addr ret_addrs[LAN_ADDRS_MAX])
{
    struct dns_record record;
    unsigned count = 0;
    while (dns_message_next(&message, &record)) {
        read_record(question, name, &record, ret_addrs, &count);
    }
    return count;
}

unsigned lan_question_read(const struct lan_question *question, const void *bytes, size_t len,
                           struct addr ret_addrs[LAN_ADDRS_MAX])
{
    char name[DNS_NAME_SIZE];
    struct dns_message message;
    if (!full_name(question, name) || dns_message_open(bytes, len, &message) < 0 ||
        message.id != question->id ||
        (question->protocol == LAN_LLMNR && (message.flags & DNS_FLAG_TENTATIVE))) {
        return 0;
    }
    unsigned count = read_all(question, message, name, ret_addrs);
    for (unsigned i = 0; count == 0 && question->protocol != LAN_NETBIOS && i < ALIASES_MAX &&
                         follow_alias(message, name);
         i++) {
        count = read_all(question, message, name, ret_addrs);
    }
    return count;
}
