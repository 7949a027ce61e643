/* http_proxy: the proxy that HTTP requests take, and what is its fault when one fails. */
#ifndef PAMTUNNEL_VPS_TELEGRAM_HTTP_PROXY_H
#define PAMTUNNEL_VPS_TELEGRAM_HTTP_PROXY_H

#include <stdbool.h>

#include <curl/curl.h>

/* For a request that is about to start. Empty: what the environment says. False: out of memory. */
bool http_proxy_set(CURL *easy, const char *proxy);
/* In words, if it was the proxy that failed or that answered in the server's place; or NULL. */
const char *http_proxy_trouble(CURL *easy, CURLcode code);

#endif
