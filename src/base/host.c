#include "base/host.h"

#include <arpa/inet.h>
#include <ctype.h>
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
    if (inet_pton(AF_INET, text, &any) == 1) {
        return HOST_IPV4;
    }
    if (inet_pton(AF_INET6, text, &any) == 1) {
        return HOST_IPV6;
    }
    return name_is_valid(text) ? HOST_NAME : HOST_INVALID;
}

bool gateway_name_is_valid(const char *text)
{
    size_t len = strlen(text);
    if (len < 1 || len > GATEWAY_NAME_MAX || !is_alnum(text[0])) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!is_alnum(text[i]) && !strchr("._-", text[i])) {
            return false;
        }
    }
    return true;
}

static bool user_is_valid(const char *text, size_t len)
{
    if (len < 1 || len > USER_MAX || !(is_alnum(text[0]) || text[0] == '_')) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!is_alnum(text[i]) && !strchr("._-", text[i])) {
            return false;
        }
    }
    return true;
}

/* Decimal digits only: no sign, no space, no "22abc". */
static int port_parse(const char *text, uint16_t *ret_port)
{
    unsigned port = 0;
    size_t len = strlen(text);
    if (len < 1 || len > 5 || strspn(text, "0123456789") != len || sscanf(text, "%u", &port) != 1 ||
        port < 1 || port > UINT16_MAX) {
        return -EINVAL;
    }
    *ret_port = (uint16_t)port;
    return 0;
}

/* Takes "PREFIX" off the front of *text if `separator` follows it. */
static int take_prefix(const char **text, char separator, char *dst, size_t cap)
{
    const char *end = strchr(*text, separator);
    if (!end) {
        return 0;
    }
    size_t len = (size_t)(end - *text);
    if (len == 0 || len >= cap) {
        return -EINVAL;
    }
    memcpy(dst, *text, len);
    dst[len] = '\0';
    *text = end + 1;
    return 0;
}

/* HOST, HOST:PORT, ADDRESS6 or [ADDRESS6]:PORT. Returns the port's text or NULL. */
static const char *split_port(const char *text, char host[HOST_MAX + 1])
{
    size_t len = strlen(text);
    const char *start = text, *port = NULL;
    const char *colon = strchr(text, ':');
    if (text[0] == '[') {
        start = text + 1;
        len = strcspn(start, "]");
        if (start[len] != ']' || (start[len + 1] != ':' && start[len + 1] != '\0')) {
            host[0] = '\0';
            return NULL;
        }
        port = start[len + 1] == ':' ? start + len + 2 : NULL;
    } else if (colon && !strchr(colon + 1, ':')) {
        len = (size_t)(colon - text);
        port = colon + 1;
    }
    if (len > HOST_MAX) {
        len = 0;
    }
    memcpy(host, start, len);
    host[len] = '\0';
    return port;
}

int target_parse(const char *text, uint16_t default_port, bool allow_user,
                 struct target *ret_target, struct why *why)
{
    struct target target = {.port = default_port};
    char user[USER_MAX + 1] = "";

    if (take_prefix(&text, '/', target.gateway, sizeof target.gateway) < 0 ||
        (target.gateway[0] && !gateway_name_is_valid(target.gateway))) {
        return why_set(why, -EINVAL, "In front of the / goes the name of a gateway.");
    }
    if (take_prefix(&text, '@', user, sizeof user) < 0 ||
        (user[0] && !user_is_valid(user, strlen(user)))) {
        return why_set(why, -EINVAL,
                       "A user name has 1 to %d letters, digits, dots, hyphens or underscores.",
                       USER_MAX);
    }
    if (user[0] && !allow_user) {
        return why_set(why, -EINVAL, "Leave out the user name: the RDP client will ask for it.");
    }
    const char *port = split_port(text, target.host);
    if (port && port_parse(port, &target.port) < 0) {
        return why_set(why, -EINVAL, "The port is a number from 1 to 65535.");
    }
    enum host_kind kind = host_kind(target.host);
    if (kind == HOST_INVALID || (text[0] == '[' && kind != HOST_IPV6)) {
        return why_set(why, -EINVAL,
                       "That is not a host name or an IP address. Write it like HOME-PC, "
                       "192.168.1.22 or [fd00::22]:2222.");
    }
    memcpy(target.user, user, sizeof target.user);
    *ret_target = target;
    return 0;
}

void target_format(const char *host, uint16_t port, char *dst)
{
    bool v6 = host_kind(host) == HOST_IPV6;
    snprintf(dst, TARGET_TEXT_MAX, "%s%s%s:%u", v6 ? "[" : "", host, v6 ? "]" : "", port);
}
