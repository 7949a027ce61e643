#include "vps/admission/sshid.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool starts_like(const uint8_t *data, size_t len, const char *prefix)
{
    size_t prefix_len = strlen(prefix);
    return memcmp(data, prefix, len < prefix_len ? len : prefix_len) == 0;
}

long sshid_parse(const uint8_t *data, size_t len)
{
    /* RFC 4253, 5.1: 1.99 stands for 2.0 with compatibility to 1.x. */
    if (!starts_like(data, len, "SSH-2.0-") && !starts_like(data, len, "SSH-1.99-")) {
        return -EBADMSG;
    }
    /* Only servers may send other lines first (4.2): from a client the first line is the one. */
    for (size_t i = 0; i < len && i < SSHID_MAX; i++) {
        if (data[i] == '\n') {
            return (long)i + 1; /* a bare LF is tolerated, as sshd does */
        }
        bool visible = data[i] >= 0x20 && data[i] != 0x7f;
        if (!visible && data[i] != '\r') {
            return -EBADMSG;
        }
    }
    return len < SSHID_MAX ? -EAGAIN : -EBADMSG;
}
