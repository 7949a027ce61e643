#include "gateway/setup/names_check.h"

#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "gateway/names/lan_socket.h"
#include "gateway/names/own_network.h"

/* What container engines give to containers that do not share the host's network. */
static bool is_of_a_container(const struct own_network *network)
{
    static const struct {
        const char *network;
        unsigned bits;
    } GIVEN[] = {{"172.16.0.0", 12}, {"10.88.0.0", 16}};
    for (size_t i = 0; i < sizeof GIVEN / sizeof *GIVEN; i++) {
        struct addr given;
        if (addr_parse(GIVEN[i].network, 0, &given) == 0 &&
            addr_in_network(&network->addr, &given, GIVEN[i].bits)) {
            return strcmp(network->interface, "eth0") == 0;
        }
    }
    return false;
}

/* 0, or why nothing can be asked there, -errno. */
static int try_socket(const struct own_network *network)
{
    int fd = lan_socket_open(network);
    if (fd < 0) {
        return fd;
    }
    close(fd);
    return 0;
}

/* "mDNS, LLMNR and NetBIOS on eth0 (192.168.1.2)" */
static void add_network(struct text *text, const struct own_network *network)
{
    char address[ADDR_HOST_MAX];
    text_add(text, "%s%s on %s (%s)", text->len > 0 ? "; " : "",
             network->has_broadcast ? "mDNS, LLMNR and NetBIOS" : "mDNS and LLMNR",
             network->interface, addr_host_text(&network->addr, address));
}

void names_check(struct checkup *checkup, bool discover)
{
    static const char WHAT[] = "names";
    struct own_network networks[OWN_NETWORKS_MAX];
    char buffer[512];
    struct text ways = text_over(buffer, sizeof buffer);
    unsigned count = own_networks_list(networks), usable = 0;
    bool all_of_containers = true;
    for (unsigned i = 0; i < count; i++) {
        if (lan_socket_is_for(&networks[i], AF_INET) && try_socket(&networks[i]) == 0) {
            add_network(&ways, &networks[i]);
            all_of_containers = all_of_containers && is_of_a_container(&networks[i]);
            usable++;
        }
    }
    if (usable == 0) {
        checkup_say(checkup, CHECKUP_SKIPPED, WHAT,
                    "this machine is in no network with neighbours: only names that name servers "
                    "know are found");
    } else if (all_of_containers) {
        checkup_say(checkup, CHECKUP_SKIPPED, WHAT,
                    "%s; if this is a container with a network of its own, no machine of the LAN "
                    "hears that, and only names that name servers know are found: give it the "
                    "host's network (network_mode: host)",
                    buffer);
    } else {
        checkup_say(checkup, CHECKUP_OK, WHAT,
                    "those that name servers do not know are asked for by %s%s", buffer,
                    discover ? "; DISCOVER is on: administrators may ask who is there" : "");
    }
}
