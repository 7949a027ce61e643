#include "base/proxy.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/crypto.h"
#include "base/host.h"
#include "base/net.h"
#include "base/text.h"

enum { PORT_DIGITS = 5, PORT_MAX = 65535 };

/* ---- its parts ------------------------------------------------------------ */

/* Behind "SCHEME://" and, in front of the first /, "USER:PASSWORD@". */
static const char *host_of(const char *url)
{
    const char *host = strstr(url, "://") + 3;
    const char *at = memrchr(host, '@', strcspn(host, "/"));
    return at ? at + 1 : host;
}

static int check_scheme(const char *url, struct why *why)
{
    static const char *const SCHEMES[] = {"http://", "https://", "socks5h://"};
    for (unsigned i = 0; i < sizeof SCHEMES / sizeof *SCHEMES; i++) {
        if (strncmp(url, SCHEMES[i], strlen(SCHEMES[i])) == 0) {
            return 0;
        }
    }
    /* socks5:// would look the name up here, where there may be no DNS for it. */
    if (strncmp(url, "socks", 5) == 0) {
        return why_set(why, -EINVAL, "the only kind of SOCKS it takes is socks5h://");
    }
    return why_set(why, -EINVAL, "it must begin with http://, https:// or socks5h://");
}

static int check_port(const char *text, struct why *why)
{
    size_t digits = strspn(text, "0123456789");
    long port = digits > 0 && digits <= PORT_DIGITS ? strtol(text, NULL, 10) : 0;
    bool ends = text[digits] == '\0' || strcmp(text + digits, "/") == 0;
    return port >= 1 && port <= PORT_MAX && ends
               ? 0
               : why_set(why, -EINVAL,
                         "it must end with a port from 1 to 65535 (write a / or @ in the password "
                         "as %%2F or %%40)");
}

/* HOST:PORT, an IPv6 address in brackets. */
static int check_host(const char *text, struct why *why)
{
    char host[HOST_MAX + 1];
    /* libcurl takes more forms; what is refused here fails at startup, not at the first poll. */
    bool bracketed = *text == '[';
    const char *start = text + bracketed;
    size_t len = strcspn(start, bracketed ? "]" : ":/");
    const char *end = start + len + (bracketed && start[len]);
    if (len == 0 || len >= sizeof host) {
        return why_set(why, -EINVAL, "it has no host");
    }
    memcpy(host, start, len);
    host[len] = '\0';
    enum host_kind kind = host_kind(host);
    if (kind == HOST_INVALID || (kind == HOST_IPV6) != bracketed) {
        return why_set(why, -EINVAL, "its host is neither a name nor an address");
    }
    return *end == ':' ? check_port(end + 1, why) : why_set(why, -EINVAL, "it has no port");
}

int proxy_check(const char *url, struct why *why)
{
    for (const char *c = url; *c; c++) {
        if (!isgraph((unsigned char)*c)) {
            return why_set(why, -EINVAL, "it holds a space or a control character");
        }
    }
    int err = check_scheme(url, why);
    return err < 0 ? err : check_host(host_of(url), why);
}

/* The environment's may be of any form: nothing in front of the last @ is shown. */
void proxy_show(const char *url, char dst[PROXY_SHOWN_MAX])
{
    struct text text = text_over(dst, PROXY_SHOWN_MAX);
    const char *slashes = strstr(url, "://"), *at = strrchr(url, '@');
    const char *host = slashes ? slashes + 3 : url;
    text_add(&text, "%.*s", (int)(host - url), url);
    host = at && at >= host ? at + 1 : host;
    text_add(&text, "%.*s", (int)strcspn(host, "/"), host);
}

/* ---- which one ------------------------------------------------------------ */

static bool is_within(const char *host, size_t len, const char *domain, size_t domain_len)
{
    return domain_len > 0 && domain_len <= len &&
           strncasecmp(host + len - domain_len, domain, domain_len) == 0 &&
           (domain_len == len || host[len - domain_len - 1] == '.');
}

/* An address, or NETWORK/BITS, that holds the host, which is an address as well. */
static bool is_network_of(const char *host, size_t len, const char *entry, size_t size)
{
    char text[2][HOST_MAX + 1];
    struct addr addr, network;
    if (len > HOST_MAX || size > HOST_MAX) {
        return false;
    }
    snprintf(text[0], sizeof text[0], "%.*s", (int)len, host);
    snprintf(text[1], sizeof text[1], "%.*s", (int)size, entry);
    char *slash = strchr(text[1], '/');
    if (slash) {
        *slash++ = '\0';
    }
    if (addr_parse(text[0], 0, &addr) < 0 || addr_parse(text[1], 0, &network) < 0) {
        return false;
    }
    unsigned most = addr.sa.sa_family == AF_INET ? 32 : 128;
    unsigned long bits = !slash                           ? most
                         : isdigit((unsigned char)*slash) ? strtoul(slash, NULL, 10)
                                                          : UINT_MAX;
    return bits <= most && addr_in_network(&addr, &network, (unsigned)bits);
}

/*
 * no_proxy: domains, with a dot in front or without, addresses, networks, or a * for all. As for
 * libcurl, an empty one is none.
 */
static bool is_excepted(const char *host, size_t len)
{
    const char *lower = getenv("no_proxy"), *list = lower && lower[0] ? lower : getenv("NO_PROXY");
    while (list && *list) {
        list += strspn(list, " ,");
        size_t size = strcspn(list, " ,");
        size_t dot = *list == '.';
        if ((size == 1 && *list == '*') || is_within(host, len, list + dot, size - dot) ||
            is_network_of(host, len, list, size)) {
            return true;
        }
        list += size;
    }
    return false;
}

const char *proxy_find(const char *url, const char *api_url, const char **ret_variable)
{
    static const char *const HTTPS[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
    static const char *const HTTP[] = {"http_proxy", "all_proxy", "ALL_PROXY"};
    /* As libcurl: HTTP_PROXY in capitals is ignored, since a CGI request can set it. */
    bool secure = strncmp(api_url, "https:", 6) == 0;
    const char *slashes = strstr(api_url, "://"), *host = slashes ? slashes + 3 : "";
    unsigned count = secure ? 4 : 3;
    if (url[0]) {
        *ret_variable = "TELEGRAM_PROXY";
        return url;
    }
    for (unsigned i = 0; i < count && !is_excepted(host, strcspn(host, ":/")); i++) {
        const char *name = secure ? HTTPS[i] : HTTP[i], *value = getenv(name);
        if (value && value[0]) {
            *ret_variable = name;
            return value;
        }
    }
    return NULL;
}

/* ---- for CONNECT ------------------------------------------------------------ */

static bool unescape(const char *from, size_t len, char *to)
{
    for (size_t i = 0; i < len; i++) {
        uint8_t byte = (uint8_t)from[i];
        if (byte == '%') {
            char digits[3] = {i + 1 < len ? from[i + 1] : 'x', i + 2 < len ? from[i + 2] : 'x', 0};
            if (crypto_unhex(digits, &byte, 1) < 0 || byte == 0) {
                return false;
            }
            i += 2;
        }
        *to++ = (char)byte;
    }
    *to = '\0';
    return true;
}

/* A name cannot (RFC 7617, 2): of two, the first one would end it. */
static bool holds_colon(const char *name, size_t len)
{
    size_t i = 0;
    while (i + 3 <= len && strncasecmp(name + i, "%3a", 3) != 0) {
        i++;
    }
    return i + 3 <= len;
}

static int take_login(const char *url, struct proxy *proxy, struct why *why)
{
    const char *start = strstr(url, "://") + 3, *host = host_of(url);
    size_t len = host > start ? (size_t)(host - start) - 1 : 0;
    const char *colon = memchr(start, ':', len);
    if (len == 0) {
        return 0;
    }
    if (!colon) {
        return why_set(why, -EINVAL, "in front of the @ it takes USER:PASSWORD");
    }
    if (holds_colon(start, (size_t)(colon - start))) {
        return why_set(why, -EINVAL,
                       "its user name holds a colon (%%3A), which this kind of login cannot carry");
    }
    if (!unescape(start, len, proxy->login)) {
        return why_set(why, -EINVAL, "its user name or password holds a %% that is none of %%XX");
    }
    return 0;
}

/* The URL is one that check_host() has taken. */
static void take_host(const char *url, struct proxy *proxy)
{
    const char *host = host_of(url);
    bool bracketed = *host == '[';
    size_t len = strcspn(host += bracketed, bracketed ? "]" : ":");
    memcpy(proxy->host, host, len);
    proxy->host[len] = '\0';
    proxy->port = (uint16_t)strtol(host + len + bracketed + 1, NULL, 10);
}

static int take_apart(const char *url, struct proxy *proxy, struct why *why)
{
    if (strlen(url) > PROXY_URL_MAX) {
        return why_set(why, -EINVAL, "it is too long");
    }
    if (strncmp(url, "http://", 7) != 0) {
        return why_set(why, -EINVAL,
                       "it must begin with http://: no other kind of proxy can be used here");
    }
    int err = proxy_check(url, why);
    err = err < 0 ? err : take_login(url, proxy, why);
    if (err == 0) {
        take_host(url, proxy);
    }
    return err;
}

int proxy_check_plain(const char *url, struct why *why)
{
    struct proxy proxy = {.host = ""};
    int err = take_apart(url, &proxy, why);
    crypto_wipe(&proxy, sizeof proxy);
    return err;
}

/* HOST:PORT alone is usual there. */
static int take_environment(const char *value, struct proxy *proxy, struct why *why)
{
    char url[PROXY_URL_MAX + sizeof "http://"];
    struct text text = text_over(url, sizeof url);
    struct why closer;
    text_add(&text, "%s%s", strstr(value, "://") ? "" : "http://", value);
    int err = take_apart(url, proxy, &closer);
    crypto_wipe(url, sizeof url);
    return err < 0
               ? why_set(why, err, "%s in the environment: %.200s (NO_PROXY excepts hosts from it)",
                         proxy->variable, closer.text)
               : 0;
}

int proxy_choose(const char *setting, const char *url, const char *host, struct proxy *ret_proxy,
                 struct why *why)
{
    struct proxy proxy = {.variable = setting};
    const char *lower = getenv("https_proxy"), *upper = getenv("HTTPS_PROXY");
    const char *value = lower && lower[0] ? lower : upper;
    struct why closer;
    int err = 0;
    if (url[0]) {
        err = take_apart(url, &proxy, &closer);
        err = err < 0 ? why_set(why, err, "%s: %.200s", setting, closer.text) : 0;
    } else if (value && value[0] && !is_excepted(host, strlen(host))) {
        proxy.variable = value == lower ? "https_proxy" : "HTTPS_PROXY";
        err = take_environment(value, &proxy, why);
    }
    if (err == 0) {
        *ret_proxy = proxy;
    }
    crypto_wipe(&proxy, sizeof proxy);
    return err;
}
