#include "vps/grant/rdp_signature.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <mbedtls/base64.h>

#include "base/crypto.h"

enum { LINES_MAX = 3072, HEAD_SIZE = 12, PIECE = 48, PIECE_BASE64_SIZE = 65 };

/*
 * Those of rdpsign's list that our files have, in its order, with its spelling. Windows takes no
 * file that has one of them which is not signed: RedirectWebAuthn is on the list since 2022.
 */
static const char *const NAMES[] = {
    "Full Address",
    "Alternate Full Address",
    "Use Redirection Server Name",
    "Negotiate Security Layer",
    "EnableCredSspSupport",
    "AutoReconnection Enabled",
    "GatewayUsageMethod",
    "Alternate Shell",
    "Shell Working Directory",
    "RemoteApplicationMode",
    "Prompt For Credentials",
    "Authentication Level",
    "RedirectDrives",
    "RedirectPrinters",
    "RedirectCOMPorts",
    "RedirectSmartCards",
    "RedirectPOSDevices",
    "RedirectClipboard",
    "DevicesToRedirect",
    "DrivesToRedirect",
    "LoadBalanceInfo",
    "RDGIsKDCProxy",
    "KDCProxyName",
    "RedirectWebAuthn",
};

struct scratch {
    char lines[LINES_MAX];
    uint8_t message[2 * LINES_MAX];
    uint8_t blob[HEAD_SIZE + RDP_SIGNATURE_DER_MAX];
};

/* The line of a setting, with its CRLF. NULL: the file has none. */
static const char *find_line(const char *file, const char *name, size_t *ret_len)
{
    size_t len = strlen(name);
    for (const char *line = file, *end; (end = strstr(line, "\r\n")); line = end + 2) {
        if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
            *ret_len = (size_t)(end + 2 - line);
            return line;
        }
    }
    return NULL;
}

static void add_scope(const char *file, struct text *text)
{
    const char *comma = "";
    size_t len;
    text_add(text, "signscope:s:");
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        if (find_line(file, NAMES[i], &len)) {
            text_add(text, "%s%s", comma, NAMES[i]);
            comma = ",";
        }
    }
    text_add(text, "\r\n");
}

/* Returns its length in bytes; 0 if it does not fit. */
static size_t write_message(const char *file, struct scratch *scratch)
{
    struct text lines = text_over(scratch->lines, sizeof scratch->lines);
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        size_t len;
        const char *line = find_line(file, NAMES[i], &len);
        if (line) {
            text_put(&lines, line, len);
        }
    }
    add_scope(file, &lines);
    for (size_t i = 0; i <= lines.len; i++) { /* the file is ASCII */
        scratch->message[2 * i] = (uint8_t)scratch->lines[i];
        scratch->message[2 * i + 1] = 0;
    }
    return lines.cut ? 0 : 2 * (lines.len + 1);
}

/* As rdpsign sets it, two blanks between 64 characters and the next. */
static void add_base64(const uint8_t *blob, size_t len, struct text *text)
{
    text_add(text, "signature:s:");
    for (size_t at = 0; at < len; at += PIECE) {
        unsigned char piece[PIECE_BASE64_SIZE];
        size_t rest = len - at, put;
        mbedtls_base64_encode(piece, sizeof piece, &put, blob + at, rest < PIECE ? rest : PIECE);
        text_add(text, "%s%s", at > 0 ? "  " : "", (char *)piece);
    }
    text_add(text, "\r\n");
}

static int sign(struct rdp_certificate *certificate, struct text *file, struct scratch *scratch)
{
    struct der der = der_over(scratch->blob, sizeof scratch->blob);
    size_t len = write_message(file->start, scratch);
    if (len == 0) {
        return -ENOSPC;
    }
    int err = rdp_certificate_sign(certificate, scratch->message, len, &der);
    if (err < 0) {
        return err;
    }
    uint8_t head[HEAD_SIZE] = {1, 0, 1, 0, 1};
    uint32_t der_size = (uint32_t)der_len(&der);
    for (unsigned i = 0; i < 4; i++) {
        head[8 + i] = (uint8_t)(der_size >> 8 * i);
    }
    der_put(&der, head, sizeof head);
    if (der.full) {
        return -ENOSPC;
    }
    add_scope(file->start, file);
    add_base64(der.at, der_len(&der), file);
    return file->cut ? -ENOSPC : 0;
}

int rdp_signature_add(struct rdp_certificate *certificate, struct text *file)
{
    const struct text before = *file;
    struct scratch *scratch = malloc(sizeof *scratch);
    int err = scratch ? sign(certificate, file, scratch) : -ENOMEM;
    if (scratch) {
        crypto_wipe(scratch, sizeof *scratch); /* the secret is in the message */
    }
    free(scratch);
    if (err < 0) {
        *file = before;
        file->start[file->len] = '\0';
    }
    return err;
}
