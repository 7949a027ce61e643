/* http_body: what an HTTP request sends along, for http.c. */
#ifndef PAMTUNNEL_VPS_TELEGRAM_HTTP_BODY_H
#define PAMTUNNEL_VPS_TELEGRAM_HTTP_BODY_H

#include <stdbool.h>

#include <curl/curl.h>

#include "vps/telegram/http.h"

/*
 * Gives a copy of the body to the request. *ret_mime is the caller's to free, after the
 * request; NULL for JSON. False when out of memory.
 */
bool http_body_set(CURL *easy, const struct http_body *body, curl_mime **ret_mime);

#endif
