/*
 * mbedTLS's source of entropy. Its own one opens /dev/random on other libcs than
 * glibc, which an empty container does not have; getrandom(2) needs no file.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/random.h>

#include <mbedtls/entropy.h>

int mbedtls_hardware_poll(void *data, unsigned char *output, size_t len, size_t *olen);

int mbedtls_hardware_poll(void *data, unsigned char *output, size_t len, size_t *olen)
{
    (void)data;
    size_t have = 0;
    while (have < len) {
        ssize_t got = getrandom(output + have, len - have, 0);
        if (got < 0 && errno != EINTR) {
            return MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
        }
        have += got > 0 ? (size_t)got : 0;
    }
    *olen = have;
    return 0;
}
