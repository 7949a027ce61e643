/*
 * The name under which ssh keeps the host key of a target. Its own choice would be the address of
 * this server and a port, which is another target's tomorrow. No two machines may share an entry:
 * false alarms about changed keys teach people to delete the very entry that would reveal a VPS in
 * between.
 */
#include "vps/grant/hostkey.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>

enum { SSH_PORT = 22 };

void hostkey_alias(const char *gateway, const char *host, uint16_t port, char *dst)
{
    struct in6_addr v6;
    char address[INET6_ADDRSTRLEN], suffix[8] = "";
    if (inet_pton(AF_INET6, host, &v6) == 1) { /* one address has many forms */
        host = inet_ntop(AF_INET6, &v6, address, sizeof address);
    }
    if (port != SSH_PORT) {
        snprintf(suffix, sizeof suffix, "+%u", port);
    }
    snprintf(dst, HOSTKEY_ALIAS_SIZE, "%s%s%s%s", gateway, gateway[0] ? "/" : "", host, suffix);
    /* Names are the same in either case (RFC 4343), and so are those of gateways. */
    for (char *c = dst; *c; c++) {
        *c = (char)tolower((unsigned char)*c);
    }
}
