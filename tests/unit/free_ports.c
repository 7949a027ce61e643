#include "free_ports.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "base/net.h"

/* Up to the start of Linux's range for clients. */
enum { LOWEST = 10000, HIGHEST = 32000, TRIES = 1000 };

uint16_t free_ports(unsigned count)
{
    for (int i = 0; i < TRIES; i++) {
        uint32_t draw;
        assert_int_equal(crypto_random_below(HIGHEST - LOWEST - count, &draw), 0);
        uint16_t first = (uint16_t)(LOWEST + draw);
        unsigned found = 0;
        for (int fd; found < count; found++) {
            fd = net_listen("::", (uint16_t)(first + found), 1);
            if (fd < 0) {
                break;
            }
            close(fd);
        }
        if (found == count) {
            return first;
        }
    }
    fail_msg("no %u neighbouring ports are free", count);
    return 0;
}
