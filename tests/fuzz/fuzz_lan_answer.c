/*
 * What anybody in the LAN may send in answer to the question for a name. However it is read, it is
 * never taken for more than there is room for, and what is not an answer at all gives nothing.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "gateway/names/dns_message.h"
#include "gateway/names/lan_listing.h"
#include "gateway/names/lan_question.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds) {
        abort();
    }
}

static void read_all(const uint8_t *data, size_t size)
{
    struct dns_message message;
    struct dns_record record;
    if (dns_message_open(data, size, &message) < 0) {
        return;
    }
    while (dns_message_next(&message, &record)) {
        check(strlen(record.name) < DNS_NAME_SIZE && record.data.left <= size);
        dns_message_name(&message, &record.data, record.name);
        check(strlen(record.name) < DNS_NAME_SIZE);
        check(record.name[strspn(record.name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                              "0123456789-_.?")] == '\0');
    }
}

static void read_as(enum lan_protocol protocol, int family, const uint8_t *data, size_t size)
{
    struct addr addrs[LAN_ADDRS_MAX];
    struct lan_question question = {
        .protocol = protocol, .name = "HOME-PC", .family = family, .id = 0x1234};
    unsigned count = lan_question_read(&question, data, size, addrs);
    check(count <= LAN_ADDRS_MAX);
    for (unsigned i = 0; i < count; i++) {
        check(addr_port(&addrs[i]) == 0);
        check(addrs[i].sa.sa_family == AF_INET || addrs[i].sa.sa_family == AF_INET6);
    }
    question.id = (uint16_t)~question.id;
    check(count == 0 || lan_question_read(&question, data, size, addrs) == 0);
}

/* As answers to what can be asked without a name. */
static void read_listing(const uint8_t *data, size_t size)
{
    struct lan_listed listed[LAN_LISTED_MAX];
    char name[LAN_NAME_SIZE] = "";
    unsigned count = lan_listing_read_services(data, size, 0x1234, listed);
    check(count <= LAN_LISTED_MAX);
    for (unsigned i = 0; i < count; i++) {
        check(host_kind(listed[i].name) == HOST_NAME && !strchr(listed[i].name, '.'));
    }
    lan_listing_is_somebody(data, size, 0x1234);
    bool named = lan_listing_read_status(data, size, 0x1234, name);
    check(named ? host_kind(name) == HOST_NAME : !name[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_listing(data, size);
    read_all(data, size);
    for (unsigned i = LAN_MDNS; i <= LAN_PROTOCOLS; i++) {
        read_as((enum lan_protocol)i, AF_INET, data, size);
        read_as((enum lan_protocol)i, AF_INET6, data, size);
    }
    return 0;
}
