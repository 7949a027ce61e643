#include "vps/session/rdpfile.h"

#include <stdio.h>
#include <string.h>

#include "base/host.h"

static const char SETTINGS[] =
    "prompt for credentials:i:1\r\n"
    "authentication level:i:2\r\n" /* warn: the certificate is the target's */
    "enablecredsspsupport:i:1\r\n"
    "negotiate security layer:i:1\r\n"
    "gatewayusagemethod:i:0\r\n"
    "autoreconnection enabled:i:1\r\n"
    "networkautodetect:i:1\r\n"
    "bandwidthautodetect:i:1\r\n"
    "redirectclipboard:i:0\r\n"
    "redirectprinters:i:0\r\n"
    "redirectsmartcards:i:0\r\n"
    "redirectcomports:i:0\r\n"
    "redirectwebauthn:i:0\r\n"
    "audiocapturemode:i:0\r\n"
    "drivestoredirect:s:\r\n"
    "devicestoredirect:s:\r\n"
    "camerastoredirect:s:\r\n";

void rdpfile_write(struct text *text, const char *host, uint16_t port, const char *secret)
{
    char address[TARGET_TEXT_MAX];
    target_format(host, port, address);
    text_add(text, "full address:s:%s\r\n%sloadbalanceinfo:s:%s%s\r\n", address, SETTINGS,
             RDPFILE_COOKIE, secret);
}

void rdpfile_name(const char *target_host, char *dst)
{
    static const char ALLOWED[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t len = strnlen(target_host, HOST_MAX);
    for (size_t i = 0; i < len; i++) {
        dst[i] = strchr(ALLOWED, target_host[i]) ? target_host[i] : '-';
    }
    snprintf(dst + len, 5, ".rdp");
}
