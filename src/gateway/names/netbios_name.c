#include "gateway/names/netbios_name.h"

#include <string.h>

bool netbios_encode(const char *name, uint8_t suffix, char dst[NETBIOS_ENCODED_SIZE])
{
    size_t len = strlen(name);
    if (len > NETBIOS_NAME_MAX) {
        return false;
    }
    for (size_t i = 0; i <= NETBIOS_NAME_MAX; i++) {
        uint8_t c = i == NETBIOS_NAME_MAX ? suffix : i < len ? (uint8_t)name[i] : (uint8_t)' ';
        if (i < len && c >= 'a' && c <= 'z') {
            c = (uint8_t)(c - 'a' + 'A');
        }
        dst[2 * i] = (char)('A' + (c >> 4));
        dst[2 * i + 1] = (char)('A' + (c & 15));
    }
    dst[NETBIOS_ENCODED_SIZE - 1] = '\0';
    return true;
}

bool netbios_decode(const char *encoded, char dst[NETBIOS_NAME_MAX + 1], uint8_t *ret_suffix)
{
    uint8_t bytes[NETBIOS_NAME_MAX + 1];
    for (size_t i = 0; i < sizeof bytes; i++) {
        const char *pair = encoded + 2 * i;
        if (pair[0] < 'A' || pair[0] > 'P' || pair[1] < 'A' || pair[1] > 'P') {
            return false; /* also at its NUL */
        }
        bytes[i] = (uint8_t)((pair[0] - 'A') << 4 | (pair[1] - 'A'));
    }
    if (encoded[2 * sizeof bytes] && encoded[2 * sizeof bytes] != '.') {
        return false;
    }
    netbios_trim(bytes, dst);
    *ret_suffix = bytes[NETBIOS_NAME_MAX];
    return true;
}

void netbios_trim(const uint8_t bytes[NETBIOS_NAME_MAX], char dst[NETBIOS_NAME_MAX + 1])
{
    size_t len = NETBIOS_NAME_MAX;
    while (len > 0 && (bytes[len - 1] == ' ' || bytes[len - 1] == '\0')) {
        len--;
    }
    memcpy(dst, bytes, len);
    dst[len] = '\0';
}
