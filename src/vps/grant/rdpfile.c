#include "vps/grant/rdpfile.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/host.h"
#include "shared/gateway_name.h"
#include "vps/grant/rdp_signature.h"

/*
 * Nothing of the user's machine is lent to the target, which may be in wrong hands: no drive,
 * printer, smartcard, port, camera or microphone. The clipboard is, if RDP_CLIPBOARD allows it.
 */
static const char SETTINGS[] =
    "prompt for credentials:i:1\r\n"
    "authentication level:i:2\r\n" /* warn: the certificate is the target's */
    "enablecredsspsupport:i:1\r\n"
    "negotiate security layer:i:1\r\n"
    "gatewayusagemethod:i:0\r\n"
    "autoreconnection enabled:i:1\r\n"
    "bandwidthautodetect:i:1\r\n" /* with networkautodetect:i:1, the default, FreeRDP warns */
    "redirectprinters:i:0\r\n"
    "redirectsmartcards:i:0\r\n"
    "redirectcomports:i:0\r\n"
    "redirectwebauthn:i:0\r\n"
    "audiocapturemode:i:0\r\n"
    "drivestoredirect:s:\r\n"
    "devicestoredirect:s:\r\n"
    "camerastoredirect:s:\r\n";

/*
 * What else is on the list of what can be signed, and would lend or start something if somebody
 * added it: drives by their older name, a program at the target, a KDC in between. mstsc has them
 * in every file that it saves, as they are here. (server port counts less than the address has.)
 */
static const char SIGNED_SETTINGS[] = "use redirection server name:i:0\r\n"
                                      "alternate shell:s:\r\n"
                                      "shell working directory:s:\r\n"
                                      "remoteapplicationmode:i:0\r\n"
                                      "redirectdrives:i:0\r\n"
                                      "redirectposdevices:i:0\r\n"
                                      "rdgiskdcproxy:i:0\r\n"
                                      "kdcproxyname:s:\r\n";

/* mstsc and FreeRDP read a domain in a line of its own. */
static void add_user(const char *user, struct text *text)
{
    const char *backslash = strchr(user, '\\');
    if (user[0]) {
        text_add(text, "username:s:%s\r\n", backslash ? backslash + 1 : user);
    }
    if (backslash) {
        text_add(text, "domain:s:%.*s\r\n", (int)(backslash - user), user);
    }
}

bool rdpfile_write(const struct rdpfile *file, struct text *text)
{
    char address[TARGET_TEXT_MAX];
    target_format(file->host, file->port, address);
    text_add(text, "full address:s:%s\r\n", address);
    if (file->signer) { /* or somebody could add another one, which counts then */
        text_add(text, "alternate full address:s:%s\r\n", address);
    }
    add_user(file->user, text);
    /*
     * A client sends loadbalanceinfo as it stands in its first packet, before TLS (MS-RDPBCGR
     * 2.2.1.1): that is how the secret comes back to us, and why others on the path can see it.
     */
    text_add(text, "%s%sredirectclipboard:i:%d\r\nloadbalanceinfo:s:%s%s\r\n", SETTINGS,
             file->signer ? SIGNED_SETTINGS : "", file->clipboard, RDPFILE_COOKIE, file->secret);
    return file->signer && rdp_signature_add(file->signer, text) == 0;
}

/* Windows opens the device, whatever stands behind the first dot. */
static bool is_device(const char *name)
{
    static const char *const NAMES[] = {"con", "prn", "aux", "nul"};
    size_t len = strcspn(name, ".");
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        if (len == 3 && strncasecmp(name, NAMES[i], len) == 0) {
            return true;
        }
    }
    return len == 4 && (strncasecmp(name, "com", 3) == 0 || strncasecmp(name, "lpt", 3) == 0) &&
           name[3] >= '0' && name[3] <= '9';
}

void rdpfile_name(const char *gateway, const char *target_host, char *dst)
{
    static const char ALLOWED[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    /* The name is made from what somebody typed, and names a file: only letters that are safe. */
    char name[GATEWAY_NAME_MAX + 1 + HOST_MAX + 1];
    snprintf(name, sizeof name, "%s%s%s", gateway, gateway[0] ? "-" : "", target_host);
    for (char *c = name; *c; c++) {
        *c = strchr(ALLOWED, *c) ? *c : '-';
    }
    /* A hyphen in front would be an option to a client that takes the file as an argument. */
    snprintf(dst, RDPFILE_NAME_SIZE, "%s%.*s.rdp", is_device(name) || name[0] == '-' ? "pam-" : "",
             RDPFILE_NAME_SIZE - 9, name);
}
