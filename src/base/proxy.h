/*
 * proxy: the proxy on the way to a server: that of a setting (TELEGRAM_PROXY, VPS_PROXY), or the
 * one that the environment names. libcurl takes http_proxy, https_proxy and ALL_PROXY by itself;
 * for who connects without it there is proxy_choose().
 */
#ifndef PAMTUNNEL_BASE_PROXY_H
#define PAMTUNNEL_BASE_PROXY_H

#include <stdint.h>

#include "base/host.h"
#include "base/why.h"

/*
 * SCHEME://[USER:PASSWORD@]HOST:PORT, the scheme one of http, https and socks5h. -EINVAL
 * with what is wrong, without repeating any of it: it may hold a password.
 */
int proxy_check(const char *url, struct why *why);

enum { PROXY_SHOWN_MAX = 320 };
/* SCHEME://HOST:PORT: without the name and password. */
void proxy_show(const char *url, char dst[PROXY_SHOWN_MAX]);

/*
 * The proxy that requests to api_url take if `url` is what TELEGRAM_PROXY says (may be
 * empty), and the name of the variable it comes from. NULL: none.
 */
const char *proxy_find(const char *url, const char *api_url, const char **ret_variable);

/* ---- for CONNECT (passage.h) ------------------------------------------------ */

enum { PROXY_URL_MAX = 512 };

/* http://[USER:PASSWORD@]HOST:PORT, taken apart. Holds a password: wipe it. */
struct proxy {
    char host[HOST_MAX + 1]; /* "": there is none */
    uint16_t port;
    char login[PROXY_URL_MAX + 1]; /* USER:PASSWORD as they are, without %XX; or "" */
    const char *variable;          /* where it comes from; static */
};

/*
 * The proxy on the way to that host: what `url`, the value of the setting called `setting`, says;
 * or if that is empty https_proxy or HTTPS_PROXY in the environment, unless no_proxy or NO_PROXY
 * excepts the host. With neither its host is "". -EINVAL with what is wrong, and where it stands,
 * but nothing of the URL: it may hold a password.
 */
int proxy_choose(const char *setting, const char *url, const char *host, struct proxy *ret_proxy,
                 struct why *why);
/* What is wrong with the value of such a setting: -EINVAL, as proxy_check(). */
int proxy_check_plain(const char *url, struct why *why);

#endif
