#include "base/mac.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int mac_parse(const char *text, uint8_t ret_mac[MAC_SIZE])
{
    uint8_t mac[MAC_SIZE];
    for (unsigned i = 0; i < MAC_SIZE; i++, text += 3) {
        /* The first one that does not fit ends it, so that nothing behind the text is read. */
        if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1])) {
            return -EINVAL;
        }
        const char digits[] = {text[0], text[1], '\0'};
        mac[i] = (uint8_t)strtoul(digits, NULL, 16);
        bool is_last = i + 1 == MAC_SIZE;
        if (is_last ? text[2] != '\0' : text[2] != ':' && text[2] != '-') {
            return -EINVAL;
        }
    }
    memcpy(ret_mac, mac, MAC_SIZE);
    return 0;
}

char *mac_text(const uint8_t mac[MAC_SIZE], char *dst)
{
    snprintf(dst, MAC_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
             mac[4], mac[5]);
    return dst;
}

bool mac_is_one(const uint8_t mac[MAC_SIZE])
{
    static const uint8_t NONE[MAC_SIZE];
    return !(mac[0] & 1) && memcmp(mac, NONE, MAC_SIZE) != 0;
}
