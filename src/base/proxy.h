/*
 * proxy: the proxy used to reach the Bot API: TELEGRAM_PROXY, or the one that the
 * environment names (http_proxy, https_proxy, ALL_PROXY: libcurl takes it by itself).
 */
#ifndef PAMTUNNEL_BASE_PROXY_H
#define PAMTUNNEL_BASE_PROXY_H

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

#endif
