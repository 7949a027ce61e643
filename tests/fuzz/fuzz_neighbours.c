/* What a kernel says of a route and of a neighbour: it is read or refused. */
#include <stdint.h>
#include <stdlib.h>

#include "gateway/neighbours.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t mac[MAC_SIZE] = {0};
    int interface = 0;
    if (neighbours_read_mac(data, size, mac) == 0 && (mac[0] & 1)) {
        abort();
    }
    struct addr router;
    if (neighbours_read_router(data, size, &interface, &router) == 0 &&
        router.sa.sa_family != AF_INET && router.sa.sa_family != AF_INET6) {
        abort();
    }
    if (neighbours_read_route(data, size, &interface) > 0) {
        abort();
    }
    return 0;
}
