#include "vps/setup/own_host.h"

#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>

/*
 * IPv4 first: clients without IPv6 are many, those without IPv4 few. A private address is only
 * mentioned and not proposed: Enter would take it, and nobody elsewhere could connect.
 */
void own_host_propose(char ret_proposal[ADDR_HOST_MAX])
{
    static const int FAMILIES[] = {AF_INET, AF_INET6};
    char own[ADDR_HOST_MAX] = "";
    ret_proposal[0] = '\0';
    for (unsigned i = 0; i < 2 && !ret_proposal[0]; i++) {
        struct addr addr;
        if (net_own_address(FAMILIES[i], &addr) == 0) {
            addr_host_text(&addr, addr_is_public(&addr) ? ret_proposal : own);
        }
    }
    if (!ret_proposal[0] && own[0]) {
        fprintf(stderr,
                "(This machine's own address %s is not a public one: ask its provider for its "
                "public one.)\n",
                own);
    }
}

const char *own_host_not_public(const char *host)
{
    struct addr addr;
    const char *literal = strcasecmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    return addr_parse(literal, 0, &addr) == 0 ? addr_not_public(&addr) : NULL;
}
