#include "base/host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* RFC 1123, section 2.1: letters, digits, inner hyphens, 1 to 63 characters. */
static bool label_is_valid(const char *label, size_t len)
{
    if (len < 1 || len > 63 || !is_alnum(label[0]) || !is_alnum(label[len - 1])) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!is_alnum(label[i]) && label[i] != '-' && label[i] != '_') {
            return false;
        }
    }
    return true;
}

/* What inet_aton(3) reads as one: all digits, or "0x7f". */
static bool is_number(const char *label, size_t len)
{
    if (len > 2 && label[0] == '0' && (label[1] | 0x20) == 'x') {
        return 2 + strspn(label + 2, "0123456789abcdefABCDEF") == len;
    }
    return strspn(label, "0123456789") == len;
}

/*
 * The last label is never a number, or "1.2.3" and "127.1" would be names
 * that resolvers read as addresses.
 */
static bool name_is_valid(const char *text)
{
    size_t len = strlen(text);
    if (len < 1 || len > HOST_MAX) {
        return false;
    }
    const char *label = text;
    for (;;) {
        size_t label_len = strcspn(label, ".");
        if (!label_is_valid(label, label_len)) {
            return false;
        }
        if (label[label_len] == '\0') {
            return !is_number(label, label_len);
        }
        label += label_len + 1;
    }
}

enum host_kind host_kind(const char *text)
{
    struct in6_addr any;
    /* Not inet_aton(3), which takes 127.1, octal and hex: lists of targets would be got round. */
    if (inet_pton(AF_INET, text, &any) == 1) {
        return HOST_IPV4;
    }
    if (inet_pton(AF_INET6, text, &any) == 1) {
        return HOST_IPV6;
    }
    return name_is_valid(text) ? HOST_NAME : HOST_INVALID;
}

/* Only digits and dots: it is meant to be an IPv4 address. */
static const char *explain_number(const char *text)
{
    bool zero = text[0] == '0' && text[1] >= '0' && text[1] <= '9';
    for (const char *dot = strchr(text, '.'); dot; dot = strchr(dot + 1, '.')) {
        zero = zero || (dot[1] == '0' && dot[2] >= '0' && dot[2] <= '9');
    }
    return zero ? "write the numbers of an IPv4 address without leading zeros"
                : "an IPv4 address has four numbers from 0 to 255";
}

static const char *explain_label(const char *label, size_t len)
{
    if (len == 0) {
        return "a name cannot begin with a dot or have two in a row";
    }
    if (len > 63) {
        return "each part between dots has at most 63 characters";
    }
    if (!is_alnum(label[0]) || !is_alnum(label[len - 1])) {
        return "a name, and each part of it between dots, must begin and end with a letter or a "
               "digit";
    }
    return NULL;
}

static const char *explain_name(const char *text)
{
    static const char LETTERS[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.";
    if (text[strspn(text, LETTERS)]) {
        return "a name can only have the letters a to z, digits, hyphens and dots";
    }
    if (strlen(text) > HOST_MAX) {
        return "a name has at most 253 characters";
    }
    for (const char *label = text;;) {
        size_t len = strcspn(label, ".");
        const char *clause = explain_label(label, len);
        if (clause || !label[len]) {
            return clause ? clause : "the last part of a name cannot be a number";
        }
        label += len + 1;
    }
}

const char *host_explain(const char *text)
{
    const char *colon = strchr(text, ':');
    if (!text[0]) {
        return "write it like HOME-PC, 192.168.1.22 or [fd00::22]:2222";
    }
    if (colon && strchr(text, '%')) {
        return "leave out the % and what follows it, or use another address of the machine";
    }
    if (colon && strchr(colon + 1, ':')) {
        return "an IPv6 address is written like fd00::22, and with a port like [fd00::22]:2222";
    }
    if (strspn(text, "0123456789.") == strlen(text)) {
        return explain_number(text);
    }
    return explain_name(text);
}

int port_parse(const char *text, uint16_t *ret_port)
{
    unsigned port = 0;
    size_t len = strlen(text);
    /* sscanf(3) alone would take signs, white space and what follows. */
    if (len < 1 || len > 5 || strspn(text, "0123456789") != len || sscanf(text, "%u", &port) != 1 ||
        port < 1 || port > UINT16_MAX) {
        return -EINVAL;
    }
    *ret_port = (uint16_t)port;
    return 0;
}

void target_format(const char *host, uint16_t port, char *dst)
{
    bool v6 = host_kind(host) == HOST_IPV6;
    snprintf(dst, TARGET_TEXT_MAX, "%s%s%s:%u", v6 ? "[" : "", host, v6 ? "]" : "", port);
}
